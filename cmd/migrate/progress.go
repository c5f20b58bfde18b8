package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/cheggaaa/pb/v3"

	"migrate/pkg/pipeline"
)

// progressLine says where a job stands and what it waits for.
func progressLine(p pipeline.Progress, now time.Time) string {
	if p.Export {
		return exportLine(p, now)
	}
	l := p.Ledger
	read := l.Read + p.Encoding
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", p.Job, number(read-l.Pending-p.Encoding))
	share := float64(0)
	switch {
	case p.TotalBytes > 0 && p.Bytes < p.TotalBytes && p.Bytes > 0:
		total := float64(read) * float64(p.TotalBytes) / float64(p.Bytes)
		share = float64(read-l.Pending-p.Encoding) / total
		fmt.Fprintf(&b, "/~%s", number(int64(total)))
	case read > 0:
		share = float64(read-l.Pending-p.Encoding) / float64(read)
		fmt.Fprintf(&b, "/%s", number(read))
	}
	fmt.Fprintf(&b, " %d%% ok %s", int(share*100), number(l.Succeeded))
	for _, c := range []struct {
		n    int64
		what string
	}{{l.Failed, "failed"}, {l.Rejected, "rejected"}, {l.Unprocessed, "unprocessed"}, {l.Unaccounted, "unaccounted"}} {
		if c.n > 0 {
			fmt.Fprintf(&b, " %s %s", c.what, number(c.n))
		}
	}
	flying := p.Uploading + p.Queued + p.Processing + p.Settling
	if flying > 0 {
		fmt.Fprintf(&b, " · %s in flight", count(int64(flying), "job"))
	}
	if p.Eased > 0 {
		fmt.Fprintf(&b, " (eased to %d)", p.Eased)
	}
	done := float64(read - l.Pending - p.Encoding)
	if took := now.Sub(p.Since); took > time.Second && done > 0 {
		fmt.Fprintf(&b, " · %s rows/s", number(int64(done/took.Seconds())))
		if share > 0.01 && share < 1 {
			left := time.Duration(float64(took) * (1 - share) / share)
			fmt.Fprintf(&b, " · ETA %s", left.Round(time.Second))
		}
	}
	var waits []string
	if p.Queued > 0 {
		waits = append(waits, count(int64(p.Queued), "job")+" queued in the org")
	}
	if p.Processing > 0 {
		w := count(int64(p.Processing), "job") + " processed by the org"
		if p.InOrg > 0 {
			w += " (" + number(p.InOrg) + " rows so far)"
		}
		waits = append(waits, w)
	}
	if p.Uploading > 0 {
		waits = append(waits, count(int64(p.Uploading), "upload"))
	}
	if p.Settling > 0 {
		waits = append(waits, "results of "+count(int64(p.Settling), "job"))
	}
	if len(waits) > 0 {
		fmt.Fprintf(&b, " · waiting: %s", strings.Join(waits, ", "))
	}
	return b.String()
}

// exportLine is progressLine for a job that brings rows out of the org.
func exportLine(p pipeline.Progress, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", p.Job, number(p.Ledger.Read))
	if p.Found > 0 {
		fmt.Fprintf(&b, "/%s %d%%", number(p.Found), p.Ledger.Read*100/p.Found)
	}
	fmt.Fprintf(&b, " fetched, %s", count(p.Ledger.Chunks, "page"))
	if took := now.Sub(p.Since); took > time.Second && p.Ledger.Read > 0 {
		fmt.Fprintf(&b, " · %s rows/s", number(int64(float64(p.Ledger.Read)/took.Seconds())))
	}
	switch {
	case p.Queued > 0:
		fmt.Fprintf(&b, " · waiting: %s queued in the org", count(int64(p.Queued), "query job"))
	case p.Processing > 0:
		fmt.Fprintf(&b, " · waiting: %s processed by the org, %s found so far", count(int64(p.Processing), "query job"), count(p.InOrg, "row"))
	case p.Found > 0 && p.Ledger.Read == p.Found && p.Ledger.Pending > 0:
		b.WriteString(" · waiting: what is fetched is being written")
		if p.Asked > 0 {
			fmt.Fprintf(&b, ", %s asked for", count(p.Asked, "file"))
		}
	}
	return b.String()
}

// plain prints a line every interval for each job that has moved, or still has rows on their way; nothing when the interval is 0.
type plain struct {
	w        io.Writer
	interval time.Duration
	mu       sync.Mutex
	jobs     []string // in the order in which they began
	last     map[string]pipeline.Progress
	told     map[string]pipeline.Progress // as last printed
	end      chan struct{}
	ended    sync.WaitGroup
}

func plainProgress(w io.Writer, interval time.Duration) *plain {
	return &plain{w: w, interval: interval, last: map[string]pipeline.Progress{}, told: map[string]pipeline.Progress{}, end: make(chan struct{})}
}

func (p *plain) start([]pipeline.Job) {
	if p.interval <= 0 {
		return
	}
	p.ended.Go(func() {
		tick := time.NewTicker(p.interval)
		defer tick.Stop()
		for {
			select {
			case <-p.end:
				return
			case now := <-tick.C:
				p.mu.Lock()
				for _, job := range p.jobs {
					if last := p.last[job]; last != p.told[job] || last.Ledger.Pending > 0 {
						p.told[job] = last
						fmt.Fprintln(p.w, progressLine(last, now))
					}
				}
				p.mu.Unlock()
			}
		}
	})
}

func (p *plain) update(now pipeline.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.last[now.Job]; !known {
		p.jobs = append(p.jobs, now.Job)
	}
	p.last[now.Job] = now
}

func (p *plain) print(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.w, line)
}

func (p *plain) stop() {
	close(p.end)
	p.ended.Wait()
}

// bars draws one bar for each job on a terminal.
type bars struct {
	w     io.Writer
	mu    sync.Mutex
	pool  *pb.Pool
	byJob map[string]*pb.ProgressBar
	lines []string // printed while the bars were drawn; shown when they end
}

func newBars(w io.Writer) *bars { return &bars{w: w, byJob: map[string]*pb.ProgressBar{}} }

// barTemplate is the bar and the progress line behind it.
const barTemplate = `{{bar . "[" "=" ">" " " "]"}} {{string . "line"}}`

func (b *bars) start(jobs []pipeline.Job) {
	var list []*pb.ProgressBar
	for _, j := range jobs {
		bar := pb.New64(1000).SetTemplateString(barTemplate).Set("line", j.Name+" not begun")
		b.byJob[j.Name] = bar
		list = append(list, bar)
	}
	b.pool = pb.NewPool(list...)
	b.pool.Output = b.w
	if err := b.pool.Start(); err != nil { // no terminal after all
		b.pool = nil
	}
}

func (b *bars) update(p pipeline.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bar := b.byJob[p.Job]
	if bar == nil {
		return
	}
	share := float64(0)
	if read := p.Ledger.Read + p.Encoding; read > 0 {
		share = float64(p.Ledger.Read-p.Ledger.Pending) / float64(read)
		if p.TotalBytes > 0 {
			share *= min(1, float64(p.Bytes)/float64(p.TotalBytes))
		}
	}
	bar.SetCurrent(int64(share * 1000))
	bar.Set("line", progressLine(p, time.Now()))
}

func (b *bars) print(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
}

func (b *bars) stop() {
	if b.pool != nil {
		b.pool.Stop()
	}
	for _, l := range b.lines {
		fmt.Fprintln(b.w, l)
	}
}
