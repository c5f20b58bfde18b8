package main

import (
	"strings"

	"github.com/spf13/cobra"

	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
)

func (a *app) exportCommand() *cobra.Command {
	var (
		org   orgSpec
		job   plan.Export
		flags runFlags
	)
	cmd := &cobra.Command{
		Use:   "export QUERY|OBJECT --to TARGET",
		Short: "Bring the records of a SOQL query, or all of an object, into a file or a database",
		Long: "Bring the records of a SOQL query, or all of an object with all of its fields, into a file or a database.\n\n" +
			"TARGET is FILE.csv, FILE.jsonl (each also .gz or .zst), FILE.parquet, a folder with a slash at its end (and --format), or the address of a\n" +
			"database, postgres://, mysql:// or sqlite:FILE, best in an environment variable: --to '${REPORTING_DB}'. What is there before stays until all rows\n" +
			"have come and were counted. Then all of them appear at once, beside a file with its manifest.\n\n" +
			"With --files the content of each record, such as VersionData of ContentVersion, comes into a file of its own, named by its Id.\n\n" +
			"What is exported again and again, changes only, stands in a plan; see migrate run.",
		Example: "  migrate export Account --to accounts.parquet --org prod\n" +
			"  migrate export \"SELECT Id, Name, Owner.Name FROM Account WHERE IsActive__c = true\" --to accounts.csv.gz --org prod\n" +
			"  migrate export \"SELECT Id, Title FROM ContentVersion WHERE IsLatest = true\" --to versions.csv --files contents/ --org prod",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := flags.parse()
			if err != nil {
				return err
			}
			if err := job.To.Check(a.env); err != nil {
				return usagef("--to: %w", err)
			}
			if err := plan.CheckFiles(job.Files); err != nil {
				return usagef("--files: %w", err)
			}
			job.Query = args[0]
			return a.start(cmd.Context(), newRun{plan: plan.Plan{Version: plan.Version, Exports: []plan.Export{job}}, name: "export", options: options, reserve: flags.reserve,
				bounds: flags.bounds, command: commandLine(cmd, args), connect: a.connector(cmd.Context(), org)}, a.output(flags.statsFlag))
		},
	}
	f := cmd.Flags()
	f.StringVar(&job.To.Path, "to", "", "file, folder/ or address of a database")
	f.StringVar(&job.Files, "files", "", "folder for the contents of the records, a file for each: of ContentVersion and other objects with one field of type base64")
	f.StringVar(&job.To.Format, "format", "", "csv, csv.gz, csv.zst, jsonl, jsonl.gz, jsonl.zst or parquet (default: as the name of the file says)")
	f.BoolVar(&job.To.Overwrite, "overwrite", false, "replace the file, or the files of the folder, that an earlier export has left")
	f.StringVar(&job.To.Table, "table", "", "table of the database (default: the object in lower case)")
	f.BoolVar(&job.To.Merge, "merge", false, "merge into the table by Id (default: its rows are replaced)")
	f.BoolVar(&job.To.AddColumns, "add-columns", false, "add columns that the table does not have")
	f.BoolVar(&job.AllRows, "all-rows", false, "deleted and archived records, too")
	f.Int64Var(&job.SliceRows, "slice-rows", pipeline.SliceRows, "most records that one query job is asked for, as far as that can be foreseen")
	f.IntVar(&flags.options.Concurrency, "concurrency", pipeline.DefaultConcurrency, "query jobs in flight, at most")
	flags.reserve.add(cmd)
	flags.bounds.add(cmd)
	flags.statsFlag.add(cmd)
	org.add(cmd)
	return cmd
}

// nameOf names the job of an export without a plan.
func nameOf(x plan.Export, e plan.Extract) string {
	if x.Name != "" {
		return x.Name
	}
	return strings.ToLower(e.Object)
}
