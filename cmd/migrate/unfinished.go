package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"migrate/pkg/checkpoint"
	"migrate/pkg/export"
)

// planRef says what a run command works on, so that the same command knows its runs again.
type planRef struct {
	File string   `json:"file"`           // the plan, absolute
	Jobs []string `json:"jobs,omitempty"` // that were named, sorted; none = all
}

// refOf is that of the arguments of run.
func refOf(args []string) planRef {
	jobs := slices.Sorted(slices.Values(args[1:]))
	return planRef{File: mustAbs(args[0]), Jobs: slices.Compact(jobs)}
}

func (r planRef) String() string { return strings.Join(append([]string{r.File}, r.Jobs...), " ") }

// same reports whether both are of one plan. The path counts before the file that it leads to: where a plan is mounted into a container, the same
// path leads to another file each time.
func (r planRef) same(other planRef) bool {
	if !slices.Equal(r.Jobs, other.Jobs) {
		return false
	}
	if r.File == other.File {
		return true
	}
	a, err1 := os.Stat(r.File)
	b, err2 := os.Stat(other.File)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

// moved reports whether the other one may be this plan at the place where it was before.
func (r planRef) moved(other planRef) bool {
	_, err := os.Stat(other.File)
	return err != nil && filepath.Base(r.File) == filepath.Base(other.File) && slices.Equal(r.Jobs, other.Jobs)
}

// hold keeps others from working on the same at the same time, so that between looking for a run and beginning one nobody else begins one.
func (r planRef) hold(state, command string) (*checkpoint.Lock, error) {
	name := strings.Join(append([]string{filepath.Base(r.File)}, r.Jobs...), "+")
	dir := filepath.Join(state, locksDirName, "plans", name[:min(len(name), 200)]) // a folder's name has 255 bytes at most
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("--resume: %w", err)
	}
	lock, err := checkpoint.Acquire(dir, command)
	if err != nil {
		return nil, fmt.Errorf("--resume: %w", err)
	}
	return lock, nil
}

// unfinished finds the folder of the newest run of the same that has not come to its end, "" when there is none.
func (r planRef) unfinished(ctx context.Context, state string) (string, error) {
	runs, err := runsIn(ctx, state)
	if err != nil {
		return "", err
	}
	for _, info := range runs {
		if info.err != nil && !errors.Is(info.err, checkpoint.ErrNotFound) { // that one was left before anything was sent
			return "", fmt.Errorf("--resume: whether %s is to go on cannot be told, since it cannot be read; put that folder elsewhere, or name the run to go on with: %s resume RUN: %w",
				info.dir, invocation(), info.err)
		}
	}
	for _, info := range runs {
		if info.err != nil || info.run.State == checkpoint.RunDone {
			continue
		}
		var spec struct {
			Of planRef `json:"of"`
		}
		if err := json.Unmarshal([]byte(info.run.Plan), &spec); err != nil {
			return "", fmt.Errorf("run %s: its plan cannot be read: %w", info.run.ID, err)
		}
		switch {
		case spec.Of.File == "":
		case r.same(spec.Of):
			return info.dir, nil
		case r.moved(spec.Of):
			return "", usagef("--resume: run %s of %s is not finished, and that plan is not there any more; if it is this one, go on with %s resume %s, else put the folder of the run elsewhere",
				info.run.ID, spec.Of.File, invocation(), runArg(info.dir))
		}
	}
	return "", nil
}

// goOn goes on with the newest unfinished run of the same plan, or begins a new one when there is none.
func (a *app) goOn(ctx context.Context, n newRun, org orgSpec, change func(*runSpec) error, out *output) (err error) {
	state := a.stateDir(n.plan.Path)
	lock, err := n.of.hold(state, n.command)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	dir, err := n.of.unfinished(ctx, state)
	if err != nil {
		return err
	}
	if dir == "" {
		return a.start(ctx, n, out)
	}
	err = a.resume(ctx, dir, n.command, org, change, n.bounds, out)
	if errors.Is(err, export.ErrOvertaken) {
		err = fmt.Errorf("the run in %s: %w", dir, err)
	}
	return err
}
