package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
)

func (a *app) resumeCommand() *cobra.Command {
	var (
		org       orgSpec
		maxErrors string
		reserve   reserve
		bound     bounds
		stats     statsFlag
	)
	cmd := &cobra.Command{
		Use:   "resume [RUN]",
		Short: "Go on with a run that was stopped, killed or interrupted (default: the newest unfinished one)",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			info, err := a.pickRun(cmd.Context(), args, func(r checkpoint.Run) bool { return r.State != checkpoint.RunDone }, "unfinished")
			if err != nil {
				return err
			}
			change := func(spec *runSpec) error {
				if maxErrors != "" {
					if spec.Options.MaxErrors, err = pipeline.ParseLimit(maxErrors); err != nil {
						return usagef("--max-errors: %w", err)
					}
				}
				if f := cmd.Flags().Lookup("reserve-api"); f.Changed {
					spec.Reserve = reserve
				}
				return nil
			}
			return a.resume(cmd.Context(), info.dir, commandLine(cmd, args), org, change, bound, a.output(stats))
		},
	}
	cmd.Flags().StringVar(&maxErrors, "max-errors", "", "another bound than at the start: 500 or 2%")
	reserve.add(cmd)
	bound.add(cmd)
	org.add(cmd)
	stats.add(cmd)
	return cmd
}

// resume goes on with a run. change puts the settings that are given anew in place of those that the run has had.
func (a *app) resume(ctx context.Context, dir, command string, org orgSpec, change func(*runSpec) error, bound bounds, out *output) (err error) {
	release, err := bound.hold(filepath.Dir(filepath.Dir(dir)), command)
	if err != nil {
		return err
	}
	defer release()
	lock, err := checkpoint.Acquire(dir, command)
	if err != nil {
		return err
	}
	defer lock.Release()
	store, err := checkpoint.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer store.Close()
	run, spec, err := readSpec(ctx, store)
	if err != nil {
		return err
	}
	if run.State == checkpoint.RunDone {
		return usagef("run %s is finished; there is nothing to resume", run.ID)
	}
	if err := change(&spec); err != nil {
		return err
	}
	done := map[string]bool{}
	known, err := store.Jobs(ctx)
	if err != nil {
		return err
	}
	for _, j := range known {
		if j.State == checkpoint.JobDone {
			done[j.Name] = true
			continue
		}
		if j.Operation == exportOperation {
			continue // it has no source
		}
		splits, err := store.Splits(ctx, j.Name)
		if err != nil {
			return err
		}
		if err := changedSources(splits); err != nil {
			return fmt.Errorf("run %s cannot go on: %w; bring the file back as it was, its time included (cp -p), or begin a new run with what is left", run.ID, err)
		}
	}
	var recorded orgSpec
	if err := json.Unmarshal([]byte(run.Org), &recorded); err != nil {
		return fmt.Errorf("run %s: its org cannot be read: %w", run.ID, err)
	}
	conn, err := a.reconnect(ctx, run.ID, recorded, org, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	out.resume(dir, conn.title, run, lock.Dead)
	asked := &exports{list: slices.DeleteFunc(slices.Clone(spec.Exports), func(x exportSpec) bool { return done[x.Name] })}
	defer func() { err = errors.Join(err, asked.Close()) }()
	if err := asked.hold(dir, command, conn); err != nil {
		return err
	}
	parents, _, err := openParents(ctx, &spec.Plan, dir, conn, spec.IDs, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parents.Close()) }()
	jobs, _, err := a.compile(ctx, conn.Client, spec.Plan.Jobs, done, parents, out)
	if err != nil {
		return err
	}
	jobs = a.both(spec, jobs, done, dir, conn, out)
	return a.work(ctx, dir, store, conn, jobs, parents, spec, bound, out)
}

// readSpec reads a run and what it was made from.
func readSpec(ctx context.Context, store *checkpoint.Store) (checkpoint.Run, runSpec, error) {
	run, err := store.Run(ctx)
	if err != nil {
		return run, runSpec{}, err
	}
	var spec runSpec
	if err := json.Unmarshal([]byte(run.Plan), &spec); err != nil {
		return run, spec, fmt.Errorf("run %s: its plan cannot be read: %w", run.ID, err)
	}
	return run, spec, nil
}
