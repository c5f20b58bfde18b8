package localorg

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

var queryJobRoutes = []route{
	{pattern: "jobs/query", methods: map[string]handler{"GET": (*Org).listQueryJobs, "POST": (*Org).createQueryJob}},
	{pattern: "jobs/query/{}", methods: map[string]handler{"GET": (*Org).queryJobInfo, "PATCH": (*Org).patchQueryJob, "DELETE": (*Org).deleteQueryJob}},
	{pattern: "jobs/query/{}/results", methods: map[string]handler{"GET": (*Org).queryResults}},
	{pattern: "jobs/query/{}/resultPages", methods: map[string]handler{"GET": (*Org).resultPages}},
}

// querySpec is what a client asks for with a new query job.
type querySpec struct {
	Operation       string `json:"operation"` // query or queryAll
	Query           string `json:"query"`
	ContentType     string `json:"contentType,omitempty"`
	ColumnDelimiter string `json:"columnDelimiter,omitempty"`
	LineEnding      string `json:"lineEnding,omitempty"`
}

// queryJob is one query job. It starts at UploadComplete; the org's lock guards it. Its result is a file, so that its
// pages stay as they are whatever happens to the records.
type queryJob struct {
	number  uint32
	id      id15
	spec    querySpec
	query   *soql
	version string // such as "66.0"
	major   int
	user    []byte
	created time.Time
	stamp   time.Time // last change

	state     state
	message   string // why it failed
	processed int    // records found so far
	retries   int
	active    time.Duration
	result    resultFile // once it is complete
	rules     []*Fault
	polled    time.Time
}

// all is true when records of the recycle bin belong to the answer.
func (j *queryJob) all() bool { return j.spec.Operation == "queryAll" }

func (j *queryJob) eol() string {
	if j.spec.LineEnding == "CRLF" {
		return "\r\n"
	}
	return "\n"
}

// checkQuery fills in the defaults of a new query job and refuses what the org refuses.
func (o *Org) checkQuery(s *querySpec) (*soql, error) {
	invalid := func(value, property string) error {
		return refuse(400, "API_ERROR", "Invalid value: '%s' supplied for property: '%s'", value, property)
	}
	setDefault(&s.ContentType, "CSV")
	setDefault(&s.ColumnDelimiter, "COMMA")
	setDefault(&s.LineEnding, "LF")
	switch {
	case s.Operation != "query" && s.Operation != "queryAll":
		return nil, invalid(s.Operation, "operation")
	case s.ContentType != "CSV":
		return nil, invalid(s.ContentType, "contentType")
	case delimiters[s.ColumnDelimiter] == 0:
		return nil, invalid(s.ColumnDelimiter, "columnDelimiter")
	case s.LineEnding != "LF" && s.LineEnding != "CRLF":
		return nil, invalid(s.LineEnding, "lineEnding")
	case s.Query == "": // the text is a guess
		return nil, refuse(400, "MALFORMED_QUERY", "A query string has to be specified")
	}
	return parseBulkSOQL(o.schema, s.Query, o.now())
}

func (o *Org) createQueryJob(c *call) error {
	if c.major < 47 {
		return errNotFound
	}
	var spec querySpec
	if err := c.decode(&spec); err != nil {
		return err
	}
	now := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	q, err := o.checkQuery(&spec) // under the lock: the journal has jobs and changes of the schema in their order
	if err != nil {
		return err
	}
	sortColumns(q, c.major)
	if o.queryJobCount.sum(now) >= o.cfg.DailyQueryJobs { // the text is a guess
		return refuse(400, "LIMIT_EXCEEDED", "Max bulk v2 query jobs (%d) per 24 hrs reached", o.cfg.DailyQueryJobs)
	}
	j := &queryJob{number: o.nextJob, id: makeID("750", o.firstJob+uint64(o.nextJob)), spec: spec, query: q, version: c.version, major: c.major,
		user: c.user, created: now, stamp: now, state: stateUploadComplete}
	if err := o.log(eventQueryCreated, event{Job: j.number, Time: now, Query: &spec, Version: j.version, User: string(j.user)}); err != nil {
		return err
	}
	o.queryJobCount.add(now, 1)
	o.nextJob++
	o.queryJobs[j.number] = j
	j.rules = o.takeJobRules("POST jobs/query", q.from)
	o.startQuery(j)
	return c.reply(200, j.brief())
}

// queryJob finds a query job by its id, of 15 or 18 characters. Callers hold the lock.
func (o *Org) queryJob(text string) (*queryJob, error) {
	id, ok := parseID([]byte(text))
	if !ok {
		return nil, errNotFound
	}
	n, ok := id.number()
	if !ok || id.prefix() != "750" || n < o.firstJob {
		return nil, errNotFound
	}
	j := o.queryJobs[uint32(n-o.firstJob)]
	if j == nil || o.expired(j.state, j.stamp) || activeRule(j.rules, FaultLoseJob) != nil {
		return nil, errNotFound
	}
	return j, nil
}

// queryJobInfo is the JSON form of a query job.
type queryJobBody struct {
	ID              string          `json:"id"`
	Operation       string          `json:"operation"`
	Object          string          `json:"object"`
	CreatedByID     string          `json:"createdById"`
	CreatedDate     string          `json:"createdDate"`
	SystemModstamp  string          `json:"systemModstamp"`
	State           string          `json:"state"`
	ConcurrencyMode string          `json:"concurrencyMode"`
	ContentType     string          `json:"contentType"`
	APIVersion      json.RawMessage `json:"apiVersion"` // a number with one decimal
	JobType         string          `json:"jobType,omitempty"`
	LineEnding      string          `json:"lineEnding"`
	ColumnDelimiter string          `json:"columnDelimiter"`
	*queryCounters
}

type queryCounters struct {
	Processed   int64  `json:"numberRecordsProcessed"`
	Retries     int64  `json:"retries"`
	TotalTime   int64  `json:"totalProcessingTime"` // milliseconds
	Chunking    bool   `json:"isPkChunkingSupported"`
	ErrorReason string `json:"errorMessage,omitempty"`
}

// brief is the answer to a create and to a PATCH.
func (j *queryJob) brief() queryJobBody {
	return queryJobBody{
		ID: j.id.String(), Operation: j.spec.Operation, Object: j.query.from.Name, CreatedByID: string(j.user),
		CreatedDate: j.created.UTC().Format(jsonTime), SystemModstamp: j.stamp.UTC().Format(jsonTime), State: j.state.String(),
		ConcurrencyMode: "Parallel", ContentType: "CSV", APIVersion: json.RawMessage(j.version),
		LineEnding: j.spec.LineEnding, ColumnDelimiter: j.spec.ColumnDelimiter,
	}
}

func (j *queryJob) listed() queryJobBody {
	b := j.brief()
	b.JobType = "V2Query"
	return b
}

func (j *queryJob) full() queryJobBody {
	b := j.listed()
	b.queryCounters = &queryCounters{Processed: int64(j.processed), Retries: int64(j.retries), TotalTime: j.active.Milliseconds(), ErrorReason: j.message,
		Chunking: len(j.query.orderBy) == 0 && j.query.limit < 0}
	return b
}

func (o *Org) queryJobInfo(c *call) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	j, err := o.queryJob(c.args[0])
	if err != nil {
		return err
	}
	if !j.state.final() {
		now := o.now()
		if gap := now.Sub(j.polled); gap < fastPoll {
			o.violation(j.id, ViolationFastPoll, "asked again after %v", gap)
		}
		j.polled = now
	}
	return c.reply(200, j.full())
}

func (o *Org) listQueryJobs(c *call) error {
	q := c.r.URL.Query()
	invalid := func(name string) error {
		return refuse(400, "API_ERROR", "Invalid value: '%s' supplied for property: '%s'", q.Get(name), name)
	}
	if !slices.Contains([]string{"", "V2Query", "V2Ingest", "Classic"}, q.Get("jobType")) {
		return invalid("jobType")
	}
	if !slices.Contains([]string{"", "true", "false"}, q.Get("isPkChunkingEnabled")) {
		return invalid("isPkChunkingEnabled")
	}
	if m := q.Get("concurrencyMode"); m != "" && !strings.EqualFold(m, "parallel") && !strings.EqualFold(m, "serial") {
		return invalid("concurrencyMode")
	}
	from, err := jobListFrom(q.Get("queryLocator"))
	if err != nil {
		return err
	}
	records := []queryJobBody{}
	var next any
	wanted := q.Get("jobType") == "" || q.Get("jobType") == "V2Query"
	wanted = wanted && q.Get("isPkChunkingEnabled") != "true" && !strings.EqualFold(q.Get("concurrencyMode"), "serial")
	if wanted {
		o.mu.RLock()
		var jobs []*queryJob
		for _, n := range sortedKeys(o.queryJobs) {
			if j := o.queryJobs[n]; !o.expired(j.state, j.stamp) && activeRule(j.rules, FaultLoseJob) == nil {
				jobs = append(jobs, j)
			}
		}
		for _, j := range jobs[min(from, len(jobs)):] {
			if len(records) == o.cfg.JobsPerPage {
				next = fmt.Sprintf("/services/data/v%s/jobs/query?queryLocator=%s-%d", c.version, jobListLocator, from+len(records))
				break
			}
			records = append(records, j.listed())
		}
		o.mu.RUnlock()
	}
	return c.reply(200, map[string]any{"done": next == nil, "records": records, "nextRecordsUrl": next})
}

// jobListFrom reads the locator of a job list: how many jobs lie before the page.
func jobListFrom(locator string) (int, error) {
	if locator == "" {
		return 0, nil
	}
	id, n, ok := strings.Cut(locator, "-")
	from, err := strconv.Atoi(n)
	if err != nil || !ok || id != jobListLocator || from < 0 {
		return 0, refuse(400, "API_ERROR", "Invalid value: '%s' supplied for property: 'queryLocator'", locator)
	}
	return from, nil
}

func (o *Org) patchQueryJob(c *call) error {
	var in struct {
		State string `json:"state"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	j, err := o.queryJob(c.args[0])
	if err != nil {
		return err
	}
	switch {
	case in.State != "Aborted":
		return refuse(400, "API_ERROR", "Invalid value: '%s' supplied for property: 'state'", in.State)
	case j.state == stateAborted: // the text is a guess
		return refuse(400, "INVALIDJOBSTATE", "Aborting already Aborted Job not allowed")
	case j.state.final():
		return refuse(400, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed")
	}
	if err := o.endQuery(j, stateAborted, ""); err != nil {
		return err
	}
	return c.reply(200, j.brief())
}

func (o *Org) deleteQueryJob(c *call) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	j, err := o.queryJob(c.args[0])
	if err != nil {
		return err
	}
	if !j.state.final() {
		return refuse(400, "API_ERROR", "Error encountered when deleting the job because the job is not terminated")
	}
	if err := o.log(eventQueryDeleted, event{Job: j.number, Time: o.now()}); err != nil {
		return err
	}
	delete(o.queryJobs, j.number)
	os.Remove(o.resultPath(j))
	c.w.WriteHeader(204)
	return nil
}

// resultPath is where the result of a query job lies. Callers hold the lock.
func (o *Org) resultPath(j *queryJob) string { return filepath.Join(o.dir, j.id.String()+".result") }

// endQuery takes a query job to a final state. Callers hold the lock.
func (o *Org) endQuery(j *queryJob, s state, message string) error {
	now := o.now()
	e := event{Job: j.number, Time: now, State: s.String(), Message: message, Active: j.active, Rows: j.processed, Size: j.result.size, Retries: j.retries}
	if err := o.log(eventQueryEnded, e); err != nil {
		return err
	}
	j.state, j.message, j.stamp = s, message, now
	return nil
}

// startQuery runs a query job once it has waited its time. Callers hold the lock.
func (o *Org) startQuery(j *queryJob) {
	if o.closed {
		return // Close waits for those that are there, and no more may come
	}
	stuck := activeRule(j.rules, FaultStuckQueue)
	o.wg.Go(func() {
		if !o.sleep(o.cfg.StartDelay) || stuck != nil && !o.waitFor(stuck) {
			return
		}
		o.mu.Lock()
		if o.closed || j.state != stateUploadComplete {
			o.mu.Unlock()
			return
		}
		j.state, j.stamp = stateInProgress, o.now()
		stuck, failed := activeRule(j.rules, FaultStuckJob), activeRule(j.rules, FaultFailJob)
		o.mu.Unlock()
		if stuck != nil && !o.waitFor(stuck) {
			return
		}
		var err error
		if failed != nil {
			err = failed.failure()
		} else {
			err = o.runQueryJob(j)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.closed || j.state != stateInProgress {
			return // an org that is opened again runs it again
		}
		s, message := stateJobComplete, ""
		if err != nil {
			var fault *jobError
			if s, message = stateFailed, "InternalServerError : "+err.Error(); errors.As(err, &fault) {
				message = fault.text
			}
			if errors.Is(err, errQueryTimeout) {
				j.retries, message = queryAttempts, o.cfg.RetriedText
			}
		}
		if err := o.endQuery(j, s, message); err != nil {
			o.cfg.Logger.Error("local org: end of a query job not kept", "job", j.id.String(), "error", err)
		}
	})
}
