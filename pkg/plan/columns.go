package plan

import (
	"slices"
	"strings"

	"migrate/pkg/bulk2"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
)

// target is a column of the upload, found in the describe.
type target struct {
	Field
	header string            // To in the case of the describe
	field  *salesforce.Field // that is set
	parent *salesforce.Field // by which the parent is found; nil without a relationship header
	lookup pipeline.Lookup   // of Field.Lookup, as the org spells it
}

func (t target) isID() bool { return t.parent == nil && t.field.Type == "id" }

// value is the field whose values stand in the column.
func (t target) value() *salesforce.Field {
	if t.parent != nil {
		return t.parent
	}
	return t.field
}

// columns finds the columns of the upload: first those of Fields in their order, then those that AutoMap adds in the order
// of the source.
func (c *compiler) columns() {
	if c.FoldColumns {
		c.Fields = c.foldColumns(c.Fields)
	}
	named := map[string]bool{}
	for _, f := range c.Fields {
		for _, name := range f.sourceColumns() {
			c.sourceColumn(f, name)
			named[name] = true
		}
		if f.To != "" {
			c.column(f)
		}
	}
	if c.AutoMap {
		c.autoMap(named)
	}
	if len(c.targets) == 0 && len(c.findings) == 0 {
		c.find(nil, "no field is mapped, so nothing would be sent; %s", c.howToMap("Name"))
	}
}

// foldColumns gives the columns that fields name the case that they have in the source.
func (c *compiler) foldColumns(fields []Field) []Field {
	fold := func(name string) string {
		if c.schema.HasField(name) {
			return name
		}
		for _, own := range c.sourceNames() {
			if strings.EqualFold(own, name) {
				return own
			}
		}
		return name
	}
	out := slices.Clone(fields)
	for i := range out {
		out[i].From = fold(out[i].From)
		out[i].Columns = slices.Clone(out[i].Columns)
		for k := range out[i].Columns {
			out[i].Columns[k] = fold(out[i].Columns[k])
		}
	}
	return out
}

// sourceColumn checks that a field's column is in the source, once.
func (c *compiler) sourceColumn(f Field, name string) {
	switch n := len(c.schema.FieldIndices(name)); {
	case n == 0:
		c.find(&f, "the source has no column %q%s", name, didYouMean(name, c.sourceNames()))
	case n > 1:
		c.find(&f, "the source has %d columns named %q; rename all but one", n, name)
	}
}

func (c *compiler) sourceNames() []string {
	var names []string
	for _, f := range c.schema.Fields() {
		names = append(names, f.Name)
	}
	return names
}

// column adds the column of the upload that f describes.
func (c *compiler) column(f Field) {
	var t target
	var ok bool
	if strings.ContainsAny(f.To, ".:") {
		t, ok = c.relationship(f)
	} else if t = (target{Field: f, field: c.object.Field(f.To)}); t.field != nil {
		t.header, ok = t.field.Name, true
	} else {
		c.find(&f, "%s has no such field%s", c.object.Name, c.closestField(f.To))
	}
	if ok {
		c.writable(t)
		c.reference(t)
		c.lookedUp(&t)
		c.spoken(t)
		c.columnFits(t)
		c.targets = append(c.targets, t)
	}
}

// closestField looks at the names of fields first, then at their labels.
func (c *compiler) closestField(word string) string {
	var names, labels []string
	byLabel := map[string]string{}
	for _, f := range c.object.Fields {
		names = append(names, f.Name)
		labels = append(labels, f.Label)
		byLabel[f.Label] = f.Name
	}
	best := closest(word, names)
	if best == "" {
		best = byLabel[closest(word, labels)]
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// reportColumn begins the names of the columns that reports of failed rows add to those of the source.
const reportColumn = "migrate_"

// autoMap sends the columns that Fields does not name to the fields of the same API name or label. For what goes by its label there is
// a note, since nobody wrote it.
func (c *compiler) autoMap(named map[string]bool) {
	deletes := c.Operation == bulk2.Delete || c.Operation == bulk2.HardDelete
	matches := c.match(false)
	var labels, reports []string
	for i, col := range c.schema.Fields() {
		f, m := Field{From: col.Name, To: matches[i].to}, matches[i]
		if named[col.Name] {
			continue
		}
		named[col.Name] = true
		switch {
		case m.to != "" && (!deletes || strings.EqualFold(col.Name, "Id")):
			c.sourceColumn(f, f.From)
			c.column(f)
			if m.by == byLabel {
				labels = append(labels, col.Name+" → "+m.to)
			}
		case strings.HasPrefix(col.Name, reportColumn):
			reports = append(reports, col.Name)
		case c.IgnoreUnmapped:
		case col.Name == "":
			c.find(nil, "column %d of the source has no name; give it one", i+1)
		case deletes:
			c.find(nil, "source column %q: %s takes the column Id alone; %s", col.Name, c.Operation, c.howToLeaveOut(f))
		case m.why != "":
			c.find(nil, "source column %q fits no field for sure: %s; %s or %s", col.Name, m.why, c.howToMapTo(col.Name), c.howToLeaveOut(f))
		default:
			c.find(nil, "source column %q fits no field of %s%s; %s or %s", col.Name, c.object.Name, c.closestField(col.Name),
				c.howToMapTo(col.Name), c.howToLeaveOut(f))
		}
	}
	if len(labels) > 0 {
		c.note("by the labels of the fields: %s", strings.Join(labels, ", "))
	}
	if len(reports) > 0 {
		c.note("not sent, since they belong to a report of failed rows: %s", strings.Join(reports, ", "))
	}
}

// twice finds columns of the upload that set the same field.
func (c *compiler) twice() {
	for i, t := range c.targets {
		for _, u := range c.targets[:i] {
			if u.header == t.header {
				c.find(&t.Field, "is mapped twice: %s and %s; %s", u.origin(), t.origin(), c.howToLeaveOut(t.Field))
				break
			}
			if u.field == t.field {
				c.note("%s and %s both set %s; a row with values in both fails", u.header, t.header, t.field.Name)
			}
		}
	}
}

func (t target) origin() string {
	switch {
	case t.Const != nil:
		return "as a constant"
	case t.Expr != "":
		return "from an expression"
	case len(t.Columns) > 0:
		return "from columns " + strings.Join(t.Columns, ", ")
	}
	return "from column " + t.From
}

// howToMap says where a mapping to a field is written: a plan names fields, a load without one has flags.
func (c *compiler) howToMap(field string) string {
	if c.AutoMap {
		return "send a column to it with --map COLUMN=" + field
	}
	return "add it to the fields, as in \"" + field + ": COLUMN\""
}

func (c *compiler) howToMapTo(column string) string {
	return "send it to one with --map \"" + column + "=FIELD\""
}

func (c *compiler) howToLeaveOut(f Field) string {
	if c.AutoMap && f.Const == nil {
		return "leave it out with --map \"" + f.From + "=\""
	}
	return "take it out of the fields"
}
