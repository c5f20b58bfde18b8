package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
	"migrate/pkg/salesforce"
	"migrate/pkg/sources"
)

// statsFlag are the flags that every working command has beside its own.
type statsFlag struct {
	stats time.Duration
	yes   bool
}

func (s *statsFlag) add(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&s.stats, "stats", 10*time.Second, "time between two lines of progress where there is no terminal")
	cmd.Flags().BoolVar(&s.yes, "yes", false, "do what takes records out of the org without asking")
}

// output tells a run: its plan, its progress, its end. Progress goes to stderr; the summary goes to stdout, or JSON lines do.
type output struct {
	a        *app
	json     *jsonLines // nil: text
	progress progress
	parent   string
	missing  atomic.Int64 // contents of records that exports could not have
}

// progress shows where jobs stand while they run. Its methods are called from several goroutines.
type progress interface {
	start(jobs []pipeline.Job)
	update(pipeline.Progress)
	print(line string) // a line of its own, without harm to what is shown
	stop()
}

func (a *app) output(s statsFlag) *output {
	o := &output{a: a}
	switch {
	case a.global.json:
		o.json = newJSONLines(a.stdout, s.stats)
		o.progress = o.json
	case a.global.quiet:
		o.progress = plainProgress(a.stderr, 0)
	case a.isTerminal():
		o.progress = newBars(a.stderr)
	default:
		o.progress = plainProgress(a.stderr, s.stats)
	}
	return o
}

// isTerminal reports whether bars can be drawn on stderr.
func (a *app) isTerminal() bool {
	f, ok := a.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return false
	}
	ci, _ := a.env("CI")
	dumb, _ := a.env("TERM")
	return ci == "" && dumb != "dumb"
}

// text prints a line of the plan.
func (o *output) text(format string, args ...any) {
	if o.json == nil && !o.a.global.quiet {
		fmt.Fprintf(o.a.stderr, format+"\n", args...)
	}
}

// begin tells of a run that begins; loads says that it has some, and does not only export.
func (o *output) begin(dir, org, parent string, loads bool) {
	o.parent = parent
	if loads {
		o.text("run %s into %s", filepath.Base(dir), org)
	} else {
		o.text("run %s out of %s", filepath.Base(dir), org)
	}
	if parent != "" {
		o.text("sends rows of run %s again", parent)
	}
	if o.json != nil {
		o.json.write("plan", map[string]any{"run": filepath.Base(dir), "folder": dir, "org": org, "parent": parent})
	}
}

// resume tells that a run goes on; dead is the process that has worked on it and ended without a word, if there was one.
func (o *output) resume(dir, org string, run checkpoint.Run, dead *checkpoint.Holder) {
	o.text("run %s goes on into %s", run.ID, org)
	if dead != nil {
		o.text("taken over from %s, which has ended without a word", dead)
	}
	if run.Message != "" {
		o.text("it had stopped: %s", run.Message)
	}
	if o.json != nil {
		o.json.write("plan", map[string]any{"run": run.ID, "folder": dir, "org": org, "resumed": true, "taken_over": dead != nil})
	}
}

// job prints what was decided for a job before its first row is read.
func (o *output) job(j plan.Job, about []plan.About, d plan.Decisions) {
	if o.json != nil {
		var files []string
		for _, f := range about {
			files = append(files, f.Text)
		}
		o.json.write("plan", map[string]any{"job": j.Name, "object": j.Object, "operation": j.Operation, "files": files,
			"mapped": d.Mapped, "unsent": d.Unsent, "notes": d.Notes})
		return
	}
	head := fmt.Sprintf("%s: %s %s", j.Name, j.Operation, j.Object)
	if j.Key != "" {
		head += " by " + j.Key
	}
	o.text("%s", head)
	for _, f := range about {
		o.text("  reads   %s", f.Text)
		for _, n := range f.Notes {
			o.text("          %s", n)
		}
	}
	if o.a.global.verbose || j.AutoMap {
		o.text("  sends   %s", strings.Join(d.Mapped, ", "))
	}
	if len(d.Unsent) > 0 {
		o.text("  unsent  %s", strings.Join(d.Unsent, ", "))
	}
	if j.Nulls != "" {
		o.text("  empty   values: %s", j.Nulls)
	}
	for _, n := range d.Notes {
		o.text("  note    %s", n)
	}
}

func (o *output) jobs(jobs []pipeline.Job) { o.progress.start(jobs) }

func (o *output) endProgress() { o.progress.stop() }

func (o *output) events() pipeline.Events {
	e := pipeline.Events{
		Progress: o.progress.update,
		Warning: func(job, message string) {
			if o.json != nil {
				fields := map[string]any{"message": message}
				if job != "" {
					fields["job"] = job
				}
				o.json.write("warning", fields)
				return
			}
			if job != "" {
				message = job + ": " + message
			}
			o.progress.print("warning: " + message)
		},
	}
	if o.a.global.verbose && o.json == nil {
		e.Bulk = func(job string, chunk int64, b bulk2.Job) {
			o.progress.print(fmt.Sprintf("%s: chunk %d: job %s %s", job, chunk, b.ID, b.State))
		}
	}
	return e
}

// summary prints how a run has ended: the ledger, the commonest errors, where the reports lie, what to do next.
func (o *output) summary(dir string, sum pipeline.Summary, client *salesforce.Client, err error) {
	if o.json != nil {
		o.json.summary(dir, sum, client, err)
		return
	}
	w := o.a.stdout
	printLedger(w, sum)
	if used, limit, ok := client.Usage(); ok {
		fmt.Fprintf(w, "%s by this command; the org counts %s of %s today\n", count(client.Calls(), "API call"), number(used), number(limit))
	}
	printErrors(w, dir, sum)
	printReports(w, dir, sum)
	printNext(w, dir, sum, err)
}

// status prints where a run stands.
func (o *output) status(dir string, sum pipeline.Summary) {
	if o.json != nil {
		o.json.summary(dir, sum, nil, nil)
		return
	}
	w := o.a.stdout
	fmt.Fprintf(w, "run %s: %s", sum.Run.ID, sum.Run.State)
	if sum.Run.Message != "" {
		fmt.Fprintf(w, " (%s)", sum.Run.Message)
	}
	fmt.Fprintf(w, "\nbegun %s by: %s\n", sum.Run.Created.Local().Format("2006-01-02 15:04:05"), sum.Run.Command)
	printLedger(w, sum)
	printErrors(w, dir, sum)
	printReports(w, dir, sum)
	if sum.Run.State != checkpoint.RunDone {
		fmt.Fprintf(w, "go on with: %s resume %s\n", invocation(), runArg(dir))
	}
}

func printLedger(w io.Writer, sum pipeline.Summary) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "job\tobject\toperation\tread\tfiltered\trejected\tsucceeded\tfailed\tunprocessed\tpending\t")
	row := func(name, object, operation string, l checkpoint.Ledger) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", name, object, operation, number(l.Read), number(l.Filtered), number(l.Rejected),
			number(l.Succeeded), number(l.Failed), number(l.Unprocessed), number(l.Pending))
	}
	for _, j := range sum.Jobs {
		row(j.Name, j.Object, j.Operation, j.Ledger)
	}
	if len(sum.Jobs) > 1 {
		row("all", "", "", sum.Total)
	}
	t.Flush()
	l := sum.Total
	switch {
	case !l.Balanced():
		fmt.Fprintln(w, "THE LEDGER DOES NOT BALANCE")
	case l.Pending > 0:
		fmt.Fprintf(w, "the ledger balances; %s not settled yet\n", count(l.Pending, "row"))
	case l.Unaccounted > 0:
		fmt.Fprintf(w, "THE LEDGER HAS A GAP: %s named by no result of the org, see %s\n", count(l.Unaccounted, "row"), pipeline.UnaccountedFile)
	case !slices.ContainsFunc(sum.Jobs, func(j pipeline.JobSummary) bool { return j.Operation != exportOperation }):
		fmt.Fprintln(w, "the ledger balances: the rows that the org has found are published")
	default:
		fmt.Fprintln(w, "the ledger balances: read = filtered + rejected + succeeded + failed + unprocessed")
	}
	if l.Blank > 0 {
		fmt.Fprintf(w, "%s skipped\n", count(l.Blank, "blank line"))
	}
}

// reportFolder is where the reports of a job lie.
func reportFolder(dir string, sum pipeline.Summary, job string) string {
	if len(sum.Jobs) > 1 {
		return filepath.Join(dir, job)
	}
	return dir
}

// shownErrors is how many codes are shown for each report.
const shownErrors = 5

func printErrors(w io.Writer, dir string, sum pipeline.Summary) {
	for _, j := range sum.Jobs {
		for _, file := range pipeline.ReportFiles {
			path := filepath.Join(reportFolder(dir, sum, j.Name), file)
			codes, err := pipeline.CountErrors(path)
			if err != nil {
				fmt.Fprintf(w, "%s cannot be read: %v\n", path, err)
			}
			for i, c := range codes {
				if i == shownErrors {
					fmt.Fprintf(w, "  … and %s more\n", count(int64(len(codes)-shownErrors), "code"))
					break
				}
				if i == 0 {
					fmt.Fprintf(w, "%s, %s:\n", j.Name, strings.TrimSuffix(file, ".csv"))
				}
				fmt.Fprintf(w, "  %6s × %s, as in %s line %d: %s\n", number(c.Rows), c.Code, c.File, c.Line, oneLine(c.Message))
			}
		}
	}
}

func printReports(w io.Writer, dir string, sum pipeline.Summary) {
	fmt.Fprintf(w, "reports in %s:\n", dir)
	for _, file := range append(slices.Clone(pipeline.ReportFiles), pipeline.SuccessFile) {
		var names []string
		for _, j := range sum.Jobs {
			path := filepath.Join(reportFolder(dir, sum, j.Name), file)
			if _, err := os.Stat(path); err == nil {
				name, _ := filepath.Rel(dir, path)
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			fmt.Fprintf(w, "  %s\n", strings.Join(names, ", "))
		}
	}
	fmt.Fprintf(w, "  %s\n", checkpoint.FileName)
}

// printNext prints the command that the user needs now.
func printNext(w io.Writer, dir string, sum pipeline.Summary, err error) {
	switch {
	case sum.Run.State != checkpoint.RunDone && err != nil && !errors.Is(err, pipeline.ErrAccounting):
		var syntax *sources.SyntaxError
		if errors.As(err, &syntax) {
			fmt.Fprintf(w, "the rows before %s line %d are settled; put what follows into a file of its own, with the header, mend it and load that\n", syntax.Path, syntax.Line)
			return
		}
		fmt.Fprintf(w, "go on with: %s resume %s\n", invocation(), runArg(dir))
	case sum.Total.Failed > 0:
		file, job := firstWith(dir, sum, pipeline.FailedFile, func(l checkpoint.Ledger) bool { return l.Failed > 0 })
		fmt.Fprintf(w, "put the rows right in a copy of %s, then: %s retry %s%s --with COPY.csv\n", file, invocation(), runArg(dir), job)
	case sum.Total.Unprocessed > 0:
		fmt.Fprintf(w, "the org did not try them; to send them as they are: %s retry %s\n", invocation(), runArg(dir))
	case sum.Total.Rejected > 0:
		file, job := firstWith(dir, sum, pipeline.RejectedFile, func(l checkpoint.Ledger) bool { return l.Rejected > 0 })
		fmt.Fprintf(w, "put the rejected rows right in a copy of %s, then: %s retry %s%s --with COPY.csv\n", file, invocation(), runArg(dir), job)
	case err == nil:
		printBroken(w, sum)
	}
}

// firstWith is the report of the first job that has such rows, and the flag that names the job where there are several.
func firstWith(dir string, sum pipeline.Summary, report string, has func(checkpoint.Ledger) bool) (file, flag string) {
	for _, j := range sum.Jobs {
		if !has(j.Ledger) {
			continue
		}
		if len(sum.Jobs) > 1 {
			flag = " --job " + shellWord(j.Name)
		}
		return filepath.Join(reportFolder(dir, sum, j.Name), report), flag
	}
	return "", ""
}

// printBroken points from a sample that ran well to its twin with faults.
func printBroken(w io.Writer, sum pipeline.Summary) {
	for arg := range strings.FieldsSeq(sum.Run.Command) {
		folder, file := filepath.Split(arg)
		if !strings.HasSuffix(file, ".yaml") || folder == "" {
			continue
		}
		broken := filepath.Join(filepath.Clean(folder)+"-broken", file)
		if _, err := os.Stat(broken); err == nil {
			fmt.Fprintf(w, "to see a load with faults: %s run %s --org local\n", invocation(), broken)
			return
		}
	}
}

// runArg is what to call a run on the command line: its folder, unless its name is enough.
func runArg(dir string) string {
	if filepath.Dir(filepath.Dir(dir)) == defaultStateDir {
		return shellWord(filepath.Base(dir))
	}
	return shellWord(dir)
}

// printError prints an error on stderr, or as a JSON line.
// warn tells what may go wrong, outside of a run.
func (a *app) warn(text string) {
	if a.global.json {
		newJSONLines(a.stdout, 0).print(text)
		return
	}
	fmt.Fprintf(a.stderr, "warning: %s\n", text)
}

func (a *app) printError(err error, code int) {
	if a.global.json {
		newJSONLines(a.stdout, 0).write("error", map[string]any{"message": err.Error(), "exit_code": code})
		return
	}
	fmt.Fprintf(a.stderr, "migrate: %v\n", err)
	var usage *usageError
	if errors.As(err, &usage) && usage.command != "" {
		fmt.Fprintf(a.stderr, "%s --help shows the flags\n", usage.command)
	}
}

// number writes 1234567 as 1,234,567.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(n) + " " + what + "s"
}

// oneLine makes a message fit into a line.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 160 {
		return string(r[:159]) + "…"
	}
	return s
}
