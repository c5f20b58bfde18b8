package sinks

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// inserter loads staging tables with prepared statements of many rows.
type inserter struct {
	limits
	values int // about how many a statement has

	into string
	rows int // of stmt
	stmt *sql.Stmt
	args []any
}

func (in *inserter) load(ctx context.Context, t *Table, into staging, rows arrow.RecordBatch) error {
	if in.into != into.name {
		in.close()
		in.into, in.rows = into.name, max(1, in.values/len(into.columns))
		var err error
		if in.stmt, err = t.conn.PrepareContext(ctx, t.insertion(into, in.rows)); err != nil {
			return err
		}
	}
	for row := 0; row < int(rows.NumRows()); {
		n := min(in.rows, int(rows.NumRows())-row)
		var err error
		if in.args, err = into.args(in.args[:0], in.limits, rows, row, n); err != nil {
			return err
		}
		var r sql.Result
		if n == in.rows {
			r, err = in.stmt.ExecContext(ctx, in.args...)
		} else {
			r, err = t.conn.ExecContext(ctx, t.insertion(into, n), in.args...)
		}
		if err != nil {
			return err
		}
		if taken, err := r.RowsAffected(); err != nil || taken != int64(n) {
			return fmt.Errorf("INSERT took %d of %d rows: %w", taken, n, err)
		}
		row += n
	}
	clear(in.args) // they hold on to the batch
	return nil
}

func (in *inserter) close() {
	if in.stmt != nil {
		in.stmt.Close()
		in.stmt = nil
	}
	in.into = ""
}

// insertion is the statement that inserts so many rows into a staging table.
func (t *Table) insertion(into staging, rows int) string {
	one := "(?" + strings.Repeat(", ?", len(into.columns)-1) + ")"
	return "INSERT INTO " + into.name + " (" + list(into.columns, ", ", func(c *column) string { return t.way.quote(c.name) }) + ") VALUES " +
		one + strings.Repeat(", "+one, rows-1)
}

// args appends the values of n rows, row by row.
func (s staging) args(args []any, l limits, rows arrow.RecordBatch, first, n int) ([]any, error) {
	for row := first; row < first+n; row++ {
		for i, col := range rows.Columns() {
			var v any
			var err error
			if col.IsValid(row) {
				v, err = l.cell(col, row)
			} else if s.columns[i].key {
				err = errNoKey
			}
			if err != nil {
				return args, s.wrongValue(rows, row, i, err)
			}
			args = append(args, v)
		}
	}
	return args, nil
}
