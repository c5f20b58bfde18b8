package localorg

import (
	"encoding/json"
	"strings"
	"time"
)

// state is where an ingest job stands; doc.go has the picture.
type state uint8

const (
	stateOpen state = iota
	stateUploadComplete
	stateInProgress
	stateJobComplete
	stateFailed
	stateAborted
)

var stateNames = [...]string{"Open", "UploadComplete", "InProgress", "JobComplete", "Failed", "Aborted"}

func (s state) String() string { return stateNames[s] }

func (s state) final() bool { return s >= stateJobComplete }

func parseState(name string) state {
	for i, n := range stateNames {
		if n == name {
			return state(i)
		}
	}
	return stateOpen
}

// jobSpec is what a client asks for with a new job, and what the journal keeps of it.
type jobSpec struct {
	Object           string `json:"object"`
	Operation        string `json:"operation"`
	ExternalID       string `json:"externalIdFieldName"`
	ContentType      string `json:"contentType"`
	ColumnDelimiter  string `json:"columnDelimiter"`
	LineEnding       string `json:"lineEnding"`
	AssignmentRuleID string `json:"assignmentRuleId"`
}

var delimiters = map[string]byte{"COMMA": ',', "BACKQUOTE": '`', "CARET": '^', "PIPE": '|', "SEMICOLON": ';', "TAB": '\t'}

// job is one ingest job. The org's lock guards it.
type job struct {
	number  uint32
	id      id15
	spec    jobSpec
	obj     *object
	key     *field // of an upsert
	version string // such as "66.0"
	user    []byte
	created time.Time
	stamp   time.Time // last change

	state     state
	uploading bool // an upload is on its way
	uploaded  bool
	size      int64  // bytes of the upload
	message   string // why it failed
	sunk      *sunk  // instead of an upload that was kept

	layout    *layout
	plan      *plan
	firstNew  uint32 // ordinal from which on records were made after the job had started
	done      []bool // by chunk
	outcomes  []outcome
	failures  []failure
	failureAt map[failure]outcome // where a failure stands, for those that come often
	processed int
	failed    int
	left      int // internal batches that are not finished
	active    time.Duration
	retries   int
	putBacks  map[int]int // how many times the rest of a batch went back into the queue
	fault     *jobError   // why no more batches begin
	rules     []*Fault
	freed     bool // FaultStuckJob is over

	polled time.Time // when it was last asked for while it ran
}

func (j *job) dialect(cfg *Config) dialect {
	return dialect{
		delim: delimiters[j.spec.ColumnDelimiter], crlf: j.spec.LineEnding == "CRLF",
		strictBlank: cfg.BlankByQuoteFailsJob, strictWidth: cfg.WrongColumnsFailJob,
	}
}

// outcome says what became of a row that was processed: the ordinal of its record and whether it was made, or the
// place of its failure in the job's list.
type outcome uint32

const (
	outcomeFailed  outcome = 1 << 31
	outcomeCreated outcome = 1 << 30
)

// failure is what the failed results say about a row.
type failure struct {
	id   string // sf__Id, "" when no record is meant
	text string // sf__Error
}

// fail enters a failure. The commonest texts are kept once.
func (j *job) fail(f failure) outcome {
	if at, ok := j.failureAt[f]; ok {
		return at
	}
	at := outcomeFailed | outcome(len(j.failures))
	j.failures = append(j.failures, f)
	if len(j.failureAt) < 1000 {
		if j.failureAt == nil {
			j.failureAt = map[failure]outcome{}
		}
		j.failureAt[f] = at
	}
	return at
}

// begin makes room for the outcomes of a job whose rows are known.
func (j *job) begin(rows int) {
	chunks := (rows + chunkRows - 1) / chunkRows
	if len(j.done) != chunks {
		j.done = make([]bool, chunks)
		j.outcomes = make([]outcome, rows)
	}
}

// jobInfo is the JSON form of a job. Answers differ in how much of it they show.
type jobInfo struct {
	ID               string          `json:"id"`
	Operation        string          `json:"operation"`
	Object           string          `json:"object"`
	CreatedByID      string          `json:"createdById"`
	CreatedDate      string          `json:"createdDate"`
	SystemModstamp   string          `json:"systemModstamp"`
	State            string          `json:"state"`
	ExternalID       string          `json:"externalIdFieldName,omitempty"`
	ConcurrencyMode  string          `json:"concurrencyMode"`
	ContentType      string          `json:"contentType"`
	APIVersion       json.RawMessage `json:"apiVersion"` // a number with one decimal
	AssignmentRuleID string          `json:"assignmentRuleId,omitempty"`
	JobType          string          `json:"jobType,omitempty"`
	ContentURL       string          `json:"contentUrl,omitempty"`
	LineEnding       string          `json:"lineEnding,omitempty"`
	ColumnDelimiter  string          `json:"columnDelimiter,omitempty"`
	*jobCounters
}

type jobCounters struct {
	Processed   int64  `json:"numberRecordsProcessed"`
	Failed      int64  `json:"numberRecordsFailed"`
	Retries     int64  `json:"retries"`
	TotalTime   int64  `json:"totalProcessingTime"`     // milliseconds; 0 until the end
	ActiveTime  int64  `json:"apiActiveProcessingTime"` // milliseconds
	ApexTime    int64  `json:"apexProcessingTime"`
	ErrorReason string `json:"errorMessage,omitempty"`
}

const jsonTime = "2006-01-02T15:04:05.000-0700"

// brief is what the answer to a PATCH shows.
func (j *job) brief() jobInfo {
	return jobInfo{
		ID: j.id.String(), Operation: j.spec.Operation, Object: j.obj.Name, CreatedByID: string(j.user),
		CreatedDate: j.created.UTC().Format(jsonTime), SystemModstamp: j.stamp.UTC().Format(jsonTime),
		State: j.state.String(), ExternalID: j.spec.ExternalID, ConcurrencyMode: "Parallel", ContentType: "CSV",
		APIVersion: json.RawMessage(j.version), AssignmentRuleID: j.spec.AssignmentRuleID,
	}
}

// fresh is what the answer to a create shows.
func (j *job) fresh() jobInfo {
	info := j.brief()
	info.LineEnding, info.ColumnDelimiter = j.spec.LineEnding, j.spec.ColumnDelimiter
	if j.state == stateOpen { // without a leading slash, as the org sends it
		info.ContentURL = "services/data/v" + j.version + "/jobs/ingest/" + j.id.String() + "/batches"
	}
	return info
}

// listed is what a list of jobs shows.
func (j *job) listed() jobInfo {
	info := j.fresh()
	info.JobType = "V2Ingest"
	return info
}

// full is the answer to a GET.
func (j *job) full() jobInfo {
	info := j.listed()
	active := j.active.Milliseconds()
	info.jobCounters = &jobCounters{Processed: int64(j.processed), Failed: int64(j.failed), Retries: int64(j.retries), ActiveTime: active}
	if j.state.final() {
		info.TotalTime = active
	}
	if j.state == stateFailed {
		info.ErrorReason = j.message
	}
	return info
}

// resultsKept is how long a job and its results stay after its end.
const resultsKept = 7 * 24 * time.Hour

// expired is true when a job ended so long ago that it is gone.
func (o *Org) expired(s state, ended time.Time) bool {
	return s.final() && o.now().Sub(ended) >= resultsKept
}

// openFor is how long an open job can be used.
const openFor = 24 * time.Hour

// abandoned is true when a job was left open for so long that it can no longer be used.
func (o *Org) abandoned(j *job) bool {
	return j.state == stateOpen && o.now().Sub(j.created) >= openFor
}

// gone is true when a job is no longer there. One that was abandoned counts as ended at that time (guess).
func (o *Org) gone(j *job) bool {
	return o.expired(j.state, j.stamp) || j.state == stateOpen && o.now().Sub(j.created) >= openFor+resultsKept
}

// objectsOutsideBulk are known not to work with the Bulk API.
var objectsOutsideBulk = map[string]bool{}

func init() {
	for name := range strings.FieldsSeq(`AcceptedEventRelation AssetTokenEvent AttachedContentNote Attachment CaseStatus
		ContractStatus DeclinedEventRelation EventWhoRelation FieldSecurityClassification OrderStatus PartnerRole
		QuoteTemplateRichTextData RecentlyViewed ServiceAppointmentStatus SolutionStatus TaskPriority TaskStatus
		TaskWhoRelation UndecidedEventRelation`) {
		objectsOutsideBulk[strings.ToLower(name)] = true
	}
}
