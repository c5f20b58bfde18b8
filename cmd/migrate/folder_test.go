package main

import (
	"path/filepath"
	"testing"
	"time"

	"migrate/pkg/checkpoint"
)

// TestNewestRunWhenTheClockJumps: whatever the clock does between runs, the newest is the one that was begun last, and none takes the
// folder of another.
func TestNewestRunWhenTheClockJumps(t *testing.T) {
	t.Parallel()
	a := &app{global: globalFlags{stateDir: t.TempDir()}}
	clock := time.Now()
	seen := map[string]bool{}
	for _, jump := range []time.Duration{0, 0, time.Hour, -25 * time.Hour, time.Minute, 24 * time.Hour, -365 * 24 * time.Hour, time.Second, 2 * 365 * 24 * time.Hour, -24 * time.Hour} {
		clock = clock.Add(jump)
		dir, err := newRunFolder(a.stateDir(""), "accounts", clock)
		if err != nil {
			t.Fatal(err)
		}
		if seen[dir] {
			t.Fatalf("%s is there twice", dir)
		}
		seen[dir] = true
		s, err := checkpoint.Create(t.Context(), dir, checkpoint.Run{ID: filepath.Base(dir), Created: beginning(t.Context(), dir, clock), Plan: "{}", Org: "{}"}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := a.pickRun(t.Context(), nil, func(checkpoint.Run) bool { return true }, "")
		if err != nil || got.dir != dir {
			t.Errorf("clock moved by %v: the newest run is %s, %v, want %s", jump, got.dir, err, dir)
		}
	}
}
