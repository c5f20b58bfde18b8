package sinks

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	pq "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// ParquetOptions say how Parquet is written. Every column is optional, and of the type that readers expect:
//
//	utf8                 BYTE_ARRAY, STRING
//	bool, int64, float64 BOOLEAN, INT64, DOUBLE
//	decimal128           DECIMAL on INT32, INT64 or, from 19 digits up, FIXED_LEN_BYTE_ARRAY
//	date32               INT32, DATE
//	timestamp[ms, UTC]   INT64, TIMESTAMP(MILLIS, adjusted to UTC)
//	time32[ms]           INT32, TIME(MILLIS, not adjusted)
type ParquetOptions struct {
	Compression string // zstd (the default), snappy, gzip or none
	GroupRows   int64  // rows of a row group at most; 0 = 131072
	GroupBytes  int64  // a row group ends with the rows that bring it to so many bytes, before encoding and compression; 0 = 64 MiB
}

// Rows go to the columns in pieces of fixed size, counted from the beginning of a row group: where pages end must not depend on the batches
// that the rows came in. The bytes bound what one piece takes where texts are long.
const (
	pieceRows  = 8 << 10
	pieceBytes = 8 << 20
)

// pagesBytes is what the pages that are being filled take, over all columns: each column has one, and two or three more of its size to pack it.
const pagesBytes = 8 << 20

// codec is a way of compressing pages, and how hard it tries. zstd at 3, its own default, takes twice as long for files 2 % smaller.
type codec struct {
	compression compress.Compression
	level       int
}

var codecs = map[string]codec{
	"": {compress.Codecs.Zstd, 1}, "zstd": {compress.Codecs.Zstd, 1}, "gzip": {compress.Codecs.Gzip, 2},
	"snappy": {compress.Codecs.Snappy, compress.DefaultCompressionLevel}, "none": {compress.Codecs.Uncompressed, compress.DefaultCompressionLevel},
}

type parquetEncoder struct {
	out     io.Writer
	o       ParquetOptions
	limit   int64 // bytes of the file
	root    *schema.GroupNode
	columns []string
	w       *file.Writer // opened with the first piece, which tells what is worth a dictionary
	group   file.BufferedRowGroupWriter
	levels  []int16

	piece                 []arrow.RecordBatch // copies, but for those of the batch in hand
	pieceRows, pieceBytes int64
	groupRows, groupBytes int64 // pieces that were written
	mem                   memory.Allocator
	writeContext          context.Context
}

func newParquetEncoder(w io.Writer, o FileOptions) (*parquetEncoder, error) {
	if _, ok := codecs[o.Parquet.Compression]; !ok {
		return nil, fmt.Errorf("compression %q of Parquet is not known; it is zstd, snappy, gzip or none", o.Parquet.Compression)
	}
	e := &parquetEncoder{out: w, o: o.Parquet, limit: o.PartBytes, mem: memory.DefaultAllocator, writeContext: pqarrow.NewArrowWriteContext(context.Background(), nil)}
	if e.o.GroupRows <= 0 {
		e.o.GroupRows = 128 << 10
	}
	if e.o.GroupBytes <= 0 {
		e.o.GroupBytes = 64 << 20
	}
	var fields []arrow.Field
	for _, f := range o.Schema.Fields() {
		fields = append(fields, arrow.Field{Name: f.Name, Type: f.Type, Nullable: true})
		e.columns = append(e.columns, f.Name)
	}
	s, err := pqarrow.ToParquet(arrow.NewSchema(fields, nil), pq.NewWriterProperties(pq.WithStoreDecimalAsInteger(true)), pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, err
	}
	e.root = s.Root()
	return e, nil
}

// open begins the file. A dictionary for all columns takes twice the time and a sixth more room than for those whose values repeat, and none at all
// a tenth more of both.
func (e *parquetEncoder) open(first []arrow.Array) (err error) {
	c := codecs[e.o.Compression]
	props := []pq.WriterProperty{
		pq.WithCreatedBy("migrate"), pq.WithVersion(pq.V2_LATEST), pq.WithStoreDecimalAsInteger(true),
		pq.WithCompression(c.compression), pq.WithCompressionLevel(c.level), pq.WithDictionaryDefault(false),
		pq.WithDataPageSize(int64(min(max(pagesBytes/len(e.columns), 32<<10), 1<<20))),
	}
	for i, col := range first {
		props = append(props, pq.WithDictionaryFor(e.columns[i], repeats(col)))
	}
	e.w, err = file.NewParquetWriterWithError(e.out, e.root, file.WithWriterProps(pq.NewWriterProperties(props...)))
	return err
}

func (e *parquetEncoder) write(rows arrow.RecordBatch, from, to int) (n int, err error) {
	defer rescue(&err)
	for at := from; at < to; {
		room := min(int64(to-at), pieceRows-e.pieceRows, e.o.GroupRows-e.groupRows-e.pieceRows)
		end, size := fit(rows, at, at+int(room), min(pieceBytes, e.o.GroupBytes-e.groupBytes)-e.pieceBytes)
		e.piece = append(e.piece, rows.NewSlice(int64(at), int64(end)))
		e.pieceRows += int64(end - at)
		e.pieceBytes += size
		at = end
		full := e.groupRows+e.pieceRows >= e.o.GroupRows || e.groupBytes+e.pieceBytes >= e.o.GroupBytes
		if full || e.pieceRows >= pieceRows || e.pieceBytes >= pieceBytes {
			if err := e.flush(); err != nil {
				return 0, err
			}
		}
		if full {
			if err := e.endGroup(); err != nil {
				return 0, err
			}
			if e.full() {
				return at - from, nil
			}
		}
	}
	return to - from, e.keep()
}

// keep copies what is left of a batch, so that little of it is held and nothing that is the caller's.
func (e *parquetEncoder) keep() error {
	if len(e.piece) == 0 {
		return nil
	}
	last := &e.piece[len(e.piece)-1]
	cols := make([]arrow.Array, len(e.columns))
	for i, col := range (*last).Columns() {
		c, err := array.Concatenate([]arrow.Array{col}, e.mem)
		if err != nil {
			return err
		}
		defer c.Release()
		cols[i] = c
	}
	copied := array.NewRecordBatch((*last).Schema(), cols, (*last).NumRows())
	(*last).Release()
	*last = copied
	return nil
}

// flush writes the piece to the columns of the row group.
func (e *parquetEncoder) flush() error {
	if e.pieceRows == 0 {
		return nil
	}
	cols := make([]arrow.Array, len(e.columns))
	for i := range cols {
		parts := make([]arrow.Array, len(e.piece))
		for k, rows := range e.piece {
			parts[k] = rows.Column(i)
		}
		if len(parts) == 1 {
			parts[0].Retain()
			cols[i] = parts[0]
			continue
		}
		c, err := array.Concatenate(parts, e.mem)
		if err != nil {
			return err
		}
		cols[i] = c
	}
	e.drop()
	if e.w == nil {
		if err := e.open(cols); err != nil {
			return err
		}
	}
	if e.group == nil {
		var err error
		if e.group, err = e.w.AppendBufferedRowGroupChecked(); err != nil {
			return err
		}
	}
	for i, col := range cols {
		w, err := e.group.Column(i)
		if err != nil {
			return err
		}
		if err := pqarrow.WriteArrowToColumn(e.writeContext, w, col, e.defined(col), nil, true); err != nil {
			return fmt.Errorf("column %s: %w", e.columns[i], err)
		}
		col.Release()
	}
	e.groupRows += e.pieceRows
	e.groupBytes += e.pieceBytes
	e.pieceRows, e.pieceBytes = 0, 0
	return nil
}

// defined are the definition levels of a column: 1 for a value, 0 for null.
func (e *parquetEncoder) defined(col arrow.Array) []int16 {
	e.levels = e.levels[:0]
	for i := range col.Len() {
		level := int16(1)
		if col.IsNull(i) {
			level = 0
		}
		e.levels = append(e.levels, level)
	}
	return e.levels
}

func (e *parquetEncoder) endGroup() error {
	if e.group == nil {
		return nil
	}
	err := e.group.Close()
	e.group, e.groupRows, e.groupBytes = nil, 0, 0
	return err
}

func (e *parquetEncoder) drop() {
	for _, rows := range e.piece {
		rows.Release()
	}
	e.piece = nil
}

func (e *parquetEncoder) full() bool {
	return e.w != nil && e.group == nil && e.pieceRows == 0 && e.w.TotalBytesWritten() >= e.limit
}

func (e *parquetEncoder) close() (err error) {
	defer rescue(&err)
	if err := e.flush(); err != nil {
		return err
	}
	if err := e.endGroup(); err != nil {
		return err
	}
	if e.w == nil {
		if err := e.open(nil); err != nil {
			return err
		}
	}
	return e.w.Close()
}

// rescue turns a panic of the library into an error. It has some left for what it did not think of.
func rescue(err *error) {
	if r := recover(); r != nil {
		if e, ok := r.(error); ok {
			*err = fmt.Errorf("write Parquet: %w", e)
		} else {
			*err = fmt.Errorf("write Parquet: %v", r)
		}
	}
}
