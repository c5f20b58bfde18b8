package localorg

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// task is a piece of work for a slot: a job's upload to be cut into batches, or one internal batch.
type task struct {
	job   *job
	batch int // wholeUpload, or the number of the batch
}

const wholeUpload = -1

// startLater puts a closed job into the queue once it has waited its time. Callers hold the lock.
func (o *Org) startLater(j *job) {
	if o.cfg.StartDelay == 0 {
		o.enqueue(task{j, wholeUpload})
		return
	}
	o.wg.Go(func() {
		if o.sleep(o.cfg.StartDelay) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.enqueue(task{j, wholeUpload})
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

// enqueue adds work and starts a slot for it when one is free. Callers hold the lock.
func (o *Org) enqueue(tasks ...task) {
	if o.closed {
		return
	}
	o.queue = append(o.queue, tasks...)
	for o.running < o.cfg.Slots && o.running < len(o.queue) {
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
		if t.job.state != stateUploadComplete && t.job.state != stateInProgress {
			continue // aborted or failed meanwhile
		}
		o.mu.Unlock()
		err := o.carryOut(t)
		o.mu.Lock()
		o.settle(t, err)
	}
	o.running--
}

func (o *Org) carryOut(t task) error {
	if t.batch == wholeUpload {
		return o.start(t.job)
	}
	return o.process(t.job, t.batch)
}

// settle notes the end of a task. Callers hold the lock.
func (o *Org) settle(t task, err error) {
	j := t.job
	var fault *jobError
	switch {
	case o.closed || j.state != stateUploadComplete && j.state != stateInProgress:
		return
	case errors.As(err, &fault):
		err = o.end(j, stateFailed, fault.text)
	case err != nil:
		o.cfg.Logger.Error("local org: job failed", "job", j.id.String(), "error", err)
		err = o.end(j, stateFailed, "InternalServerError : "+err.Error())
	case t.batch != wholeUpload:
		if j.left--; j.left == 0 {
			err = o.end(j, stateJobComplete, "")
		}
	}
	if err != nil {
		o.cfg.Logger.Error("local org: end of a job not kept", "job", j.id.String(), "error", err)
	}
}

// start reads a job's upload from end to end, reads its header, and queues its batches.
func (o *Org) start(j *job) error {
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
			return &jobError{"ExceededQuota : ApiBatchItems Limit exceeded"}
		}
		o.batches.add(now, 1) // the job's own, empty batch
		j.firstNew = uint32(len(o.table(j.obj).places))
		if err := o.log(eventStarted, event{Job: j.number, Time: now, Rows: l.rows, FirstNew: j.firstNew}); err != nil {
			return err
		}
		j.state, j.stamp = stateInProgress, now
	}
	var tasks []task
	for b := range l.batchCount() {
		if !j.batchDone(b) {
			tasks = append(tasks, task{j, b})
		}
	}
	if j.left = len(tasks); j.left == 0 {
		return o.end(j, stateJobComplete, "")
	}
	o.enqueue(tasks...)
	return nil
}

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

// process runs one internal batch, chunk by chunk.
func (o *Org) process(j *job, batch int) error {
	from, to, err := o.admit(j, batch)
	if err != nil || from == to {
		return err
	}
	f, err := os.Open(o.uploadPath(j))
	if err != nil {
		return fmt.Errorf("open upload: %w", err)
	}
	defer f.Close()
	d := drafter{cfg: &o.cfg, plan: j.plan, op: j.spec.Operation, delim: delimiters[j.spec.ColumnDelimiter], utf8: j.layout.utf8, keys: map[string]int{}}
	var data []byte
	for chunk := from; chunk < to; chunk++ {
		if !o.wanted(j, chunk) {
			continue
		}
		began := time.Now()
		if data, err = j.readChunk(f, chunk, data); err != nil {
			return err
		}
		rows := j.layout.rowsOf(chunk)
		if err := d.read(data, rows); err != nil {
			return err
		}
		if !o.sleep(o.cfg.BatchTime * time.Duration(rows) / batchRows) {
			return nil
		}
		o.mu.Lock()
		if j.state == stateInProgress && !o.closed {
			err = o.commit(j, chunk, &d, time.Since(began))
		}
		o.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// admit takes a batch out of the daily allowance. A batch that a killed process had begun is already paid for.
func (o *Org) admit(j *job, batch int) (from, to int, err error) {
	now := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if j.state != stateInProgress {
		return 0, 0, nil
	}
	from, to = j.chunksOf(batch)
	begun := false
	rows := 0
	for c := from; c < to; c++ {
		begun = begun || j.done[c]
		rows += j.layout.rowsOf(c)
	}
	if begun {
		return from, to, nil
	}
	if o.batches.sum(now) >= o.cfg.DailyBatches {
		return 0, 0, &jobError{"ExceededQuota : ApiBatchItems Limit exceeded"}
	}
	if o.records.sum(now)+int64(rows) > o.cfg.DailyRecords { // the text is a guess
		return 0, 0, &jobError{"ExceededQuota : ApiBatchItems Limit exceeded for records"}
	}
	o.batches.add(now, 1)
	return from, to, nil
}

// wanted is true while a chunk is still to be done.
func (o *Org) wanted(j *job, chunk int) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return j.state == stateInProgress && !j.done[chunk] && !o.closed
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
