package plan

import (
	"strings"

	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
)

// Extract is what an export brings out of the org.
type Extract struct {
	Object  string
	SOQL    string
	Columns []pipeline.ExportColumn
	Notes   []string // what the user should know, such as fields that are left out
}

// CompileExtract makes an Extract of a SOQL query or, for all fields of it that a query job gives, of the name of an object. describe is
// that of Job.Compile. What is wrong is an *Error.
func CompileExtract(text string, describe func(object string) (*salesforce.SObject, error)) (Extract, error) {
	c := &compiler{Job: Job{Name: "export"}, ask: describe}
	q := soqlQuery{object: strings.TrimSpace(text)}
	all := objectName.MatchString(q.object)
	if !all {
		var err error
		if q, err = parseQuery(text); err != nil {
			c.find(nil, "%v", err)
			return Extract{}, errorOf(c.findings)
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
	c.object, q.object = object, object.Name
	e := Extract{Object: object.Name}
	if all {
		var left []string
		for _, f := range object.Fields {
			if why := unextractable(&f); why != "" {
				left = append(left, f.Name+" ("+why+")")
				continue
			}
			q.items = append(q.items, f.Name)
			e.Columns = append(e.Columns, pipeline.ExportColumn{Name: f.Name, Type: f.Type, Length: f.Length})
		}
		if len(left) > 0 {
			e.Notes = append(e.Notes, "left out: "+strings.Join(left, ", "))
		}
	} else {
		for i, item := range q.items {
			if col, ok := c.extracted(item); ok {
				q.items[i] = col.Name
				e.Columns = append(e.Columns, col)
			}
		}
	}
	if c.failed != nil {
		return Extract{}, c.failed
	}
	e.SOQL = q.text()
	return e, errorOf(c.findings)
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
