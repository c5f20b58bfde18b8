package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"migrate/pkg/bulk2"
	"migrate/pkg/cell"
	"migrate/pkg/plan"
	"migrate/pkg/sources"
)

func (a *app) previewCommand() *cobra.Command {
	var csv plan.CSV
	var rows, to string
	cmd := &cobra.Command{
		Use:   "preview FILE…",
		Short: "Show how a file is read: what was found out on stderr, rows as clean CSV on stdout",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			limit := int64(math.MaxInt64)
			if rows != "all" {
				n, err := strconv.ParseInt(rows, 10, 64)
				if err != nil || n < 0 {
					return usagef("--rows %q: a number, or all", rows)
				}
				limit = n
			}
			if to != "csv" {
				return usagef("--to %q: only csv is known", to)
			}
			source, err := plan.Files(args)
			if err == nil {
				source.CSV = csv
				source, err = source.Expand()
			}
			if err != nil {
				return &usageError{err: err}
			}
			return a.preview(cmd, source, limit)
		},
	}
	cmd.Flags().StringVar(&rows, "rows", "10", "rows to show: a number, or all")
	cmd.Flags().StringVar(&to, "to", "csv", "format of the rows on stdout")
	csvFlags(cmd, &csv)
	return cmd
}

// preview writes the values as they stand. Rows that would be rejected are told on stderr and are not among the CSV.
func (a *app) preview(cmd *cobra.Command, source plan.Source, limit int64) error {
	src, about, err := source.Open(a.env)
	if err != nil {
		return &usageError{err: err}
	}
	for _, f := range about {
		fmt.Fprintln(a.stderr, f.Text)
		for _, n := range f.Notes {
			fmt.Fprintln(a.stderr, "  "+n)
		}
	}
	w := bufio.NewWriter(a.stdout)
	if !source.NoHeader {
		var names []string
		for _, f := range src.Schema().Fields() {
			names = append(names, f.Name)
		}
		w.Write(bulk2.AppendRecord(nil, names...))
	}
	var shown, bad int64
	for _, s := range src.Splits() {
		n, b, err := a.previewSplit(cmd, w, src, s, limit-shown)
		shown, bad = shown+n, bad+b
		if err != nil {
			w.Flush()
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "%s, %s\n", count(shown, "row"), count(bad, "malformed row"))
	if bad > 0 {
		return errFailedRows
	}
	return nil
}

func (a *app) previewSplit(cmd *cobra.Command, w io.Writer, src sources.Source, s sources.Split, limit int64) (shown, bad int64, err error) {
	r, err := src.Open(cmd.Context(), s, s.Start)
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	var line []byte
	for shown < limit {
		b, err := r.Next(cmd.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return shown, bad, err
		}
		last := b.Next.Row // rows from here on are not shown
		for i, pos := range b.Pos {
			if shown == limit {
				last = pos.Row
				break
			}
			values := make([]string, b.Rows.NumCols())
			for k, c := range b.Rows.Columns() {
				values[k] = string(cell.AppendText(nil, c, i))
			}
			line = bulk2.AppendRecord(line[:0], values...)
			if _, err := w.Write(line); err != nil {
				return shown, bad, err
			}
			shown++
		}
		for _, m := range b.Bad {
			if m.Pos.Row < last {
				bad++
				fmt.Fprintf(a.stderr, "%s line %d: %s: %s\n", s.Path, m.Pos.Line, m.Rule, m.Message)
			}
		}
		b.Rows.Release()
	}
	return shown, bad, nil
}
