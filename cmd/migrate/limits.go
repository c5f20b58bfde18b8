package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
	"migrate/pkg/sources"
)

// limitsThatMatter are the org's allocations that a load uses up, with the names that people have for them.
var limitsThatMatter = []struct{ name, what, unit string }{
	{salesforce.DailyAPIRequests, "API calls", "24 hours"},
	{salesforce.DailyBulkAPIBatches, "batches", "24 hours"},
	{salesforce.DailyBulkV2QueryJobs, "query jobs", "24 hours"},
	{salesforce.DailyBulkV2QueryMB, "MB of query results", "24 hours"},
	{salesforce.DataStorageMB, "MB of data storage", ""},
	{salesforce.FileStorageMB, "MB of file storage", ""},
}

func (a *app) limitsCommand() *cobra.Command {
	var org orgSpec
	cmd := &cobra.Command{
		Use:   "limits",
		Short: "Show what is left of the org's limits: API calls, batches, query jobs, storage",
		Long: "Show what is left of the org's limits: API calls, batches, query jobs, storage.\n" +
			"Those of 24 hours are for all clients of the org together, and the org's figures may be five minutes old.",
		Example: "  migrate limits --instance-url https://acme.my.salesforce.com",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			conn, err := a.connect(cmd.Context(), org, "")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, conn.Close()) }()
			limits, err := conn.Limits(cmd.Context())
			if err != nil {
				return fmt.Errorf("the org's limits cannot be read: %w", err)
			}
			return a.printLimits(limits)
		},
	}
	org.add(cmd)
	return cmd
}

func (a *app) printLimits(limits map[string]salesforce.Limit) error {
	if a.global.json {
		out := newJSONLines(a.stdout, 0)
		for _, l := range limitsThatMatter {
			if limit, known := limits[l.name]; known {
				out.write("limit", limitFields(l.name, limit))
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "limit\tused\tleft\tmax\tin\t\n")
	for _, l := range limitsThatMatter {
		limit, known := limits[l.name]
		if !known {
			fmt.Fprintf(w, "%s\t?\t?\t?\t%s\t\n", l.what, l.unit)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t\n", l.what, number(limit.Max-limit.Remaining), number(limit.Remaining), number(limit.Max), l.unit)
	}
	return w.Flush()
}

func limitFields(name string, l salesforce.Limit) map[string]any {
	return map[string]any{"name": name, "used": l.Max - l.Remaining, "left": l.Remaining, "max": l.Max}
}

// limitsPatience is how long a run waits for the org's limits, which it only tells.
const limitsPatience = 10 * time.Second

// limits tells what is left of the org's limits when a run begins or goes on, beside about what the run needs, where that is known.
// Nothing is refused: the org has the last word.
func (o *output) limits(ctx context.Context, client *salesforce.Client, store *checkpoint.Store, jobs []pipeline.Job, options pipeline.Options) error {
	calls, known, err := callsNeeded(ctx, store, jobs, options)
	if err != nil {
		return err
	}
	ask, cancel := context.WithTimeout(ctx, limitsPatience)
	defer cancel()
	limits, err := client.Limits(ask)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		o.text("limits: they cannot be read: %v", err)
		return nil
	}
	loads := slices.ContainsFunc(jobs, func(j pipeline.Job) bool { return j.Export == nil })
	exports := slices.ContainsFunc(jobs, func(j pipeline.Job) bool { return j.Export != nil })
	uses := map[string]bool{salesforce.DailyAPIRequests: true, salesforce.DailyBulkAPIBatches: loads, salesforce.DataStorageMB: loads,
		salesforce.DailyBulkV2QueryJobs: exports, salesforce.DailyBulkV2QueryMB: exports}
	var parts []string
	for _, l := range limitsThatMatter {
		limit, there := limits[l.name]
		if !there || !uses[l.name] {
			continue
		}
		fields := limitFields(l.name, limit)
		text := fmt.Sprintf("%s of %s %s left", number(limit.Remaining), number(limit.Max), l.what)
		if l.name == salesforce.DailyAPIRequests && known {
			fields["need"] = calls
			text += fmt.Sprintf(" (this takes about %s)", number(calls))
		}
		if o.json != nil {
			o.json.write("limit", fields)
		}
		parts = append(parts, text)
	}
	o.text("limits: %s", strings.Join(parts, ", "))
	return nil
}

// callsNeeded is about how many API calls the rest of a run takes, by the bytes that are left of its files. It is not known where the size of a source is not.
func callsNeeded(ctx context.Context, store *checkpoint.Store, jobs []pipeline.Job, o pipeline.Options) (calls int64, known bool, err error) {
	size := o.ChunkBytes
	if size == 0 {
		size = bulk2.MaxUpload
	}
	var chunks int64
	for _, j := range jobs {
		if j.Export != nil {
			return 0, false, nil // how many pages there will be is known when they are there
		}
		splits, err := store.Splits(ctx, j.Name)
		if err != nil {
			return 0, false, err
		}
		for _, sp := range splits {
			var spec sources.Split
			var next sources.Position
			if err := errors.Join(json.Unmarshal([]byte(sp.Spec), &spec), json.Unmarshal([]byte(sp.Next), &next)); err != nil {
				return 0, false, fmt.Errorf("split %s: %w", sp.ID, err)
			}
			switch left := spec.End - next.Offset; {
			case sp.State == checkpoint.SplitRead:
			case spec.End == 0:
				return 0, false, nil
			case j.Limit > 0:
				chunks++
			default:
				chunks += (max(left, 0) + size - 1) / size
			}
		}
		unsettled, err := store.Unsettled(ctx, j.Name)
		if err != nil {
			return 0, false, err
		}
		chunks += int64(len(unsettled))
	}
	return chunks * pipeline.CallsOfAJob, true, nil
}

// reserve is how many API calls a run leaves to the org's other clients; the zero reserve leaves none.
type reserve struct {
	Calls   int64   `json:"calls,omitempty"`
	Percent float64 `json:"percent,omitempty"` // of the org's limit
}

// errReserve says that a run has stopped at its reserve.
var errReserve = errors.New("the rest of the API calls is kept in reserve")

// Set reads "5000" or "20%", and nothing as no reserve; it makes a flag of the reserve, with String and Type.
func (r *reserve) Set(s string) error {
	if s == "" {
		*r = reserve{}
		return nil
	}
	if p, share := strings.CutSuffix(s, "%"); share {
		v, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil || !(v >= 0 && v <= 100) {
			return errors.New("a share of the org's API calls, such as 20%, or a number of them")
		}
		*r = reserve{Percent: v}
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return errors.New("a number of API calls, such as 5000, or a share of them, such as 20%")
	}
	*r = reserve{Calls: n}
	return nil
}

func (r *reserve) String() string {
	switch {
	case r.Percent > 0:
		return strconv.FormatFloat(r.Percent, 'g', -1, 64) + "%"
	case r.Calls > 0:
		return strconv.FormatInt(r.Calls, 10)
	}
	return ""
}

func (*reserve) Type() string { return "N|N%" }

func (r *reserve) add(cmd *cobra.Command) {
	cmd.Flags().Var(r, "reserve-api", "leave so many of the org's daily API calls to others, 5000 or 20%: stop there, to be resumed (default none)")
}

// spent gives the question of a pipeline whether the run must stop for the reserve; nil when there is none.
func (r reserve) spent(client *salesforce.Client) func() error {
	if r == (reserve{}) {
		return nil
	}
	return func() error {
		left, limit, ok := client.Left()
		keep := max(r.Calls, int64(r.Percent/100*float64(limit)))
		if !ok || left > keep {
			return nil
		}
		return fmt.Errorf("%w: %s of %s are left today, and --reserve-api %s keeps %s; go on when the 24 hours have moved, or with a smaller reserve", errReserve, number(left), number(limit), r.String(), number(keep))
	}
}
