package pipeline

import (
	"context"
	"fmt"
	"time"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/salesforce"
)

// load is the loader: it sees one chunk through, ingest job by ingest job, until none of its rows is open. Where it begins
// is told by the state of the chunk's present job, fresh or from an earlier process:
//
//	recorded            the org says             then
//	cut                 –                        create a job, upload, close; rows that have failed rest before it
//	created             Open                     abort it, see it aborted, make another from the same rows
//	uploaded, closing   Open                     the data arrived whole and was not closed: close it; if that is refused, abort it
//	created, uploaded   Aborted                  it was never closed: make another from the same rows
//	any of these        anything else            it was closed: go on as with closed
//	created, uploaded   not found                it was never closed: make another
//	closing, closed     not found                its rows may be in the org or not: they are unaccounted, nothing is guessed
//	closed              –                        wait for the end, settle
//
// When the org has refused a whole job meanwhile, or Spent says that no more may be begun, what is in the org is seen through, and what is
// not stays cut for a later resume.
func (j *jobRun) load(ctx context.Context, c *chunk) error {
	defer func() { c.body.remove() }()
	for c.bulk.ID != 0 {
		var err error
		switch c.bulk.State {
		case checkpoint.BulkCut:
			if j.refused.Load() || j.spent() {
				return nil
			}
			if c.rest > 0 {
				err = j.rest(ctx, c)
			} else {
				err = j.submit(ctx, c)
			}
		case checkpoint.BulkCreated, checkpoint.BulkUploaded, checkpoint.BulkClosing:
			err = j.ask(ctx, c)
		case checkpoint.BulkClosed:
			err = j.finish(ctx, c)
		default:
			err = fmt.Errorf("chunk %d has a job in state %q", c.ID, c.bulk.State)
		}
		if err != nil {
			j.track.land(c.bulk)
			return err
		}
	}
	return nil
}

// spent asks whether the budget is used up, and stops the run if it is.
func (r *run) spent() bool {
	if r.Spent == nil {
		return false
	}
	err := r.Spent()
	if err != nil {
		r.stop(err)
	}
	return err != nil
}

// submit brings the rows into a new job and closes it. When the outcome of a step is unknown the state stays as recorded,
// and ask finds out.
func (j *jobRun) submit(ctx context.Context, c *chunk) error {
	if c.jobs == maxJobs {
		return fmt.Errorf("chunk %d did not get into the org with %d jobs: %w", c.ID, c.jobs, salesforce.ErrTemporary)
	}
	if err := sleep(ctx, min(time.Duration(c.jobs)*j.waiter.every, maxPoll)); err != nil { // the first goes at once
		return err
	}
	c.jobs++
	c.closeRefused = false
	if err := j.uploads.Acquire(ctx, 1); err != nil {
		return err
	}
	defer j.uploads.Release(1)
	c.began = j.flights.begin()
	j.track.fly(c.bulk, flight{})
	body, err := j.bodyOf(ctx, c)
	if err != nil {
		return err
	}
	j.Events.step(StepCallCreate)
	job, err := j.Org.Create(ctx, bulk2.Spec{Object: j.Object, Operation: j.Operation, ExternalID: j.ExternalID})
	if err != nil {
		return err
	}
	c.bulk.SalesforceID = job.ID
	j.track.created()
	if err := j.advance(ctx, c, StepWriteCreated, checkpoint.BulkCreated, job); err != nil {
		return err
	}
	j.Events.step(StepCallUpload)
	err = j.Org.Upload(ctx, job.ID, body.open, body.size)
	if bulk2.IsUnclear(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := j.advance(ctx, c, StepWriteUploaded, checkpoint.BulkUploaded, job); err != nil {
		return err
	}
	return j.close(ctx, c)
}

// The bounds of what one process tries with one chunk; they are far above what faults that pass can cause.
const (
	maxJobs  = 20 // ingest jobs in a row that the org does not carry through
	maxAsked = 20 // questions in a row that leave the state as it was
)

// close closes a job whose data is complete.
func (j *jobRun) close(ctx context.Context, c *chunk) error {
	if err := j.advance(ctx, c, StepWriteClosing, checkpoint.BulkClosing, bulk2.Job{ID: c.bulk.SalesforceID, State: bulk2.StateOpen}); err != nil {
		return err
	}
	j.Events.step(StepCallClose)
	job, err := j.Org.Close(ctx, c.bulk.SalesforceID)
	if bulk2.IsRefused(err) {
		c.closeRefused = true // why, the job's state tells
		return nil
	}
	if bulk2.IsUnclear(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return j.closed(ctx, c, job)
}

// closed records that the org has the rows; the upload is not needed any more.
func (j *jobRun) closed(ctx context.Context, c *chunk, job bulk2.Job) error {
	if err := j.advance(ctx, c, StepWriteClosed, checkpoint.BulkClosed, job); err != nil {
		return err
	}
	c.body.remove()
	c.body, c.asked = nil, 0
	return nil
}

// ask lets the org decide what became of a job that may have been uploaded or closed.
func (j *jobRun) ask(ctx context.Context, c *chunk) error {
	if c.asked++; c.asked > maxAsked {
		return fmt.Errorf("job %s stays %s whatever is asked of it: %w", c.bulk.SalesforceID, c.bulk.State, salesforce.ErrTemporary)
	}
	if err := sleep(ctx, time.Duration(c.asked-1)*j.waiter.every/4); err != nil {
		return err
	}
	j.track.fly(c.bulk, flight{})
	closing := c.bulk.State == checkpoint.BulkClosing
	j.Events.step(StepCallState)
	job, err := j.Org.Job(ctx, c.bulk.SalesforceID)
	switch {
	case bulk2.IsGone(err) && closing:
		return j.settle(ctx, c, bulk2.Job{ID: c.bulk.SalesforceID, State: stateGone})
	case bulk2.IsGone(err):
		return j.replace(ctx, c, "the org does not know it any more, and it was never closed")
	case err != nil:
		return err
	}
	c.looked = time.Now()
	whole := c.bulk.State != checkpoint.BulkCreated // all of its data is there
	switch {
	case job.State == bulk2.StateOpen && whole && !c.closeRefused:
		return j.close(ctx, c)
	case job.State == bulk2.StateOpen:
		j.Events.step(StepCallAbort)
		if _, err := j.Org.Abort(ctx, job.ID); err != nil && !bulk2.IsUnclear(err) && !bulk2.IsRefused(err) && !bulk2.IsGone(err) {
			return err
		}
		return nil // ask again: only a job that is seen aborted is done with
	case job.State == bulk2.StateAborted && !closing:
		return j.replace(ctx, c, "aborted before it was closed")
	}
	return j.closed(ctx, c, job)
}

// replace gives the rows of a job that was surely never processed to a new one.
func (j *jobRun) replace(ctx context.Context, c *chunk, why string) error {
	j.Events.step(StepWriteReplaced)
	next, err := j.Checkpoint.Replace(ctx, c.bulk, why)
	if err != nil {
		return err
	}
	j.track.land(c.bulk)
	c.bulk, c.asked = next, 0
	return nil
}

// finish waits for the end of a closed job and settles it.
func (j *jobRun) finish(ctx context.Context, c *chunk) error {
	job, err := j.waiter.wait(ctx, c.bulk.SalesforceID, c.bulk.Rows, c.looked, func(job bulk2.Job) {
		j.track.fly(c.bulk, flight{state: job.State, processed: job.Processed})
		j.tell(c, job)
	})
	if bulk2.IsGone(err) {
		return j.settle(ctx, c, bulk2.Job{ID: c.bulk.SalesforceID, State: stateGone})
	}
	if err != nil {
		return err
	}
	j.track.fly(c.bulk, flight{settling: true})
	return j.settle(ctx, c, job)
}

// advance records that the job has reached a state.
func (j *jobRun) advance(ctx context.Context, c *chunk, step Step, state checkpoint.BulkState, job bulk2.Job) error {
	j.Events.step(step)
	if err := j.Checkpoint.Advance(ctx, c.bulk, state); err != nil {
		return err
	}
	c.bulk.State = state
	j.tell(c, job)
	return nil
}

func (j *jobRun) tell(c *chunk, job bulk2.Job) {
	if j.Events.Bulk != nil {
		j.Events.Bulk(j.Name, c.ID, job)
	}
}

// stateGone stands for the state of a job that the org knows no longer, although it may have saved its rows.
const stateGone bulk2.State = "gone"
