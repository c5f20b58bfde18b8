package plan

import (
	"slices"
	"strings"

	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
)

// Extract is what an export asks the org for.
type Extract struct {
	Object  string                  `json:"object"`
	Query   pipeline.Slice          `json:"query"` // all of it
	Columns []pipeline.ExportColumn `json:"columns"`
	Notes   []string                `json:"notes,omitempty"`   // what the user should know, such as fields that are left out
	Stamp   string                  `json:"stamp,omitempty"`   // the field of the watermark; "" = there is none
	Content *Content                `json:"content,omitempty"` // what is fetched beside the rows; nil = nothing is
}

// Compile makes an Extract of an export. describe is that of Job.Compile. What is wrong is an *Error.
func (e Export) Compile(describe func(object string) (*salesforce.SObject, error)) (Extract, error) {
	c := &compiler{Job: Job{Name: e.Name, Path: e.Path, Line: e.Line}, ask: describe}
	q := soqlQuery{object: strings.TrimSpace(e.Query)}
	if named := objectName.MatchString(q.object); named {
		q.items = e.Fields
		if len(q.items) == 0 {
			q.items = []string{allFields}
		}
	} else {
		var err error
		if q, err = parseQuery(e.Query); err != nil {
			c.find(nil, "%v", err)
			return Extract{}, errorOf(c.findings)
		}
		if len(e.Fields) > 0 {
			c.find(nil, "the query says which fields; take fields out")
		}
	}
	object, problem := c.describe(q.object)
	switch {
	case c.failed != nil:
		return Extract{}, c.failed
	case object == nil:
		c.find(nil, "%s", problem)
		return Extract{}, errorOf(c.findings)
	case !object.Queryable:
		c.find(nil, "the org lets no query see %s", object.Name)
		return Extract{}, errorOf(c.findings)
	}
	if q.scoped() && e.Where != "" {
		c.find(nil, "where and USING SCOPE do not go together; write the condition into the query")
	}
	c.object = object
	x := Extract{Object: object.Name, Query: pipeline.Slice{Object: object.Name, Tail: q.tail}}
	c.extract(&x, q.items)
	for _, condition := range []string{q.where, e.Where} {
		if condition != "" {
			x.Query.Where = append(x.Query.Where, "("+condition+")")
		}
	}
	if f := object.Field("CreatedDate"); f != nil && f.Type == "datetime" && !q.bounded() && !q.scoped() {
		x.Query.By = f.Name // which no record is without, and which never changes
	}
	c.increments(e, q, &x)
	c.contents(e, &x)
	if c.failed != nil {
		return Extract{}, c.failed
	}
	var names []string
	for _, col := range x.Columns {
		names = append(names, col.Name)
	}
	x.Query.Fields = strings.Join(names, ", ")
	return x, errorOf(c.findings)
}

// allFields stands for every field that a query job gives.
const allFields = "all"

// extract finds the columns of a list of fields.
func (c *compiler) extract(x *Extract, items []string) {
	for _, item := range items {
		if !strings.EqualFold(item, allFields) {
			if col, ok := c.extracted(item); ok {
				x.Columns = append(x.Columns, col)
			}
			continue
		}
		var left []string
		for _, f := range c.object.Fields {
			if why := unextractable(&f); why != "" {
				left = append(left, f.Name+" ("+why+")")
				continue
			}
			x.Columns = append(x.Columns, pipeline.ExportColumn{Name: f.Name, Type: f.Type, Length: f.Length})
		}
		if len(left) > 0 {
			x.Notes = append(x.Notes, "left out: "+strings.Join(left, ", "))
		}
	}
	seen := map[string]bool{}
	for _, col := range x.Columns {
		if seen[col.Name] {
			c.find(nil, "%s is there twice", col.Name)
		}
		seen[col.Name] = true
	}
}

// stampFields are the fields that a watermark can be of, the best first: what else is there does not move with each change.
var stampFields = []string{"SystemModstamp", "LastModifiedDate", "CreatedDate"}

// increments checks what a watermark needs, and adds the columns to the query.
func (c *compiler) increments(e Export, q soqlQuery, x *Extract) {
	if e.Watermark == nil {
		return
	}
	if q.bounded() || q.scoped() {
		c.find(nil, "an export with a watermark takes the rows as they come: take %s out", q.tail)
	}
	if e.AllRows {
		c.find(nil, "all_rows has no meaning beside a watermark; deletes says what becomes of records that are gone")
	}
	if e.To.Merge {
		c.find(nil, "merge has no meaning beside a watermark: changes are merged into the table, and a run that brings all rows replaces its rows; take merge out")
	}
	if t := e.To; t.Overwrite && !strings.Contains(t.Path, "{run}") && !strings.Contains(t.Path, "{run_time}") {
		x.Notes = append(x.Notes, "overwrite: where two runs have the same path, the changes of the second are all that is left; {run_time} in it gives each its own")
	}
	want := stampFields
	if e.Watermark.Field != "" {
		want = []string{e.Watermark.Field}
	}
	for _, name := range want {
		if f := c.object.Field(name); f != nil && f.Type == "datetime" {
			x.Stamp = f.Name
			break
		}
	}
	switch {
	case x.Stamp == "" && e.Watermark.Field != "":
		c.find(nil, "watermark: %s has no field %s of type datetime", c.object.Name, e.Watermark.Field)
		return
	case x.Stamp == "":
		c.find(nil, "%s has none of %s, so nobody can tell what has changed; take watermark out", c.object.Name, strings.Join(stampFields, ", "))
		return
	case x.Stamp == "CreatedDate":
		x.Notes = append(x.Notes, "by CreatedDate new records are found, and no changes of those that were there")
	case x.Stamp == "LastModifiedDate":
		x.Notes = append(x.Notes, "LastModifiedDate does not move with some changes that the system makes, and can be set by loads")
	}
	need := []string{"Id", x.Stamp}
	if e.Deletes != nil {
		if c.object.Field("IsDeleted") == nil {
			c.find(nil, "deletes: %s has no field IsDeleted, so its records do not go to a recycle bin; take deletes out", c.object.Name)
		} else {
			need = append(need, "IsDeleted")
		}
	}
	c.need(x, need...)
	c.unseen(e, x)
}

// need adds the columns that the query lacks.
func (c *compiler) need(x *Extract, names ...string) {
	for _, name := range names {
		if !slices.ContainsFunc(x.Columns, func(col pipeline.ExportColumn) bool { return strings.EqualFold(col.Name, name) }) {
			if col, ok := c.extracted(name); ok {
				x.Columns = append(x.Columns, col)
				x.Notes = append(x.Notes, "added: "+name)
			}
		}
	}
}

// unseen tells which changes the watermark does not show.
func (c *compiler) unseen(e Export, x *Extract) {
	var names []string
	for _, col := range x.Columns {
		if f := c.object.Field(col.Name); f == nil || f.Calculated {
			names = append(names, col.Name)
		}
	}
	if len(names) > 0 {
		note := strings.Join(names, ", ") + ": of other records or calculated, so they change without " + x.Stamp
		if e.Refresh == 0 {
			note += "; refresh: 7d would bring all rows again each week"
		}
		x.Notes = append(x.Notes, note)
	}
	if len(x.Query.Where) > 0 && (e.Deletes == nil || e.Deletes.Compare == 0) && e.Refresh == 0 {
		x.Notes = append(x.Notes, "records that no longer fit the condition stay in the copy; deletes: { compare: 1d } would find them")
	}
}

// unextractable says why a query job does not give a field (Bulk API 2.0 guide, SOQL Considerations).
func unextractable(f *salesforce.Field) string {
	switch f.Type {
	case "address", "location":
		return "compound; its parts are there"
	case "base64":
		return "binary"
	case "complexvalue", "json":
		return "of type " + f.Type
	}
	return ""
}

// extracted finds a field, or a field of a parent, and gives it the name that the org writes into the header.
func (c *compiler) extracted(path string) (pipeline.ExportColumn, bool) {
	object := c.object
	var names []string
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		var lookup *salesforce.Field
		var relationships []string
		for i := range object.Fields {
			f := &object.Fields[i]
			if f.RelationshipName == "" {
				continue
			}
			relationships = append(relationships, f.RelationshipName)
			if strings.EqualFold(f.RelationshipName, step) {
				lookup = f
			}
		}
		if lookup == nil {
			c.find(nil, "%s: %s has no relationship %s%s", path, object.Name, step, didYouMean(step, relationships))
			return pipeline.ExportColumn{}, false
		}
		parent := lookup.ReferenceTo[0]
		if len(lookup.ReferenceTo) > 1 {
			parent = "Name" // what all of them have (SOQL reference, Understanding Relationship Fields and Polymorphic Fields)
		}
		next, problem := c.describe(parent)
		if next == nil {
			if c.failed == nil {
				c.find(nil, "%s: %s", path, problem)
			}
			return pipeline.ExportColumn{}, false
		}
		names = append(names, lookup.RelationshipName)
		object = next
	}
	f := object.Field(steps[len(steps)-1])
	if f == nil {
		var fields []string
		for _, f := range object.Fields {
			fields = append(fields, f.Name)
		}
		c.find(nil, "%s: %s has no such field%s", path, object.Name, didYouMean(steps[len(steps)-1], fields))
		return pipeline.ExportColumn{}, false
	}
	name := strings.Join(append(names, f.Name), ".")
	if why := unextractable(f); why != "" {
		c.find(nil, "%s: a query job does not give it: %s", name, why)
		return pipeline.ExportColumn{}, false
	}
	return pipeline.ExportColumn{Name: name, Type: f.Type, Length: f.Length}, true
}
