package sources

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
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

// writeSpool writes rows until next has no more; next appends one and gives its size. Beside the file stands an index: the
// number of rows of each batch, 4 bytes each. The index is there before the file is.
func writeSpool(path string, schema *arrow.Schema, next func(*array.RecordBuilder) (int, error)) (rows int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w, err := ipc.NewFileWriter(f, ipc.WithSchema(schema))
	if err != nil {
		return 0, err
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	var index []byte
	in, bytes := uint32(0), 0
	for more := true; more; {
		size, err := next(b)
		if err != nil {
			return rows, fmt.Errorf("row %d: %w", rows+1, err)
		}
		if more = size > 0; more {
			rows++
			in++
			bytes += size
		}
		if in == queryBatch || bytes >= queryBytes || !more && in > 0 {
			batch := b.NewRecordBatch()
			err := w.Write(batch)
			batch.Release()
			if err != nil {
				return rows, err
			}
			index = binary.LittleEndian.AppendUint32(index, in)
			in, bytes = 0, 0
		}
	}
	if err := w.Close(); err != nil {
		return rows, err
	}
	if err := f.Sync(); err != nil {
		return rows, err
	}
	if err := f.Close(); err != nil {
		return rows, err
	}
	if err := writeIndex(path+indexSuffix, index); err != nil {
		return rows, err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		os.Remove(path + indexSuffix)
		return rows, err
	}
	return rows, syncFolder(filepath.Dir(path))
}

// indexSuffix stands behind the name of a spooled result for its index.
const indexSuffix = ".index"

func writeIndex(path string, index []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(index)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}
