package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"migrate/pkg/checkpoint"
	"migrate/pkg/plan"
	"migrate/pkg/retry"
	"migrate/pkg/sources"
)

// retryMark stands in the folder of a run for each retry of it: a row that the retry has taken must never be taken again, also where
// the retry lies in another state folder, or was removed. It is there before the retry can send anything.
type retryMark struct {
	Run    string   `json:"run"`
	Folder string   `json:"folder"` // seen from the run that it follows, or absolute
	Jobs   []string `json:"jobs"`
	path   string
	run    checkpoint.Run
	dir    string
}

// The names of the marks. No folder of a job is called so, since the name of a job has no dot.
const (
	markPrefix = "retry-"
	markExt    = ".json"
)

// retriedFile is the file in the folder of a retry with the rows that it sends. It stays there.
func retriedFile(job string) string { return job + ".retried.csv" }

// folder is the folder of the retry, as one types it.
func (m retryMark) folder(parent string) string {
	if filepath.IsAbs(m.Folder) {
		return m.Folder
	}
	return filepath.Join(parent, m.Folder)
}

// mark writes the mark of a retry, and gives a function that takes it back, for a retry that has not begun.
func (r *retryRows) mark(dir string, jobs []plan.Job) (undo func() error, err error) {
	m := retryMark{Run: filepath.Base(dir), Folder: mustAbs(dir)}
	if rel, err := filepath.Rel(mustAbs(r.dir), mustAbs(dir)); err == nil && filepath.Dir(rel) == ".." {
		m.Folder = rel // both may be moved together
	}
	for _, j := range jobs {
		m.Jobs = append(m.Jobs, j.Name)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(r.dir, markPrefix+m.Run+markExt)
	for n := 2; ; n++ { // runs of two state folders may have one name
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return nil, err
		}
		path = filepath.Join(r.dir, fmt.Sprintf("%s%s-%d%s", markPrefix, m.Run, n, markExt))
	}
	if err := errors.Join(writeWhole(path, text), checkpoint.SyncDir(r.dir)); err != nil {
		return nil, fmt.Errorf("mark the rows of run %s as sent again: %w", r.run, err)
	}
	return func() error { return os.Remove(path) }, nil
}

// retries reads the marks of a run, the oldest retry first. A retry that was ended before it could send anything has no checkpoint, and
// does not count.
func retries(ctx context.Context, dir string) ([]retryMark, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []retryMark
	for _, e := range entries {
		if e.IsDir() || !strings.HasPrefix(e.Name(), markPrefix) || filepath.Ext(e.Name()) != markExt {
			continue
		}
		m := retryMark{path: filepath.Join(dir, e.Name())}
		text, err := os.ReadFile(m.path)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &m); err != nil {
			return nil, fmt.Errorf("%s: which rows were sent again cannot be told: %w", m.path, err)
		}
		m.dir = m.folder(dir)
		if _, err := os.Stat(m.dir); errors.Is(err, fs.ErrNotExist) {
			list = append(list, m)
			continue
		}
		if _, err := os.Stat(filepath.Join(m.dir, checkpoint.FileName)); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		info := readRunInfo(ctx, m.dir)
		if info.err != nil {
			return nil, fmt.Errorf("which rows run %s has sent again cannot be told: %w", m.Run, info.err)
		}
		m.run = info.run
		list = append(list, m)
	}
	slices.SortStableFunc(list, func(a, b retryMark) int { return a.run.Created.Compare(b.run.Created) })
	return list, nil
}

// finishedRetries are the retries of a run, which must all be finished and still there before rows of it are sent again.
func finishedRetries(ctx context.Context, dir string) ([]retryMark, error) {
	list, err := retries(ctx, dir)
	if err != nil {
		return nil, err
	}
	for _, m := range list {
		switch {
		case m.run.State == "":
			return nil, usagef("run %s, which has sent rows of this run again, is no longer in %s, so which they were cannot be told; bring its folder back, or, if you know that it sent none, remove %s",
				m.Run, m.dir, m.path)
		case m.run.State != checkpoint.RunDone:
			return nil, usagef("run %s sends rows of run %s again and is not finished; %s resume %s", m.Run, filepath.Base(dir), invocation(), runArg(m.dir))
		}
	}
	return list, nil
}

// earlier are the files with the rows of a job that retries have sent.
func earlier(list []retryMark, job string) []retry.Earlier {
	var files []retry.Earlier
	for _, m := range list {
		if slices.Contains(m.Jobs, job) {
			files = append(files, retry.Earlier{Run: m.Run, Path: filepath.Join(m.dir, retriedFile(job))})
		}
	}
	return files
}

// ancestors are the runs before a retry, from the one that it followed to the first. They lie beside it, or are not found.
func ancestors(ctx context.Context, dir string, spec runSpec) (dirs []string, complete bool) {
	for spec.Parent != "" {
		dir = filepath.Join(filepath.Dir(dir), spec.Parent)
		dirs = append(dirs, dir)
		info := readRunInfo(ctx, dir)
		spec = runSpec{}
		if info.err != nil || json.Unmarshal([]byte(info.run.Plan), &spec) != nil || slices.Contains(dirs[:len(dirs)-1], dir) {
			return dirs, false
		}
	}
	return dirs, true
}

// firstSource finds out what the rows of a job came from, before any retry. Where that cannot be told, a corrected file cannot be the
// source itself; a copy of a report always can.
func firstSource(ctx context.Context, dir string, job plan.Job) (retry.Source, error) {
	src := retry.Source{Key: keyColumn(job)}
	store, err := checkpoint.OpenReadOnly(ctx, dir)
	if err != nil {
		return src, err
	}
	_, spec, err := readSpec(ctx, store)
	store.Close()
	if err != nil {
		return src, err
	}
	before, complete := ancestors(ctx, dir, spec)
	if !complete {
		return src, nil
	}
	if len(before) > 0 {
		dir = before[len(before)-1]
	}
	if store, err = checkpoint.OpenReadOnly(ctx, dir); err != nil {
		return src, err
	}
	defer store.Close()
	if _, spec, err = readSpec(ctx, store); err != nil {
		return src, err
	}
	at := slices.IndexFunc(spec.Plan.Jobs, func(j plan.Job) bool { return j.Name == job.Name })
	if at < 0 {
		return src, nil
	}
	first := spec.Plan.Jobs[at]
	src.Read = sources.CSVOptions{Quote: first.Source.Quote, Escape: first.Source.Escape, SkipLines: first.Source.SkipLines, HeaderLines: first.Source.HeaderLines, NoHeader: first.Source.NoHeader}
	switch {
	case first.Source.Kind == plan.KindGroups && first.Limit == 0:
		l, err := store.Ledger(ctx, job.Name)
		src.Rows = l.Read // of all files
		return src, err
	case first.Source.Kind != plan.KindCSV:
		return src, nil
	}
	splits, err := store.Splits(ctx, job.Name)
	src.Files = map[string]int64{}
	for _, sp := range splits {
		var s sources.Split
		if err := json.Unmarshal([]byte(sp.Spec), &s); err != nil {
			return src, fmt.Errorf("split %s: %w", sp.ID, err)
		}
		src.Files[s.Path] += sp.Rows
	}
	if first.Limit > 0 {
		for f := range maps.Keys(src.Files) {
			src.Files[f] = -1 // the file has more rows
		}
	}
	return src, err
}

// keyColumn is the source column that names a row of a job, or nothing.
func keyColumn(j plan.Job) string {
	if j.ID != "" {
		return j.ID
	}
	for _, f := range j.Fields {
		if f.From != "" && (f.To == "Id" || f.To == j.Key) {
			return f.From
		}
	}
	return ""
}

// parentOf is the run whose rows a run sends again, or nothing.
func parentOf(r runInfo) string {
	var spec runSpec
	if r.err != nil || json.Unmarshal([]byte(r.run.Plan), &spec) != nil {
		return ""
	}
	return spec.Parent
}

// lineage prints the runs before a run and after it.
func (o *output) lineage(ctx context.Context, info runInfo) error {
	dirs, _ := ancestors(ctx, info.dir, runSpec{Parent: parentOf(info)})
	after, err := retries(ctx, info.dir)
	if err != nil {
		return err
	}
	var before []string
	for _, dir := range dirs {
		before = append(before, filepath.Base(dir))
	}
	if o.json != nil {
		var list []map[string]any
		for _, m := range after {
			list = append(list, map[string]any{"run": m.Run, "folder": m.dir, "state": m.run.State, "jobs": m.Jobs})
		}
		o.json.write("lineage", map[string]any{"run": filepath.Base(info.dir), "attempt": len(before) + 1, "retry_of": before, "retries": list})
		return nil
	}
	if len(before) > 0 {
		fmt.Fprintf(o.a.stdout, "attempt %d: a retry of run %s\n", len(before)+1, strings.Join(before, ", a retry of run "))
	}
	for _, m := range after {
		state := string(m.run.State)
		if state == "" {
			state = "no longer there"
		}
		fmt.Fprintf(o.a.stdout, "rows of it were sent again by run %s: %s\n", m.Run, state)
	}
	return nil
}
