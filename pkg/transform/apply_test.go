package transform_test

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"migrate/pkg/transform"
)

// batch makes a record batch of utf8 columns; the first row holds the names.
func batch(rows ...string) arrow.RecordBatch { return batchOf(",", rows...) }

// batchOf makes a batch of text columns: the header, then the rows, with a separator between cells.
func batchOf(sep string, rows ...string) arrow.RecordBatch {
	var fields []arrow.Field
	for _, n := range strings.Split(rows[0], sep) {
		fields = append(fields, arrow.Field{Name: n, Type: arrow.BinaryTypes.String})
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer b.Release()
	for _, r := range rows[1:] {
		for i, v := range strings.Split(r, sep) {
			b.Field(i).(*array.StringBuilder).Append(v)
		}
	}
	return b.NewRecordBatch()
}

// text is the inverse of batch.
func text(b arrow.RecordBatch) []string {
	var names []string
	for _, f := range b.Schema().Fields() {
		names = append(names, f.Name)
	}
	rows := []string{strings.Join(names, ",")}
	for i := range int(b.NumRows()) {
		var vals []string
		for _, c := range b.Columns() {
			vals = append(vals, c.(*array.String).Value(i))
		}
		rows = append(rows, strings.Join(vals, ","))
	}
	return rows
}

func TestApply(t *testing.T) {
	eu := "EU"
	for _, tt := range []struct {
		name    string
		mapping transform.Mapping
		in      []string
		want    []string
		origin  []int
		rejects []string // row:field:rule
	}{
		{"rename and reorder", transform.Mapping{Fields: []transform.Field{{To: "Name", From: "n"}, {To: "Key", From: "k"}}},
			[]string{"k,x,n", "1,-,Ann", "2,-,Bob"}, []string{"Name,Key", "Ann,1", "Bob,2"}, nil, nil},
		{"one column twice", transform.Mapping{Fields: []transform.Field{{To: "A", From: "k"}, {To: "B", From: "k"}}},
			[]string{"k", "1"}, []string{"A,B", "1,1"}, nil, nil},
		{"constant", transform.Mapping{Fields: []transform.Field{{To: "Name", From: "n"}, {To: "Region", Const: &eu}}},
			[]string{"n", "Ann", ""}, []string{"Name,Region", "Ann,EU", ",EU"}, nil, nil},
		{"keep", transform.Mapping{Fields: []transform.Field{{To: "Name", From: "n"}}},
			[]string{"n", " ", ""}, []string{"Name", " ", ""}, nil, nil},
		{"clear", transform.Mapping{Nulls: transform.NullsClear, Fields: []transform.Field{{To: "Name", From: "n"}, {To: "Key", From: "k", Nulls: transform.NullsKeep}}},
			[]string{"n,k", ",", "Bob,2"}, []string{"Name,Key", "#N/A,", "Bob,2"}, nil, nil},
		{"error", transform.Mapping{Fields: []transform.Field{{To: "Name", From: "n", Nulls: transform.NullsError}, {To: "Key", From: "k"}}},
			[]string{"n,k", "Ann,1", ",2", "Cid,3"}, []string{"Name,Key", "Ann,1", "Cid,3"}, []int{0, 2}, []string{"1:Name:empty_value"}},
		{"reserved", transform.Mapping{Fields: []transform.Field{{To: "Name", From: "n"}, {To: "Key", From: "k"}}},
			[]string{"n,k", "#N/A,#N/A", "#N/A!,2", "x,#N/A"}, []string{"Name,Key", "#N/A!,2"}, []int{1}, []string{"0:Name:reserved_value", "2:Key:reserved_value"}},
		{"reserved in a column not sent", transform.Mapping{Fields: []transform.Field{{To: "Key", From: "k"}}},
			[]string{"n,k", "#N/A,1"}, []string{"Key", "1"}, nil, nil},
		{"no rows", transform.Mapping{Fields: []transform.Field{{To: "Name", From: "n", Nulls: transform.NullsError}, {To: "R", Const: &eu}}},
			[]string{"n"}, []string{"Name,R"}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := batch(tt.in...)
			defer in.Release()
			p, err := transform.Compile(tt.mapping, in.Schema())
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Apply(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer got.Rows.Release()
			if diff := cmp.Diff(tt.want, text(got.Rows)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.origin, got.Origin); diff != "" {
				t.Errorf("origin (-want +got):\n%s", diff)
			}
			var rejects []string
			for _, r := range got.Rejects {
				rejects = append(rejects, strings.Join([]string{string(rune('0' + r.Row)), r.Field, r.Rule}, ":"))
				if !strings.Contains(r.Message, r.Column) {
					t.Errorf("message %q does not name column %s", r.Message, r.Column)
				}
			}
			if diff := cmp.Diff(tt.rejects, rejects); diff != "" {
				t.Errorf("rejects (-want +got):\n%s", diff)
			}
		})
	}
}

// TestApplySlice feeds a slice of a batch, whose columns do not start at their buffers' beginning.
func TestApplySlice(t *testing.T) {
	whole := batch("n", "#N/A", "Ann", "#N/A", "Bob")
	defer whole.Release()
	in := whole.NewSlice(1, 3)
	defer in.Release()
	p, err := transform.Compile(transform.Mapping{Fields: []transform.Field{{To: "Name", From: "n"}}}, in.Schema())
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Apply(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Rows.Release()
	if diff := cmp.Diff([]string{"Name", "Ann"}, text(got.Rows)); diff != "" {
		t.Error(diff)
	}
}

func TestCompileTellsAllFaults(t *testing.T) {
	in := batch("n,n,k")
	defer in.Release()
	_, err := transform.Compile(transform.Mapping{Fields: []transform.Field{
		{To: "Name", From: "n"}, {To: "Key", From: "kk"}, {To: "X", From: "k"}, {To: "x", From: "k"}, {To: "Y", From: "k", Nulls: "drop"},
	}}, in.Schema())
	if err == nil {
		t.Fatal("compiled")
	}
	for _, want := range []string{`field Name: the source has 2 columns named "n"`, `field Key: the source has no column "kk"`,
		`field x: is mapped twice`, `field Y: unknown policy for empty values "drop"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
	if _, err := transform.Compile(transform.Mapping{}, in.Schema()); err == nil {
		t.Error("an empty mapping compiled")
	}
}

func TestUnsent(t *testing.T) {
	in := batch("a,b,c")
	defer in.Release()
	got := transform.Mapping{Fields: []transform.Field{{To: "X", From: "b"}}}.Unsent(in.Schema())
	if diff := cmp.Diff([]string{"a", "c"}, got); diff != "" {
		t.Error(diff)
	}
}
