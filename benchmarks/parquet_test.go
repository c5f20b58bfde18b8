package benchmarks

import (
	"errors"
	"os"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	parquetcompress "github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

const groupRows = 128 << 10

// parquetTable is a Parquet file that is written: Snappy, dictionaries where they pay, row groups of 128 Ki rows, as most programs write them.
type parquetTable struct {
	f *os.File
	w *pqarrow.FileWriter
	b *array.RecordBuilder
	n int // rows in b
}

func newParquetTable(path string, columns []column) (*parquetTable, error) {
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.name, Type: arrow.BinaryTypes.String, Nullable: true}
		if c.integer {
			fields[i].Type = arrow.PrimitiveTypes.Int64
		}
	}
	schema := arrow.NewSchema(fields, nil)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	w, err := pqarrow.NewFileWriter(schema, f, parquet.NewWriterProperties(parquet.WithCompression(parquetcompress.Codecs.Snappy)), pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &parquetTable{f: f, w: w, b: array.NewRecordBuilder(memory.DefaultAllocator, schema)}, nil
}

// add adds a row; an empty cell is a null.
func (p *parquetTable) add(cells []string) error {
	for i, cell := range cells {
		switch b := p.b.Field(i).(type) {
		case *array.StringBuilder:
			if cell == "" {
				b.AppendNull()
			} else {
				b.Append(cell)
			}
		case *array.Int64Builder:
			if cell == "" {
				b.AppendNull()
				continue
			}
			n, err := strconv.ParseInt(cell, 10, 64)
			if err != nil {
				return err
			}
			b.Append(n)
		}
	}
	if p.n++; p.n < groupRows {
		return nil
	}
	return p.flush()
}

func (p *parquetTable) flush() error {
	batch := p.b.NewRecordBatch()
	defer batch.Release()
	p.n = 0
	return p.w.Write(batch)
}

func (p *parquetTable) close() error {
	defer p.b.Release()
	if p.n > 0 {
		if err := p.flush(); err != nil {
			return err
		}
	}
	return p.w.Close() // and the file
}
