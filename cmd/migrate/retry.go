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

	"github.com/spf13/cobra"

	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
)

func (a *app) retryCommand() *cobra.Command {
	var (
		org   orgSpec
		flags runFlags
		with  []string
		job   string
	)
	cmd := &cobra.Command{
		Use:   "retry [RUN]",
		Short: "Send the failed and unprocessed rows of a finished run again, as a new run (default: the newest)",
		Long: "Send the failed and unprocessed rows of a finished run again, as a new run with the same mapping.\n" +
			"With --with FILE the rows of that file are sent instead: a copy of a report whose rows were put right.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := flags.parse()
			if err != nil {
				return err
			}
			info, err := a.pickRun(cmd.Context(), args, func(r checkpoint.Run) bool { return r.State == checkpoint.RunDone }, "finished")
			if err != nil {
				return err
			}
			lock, err := checkpoint.Acquire(info.dir, commandLine(cmd, args)) // no second retry of these rows meanwhile
			if err != nil {
				return err
			}
			defer lock.Release()
			store, err := checkpoint.OpenReadOnly(cmd.Context(), info.dir)
			if err != nil {
				return err
			}
			run, spec, err := readSpec(cmd.Context(), store)
			store.Close()
			if err != nil {
				return err
			}
			if run.State != checkpoint.RunDone {
				return usagef("run %s is not finished; %s resume %s first", run.ID, invocation(), runArg(info.dir))
			}
			var recorded orgSpec
			if err := json.Unmarshal([]byte(run.Org), &recorded); err != nil {
				return fmt.Errorf("run %s: its org cannot be read: %w", run.ID, err)
			}
			if recorded.Name == localName {
				recorded.Dir = mustAbs(localPath(info.dir, recorded.Dir)) // the same org, seen from another run folder
				if recorded.Schema != "" {
					recorded.Schema = mustAbs(localPath(info.dir, recorded.Schema))
				}
			}
			jobs, err := retryJobs(info.dir, spec.Plan.Jobs, with, job)
			if err != nil {
				return err
			}
			if runs := filepath.Dir(info.dir); a.global.stateDir == "" && filepath.Base(runs) == runsDirName {
				a.global.stateDir = filepath.Dir(runs) // beside the run that it follows
			}
			if err := a.notRetried(cmd.Context(), run.ID, jobs, len(with) > 0); err != nil {
				return err
			}
			p := plan.Plan{Version: spec.Plan.Version, Path: spec.Plan.Path, Jobs: jobs}
			return a.start(cmd.Context(), newRun{plan: p, options: options, reserve: flags.reserve, parent: run.ID, command: commandLine(cmd, args), yes: flags.yes,
				connect: func(dir string) (*connection, error) { return a.reconnect(cmd.Context(), run.ID, recorded, org, dir) },
			}, a.output(flags.statsFlag))
		},
	}
	cmd.Flags().StringArrayVar(&with, "with", nil, "send the rows of this file instead: a report with its rows put right")
	cmd.Flags().StringVar(&job, "job", "", "only this job of the run")
	org.add(cmd)
	flags.add(cmd)
	return cmd
}

// notRetried refuses to send the rows of a run a second time: while a retry of it is unfinished, and, unless the user names
// a file, when one has come to its end.
func (a *app) notRetried(ctx context.Context, run string, jobs []plan.Job, chosen bool) error {
	runs, err := a.findRuns(ctx)
	if err != nil {
		return err
	}
	for _, r := range runs {
		var spec runSpec
		if r.err != nil || json.Unmarshal([]byte(r.run.Plan), &spec) != nil || spec.Parent != run {
			continue
		}
		same := slices.ContainsFunc(spec.Plan.Jobs, func(j plan.Job) bool {
			return slices.ContainsFunc(jobs, func(k plan.Job) bool { return j.Name == k.Name })
		})
		switch {
		case r.run.State != checkpoint.RunDone:
			return usagef("run %s sends rows of run %s again and is not finished; %s resume %s", r.run.ID, run, invocation(), runArg(r.dir))
		case same && !chosen:
			return usagef("run %s has sent these rows of run %s again; what failed once more is in its reports: %s retry %s", r.run.ID, run, invocation(), runArg(r.dir))
		}
	}
	return nil
}

// retryJobs makes the jobs of a run read from its reports.
func retryJobs(dir string, all []plan.Job, with []string, only string) ([]plan.Job, error) {
	var jobs []plan.Job
	for _, j := range all {
		if only != "" && j.Name != only {
			continue
		}
		paths := slices.Clone(with)
		if len(with) == 0 {
			folder := dir
			if len(all) > 1 {
				folder = filepath.Join(dir, j.Name)
			}
			for _, file := range []string{pipeline.FailedFile, pipeline.UnprocessedFile} {
				path := filepath.Join(folder, file)
				if _, err := os.Stat(path); err == nil {
					paths = append(paths, path)
				} else if !errors.Is(err, fs.ErrNotExist) {
					return nil, err
				}
			}
		}
		if len(paths) == 0 {
			continue
		}
		j.Source = plan.Source{Paths: paths, CSV: plan.CSV{Delimiter: ",", Quote: `"`, Escape: `"`, Encoding: "utf-8"}} // as reports are written
		j.Limit = 0
		jobs = append(jobs, j)
	}
	if only != "" && !slices.ContainsFunc(all, func(j plan.Job) bool { return j.Name == only }) {
		return nil, usagef("the run has no job %q", only)
	}
	if len(with) > 0 && len(jobs) > 1 {
		return nil, usagef("the run has %d jobs; say with --job which one the file is for", len(jobs))
	}
	if len(jobs) == 0 {
		return nil, usagef("there is nothing to send again: no failed and no unprocessed rows in %s", dir)
	}
	return jobs, nil
}
