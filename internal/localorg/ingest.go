package localorg

import (
	"fmt"
	"mime"
	"slices"
	"strings"
	"time"
)

var ingestRoutes = []route{
	{pattern: "jobs/ingest", methods: map[string]handler{"GET": (*Org).listJobs, "POST": (*Org).createJob}},
	{pattern: "jobs/ingest/{}", methods: map[string]handler{"GET": (*Org).jobInfo, "PATCH": (*Org).patchJob, "DELETE": (*Org).deleteJob}},
	{pattern: "jobs/ingest/{}/batches", methods: map[string]handler{"PUT": (*Org).uploadJob}},
	{pattern: "jobs/ingest/{}/successfulResults", methods: map[string]handler{"GET": (*Org).successfulResults}},
	{pattern: "jobs/ingest/{}/failedResults", methods: map[string]handler{"GET": (*Org).failedResults}},
	{pattern: "jobs/ingest/{}/unprocessedrecords", methods: map[string]handler{"GET": (*Org).unprocessedRecords}},
}

const fastPoll = 900 * time.Millisecond // asking more often than once a second, with room for jitter

// check fills in the defaults of a new job and refuses what the org refuses.
func (o *Org) check(s *jobSpec) (*object, *field, error) {
	invalid := func(value, property string) error {
		return refuse(400, "API_ERROR", "Invalid value: '%s' supplied for property: '%s'", value, property)
	}
	setDefault(&s.ContentType, "CSV")
	setDefault(&s.ColumnDelimiter, "COMMA")
	setDefault(&s.LineEnding, "LF")
	switch s.Operation {
	case "insert", "update", "upsert", "delete", "hardDelete":
	default:
		return nil, nil, invalid(s.Operation, "operation")
	}
	if s.ContentType != "CSV" {
		return nil, nil, invalid(s.ContentType, "contentType")
	}
	if _, ok := delimiters[s.ColumnDelimiter]; !ok {
		return nil, nil, invalid(s.ColumnDelimiter, "columnDelimiter")
	}
	if s.LineEnding != "LF" && s.LineEnding != "CRLF" {
		return nil, nil, invalid(s.LineEnding, "lineEnding")
	}
	obj := o.schema.object(s.Object)
	if objectsOutsideBulk[strings.ToLower(s.Object)] {
		return nil, nil, refuse(400, "INVALIDENTITY", "Entity '%s' is not supported by the Bulk API.", s.Object)
	}
	if obj == nil {
		return nil, nil, refuse(400, "INVALIDJOB", "InvalidJob : Unable to find object: %s", s.Object)
	}
	allowed := map[string]bool{"insert": obj.Createable, "update": obj.Updateable, "upsert": obj.Createable && obj.Updateable,
		"delete": obj.Deletable, "hardDelete": obj.Deletable}[s.Operation]
	if !allowed { // the text is a guess
		return nil, nil, refuse(400, "INVALIDENTITY", "Entity '%s' is not supported by the Bulk API.", s.Object)
	}
	if s.Operation == "hardDelete" && o.cfg.NoHardDelete {
		return nil, nil, refuse(400, "FEATURENOTENABLED",
			"FeatureNotEnabled : hardDelete operation requires special user profile permission, please contact your system administrator")
	}
	if s.AssignmentRuleID != "" && obj.Name != "Case" && obj.Name != "Lead" {
		return nil, nil, invalid(s.AssignmentRuleID, "assignmentRuleId")
	}
	if s.Operation != "upsert" {
		s.ExternalID = ""
		return obj, nil, nil
	}
	if s.ExternalID == "" {
		return nil, nil, refuse(400, "INVALIDJOB", "InvalidJob : External ID was blank for %s. An External ID must be specified for upsert.", obj.Name)
	}
	f := obj.field(s.ExternalID)
	if f == nil || f.kind != kindID && !f.ExternalID && !f.IDLookup {
		return nil, nil, refuse(400, "INVALIDJOB", "InvalidJob : Field name provided, %s does not match an External ID for %s", s.ExternalID, obj.Name)
	}
	return obj, f, nil
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

func (o *Org) createJob(c *call) error {
	if c.major < 41 {
		return errNotFound
	}
	if mt, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err == nil && mt == "multipart/form-data" {
		return o.createWhole(c, params["boundary"])
	}
	var spec jobSpec
	if err := c.decode(&spec); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	j, err := o.newJob(c, &spec)
	if err != nil {
		return err
	}
	return c.reply(200, j.fresh())
}

// newJob makes an open job. Callers hold the lock.
func (o *Org) newJob(c *call, spec *jobSpec) (*job, error) {
	obj, key, err := o.check(spec) // under the lock: the journal has jobs and changes of the schema in their order
	if err != nil {
		return nil, err
	}
	if err := o.purge(); err != nil {
		return nil, err
	}
	now := o.now()
	j := &job{number: o.nextJob, id: makeID("750", o.firstJob+uint64(o.nextJob)), spec: *spec, obj: obj, key: key,
		version: c.version, user: c.user, created: now, stamp: now}
	if err := o.log(eventCreated, event{Job: j.number, Time: now, Spec: spec, Version: j.version, User: string(j.user)}); err != nil {
		return nil, err
	}
	o.nextJob++
	o.jobs[j.number] = j
	return j, nil
}

// job finds a job by its id, of 15 or 18 characters. Callers hold the lock.
func (o *Org) job(text string) (*job, error) {
	id, ok := parseID([]byte(text))
	if !ok {
		return nil, errNotFound
	}
	n, ok := id.number()
	if !ok || id.prefix() != "750" || n < o.firstJob {
		return nil, errNotFound
	}
	j := o.jobs[uint32(n-o.firstJob)]
	if j == nil || o.gone(j) || activeRule(j.rules, FaultLoseJob) != nil {
		return nil, errNotFound
	}
	return j, nil
}

func (o *Org) jobInfo(c *call) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	j, err := o.job(c.args[0])
	if err != nil {
		return err
	}
	if j.state == stateUploadComplete || j.state == stateInProgress {
		now := o.now()
		if gap := now.Sub(j.polled); gap < fastPoll {
			o.violation(j.id, ViolationFastPoll, "asked again after %v", gap)
		}
		j.polled = now
	}
	return c.reply(200, j.full())
}

func (o *Org) listJobs(c *call) error {
	q := c.r.URL.Query()
	switch t := q.Get("jobType"); t {
	case "", "V2Ingest", "Classic", "BigObjectIngest":
	default:
		return refuse(400, "API_ERROR", "Invalid value: '%s' supplied for property: 'jobType'", t)
	}
	chunked := q.Get("isPkChunkingEnabled")
	if chunked != "" && chunked != "true" && chunked != "false" {
		return refuse(400, "API_ERROR", "Invalid value: '%s' supplied for property: 'isPkChunkingEnabled'", chunked)
	}
	from, err := jobListFrom(q.Get("queryLocator"))
	if err != nil {
		return err
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	records := []jobInfo{}
	var next any
	if t := q.Get("jobType"); (t == "" || t == "V2Ingest") && chunked != "true" {
		jobs := slices.DeleteFunc(o.sortedJobs(), func(j *job) bool { return o.gone(j) || activeRule(j.rules, FaultLoseJob) != nil })
		for _, j := range jobs[min(from, len(jobs)):] {
			if len(records) == o.cfg.JobsPerPage {
				next = fmt.Sprintf("/services/data/v%s/jobs/ingest?queryLocator=%s-%d", c.version, jobListLocator, from+len(records))
				break
			}
			records = append(records, j.listed())
		}
	}
	return c.reply(200, map[string]any{"done": next == nil, "records": records, "nextRecordsUrl": next})
}

const jobListLocator = "01g5g0000000ABCAA2"

func (o *Org) deleteJob(c *call) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	j, err := o.job(c.args[0])
	if err != nil {
		return err
	}
	if j.state == stateOpen || j.state == stateInProgress {
		return refuse(400, "API_ERROR", "Error encountered when deleting the job because the job is not terminated")
	}
	if err := o.log(eventDeleted, event{Job: j.number, Time: o.now()}); err != nil {
		return err
	}
	if j.underWay() {
		o.audit.jobs.out()
	}
	j.state = stateAborted // what waits for a slot passes on
	delete(o.jobs, j.number)
	o.removeUpload(j)
	c.w.WriteHeader(204)
	return nil
}

func (o *Org) patchJob(c *call) error {
	var in struct {
		State string `json:"state"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	j, err := o.job(c.args[0])
	if err != nil {
		return err
	}
	switch in.State {
	case "UploadComplete":
		err = o.closeJob(j, string(c.user))
	case "Aborted":
		err = o.abortJob(j)
	default:
		err = refuse(400, "API_ERROR", "Invalid value: '%s' supplied for property: 'state'", in.State)
	}
	if err != nil {
		return err
	}
	return c.reply(200, j.brief())
}

// errAbandoned refuses a job that was left open too long; it can still be aborted. The text is a guess.
var errAbandoned = refuse(400, "INVALIDJOBSTATE", "InvalidJobState : Job was open for more than 24 hours and can no longer be used")

// closeJob starts the processing of an open job.
func (o *Org) closeJob(j *job, user string) error {
	switch {
	case j.state == stateAborted: // the text is a guess
		return refuse(400, "INVALIDJOBSTATE", "Closing already Aborted Job not allowed")
	case j.state != stateOpen:
		return refuse(400, "INVALIDJOBSTATE", "Closing already Completed Job not allowed")
	case o.abandoned(j):
		return errAbandoned
	case user != string(j.user): // only the creator may; the text is a guess
		return refuse(403, "INSUFFICIENT_ACCESS", "insufficient access rights on object id")
	case j.uploading:
		return refuse(400, "INVALIDJOBSTATE", "Closing Job while data is uploaded not allowed")
	}
	if !j.uploaded {
		o.violation(j.id, ViolationCloseEmpty, "the job holds no data")
		if !o.cfg.CloseEmpty {
			return refuse(400, "INVALIDJOBSTATE", "Closing Job without data not allowed")
		}
	}
	now := o.now()
	if err := o.log(eventClosed, event{Job: j.number, Time: now}); err != nil {
		return err
	}
	j.state, j.stamp = stateUploadComplete, now
	j.rules = o.takeJobRules("POST jobs/ingest", j.obj)
	o.startLater(j)
	return nil
}

func (o *Org) abortJob(j *job) error {
	switch {
	case j.state == stateAborted: // the text is a guess
		return refuse(400, "INVALIDJOBSTATE", "Aborting already Aborted Job not allowed")
	case j.state.final():
		return refuse(400, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed")
	}
	return o.end(j, stateAborted, "")
}

// end takes a job to a final state. Callers hold the lock.
func (o *Org) end(j *job, s state, message string) error {
	now := o.now()
	err := o.log(eventEnded, event{Job: j.number, Time: now, State: s.String(), Message: message, Active: j.active})
	if err != nil {
		return err
	}
	if j.underWay() {
		o.audit.jobs.out()
	}
	j.state, j.message, j.stamp = s, message, now
	j.failureAt = nil
	o.cfg.Logger.Debug("local org: job ended", "job", j.id.String(), "state", s.String(), "processed", j.processed, "failed", j.failed, "message", message)
	return nil
}
