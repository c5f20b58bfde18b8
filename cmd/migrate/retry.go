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
	"strings"

	"github.com/spf13/cobra"

	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
	"migrate/pkg/retry"
	"migrate/pkg/sources"
)

func (a *app) retryCommand() *cobra.Command {
	var (
		org   orgSpec
		flags runFlags
		again retryRows
		job   string
	)
	cmd := &cobra.Command{
		Use:   "retry [RUN]",
		Short: "Send the failed and unprocessed rows of a finished run again, as a new run (default: the newest)",
		Long: "Send the failed and unprocessed rows of a finished run again, as a new run with the same mapping.\n" +
			"With --with FILE they have the values of that file where it has the row: a copy of a report whose rows were put right, which names them by\n" +
			"migrate_file and migrate_line, or the source file itself, put right on the same lines. A row that did not fail is never sent again.",
		Example: "  migrate retry --only UNABLE_TO_LOCK_ROW,unprocessed\n  migrate retry --with fixed.csv --only corrected",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := flags.parse()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			info, err := a.pickRun(ctx, args, func(r checkpoint.Run) bool { return r.State == checkpoint.RunDone }, "finished")
			if err != nil {
				return err
			}
			lock, err := checkpoint.Acquire(info.dir, commandLine(cmd, args)) // no second retry of these rows meanwhile
			if err != nil {
				return err
			}
			defer lock.Release()
			store, err := checkpoint.OpenReadOnly(ctx, info.dir)
			if err != nil {
				return err
			}
			defer store.Close()
			run, spec, err := readSpec(ctx, store)
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
			again.dir, again.run, again.several = info.dir, run.ID, spec.several()
			jobs, err := again.choose(spec.Plan.Jobs, job)
			if err != nil {
				return err
			}
			if again.marks, err = finishedRetries(ctx, info.dir); err != nil {
				return err
			}
			if again.with != "" {
				if again.source, err = firstSource(ctx, info.dir, jobs[0]); err != nil {
					return err
				}
			}
			if runs := filepath.Dir(info.dir); a.global.stateDir == "" && filepath.Base(runs) == runsDirName {
				a.global.stateDir = filepath.Dir(runs) // beside the run that it follows
			}
			p := plan.Plan{Version: spec.Plan.Version, Path: spec.Plan.Path, Jobs: jobs}
			return a.start(ctx, newRun{plan: p, options: options, reserve: flags.reserve, bounds: flags.bounds, parent: run.ID, retry: &again, command: commandLine(cmd, args), yes: flags.yes,
				connect: func(dir string) (*connection, error) { return a.reconnect(ctx, run.ID, recorded, org, dir) },
			}, a.output(flags.statsFlag))
		},
	}
	cmd.Flags().StringVar(&again.with, "with", "", "take the values of this file for the rows that it has: a copy of a report, or the source file, put right")
	cmd.Flags().StringSliceVar(&again.only, "only", nil, "only rows with these error codes, unprocessed, or corrected: those that are in the file of --with")
	cmd.Flags().StringVar(&job, "job", "", "only this job of the run")
	org.add(cmd)
	flags.add(cmd)
	return cmd
}

// retryRows are the rows of a finished run that a new one sends again.
type retryRows struct {
	dir, run string // the finished run
	several  bool   // it has several jobs, so each has a folder for its reports
	marks    []retryMark
	with     string
	only     []string
	source   retry.Source // of the job that with is for
}

// folder is where the reports of a job lie.
func (r *retryRows) folder(job string) string {
	if r.several {
		return filepath.Join(r.dir, job)
	}
	return r.dir
}

// choose keeps the jobs that have rows to send.
func (r *retryRows) choose(all []plan.Job, only string) ([]plan.Job, error) {
	if only != "" && !slices.ContainsFunc(all, func(j plan.Job) bool { return j.Name == only }) {
		return nil, usagef("the run has no job %q", only)
	}
	if r.with == "" && slices.ContainsFunc(r.only, func(o string) bool { return strings.EqualFold(o, retry.OnlyCorrected) }) {
		return nil, usagef("--only %s are the rows that a corrected file has; name it: --with FILE", retry.OnlyCorrected)
	}
	reports := []string{pipeline.FailedFile, pipeline.UnprocessedFile}
	if r.with != "" || len(r.only) > 0 {
		reports = append(reports, pipeline.RejectedFile) // of these no row is sent unless it is named
	}
	var jobs []plan.Job
	for _, j := range all {
		if only != "" && j.Name != only {
			continue
		}
		for _, file := range reports {
			_, err := os.Stat(filepath.Join(r.folder(j.Name), file))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			jobs = append(jobs, j)
			break
		}
	}
	if r.with != "" && len(jobs) > 1 {
		return nil, usagef("the run has %d jobs with such rows; say with --job which one the file is for", len(jobs))
	}
	if len(jobs) == 0 {
		return nil, usagef("there is nothing to send again: no failed and no unprocessed rows in %s%s", r.dir, r.elsewhere(all, only))
	}
	return jobs, nil
}

// elsewhere points to rows that are not sent again by themselves.
func (r *retryRows) elsewhere(all []plan.Job, only string) string {
	for _, j := range all {
		path := filepath.Join(r.folder(j.Name), pipeline.UnaccountedFile)
		if _, err := os.Stat(path); err == nil && (only == "" || only == j.Name) {
			return fmt.Sprintf("; the rows of %s may be in the org, look there, and load those that are not as a file of their own", path)
		}
		path = filepath.Join(r.folder(j.Name), pipeline.RejectedFile)
		if _, err := os.Stat(path); err == nil && (only == "" || only == j.Name) {
			return fmt.Sprintf("; put the rows of %s right in a copy, and name it: --with COPY.csv", path)
		}
	}
	return ""
}

// gather writes the rows to send into the folder of the new run, and makes the jobs that read them.
func (r *retryRows) gather(ctx context.Context, jobs []plan.Job, dir string, out *output) ([]plan.Job, error) {
	var sent []plan.Job
	var all []retry.Counts
	for _, j := range jobs {
		types, err := sources.DecodeTypes(j.Source.Types)
		if err != nil {
			return nil, fmt.Errorf("job %s: %w", j.Name, err)
		}
		path := filepath.Join(mustAbs(dir), retriedFile(j.Name))
		c, err := retry.Job{Folder: r.folder(j.Name), Earlier: earlier(r.marks, j.Name), Only: r.only, With: r.with, Source: r.source, Types: types, Out: path}.Gather(ctx)
		var refused *retry.RefusedError
		if errors.As(err, &refused) {
			return nil, usagef("%w\nnothing was sent", err)
		}
		if err != nil {
			return nil, fmt.Errorf("job %s: %w", j.Name, err)
		}
		all = append(all, c)
		out.gathered(r, j.Name, c)
		if c.Sent == 0 {
			continue
		}
		j.Source = plan.Source{Paths: []string{path}, Types: j.Source.Types, CSV: plan.CSV{Delimiter: ",", Quote: `"`, Escape: `"`, Encoding: "utf-8"}} // as reports are written
		j.Limit = 0
		sent = append(sent, j)
	}
	if len(sent) == 0 {
		return nil, r.nothing(all)
	}
	return sent, nil
}

// nothing says why no row is left to send.
func (r *retryRows) nothing(all []retry.Counts) error {
	var others []string
	var rejected int64
	for _, c := range all {
		others = append(others, codes(c.Others)...)
		rejected += c.Rejected
	}
	switch {
	case len(others) > 0:
		return usagef("no row of run %s is one of --only %s; it has %s", r.run, strings.Join(r.only, ","), strings.Join(others, ", "))
	case slices.ContainsFunc(all, func(c retry.Counts) bool { return len(c.Retried) > 0 }):
		last := r.marks[len(r.marks)-1]
		return usagef("run %s has sent these rows of run %s again; what failed once more is in its reports: %s retry %s", last.Run, r.run, invocation(), runArg(last.folder(r.dir)))
	case rejected > 0:
		return usagef("there is nothing to send again: %s stopped before they were sent; put them right in a copy of their report, and name it: --with COPY.csv", count(rejected, "row"))
	}
	return usagef("there is nothing to send again in %s", r.dir)
}

// gathered tells which rows of a job are sent again, and which are not.
func (o *output) gathered(r *retryRows, job string, c retry.Counts) {
	if o.json != nil {
		o.json.write("plan", map[string]any{"job": job, "parent": r.run, "rows": c.Sent, "corrected": c.Corrected, "sent_by_earlier_retries": c.Retried, "of_other_codes": c.Others,
			"not_put_right": c.Rejected, "unaccounted": c.Unaccounted})
		return
	}
	line := fmt.Sprintf("%s: %s to send again", job, count(c.Sent, "row"))
	if r.with != "" {
		line = fmt.Sprintf("%s: %s with values of %s, %s as they were", line, number(c.Corrected), r.with, number(c.Sent-c.Corrected))
	}
	o.text("%s", line)
	if c.File != "" {
		o.text("  %s is taken for %s: it has its columns and its number of rows, and each row that did not get in is on its line", r.with, c.File)
	}
	if len(c.Missing) > 0 {
		o.text("  %s lacks %s; the values of the report are taken", r.with, strings.Join(c.Missing, ", "))
	}
	for _, m := range r.marks {
		if n := c.Retried[m.Run]; n > 0 {
			o.text("  left out: %s that run %s has sent again", count(n, "row"), m.Run)
		}
	}
	if len(c.Others) > 0 {
		o.text("  left out: %s, of other codes; they can be sent later", strings.Join(codes(c.Others), ", "))
	}
	if c.Rejected > 0 {
		o.text("  left out: %s stopped before they were sent, and not put right", count(c.Rejected, "row"))
	}
	if c.Unaccounted > 0 {
		o.text("  left out: %s that no result has named, in %s; they may be in the org: look there, and load those that are not as a file of their own",
			count(c.Unaccounted, "row"), filepath.Join(r.folder(job), pipeline.UnaccountedFile))
	}
}

// codes are codes with their numbers, the commonest first.
func codes(n map[string]int64) []string {
	var list []string
	for code := range n {
		list = append(list, code)
	}
	slices.SortFunc(list, func(a, b string) int {
		if n[a] != n[b] {
			return int(max(-1, min(1, n[b]-n[a])))
		}
		return strings.Compare(a, b)
	})
	for i, code := range list {
		list[i] = fmt.Sprintf("%s × %s", number(n[code]), code)
	}
	return list
}
