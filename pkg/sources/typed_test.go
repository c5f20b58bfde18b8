package sources

import (
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"migrate/pkg/cell"
)

// What a report shows of a typed value comes back as the same value, and so shows the same.
func TestTypedReadsWhatReportsShow(t *testing.T) {
	types := map[string]arrow.DataType{
		"i": arrow.PrimitiveTypes.Int64, "u": arrow.PrimitiveTypes.Uint64, "f": arrow.PrimitiveTypes.Float64, "b": arrow.FixedWidthTypes.Boolean,
		"d": arrow.FixedWidthTypes.Date32, "dec": &arrow.Decimal128Type{Precision: 20, Scale: 4}, "bin": arrow.BinaryTypes.Binary, "t": arrow.FixedWidthTypes.Time64us,
		"local": &arrow.TimestampType{Unit: arrow.Microsecond}, "zoned": &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}, "text": arrow.BinaryTypes.String,
		"list": arrow.ListOf(arrow.BinaryTypes.String),
	}
	fill := func(b array.Builder) {
		switch b := b.(type) {
		case *array.Int64Builder:
			b.AppendValues([]int64{math.MinInt64, 0, math.MaxInt64}, nil)
		case *array.Uint64Builder:
			b.AppendValues([]uint64{0, 1, math.MaxUint64}, nil)
		case *array.Float64Builder:
			b.AppendValues([]float64{-0.1, 1e300, 5e-324}, nil)
		case *array.BooleanBuilder:
			b.AppendValues([]bool{true, false, true}, nil)
		case *array.Date32Builder:
			b.AppendValues([]arrow.Date32{-1, 0, 20000}, nil)
		case *array.Decimal128Builder:
			for _, s := range []string{"-12345678901234.5678", "0.0001", "7.0000"} {
				if err := b.AppendValueFromString(s); err != nil {
					t.Fatal(err)
				}
			}
		case *array.BinaryBuilder:
			b.AppendValues([][]byte{{0, 255}, {1}, []byte("plain text")}, nil)
		case *array.Time64Builder:
			b.AppendValues([]arrow.Time64{0, 86399999999, 1}, nil)
		case *array.TimestampBuilder:
			b.AppendValues([]arrow.Timestamp{-1, 0, 1700000000123456}, nil)
		case *array.ListBuilder:
			for _, list := range [][]string{{"a", `say "b"; c`}, {}, {""}} {
				b.Append(true)
				b.ValueBuilder().(*array.StringBuilder).AppendValues(list, nil)
			}
		case *array.StringBuilder:
			b.AppendValues([]string{"a", "1", "true"}, nil)
		}
		b.AppendNull()
	}
	for name, typ := range types {
		b := array.NewBuilder(memory.DefaultAllocator, typ)
		fill(b)
		want := b.NewArray()
		text := "x,\"" + name + "\",behind\n"
		for i := range want.Len() {
			text += "x,\"" + strings.ReplaceAll(string(cell.AppendText(nil, want, i)), `"`, `""`) + "\",7\n"
		}
		path := filepath.Join(t.TempDir(), "report.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		plain, err := OpenCSV([]string{path}, CSVOptions{Delimiter: ","})
		if err != nil {
			t.Fatal(err)
		}
		stored, err := EncodeTypes(arrow.NewSchema([]arrow.Field{{Name: "x", Type: arrow.BinaryTypes.String}, {Name: name, Type: typ}}, nil))
		if err != nil || (stored == nil) != (name == "text") {
			t.Fatalf("%s: %d bytes, %v", name, len(stored), err)
		}
		if stored == nil {
			continue
		}
		schema, err := DecodeTypes(stored)
		if err != nil {
			t.Fatal(err)
		}
		typed, err := NewTyped(plain, schema)
		if err != nil {
			t.Fatal(err)
		}
		r, err := typed.Open(context.Background(), typed.Splits()[0], Position{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Next(context.Background())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !array.Equal(want, got.Rows.Column(1)) || !arrow.TypeEqual(typ, got.Rows.Schema().Field(1).Type) {
			t.Errorf("%s: got %v, want %v", name, got.Rows.Column(1), want)
		}
		got.Rows.Release()
		if _, err := r.Next(context.Background()); err != io.EOF {
			t.Errorf("%s: %v at the end", name, err)
		}
		r.Close()
	}
}

func TestTypedRefusesWhatIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.csv")
	if err := os.WriteFile(path, []byte("n,x\n1,a\nn/a,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	plain, err := OpenCSV([]string{path}, CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewTyped(plain, arrow.NewSchema([]arrow.Field{{Name: "m", Type: arrow.PrimitiveTypes.Int32}}, nil)); err == nil {
		t.Error("columns of other names were taken")
	}
	typed, err := NewTyped(plain, arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int32}}, nil))
	if err != nil {
		t.Fatal(err)
	}
	r, err := typed.Open(context.Background(), typed.Splits()[0], Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(context.Background()); err == nil || !strings.Contains(err.Error(), `line 3: column n: "n/a" is no int32`) {
		t.Errorf("got %v", err)
	}
	holds := Holds(arrow.PrimitiveTypes.Int32)
	for text, want := range map[string]bool{"1": true, "-7": true, "1.5": false, "99999999999": false, "n/a": false} {
		if holds(text) != want {
			t.Errorf("Holds(%q) = %t", text, !want)
		}
	}
}
