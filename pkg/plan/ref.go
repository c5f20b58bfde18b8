package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/token"

	"migrate/pkg/bulk2"
	"migrate/pkg/pipeline"
	"migrate/pkg/transform"
)

// Ref sets a lookup to the record that a row of another job became. The field's value is that row's id in its source.
type Ref struct {
	Job    string `json:"job"`
	Object string `json:"object,omitempty"` // that the job loads; "" = the job is not in this plan
	// Missing says what an id does that is not known: transform.MissingError or MissingEmpty.
	Missing transform.Missing `json:"missing,omitempty"`
	// SecondPass leaves the field out at first and sets it when all jobs have loaded their rows: for rows that point to rows
	// of their own job, or in a circle.
	SecondPass bool `json:"second_pass,omitempty"`
}

// Parents finds the records that lookups are set to.
type Parents interface {
	// Has is true when the id map knows rows of the job.
	Has(job string) (bool, error)
	// Find gives the Ids of records by the source ids of a job's rows; those that are not known are missing.
	Find(job string, sources []string) (map[string]string, error)
	// Check lets the org say whether it can answer a lookup. A refusal is an *salesforce.APIError.
	Check(l pipeline.Lookup) error
	// InOrg gives the Ids of records of the org by the keys that they have there, as Lookup.Key makes them.
	InOrg(l pipeline.Lookup, keys []string) (map[string][]string, error)
}

// UsesIDs is true when a job enters what its rows become, or refers to what others became.
func (p *Plan) UsesIDs() bool {
	return slices.ContainsFunc(p.Jobs, func(j Job) bool {
		return j.ID != "" || slices.ContainsFunc(j.Fields, func(f Field) bool { return f.Ref != nil })
	})
}

// resolve finds the jobs that fields refer to, brings the jobs into an order in which each comes after those, and adds a job for
// each second pass.
func (r *reader) resolve(jobs []Job) []Job {
	byName := map[string]*Job{}
	for i := range jobs {
		byName[jobs[i].Name] = &jobs[i]
	}
	for _, j := range jobs {
		r.job = j.Name
		for _, f := range j.Fields {
			if f.Ref == nil {
				continue
			}
			r.field = f.To
			at := &token.Position{Line: f.Line, Column: 7}
			other := byName[f.Ref.Job]
			switch {
			case other == nil:
			case other.ID == "":
				r.report(at, `ref: job %s has no id; say which column names its rows, as in "id: account_no"`, other.Name)
			case other.Name == j.Name && !f.Ref.SecondPass:
				r.report(at, "refers to rows of its own job, whose Ids are not known yet when they are loaded; add second_pass: true")
			}
			if other != nil {
				f.Ref.Object = other.Object
			}
			if f.Ref.SecondPass && j.ID == "" {
				r.report(at, `second_pass: the job needs an id, by which its own records are found again, as in "id: account_no"`)
			}
			r.field = ""
		}
		r.job = ""
	}
	later := secondPasses(jobs)
	jobs = append(r.order(jobs), later...)
	lookupTurns(jobs)
	return jobs
}

// order brings each job behind those that it refers to. Otherwise the order of the file stays.
func (r *reader) order(jobs []Job) []Job {
	var out []Job
	done := map[string]bool{}
	waits := func(j Job) string {
		for _, f := range j.Fields {
			if f.Ref != nil && !f.Ref.SecondPass && f.Ref.Job != j.Name && !done[f.Ref.Job] && slices.ContainsFunc(jobs, func(o Job) bool { return o.Name == f.Ref.Job }) {
				return f.Ref.Job
			}
		}
		return ""
	}
	for len(out) < len(jobs) {
		i := slices.IndexFunc(jobs, func(j Job) bool { return !done[j.Name] && waits(j) == "" })
		if i < 0 { // a circle: follow it from the first job that waits
			first := jobs[slices.IndexFunc(jobs, func(j Job) bool { return !done[j.Name] })]
			circle := []string{}
			for name := first.Name; !slices.Contains(circle, name); {
				circle = append(circle, name)
				name = waits(jobs[slices.IndexFunc(jobs, func(j Job) bool { return j.Name == name })])
			}
			r.report(&token.Position{Line: first.Line, Column: 3}, "the jobs %s wait for one another; let one of the lookups be set later, with second_pass: true", strings.Join(circle, ", "))
			return jobs
		}
		done[jobs[i].Name] = true
		out = append(out, jobs[i])
	}
	return out
}

// secondPasses takes the fields of second passes out of their jobs and makes jobs of them: updates that set them, for the rows
// that have a value there.
func secondPasses(jobs []Job) []Job {
	var later []Job
	for i := range jobs {
		j := &jobs[i]
		isLater := func(f Field) bool { return f.Ref != nil && f.Ref.SecondPass }
		var fields []Field
		var has []string
		for _, f := range j.Fields {
			if !isLater(f) {
				continue
			}
			fields = append(fields, f)
			j.Later = append(j.Later, f.sourceColumns()...)
			for _, c := range f.sourceColumns() {
				has = append(has, fmt.Sprintf(`has(%[1]q) && string(row[%[1]q]) != ""`, c))
			}
		}
		if len(fields) == 0 {
			continue
		}
		second := *j
		second.Name, second.First = j.Name+"_second_pass", j.Name
		second.Operation, second.Key, second.ID, second.Later = bulk2.Update, "", "", nil
		second.AutoMap = false
		id := Field{To: "Id", From: j.ID, Ref: &Ref{Job: j.Name, Object: j.Object}, Nulls: transform.NullsError, Line: fields[0].Line}
		second.Fields = append([]Field{id}, fields...)
		where := strings.Join(has, " || ")
		if j.Where != "" {
			where = "(" + j.Where + ") && (" + where + ")"
		}
		second.Where = where
		j.Fields = slices.DeleteFunc(slices.Clone(j.Fields), isLater)
		later = append(later, second)
	}
	return later
}

// reference checks a field that is set to a record of another job.
func (c *compiler) reference(t target) {
	if t.Ref == nil || c.failed != nil {
		return
	}
	c.takesID(t, "ref", t.Ref.Object)
	if c.known == nil {
		c.failed = fmt.Errorf("field %s refers to job %s, but there is no id map", t.To, t.Ref.Job) // a caller's mistake
		return
	}
	if t.Ref.Object != "" {
		return
	}
	known, err := c.known.Has(t.Ref.Job)
	switch {
	case err != nil:
		c.failed = err
	case !known:
		c.find(&t.Field, "ref: neither this plan nor an earlier run into this org has a job %s", t.Ref.Job)
	}
}

// takesID checks that a field takes the Id of a record of an object; "" is any.
func (c *compiler) takesID(t target, key, object string) {
	leads := func(o string) bool { return strings.EqualFold(o, object) }
	switch {
	case t.parent != nil:
		c.find(&t.Field, "%s gives the Id of the parent; write %s", key, t.field.Name)
	case t.isID() && (object == "" || leads(c.object.Name)):
	case t.isID():
		c.find(&t.Field, "%s gives the Id of a record of %s, but the job writes %s", key, object, c.object.Name)
	case t.field.Type != "reference":
		c.find(&t.Field, "%s gives the Id of a record, and %s is no lookup but of type %s", key, t.field.Name, t.field.Type)
	case object != "" && !slices.ContainsFunc(t.field.ReferenceTo, leads):
		c.find(&t.Field, "leads to %s, but %s gives the Id of a record of %s", strings.Join(t.field.ReferenceTo, ", "), key, object)
	}
}

// findLoaded answers the ids of rows of a job.
func (c *compiler) findLoaded(job string, rows []string) (map[string][]string, error) {
	byRow, err := c.known.Find(job, rows)
	if err != nil {
		return nil, err
	}
	found := make(map[string][]string, len(byRow))
	for row, id := range byRow {
		found[row] = []string{id}
	}
	return found, nil
}
