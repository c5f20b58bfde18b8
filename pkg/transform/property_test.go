package transform_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"migrate/pkg/transform"
)

// TestFieldsDoNotTouch: what becomes of a field does not depend on the other fields of the mapping, nor on what was worked on before, and
// a batch is read, never written. Each field of a random mapping, with all steps, is held against the same field alone on a copy of the
// batch; and the bytes of the batch against what they were.
func TestFieldsDoNotTouch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(1, 6).Draw(t, "rows")
		var cells [][]string // by column; "" is null in a nullable one
		for range columns {
			cells = append(cells, rapid.SliceOfN(value, rows, rows).Draw(t, "cells"))
		}
		skip := rapid.IntRange(0, 1).Draw(t, "first row of a slice")
		makeBatch := func() arrow.RecordBatch {
			whole := batchOfTypes(cells)
			defer whole.Release()
			return whole.NewSlice(int64(min(skip, rows-1)), int64(rows))
		}
		m := transform.Mapping{Nulls: rapid.SampledFrom([]transform.Nulls{"", transform.NullsClear, transform.NullsError}).Draw(t, "nulls"), Timezone: "Europe/Berlin"}
		for i := range rapid.IntRange(1, 5).Draw(t, "fields") {
			m.Fields = append(m.Fields, fieldOf(t, fmt.Sprintf("F%d", i)))
		}
		if rapid.IntRange(0, 3).Draw(t, "where") == 0 {
			m.Where = `a != "ab"`
		}
		in := makeBatch()
		defer in.Release()
		before := bytesOf(in)
		plan, err := transform.Compile(m, in.Schema())
		if err != nil {
			t.Skip(err) // a mapping that cannot be
		}
		got := apply(t, plan, in)
		if again := apply(t, plan, in); !slices.EqualFunc(got, again, slices.Equal) {
			t.Fatalf("at first %q, then %q", got, again)
		}
		if !bytes.Equal(before, bytesOf(in)) {
			t.Fatal("the batch was written to")
		}
		var want [][]string // by row; the first field that rejects a row is what is told
		for k, f := range m.Fields {
			alone := m
			alone.Fields = []transform.Field{f}
			fresh := makeBatch()
			p, err := transform.Compile(alone, fresh.Schema())
			if err != nil {
				t.Fatal(err)
			}
			for i, row := range apply(t, p, fresh) {
				switch {
				case k == 0:
					want = append(want, row)
				case len(want[i]) == 1 && strings.HasPrefix(want[i][0], "!"), len(want[i]) == 1 && want[i][0] == "-":
				case len(row) == 1 && strings.HasPrefix(row[0], "!"):
					want[i] = row
				default:
					want[i] = append(want[i], row...)
				}
			}
			fresh.Release()
		}
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Fatalf("together %q, each alone %q", got, want)
		}
	})
}

// columns of the batches, by name.
var columns = []struct {
	name string
	typ  arrow.DataType
}{
	{"a", arrow.BinaryTypes.String}, {"b", arrow.BinaryTypes.String}, {"large", arrow.BinaryTypes.LargeString},
	{"dictionary", &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}}, {"list", arrow.ListOf(arrow.BinaryTypes.String)},
	{"float", arrow.PrimitiveTypes.Float64}, {"time", &arrow.TimestampType{Unit: arrow.Second}},
}

// value is what cells hold: what steps change, longer and shorter than it was, and what they refuse.
var value = rapid.OneOf(rapid.SampledFrom([]string{"", "ab", " Ab ", "31.12.2020", "1.234,5", "ja", "x;y.z", "äöü.ß", "ɐɐ ɐɐ", "2026-01-31 12:00:00", "#N/A", "  "}),
	rapid.StringOfN(rapid.SampledFrom([]rune("aßɐ. ,1")), 0, 12, -1), rapid.Just(strings.Repeat("ɐ", 300)))

func batchOfTypes(cells [][]string) arrow.RecordBatch {
	var fields []arrow.Field
	for _, c := range columns {
		fields = append(fields, arrow.Field{Name: c.name, Type: c.typ, Nullable: true})
	}
	b := array.NewRecordBuilder(memory.NewGoAllocator(), arrow.NewSchema(fields, nil))
	defer b.Release()
	for k := range columns {
		for i, v := range cells[k] {
			switch f := b.Field(k).(type) {
			case *array.StringBuilder:
				f.Append(v)
			case *array.LargeStringBuilder:
				f.Append(v)
			case *array.BinaryDictionaryBuilder:
				f.AppendString(v)
			case *array.ListBuilder:
				f.Append(true)
				for item := range strings.SplitSeq(v, ".") {
					f.ValueBuilder().(*array.StringBuilder).Append(item)
				}
			case *array.Float64Builder:
				f.Append(float64(len(v)) / 8)
			case *array.TimestampBuilder:
				f.Append(arrow.Timestamp(1_700_000_000 + int64(i)*3600))
			}
		}
	}
	return b.NewRecordBatch()
}

// fieldOf draws a field: any origin, any steps, a lookup.
func fieldOf(t *rapid.T, to string) transform.Field {
	f := transform.Field{To: to}
	name := rapid.SampledFrom([]string{"a", "a", "b", "large", "dictionary", "list", "float", "time"})
	switch rapid.IntRange(0, 7).Draw(t, "origin") {
	case 0:
		f.Columns, f.With = rapid.SliceOfN(name, 1, 3).Draw(t, "columns"), rapid.SampledFrom([]string{"", ".", " - "}).Draw(t, "with")
	case 1:
		f.Expr = rapid.SampledFrom([]string{"a", "a + b", `upper(a)`, `row["large"] + a`, `float / 2`, `a == "" ? nil : a`, `split(a, ".")[0]`, "time"}).Draw(t, "expr")
	case 2:
		constant := "x"
		f.Const = &constant
	default:
		f.From = name.Draw(t, "from")
	}
	some := func(label string) bool { return rapid.IntRange(0, 3).Draw(t, label) == 0 }
	s := &f.Steps
	s.Trim, s.Blank = some("trim"), some("blank")
	if some("case") {
		s.Case = rapid.SampledFrom([]transform.Case{transform.CaseUpper, transform.CaseLower, transform.CaseTitle}).Draw(t, "which case")
	}
	if some("replace") {
		s.Replace = []transform.Replace{{Find: "[0-9.]", With: rapid.SampledFrom([]string{"", "$0$0", "ɐ"}).Draw(t, "by")}, {Find: "a", With: "b"}}
	}
	if some("split") {
		s.Split = &transform.Split{By: rapid.SampledFrom([]string{".", " "}).Draw(t, "by"), Part: rapid.SampledFrom([]int{1, 2, -1}).Draw(t, "part")}
	}
	if rapid.IntRange(0, 7).Draw(t, "number") == 0 {
		s.Number = &transform.Number{Decimal: ",", Thousands: "."}
	}
	if rapid.IntRange(0, 7).Draw(t, "boolean") == 0 {
		s.Boolean = &transform.Boolean{True: []string{"ja", "ab"}, False: []string{"1"}}
	}
	if rapid.IntRange(0, 7).Draw(t, "time") == 0 {
		f.Kind = rapid.SampledFrom([]transform.Kind{transform.KindDate, transform.KindDatetime}).Draw(t, "kind")
		if some("iso") {
			s.Time = &transform.Time{Formats: []string{"dd.MM.yyyy"}}
		}
	}
	if some("list") {
		s.List = &transform.List{Split: "."}
	}
	if some("map") {
		s.Map = &transform.Map{Values: map[string]string{"ab": "LONGER THAN IT WAS", "x": "", "1": "#N/A"}, Missing: rapid.SampledFrom([]transform.Missing{transform.MissingKeep, transform.MissingEmpty, transform.MissingError}).Draw(t, "missing"), Fold: some("fold")}
	}
	if some("hash") {
		s.Hash = &transform.Hash{Key: "k", Length: rapid.IntRange(0, 64).Draw(t, "length")}
	}
	if some("mask") {
		s.Mask = &transform.Mask{Keep: rapid.IntRange(0, 3).Draw(t, "keep"), With: rapid.SampledFrom([]string{"", "•"}).Draw(t, "mask")}
	}
	if some("truncate") {
		s.Truncate = rapid.IntRange(1, 5).Draw(t, "to")
	}
	if some("default") {
		other := rapid.SampledFrom([]string{"ö", "a default"}).Draw(t, "other")
		s.Default = &other
	}
	if some("ref") {
		f.Ref = &transform.Ref{Job: "j", Missing: rapid.SampledFrom([]transform.Missing{transform.MissingError, transform.MissingEmpty}).Draw(t, "missing"),
			Find: func(values []string) (map[string][]string, error) {
				found := map[string][]string{}
				for _, v := range values {
					if len(v)%3 > 0 {
						found[v] = []string{"id of " + v}
					}
				}
				return found, nil
			}}
	}
	f.Nulls = rapid.SampledFrom([]transform.Nulls{"", "", transform.NullsKeep, transform.NullsClear, transform.NullsError}).Draw(t, "nulls of the field")
	return f
}

// apply gives the values of each row, ! and the reason for one that is rejected, - for one that is filtered.
func apply(t *rapid.T, p *transform.Plan, in arrow.RecordBatch) [][]string {
	got, err := p.Apply(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Rows.Release()
	list := make([][]string, in.NumRows())
	for i := range list {
		list[i] = []string{"-"}
	}
	for i := range int(got.Rows.NumRows()) {
		row := []string{}
		for _, c := range got.Rows.Columns() {
			row = append(row, strings.Clone(c.(*array.String).Value(i)))
		}
		list[got.Input(i)] = row
	}
	for _, r := range got.Rejects {
		list[r.Row] = []string{"!" + r.Rule + " " + r.Message}
	}
	return list
}

// bytesOf copies all memory of a batch.
func bytesOf(b arrow.RecordBatch) []byte {
	var all []byte
	var add func(d arrow.ArrayData)
	add = func(d arrow.ArrayData) {
		for _, buf := range d.Buffers() {
			if buf != nil {
				all = append(all, buf.Bytes()...)
			}
		}
		for _, child := range d.Children() {
			add(child)
		}
		if dictionary, ok := d.Dictionary().(*array.Data); ok && dictionary != nil {
			add(dictionary)
		}
	}
	for _, c := range b.Columns() {
		add(c.Data())
	}
	return all
}
