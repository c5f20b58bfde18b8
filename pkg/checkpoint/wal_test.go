package checkpoint_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"migrate/pkg/checkpoint"
)

// copied is the folder of a store as a kill would leave it now, with the files that change renames, makes or leaves out.
func copied(t *testing.T, dir string, change func(name string, content []byte) []byte) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{checkpoint.FileName, checkpoint.FileName + "-wal"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if content = change(name, content); content == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(to, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func whole(_ string, content []byte) []byte { return content }

// chunks opens a checkpoint for going on and counts its unsettled chunks.
func chunks(t *testing.T, dir string) int {
	t.Helper()
	s, err := checkpoint.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, err := s.Unsettled(ctx, "accounts")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestLogIsGone: steps that were on disk are never forgotten silently. What was in the log alone is damage when the log is away.
func TestLogIsGone(t *testing.T) {
	s, dir := create(t)
	logs := map[string]func(name string, content []byte) []byte{
		"removed": func(name string, content []byte) []byte {
			if name != checkpoint.FileName {
				return nil
			}
			return content
		},
		"empty": func(name string, content []byte) []byte {
			if name != checkpoint.FileName {
				return []byte{}
			}
			return content
		},
		"garbage": func(name string, content []byte) []byte {
			if name != checkpoint.FileName {
				return []byte(strings.Repeat("no log ", len(content)/7))
			}
			return content
		},
	}
	refused := func(when string) {
		t.Helper()
		for name, change := range logs {
			to := copied(t, dir, change)
			for kind, open := range map[string]func() (*checkpoint.Store, error){
				"read":  func() (*checkpoint.Store, error) { return checkpoint.OpenReadOnly(ctx, to) },
				"go on": func() (*checkpoint.Store, error) { return checkpoint.Open(ctx, to) },
			} {
				var damaged *checkpoint.DamagedError
				if s, err := open(); !errors.As(err, &damaged) {
					t.Errorf("%s, log %s, to %s: %v, want a DamagedError", when, name, kind, err)
					if err == nil {
						s.Close()
					}
				}
			}
		}
	}
	refused("just made")
	if got := chunks(t, copied(t, dir, whole)); got != 0 {
		t.Errorf("killed when just made: %d chunks", got)
	}
	cut(t, s, 0, 10, 10)
	refused("with a chunk")
	if got := chunks(t, copied(t, dir, whole)); got != 1 {
		t.Errorf("killed with a chunk: %d chunks", got)
	}

	// SQLite's own programs, which users may look with, bring the log into the file: nothing is missing then.
	to := copied(t, dir, whole)
	db, err := sql.Open("sqlite", filepath.Join(to, checkpoint.FileName))
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := errors.Join(db.QueryRow("select count(*) from chunk").Scan(&n), db.Close()); err != nil || n != 1 {
		t.Fatalf("%d chunks, %v", n, err)
	}
	if _, err := os.Stat(filepath.Join(to, checkpoint.FileName+"-wal")); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("SQLite has left the log: %v", err)
	}
	if got := chunks(t, to); got != 1 {
		t.Errorf("looked at by another program: %d chunks", got)
	}

	// Closed in good order, the file is all there is.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := chunks(t, copied(t, dir, logs["removed"])); got != 1 {
		t.Errorf("closed: %d chunks", got)
	}
}

// TestLogIsBounded: a log that has grown is brought into the file, and missed all the same when what came after is away.
func TestLogIsBounded(t *testing.T) {
	s, dir := create(t)
	log := filepath.Join(dir, checkpoint.FileName+"-wal")
	const n, size = 40, 1 << 20
	var most int64
	for i := range int64(n) {
		_, _, err := s.Cut(ctx, checkpoint.Chunk{Job: "accounts", Split: "a.csv", Start: `"` + strings.Repeat("x", size) + `"`, FirstRow: i, SourceRows: 1, Rows: 1, Hash: "h"},
			checkpoint.Split{Next: "{}", Rows: i + 1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(log)
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, info.Size())
	}
	if most < 16<<20 || most > 20<<20 {
		t.Errorf("the log had up to %d bytes", most)
	}
	if got := chunks(t, copied(t, dir, whole)); got != n {
		t.Errorf("%d chunks, want %d", got, n)
	}
	to := copied(t, dir, func(name string, content []byte) []byte {
		if name != checkpoint.FileName {
			return nil
		}
		return content
	})
	var damaged *checkpoint.DamagedError
	if s, err := checkpoint.Open(ctx, to); !errors.As(err, &damaged) {
		t.Errorf("without the log: %v, want a DamagedError", err)
		if err == nil {
			s.Close()
		}
	}
}
