package sources_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// pqColumn is a column of a test file. A row is a value of the physical type, nil for null, or for a list []any.
type pqColumn struct {
	node schema.Node
	row  func(i int) any
	want func(i int) string // as text; not asked for nulls
}

var (
	optional, required, repeated = parquet.Repetitions.Optional, parquet.Repetitions.Required, parquet.Repetitions.Repeated
	noLogical                    = schema.NoLogicalType{}
)

func leafNode(name string, rep parquet.Repetition, l schema.LogicalType, p parquet.Type, length int) schema.Node {
	return schema.Must(schema.NewPrimitiveNodeLogical(name, rep, l, p, length, -1))
}

func listNode(name string, element schema.Node) schema.Node {
	layer := schema.MustGroup(schema.NewGroupNode("list", repeated, schema.FieldList{element}, -1))
	return schema.MustGroup(schema.NewGroupNodeLogical(name, optional, schema.FieldList{layer}, schema.ListLogicalType{}, -1))
}

func recordNode(name string, rep parquet.Repetition, fields ...schema.Node) schema.Node {
	return schema.MustGroup(schema.NewGroupNode(name, rep, schema.FieldList(fields), -1))
}

func int96Of(t time.Time) (v parquet.Int96) {
	binary.LittleEndian.PutUint32(v[8:], uint32(t.Unix()/86400+2440588))
	binary.LittleEndian.PutUint64(v[:], uint64(t.Sub(t.Truncate(24*time.Hour)).Nanoseconds()))
	return v
}

// everyType has a column of each type, most with nulls in every third row.
func everyType() []pqColumn {
	var cols []pqColumn
	add := func(name string, l schema.LogicalType, p parquet.Type, length int, row func(i int) any, want func(i int) string) {
		cols = append(cols, pqColumn{leafNode(name, optional, l, p, length), func(i int) any {
			if i%3 == 2 {
				return nil
			}
			return row(i)
		}, want})
	}
	i32, i64, flba, ba := parquet.Types.Int32, parquet.Types.Int64, parquet.Types.FixedLenByteArray, parquet.Types.ByteArray
	integer := func(bits int8, signed bool) schema.LogicalType { return schema.NewIntLogicalType(bits, signed) }
	add("bool", noLogical, parquet.Types.Boolean, -1, func(i int) any { return i%2 == 0 }, func(i int) string { return fmt.Sprint(i%2 == 0) })
	add("int8", integer(8, true), i32, -1, func(i int) any { return int32(int8(-128 + i*37)) }, func(i int) string { return fmt.Sprint(int8(-128 + i*37)) })
	add("int16", integer(16, true), i32, -1, func(i int) any { return int32(int16(-32768 + i)) }, func(i int) string { return fmt.Sprint(int16(-32768 + i)) })
	add("int32", integer(32, true), i32, -1, func(i int) any { return int32(-2147483648 + i) }, func(i int) string { return fmt.Sprint(-2147483648 + i) })
	add("int64", integer(64, true), i64, -1, func(i int) any { return int64(-1<<63 + i) }, func(i int) string { return fmt.Sprint(-1<<63 + i) })
	add("uint8", integer(8, false), i32, -1, func(i int) any { return int32(255 - i) }, func(i int) string { return fmt.Sprint(255 - i) })
	add("uint16", integer(16, false), i32, -1, func(i int) any { return int32(65535 - i) }, func(i int) string { return fmt.Sprint(65535 - i) })
	add("uint32", integer(32, false), i32, -1, func(i int) any { return int32(-1 - i) }, func(i int) string { return fmt.Sprint(uint32(1<<32 - 1 - i)) })
	add("uint64", integer(64, false), i64, -1, func(i int) any { return int64(-1 - i) }, func(i int) string { return fmt.Sprint(uint64(1<<64-1) - uint64(i)) })
	add("bare32", noLogical, i32, -1, func(i int) any { return int32(i - 1) }, func(i int) string { return fmt.Sprint(i - 1) })
	add("bare64", noLogical, i64, -1, func(i int) any { return int64(i - 1) }, func(i int) string { return fmt.Sprint(i - 1) })
	add("float16", schema.Float16LogicalType{}, flba, 2, func(i int) any {
		return parquet.FixedLenByteArray(float16.New(float32(i) / 2).ToLEBytes())
	}, func(i int) string { return fmt.Sprint(float32(i) / 2) })
	add("float32", noLogical, parquet.Types.Float, -1, func(i int) any { return float32(i) / 3 }, func(i int) string { return fmt.Sprint(float32(i) / 3) })
	add("float64", noLogical, parquet.Types.Double, -1, func(i int) any { return float64(i) / 3 }, func(i int) string { return fmt.Sprint(float64(i) / 3) })
	cents := func(i int) string { return fmt.Sprintf("-%d.%02d", (123+i)/100, (123+i)%100) }
	add("decimal32", schema.NewDecimalLogicalType(9, 2), i32, -1, func(i int) any { return int32(-123 - i) }, cents)
	add("decimal64", schema.NewDecimalLogicalType(18, 2), i64, -1, func(i int) any { return int64(-123 - i) }, cents)
	add("decimal_fixed", schema.NewDecimalLogicalType(20, 2), flba, 9, func(i int) any {
		return parquet.FixedLenByteArray(append([]byte(strings.Repeat("\xff", 7)), byte(uint16(-123-i)>>8), byte(-123-i)))
	}, cents)
	add("decimal_bytes", schema.NewDecimalLogicalType(38, 2), ba, -1, func(i int) any {
		return parquet.ByteArray{byte(uint16(-123-i) >> 8), byte(-123 - i)}
	}, cents)
	add("decimal_padded", schema.NewDecimalLogicalType(38, 2), flba, 20, func(i int) any {
		return parquet.FixedLenByteArray(append([]byte(strings.Repeat("\xff", 18)), byte(uint16(-123-i)>>8), byte(-123-i)))
	}, cents)
	add("decimal_wide", schema.NewDecimalLogicalType(76, 2), ba, -1, func(i int) any {
		return parquet.ByteArray{byte(uint16(-123-i) >> 8), byte(-123 - i)}
	}, cents)
	day := func(i int) time.Time { return time.Date(1969, 12, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i) }
	add("date", schema.DateLogicalType{}, i32, -1, func(i int) any { return int32(i - 2) }, func(i int) string { return day(i).Format(time.DateOnly) })
	add("time_ms", schema.NewTimeLogicalType(true, schema.TimeUnitMillis), i32, -1, func(i int) any { return int32(3723004 + i*1000) }, func(i int) string { return fmt.Sprintf("01:02:%02d.004", 3+i%57) })
	add("time_us", schema.NewTimeLogicalType(false, schema.TimeUnitMicros), i64, -1, func(i int) any { return int64(3723000004 + i*1000000) }, func(i int) string { return fmt.Sprintf("01:02:%02d.000004", 3+i%57) })
	add("time_ns", schema.NewTimeLogicalType(true, schema.TimeUnitNanos), i64, -1, func(i int) any { return int64(3723000000004 + i*1000000000) }, func(i int) string { return fmt.Sprintf("01:02:%02d.000000004", 3+i%57) })
	at := func(i int) time.Time {
		return time.Date(1969, 12, 31, 23, 59, 50, 123456789, time.UTC).Add(time.Duration(i) * time.Second)
	}
	for _, u := range []struct {
		name string
		unit schema.TimeUnitType
		of   func(time.Time) int64
		frac int
	}{{"ms", schema.TimeUnitMillis, time.Time.UnixMilli, 3}, {"us", schema.TimeUnitMicros, time.Time.UnixMicro, 6}, {"ns", schema.TimeUnitNanos, time.Time.UnixNano, 9}} {
		form := "2006-01-02T15:04:05." + "000000000"[:u.frac]
		value := func(i int) any { return u.of(at(i)) }
		add("at_"+u.name, schema.NewTimestampLogicalType(false, u.unit), i64, -1, value, func(i int) string { return at(i).Format(form) })
		add("at_"+u.name+"_utc", schema.NewTimestampLogicalType(true, u.unit), i64, -1, value, func(i int) string { return at(i).Format(form + "Z") })
	}
	old := func(i int) time.Time { return time.Date(9999, 12, 30+i%2, 23, 59, 59, 123456789, time.UTC) }
	add("int96", noLogical, parquet.Types.Int96, -1, func(i int) any { return int96Of(old(i)) }, func(i int) string { return old(i).Format("2006-01-02T15:04:05.000000") })
	text := func(i int) string { return "ä €😀\n\"" + strings.Repeat("x", i*i%50) }
	asBytes := func(i int) any { return parquet.ByteArray(text(i)) }
	add("text", schema.StringLogicalType{}, ba, -1, asBytes, text)
	add("enum", schema.EnumLogicalType{}, ba, -1, func(i int) any { return parquet.ByteArray(fmt.Sprint("E", i%3)) }, func(i int) string { return fmt.Sprint("E", i%3) })
	add("json", schema.JSONLogicalType{}, ba, -1, func(i int) any { return parquet.ByteArray(`{"a":1}`) }, func(i int) string { return `{"a":1}` })
	add("bson", schema.BSONLogicalType{}, ba, -1, func(i int) any { return parquet.ByteArray{5, 0, 0, 0, 0} }, func(i int) string { return "BQAAAAA=" })
	add("uuid", schema.UUIDLogicalType{}, flba, 16, func(i int) any {
		return parquet.FixedLenByteArray("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee" + string([]byte{byte(i)}))
	}, func(i int) string { return fmt.Sprintf("00112233-4455-6677-8899-aabbccddee%02x", i) })
	add("bytes", noLogical, ba, -1, func(i int) any { return parquet.ByteArray{0, 255} }, func(i int) string { return "AP8=" })
	add("fixed", noLogical, flba, 3, func(i int) any { return parquet.FixedLenByteArray{0, 255, byte(i)} }, func(i int) string {
		return "AP8" + fmt.Sprintf("%c", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[i%64])
	})

	cols = append(cols,
		pqColumn{leafNode("id", required, integer(64, true), i64, -1), func(i int) any { return int64(i) }, func(i int) string { return fmt.Sprint(i) }},
		pqColumn{leafNode("key", required, schema.StringLogicalType{}, ba, -1), func(i int) any { return parquet.ByteArray(fmt.Sprint("k", i%5)) }, func(i int) string { return fmt.Sprint("k", i%5) }},
		pqColumn{listNode("numbers", leafNode("element", optional, integer(64, true), i64, -1)),
			func(i int) any {
				return []any{nil, []any{}, []any{int64(1)}, []any{nil}, []any{int64(1), nil, int64(3)}}[i%5]
			},
			func(i int) string { return []string{"", "[]", "[1]", "[null]", "[1,null,3]"}[i%5] }},
		pqColumn{listNode("tags", leafNode("element", required, schema.StringLogicalType{}, ba, -1)),
			func(i int) any {
				return []any{[]any{parquet.ByteArray("ä"), parquet.ByteArray("b")}, nil, []any{}, []any{parquet.ByteArray(strings.Repeat("long", i))}}[i/2%4]
			},
			func(i int) string {
				return []string{`["ä","b"]`, "", "[]", `["` + strings.Repeat("long", i) + `"]`}[i/2%4]
			}},
		pqColumn{leafNode("bare_list", repeated, schema.NewDecimalLogicalType(9, 1), i32, -1),
			func(i int) any { return []any{[]any{}, []any{int32(15), int32(-25)}}[i%2] },
			func(i int) string { return []string{"[]", `["1.5","-2.5"]`}[i%2] }},
		pqColumn{recordNode("place", optional, leafNode("city", optional, schema.StringLogicalType{}, ba, -1)),
			func(i int) any { return []any{parquet.ByteArray("Köln"), nil, nullAt(0), nullAt(1)}[i%4] }, func(int) string { return "Köln" }},
		pqColumn{recordNode("deep", optional, recordNode("er", required, listNode("names", leafNode("element", optional, schema.StringLogicalType{}, ba, -1)))),
			func(i int) any {
				return []any{nullAt(0), nullAt(1), []any{}, []any{nil, parquet.ByteArray("x")}}[i%4]
			}, func(i int) string { return []string{"", "", "[]", `[null,"x"]`}[i%4] }},
	)
	return cols
}

// nullAt is a null of which a record or list further up is the cause.
type nullAt int16

// wantRows is what the source should give.
func wantRows(cols []pqColumn, rows int) [][]string {
	out := make([][]string, rows)
	for i := range out {
		for _, c := range cols {
			switch c.row(i).(type) {
			case nil, nullAt:
				out[i] = append(out[i], "NULL")
			default:
				out[i] = append(out[i], c.want(i))
			}
		}
	}
	return out
}

// writeParquet writes a file with arrow, in row groups of the given number of rows. Each column has one leaf.
func writeParquet(t testing.TB, cols []pqColumn, rows, groupRows int, opts ...parquet.WriterProperty) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var fields schema.FieldList
	for _, c := range cols {
		fields = append(fields, c.node)
	}
	root := schema.MustGroup(schema.NewGroupNode("schema", required, fields, -1))
	w := file.NewParquetWriter(f, root, file.WithWriterProps(parquet.NewWriterProperties(opts...)))
	for at := 0; at < rows; at += groupRows {
		g, err := w.AppendRowGroupChecked()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cols {
			cw, err := g.NextColumn()
			if err != nil {
				t.Fatal(err)
			}
			d := cw.Descr()
			var vals []any
			var defs, reps []int16
			value := func(v any, rep int16, level int16) {
				if v != nil {
					vals = append(vals, v)
				}
				defs, reps = append(defs, level), append(reps, rep)
			}
			for i := at; i < min(rows, at+groupRows); i++ {
				top, element := d.MaxDefinitionLevel(), d.MaxDefinitionLevel()
				if d.MaxRepetitionLevel() > 0 && d.SchemaNode().RepetitionType() == optional {
					top-- // the level of an element that is null
				}
				switch v := c.row(i).(type) {
				case nil:
					value(nil, 0, max(0, top-1-d.MaxRepetitionLevel()))
				case nullAt:
					value(nil, 0, int16(v))
				case []any:
					if len(v) == 0 {
						value(nil, 0, top-1)
					}
					for k, e := range v {
						level := element
						if e == nil {
							level = top
						}
						value(e, min(int16(k), 1), level)
					}
				default:
					value(v, 0, element)
				}
			}
			if err := writeChunk(cw, vals, defs, reps); err != nil {
				t.Fatalf("%s: %v", d.Path(), err)
			}
			if err := cw.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeChunk(cw file.ColumnChunkWriter, vals []any, defs, reps []int16) (err error) {
	switch w := cw.(type) {
	case *file.BooleanColumnChunkWriter:
		_, err = w.WriteBatch(all[bool](vals), defs, reps)
	case *file.Int32ColumnChunkWriter:
		_, err = w.WriteBatch(all[int32](vals), defs, reps)
	case *file.Int64ColumnChunkWriter:
		_, err = w.WriteBatch(all[int64](vals), defs, reps)
	case *file.Int96ColumnChunkWriter:
		_, err = w.WriteBatch(all[parquet.Int96](vals), defs, reps)
	case *file.Float32ColumnChunkWriter:
		_, err = w.WriteBatch(all[float32](vals), defs, reps)
	case *file.Float64ColumnChunkWriter:
		_, err = w.WriteBatch(all[float64](vals), defs, reps)
	case *file.ByteArrayColumnChunkWriter:
		_, err = w.WriteBatch(all[parquet.ByteArray](vals), defs, reps)
	case *file.FixedLenByteArrayColumnChunkWriter:
		_, err = w.WriteBatch(all[parquet.FixedLenByteArray](vals), defs, reps)
	default:
		err = fmt.Errorf("no writer for %T", cw)
	}
	return err
}

func all[T any](vals []any) []T {
	out := make([]T, len(vals))
	for i, v := range vals {
		out[i] = v.(T)
	}
	return out
}
