package localorg

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// openDir opens or makes the org in Config.Dir.
func (o *Org) openDir() (err error) {
	o.dir = filepath.Join(o.cfg.Dir, "uploads")
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(o.cfg.Dir, "journal"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := lockFile(f); err != nil {
		return fmt.Errorf("the org is in use by another process: %w", err)
	}
	good, err := readFrames(f, o.replay)
	if err != nil {
		return err
	}
	if err := f.Truncate(good); err != nil {
		return err
	}
	if _, err := f.Seek(good, 0); err != nil {
		return err
	}
	o.journal = &journal{file: f, size: good}
	if good == 0 {
		o.build(o.cfg.Seed)
		head, err := json.Marshal(journalHeader{journalForm, o.cfg.Seed, o.schema.sum})
		if err != nil {
			return err
		}
		if err := o.journal.write(eventHeader, head); err != nil {
			return err
		}
	}
	if err := o.purge(); err != nil {
		return err
	}
	return o.sweep()
}

// sweep removes uploads that no job has: those that were under way when the process ended.
func (o *Org) sweep() error {
	entries, err := os.ReadDir(o.dir)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, j := range o.jobs {
		if !j.uploaded || j.sunk != nil {
			continue
		}
		keep[filepath.Base(o.uploadPath(j))] = true
		if info, err := os.Stat(o.uploadPath(j)); err != nil || info.Size() != j.size {
			return fmt.Errorf("the upload of job %s is not as it was; remove the folder to start with an empty org", j.id)
		}
	}
	for _, j := range o.queryJobs {
		if j.state != stateJobComplete {
			continue
		}
		keep[filepath.Base(o.resultPath(j))] = true
		if info, err := os.Stat(o.resultPath(j)); err != nil || info.Size() < j.result.size {
			return fmt.Errorf("the result of query job %s is not as it was; remove the folder to start with an empty org", j.id)
		}
	}
	for _, e := range entries {
		if !keep[e.Name()] && (strings.HasSuffix(e.Name(), ".csv") || strings.HasSuffix(e.Name(), ".part") || strings.HasSuffix(e.Name(), ".result")) {
			if err := os.Remove(filepath.Join(o.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// replay does once more what a frame tells.
func (o *Org) replay(kind byte, payload []byte) error {
	switch {
	case kind == eventHeader:
		return o.replayHeader(payload)
	case o.tables == nil:
		return errors.New("the first frame is not a header")
	case kind == eventChunk:
		return o.replayChunk(payload)
	case kind == eventWrite:
		return o.replayWrite(payload)
	case kind == eventField:
		return o.replayField(payload)
	}
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		return err
	}
	switch kind {
	case eventCreated:
		return o.replayCreated(&e)
	case eventQueryCreated, eventQueryEnded, eventQueryDeleted:
		return o.replayQuery(kind, &e)
	}
	j := o.jobs[e.Job]
	if j == nil {
		return fmt.Errorf("event for unknown job %d", e.Job)
	}
	switch kind {
	case eventUploaded:
		j.uploaded, j.size, j.sunk = true, e.Size, e.Sunk
		return nil
	case eventClosed:
		j.state = stateUploadComplete
	case eventStarted:
		o.batches.add(e.Time, 1)
		j.state, j.firstNew = stateInProgress, e.FirstNew
		j.begin(e.Rows)
	case eventPutBack:
		j.putBack(e.Batch)
		return nil
	case eventEnded:
		j.state, j.message, j.active = parseState(e.State), e.Message, e.Active
		j.failureAt = nil
		if j.sunk != nil && j.state == stateJobComplete {
			j.processed = j.sunk.Rows
		}
	case eventDeleted:
		delete(o.jobs, e.Job)
	default:
		return fmt.Errorf("unknown kind of frame %d", kind)
	}
	j.stamp = e.Time
	return nil
}

func (o *Org) replayHeader(payload []byte) error {
	var h journalHeader
	if err := json.Unmarshal(payload, &h); err != nil {
		return err
	}
	if h.Form != journalForm {
		return fmt.Errorf("journal has form %d, this program knows %d; remove the folder to start with an empty org", h.Form, journalForm)
	}
	if h.Schema != o.schema.sum {
		return errors.New("the org was made with another schema; open it with that one, or remove the folder to start with an empty org")
	}
	o.build(h.Seed)
	return nil
}

func (o *Org) replayQuery(kind byte, e *event) error {
	if kind == eventQueryCreated {
		if e.Query == nil {
			return errFrame
		}
		major, err := parseVersion("v" + e.Version)
		if err != nil {
			return err
		}
		q, err := parseBulkSOQL(o.schema, e.Query.Query, e.Time)
		if err != nil {
			return err
		}
		sortColumns(q, major)
		o.queryJobs[e.Job] = &queryJob{number: e.Job, id: makeID("750", o.firstJob+uint64(e.Job)), spec: *e.Query, query: q, version: e.Version, major: major,
			user: []byte(e.User), created: e.Time, stamp: e.Time, state: stateUploadComplete}
		o.queryJobCount.add(e.Time, 1)
		o.nextJob = max(o.nextJob, e.Job+1)
		return nil
	}
	j := o.queryJobs[e.Job]
	switch {
	case j == nil:
		return fmt.Errorf("event for unknown query job %d", e.Job)
	case kind == eventQueryDeleted:
		delete(o.queryJobs, e.Job)
		return nil
	}
	j.state, j.message, j.active, j.stamp = parseState(e.State), e.Message, e.Active, e.Time
	j.processed, j.retries, j.result = e.Rows, e.Retries, resultFile{rows: e.Rows, size: e.Size}
	return nil
}

func (o *Org) replayCreated(e *event) error {
	if e.Spec == nil {
		return errFrame
	}
	obj, key, err := o.check(e.Spec)
	if err != nil {
		return err
	}
	o.jobs[e.Job] = &job{number: e.Job, id: makeID("750", o.firstJob+uint64(e.Job)), spec: *e.Spec, obj: obj, key: key,
		version: e.Version, user: []byte(e.User), created: e.Time, stamp: e.Time}
	o.nextJob = max(o.nextJob, e.Job+1)
	return nil
}

func (o *Org) replayChunk(payload []byte) error {
	c := frameCursor{data: payload}
	number, chunk, at, active, rows := uint32(c.uint()), int(c.uint()), c.int(), time.Duration(c.int()), int(c.uint())
	j := o.jobs[number]
	if c.bad || j == nil || chunk < 0 || chunk >= len(j.done) || rows < 0 || chunk*chunkRows+rows > len(j.outcomes) {
		return errFrame
	}
	now := time.Unix(0, at)
	if first, last := j.chunksOf(chunk / batchChunks); !anyTrue(j.done[first:last]) {
		o.batches.add(now, 1)
	}
	t := o.table(j.obj)
	for i := range rows {
		result, err := o.replayRow(j, t, &c)
		if err != nil {
			return err
		}
		if result&outcomeFailed != 0 {
			j.failed++
		}
		j.outcomes[chunk*chunkRows+i] = result
	}
	o.records.add(now, int64(rows))
	j.done[chunk] = true
	j.processed += rows
	j.active += active
	j.stamp = now
	return nil
}

func (o *Org) replayRow(j *job, t *table, c *frameCursor) (outcome, error) {
	op := op(c.byte())
	for op == opOther {
		if err := o.replayOther(c); err != nil {
			return 0, err
		}
		op = readOp(c)
	}
	if op == opFail {
		id := string(c.bytes(uint64(c.byte())))
		text := string(c.bytes(c.uint()))
		if c.bad {
			return 0, errFrame
		}
		return j.fail(failure{id, text}), nil
	}
	ord, err := replayChange(t, op, c)
	if err == nil && op == opInsert {
		ord |= uint32(outcomeCreated)
	}
	return outcome(ord), err
}

func readOp(c *frameCursor) op { return op(c.byte()) }

// replayOther does a change that names its table.
func (o *Org) replayOther(c *frameCursor) error {
	index := c.uint()
	if c.bad || index >= uint64(len(o.tables)) {
		return errFrame
	}
	_, err := replayChange(o.tables[index], readOp(c), c)
	return err
}

// replayWrite does the changes of a call that was no part of a job.
func (o *Org) replayWrite(payload []byte) error {
	c := frameCursor{data: payload}
	for len(c.data) > 0 {
		if readOp(&c) != opOther {
			return errFrame
		}
		if err := o.replayOther(&c); err != nil {
			return err
		}
	}
	return nil
}

func replayChange(t *table, op op, c *frameCursor) (uint32, error) {
	ord := uint32(c.uint())
	var r record
	if op != opErase {
		r = record(c.bytes(c.uint()))
	}
	switch {
	case c.bad || op < opInsert || op > opErase || op != opErase && !r.wellFormed():
		return 0, errFrame
	case op == opInsert && ord != uint32(len(t.places)), op != opInsert && (ord >= uint32(len(t.places)) || t.places[ord] == 0):
		return 0, fmt.Errorf("record %d of %s does not follow from what came before", ord, t.obj.Name)
	}
	t.apply(op, ord, r)
	return ord, nil
}

func anyTrue(list []bool) bool {
	for _, b := range list {
		if b {
			return true
		}
	}
	return false
}
