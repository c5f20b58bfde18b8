package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"migrate/pkg/bulk2"
	"migrate/pkg/plan"
	"migrate/pkg/transform"
)

func (a *app) loadCommand() *cobra.Command {
	var (
		job       plan.Job
		org       orgSpec
		flags     runFlags
		maps      []string
		operation string
		nulls     string
		unmapped  string
		mapping   string
	)
	cmd := &cobra.Command{
		Use:   "load FILE…",
		Short: "Load files into one object",
		Long: "Load CSV or Parquet files into one object, a pattern of them, or - for CSV on standard input. Columns are sent to the fields of the same name, or label where that leaves no choice; --map sends one elsewhere.\n" +
			"A column that fits no field is an error, unless --map COLUMN= or --unmapped ignore leaves it out.",
		Example: "  migrate load accounts.csv --object Account --operation insert --map company=Name --org local",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := flags.parse()
			if err != nil {
				return err
			}
			if job.Object == "" {
				return usagef("--object is missing: which object the rows become, such as Account")
			}
			job.Operation = bulk2.Operation(operation)
			if !slices.Contains(bulk2.Operations, job.Operation) {
				return usagef("--operation %q: insert, update, upsert, delete or hardDelete", operation)
			}
			switch unmapped {
			case "error", "ignore":
			default:
				return usagef("--unmapped %q: error or ignore", unmapped)
			}
			job.Nulls = transform.Nulls(nulls)
			switch job.Nulls {
			case transform.NullsKeep, transform.NullsClear, transform.NullsError:
			default:
				return usagef("--nulls %q: keep, clear or error", nulls)
			}
			if job.Limit < 0 {
				return usagef("--limit %d: a number of rows, or 0 for all", job.Limit)
			}
			job.Name = strings.ToLower(job.Object)
			csv := job.Source.CSV
			if job.Source, err = plan.Files(args); err != nil {
				return &usageError{err: err}
			}
			job.Source.CSV = csv
			job.AutoMap = true
			job.IgnoreUnmapped = unmapped == "ignore"
			if mapping != "" {
				if job.Fields, err = plan.ReadSDL(mapping); err != nil {
					return &usageError{err: err}
				}
				job.AutoMap, job.FoldColumns = false, true
			}
			for _, m := range maps {
				f, err := plan.ParseMap(m)
				if err != nil {
					return usagef("--map: %w", err)
				}
				job.Fields = append(job.Fields, f)
			}
			out := a.output(flags.statsFlag)
			return a.start(cmd.Context(), newRun{plan: plan.Plan{Version: plan.Version, Jobs: []plan.Job{job}}, options: options, reserve: flags.reserve, bounds: flags.bounds,
				command: commandLine(cmd, args), yes: flags.yes, connect: a.connector(cmd.Context(), org)}, out)
		},
	}
	f := cmd.Flags()
	f.StringVar(&job.Object, "object", "", "API name of the object")
	f.StringVar(&operation, "operation", "insert", "insert, update, upsert, delete or hardDelete")
	f.StringVar(&job.Key, "key", "", "external id field of an upsert")
	f.StringArrayVar(&maps, "map", nil, "COLUMN=FIELD sends a column to a field, COLUMN= leaves it out; may be repeated")
	f.StringVar(&mapping, "mapping", "", "mapping file of Data Loader (.sdl); columns without a line there are not sent")
	f.StringVar(&unmapped, "unmapped", "error", "columns that fit no field: error, or ignore")
	f.StringVar(&nulls, "nulls", string(transform.NullsKeep), "empty values: keep (leave the field alone), clear (set it to null) or error")
	f.StringVar(&job.GroupByParent, "group-by-parent", "auto", "bring children of one parent together, lest they lock each other out: auto, off, or the lookup")
	f.Int64Var(&job.Limit, "limit", 0, "load only the first N rows")
	csvFlags(cmd, &job.Source.CSV)
	org.add(cmd)
	flags.add(cmd)
	return cmd
}

// commandLine is what the user typed, for the record. No flag takes a secret.
func commandLine(cmd *cobra.Command, args []string) string {
	parts := []string{cmd.CommandPath()}
	parts = append(parts, args...)
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if list, ok := f.Value.(pflag.SliceValue); ok {
			for _, v := range list.GetSlice() {
				parts = append(parts, "--"+f.Name, v)
			}
			return
		}
		parts = append(parts, "--"+f.Name+"="+f.Value.String())
	})
	return strings.Join(parts, " ")
}
