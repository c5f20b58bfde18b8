package sinks_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"migrate/pkg/sinks"
)

// every is a schema with every type that there is.
var every = arrow.NewSchema([]arrow.Field{
	{Name: "Id", Type: arrow.BinaryTypes.String},
	{Name: "Account.Name", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "Stage, \"quoted\"", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "IsActive", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	{Name: "Count", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "Amount", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "Price", Type: &arrow.Decimal128Type{Precision: 9, Scale: 2}, Nullable: true},
	{Name: "Balance", Type: &arrow.Decimal128Type{Precision: 18, Scale: 0}, Nullable: true},
	{Name: "Rate", Type: &arrow.Decimal128Type{Precision: 38, Scale: 10}, Nullable: true},
	{Name: "Birthdate", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
	{Name: "CreatedDate", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}, Nullable: true},
	{Name: "Opens", Type: arrow.FixedWidthTypes.Time32ms, Nullable: true},
}, nil)

// A cell is nil, string, bool, int64, float64, *big.Int (a decimal without its point), or time.Time (a date, a timestamp or a time of day).
type table struct {
	schema *arrow.Schema
	rows   [][]any
}

var midnight = time.Unix(0, 0).UTC()

// draw makes rows of every type, with whatever is hard among them.
func draw(r *rand.Rand, schema *arrow.Schema, rows int) table {
	t := table{schema: schema}
	hard := []string{"", " ", "a,b", "say \"so\"", "two\nlines", "\r\n", "\r", ";", "\t", "=1+1", "\\.", "ä€😀", "\u2028", "\x00\x01\x1f", "\\", "null", "'", "\ufeff", strings.Repeat("x", 5000), "</script>"}
	floats := []float64{0, math.Copysign(0, -1), 1, -1, 100, 0.1, 0.01, 0.001, 1e-7, 16147805824397, 9.1226e8, 1e15, 1e21, 1e22, 1e300, -1e-300, math.MaxFloat64, math.SmallestNonzeroFloat64, 1 << 53, 123456789.125, 0.30000000000000004, 1.005, 99999999999999.99, 4.35}
	for i := range rows {
		row := make([]any, schema.NumFields())
		for k, f := range schema.Fields() {
			if k > 0 && r.IntN(6) == 0 {
				continue
			}
			switch typ := f.Type.(type) {
			case *arrow.StringType:
				switch {
				case k == 0 && schema.NumFields() > 1:
					row[k] = fmt.Sprintf("001%015d", i)
				case r.IntN(2) == 0:
					row[k] = hard[r.IntN(len(hard))]
				default:
					row[k] = fmt.Sprint("Stage ", r.IntN(8))
				}
			case *arrow.BooleanType:
				row[k] = r.IntN(2) == 0
			case *arrow.Int64Type:
				row[k] = int64(r.Uint64()) >> r.IntN(64)
			case *arrow.Float64Type:
				switch r.IntN(4) {
				case 0:
					row[k] = floats[r.IntN(len(floats))]
				case 1:
					row[k] = float64(r.Int64N(1e12)-5e11) / 100
				case 2:
					row[k] = float64(r.Int64N(1e18)-5e17) / math.Pow10(r.IntN(20))
				default:
					if x := math.Float64frombits(r.Uint64()); !math.IsNaN(x) && !math.IsInf(x, 0) {
						row[k] = x
					}
				}
			case *arrow.Decimal128Type:
				n := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(1+r.IntN(int(typ.Precision)))), nil)
				v := new(big.Int).Lsh(big.NewInt(int64(r.Uint64()>>1)), 64)
				v.Add(v, new(big.Int).SetUint64(r.Uint64()))
				v.Mod(v, n)
				if r.IntN(2) == 0 {
					v.Neg(v)
				}
				row[k] = v
			case *arrow.Date32Type:
				row[k] = time.Unix(int64(r.IntN(400*365)-280*365)*86400, 0).UTC()
			case *arrow.TimestampType:
				row[k] = time.UnixMilli(r.Int64N(2e13) - 1e13).UTC()
			case *arrow.Time32Type:
				row[k] = midnight.Add(time.Duration(r.IntN(86400000)) * time.Millisecond)
			default:
				panic(f.Type)
			}
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// batch is the rows from one to another as Arrow has them.
func (t table) batch(from, to int) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, t.schema)
	for _, row := range t.rows[from:to] {
		for k, v := range row {
			if v == nil {
				b.Field(k).AppendNull()
				continue
			}
			switch f := b.Field(k).(type) {
			case *array.StringBuilder:
				f.Append(v.(string))
			case *array.BooleanBuilder:
				f.Append(v.(bool))
			case *array.Int64Builder:
				f.Append(v.(int64))
			case *array.Float64Builder:
				f.Append(v.(float64))
			case *array.Decimal128Builder:
				f.Append(decimal128.FromBigInt(v.(*big.Int)))
			case *array.Date32Builder:
				f.Append(arrow.Date32FromTime(v.(time.Time)))
			case *array.TimestampBuilder:
				f.Append(arrow.Timestamp(v.(time.Time).UnixMilli()))
			case *array.Time32Builder:
				f.Append(arrow.Time32(v.(time.Time).Sub(midnight).Milliseconds()))
			}
		}
	}
	return b.NewRecordBatch()
}

// export writes a table in batches that end at the given rows, and at its end.
func export(t testing.TB, tab table, o sinks.FileOptions, cuts ...int) ([]sinks.File, error) {
	t.Helper()
	o.Schema = tab.schema
	s, err := sinks.OpenFile(o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	whole := tab.batch(0, len(tab.rows))
	defer whole.Release()
	from := 0
	for i, to := range append(cuts, len(tab.rows)) {
		b := whole.NewSlice(int64(from), int64(to)) // a slice has offsets, which a sink must mind
		if i%2 == 1 {
			b.Release()
			b = tab.batch(from, to)
		}
		if err := s.Write(t.Context(), b); err != nil {
			return nil, err
		}
		b.Release()
		from = to
	}
	return s.Publish(t.Context())
}

func mustExport(t testing.TB, tab table, o sinks.FileOptions, cuts ...int) []sinks.File {
	t.Helper()
	files, err := export(t, tab, o, cuts...)
	if err != nil {
		t.Fatal(err)
	}
	return files
}
