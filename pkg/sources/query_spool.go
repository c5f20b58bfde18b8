package sources

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A batch of the file ends at this many rows or bytes of values, whichever is reached first.
const (
	queryBatch = 8192
	queryBytes = 8 << 20
)

// Spool runs the query and writes its result to a file, from which OpenSpool reads. The file appears whole or not at all and is
// readable by its owner alone. The result goes through memory a batch at a time. It gives the number of rows.
func (q Query) Spool(ctx context.Context, path string) (rows int64, err error) {
	err = q.read(ctx, func(r reading) error {
		result, err := r.query(ctx, q.SQL)
		if err != nil {
			return err
		}
		defer result.Close()
		rows, err = writeSpool(path, result.schema, result.append)
		return err
	})
	return rows, err
}

// result is the rows of a query on their way into Arrow.
type result struct {
	*sql.Rows
	schema         *arrow.Schema
	columns        []queryColumn
	values, places []any // of one row; places point to values
}

func (r reading) query(ctx context.Context, text string) (*result, error) {
	rows, err := r.tx.QueryContext(ctx, text)
	if err != nil {
		return nil, answered(err)
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		rows.Close()
		return nil, answered(err)
	}
	n := len(types)
	out := &result{Rows: rows, columns: make([]queryColumn, n), values: make([]any, n), places: make([]any, n)}
	fields := make([]arrow.Field, n)
	for i, t := range types {
		out.columns[i] = newQueryColumn(r.driver, t)
		out.places[i] = &out.values[i]
		fields[i] = arrow.Field{Name: t.Name(), Type: out.columns[i].typ, Nullable: true}
	}
	out.schema = arrow.NewSchema(fields, nil)
	return out, nil
}

// append appends the next row and gives about how many bytes it takes, 0 when there is none.
func (r *result) append(b *array.RecordBuilder) (int, error) {
	if !r.Next() {
		if err := r.Err(); err != nil {
			return 0, answered(err)
		}
		return 0, nil
	}
	if err := r.Scan(r.places...); err != nil {
		return 0, answered(err)
	}
	size := 1
	for i, v := range r.values {
		switch v := v.(type) {
		case string:
			size += len(v)
		case []byte:
			size += len(v)
		default:
			size += 16
		}
		if err := r.columns[i].append(b.Field(i), v); err != nil {
			return 0, fmt.Errorf("column %s: %w", r.schema.Field(i).Name, err)
		}
	}
	return size, nil
}

// writeSpool writes rows until next has no more; next appends one and gives its size.
func writeSpool(path string, schema *arrow.Schema, next func(*array.RecordBuilder) (int, error)) (rows int64, err error) {
	f, err := createSpool(path, schema)
	if err != nil {
		return 0, err
	}
	defer f.abandon()
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	in, bytes := 0, 0
	for more := true; more; {
		size, err := next(b)
		if err != nil {
			return f.rows + int64(in), fmt.Errorf("row %d: %w", f.rows+int64(in)+1, err)
		}
		if more = size > 0; more {
			in++
			bytes += size
		}
		if in == queryBatch || bytes >= queryBytes || !more && in > 0 {
			batch := b.NewRecordBatch()
			err := f.write(batch)
			batch.Release()
			if err != nil {
				return f.rows, err
			}
			in, bytes = 0, 0
		}
	}
	if err := f.finish(); err != nil {
		return f.rows, err
	}
	return f.rows, syncFolder(filepath.Dir(path))
}
