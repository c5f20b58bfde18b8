package transform

import (
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// TestScratch: whatever steps make of a column, the column itself stays as it was, for other fields and expressions to read; and the
// result does not depend on whether the value lay in the source or in a buffer when the steps began.
func TestScratch(t *testing.T) {
	t.Parallel()
	other := "ö"
	for name, steps := range map[string]Steps{
		"date":             {Time: &Time{Formats: []string{"dd.MM.yyyy"}}},
		"trim and date":    {Trim: true, Time: &Time{Formats: []string{"dd.MM.yyyy"}}},
		"number":           {Number: &Number{Decimal: ","}},
		"several":          {Trim: true, Case: CaseUpper, Replace: []Replace{{Find: "[0-9]", With: "$0$0"}}, Default: &other},
		"map":              {Trim: true, Map: &Map{Values: map[string]string{"31.12.2020": "A", "ab": "LONGER THAN IT WAS"}, Missing: MissingKeep}, Mask: &Mask{Keep: 1}},
		"list":             {Case: CaseTitle, List: &List{Split: "."}},
		"split, then mask": {Split: &Split{By: ".", Part: 1}, Mask: &Mask{}},
		"a wide mask":      {Trim: true, Mask: &Mask{Keep: 3, With: "•"}},
		"wider letters":    {Trim: true, Case: CaseTitle},
		"kept in a map":    {Case: CaseTitle, Map: &Map{Values: map[string]string{"q": "w"}, Missing: MissingKeep}, Mask: &Mask{Keep: 3, With: "•"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			values := []string{"31.12.2020", "", " 01.02.2020 ", "12,50", "ab", "", "", "x;y.z", "01.02.2020", "äöü.ß", "ɐɐ ɐɐ ɐɐ", "1.5"}
			schema := arrow.NewSchema([]arrow.Field{{Name: "v", Type: arrow.BinaryTypes.String}}, nil)
			b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
			defer b.Release()
			b.Field(0).(*array.StringBuilder).AppendValues(values, nil)
			in := b.NewRecordBatch()
			defer in.Release()
			f := Field{To: "F", Steps: steps}
			if steps.Time != nil {
				f.Kind = KindDate
			}
			apply := func(f Field) []string {
				p, err := Compile(Mapping{Fields: []Field{f}}, schema)
				if err != nil {
					t.Fatal(err)
				}
				out, err := (&batch{in: in, rows: len(values), faults: map[int]Reject{}}).column(&p.columns[0])
				if err != nil {
					t.Fatal(err)
				}
				defer out.Release()
				return texts(out)
			}
			lying, made := f, f
			lying.From, made.Expr = "v", "v"
			got, want := apply(made), apply(lying)
			if !slices.Equal(got, want) {
				t.Errorf("from a buffer %q, from the source %q", got, want)
			}
			if after := texts(in.Column(0)); !slices.Equal(values, after) {
				t.Errorf("the source was %q and is %q", values, after)
			}
		})
	}
}

func texts(a arrow.Array) []string {
	var list []string
	for i := range a.Len() {
		list = append(list, string([]byte(a.(*array.String).Value(i))))
	}
	return list
}
