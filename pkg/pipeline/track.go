package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/sources"
)

// tracker keeps the figures of a job for its observers. What counts is in the checkpoint; this is its copy in memory.
type tracker struct {
	mu       sync.Mutex
	report   func(Progress)
	p        Progress
	recorded map[string]int64 // split → rows cut
	offset   map[string]int64 // split → bytes read
	eased    func() int       // see throttle.less
	inFlight map[int64]flight // bulk job row → where it is
}

type flight struct {
	state     bulk2.State // "" while it is uploaded
	processed int64
	settling  bool
}

// begin takes over what earlier processes have recorded.
func (t *tracker) begin(ctx context.Context, j *jobRun, splits []checkpoint.Split) error {
	l, err := j.Checkpoint.Ledger(ctx, j.Name)
	if err != nil {
		return err
	}
	t.start(j, l)
	for _, sp := range splits {
		var spec sources.Split
		var next sources.Position
		if err := json.Unmarshal([]byte(sp.Spec), &spec); err != nil {
			return fmt.Errorf("split %s: %w", sp.ID, err)
		}
		if err := json.Unmarshal([]byte(sp.Next), &next); err != nil {
			return fmt.Errorf("split %s: %w", sp.ID, err)
		}
		t.p.TotalBytes += spec.End
		t.recorded[sp.ID], t.offset[sp.ID] = next.Row, next.Offset
	}
	t.change(func() {})
	return nil
}

// start begins with what an earlier process has recorded.
func (t *tracker) start(j *jobRun, l checkpoint.Ledger) {
	t.report, t.eased = j.Events.Progress, j.flights.less
	t.p = Progress{Job: j.Name, Ledger: l, Since: time.Now()}
	t.recorded, t.offset, t.inFlight = map[string]int64{}, map[string]int64{}, map[int64]flight{}
}

// change makes a change under the lock and tells the observer.
func (t *tracker) change(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
	if t.report == nil {
		return
	}
	p := t.p
	for _, o := range t.offset {
		p.Bytes += o
	}
	for _, f := range t.inFlight {
		switch {
		case f.settling:
			p.Settling++
		case f.state == "":
			p.Uploading++
		case f.state == bulk2.StateUploadComplete:
			p.Queued++
		default:
			p.Processing++
			p.InOrg += f.processed
		}
	}
	p.Eased = t.eased()
	t.report(p)
}

func (t *tracker) ledger() checkpoint.Ledger {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.p.Ledger
}

// encoding says how far a split is read.
func (t *tracker) encoding(split string, at sources.Position) {
	t.change(func() {
		t.offset[split] = at.Offset
		t.p.Encoding = at.Row - t.recorded[split]
	})
}

func (t *tracker) cut(c checkpoint.Chunk) {
	t.change(func() {
		t.recorded[c.Split] = c.FirstRow + c.SourceRows
		t.p.Ledger.Read += c.SourceRows
		t.p.Ledger.Filtered += c.Filtered
		t.p.Ledger.Rejected += c.Rejected
		t.p.Ledger.Pending += c.Rows
		t.p.Ledger.Chunks++
		t.p.Encoding = 0
	})
}

func (t *tracker) fly(b checkpoint.BulkJob, f flight) {
	t.change(func() { t.inFlight[b.ID] = f })
}

func (t *tracker) land(b checkpoint.BulkJob) {
	t.change(func() { delete(t.inFlight, b.ID) })
}

func (t *tracker) created() {
	t.change(func() { t.p.Ledger.Jobs++ })
}

// settled takes the outcome of a job; so many of its rows are sent again.
func (t *tracker) settled(b checkpoint.BulkJob, o checkpoint.Outcome, again int) {
	t.change(func() {
		l := &t.p.Ledger
		l.Succeeded += o.Succeeded
		l.Failed += o.Failed
		l.Unprocessed += o.Unprocessed
		l.Unaccounted += o.Unaccounted
		l.Pending -= o.Succeeded + o.Failed + o.Unprocessed + o.Unaccounted
		l.Again += int64(again)
		if b.Retries > 0 {
			l.Resent += b.Rows
			l.Again -= o.Succeeded + o.Failed + o.Unprocessed + o.Unaccounted + int64(again)
		}
	})
}
