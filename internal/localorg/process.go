package localorg

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// task is a piece of work for a slot: a job's upload to be cut into batches, or one internal batch.
type task struct {
	job   *job
	batch int  // wholeUpload, or the number of the batch
	paid  bool // the daily allowance of batches knows of it
}

const wholeUpload = -1

// startLater puts a closed job into the queue once it has waited its time. Callers hold the lock.
func (o *Org) startLater(j *job) {
	o.audit.jobs.in()
	whole := task{job: j, batch: wholeUpload}
	rule := activeRule(j.rules, FaultStuckQueue)
	if o.cfg.StartDelay == 0 && rule == nil {
		o.enqueue(whole)
		return
	}
	o.wg.Go(func() {
		if o.sleep(o.cfg.StartDelay) && (rule == nil || o.waitFor(rule)) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.enqueue(whole)
		}
	})
}

// sleep waits; false means that the org is closing.
func (o *Org) sleep(d time.Duration) bool {
	if d <= 0 {
		return o.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-o.ctx.Done():
		return false
	}
}

// enqueue adds work and starts slots for it where some are free. Callers hold the lock.
func (o *Org) enqueue(tasks ...task) {
	if o.closed {
		return
	}
	o.queue = append(o.queue, tasks...)
	for range min(o.cfg.Slots-o.running, len(o.queue)) { // one too many finds nothing to do
		o.running++
		o.wg.Go(o.work)
	}
}

// work is one slot: it takes tasks until there are none.
func (o *Org) work() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.queue) > 0 && !o.closed {
		t := o.queue[0]
		o.queue = o.queue[1:]
		switch {
		case !t.job.underWay(): // aborted or failed meanwhile
		case t.batch == wholeUpload:
			o.mu.Unlock()
			err := o.start(t.job)
			o.mu.Lock()
			o.started(t.job, err)
		case t.job.fault != nil: // its other batches end, and no more begin
			o.settle(t.job, nil)
		default:
			o.runBatch(t)
		}
	}
	o.running--
}

// underWay is true between the closing of a job and its end.
func (j *job) underWay() bool { return j.state == stateUploadComplete || j.state == stateInProgress }

// started notes that the batches of a job are queued, or why not. Callers hold the lock.
func (o *Org) started(j *job, err error) {
	if err == nil || o.closed || !j.underWay() {
		return
	}
	j.fault = o.asJobError(j, err)
	o.finish(j)
}

// settle notes the end of a batch; the job ends with its last one. Callers hold the lock.
func (o *Org) settle(j *job, err error) {
	if o.closed || !j.underWay() {
		return
	}
	if err != nil && j.fault == nil {
		j.fault = o.asJobError(j, err)
	}
	if j.left--; j.left == 0 {
		o.finish(j)
	}
}

// asJobError gives an error as the job tells it.
func (o *Org) asJobError(j *job, err error) *jobError {
	var fault *jobError
	if !errors.As(err, &fault) {
		o.cfg.Logger.Error("local org: job failed", "job", j.id.String(), "error", err)
		return &jobError{"InternalServerError : " + err.Error()}
	}
	if text, ok := strings.CutPrefix(fault.text, "InvalidBatch : "); ok && o.cfg.OlderBatchTexts {
		return &jobError{"InvalidBatch : InvalidBatch : " + text + ". Batch will not be retried."}
	}
	return fault
}

// finish takes a job to its end. Callers hold the lock.
func (o *Org) finish(j *job) {
	var err error
	if j.fault != nil {
		err = o.end(j, stateFailed, j.fault.text)
	} else {
		err = o.end(j, stateJobComplete, "")
	}
	if err != nil {
		o.cfg.Logger.Error("local org: end of a job not kept", "job", j.id.String(), "error", err)
	}
}

// start reads a job's upload from end to end, reads its header, and queues its batches.
func (o *Org) start(j *job) error {
	if j.sunk != nil {
		return o.finishSunk(j)
	}
	l, err := o.layoutOf(j)
	if err != nil {
		return err
	}
	var p *plan
	if l != nil {
		if p, err = o.compile(j, l.names); err != nil {
			return err
		}
	} else {
		l = &layout{chunks: []int64{0}} // closed without data
	}
	now := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if j.state == stateAborted || o.closed {
		return nil
	}
	if !l.utf8 && j.uploaded {
		o.violation(j.id, ViolationEncoding, "the upload holds bytes that are no UTF-8")
	}
	j.layout, j.plan = l, p
	j.begin(l.rows)
	if j.state == stateUploadComplete {
		if o.batches.sum(now) >= o.cfg.DailyBatches {
			return errBatches
		}
		o.batches.add(now, 1) // the job's own, empty batch
		j.firstNew = uint32(len(o.table(j.obj).places))
		if err := o.log(eventStarted, event{Job: j.number, Time: now, Rows: l.rows, FirstNew: j.firstNew}); err != nil {
			return err
		}
		j.state, j.stamp = stateInProgress, now
	}
	if err := o.interrupt(j); err != nil && err != errHeldUp {
		return err
	}
	var tasks []task
	for b := range l.batchCount() {
		if !j.batchDone(b) {
			tasks = append(tasks, task{job: j, batch: b})
		}
	}
	if j.left = len(tasks); j.left == 0 {
		return o.end(j, stateJobComplete, "")
	}
	o.enqueue(tasks...)
	return nil
}

// layoutOf reads where the rows of an upload lie; nil when the job was closed without one.
func (o *Org) layoutOf(j *job) (*layout, error) {
	o.mu.RLock()
	uploaded, path, d := j.uploaded, o.uploadPath(j), j.dialect(&o.cfg)
	o.mu.RUnlock()
	if !uploaded {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open upload: %w", err)
	}
	defer f.Close()
	return split(f, d)
}
