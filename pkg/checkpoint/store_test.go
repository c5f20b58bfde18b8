package checkpoint_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"migrate/pkg/checkpoint"
)

var ctx = context.Background()

func create(t *testing.T) (*checkpoint.Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := checkpoint.Create(ctx, dir,
		checkpoint.Run{ID: "r1", Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Command: "migrate load a.csv", Plan: "{}", Org: "{}"},
		[]checkpoint.Job{{Name: "accounts", Object: "Account", Operation: "insert", Spec: "{}"}},
		[]checkpoint.Split{{Job: "accounts", ID: "a.csv", Spec: "{}", Next: `{"row":0}`}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, dir
}

func cut(t *testing.T, s *checkpoint.Store, first, source, rows int64) (checkpoint.Chunk, checkpoint.BulkJob) {
	t.Helper()
	c, b, err := s.Cut(ctx, checkpoint.Chunk{Job: "accounts", Split: "a.csv", Start: "{}", FirstRow: first,
		SourceRows: source, Rows: rows, Rejected: source - rows, Hash: "h"},
		checkpoint.Split{Next: "{}", Rows: first + source}, checkpoint.Offsets{"rejected.csv": first})
	if err != nil {
		t.Fatal(err)
	}
	return c, b
}

// TestReopen walks a chunk through its life and reopens the file at each step: what was recorded is there.
func TestReopen(t *testing.T) {
	s, dir := create(t)
	reopen := func() {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		var err error
		if s, err = checkpoint.Open(ctx, dir); err != nil {
			t.Fatal(err)
		}
	}
	_, b := cut(t, s, 0, 10, 8)
	for _, state := range []checkpoint.BulkState{checkpoint.BulkCreated, checkpoint.BulkUploaded, checkpoint.BulkClosing, checkpoint.BulkClosed} {
		b.SalesforceID = "750A"
		if err := s.Advance(ctx, b, state); err != nil {
			t.Fatal(err)
		}
		reopen()
		u, err := s.Unsettled(ctx, "accounts")
		if err != nil || len(u) != 1 {
			t.Fatalf("%v, %d unsettled chunks, want 1", err, len(u))
		}
		if got := u[0].BulkJob; got.State != state || got.SalesforceID != "750A" || got.Rows != 8 {
			t.Errorf("after %s: %+v", state, got)
		}
	}
	next, err := s.Settle(ctx, checkpoint.Settlement{BulkJob: b, Processed: 5, Failed: 1,
		Outcome: checkpoint.Outcome{Succeeded: 4, Failed: 1}, Further: []checkpoint.Further{{Selection: checkpoint.Selection{1, 2, 7}}},
		Reports: checkpoint.Offsets{"failed.csv": 100}})
	if err != nil {
		t.Fatal(err)
	}
	reopen()
	u, err := s.Unsettled(ctx, "accounts")
	if err != nil || len(u) != 1 {
		t.Fatalf("%v, %d unsettled chunks, want 1", err, len(u))
	}
	want := checkpoint.BulkJob{ID: next.ID, Chunk: u[0].Chunk.ID, Attempt: 2, State: checkpoint.BulkCut, Rows: 3, Selection: checkpoint.Selection{1, 2, 7}}
	if diff := cmp.Diff(want, u[0].BulkJob); diff != "" {
		t.Errorf("remainder (-want +got):\n%s", diff)
	}
	next.SalesforceID = "750B"
	replaced, err := s.Replace(ctx, next, "found open")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(checkpoint.Selection{1, 2, 7}, replaced.Selection); diff != "" || replaced.Attempt != 2 {
		t.Errorf("replacement carries other rows (attempt %d):\n%s", replaced.Attempt, diff)
	}
	if err := s.Advance(ctx, next, checkpoint.BulkClosed); err == nil {
		t.Error("an abandoned job moved on")
	}
	replaced.SalesforceID = "750C"
	if err := s.Advance(ctx, replaced, checkpoint.BulkClosed); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Settle(ctx, checkpoint.Settlement{BulkJob: replaced, Outcome: checkpoint.Outcome{Succeeded: 3}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Settle(ctx, checkpoint.Settlement{BulkJob: replaced, Outcome: checkpoint.Outcome{Succeeded: 3}}); err == nil {
		t.Error("a job was settled twice")
	}
	reopen()
	l, err := s.Ledger(ctx, "accounts")
	if err != nil {
		t.Fatal(err)
	}
	wantLedger := checkpoint.Ledger{Read: 10, Rejected: 2, Outcome: checkpoint.Outcome{Succeeded: 7, Failed: 1}, Chunks: 1, Jobs: 2}
	if diff := cmp.Diff(wantLedger, l); diff != "" || !l.Balanced() {
		t.Errorf("ledger balanced %v (-want +got):\n%s", l.Balanced(), diff)
	}
	offsets, err := s.Offsets(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(checkpoint.Offsets{"rejected.csv": 0, "failed.csv": 100}, offsets); diff != "" {
		t.Errorf("offsets (-want +got):\n%s", diff)
	}
}

// TestLedgerShowsALostRow holds a row back: read says 11, the chunks say 10.
func TestLedgerShowsALostRow(t *testing.T) {
	s, _ := create(t)
	_, _, err := s.Cut(ctx, checkpoint.Chunk{Job: "accounts", Split: "a.csv", Start: "{}", SourceRows: 10, Rows: 10},
		checkpoint.Split{Next: "{}", Rows: 11}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Ledger(ctx, "accounts")
	if err != nil {
		t.Fatal(err)
	}
	if l.Balanced() {
		t.Errorf("a ledger that is one row short balances: %+v", l)
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := checkpoint.Open(ctx, t.TempDir()); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("empty folder: %v, want ErrNotFound", err)
	}
	s, dir := create(t)
	cut(t, s, 0, 10, 10)
	s.Close()
	path := filepath.Join(dir, checkpoint.FileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty":     {},
		"text":      []byte("name,amount\n"),
		"cut short": whole[:len(whole)/2],
		"scribbled": append(append([]byte{}, whole[:4096]...), make([]byte, len(whole)-4096)...),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		var damaged *checkpoint.DamagedError
		if s, err := checkpoint.Open(ctx, dir); err == nil {
			s.Close()
			t.Errorf("%s: opened", name)
		} else if !errors.As(err, &damaged) {
			t.Errorf("%s: %v, want a DamagedError", name, err)
		}
	}
}

func TestFilesArePrivate(t *testing.T) {
	_, dir := create(t)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o, want 600", e.Name(), info.Mode().Perm())
		}
	}
}

// TestOddPaths opens checkpoints whose paths could be misread as parts of an address.
func TestOddPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"relative", "a b", "50%25", "what?", "#1", "ö", "a:b"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s, err := checkpoint.Create(ctx, dir, checkpoint.Run{ID: dir, Plan: "{}", Org: "{}"}, nil, nil)
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		s.Close()
		if s, err = checkpoint.Open(ctx, dir); err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		if r, err := s.Run(ctx); err != nil || r.ID != dir {
			t.Errorf("%s: %v, run %q", dir, err, r.ID)
		}
		s.Close()
		if _, err := os.Stat(filepath.Join(dir, checkpoint.FileName)); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// TestCreateCutShort: a process that died while it made a checkpoint leaves none, and the next one can make it.
func TestCreateCutShort(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, checkpoint.FileName+".new"), []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.Open(ctx, dir); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
	s, err := checkpoint.Create(ctx, dir, checkpoint.Run{ID: "r", Plan: "{}", Org: "{}"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if r, err := s.Run(ctx); err != nil || r.ID != "r" {
		t.Errorf("%v, run %q", err, r.ID)
	}
}
