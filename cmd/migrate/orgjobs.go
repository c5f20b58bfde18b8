package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/salesforce"
)

// youngJob is the age up to which a job that no run knows is not taken for an orphan: a run writes an id down when the org's answer
// has arrived, a moment after the job was made.
const youngJob = 2 * time.Minute

// orgJobs is what the command org jobs is asked for.
type orgJobs struct {
	org                                        orgSpec
	query, all, orphans, abort, allUsers, sure bool
}

func (a *app) orgJobsCommand() *cobra.Command {
	var o orgJobs
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "List the Bulk API 2.0 jobs that the org still keeps, and abort those that nobody works on",
		Long: "List the Bulk API 2.0 jobs that the org still keeps (7 days), with the run of the state folder that knows them.\n\n" +
			"An orphan is an ingest job that has not ended and that no run of the state folder knows. A run that was killed between two steps may\n" +
			"leave an open one without rows, which never runs. A job of another program, another machine or another state folder is an orphan, too:\n" +
			"from here they look the same. --abort shows the orphans, asks, and aborts them; rows that the org has worked on stay as they are.\n" +
			"Jobs younger than " + fmt.Sprint(youngJob) + " are left, since a run may be about to write them down. Query jobs are known to no run and end by themselves.",
		Example: "  migrate org jobs --orphans --abort --org prod",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.jobsOfOrg(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.query, "query", false, "query jobs instead of ingest jobs")
	f.BoolVar(&o.all, "all", false, "both kinds")
	f.BoolVar(&o.orphans, "orphans", false, "only orphans")
	f.BoolVar(&o.abort, "abort", false, "abort the orphans, after a question")
	f.BoolVar(&o.sure, "yes", false, "do not ask")
	f.BoolVar(&o.allUsers, "all-users", false, "also jobs that other users have made")
	o.org.add(cmd)
	return cmd
}

// keptJob is a job of the org beside what is known of it here.
type keptJob struct {
	bulk2.Listed
	run  string // that knows it
	left leftover
}

// leftover says whether a job is one that nobody works on.
type leftover int

const (
	notLeft leftover = iota // a run knows it, or it has ended, or it queries
	young                   // a run may write it down any moment
	orphan
)

func (a *app) jobsOfOrg(ctx context.Context, o orgJobs) (err error) {
	switch {
	case (o.orphans || o.abort) && o.query:
		return usagef("no run writes down its query jobs, so none can be told to be an orphan; they end by themselves")
	case o.query && o.all:
		return usagef("--all has query jobs, too; say one of --query and --all")
	}
	conn, err := a.connect(ctx, o.org, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	user, err := conn.UserID(ctx)
	if err != nil {
		return err
	}
	jobs, others, err := listJobs(ctx, conn, o, user)
	if err != nil {
		return err
	}
	// The runs are read behind the list: what a run had made by then is written down by now, or young.
	known, unread, err := a.knownJobs(ctx)
	if err != nil {
		return err
	}
	findOrphans(jobs, known, conn)
	if o.orphans || o.abort {
		jobs = slices.DeleteFunc(jobs, func(j keptJob) bool { return j.left == notLeft })
	}
	if err := a.printJobs(jobs, user, others); err != nil {
		return err
	}
	if unread != nil {
		a.warn(fmt.Sprintf("%v; what it knows looks like an orphan", unread))
	}
	if !o.abort {
		return nil
	}
	jobs = slices.DeleteFunc(jobs, func(j keptJob) bool { return j.left != orphan })
	if len(jobs) == 0 {
		return nil
	}
	if unread != nil {
		return fmt.Errorf("nothing is aborted: %w", unread)
	}
	if err := a.mayAbort(ctx, o, len(jobs)); err != nil {
		return err
	}
	return a.abortOrphans(ctx, bulk2.New(conn.Client), jobs)
}

// listJobs reads the lists that are asked for, the oldest job first. others is how many jobs of other users are left out.
func listJobs(ctx context.Context, conn *connection, o orgJobs, user string) (jobs []keptJob, others int, err error) {
	kinds := []bulk2.JobKind{bulk2.IngestJobs, bulk2.QueryJobs}
	switch {
	case o.query:
		kinds = kinds[1:]
	case !o.all || o.orphans || o.abort:
		kinds = kinds[:1]
	}
	for _, kind := range kinds {
		for j, err := range bulk2.New(conn.Client).List(ctx, kind) {
			switch {
			case err != nil:
				return nil, 0, err
			case j.CreatedBy != user && !o.allUsers:
				others++
			default:
				jobs = append(jobs, keptJob{Listed: j})
			}
		}
	}
	slices.SortFunc(jobs, func(x, y keptJob) int { return cmp.Or(x.Created.Compare(y.Created), strings.Compare(x.ID, y.ID)) })
	return jobs, others, nil
}

// knownJobs are the ingest jobs of all runs of the state folders, with the name of the run. unread is the first error of a run
// that cannot be asked.
func (a *app) knownJobs(ctx context.Context) (known map[string]string, unread, err error) {
	runs, err := a.findRuns(ctx)
	if err != nil {
		return nil, nil, err
	}
	known = map[string]string{}
	for _, r := range runs {
		if errors.Is(r.err, checkpoint.ErrNotFound) {
			continue // it has made no job yet: its checkpoint comes first
		}
		ids, err := jobsOfRun(ctx, r)
		if err != nil {
			unread = cmp.Or(unread, fmt.Errorf("run %s cannot be read: %w", filepath.Base(r.dir), err))
		}
		for _, id := range ids {
			known[id] = filepath.Base(r.dir)
		}
	}
	return known, unread, nil
}

func jobsOfRun(ctx context.Context, r runInfo) ([]string, error) {
	if r.err != nil {
		return nil, r.err
	}
	s, err := checkpoint.OpenReadOnly(ctx, r.dir)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.SalesforceIDs(ctx)
}

// findOrphans tells what is left over, by the clock of the org.
func findOrphans(jobs []keptJob, known map[string]string, conn *connection) {
	now, ok := conn.Now()
	if !ok {
		now = time.Now()
	}
	for i := range jobs {
		j := &jobs[i]
		j.run = known[j.ID]
		switch {
		case j.run != "" || j.State.Terminal() || j.Kind == bulk2.QueryJobs:
		case now.Sub(j.Created) < youngJob:
			j.left = young
		default:
			j.left = orphan
		}
	}
}

func (a *app) printJobs(jobs []keptJob, user string, others int) error {
	if a.global.json {
		out := newJSONLines(a.stdout, 0)
		for _, j := range jobs {
			out.write("job", map[string]any{"id": j.ID, "kind": j.Kind, "object": j.Object, "operation": j.Operation, "state": j.State, "created": j.Created,
				"created_by": j.CreatedBy, "mine": j.CreatedBy == user, "run": j.run, "orphan": j.left == orphan, "young": j.left == young})
		}
		return nil
	}
	counts := [orphan + 1]int64{}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "JOB\tOBJECT\tOPERATION\tSTATE\tMADE\tBY\tRUN")
	for _, j := range jobs {
		by, run := j.CreatedBy, cmp.Or(j.run, "-")
		if by == user {
			by = "you"
		}
		switch j.left {
		case orphan:
			run = "none: an orphan"
		case young:
			run = "none yet"
		}
		counts[j.left]++
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", j.ID, j.Object, j.Operation, j.State, j.Created.Local().Format("2006-01-02 15:04:05"), by, run)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if n := counts[orphan]; n > 0 {
		fmt.Fprintf(a.stdout, "%s: not ended, and known to no run in %s. Another program, machine or state folder may be working with what looks like one.\n",
			count(n, "orphan"), strings.Join(a.stateDirs(), ", "))
	}
	if n := counts[young]; n > 0 {
		fmt.Fprintf(a.stdout, "%s younger than %v: a run may be about to write it down, so it counts as no orphan yet.\n", count(n, "job"), youngJob)
	}
	if others > 0 {
		fmt.Fprintf(a.stdout, "%s of other users not shown; --all-users shows them.\n", count(int64(others), "job"))
	}
	return nil
}

// mayAbort asks the user. Where no runs could have been found every job looks like an orphan, so that is refused.
func (a *app) mayAbort(ctx context.Context, o orgJobs, n int) error {
	there := func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, runsDirName))
		return !errors.Is(err, fs.ErrNotExist)
	}
	if dirs := a.stateDirs(); !slices.ContainsFunc(dirs, there) {
		return usagef("nothing is aborted: there are no runs in %s, so that the jobs of every run would look like orphans; name the state folder with --state-dir, "+
			"or if it is lost, make an empty folder %s", strings.Join(dirs, ", "), filepath.Join(dirs[0], runsDirName))
	}
	if o.sure {
		return nil
	}
	in, ok := a.stdin.(*os.File)
	if a.global.json || !ok || !term.IsTerminal(int(in.Fd())) {
		return usagef("nothing is aborted: there is no terminal on which to ask; say --yes if that is what you want")
	}
	fmt.Fprintf(a.stderr, "abort %s? rows that the org has worked on stay as they are. [y/N] ", count(int64(n), "job"))
	line, err := bufio.NewReader(a.input(ctx)).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return errors.Join(errors.New("nothing is aborted"), err)
	}
	return nil
}

// abortOrphans aborts jobs one after another and tells of each. A job that is refused does not keep the others; an org that takes no calls
// does.
func (a *app) abortOrphans(ctx context.Context, org *bulk2.Client, jobs []keptJob) error {
	known, unread, err := a.knownJobs(ctx) // the answer may have taken its time
	if err = errors.Join(err, unread); err != nil {
		return fmt.Errorf("nothing is aborted: %w", err)
	}
	left := int64(len(jobs))
	var first error
	for _, j := range jobs {
		if run := known[j.ID]; run != "" {
			a.tellAbort(j.ID, j.State, fmt.Sprintf("left, run %s knows it by now", run))
			left--
			continue
		}
		state, err := abortJob(ctx, org, j.ID)
		if err == nil {
			a.tellAbort(j.ID, state, "it is "+string(state))
			left--
			continue
		}
		a.tellAbort(j.ID, j.State, "not aborted: "+err.Error())
		first = cmp.Or(first, err)
		if ctx.Err() != nil || errors.Is(err, salesforce.ErrAuth) || errors.Is(err, salesforce.ErrLimit) {
			break
		}
	}
	if left > 0 {
		return fmt.Errorf("%s not aborted, the first one because of this: %w", count(left, "job"), first)
	}
	return nil
}

// abortJob aborts a job. The state is what the org says of it at the end, which is another where the job had ended before.
func abortJob(ctx context.Context, org *bulk2.Client, id string) (bulk2.State, error) {
	_, err := org.Abort(ctx, id)
	switch {
	case bulk2.IsGone(err):
		return "gone", nil
	case bulk2.IsUnclear(err):
		if now, e := org.Job(ctx, id); e == nil && now.State.Terminal() {
			return now.State, nil
		}
	}
	return bulk2.StateAborted, err
}

func (a *app) tellAbort(id string, state bulk2.State, what string) {
	if a.global.json {
		newJSONLines(a.stdout, 0).write("job", map[string]any{"id": id, "state": state, "aborted": state == bulk2.StateAborted, "message": what})
		return
	}
	fmt.Fprintf(a.stdout, "%s: %s\n", id, what)
}
