package pipeline_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"migrate/pkg/bulk2"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
)

// modelOrg is the least org that a pipeline can work with, in memory, that knows the truth: what became of each value that was ever sent to it.
// It behaves as its script says, and notes what a client must not do. It shares no code with the local org.
type modelOrg struct {
	script modelScript
	mu     sync.Mutex
	dead   bool // the process that calls is killed: nothing has an effect any more
	jobs   []*modelJob
	sent   []int // by value: rows of the source that are to be sent
	tried  []int // by value: how often the org has tried a row with it
	saved  []int // by value: rows that it has saved
	calls  int
	fired  int      // events so far
	wrong  []string // what must not be
	log    []string // calls, for the report of a failure
	crash  func()   // ends the process; mu is held
}

func newModelOrg(s modelScript) *modelOrg {
	n := len(s.fates)
	o := &modelOrg{script: s, sent: make([]int, n), tried: make([]int, n), saved: make([]int, n)}
	for _, split := range s.Splits {
		for _, r := range split {
			if r.Kind == "" {
				o.sent[r.Value]++
			}
		}
	}
	return o
}

func (o *modelOrg) fault(format string, args ...any) {
	if len(o.wrong) < 10 {
		o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
	}
}

// happens finds the event whose turn has come at a call. mu is held.
func (o *modelOrg) happens(at string, j *modelJob, step pipeline.Step) string {
	do := ""
	for i := range o.script.Events {
		e := &o.script.Events[i]
		if e.At != at || e.Step != step || e.Nth == 0 || j != nil && !slices.Contains(j.values, e.Row%len(o.sent)) {
			continue
		}
		if e.Nth--; e.Nth == 0 && do == "" {
			do = e.Do
			o.fired++
			modelSeen.add(at+": "+do, 1)
		}
	}
	return do
}

// Errors of the wire.
var (
	errModelTemporary = fmt.Errorf("%w: the line is bad", salesforce.ErrTemporary)
	errModelLost      = fmt.Errorf("%w: the answer is lost", salesforce.ErrOutcomeUnknown)
	errModelLimit     = fmt.Errorf("%w: no more calls today", salesforce.ErrLimit)
	errModelGone      = &salesforce.APIError{Status: 404, Code: "NOT_FOUND", Message: "The requested resource does not exist"}
	errModelState     = &salesforce.APIError{Status: 400, Code: "INVALIDJOBSTATE", Message: "Invalid job state"}
	errModelOther     = &salesforce.APIError{Status: 400, Code: "CLIENTINPUTERROR", Message: "Not now"}
	errModelDenied    = &salesforce.APIError{Status: 403, Code: "INSUFFICIENT_ACCESS", Message: "Not you"}
)

// call is one call to the org: its effect, and what the caller gets to know of it. effect gets the job (nil for a create) and what the script
// has for it; its error is an answer of the org. The faults that all calls can have are dealt with here.
func (o *modelOrg) call(ctx context.Context, at, id string, effect func(j *modelJob, do string) error) error {
	err := func() error {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.calls++; o.calls == 3000 {
			o.fault("3,000 calls and no end")
			o.crash()
		}
		if err := ctx.Err(); err != nil || o.dead {
			return cmp.Or(err, context.Canceled)
		}
		o.advance(time.Now())
		var j *modelJob
		if id != "" {
			i := slices.IndexFunc(o.jobs, func(j *modelJob) bool { return j.id == id })
			if i < 0 {
				o.fault("%s of job %q, which was never made", at, id)
				return errModelGone
			}
			j = o.jobs[i]
		}
		do := o.happens(at, j, "")
		o.log = append(o.log, strings.TrimSpace(fmt.Sprintf("%v %s %s %s", time.Since(o.script.begun).Round(time.Millisecond), at, id, do)))
		if do == "vanish" && j != nil {
			j.gone = true
		}
		switch do {
		case "temporary":
			return errModelTemporary
		case "limit":
			return errModelLimit
		case "lost before":
			return errModelLost
		case "refused":
			return errModelState
		case "refused otherwise":
			return errModelOther
		case "denied":
			return errModelDenied
		}
		if j != nil && j.gone {
			return errModelGone
		}
		err := effect(j, do)
		switch do {
		case "lost":
			if at == "upload" || at == "close" {
				return errModelLost
			}
			return errModelTemporary
		case "late":
			return errModelLost
		case "crash":
			o.crash()
			return context.Canceled
		case "vanish behind":
			j.gone = true
		}
		return err
	}()
	if err != nil || o.script.Latency == 0 {
		return err
	}
	t := time.NewTimer(o.script.Latency) // the answer is on its way
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		if at == "upload" || at == "close" {
			return errors.Join(ctx.Err(), salesforce.ErrOutcomeUnknown)
		}
		return ctx.Err()
	}
}

func (o *modelOrg) Create(ctx context.Context, s bulk2.Spec) (job bulk2.Job, err error) {
	err = o.call(ctx, "create", "", func(*modelJob, string) error {
		j := &modelJob{id: fmt.Sprintf("750-%d", len(o.jobs)+1), state: bulk2.StateOpen}
		o.jobs = append(o.jobs, j)
		job = j.info()
		return nil
	})
	return job, err
}

func (o *modelOrg) Upload(ctx context.Context, id string, body func() (io.ReadCloser, error), size int64) error {
	r, err := body()
	if err != nil {
		return err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	o.mu.Lock()
	if err != nil || int64(len(text)) != size || len(records) < 2 || len(records[0]) != 1 {
		o.fault("upload of %q, said to have %d bytes: %v", text, size, err)
	}
	var values []int
	for _, rec := range records[1:] {
		values = append(values, o.script.number(rec[0]))
	}
	for _, j := range o.jobs {
		if j.id == id && !o.dead {
			j.values = values // so that events find it; they count when whole is set
		}
	}
	o.mu.Unlock()
	return o.call(ctx, "upload", id, func(j *modelJob, do string) error {
		if j.puts++; j.puts > 1 {
			o.fault("job %s: a second PUT", id)
		}
		if j.state != bulk2.StateOpen {
			return errModelState
		}
		o.checkUpload(j)
		if do == "late" {
			j.late, j.lateAt = "upload", time.Now().Add(o.script.Late)
		} else {
			j.whole = true
		}
		return nil
	})
}

// checkUpload says which rows must not be sent, as far as values tell them apart.
func (o *modelOrg) checkUpload(j *modelJob) {
	if int64(len(j.values)) > o.script.Options.ChunkRows {
		o.fault("job %s has %d rows", j.id, len(j.values))
	}
	for _, v := range j.values {
		if o.sent[v] != 1 {
			continue
		}
		var codes []string
		for _, other := range o.jobs {
			if other == j || !slices.Contains(other.values, v) {
				continue
			}
			if other.gone && other.closed {
				o.fault("job %s: value %d is sent although job %s, which had it, was closed and has vanished", j.id, v, other.id)
			}
			if !other.state.Terminal() && !other.gone {
				o.fault("job %s: value %d is sent while job %s has it and is %s", j.id, v, other.id, other.state)
			}
			for _, t := range other.tries {
				if t.value == v {
					codes = append(codes, t.code)
				}
			}
		}
		for i, code := range codes {
			if i >= o.script.retries(code) {
				o.fault("job %s: value %d is sent again after %q", j.id, v, codes)
			}
		}
	}
}

func (o *modelOrg) Close(ctx context.Context, id string) (job bulk2.Job, err error) {
	err = o.call(ctx, "close", id, func(j *modelJob, do string) error {
		switch {
		case !j.whole:
			o.fault("job %s: closed without data", id)
		case j.state != bulk2.StateOpen && j.late == "":
			o.fault("job %s: closed although it is %s", id, j.state)
		case j.state != bulk2.StateOpen:
			return errModelState
		case do == "late":
			j.late, j.lateAt = "close", time.Now().Add(o.script.Late)
		default:
			o.close(j, time.Now())
		}
		job = j.info()
		return nil
	})
	return job, err
}

func (o *modelOrg) Abort(ctx context.Context, id string) (job bulk2.Job, err error) {
	err = o.call(ctx, "abort", id, func(j *modelJob, _ string) error {
		switch {
		case j.state.Terminal():
			return errModelState
		case j.state != bulk2.StateOpen && j.late == "":
			o.fault("job %s: aborted although it is %s", id, j.state)
		}
		if j.state == bulk2.StateOpen {
			j.state = bulk2.StateAborted
		} else {
			o.finish(j, "aborted")
		}
		job = j.info()
		return nil
	})
	return job, err
}

func (o *modelOrg) Job(ctx context.Context, id string) (job bulk2.Job, err error) {
	err = o.call(ctx, "job", id, func(j *modelJob, do string) error {
		job = j.info()
		if do == "lag" {
			j.lied = true
			job.Processed, job.Failed = 0, 0
		}
		if j.state == bulk2.StateUploadComplete || j.state == bulk2.StateInProgress {
			if gap := time.Since(j.polled); gap < 900*time.Millisecond {
				o.fault("job %s: asked again after %v", id, gap)
			}
			j.polled = time.Now()
		}
		return nil
	})
	return job, err
}

func (o *modelOrg) Results(ctx context.Context, id string, kind bulk2.Kind) (body io.ReadCloser, err error) {
	err = o.call(ctx, "results", id, func(j *modelJob, do string) error {
		if !j.state.Terminal() {
			o.fault("job %s: results asked for while it is %s", id, j.state)
		}
		rows := o.results(j, kind)
		text := strings.Join(rows, "")
		switch {
		case do == "cut": // the line breaks
			body = io.NopCloser(io.MultiReader(strings.NewReader(text[:len(text)/2]), brokenReader{}))
			return nil
		case do == "short" && len(rows) > 1 && !j.lied: // it ends, as if that were all
			text = strings.Join(rows[:len(rows)-1], "")
		}
		body = io.NopCloser(strings.NewReader(text))
		return nil
	})
	return body, err
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) {
	return 0, fmt.Errorf("%w: %w", salesforce.ErrTemporary, io.ErrUnexpectedEOF)
}
