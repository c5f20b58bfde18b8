package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"migrate/pkg/checkpoint"
)

// record is what the checkpoint of a run says.
type record struct {
	run            string          // "" = there is none
	jobs, pages    map[string]bool // query jobs, and their pages by query job and locator
	complete       bool            // the query jobs are
	read           bool            // all pages are there
	done, finished bool            // the job is, the run is
}

// look reads the checkpoint that a process has left, in a copy, so that the look mends nothing.
func (x *killedExports) look(t *testing.T, state string) (r record) {
	t.Helper()
	r.jobs, r.pages = map[string]bool{}, map[string]bool{}
	found, _ := filepath.Glob(filepath.Join(state, runsDirName, "*", checkpoint.FileName))
	if len(found) == 0 {
		return r
	}
	if len(found) > 1 {
		t.Fatalf("several runs: %q", found)
	}
	dir := t.TempDir()
	for _, name := range []string{checkpoint.FileName, checkpoint.FileName + "-wal"} {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(found[0]), name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o600)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	store, err := checkpoint.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	run, err := store.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.run, r.finished = filepath.Base(filepath.Dir(found[0])), run.State == checkpoint.RunDone
	jobs, err := store.Jobs(t.Context())
	if err != nil || len(jobs) != 1 {
		t.Fatal(jobs, err)
	}
	r.done = jobs[0].State == checkpoint.JobDone
	splits, err := store.Splits(t.Context(), jobs[0].Name)
	if err != nil || len(splits) != 1 {
		t.Fatal(splits, err)
	}
	var at struct {
		Job      string
		Complete bool
	}
	if err := json.Unmarshal([]byte(splits[0].Next), &at); err != nil {
		t.Fatal(err)
	}
	if at.Job != "" {
		r.jobs[at.Job] = true
	}
	r.complete, r.read = at.Complete, splits[0].State == checkpoint.SplitRead
	pages, err := store.Pages(t.Context(), jobs[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range pages {
		var place struct{ Locator string }
		if err := json.Unmarshal([]byte(c.Start), &place); err != nil {
			t.Fatal(err)
		}
		r.pages[at.Job+" "+place.Locator] = true
	}
	return r
}
