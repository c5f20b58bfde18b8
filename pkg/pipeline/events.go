package pipeline

import (
	"fmt"
	"time"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
)

// Events tells an observer what happens. A nil func is skipped. They are called from the goroutines that do the work, some
// at the same time, and must not block.
type Events struct {
	// JobStarted is called once for each job of the run, before its first row is read.
	JobStarted func(job string)
	// JobDone is called when a job's last chunk is settled.
	JobDone func(job string, l checkpoint.Ledger)
	// Progress is called whenever a number in it has changed.
	Progress func(Progress)
	// Step is called when the program is about to take, or has just taken, a step that a crash could fall before or behind.
	Step func(Step)
	// Bulk is called when an ingest job reaches a state, as recorded here or as seen in the org.
	Bulk func(job string, chunk int64, b bulk2.Job)
	// Warning is called for what the user should know although the run goes on.
	// job is "" where it is about the run as a whole.
	Warning func(job, message string)
}

// Step names a point in the life of a chunk. "write" steps stand right before something becomes durable, "call" steps right
// before a call to the org, "done" steps right behind either.
type Step string

// The steps, in the order in which a chunk meets them.
const (
	StepWriteRun      Step = "write run" // that the run goes on, and how it ended
	StepWriteClaims   Step = "write claims"
	StepWriteCut      Step = "write cut"
	StepDoneCut       Step = "done cut"
	StepCallCreate    Step = "call create"
	StepWriteCreated  Step = "write created"
	StepCallUpload    Step = "call upload"
	StepWriteUploaded Step = "write uploaded"
	StepWriteClosing  Step = "write closing"
	StepCallClose     Step = "call close"
	StepWriteClosed   Step = "write closed"
	StepCallResults   Step = "call results"
	StepWriteIDs      Step = "write ids"
	StepWriteReports  Step = "write reports"
	StepWriteSettled  Step = "write settled"
	StepDoneSettled   Step = "done settled"
	StepRest          Step = "rest" // before rows that have failed are sent again
	StepWriteSplit    Step = "write split read"
	StepWriteJobDone  Step = "write job done"
	StepCallState     Step = "call state" // of a job whose last call may have come or not
	StepCallAbort     Step = "call abort"
	StepWriteReplaced Step = "write replaced"
)

// The steps of an export.
const (
	StepCallQuery   Step = "call query"
	StepWriteQuery  Step = "write query"
	StepCallPage    Step = "call page"
	StepWritePage   Step = "write page"
	StepWriteHalves Step = "write halves"
	StepCallPublish Step = "call publish"
)

// Steps lists all of them.
var Steps = []Step{StepWriteRun, StepWriteClaims, StepWriteCut, StepDoneCut, StepCallCreate, StepWriteCreated, StepCallUpload,
	StepWriteUploaded, StepWriteClosing, StepCallClose, StepWriteClosed, StepCallResults, StepWriteIDs, StepWriteReports, StepWriteSettled,
	StepDoneSettled, StepRest, StepWriteSplit, StepWriteJobDone, StepCallState, StepCallAbort, StepWriteReplaced}

// Progress is where a job stands.
type Progress struct {
	Job        string
	Ledger     checkpoint.Ledger // of what is recorded, earlier processes included
	Encoding   int64             // rows of chunks that are still being cut
	Bytes      int64             // of the source, cut so far
	TotalBytes int64             // of the source; 0 = unknown
	Uploading  int               // ingest jobs being created or uploaded
	Queued     int               // ingest jobs that the org has not begun
	Processing int               // ingest jobs that the org works on
	Settling   int               // ingest jobs whose results are being fetched
	Export     bool              // the job is one: Ledger.Read are rows that have come
	Found      int64             // by the query jobs of an export that have ended
	Asked      int64             // of the org by the target of an export, such as the contents of files
	Eased      int               // ingest jobs in flight at most, while that is less than Concurrency; else 0
	InOrg      int64             // rows that jobs in flight say they have processed
	Since      time.Time         // when this process began with the job
}

func (e Events) step(s Step) {
	if e.Step != nil {
		e.Step(s)
	}
}

// eased tells that fewer ingest jobs are kept in flight.
func (e Events) eased(limit int, why string) {
	e.warn("", fmt.Sprintf("%s: going on with %d in flight, and with more again as long as that does not happen", why, limit))
}

func (e Events) warn(job, message string) {
	if e.Warning != nil {
		e.Warning(job, message)
	}
}
