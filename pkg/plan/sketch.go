package plan

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"migrate/pkg/bulk2"
	"migrate/pkg/salesforce"
	"migrate/pkg/transform"
)

// Sketch is what a plan is made from that nobody has written yet: a source, and the object that its rows are to become.
type Sketch struct {
	// Job has the name, object, operation, key, timezone and source of the job, and the path of the plan that is to be; its fields do
	// not count.
	Job    Job
	About  []About // what was found out about the source
	Sample *Sample // of the source
	// Describe gives an object of the org. It is called as by Job.Compile.
	Describe func(object string) (*salesforce.SObject, error)
	// Lookup gives an environment variable.
	Lookup func(variable string) (string, bool)
}

// Draft is a plan as a sketch proposes it.
type Draft struct {
	Text    string   // of the plan file
	Mapped  int      // columns that go to a field
	Columns int      // of the source
	Missing []string // fields that must be mapped before the plan can run
}

// Draw writes a plan with one job. Columns are matched to fields by name, label, or the form of both, and the sample says what steps their
// values need; the reason for each decision stands beside it, and what leaves a choice is commented out. Read accepts the text, and
// Compile the job, but for what Missing names. The error is an *Error when the job cannot be, or the error of Describe.
func (s Sketch) Draw() (Draft, error) {
	d := &drawing{Sketch: s, schema: s.Sample.Source.Schema()}
	if err := d.match(); err != nil {
		return Draft{}, err
	}
	d.keys()
	for refused := true; refused; {
		var err error
		if refused, err = d.judge(); err != nil {
			return Draft{}, err
		}
	}
	draft := Draft{Text: d.text(), Columns: len(d.columns)}
	for _, e := range d.columns {
		if !e.out {
			draft.Mapped++
		}
	}
	for _, n := range d.needs {
		if n.must {
			draft.Missing = append(draft.Missing, n.field)
		}
	}
	return draft, nil
}

// drawing is a sketch in the making.
type drawing struct {
	Sketch
	schema  *arrow.Schema
	object  *salesforce.SObject
	columns []proposal // one for each column, in the order of the source
	ids     []string   // columns that could name the rows
	needs   []need
}

// need is a field that the job lacks.
type need struct {
	field, why string
	must       bool // without it the job does not compile
}

// match finds a field for each column.
func (d *drawing) match() error {
	job := d.Job
	job.Fields, job.AutoMap = nil, false
	c := &compiler{Job: job, schema: d.schema, ask: d.Describe}
	object, problem := c.describe(job.Object)
	if object == nil {
		if c.failed == nil {
			c.find(nil, "%s", problem)
		}
		return errors.Join(c.failed, errorOf(c.findings))
	}
	c.object, d.object = object, object
	c.permitted()
	c.upsertKey()
	if err := errorOf(c.findings); err != nil {
		return err
	}
	matches := c.match(true)
	times := map[string]int{} // that something is set
	for _, m := range matches {
		times[strings.ToLower(m.to)]++
	}
	for i, m := range matches {
		e := proposal{column: d.schema.Field(i).Name, to: m.to}
		switch {
		case e.column == "":
			e.out, e.to, e.why = true, "", fmt.Sprintf("column %d has no name; give it one", i+1)
		case len(d.schema.FieldIndices(e.column)) > 1:
			e.out, e.why = true, fmt.Sprintf("the source has %d columns of this name; rename all but one", len(d.schema.FieldIndices(e.column)))
		case m.to == "" && m.why != "":
			e.out, e.why = true, m.why
		case m.to == "":
			e.out, e.why = true, "fits no field"+c.near(e.column)
		case times[strings.ToLower(m.to)] > 1:
			e.out, e.why = true, "another column has this name in another case; one of them can be sent"
		default:
			if e.why = m.why; m.by == byName {
				e.why = "the same name"
			}
			if m.field == nil {
				break
			}
			if why := c.readOnly(target{field: m.field}); why != "" {
				e.out, e.why = true, strings.TrimSuffix(why, "; "+c.howToLeaveOut(Field{}))
			} else if err := d.fit(&e, m.field); err != nil {
				return err
			}
		}
		d.columns = append(d.columns, e)
	}
	return nil
}

// near suggests fields that may be set for a column that fits none: first those whose name or label it resembles, then those of which it
// is a part.
func (c *compiler) near(column string) string {
	const most = 3
	var words []string
	name := map[string]string{} // of a field, by its name and by its label
	for i := range c.object.Fields {
		if f := &c.object.Fields[i]; c.settable(f) {
			words = append(words, f.Name, f.Label)
			name[f.Name], name[f.Label] = f.Name, f.Name
		}
	}
	found := nearest(column, words)
	if part := string(bare(column)); len(part) >= 3 {
		for _, w := range words {
			if strings.Contains(string(bare(w)), part) {
				found = append(found, w)
			}
		}
	}
	var names []string
	for _, w := range found {
		if n := name[w]; !slices.Contains(names, n) && len(names) < most {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; nearest: " + strings.Join(names, ", ")
}

// idName is how columns are called that name a row.
var idName = regexp.MustCompile(`(?i)(^|[^\pL\pN])(id|no|nr|number|key)$|\p{Ll}(I[dD]|N[oOrR]|Number|Key)$`)

// keys finds the columns that look like a key of the rows.
func (d *drawing) keys() {
	for i, e := range d.columns {
		if d.Sample.Rows < 2 || len(d.schema.FieldIndices(e.column)) != 1 || !idName.MatchString(strings.TrimSpace(e.column)) {
			continue
		}
		text, err := d.Sample.try(transform.Field{To: "F", From: e.column}, "")
		if err != nil || int64(text.filled) != d.Sample.Rows {
			continue
		}
		slices.Sort(text.values)
		if len(slices.Compact(text.values)) < text.filled {
			continue
		}
		d.ids = append(d.ids, e.column)
		if keys := d.externalIDs(); e.to == "" && len(keys) > 0 {
			d.columns[i].why += "; it looks like a key, which could go to " + strings.Join(keys, " or ")
		}
	}
}

// externalIDs are the external ids of the object that no column goes to.
func (d *drawing) externalIDs() []string {
	var names []string
	for _, f := range d.object.Fields {
		if f.ExternalID && f.Createable && !slices.ContainsFunc(d.columns, func(e proposal) bool { return e.to == f.Name }) {
			names = append(names, f.Name)
		}
	}
	return names
}

// judge reads and compiles the plan as it is, comments out what is refused, and says whether that was something. It also finds what the
// job lacks.
func (d *drawing) judge() (refused bool, err error) {
	p, err := read(d.Job.Path, d.text(), d.Lookup)
	if found := new(Error); errors.As(err, &found) { // lines of a file that is not there yet help nobody
		for i := range found.Findings {
			found.Findings[i].Line, found.Findings[i].Column = 0, 0
		}
	}
	if err != nil {
		return false, err
	}
	c := &compiler{Job: p.Jobs[0], schema: d.schema, ask: d.Describe}
	c.compile()
	if c.failed != nil {
		return false, c.failed
	}
	if len(c.targets) > 0 {
		if _, err := transform.Compile(c.mapping(), c.schema); err != nil {
			c.refused(err)
		}
	}
	for _, f := range c.findings {
		if i := slices.IndexFunc(d.columns, func(e proposal) bool { return !e.out && e.to == f.Field }); i >= 0 {
			d.columns[i].out, refused = true, true
			d.columns[i].why = strings.TrimSuffix(f.Message, "; "+c.howToLeaveOut(Field{}))
		}
	}
	d.needs = nil
	if c.Operation != bulk2.Insert && !slices.ContainsFunc(c.targets, c.isKey) {
		n := need{"Id", "it says which record is meant", true}
		if c.key != nil {
			n.field = c.key.Name
		}
		d.needs = append(d.needs, n)
	}
	for _, f := range c.missing() {
		n := need{f.Name, fmt.Sprintf("%s, label %q", f.Type, f.Label), c.Operation == bulk2.Insert}
		if !n.must {
			n.why += "; without it, rows that are not in the org yet will fail"
		}
		if !slices.ContainsFunc(d.needs, func(o need) bool { return o.field == n.field }) {
			d.needs = append(d.needs, n)
		}
	}
	return refused, nil
}
