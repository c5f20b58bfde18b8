package main

import (
	"bytes"

	"strings"
	"sync"
	"testing"
	"time"

	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
)

func TestProgressLine(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 3, 42, 0, 0, time.UTC)
	for _, tc := range []struct {
		name string
		in   pipeline.Progress
		want string
	}{
		{"nothing yet", pipeline.Progress{Job: "accounts", Since: now}, "accounts 0 0% ok 0"},
		{
			"part of the source is read: the total is an estimate",
			pipeline.Progress{Job: "Contact", Bytes: 50, TotalBytes: 100, Queued: 2, Processing: 1, Uploading: 1, InOrg: 1500,
				Ledger: checkpoint.Ledger{Read: 600_000, Pending: 100_000, Outcome: checkpoint.Outcome{Succeeded: 499_204, Failed: 796}}, Since: now.Add(-100 * time.Second)},
			"Contact 500,000/~1,200,000 41% ok 499,204 failed 796 · 4 jobs in flight · 5,000 rows/s · ETA 2m20s" +
				" · waiting: 2 jobs queued in the org, 1 job processed by the org (1,500 rows so far), 1 upload",
		},
		{
			"all is read",
			pipeline.Progress{Job: "a", Bytes: 100, TotalBytes: 100, Settling: 1,
				Ledger: checkpoint.Ledger{Read: 10, Rejected: 1, Outcome: checkpoint.Outcome{Unprocessed: 2, Unaccounted: 3, Succeeded: 4}}, Since: now.Add(-2 * time.Second)},
			"a 10/10 100% ok 4 rejected 1 unprocessed 2 unaccounted 3 · 1 job in flight · 5 rows/s · waiting: results of 1 job",
		},
		{
			"rows that are being encoded are read, and not done",
			pipeline.Progress{Job: "a", Encoding: 10, Bytes: 100, TotalBytes: 100, Ledger: checkpoint.Ledger{Read: 10, Outcome: checkpoint.Outcome{Succeeded: 10}}, Since: now},
			"a 10/20 50% ok 10",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := progressLine(tc.in, now); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestPlainProgress checks that no line is printed before anything has happened, and that stop ends the printing.
func TestPlainProgress(t *testing.T) {
	t.Parallel()
	var out lockedBuffer
	p := plainProgress(&out, time.Millisecond)
	p.start(nil)
	p.update(pipeline.Progress{Job: "a", Since: time.Now()})
	for deadline := time.Now().Add(patience); !strings.Contains(out.String(), "a 0 0% ok 0\n"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no line of progress in %q", out.String())
		}
	}
	p.stop()
	after := out.String()
	p.update(pipeline.Progress{Job: "b"})
	time.Sleep(5 * time.Millisecond)
	if got := out.String(); got != after {
		t.Errorf("after stop: %q", strings.TrimPrefix(got, after))
	}
}

// TestBarsWithoutTerminal: what is printed must not get lost where bars cannot be drawn.
func TestBarsWithoutTerminal(t *testing.T) {
	t.Parallel()
	var out lockedBuffer
	b := newBars(&out)
	b.start([]pipeline.Job{{Name: "a"}, {Name: "b"}})
	b.update(pipeline.Progress{Job: "a", Ledger: checkpoint.Ledger{Read: 10, Outcome: checkpoint.Outcome{Succeeded: 10}}})
	b.update(pipeline.Progress{Job: "unknown"})
	b.print("warning: a: something")
	b.stop()
	if got := out.String(); !strings.Contains(got, "warning: a: something\n") {
		t.Errorf("the warning is lost in %q", got)
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for in, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1: "-1", -1000: "-1,000", -123456: "-123,456"} {
		if got := number(in); got != want {
			t.Errorf("number(%d) = %s, want %s", in, got, want)
		}
	}
}

// lockedBuffer is a buffer that several goroutines may use.
type lockedBuffer struct {
	sync.Mutex
	b bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.Lock()
	defer l.Unlock()
	return l.b.String()
}
