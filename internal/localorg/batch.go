package localorg

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const batchChunks = batchRows / chunkRows

// chunksOf gives the first chunk of a batch and the one after its last.
func (j *job) chunksOf(batch int) (from, to int) {
	return batch * batchChunks, min((batch+1)*batchChunks, len(j.done))
}

func (j *job) batchDone(batch int) bool {
	from, to := j.chunksOf(batch)
	for _, done := range j.done[from:to] {
		if !done {
			return false
		}
	}
	return true
}

// batchRun is one attempt at an internal batch, or at what is left of it.
type batchRun struct {
	job      *job
	batch    int
	from, to int  // chunks
	short    bool // the daily allowance of records does not reach to the batch's end
	reserved int  // rows of the allowance that are still to be used
	locked   int  // rows that failed for want of a lock
}

const exceededQuota = "ExceededQuota : "

var (
	errBatches = &jobError{exceededQuota + "ApiBatchItems Limit exceeded"}
	errRecords = &jobError{exceededQuota + "ApiBatchItems Limit exceeded for records"} // the text is a guess

	errHeldUp  = errors.New("the job is held up")
	errPutBack = errors.New("the rest of the batch goes back into the queue")
)

// runBatch takes a batch out of the daily allowance, processes it, and settles it or puts it back. Callers hold the
// lock, which is given up while the batch runs.
func (o *Org) runBatch(t task) {
	run, err := o.admit(&t)
	if err == nil {
		o.audit.batches.in()
		o.mu.Unlock()
		err = o.process(run)
		o.mu.Lock()
		o.audit.batches.out()
		o.reserved -= run.reserved
		if err == nil && run.short {
			err = errRecords
		}
	}
	switch {
	case err == errHeldUp:
		o.holdUp(t)
	case err == errPutBack:
		o.enqueue(t)
	default:
		o.settle(t.job, err)
	}
}

// admit takes a batch out of the daily allowance. One that a killed process had begun is already paid for, and so is the
// rest of one that was put back. Where the allowance of records does not reach, the chunks that fit are run
// (guess; documents say only that the rest stays unprocessed). Callers hold the lock.
func (o *Org) admit(t *task) (*batchRun, error) {
	j, now := t.job, o.now()
	r := &batchRun{job: j, batch: t.batch}
	var end int
	r.from, end = j.chunksOf(t.batch)
	if !t.paid && !anyTrue(j.done[r.from:end]) {
		if o.batches.sum(now) >= o.cfg.DailyBatches {
			return nil, errBatches
		}
		o.batches.add(now, 1)
	}
	t.paid = true
	room := o.cfg.DailyRecords - o.records.sum(now) - int64(o.reserved)
	for r.to = r.from; r.to < end; r.to++ {
		if j.done[r.to] {
			continue
		}
		rows := j.layout.rowsOf(r.to)
		if int64(r.reserved+rows) > room {
			r.short = true
			break
		}
		r.reserved += rows
	}
	if r.short && r.reserved == 0 {
		return nil, errRecords
	}
	o.reserved += r.reserved
	return r, nil
}

// process runs what was admitted of a batch, chunk by chunk.
func (o *Org) process(r *batchRun) error {
	j := r.job
	f, err := os.Open(o.uploadPath(j))
	if err != nil {
		return fmt.Errorf("open upload: %w", err)
	}
	defer f.Close()
	d := drafter{cfg: &o.cfg, plan: j.plan, op: j.spec.Operation, delim: delimiters[j.spec.ColumnDelimiter], utf8: j.layout.utf8, keys: map[string]int{}}
	var data []byte
	for chunk := r.from; chunk < r.to; chunk++ {
		if wanted, err := o.wanted(j, chunk); err != nil {
			return err
		} else if !wanted {
			continue
		}
		began := time.Now()
		if data, err = j.readChunk(f, chunk, data); err != nil {
			return err
		}
		if err := d.read(data, j.layout.rowsOf(chunk)); err != nil {
			return err
		}
		if err := o.processChunk(r, chunk, &d, began); err != nil {
			return err
		}
	}
	return nil
}

// processChunk saves a chunk that was read, in the time that it takes and with the locks that it needs.
func (o *Org) processChunk(r *batchRun, chunk int, d *drafter, began time.Time) error {
	service := o.cfg.BatchTime * time.Duration(len(d.drafts)) / batchRows
	if service == 0 {
		_, err := o.commitChunk(r, chunk, d, began)
		return err
	}
	locks := o.lock(r, d)
	if locks == nil || !o.sleep(service) {
		return nil
	}
	failed, err := o.commitChunk(r, chunk, d, began)
	if o.cfg.SlowRetries && failed > 0 {
		o.sleep(service)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.locks.release(locks, time.Now())
	if err == nil && r.locked > o.cfg.LockFailures && r.job.state == stateInProgress && !o.closed && !r.job.batchDone(r.batch) {
		return o.putBack(r)
	}
	return err
}

// commitChunk saves a chunk and says how many of its rows failed.
func (o *Org) commitChunk(r *batchRun, chunk int, d *drafter, began time.Time) (failed int, err error) {
	j := r.job
	o.mu.Lock()
	defer o.mu.Unlock()
	if j.state != stateInProgress || o.closed {
		return 0, nil
	}
	if err := o.interrupt(j); err != nil {
		return 0, err
	}
	o.failRows(j, chunk, d)
	before := j.failed
	if err := o.commit(j, chunk, d, time.Since(began)); err != nil {
		return 0, err
	}
	o.reserved -= len(d.drafts)
	r.reserved -= len(d.drafts)
	return j.failed - before, nil
}

// wanted is true while a chunk is still to be done; the error says what keeps the whole job from going on.
func (o *Org) wanted(j *job, chunk int) (bool, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if j.state != stateInProgress || j.done[chunk] || o.closed {
		return false, nil
	}
	return true, o.interrupt(j)
}

// readChunk reads the bytes of a chunk into buf, which it may replace.
func (j *job) readChunk(f io.ReaderAt, chunk int, buf []byte) ([]byte, error) {
	from, to := j.layout.chunks[chunk], j.layout.chunks[chunk+1]
	n := int(to - from)
	if cap(buf) < n {
		buf = make([]byte, n+n/4)
	}
	buf = buf[:n]
	if _, err := f.ReadAt(buf, from); err != nil {
		return nil, fmt.Errorf("read upload: %w", err)
	}
	return buf, nil
}
