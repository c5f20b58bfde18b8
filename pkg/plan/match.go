package plan

import (
	"fmt"
	"slices"
	"strings"

	"migrate/pkg/bulk2"
	"migrate/pkg/salesforce"
)

// likeness says what a column and the field that it was matched to have in common, the surest first.
type likeness int

const (
	byName  likeness = iota + 1 // the API name, or the path of a lookup
	byLabel                     // the label
	byForm                      // name or label, when what bare leaves out does not count
)

// match is what the name of a source column says about where the column belongs.
type match struct {
	to    string            // API name of the field, or the path of a lookup as the column has it; "" = nowhere
	field *salesforce.Field // the field; nil of a path
	by    likeness
	why   string // the likeness in words; of a column that goes nowhere, also what stands in the way
}

// match finds the field for each column of the source, with loosely in case of need by the form of its name. What is alike by less
// than its API name counts only where one field that may be set and one column are left for one another.
func (c *compiler) match(loosely bool) []match {
	columns := c.sourceNames()
	list := make([]match, len(columns))
	claims := map[*salesforce.Field][]int{}
	for i, name := range columns {
		list[i] = c.meaning(name, loosely)
		if f := list[i].field; f != nil {
			claims[f] = append(claims[f], i)
		}
	}
	for i, m := range list {
		if m.by == byName || m.field == nil { // two columns of one API name are a fault of the source, which others find
			continue
		}
		others := slices.DeleteFunc(slices.Clone(claims[m.field]), func(k int) bool { return k == i })
		given := slices.IndexFunc(c.targets, func(t target) bool { return t.field == m.field && t.parent == nil })
		named := slices.IndexFunc(others, func(k int) bool { return list[k].by == byName })
		switch {
		case given >= 0:
			list[i] = match{why: fmt.Sprintf("%s, which is set %s already", m.why, c.targets[given].origin())}
		case named >= 0:
			list[i] = match{why: fmt.Sprintf("%s, to which column %q goes by its name", m.why, columns[others[named]])}
		case len(others) > 0:
			list[i] = match{why: fmt.Sprintf("%s, and column %q could go there as well", m.why, columns[others[0]])}
		}
	}
	return list
}

// meaning finds the field for one column.
func (c *compiler) meaning(column string, loosely bool) match {
	if c.leads(column) {
		return match{to: column, by: byName}
	}
	if f := c.object.Field(column); f != nil {
		return match{to: f.Name, field: f, by: byName}
	}
	form := string(bare(column))
	for _, level := range []struct {
		by    likeness
		lead  string
		alike func(f *salesforce.Field) bool
	}{
		{byLabel, "the label of ", func(f *salesforce.Field) bool { return f.Label != "" && strings.EqualFold(f.Label, column) }},
		{byForm, "resembles ", func(f *salesforce.Field) bool {
			return loosely && form != "" && (string(bare(f.Name)) == form || string(bare(f.Label)) == form)
		}},
	} {
		var found []*salesforce.Field
		var names []string
		for i := range c.object.Fields {
			if f := &c.object.Fields[i]; level.alike(f) && c.settable(f) {
				found, names = append(found, f), append(names, f.Name)
			}
		}
		switch why := level.lead + strings.Join(names, " and "); len(found) {
		case 0:
		case 1:
			return match{to: found[0].Name, field: found[0], by: level.by, why: why}
		default:
			return match{why: why + ", so say which is meant"}
		}
	}
	return match{}
}

// leads says whether a column's name is a path over a relationship of the object.
func (c *compiler) leads(column string) bool {
	path, _, dotted := strings.Cut(column, ".")
	if _, after, typed := strings.Cut(path, ":"); typed {
		path = after
	}
	return dotted && c.lookup(path) != nil
}

// settable says whether the operation takes a value for a field.
func (c *compiler) settable(f *salesforce.Field) bool {
	t := target{field: f}
	switch {
	case t.isID():
		return c.isKey(t)
	case c.Operation == bulk2.Delete || c.Operation == bulk2.HardDelete:
		return false
	}
	return c.readOnly(t) == ""
}
