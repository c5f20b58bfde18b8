package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"migrate/pkg/sinks"
)

// ExportColumn is a column of a query.
type ExportColumn struct {
	Name   string `json:"name"`             // header, as the org writes it: Id, Account.Name
	Type   string `json:"type"`             // Salesforce's field type
	Length int    `json:"length,omitempty"` // of a text, in characters; 0 = it is not known
}

func headers(columns []ExportColumn) []string {
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return names
}

// ArrowType is what the values of a field type become. An empty value is a null: the org writes null and the empty text alike.
func (c ExportColumn) ArrowType() arrow.DataType {
	switch c.Type {
	case "boolean":
		return arrow.FixedWidthTypes.Boolean
	case "int", "long":
		return arrow.PrimitiveTypes.Int64
	case "double", "currency", "percent":
		return arrow.PrimitiveTypes.Float64 // as which the org keeps it
	case "date":
		return arrow.FixedWidthTypes.Date32
	case "datetime":
		return arrow.FixedWidthTypes.Timestamp_ms
	case "time":
		return arrow.FixedWidthTypes.Time32ms
	}
	return arrow.BinaryTypes.String
}

// ExportSchema is the schema of the record batches that a sink gets.
func ExportSchema(columns []ExportColumn) *arrow.Schema {
	var fields []arrow.Field
	for _, c := range columns {
		f := arrow.Field{Name: c.Name, Type: c.ArrowType(), Nullable: true}
		if c.Length > 0 && f.Type == arrow.BinaryTypes.String {
			f.Metadata = arrow.NewMetadata([]string{sinks.MetaLength}, []string{strconv.Itoa(c.Length)})
		}
		fields = append(fields, f)
	}
	return arrow.NewSchema(fields, nil)
}

// writer takes record batches; a Target is one.
type writer interface {
	Write(ctx context.Context, rows arrow.RecordBatch) error
}

// decoder makes record batches of the rows of query results.
type decoder struct {
	columns []ExportColumn
	b       *array.RecordBuilder
	appends []func(value []byte) error // by column
	rows    int
}

// decodeRows ends a batch.
const decodeRows = 8192

func newDecoder(columns []ExportColumn) *decoder {
	d := &decoder{columns: columns, b: array.NewRecordBuilder(memory.DefaultAllocator, ExportSchema(columns))}
	for i := range columns {
		d.appends = append(d.appends, appender(d.b.Field(i)))
	}
	return d
}

func (d *decoder) release() { d.b.Release() }

// add takes a row, and hands a batch on when one is full.
func (d *decoder) add(ctx context.Context, row [][]byte, to writer) error {
	for i, value := range row {
		if len(value) == 0 {
			d.b.Field(i).AppendNull()
			continue
		}
		if err := d.appends[i](value); err != nil {
			return fmt.Errorf("column %s: %q is no %s: %w", d.columns[i].Name, value, d.columns[i].Type, err)
		}
	}
	if d.rows++; d.rows < decodeRows {
		return nil
	}
	return d.flush(ctx, to)
}

// flush hands the rows that are left on.
func (d *decoder) flush(ctx context.Context, to writer) error {
	if d.rows == 0 {
		return nil
	}
	d.rows = 0
	batch := d.b.NewRecordBatch()
	defer batch.Release()
	return to.Write(ctx, batch)
}

// appender gives the function that appends a value to a column (the forms: Bulk API 2.0 guide, Valid Date Format in Records, and
// recorded answers).
func appender(b array.Builder) func([]byte) error {
	switch b := b.(type) {
	case *array.BooleanBuilder:
		return func(v []byte) error {
			switch string(v) {
			case "true":
				b.Append(true)
			case "false":
				b.Append(false)
			default:
				return strconv.ErrSyntax
			}
			return nil
		}
	case *array.Int64Builder:
		return func(v []byte) error {
			n, err := parseInt(v)
			b.Append(n)
			return err
		}
	case *array.Float64Builder:
		return func(v []byte) error {
			f, err := strconv.ParseFloat(string(v), 64)
			b.Append(f)
			return cause(err)
		}
	case *array.Date32Builder:
		return func(v []byte) error {
			t, err := time.Parse(time.DateOnly, string(v))
			b.Append(arrow.Date32FromTime(t))
			return cause(err)
		}
	case *array.TimestampBuilder:
		return func(v []byte) error {
			t, err := time.Parse(time.RFC3339, string(v)) // which takes a fraction
			if err != nil {
				t, err = time.Parse("2006-01-02T15:04:05.000-0700", string(v)) // as REST writes it
			}
			b.Append(arrow.Timestamp(t.UnixMilli()))
			return cause(err)
		}
	case *array.Time32Builder:
		return func(v []byte) error {
			t, err := time.Parse("15:04:05.000", string(bytes.TrimSuffix(v, []byte("Z"))))
			b.Append(arrow.Time32(t.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)).Milliseconds()))
			return cause(err)
		}
	}
	text := b.(*array.StringBuilder)
	return func(v []byte) error {
		text.BinaryBuilder.Append(v)
		return nil
	}
}

// parseInt reads a whole number, also in the notation that Java has for large ones.
func parseInt(v []byte) (int64, error) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err == nil {
		return n, nil
	}
	f, ferr := strconv.ParseFloat(string(v), 64)
	if ferr != nil || f != float64(int64(f)) || f >= 1<<53 || f <= -1<<53 {
		return 0, cause(err)
	}
	return int64(f), nil
}

// cause leaves out what an error of strconv or time repeats of the value.
func cause(err error) error {
	switch e := err.(type) {
	case *strconv.NumError:
		return e.Err
	case *time.ParseError:
		return strconv.ErrSyntax
	}
	return err
}
