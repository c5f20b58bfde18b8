package localorg

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/zeebo/xxh3"
)

// Audit is what an org can tell about its clients. Calls and violations are those of this process.
type Audit struct {
	Objects    map[string]ObjectAudit `json:"objects"`    // by object name; only those that hold records
	Calls      map[string]int         `json:"calls"`      // by endpoint, such as "PUT jobs/ingest/{}/batches"
	Faults     map[string]int         `json:"faults"`     // calls that a rule made fail, by endpoint and kind: "PUT jobs/ingest/{}/batches: reset"
	Violations []Violation            `json:"violations"` // in the order in which they happened
	Jobs       map[string]int         `json:"jobs"`       // ingest jobs by state
	QueryJobs  map[string]int         `json:"queryJobs"`  // query jobs by state
	Ingested   map[string]IngestAudit `json:"ingested"`   // by object name; what ingest jobs of this process did
	Peak       PeakAudit              `json:"peak"`
}

// IngestAudit counts the rows of ingest jobs.
type IngestAudit struct {
	Rows   int `json:"rows"`   // processed
	Failed int `json:"failed"` // of them
}

// PeakAudit is what the org had to do at most at one time.
type PeakAudit struct {
	Jobs    int `json:"jobs"`    // ingest jobs between their closing and their end
	Batches int `json:"batches"` // internal batches that ran
}

// ObjectAudit counts the records of one object.
type ObjectAudit struct {
	Rows    int `json:"rows"`
	Deleted int `json:"deleted"` // in the recycle bin
}

// Violation is something that a well-behaved client does not do.
type Violation struct {
	Time time.Time `json:"time"`
	Job  string    `json:"job,omitempty"`
	Kind string    `json:"kind"` // one of the Violation… names
	Text string    `json:"text"`
}

// The kinds of violations.
const (
	ViolationSecondUpload = "second upload"         // data put into a job that has data
	ViolationCloseEmpty   = "close without upload"  // a job closed that holds no data
	ViolationFastPoll     = "polling too fast"      // the same running job asked for more than once in 0.9 seconds
	ViolationUploadSize   = "upload over the limit" // more data than one job takes
	ViolationVersion      = "other API version"     // results asked for with another version than the job's
	ViolationEncoding     = "upload not UTF-8"      // bytes that are no UTF-8; they are stored as U+FFFD
)

// KeyAudit says what a business key tells about the records of an object.
type KeyAudit struct {
	Rows     int `json:"rows"`     // records, without the recycle bin
	Empty    int `json:"empty"`    // records without the key
	Distinct int `json:"distinct"` // different values of the key
	Twice    int `json:"twice"`    // values that more than one record has
}

// maxViolations bounds the list; what comes after is not kept.
const maxViolations = 10_000

type auditLog struct {
	calls      map[string]int
	faults     map[string]int
	violations []Violation
	ingested   map[string]IngestAudit // by object name
	jobs       gauge                  // ingest jobs between their closing and their end
	batches    gauge                  // internal batches that run
}

// gauge is a number that goes up and down, and the highest that it was.
type gauge struct{ now, peak int }

func (g *gauge) in() {
	g.now++
	g.peak = max(g.peak, g.now)
}

func (g *gauge) out() { g.now-- }

func (a *auditLog) count(endpoint string) {
	if a.calls == nil {
		a.calls = map[string]int{}
	}
	if _, ok := a.calls[endpoint]; !ok && len(a.calls) >= 1000 {
		endpoint = "other"
	}
	a.calls[endpoint]++
}

// fault counts a call that a rule takes.
func (a *auditLog) fault(endpoint, kind string) {
	if a.faults == nil {
		a.faults = map[string]int{}
	}
	if key := endpoint + ": " + kind; a.faults[key] > 0 || len(a.faults) < 1000 {
		a.faults[key]++
	}
}

// ingest counts rows of a job.
func (a *auditLog) ingest(obj *object, rows, failed int) {
	if a.ingested == nil {
		a.ingested = map[string]IngestAudit{}
	}
	sum := a.ingested[obj.Name]
	a.ingested[obj.Name] = IngestAudit{sum.Rows + rows, sum.Failed + failed}
}

// violation notes what a client did wrong. Callers hold the lock.
func (o *Org) violation(job id15, kind, format string, args ...any) {
	v := Violation{Time: o.now(), Kind: kind, Text: fmt.Sprintf(format, args...)}
	if job != (id15{}) {
		v.Job = job.String()
	}
	o.cfg.Logger.Debug("local org: violation", "kind", kind, "job", v.Job, "text", v.Text)
	if len(o.audit.violations) < maxViolations {
		o.audit.violations = append(o.audit.violations, v)
	}
}

// Audit tells what the org holds and what its clients did. It is also the answer to GET /local/audit.
func (o *Org) Audit() Audit {
	o.mu.RLock()
	defer o.mu.RUnlock()
	a := Audit{
		Objects: map[string]ObjectAudit{}, Calls: map[string]int{}, Faults: map[string]int{}, Jobs: map[string]int{}, QueryJobs: map[string]int{},
		Ingested: map[string]IngestAudit{}, Peak: PeakAudit{o.audit.jobs.peak, o.audit.batches.peak},
		Violations: append([]Violation{}, o.audit.violations...),
	}
	maps.Copy(a.Calls, o.audit.calls)
	maps.Copy(a.Faults, o.audit.faults)
	maps.Copy(a.Ingested, o.audit.ingested)
	for _, t := range o.tables {
		if t.live > 0 || t.deleted > 0 {
			a.Objects[t.obj.Name] = ObjectAudit{t.live, t.deleted}
		}
	}
	for _, j := range o.jobs {
		a.Jobs[j.state.String()]++
	}
	for _, j := range o.queryJobs {
		a.QueryJobs[j.state.String()]++
	}
	return a
}

// Keys counts the values of one field over all records of an object, without the recycle bin. It is also the answer to
// GET /local/audit?object=Account&key=Legacy_Id__c.
func (o *Org) Keys(objectName, fieldName string) (KeyAudit, error) {
	obj := o.schema.object(objectName)
	if obj == nil {
		return KeyAudit{}, fmt.Errorf("no object %q in this org", objectName)
	}
	f := obj.field(fieldName)
	if f == nil {
		return KeyAudit{}, fmt.Errorf("no field %q in object %s", fieldName, obj.Name)
	}
	var k KeyAudit
	var sums []xxh3.Uint128
	o.mu.RLock()
	t := o.table(obj)
	for ord, place := range t.places {
		if place == 0 {
			continue
		}
		r := t.record(uint32(ord))
		if r.deleted() {
			continue
		}
		k.Rows++
		v := o.value(t, uint32(ord), r, f)
		if v == nil {
			k.Empty++
			continue
		}
		sums = append(sums, xxh3.Hash128(v))
	}
	o.mu.RUnlock()
	slices.SortFunc(sums, func(a, b xxh3.Uint128) int {
		return cmp.Or(cmp.Compare(a.Hi, b.Hi), cmp.Compare(a.Lo, b.Lo))
	})
	for i := 0; i < len(sums); {
		end := i + 1
		for end < len(sums) && sums[end] == sums[i] {
			end++
		}
		k.Distinct++
		if end-i > 1 {
			k.Twice++
		}
		i = end
	}
	return k, nil
}

// serveLocal answers /local/…, which needs no token: it is for tests and for who runs the org.
func (o *Org) serveLocal(w http.ResponseWriter, r *http.Request, parts []string) error {
	if len(parts) != 1 {
		return errNotFound
	}
	var body any
	switch r.Method + " " + parts[0] {
	case "GET audit":
		body = o.Audit()
		if q := r.URL.Query(); q.Has("object") {
			keys, err := o.Keys(q.Get("object"), q.Get("key"))
			if err != nil {
				return refuse(400, "INVALID_FIELD", "%v", err)
			}
			body = keys
		}
	case "POST faults":
		var f Fault
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
		d.DisallowUnknownFields()
		if err := d.Decode(&f); err != nil {
			return refuse(400, "JSON_PARSER_ERROR", "%v", err)
		}
		if err := o.Fault(f); err != nil {
			return refuse(400, "INVALID_FAULT", "%v", err)
		}
		body = f
	case "POST rules":
		var rule Rule
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
		d.DisallowUnknownFields()
		if err := d.Decode(&rule); err != nil {
			return refuse(400, "JSON_PARSER_ERROR", "%v", err)
		}
		if err := o.Rule(rule); err != nil {
			return refuse(400, "INVALID_RULE", "%v", err)
		}
		body = rule
	case "DELETE rules":
		o.ClearRules()
		body = struct{}{}
	case "DELETE faults":
		o.ClearFaults()
		body = struct{}{}
	default:
		return errNotFound
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	return json.NewEncoder(w).Encode(body)
}
