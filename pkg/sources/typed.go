package sources

import (
	"bytes"
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Typed is a text source whose columns have types again: a report shows the values of a database or a Parquet file as text, and a
// mapping made for their types must find them once more. It is safe for concurrent use.
type Typed struct {
	Source
	schema *arrow.Schema
}

// NewTyped gives the columns of a source of text the types of those that stand in the same place in a schema. Types that a mapping
// sees as text anyway stay text, and so do columns that the schema does not have.
func NewTyped(text Source, schema *arrow.Schema) (*Typed, error) {
	fields := text.Schema().Fields()
	for i := range fields {
		if i >= schema.NumFields() {
			break
		}
		f := schema.Field(i)
		if f.Name != fields[i].Name {
			return nil, fmt.Errorf("%w: column %d is %q, and was %q", ErrHeader, i+1, fields[i].Name, f.Name)
		}
		if hasType(f.Type) {
			fields[i].Type, fields[i].Nullable = f.Type, true
		}
	}
	return &Typed{Source: text, schema: arrow.NewSchema(fields, nil)}, nil
}

// Schema has the types.
func (t *Typed) Schema() *arrow.Schema { return t.schema }

// Open reads a split of the text. A value that is none of its type ends the reading.
func (t *Typed) Open(ctx context.Context, s Split, from Position) (Reader, error) {
	r, err := t.Source.Open(ctx, s, from)
	if err != nil {
		return nil, err
	}
	return &typedReader{Reader: r, schema: t.schema, path: s.Path}, nil
}

type typedReader struct {
	Reader
	schema *arrow.Schema
	path   string
}

func (r *typedReader) Next(ctx context.Context) (Batch, error) {
	b, err := r.Reader.Next(ctx)
	if err != nil {
		return b, err
	}
	text := b.Rows
	defer text.Release()
	columns := make([]arrow.Array, text.NumCols())
	defer func() {
		for _, c := range columns {
			if c != nil {
				c.Release()
			}
		}
	}()
	for i, f := range r.schema.Fields() {
		if !hasType(f.Type) {
			columns[i] = text.Column(i)
			columns[i].Retain()
			continue
		}
		var row int
		if columns[i], row, err = parseColumn(f.Type, text.Column(i).(*array.String)); err != nil {
			return Batch{}, fmt.Errorf("%s line %d: column %s: %w", r.path, b.Pos[row].Line, f.Name, err)
		}
	}
	b.Rows = array.NewRecordBatch(r.schema, columns, text.NumRows())
	return b, nil
}

// parseColumn reads what cell.AppendText wrote. An empty text is a null. With an error it gives the row that it is about.
func parseColumn(t arrow.DataType, text *array.String) (arrow.Array, int, error) {
	b := array.NewBuilder(memory.DefaultAllocator, t)
	defer b.Release()
	b.Reserve(text.Len())
	for i := range text.Len() {
		if text.IsNull(i) || text.Value(i) == "" {
			b.AppendNull()
			continue
		}
		if err := b.AppendValueFromString(text.Value(i)); err != nil {
			return nil, i, fmt.Errorf("%q is no %s", text.Value(i), t)
		}
	}
	return b.NewArray(), 0, nil
}

// hasType reports whether values of a type are more than their text to a mapping.
func hasType(t arrow.DataType) bool {
	switch t.ID() {
	case arrow.BOOL, arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64,
		arrow.FLOAT32, arrow.FLOAT64, arrow.DECIMAL32, arrow.DECIMAL64, arrow.DECIMAL128, arrow.DECIMAL256,
		arrow.DATE32, arrow.DATE64, arrow.TIMESTAMP, arrow.TIME32, arrow.TIME64, arrow.BINARY,
		arrow.LIST, arrow.LARGE_LIST: // several values of a field
		return true
	}
	return false
}

// Holds gives a function that tells whether a text is a value of a type, as Typed reads it; nil where every text is one. The function
// belongs to one goroutine.
func Holds(t arrow.DataType) func(string) bool {
	if !hasType(t) {
		return nil
	}
	b := array.NewBuilder(memory.DefaultAllocator, t)
	return func(text string) bool {
		err := b.AppendValueFromString(text)
		b.NewArray().Release()
		return err == nil
	}
}

// EncodeTypes writes down the columns of a source; nil where all of them are text.
func EncodeTypes(s *arrow.Schema) ([]byte, error) {
	typed := false
	for _, f := range s.Fields() {
		typed = typed || hasType(f.Type)
	}
	if !typed {
		return nil, nil
	}
	var out bytes.Buffer
	if err := ipc.NewWriter(&out, ipc.WithSchema(s)).Close(); err != nil {
		return nil, fmt.Errorf("write down the columns: %w", err)
	}
	return out.Bytes(), nil
}

// DecodeTypes reads what EncodeTypes wrote; nil gives nil.
func DecodeTypes(text []byte) (*arrow.Schema, error) {
	if len(text) == 0 {
		return nil, nil
	}
	r, err := ipc.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("the columns that were written down: %w", err)
	}
	defer r.Release()
	return r.Schema(), nil
}
