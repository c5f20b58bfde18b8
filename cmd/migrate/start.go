package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
	"migrate/pkg/salesforce"
	"migrate/pkg/sources"
)

// runSpec is what a checkpoint keeps of a run's making, so that resume needs neither the plan file nor the flags.
type runSpec struct {
	Plan    plan.Plan        `json:"plan"` // with its jobs as they were decided: nothing is matched by name again
	Options pipeline.Options `json:"options"`
	Parent  string           `json:"parent,omitempty"`     // the run whose bad rows this one sends again
	Reserve reserve          `json:"reserve_api,omitzero"` // API calls that it leaves to others
	Exports []exportSpec     `json:"exports,omitempty"`
	Of      planRef          `json:"of,omitzero"`   // the command that goes on with it; zero = none does by itself
	IDs     int64            `json:"ids,omitempty"` // newest entry of the id map when the run began: what it may refer to
}

// several reports whether the run has several jobs, whose reports lie apart.
func (s runSpec) several() bool { return len(s.Plan.Jobs)+len(s.Exports) > 1 }

// newRun is what a new run is made from.
type newRun struct {
	plan    plan.Plan
	name    string // of the run; "" = of the plan's folder, or of the first job
	options pipeline.Options
	reserve reserve
	bounds  bounds
	parent  string     // the run whose rows it sends again, or empty
	retry   *retryRows // which rows these are; nil = it is no retry
	of      planRef    // zero = no run --resume goes on with it
	command string     // what the user typed
	yes     bool       // records may be taken out of the org
	// rehearsal says that nothing outside of the run folder is to be touched.
	rehearsal bool
	connect   func(dir string) (*connection, error)
}

// start makes a new run and works on it to its end.
func (a *app) start(ctx context.Context, n newRun, out *output) (err error) {
	for _, j := range n.plan.Jobs {
		if (j.Operation == bulk2.Delete || j.Operation == bulk2.HardDelete) && !n.yes {
			return usagef("job %s takes records out of the org (%s); say --yes if that is what you want", j.Name, j.Operation)
		}
	}
	name := n.name
	switch {
	case name != "":
	case n.plan.Path != "":
		name = filepath.Base(filepath.Dir(mustAbs(n.plan.Path)))
	default:
		name = n.plan.Jobs[0].Name
	}
	state := a.stateDir(n.plan.Path)
	release, err := n.bounds.hold(state, n.command)
	if err != nil {
		return err
	}
	defer release()
	dir, err := newRunFolder(state, name, time.Now())
	if err != nil {
		return err
	}
	begun := false
	defer func() {
		if !begun {
			os.RemoveAll(dir) // nothing was sent: leave no folder behind that looks like a run
		}
	}()
	lock, err := checkpoint.Acquire(dir, n.command)
	if err != nil {
		return err
	}
	defer lock.Release()
	conn, err := n.connect(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	out.begin(dir, conn.title, n.parent, len(n.plan.Jobs) > 0)
	if conn.local != nil {
		a.warnDangling(conn.local)
	}
	if n.retry != nil {
		if n.plan.Jobs, err = n.retry.gather(ctx, n.plan.Jobs, dir, out); err != nil {
			return err
		}
	}
	spool := func(q plan.Query, path string) (plan.Source, error) { return q.Spool(ctx, path, a.env) }
	if n.plan.Jobs, err = a.findFiles(ctx, n.plan.Jobs, dir, spool); err != nil {
		return err
	}
	parents, upTo, err := openParents(ctx, &n.plan, dir, conn, -1, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parents.Close()) }()
	jobs, decided, err := a.compile(ctx, conn.Client, n.plan.Jobs, nil, parents, out)
	if err != nil {
		return err
	}
	asked, err := a.findExports(ctx, n, dir, conn, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, asked.Close()) }()
	if err := a.group(ctx, dir, jobs, decided, out); err != nil {
		return err
	}
	n.plan.Jobs = nil
	for i, d := range decided {
		if d.Pinned.Source.Types, err = sources.EncodeTypes(jobs[i].Source.Schema()); err != nil {
			return fmt.Errorf("job %s: %w", d.Pinned.Name, err)
		}
		n.plan.Jobs = append(n.plan.Jobs, d.Pinned)
	}
	if n.retry != nil {
		undo, err := n.retry.mark(dir, n.plan.Jobs)
		if err != nil {
			return err
		}
		defer func() {
			if !begun {
				undo()
			}
		}()
	}
	spec := runSpec{Plan: n.plan, Options: n.options, Reserve: n.reserve, Parent: n.parent, IDs: upTo, Exports: asked.list, Of: n.of}
	spec.Plan.Exports = nil // they are decided
	jobs = a.both(spec, jobs, nil, dir, conn, out)
	store, err := create(ctx, dir, n.command, spec, conn, jobs, out)
	if err != nil {
		return err
	}
	defer store.Close()
	begun = true
	return a.work(ctx, dir, store, conn, jobs, parents, spec, n.bounds, out)
}

// both puts the exports of a run between its loads, as they stand in the plan. skip names jobs that are done already.
func (a *app) both(spec runSpec, loads []pipeline.Job, skip map[string]bool, dir string, conn *connection, out *output) []pipeline.Job {
	lines := map[string]int{}
	for _, j := range spec.Plan.Jobs {
		lines[j.Name] = j.Line
	}
	jobs := slices.Clone(loads)
	for i := len(spec.Exports) - 1; i >= 0; i-- {
		x := spec.Exports[i]
		if skip[x.Name] {
			continue
		}
		at := 0
		for k, j := range loads {
			if lines[j.Name] <= x.Line {
				at = k + 1
			}
		}
		jobs = slices.Insert(jobs, at, a.exportJob(x, dir, conn, out))
	}
	for i := range jobs {
		if spec.several() && jobs[i].Export == nil {
			jobs[i].Reports = jobs[i].Name
		}
	}
	return jobs
}

// standardInput is the file in a run folder that holds what came on standard input.
const standardInput = "standard-input.csv"

// findFiles puts files in place of patterns, and spools standard input and the results of queries into the run folder, so that they can
// be read again. A query is run by ask.
func (a *app) findFiles(ctx context.Context, list []plan.Job, dir string, ask func(q plan.Query, path string) (plan.Source, error)) ([]plan.Job, error) {
	list = slices.Clone(list)
	asked := map[plan.Query]plan.Source{}
	for i := range list {
		s := &list[i].Source
		if s.Kind == plan.KindQuery {
			known, ok := asked[*s.Query]
			if !ok {
				var err error
				if known, err = ask(*s.Query, filepath.Join(mustAbs(dir), list[i].Name+spoolExt)); err != nil {
					return nil, fmt.Errorf("job %s: %w", list[i].Name, err)
				}
				asked[*s.Query] = known // a second pass reads the same
			}
			*s = known
			continue
		}
		if slices.Equal(s.Paths, []string{"-"}) {
			path := filepath.Join(mustAbs(dir), standardInput)
			if err := sources.Spool(ctx, a.input(ctx), path); err != nil {
				return nil, err
			}
			s.Paths, s.Names = []string{path}, map[string]string{path: sources.StandardInput}
			continue
		}
		var err error
		if *s, err = s.Expand(); err != nil {
			return nil, &usageError{err: fmt.Errorf("job %s: %w", list[i].Name, err)}
		}
	}
	return list, nil
}

// compile opens the sources of the jobs and checks the jobs against the org. skip names jobs that are done already. It also
// returns what was decided for them, with the jobs as resume is to take them.
func (a *app) compile(ctx context.Context, client *salesforce.Client, list []plan.Job, skip map[string]bool, parents plan.Parents, out *output) ([]pipeline.Job, []plan.Decisions, error) {
	describe := describer(ctx, client)
	var jobs []pipeline.Job
	var decided []plan.Decisions
	var found plan.Error
	for _, j := range list {
		if skip[j.Name] {
			continue
		}
		src, about, err := j.Source.Open(a.env)
		if err != nil {
			return nil, nil, &usageError{err: fmt.Errorf("job %s: %w", j.Name, err)}
		}
		compiled, decisions, err := j.Compile(src, describe, parents)
		var bad *plan.Error
		switch {
		case errors.As(err, &bad):
			found.Findings = append(found.Findings, bad.Findings...)
			continue
		case err != nil:
			return nil, nil, fmt.Errorf("job %s: %w", j.Name, err)
		}
		out.job(j, about, decisions)
		jobs = append(jobs, compiled)
		decided = append(decided, decisions)
	}
	if len(found.Findings) > 0 {
		return nil, nil, &found
	}
	return jobs, decided, nil
}

// create writes the checkpoint of a new run.
func create(ctx context.Context, dir, command string, spec runSpec, conn *connection, jobs []pipeline.Job, out *output) (*checkpoint.Store, error) {
	specText, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	orgText, err := json.Marshal(conn.spec)
	if err != nil {
		return nil, err
	}
	var jobRows []checkpoint.Job
	var splitRows []checkpoint.Split
	for _, j := range jobs {
		if j.Export != nil {
			x := spec.Exports[slices.IndexFunc(spec.Exports, func(x exportSpec) bool { return x.Name == j.Name })]
			splits, rows, err := x.splits(ctx, conn, orgNow(conn.Client))
			if err != nil {
				return nil, err
			}
			out.forecastFiles(x, rows)
			jobRows = append(jobRows, checkpoint.Job{Name: j.Name, Object: j.Object, Operation: exportOperation, Spec: "{}"})
			splitRows = append(splitRows, splits...)
			continue
		}
		text, err := json.Marshal(spec.Plan.Jobs[slices.IndexFunc(spec.Plan.Jobs, func(p plan.Job) bool { return p.Name == j.Name })])
		if err != nil {
			return nil, err
		}
		jobRows = append(jobRows, checkpoint.Job{Name: j.Name, Object: j.Object, Operation: string(j.Operation), Spec: string(text)})
		for _, s := range j.Source.Splits() {
			text, err := json.Marshal(s)
			if err != nil {
				return nil, err
			}
			next, err := json.Marshal(s.Start)
			if err != nil {
				return nil, err
			}
			splitRows = append(splitRows, checkpoint.Split{Job: j.Name, ID: s.ID, Spec: string(text), Next: string(next)})
		}
	}
	run := checkpoint.Run{ID: filepath.Base(dir), Created: beginning(ctx, dir, time.Now()), Command: command, Plan: string(specText), Org: string(orgText)}
	return checkpoint.Create(ctx, dir, run, jobRows, splitRows)
}

// work runs the pipeline and prints how it ends.
func (a *app) work(ctx context.Context, dir string, store *checkpoint.Store, conn *connection, jobs []pipeline.Job, parents *parents, spec runSpec, bound bounds, out *output) error {
	if err := removeSpools(dir, false); err != nil {
		return err
	}
	cfg := pipeline.Config{Dir: dir, Checkpoint: store, Org: bulk2.New(conn.Client), Jobs: jobs, Options: spec.Options, Events: withCounts(out.events(), jobs),
		IDs: parents.ids.view, Spent: bound.spent(spec.Reserve, conn.Client), PutOff: conn.PutOff}
	if conn.local != nil {
		cfg.PollEvery = localPoll // its calls cost nothing
	} else if err := out.limits(ctx, conn.Client, store, jobs, spec.Options); err != nil {
		if sum, e := pipeline.Summarize(context.WithoutCancel(ctx), store); e == nil {
			out.summary(dir, sum, conn.Client, err) // there is a run by now
		}
		return err
	}
	out.jobs(jobs)
	sum, err := pipeline.Run(ctx, cfg)
	out.endProgress()
	if sum.Run.State == checkpoint.RunDone {
		if err := errors.Join(parents.closeAnswers(), removeSpools(dir, true)); err != nil {
			out.text("warning: what only the run needed is left in its folder: %v", err)
		}
	}
	out.summary(dir, sum, conn.Client, err)
	var syntax *sources.SyntaxError
	var refused *pipeline.JobFailedError
	switch l := sum.Total; {
	case err == nil && l.Rejected+l.Failed+l.Unprocessed > 0:
		return errFailedRows
	case err == nil && out.missing.Load() > 0:
		return errMissingFiles
	case errors.As(err, &syntax) && l.Jobs > 0, errors.As(err, &refused) && l.Succeeded > 0:
		return &partlyError{err}
	}
	return err
}

// localPoll is the least time between two looks at a job of an org inside the process.
const localPoll = 50 * time.Millisecond

// errSourceGone is said of a file that a run began with.
var errSourceGone = errors.New("is not there; was it moved, or was the run begun in another folder?")

// changedSources reports the source files of a run that are no longer what they were.
func changedSources(splits []checkpoint.Split) error {
	var errs []error
	for _, sp := range splits {
		var s sources.Split
		if err := json.Unmarshal([]byte(sp.Spec), &s); err != nil {
			return fmt.Errorf("split %s: %w", sp.ID, err)
		}
		if s.Range != nil {
			errs = append(errs, goneRange(sp, s))
			continue
		}
		file := s.Path
		if s.File != "" {
			file = s.File // Path is what the user calls it
		}
		now, err := sources.FingerprintFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s %w", s.Path, errSourceGone))
			continue
		}
		if err != nil {
			return err
		}
		if diff := s.Fingerprint.Diff(now); diff != "" {
			errs = append(errs, fmt.Errorf("%s has changed since the run began: %s: %w", s.Path, diff, sources.ErrChanged))
		}
	}
	return errors.Join(errs...)
}

// mustAbs is filepath.Abs for paths that are only shown or taken apart.
func mustAbs(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
