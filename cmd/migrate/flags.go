package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
)

// fromEnvironment sets each flag that was not given from its twin in the environment: --chunk-rows is MIGRATE_CHUNK_ROWS.
// Lists are separated by line feeds there.
func (a *app) fromEnvironment(cmd *cobra.Command) error {
	var err error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || err != nil {
			return
		}
		name := "MIGRATE_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := a.env(name)
		if !ok || value == "" {
			return
		}
		values := []string{value}
		if t := f.Value.Type(); t == "stringArray" || t == "stringSlice" {
			values = strings.Split(strings.TrimRight(value, "\n"), "\n")
		}
		for _, v := range values {
			if e := cmd.Flags().Set(f.Name, v); e != nil {
				err = &usageError{err: fmt.Errorf("%s=%q: %w", name, v, e), command: cmd.CommandPath()}
			}
		}
	})
	return err
}

// csvFlags say how a CSV file is to be read; what is not given is found out and told.
func csvFlags(cmd *cobra.Command, c *plan.CSV) {
	f := cmd.Flags()
	f.StringVar(&c.Delimiter, "delimiter", "", "field delimiter: , ; tab | or any one character (default: found out)")
	f.StringVar(&c.Quote, "quote", "", `quote character: " ' or none (default: found out)`)
	f.StringVar(&c.Escape, "escape", "", `how a quote stands inside quotes: " (doubled) or \ (default: found out)`)
	f.StringVar(&c.Encoding, "encoding", "", "utf-8, utf-16, utf-16le, utf-16be, windows-1252 or latin-1 (default: found out)")
	f.IntVar(&c.SkipLines, "skip-lines", 0, "lines to skip before the header")
	f.IntVar(&c.HeaderLines, "header-lines", 0, "lines that make up the header (default 1)")
	f.BoolVar(&c.NoHeader, "no-header", false, "the file has no header; columns are column1, column2, …")
}

// runFlags are the settings of a run.
type runFlags struct {
	options   pipeline.Options
	maxErrors string
	reserve   reserve
	bounds    bounds
	statsFlag
}

func (r *runFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&r.options.Concurrency, "concurrency", pipeline.DefaultConcurrency, "ingest jobs in flight")
	f.IntVar(&r.options.Uploads, "uploads", pipeline.DefaultUploads, "uploads at once")
	f.IntVar(&r.options.Readers, "readers", pipeline.DefaultReaders, "files read at once")
	f.Int64Var(&r.options.ChunkBytes, "chunk-bytes", 0, "most bytes in one ingest job (default 100,000,000)")
	f.Int64Var(&r.options.ChunkRows, "chunk-rows", pipeline.DefaultChunkRows, "most source rows in one ingest job")
	f.BoolVar(&r.options.NoSuccess, "no-success", false, "write no success.csv and fetch no ids")
	f.StringVar(&r.maxErrors, "max-errors", "", "stop when more rows than this are bad: 500, or 2% (counted from 1,000 rows on)")
	r.reserve.add(cmd)
	r.bounds.add(cmd)
	r.statsFlag.add(cmd)
}

func (r *runFlags) parse() (pipeline.Options, error) {
	var err error
	if r.options.MaxErrors, err = pipeline.ParseLimit(r.maxErrors); err != nil {
		return r.options, usagef("--max-errors: %w", err)
	}
	if err := r.options.Check(); err != nil {
		return r.options, &usageError{err: err}
	}
	return r.options, nil
}
