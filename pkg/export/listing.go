package export

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"migrate/pkg/sinks"
)

// listing is a CSV file of this package's own, that appears whole beside what it tells of.
type listing struct {
	sink *sinks.FileSink
	rows *array.RecordBuilder
	n    int // rows in it
}

// listingBatch is how many rows are handed to the sink at once.
const listingBatch = 8192

// openListing opens it at the path of the options, whose format and schema it gives.
func openListing(o sinks.FileOptions, schema *arrow.Schema) (*listing, error) {
	o.Format, o.Schema = "csv", schema
	s, err := sinks.OpenFile(o)
	if err != nil {
		return nil, err
	}
	return &listing{sink: s, rows: array.NewRecordBuilder(memory.DefaultAllocator, schema)}, nil
}

// text puts a text into a column of the present row, null for nothing.
func (l *listing) text(column int, v []byte) {
	if len(v) == 0 {
		l.rows.Field(column).AppendNull()
		return
	}
	l.rows.Field(column).(*array.StringBuilder).BinaryBuilder.Append(v)
}

// end ends the present row.
func (l *listing) end(ctx context.Context) error {
	if l.n++; l.n < listingBatch {
		return nil
	}
	return l.flush(ctx)
}

func (l *listing) flush(ctx context.Context) error {
	if l.n == 0 {
		return nil
	}
	l.n = 0
	batch := l.rows.NewRecordBatch()
	defer batch.Release()
	return l.sink.Write(ctx, batch)
}

func (l *listing) publish(ctx context.Context) (*sinks.File, error) {
	files, err := l.sink.Publish(ctx)
	if err != nil {
		return nil, err
	}
	return &files[0], nil
}

func (l *listing) close() error {
	l.rows.Release()
	return l.sink.Close()
}
