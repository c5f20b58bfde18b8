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

	"github.com/spf13/cobra"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
)

// exportSpec is what a checkpoint keeps of an export.
type exportSpec struct {
	plan.Extract
	AllRows bool       `json:"all_rows,omitempty"`
	To      exportGoal `json:"to"`
}

// exportOperation is what a checkpoint calls what an export does.
const exportOperation = "export"

func (a *app) exportCommand() *cobra.Command {
	var (
		org   orgSpec
		spec  exportSpec
		flags runFlags
	)
	cmd := &cobra.Command{
		Use:   "export QUERY|OBJECT --to TARGET",
		Short: "Bring the records of a SOQL query, or all of an object, into a file or a database",
		Long: "Bring the records of a SOQL query, or all of an object with all of its fields, into a file or a database.\n\n" +
			"TARGET is FILE.csv, FILE.jsonl (each also .gz or .zst), FILE.parquet, a folder with a slash at its end (and --format), or the address of a\n" +
			"database, postgres://, mysql:// or sqlite:FILE, best in an environment variable: --to '${REPORTING_DB}'. What is there before stays until all rows\n" +
			"have come and were counted. Then all of them appear at once, beside a file with its manifest.",
		Example: "  migrate export Account --to accounts.parquet --org prod\n" +
			"  migrate export \"SELECT Id, Name, Owner.Name FROM Account WHERE IsActive__c = true\" --to accounts.csv.gz --org prod",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := flags.parse()
			if err != nil {
				return err
			}
			if err := spec.To.check(a.env); err != nil {
				return err
			}
			return a.startExport(cmd.Context(), args[0], spec, newRun{options: options, reserve: flags.reserve, command: commandLine(cmd, args),
				connect: a.connector(cmd.Context(), org)}, a.output(flags.statsFlag))
		},
	}
	f := cmd.Flags()
	spec.To.add(f)
	f.BoolVar(&spec.AllRows, "all-rows", false, "deleted and archived records, too")
	f.IntVar(&flags.options.Concurrency, "concurrency", pipeline.DefaultConcurrency, "query jobs in flight, at most")
	flags.reserve.add(cmd)
	flags.statsFlag.add(cmd)
	org.add(cmd)
	return cmd
}

// startExport makes the run of an export and works on it to its end.
func (a *app) startExport(ctx context.Context, query string, spec exportSpec, n newRun, out *output) (err error) {
	dir, err := newRunFolder(a.stateDir(""), "export", time.Now())
	if err != nil {
		return err
	}
	begun := false
	defer func() {
		if !begun {
			os.RemoveAll(dir) // nothing was asked
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
	if spec.Extract, err = plan.CompileExtract(query, describer(ctx, conn.Client)); err != nil {
		return err
	}
	spec.To = spec.To.settle(spec.Object)
	out.beginExport(dir, conn.title, spec)
	// What stands in the way of the target is found now and not when all rows have come.
	sink, err := spec.To.open(spec.Extract, a.env, false, out.warning)
	if err != nil {
		return err
	}
	if err := sink.Close(); err != nil {
		return err
	}
	whole := runSpec{Options: n.options, Reserve: n.reserve, Export: &spec}
	text, err := json.Marshal(whole)
	if err != nil {
		return err
	}
	orgText, err := json.Marshal(conn.spec)
	if err != nil {
		return err
	}
	slice, err := json.Marshal(pipeline.Slice{SOQL: spec.SOQL})
	if err != nil {
		return err
	}
	name := strings.ToLower(spec.Object)
	store, err := checkpoint.Create(ctx, dir, checkpoint.Run{ID: filepath.Base(dir), Created: beginning(ctx, dir, time.Now()), Command: n.command, Plan: string(text), Org: string(orgText)},
		[]checkpoint.Job{{Name: name, Object: spec.Object, Operation: exportOperation, Spec: "{}"}},
		[]checkpoint.Split{{Job: name, ID: "1", Spec: string(slice), Next: "{}"}})
	if err != nil {
		return err
	}
	defer store.Close()
	begun = true
	return a.workExport(ctx, dir, store, conn, whole, out)
}

// workExport runs the pipeline and prints how it ends.
func (a *app) workExport(ctx context.Context, dir string, store *checkpoint.Store, conn *connection, spec runSpec, out *output) error {
	known, err := store.Jobs(ctx)
	if err != nil {
		return err
	}
	e := spec.Export
	job := pipeline.Job{Name: known[0].Name, Object: e.Object, Export: &pipeline.Export{Columns: e.Columns, All: e.AllRows}}
	job.Export.Open, job.Export.Published = a.target(ctx, e, filepath.Base(dir), job.Name, conn, out)
	cfg := pipeline.Config{Dir: dir, Checkpoint: store, Query: bulk2.New(conn.Client), Jobs: []pipeline.Job{job}, Options: spec.Options, Events: out.events(),
		Spent: spec.Reserve.spent(conn.Client), PutOff: conn.PutOff}
	if conn.local != nil {
		cfg.PollEvery = localPoll
	}
	out.jobs(cfg.Jobs)
	sum, err := pipeline.Run(ctx, cfg)
	out.endProgress()
	out.summary(dir, sum, conn.Client, err)
	return err
}

// beginExport tells what is asked and where it goes.
func (o *output) beginExport(dir, org string, spec exportSpec) {
	if o.json != nil {
		o.json.write("plan", map[string]any{"run": filepath.Base(dir), "folder": dir, "org": org, "object": spec.Object, "query": spec.SOQL, "to": spec.To.String(), "notes": spec.Notes})
		return
	}
	o.text("run %s out of %s", filepath.Base(dir), org)
	o.text("%s: export", strings.ToLower(spec.Object))
	o.text("  asks    %s", spec.SOQL)
	o.text("  writes  %s, %s", spec.To, count(int64(len(spec.Columns)), "column"))
	for _, n := range spec.Notes {
		o.text("  note    %s", n)
	}
}

// warning is for what the user should know although the run goes on.
func (o *output) warning(text string) { o.events().Warning("", text) }

// published tells where the rows are.
func (o *output) published(files []string) {
	if o.json != nil {
		o.json.write("published", map[string]any{"files": files})
		return
	}
	for _, f := range files {
		o.progress.print(fmt.Sprintf("published %s", f))
	}
}
