package plan

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"migrate/pkg/bulk2"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
	"migrate/pkg/sources"
	"migrate/pkg/transform"
)

// Decisions is what a user should know of a job before its first row is sent.
type Decisions struct {
	Mapped []string // such as "company → Name", in the order in which the columns are sent
	Unsent []string // source columns that are not sent, in source order
	Notes  []string
	Group  Grouping
	// Pinned is the job with every field named and nothing left to match: it compiles to the same columns, whatever the org
	// gets in fields meanwhile.
	Pinned Job
}

// Compile checks a job against its source and the org, and makes what the pipeline works on. describe is called with the API
// name of the object and of the parents that the mapping names, perhaps several times with the same. parents finds the records that
// lookups are set to by ref and lookup; nil where no field has one.
//
// The error is an *Error with all findings, or the error of describe as it is. An *salesforce.APIError with status
// 404 from describe is a finding: there is no such object.
func (j Job) Compile(src sources.Source, describe func(object string) (*salesforce.SObject, error), parents Parents) (pipeline.Job, Decisions, error) {
	c := &compiler{Job: j, schema: src.Schema(), ask: describe, known: parents}
	c.compile()
	if c.failed != nil {
		return pipeline.Job{}, Decisions{}, c.failed
	}
	m := c.mapping()
	group := c.grouping()
	var mapped *transform.Plan
	if len(c.findings) == 0 {
		var err error
		if mapped, err = transform.Compile(m, c.schema); err != nil {
			c.refused(err)
		}
	}
	if err := errorOf(c.findings); err != nil {
		return pipeline.Job{}, Decisions{}, err
	}
	out := pipeline.Job{Name: j.Name, Object: c.object.Name, Operation: j.Operation, Source: src, Mapping: mapped, Limit: j.Limit, Key: c.keyColumn(), ID: j.ID, First: j.First,
		After: c.after()}
	out.Writes, out.Reads = c.turns()
	if c.key != nil {
		out.ExternalID = c.key.Name
	}
	out.Grouped = j.Source.Kind == KindGroups
	d := Decisions{Unsent: c.unsent(m), Notes: c.notes, Group: group, Pinned: j}
	d.Pinned.Fields, d.Pinned.AutoMap, d.Pinned.IgnoreUnmapped = nil, false, false
	for _, t := range c.targets {
		pinned := t.Field
		pinned.To = t.header
		d.Pinned.Fields = append(d.Pinned.Fields, pinned)
		out.Columns = append(out.Columns, pipeline.Column{Header: t.header, Type: t.value().Type, Key: c.namesRow(t), Doubt: c.doubtOf(t)})
		d.Mapped = append(d.Mapped, t.Field.origin()+" → "+t.header)
	}
	return out, d, nil
}

// compiler holds a job while it is compiled.
type compiler struct {
	Job
	schema *arrow.Schema
	ask    func(object string) (*salesforce.SObject, error)
	known  Parents

	object   *salesforce.SObject
	key      *salesforce.Field // of an upsert
	targets  []target
	findings []Finding
	notes    []string
	failed   error // of ask
}

// find adds a finding about a field, or about the job when f is nil.
func (c *compiler) find(f *Field, format string, args ...any) {
	out := Finding{Path: c.Path, Line: c.Line, Job: c.Name, Message: fmt.Sprintf(format, args...)}
	if f != nil {
		out.Field = f.To
		if f.Line > 0 {
			out.Line = f.Line
		}
	}
	c.findings = append(c.findings, out)
}

func (c *compiler) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

var objectName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

const notFound = 404 // HTTP status of the describe of an object that is not there

// describe returns nil when there is no such object, and then says why; after an error of another kind c.failed is set.
func (c *compiler) describe(object string) (o *salesforce.SObject, problem string) {
	if !objectName.MatchString(object) {
		return nil, fmt.Sprintf("%q is not the API name of an object, such as Account or Invoice__c", object)
	}
	o, err := c.ask(object)
	var api *salesforce.APIError
	switch {
	case errors.As(err, &api) && api.Status == notFound:
		return nil, fmt.Sprintf("the org has no object %s, or the user may not see it", object)
	case err != nil:
		c.failed = err
		return nil, err.Error()
	}
	return o, ""
}

func (c *compiler) compile() {
	if !slices.Contains(bulk2.Operations, c.Operation) {
		c.find(nil, "unknown operation %q: %s", c.Operation, oneOf(bulk2.Operations))
		return
	}
	if c.Limit < 0 {
		c.find(nil, "the limit is %d rows; 0 means all", c.Limit)
	}
	var problem string
	if c.object, problem = c.describe(c.Object); c.object == nil {
		c.find(nil, "%s", problem)
		return
	}
	c.permitted()
	c.upsertKey()
	c.rowID()
	c.columns()
	c.twice()
	c.ids()
	c.required()
}

// rowID checks the columns by which rows are told apart.
func (c *compiler) rowID() {
	if c.ID != "" {
		c.sourceColumn(Field{Line: c.Line}, c.ID)
	}
	for _, name := range c.Unique {
		c.sourceColumn(Field{Line: c.Line}, name)
	}
}

// permitted checks what the user may do with records of the object.
func (c *compiler) permitted() {
	refuse := func(allowed bool, what string) {
		if !allowed {
			c.find(nil, "%s records cannot be %s by this user; ask for the permission, or take another user", c.object.Name, what)
		}
	}
	switch c.Operation {
	case bulk2.Insert:
		refuse(c.object.Createable, "created")
	case bulk2.Update:
		refuse(c.object.Updateable, "updated")
	case bulk2.Upsert:
		refuse(c.object.Createable, "created")
		refuse(c.object.Updateable, "updated")
	default:
		refuse(c.object.Deletable, "deleted")
	}
}

// mapping is what transform is to do. An empty key is never cleared: it says which record is meant.
func (c *compiler) mapping() transform.Mapping {
	m := transform.Mapping{Nulls: c.Nulls, Where: c.Where, Unique: c.Unique, Timezone: c.Timezone}
	for _, t := range c.targets {
		f := transform.Field{To: t.header, From: t.From, Columns: t.Columns, With: t.With, Const: t.Const, Expr: t.Expr, Kind: kindOf(t.value()), Steps: t.Steps, Nulls: t.Nulls}
		switch {
		case c.known == nil:
		case t.Ref != nil:
			f.Ref = &transform.Ref{Job: t.Ref.Job, Missing: t.Ref.Missing, Find: func(rows []string) (map[string][]string, error) { return c.findLoaded(t.Ref.Job, rows) }}
		case t.Lookup != nil:
			f.Ref = &transform.Ref{Object: t.lookup.Object, Field: t.lookup.Field, Missing: t.Lookup.Missing,
				Find: func(values []string) (map[string][]string, error) { return c.findInOrg(t.lookup, values) }}
		}
		if t.TruncateToLength {
			f.Truncate = t.value().Length
		}
		if f.Hash != nil { // the key is a secret: it is in no plan and in no checkpoint
			h := *f.Hash
			h.Key = os.Getenv(h.KeyEnv)
			f.Hash = &h
		}
		if c.isKey(t) && f.Nulls == "" && c.Nulls == transform.NullsClear {
			f.Nulls = transform.NullsKeep
		}
		m.Fields = append(m.Fields, f)
	}
	return m
}

// kindOf says what a field takes.
func kindOf(f *salesforce.Field) transform.Kind {
	switch f.Type {
	case "int", "long", "double", "currency", "percent":
		return transform.KindNumber
	case "boolean":
		return transform.KindBoolean
	case "date":
		return transform.KindDate
	case "datetime":
		return transform.KindDatetime
	case "time":
		return transform.KindTime
	}
	return transform.KindText
}

// unsent names the source columns that neither this job nor its second pass uses.
func (c *compiler) unsent(m transform.Mapping) []string {
	if c.First != "" {
		return nil // the first pass has told
	}
	return slices.DeleteFunc(m.Unsent(c.schema), func(name string) bool { return c.ID != "" && name == c.ID || slices.Contains(c.Later, name) })
}

// refused turns the error of transform.Compile into findings.
func (c *compiler) refused(err error) {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, err := range all {
		var m *transform.MappingError
		if !errors.As(err, &m) {
			c.find(nil, "%v", err)
			continue
		}
		f := Field{To: m.Field}
		for _, t := range c.targets {
			if t.header == m.Field {
				f = t.Field
			}
		}
		c.find(&f, "%s", m.Problem)
	}
}

// keyColumn is the source column that names a row best, "" when none does.
func (c *compiler) keyColumn() string {
	best, rank := "", 0
	for _, t := range c.targets {
		r := 0
		switch {
		case !c.namesRow(t) || t.From == "":
		case c.isKey(t):
			r = 3
		case t.isID():
			r = 2
		default:
			r = 1
		}
		if r > rank {
			best, rank = t.From, r
		}
	}
	return best
}

// namesRow says whether the value of a column tells a row from all others.
func (c *compiler) namesRow(t target) bool {
	return t.Const == nil && t.parent == nil && (c.isKey(t) || t.isID() || t.field.ExternalID && t.field.Unique)
}

// isKey says whether a column tells the org which record is meant.
func (c *compiler) isKey(t target) bool {
	if t.parent != nil {
		return false
	}
	if c.Operation == bulk2.Upsert {
		return c.key != nil && strings.EqualFold(t.field.Name, c.key.Name)
	}
	return t.isID() && c.Operation != bulk2.Insert
}
