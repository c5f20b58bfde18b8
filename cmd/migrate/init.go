package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"migrate/pkg/bulk2"
	"migrate/pkg/plan"
)

// sketchFlags say what a plan is sketched from.
type sketchFlags struct {
	job       plan.Job
	operation string
	from      string
	table     string
	out       string
	rows      int64
}

func (a *app) initCommand() *cobra.Command {
	var org orgSpec
	var f sketchFlags
	cmd := &cobra.Command{
		Use:   "init FILE…",
		Short: "Sketch a plan for files or a table and an object, each decision with its reason",
		Long: "Sketch a plan: each column of the source goes to the field with its API name, its label, or the same form of one of them.\n" +
			"The first rows say what steps the values need. The reason of each decision stands beside it; what leaves a choice is commented\n" +
			"out. Nothing is sent. The plan goes to stdout, or into a new file with --out.",
		Example: "  migrate init accounts.csv --object Account --org local --out migrate.yaml\n" +
			"  migrate init --from '${CRM_DSN}' --table customer --object Account --org local",
		RunE: func(cmd *cobra.Command, files []string) error {
			if err := f.check(files, a.env); err != nil {
				return err
			}
			return a.sketch(cmd.Context(), f, org)
		},
	}
	set := cmd.Flags()
	set.StringVar(&f.job.Object, "object", "", "API name of the object")
	set.StringVar(&f.operation, "operation", "insert", "insert, update, upsert, delete or hardDelete")
	set.StringVar(&f.job.Key, "key", "", "external id field of an upsert")
	set.StringVar(&f.job.Name, "job", "", "name of the job (default: the object, in small letters)")
	set.StringVar(&f.job.Timezone, "timezone", "", "whose the times are that name no timezone, such as Europe/Berlin")
	set.StringVar(&f.from, "from", "", "address of a database, such as '${CRM_DSN}', postgres://… or sqlite:FILE; what is secret stands in environment variables")
	set.StringVar(&f.table, "table", "", "table of the database")
	set.StringVar(&f.out, "out", "-", "new file for the plan; - is stdout")
	set.Int64Var(&f.rows, "rows", 1000, "rows to look at")
	csvFlags(cmd, &f.job.Source.CSV)
	org.add(cmd)
	return cmd
}

// check completes the job.
func (f *sketchFlags) check(files []string, env func(string) (string, bool)) (err error) {
	f.job.Operation = bulk2.Operation(f.operation)
	switch {
	case f.job.Object == "":
		return usagef("--object is missing: which object the rows are to become, such as Account")
	case !slices.Contains(bulk2.Operations, f.job.Operation):
		return usagef("--operation %q: insert, update, upsert, delete or hardDelete", f.operation)
	case f.rows < 1:
		return usagef("--rows %d: a number of rows, 1 or more", f.rows)
	case (f.from == "") != (f.table == ""):
		return usagef("--from and --table go together: the database, and the table in it")
	case f.from == "" && len(files) == 0:
		return usagef("which file? or --from DATABASE with --table")
	case f.from != "" && (len(files) > 0 || f.job.Source.CSV != plan.CSV{}):
		return usagef("either files or --from with --table")
	}
	for _, file := range files {
		if file == "-" || strings.Contains(file, "${") {
			return usagef("%s: a plan cannot name such a file; put the rows in a file with another name", file)
		}
	}
	if f.job.Name == "" {
		f.job.Name = strings.ToLower(f.job.Object)
	}
	if f.out != "-" {
		f.job.Path = f.out
		if _, err := os.Lstat(f.out); !errors.Is(err, fs.ErrNotExist) {
			return f.outError(err)
		}
	}
	csv := f.job.Source.CSV
	if f.from != "" {
		f.job.Source, err = plan.Table(f.from, f.table, env)
	} else {
		f.job.Source, err = plan.Files(files)
	}
	if f.job.Source.CSV = csv; err != nil {
		return &usageError{err: err}
	}
	return nil
}

func (f *sketchFlags) outError(err error) error {
	if err == nil || errors.Is(err, fs.ErrExist) {
		return usagef("--out %s: the file is there already, and a plan is not overwritten; take another name or remove it", f.out)
	}
	return usagef("--out: %w", err)
}

// sketch looks at the source and the object, and writes the plan.
func (a *app) sketch(ctx context.Context, f sketchFlags, org orgSpec) (err error) {
	dir, err := os.MkdirTemp("", "migrate-init-") // for rows of a database
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	head := f.job.Source
	if head.Query != nil {
		head, err = head.Query.SpoolHead(ctx, filepath.Join(dir, "head"), f.rows, a.env)
	} else if head, err = head.Expand(); err != nil {
		err = &usageError{err: err}
	}
	if err != nil {
		return err
	}
	src, about, err := head.Open(a.env)
	if err != nil {
		return &usageError{err: err}
	}
	sample, err := plan.ReadSample(ctx, src, f.rows)
	if err != nil {
		return err
	}
	defer sample.Release()
	conn, err := a.connect(ctx, org, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if f.job.Source.Query != nil {
		about = nil // it tells of the sample, not of the table
	}
	draft, err := plan.Sketch{Job: f.job, About: about, Sample: sample, Describe: describer(ctx, conn.Client), Lookup: a.env}.Draw()
	if err != nil {
		return err
	}
	if f.out == "-" {
		if _, err := fmt.Fprint(a.stdout, draft.Text); err != nil {
			return err
		}
	} else if err := f.write(draft.Text); err != nil {
		return err
	}
	if !a.global.quiet {
		a.tellDraft(draft, f.out)
	}
	return nil
}

// write makes the file of the plan. There are no secrets in one, so that others may read it.
func (f *sketchFlags) write(text string) error {
	file, err := os.OpenFile(f.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return f.outError(err)
	}
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the plan: %w", err), os.Remove(f.out))
	}
	return nil
}

// tellDraft says what is left to do.
func (a *app) tellDraft(d plan.Draft, out string) {
	fmt.Fprintf(a.stderr, "%d of %s mapped\n", d.Mapped, count(int64(d.Columns), "column"))
	if len(d.Missing) > 0 {
		fmt.Fprintf(a.stderr, "required, and not mapped yet: %s\n", strings.Join(d.Missing, ", "))
	}
	if out != "-" {
		fmt.Fprintf(a.stderr, "go through %s, then: %s plan %s\n", out, invocation(), out)
	}
}
