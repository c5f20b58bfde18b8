package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"migrate/pkg/checkpoint"
	"migrate/pkg/export"
	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
	"migrate/pkg/salesforce"
	"migrate/pkg/sinks"
)

// exportSpec is what a checkpoint keeps of an export.
type exportSpec struct {
	plan.Export                   // with its place as it is for this run
	Extract     plan.Extract      `json:"extract"`
	Increment   *export.Increment `json:"increment,omitempty"` // nil = it has no watermark
	// Of is the export for which this one asks for the ids of all records; "" = it is an export by itself.
	Of string `json:"of,omitempty"`
}

// exportOperation is what a checkpoint calls what an export does.
const exportOperation = "export"

// exports are those of a run, and the locks of their marks.
type exports struct {
	list  []exportSpec
	locks []*checkpoint.Lock
}

// Close lets others export the same.
func (e *exports) Close() error {
	var errs []error
	for _, l := range e.locks {
		errs = append(errs, l.Release())
	}
	e.locks = nil
	return errors.Join(errs...)
}

// markDir is where an export remembers how far it has come: in the state folder of a run, or, when the org is one of this run alone, in its folder.
func markDir(run, job string, conn *connection) string {
	if conn.local != nil {
		return filepath.Join(run, "exports", job)
	}
	return filepath.Join(filepath.Dir(filepath.Dir(run)), "exports", job)
}

// hold takes the locks of the marks.
func (e *exports) hold(dir, command string, conn *connection) error {
	for i := range e.list {
		x := &e.list[i]
		if x.Watermark == nil {
			continue
		}
		mark := markDir(dir, x.Name, conn)
		if err := os.MkdirAll(mark, 0o700); err != nil {
			return err
		}
		lock, err := checkpoint.Acquire(mark, command)
		if err != nil {
			return fmt.Errorf("job %s: another run exports the same: %w", x.Name, err)
		}
		e.locks = append(e.locks, lock)
		if x.Increment != nil {
			x.Increment.Dir = mark
		}
	}
	return nil
}

// findExports decides what the exports of a new run ask and where it goes.
func (a *app) findExports(ctx context.Context, n newRun, dir string, conn *connection, out *output) (found *exports, err error) {
	found = &exports{}
	defer func() {
		if err != nil {
			err = errors.Join(err, found.Close())
		}
	}()
	if found.list, err = compileExports(ctx, conn.Client, n.plan.Exports); err != nil {
		return found, err
	}
	if n.rehearsal {
		for i := range found.list {
			found.list[i].To = rehearsed(found.list[i].Export, dir)
			if x := &found.list[i]; x.Files != "" {
				x.Files = strings.TrimSuffix(x.To.Path, "/") + ".files"
			}
		}
	}
	if err := found.hold(dir, n.command, conn); err != nil {
		return found, err
	}
	if found.list, err = a.settleExports(ctx, found.list, dir, conn, filepath.Base(dir), export.Begin); err != nil {
		return found, err
	}
	for _, x := range found.list {
		if x.Of != "" {
			continue
		}
		out.export(x)
		// What stands in the way of the target is found now and not when all rows have come.
		sink, err := x.open(ctx, dir, a.env, false, out.warning)
		if err != nil {
			return found, err
		}
		if err := errors.Join(sink.Close(), x.tryFiles(ctx, dir)); err != nil {
			return found, err
		}
	}
	return found, nil
}

// compileExports checks exports against the org.
func compileExports(ctx context.Context, client *salesforce.Client, list []plan.Export) ([]exportSpec, error) {
	describe := describer(ctx, client)
	var compiled []exportSpec
	var found plan.Error
	for _, x := range list {
		extract, err := x.Compile(describe)
		var bad *plan.Error
		switch {
		case errors.As(err, &bad):
			found.Findings = append(found.Findings, bad.Findings...)
			continue
		case err != nil:
			return nil, fmt.Errorf("job %s: %w", x.Name, err)
		}
		x.Name = nameOf(x, extract)
		compiled = append(compiled, exportSpec{Export: x, Extract: extract})
	}
	if len(found.Findings) > 0 {
		return nil, &found
	}
	return compiled, nil
}

// rehearsed is where the rows go instead of their target, when nothing outside of the run folder is to be touched.
func rehearsed(x plan.Export, dir string) plan.Target {
	t := plan.Target{Path: filepath.Join(mustAbs(dir), "rehearsal", x.Name) + "/", Format: x.To.Format, Compression: x.To.Compression, PartRows: x.To.PartRows}
	if t.Format == "" {
		t.Format = "csv"
	}
	return t
}

// idsFile is where the ids of all records come for an export that compares them.
func idsFile(dir, job string) string { return filepath.Join(dir, "ids", job+".csv") }

// open opens the sink. resumed says that an earlier process of the run may have published.
func (x exportSpec) open(ctx context.Context, dir string, env func(string) (string, bool), resumed bool, tell func(string)) (sinks.Sink, error) {
	schema := pipeline.ExportSchema(x.Extract.Columns)
	if x.Of != "" {
		path := idsFile(mustAbs(dir), x.Of)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		return sinks.OpenFile(sinks.FileOptions{Path: path, Schema: schema, Overwrite: true})
	}
	sink, err := x.To.Open(ctx, schema, x.opening(resumed, tell), env)
	if err != nil {
		return nil, x.refused(err)
	}
	return sink, nil
}

// refused is an error of the target: a file or folder is a matter of the command, a database may have been away.
func (x exportSpec) refused(err error) error {
	if x.To.Database() {
		return err
	}
	return &usageError{err: err}
}

func (x exportSpec) opening(resumed bool, tell func(string)) plan.Opening {
	return plan.Opening{Resumed: resumed, Tell: tell, Copy: x.Increment != nil, Whole: x.Increment != nil && x.Increment.Whole()}
}

// job is the export as the pipeline has it.
func (a *app) exportJob(x exportSpec, dir string, conn *connection, out *output) pipeline.Job {
	j := pipeline.Job{Name: x.Name, Object: x.Extract.Object, Reads: []string{x.Extract.Object}, Export: &pipeline.Export{Columns: x.Extract.Columns, All: x.AllRows, Query: x.pager(conn, out)}}
	if x.Increment != nil && x.Increment.Compare {
		j.After = []string{x.Name + ".ids"}
	}
	j.Export.Open = func(ctx context.Context, more func() error) (pipeline.Target, error) {
		sink, err := x.open(ctx, dir, a.env, true, out.warning)
		if err != nil {
			return nil, err
		}
		cfg := export.Config{Sink: sink, Columns: x.Extract.Columns, Increment: x.Increment, OrgIDs: idsFile(dir, x.Name), Scratch: filepath.Join(dir, "compare", x.Name), Tell: out.warning}
		if x.Of != "" {
			return export.Open(cfg)
		}
		if cfg.Files, err = x.openFiles(ctx, dir, conn, more, out); err != nil {
			return nil, errors.Join(err, sink.Close())
		}
		cfg.Published = func(files []sinks.File, deleted int64, contents export.FilesTaken) {
			if len(files) > 0 {
				out.published(x, files, deleted)
			} else {
				out.text("%s: its rows were published before the run was interrupted", x.Name)
			}
			if cfg.Files != nil {
				out.contents(x, contents, cfg.Files.Path())
			}
		}
		if !x.To.Database() {
			cfg.Path = x.To.Path
			cfg.Manifest = sinks.Manifest{Run: filepath.Base(dir), Job: x.Name, Org: conn.InstanceURL(), Object: x.Extract.Object, Query: x.Extract.Query.SOQL()}
		}
		return export.Open(cfg)
	}
	return j
}

// slices are the queries of an export.
func (x exportSpec) slices(ctx context.Context, conn *connection, now time.Time) ([]pipeline.Slice, int64, error) {
	most := x.SliceRows
	if most == 0 {
		most = pipeline.SliceRows
	}
	list, rows, err := x.Extract.Query.Divide(ctx, conn.Client, most, now)
	if err != nil {
		return nil, 0, x.uncounted(err)
	}
	return list, rows, nil
}

// splits are the slices of an export as a checkpoint has them, and rows how many records they have; -1 = it is not known.
func (x exportSpec) splits(ctx context.Context, conn *connection, now time.Time) (splits []checkpoint.Split, rows int64, err error) {
	list, rows, err := x.slices(ctx, conn, now)
	if err != nil {
		return nil, 0, err
	}
	for i, s := range list {
		spec, err := json.Marshal(s)
		if err != nil {
			return nil, 0, err
		}
		splits = append(splits, checkpoint.Split{Job: x.Name, ID: fmt.Sprint(i + 1), Spec: string(spec), Next: "{}"})
	}
	return splits, rows, nil
}
