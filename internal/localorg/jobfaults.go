package localorg

import (
	"strings"
	"time"
)

// The kinds of faults that are about jobs. A rule is given to a job when it is closed, or made where it is a query job, and
// is with it until the rule is cleared or the process ends.
const (
	FaultFailJob    = "fail job"    // the job is Failed with Text after Rows rows; a query job before it has any
	FaultStuckJob   = "stuck job"   // the job stays InProgress after Rows rows, for Delay; a query job before it has any
	FaultStuckQueue = "stuck queue" // the job stays UploadComplete, for Delay
	FaultLockRows   = "lock rows"   // every n-th row of an ingest job fails with UNABLE_TO_LOCK_ROW
	FaultDropResult = "drop result" // every n-th row of an ingest job is missing from the successful and failed results
	FaultLoseJob    = "lose job"    // calls on the job are answered as if there were none; it goes on
)

var jobFaults = map[string]bool{FaultFailJob: true, FaultStuckJob: true, FaultStuckQueue: true, FaultLockRows: true, FaultDropResult: true, FaultLoseJob: true}

// takeJobRules gives a job the rules that fit it, one of each kind. Callers hold the lock.
func (o *Org) takeJobRules(endpoint string, obj *object) []*Fault {
	var list []*Fault
	for _, f := range o.faults {
		switch {
		case f.Times == 0 || !jobFaults[f.Kind] || !fits(f.Endpoint, endpoint):
		case f.Object != "" && !strings.EqualFold(f.Object, obj.Name):
		case activeRule(list, f.Kind) != nil:
		case f.Skip > 0:
			f.Skip--
		default:
			if f.Times > 0 {
				f.Times--
			}
			list = append(list, f)
		}
	}
	return list
}

// activeRule gives the rule of a kind that is not cleared, nil when there is none.
func activeRule(rules []*Fault, kind string) *Fault {
	for _, f := range rules {
		if f.Kind == kind && !f.cleared() {
			return f
		}
	}
	return nil
}

func (f *Fault) cleared() bool {
	select {
	case <-f.gone:
		return true
	default:
		return false
	}
}

// failure is what FaultFailJob fails a job with.
func (f *Fault) failure() *jobError {
	if f.Text == "" {
		return &jobError{"Unknown : An unexpected error occurred"}
	}
	return &jobError{f.Text}
}

// waitFor waits while a rule has a job stuck; false means that the org is closing.
func (o *Org) waitFor(f *Fault) bool {
	var over <-chan time.Time
	if f.Delay > 0 {
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-over:
		return true
	case <-f.gone:
		return true
	case <-o.ctx.Done():
		return false
	}
}

// interrupt says whether a rule keeps an ingest job from going on. Callers hold the lock.
func (o *Org) interrupt(j *job) error {
	if len(j.rules) == 0 {
		return nil
	}
	if f := activeRule(j.rules, FaultFailJob); f != nil && j.processed >= f.Rows {
		return f.failure()
	}
	if f := activeRule(j.rules, FaultStuckJob); f != nil && j.processed >= f.Rows && !j.freed {
		return errHeldUp
	}
	return nil
}

// holdUp puts a batch back once its job may go on. Callers hold the lock.
func (o *Org) holdUp(t task) {
	f := activeRule(t.job.rules, FaultStuckJob)
	if f == nil {
		o.enqueue(t)
		return
	}
	o.wg.Go(func() {
		if o.waitFor(f) {
			o.mu.Lock()
			defer o.mu.Unlock()
			t.job.freed = true
			o.enqueue(t)
		}
	})
}

// failRows lets the rows of a chunk fail that a rule strikes. Callers hold the lock.
func (o *Org) failRows(j *job, chunk int, d *drafter) {
	f := activeRule(j.rules, FaultLockRows)
	if f == nil {
		return
	}
	for i := range d.drafts {
		if row := &d.drafts[i]; row.fault == nil && (chunk*chunkRows+i+1)%f.Every == 0 {
			row.fault = errLocked(nil)
		}
	}
}
