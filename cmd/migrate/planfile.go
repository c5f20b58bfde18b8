package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
	"migrate/pkg/salesforce"
)

func (a *app) planCommand() *cobra.Command {
	var (
		org   orgSpec
		flags runFlags
		limit int64
		scan  bool
		asked bool // for the schema
	)
	cmd := &cobra.Command{
		Use:   "plan PLAN.yaml [JOB…]",
		Short: "Check a plan against the org and say what it would do; nothing is written",
		Long: "Check a plan against the org's describe, all of it at once, put its jobs in order, and say what they would do: rows, jobs of the\n" +
			"org, calls. Rows are reckoned from the first of each file; --scan reads them all and counts what would be rejected. Rows of exports are\n" +
			"counted by the org.\n" +
			"Nothing is written, neither to the org nor to the disk. Exit code 4 when there are findings.",
		Example: "  migrate plan testdata/crm/migrate.yaml --org local --scan",
		Args: func(cmd *cobra.Command, args []string) error {
			if asked {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.MinimumNArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if asked {
				_, err := a.stdout.Write(plan.Schema)
				return err
			}
			options, err := flags.parse()
			if err != nil {
				return err
			}
			p, err := readPlan(args, limit)
			if err != nil {
				return err
			}
			if org.Name == "" && org.InstanceURL == "" {
				org.Name = p.Org
			}
			return a.foresee(cmd.Context(), p, org, options, scan, a.output(flags.statsFlag))
		},
	}
	cmd.Flags().BoolVar(&asked, "json-schema", false, "print the JSON Schema of plan files, for editors")
	cmd.Flags().BoolVar(&scan, "scan", false, "read all rows, and count what would be rejected")
	cmd.Flags().Int64Var(&limit, "limit", 0, "only the first N rows of each job")
	org.add(cmd)
	flags.add(cmd)
	return cmd
}

func (a *app) foresee(ctx context.Context, p *plan.Plan, org orgSpec, options pipeline.Options, scan bool, out *output) (err error) {
	dir, err := os.MkdirTemp("", "migrate-plan-") // where a local org would lie
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	conn, err := a.connect(ctx, org, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	parents, err := a.peekParents(ctx, p, dir, conn, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parents.Close()) }()
	out.text("plan for %s", conn.title)
	ask := func(q plan.Query, path string) (plan.Source, error) {
		if scan {
			return q.Spool(ctx, path, a.env)
		}
		return q.Foretaste(ctx, path, pipeline.SampleRows, a.env)
	}
	if p.Jobs, err = a.findFiles(ctx, p.Jobs, dir, ask); err != nil {
		return err
	}
	jobs, decided, err := a.compile(ctx, conn.Client, p.Jobs, nil, foreseen{parents, p.Jobs, scan}, out)
	asked, refused := compileExports(ctx, conn.Client, p.Exports)
	if err = bothFindings(err, refused); err != nil {
		return err
	}
	asked, exports, err := a.foreseeExports(ctx, p, asked, conn, out)
	if err != nil {
		return err
	}
	for i := range jobs {
		if _, jobs[i].Grouped, err = decided[i].Group.Worth(ctx, jobs[i].Source); err != nil {
			return fmt.Errorf("job %s: %w", jobs[i].Name, err)
		}
		if jobs[i].Grouped {
			out.grouping(jobs[i].Name, decided[i].Group)
		}
	}
	limits, err := conn.Limits(ctx)
	if err != nil {
		out.text("warning: the org's limits cannot be read: %v", err)
	}
	var list []pipeline.Forecast
	all := a.both(runSpec{Plan: *p, Exports: asked}, jobs, nil, dir, conn, out)
	for _, j := range all {
		var f pipeline.Forecast
		if j.Export == nil {
			if f, err = pipeline.Foresee(ctx, j, options, scan, dir); err != nil {
				return fmt.Errorf("job %s: %w", j.Name, err)
			}
		}
		list = append(list, f)
	}
	out.forecast(all, list, exports, limits)
	return nil
}

// bothFindings are those of two checks, or what kept one of them from its end.
func bothFindings(one, other error) error {
	var a, b *plan.Error
	if errors.As(one, &a) && errors.As(other, &b) {
		return &plan.Error{Findings: append(a.Findings, b.Findings...)}
	}
	if one != nil {
		return one
	}
	return other
}

// peekParents opens the id map that a run of the plan would have, if there is one yet.
func (a *app) peekParents(ctx context.Context, p *plan.Plan, dir string, conn *connection, out *output) (*parents, error) {
	state := a.stateDir(p.Path)
	if _, err := os.Stat(filepath.Join(state, idsFileName)); errors.Is(err, fs.ErrNotExist) {
		state = dir // an empty one, which goes with the folder
	}
	run := filepath.Join(state, runsDirName, "plan")
	list, _, err := openParents(ctx, p, run, conn, -1, out)
	if err != nil {
		return nil, err
	}
	list.dir, list.tell = dir, func(line string) { out.text("%s", line) }
	return list, nil
}

// foreseen finds parents as they will be: the rows of the plan's own jobs count as loaded. The org is asked for its records only where
// all rows are read.
type foreseen struct {
	*parents
	jobs []plan.Job
	scan bool
}

func (f foreseen) loads(job string) bool {
	return slices.ContainsFunc(f.jobs, func(j plan.Job) bool { return j.Name == job })
}

func (f foreseen) writes(object string) bool {
	return slices.ContainsFunc(f.jobs, func(j plan.Job) bool { return strings.EqualFold(j.Object, object) })
}

// someID stands for the Id of a record that is not there yet.
const someID = "000000000000000AAA"

func (f foreseen) Has(job string) (bool, error) {
	if f.loads(job) {
		return true, nil
	}
	return f.parents.Has(job)
}

func (f foreseen) Find(job string, sources []string) (map[string]string, error) {
	if !f.loads(job) {
		return f.parents.Find(job, sources)
	}
	found := map[string]string{}
	for _, s := range sources {
		found[s] = someID
	}
	return found, nil
}

func (f foreseen) InOrg(l pipeline.Lookup, keys []string) (map[string][]string, error) {
	if f.scan && !(l.Turn > 0 && f.writes(l.Object)) {
		return f.parents.InOrg(l, keys)
	}
	found := map[string][]string{}
	for _, k := range keys {
		found[k] = []string{someID}
	}
	return found, nil
}

// forecast prints what the jobs of a plan would do; exports are by their names, and have an empty forecast in the list.
func (o *output) forecast(jobs []pipeline.Job, list []pipeline.Forecast, exports map[string]exportForecast, limits map[string]salesforce.Limit) {
	var calls, batches, queries int64
	exact, unknown, about := true, false, false
	for i, f := range list {
		if jobs[i].Export != nil {
			x := exports[jobs[i].Name]
			calls, queries, unknown, about = calls+x.Calls, queries+x.Queries, unknown || x.Rows < 0, about || x.About
			continue
		}
		calls, batches = calls+f.Calls, batches+f.Batches
		exact = exact && f.Exact
	}
	if o.json != nil {
		for i, f := range list {
			fields := map[string]any{"job": jobs[i].Name, "object": jobs[i].Object, "operation": jobs[i].Operation, "read": f.Read, "filtered": f.Filtered,
				"rejected": f.Rejected, "rows": f.Rows, "bytes": f.Bytes, "rules": f.Rules, "doubts": f.Doubts, "exact": f.Exact, "ingest_jobs": f.Jobs, "batches": f.Batches, "calls": f.Calls}
			if jobs[i].Export != nil {
				x := exports[jobs[i].Name]
				fields = map[string]any{"job": jobs[i].Name, "object": jobs[i].Object, "operation": exportOperation, "rows": x.Rows, "exact": x.Rows >= 0 && !x.About, "query_jobs": x.Queries, "calls": x.Calls}
				if x.Rows < 0 {
					fields["rows"] = nil
				}
			}
			o.json.write("forecast", fields)
		}
		return
	}
	w := tabwriter.NewWriter(o.a.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "job\tobject\toperation\tread\tfiltered\trejected\tto send\tMB\tjobs\tbatches\tcalls\t\n")
	for i, f := range list {
		if jobs[i].Export != nil {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t\t\t\t\t%s\t\t%s\t\n", jobs[i].Name, jobs[i].Object, exportOperation, exports[jobs[i].Name].rows(),
				number(exports[jobs[i].Name].Queries), number(exports[jobs[i].Name].Calls))
			continue
		}
		lead := ""
		if !f.Exact {
			lead = "~"
		}
		n := func(v int64) string { return lead + number(v) }
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s%.1f\t%s\t%s\t%s\t\n", jobs[i].Name, jobs[i].Object, jobs[i].Operation, n(f.Read), n(f.Filtered), n(f.Rejected), n(f.Rows),
			lead, float64(f.Bytes)/1e6, n(f.Jobs), n(f.Batches), n(f.Calls))
	}
	w.Flush()
	for i, f := range list {
		for _, rule := range slices.Sorted(maps.Keys(f.Rules)) {
			e := f.Example[rule]
			fmt.Fprintf(o.a.stdout, "%s would reject %s: %s × %s, as in %s line %d: %s\n", jobs[i].Name, count(f.Rules[rule], "row"), number(f.Rules[rule]), rule, e.File, e.Line, e.Message)
		}
	}
	for i, f := range list {
		for _, doubt := range slices.Sorted(maps.Keys(f.Doubts)) {
			e := f.Example[doubt]
			fmt.Fprintf(o.a.stdout, "%s would send %s that the org may not take: %s × %s, as in %s line %d: %s\n", jobs[i].Name, count(f.Doubts[doubt], "value"), number(f.Doubts[doubt]), doubt, e.File, e.Line, e.Message)
		}
	}
	for _, l := range []struct {
		name, what string
		need       int64
	}{{salesforce.DailyAPIRequests, "API calls", calls}, {salesforce.DailyBulkAPIBatches, "batches", batches}, {salesforce.DailyBulkV2QueryJobs, "query jobs", queries}} {
		limit, known := limits[l.name]
		switch {
		case !known || l.need == 0:
		case l.need > limit.Remaining:
			fmt.Fprintf(o.a.stdout, "too much for today: %s %s are needed, %s of %s are left; the run would stop and can be resumed\n", number(l.need), l.what, number(limit.Remaining), number(limit.Max))
		default:
			fmt.Fprintf(o.a.stdout, "%s %s of %s that are left today\n", number(l.need), l.what, number(limit.Remaining))
		}
	}
	if !exact {
		fmt.Fprintln(o.a.stdout, "~ is reckoned from the first rows of each file; --scan reads them all")
	}
	if unknown {
		fmt.Fprintln(o.a.stdout, "? is not counted by the org: the query has an ORDER BY, a LIMIT or the like, or it takes too long")
	}
	if about {
		fmt.Fprintln(o.a.stdout, "~ of an export is what the org counts now: without deleted records, and before what the plan loads")
	}
	fmt.Fprintln(o.a.stdout, "nothing was written")
}
