package transform_test

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"migrate/pkg/transform"
)

func str(s string) *string { return &s }

// TestSteps: each step with good and with bad values. A wanted value that begins with ! is the rule of a reject.
func TestSteps(t *testing.T) {
	t.Parallel()
	date := func(kind transform.Kind, zone string, formats ...string) transform.Field {
		return transform.Field{Kind: kind, Steps: transform.Steps{Time: &transform.Time{Formats: formats, Timezone: zone}}}
	}
	tests := []struct {
		name  string
		field transform.Field
		in    string // one value per |
		want  string
	}{
		{"as it stands", transform.Field{}, " a |", " a |"},
		{"trim", transform.Field{Steps: transform.Steps{Trim: true}}, "  a b\t|   |", "a b||"},
		{"trim, then clear", transform.Field{Nulls: transform.NullsClear, Steps: transform.Steps{Trim: true}}, " a|  |", "a|#N/A|#N/A"},
		{"trim, then error", transform.Field{Nulls: transform.NullsError, Steps: transform.Steps{Trim: true}}, " a|  |", "a|!empty_value|!empty_value"},
		{"trim finds the token", transform.Field{Steps: transform.Steps{Trim: true}}, " #N/A ", "!reserved_value"},
		{"blanks", transform.Field{Steps: transform.Steps{Blank: true}, Nulls: transform.NullsClear}, " a | ", " a |#N/A"},
		{"upper", transform.Field{Steps: transform.Steps{Case: transform.CaseUpper}}, "éa|äö1", "ÉA|ÄÖ1"},
		{"lower", transform.Field{Steps: transform.Steps{Case: transform.CaseLower}}, "ÄBC", "äbc"},
		{"title", transform.Field{Steps: transform.Steps{Case: transform.CaseTitle}}, "JOHN o'neil-SMITH|éric", "John O'neil-Smith|Éric"},
		{"replace", transform.Field{Steps: transform.Steps{Replace: []transform.Replace{{Find: `[^0-9+]`, With: ""}, {Find: `^00(\d)`, With: "+$1"}}}}, "0049 (30) 1-2|none", "+493012|"},
		{"split", transform.Field{Steps: transform.Steps{Split: &transform.Split{By: ", ", Part: 1}}}, "Ng, Jo|Ng|", "Ng|Ng|"},
		{"split, last part", transform.Field{Steps: transform.Steps{Split: &transform.Split{By: " ", Part: -1}}}, "Jo van Ng", "Ng"},
		{"split, part that is not there", transform.Field{Nulls: transform.NullsError, Steps: transform.Steps{Split: &transform.Split{By: ",", Part: 2}}}, "a,b|a", "b|!empty_value"},
		{"number", transform.Field{Steps: transform.Steps{Number: &transform.Number{Decimal: ",", Thousands: "."}}}, "1.234.567,89|-5|+,5|1e3|1.5E-3,|12,|0",
			"1234567.89|-5|0.5|1e3|!not_a_number|12|0"},
		{"number that is none", transform.Field{Steps: transform.Steps{Number: &transform.Number{Decimal: ",", Thousands: "."}}}, "12.34,5|1,2,3|a|,|-|1.2345|1 000|0x10|--1|1e", "!not_a_number|!not_a_number|!not_a_number|!not_a_number|!not_a_number|!not_a_number|!not_a_number|!not_a_number|!not_a_number|!not_a_number"},
		{"number without thousands", transform.Field{Steps: transform.Steps{Number: &transform.Number{}}}, "1234.5|1,234.5", "1234.5|!not_a_number"},
		{"number with blanks", transform.Field{Steps: transform.Steps{Number: &transform.Number{Decimal: ",", Thousands: "\u00a0"}}}, "1\u00a0234,5", "1234.5"},
		{"boolean", transform.Field{Steps: transform.Steps{Boolean: &transform.Boolean{True: []string{"ja", "x"}, False: []string{"nein"}}}}, "JA|x|Nein|vielleicht|", "true|true|false|!not_a_boolean|"},
		{"date", date(transform.KindDate, "", "dd.MM.yyyy", "yyyy-MM-dd"), "31.01.2026|2026-02-28|29.02.2025|1.1.2026|31.01.1600", "2026-01-31|2026-02-28|!not_a_time|!not_a_time|!not_a_time"},
		{"date, short", date(transform.KindDate, "", "d.M.yy"), "1.2.99|1.2.26", "1999-02-01|2026-02-01"},
		{"date in words", date(transform.KindDate, "", "EEEE, MMMM d, yyyy"), "Saturday, January 31, 2026|Saturday, Foo 31, 2026", "2026-01-31|!not_a_time"},
		{"time with a zone", date(transform.KindDatetime, "Europe/Berlin", "yyyy-MM-dd HH:mm"), "2026-01-31 12:00|2026-07-31 12:00|noon", "2026-01-31T11:00:00.000Z|2026-07-31T10:00:00.000Z|!not_a_time"},
		{"time when clocks change", date(transform.KindDatetime, "Europe/Berlin", "yyyy-MM-dd HH:mm"), "2026-03-29 02:30|2026-10-25 02:30|2026-10-25 03:00|2026-03-29 03:00", "!no_such_time|!ambiguous_time|2026-10-25T02:00:00.000Z|2026-03-29T01:00:00.000Z"},
		{"the first of two", transform.Field{Kind: transform.KindDatetime, Steps: transform.Steps{Time: &transform.Time{Formats: []string{"yyyy-MM-dd HH:mm"}, Timezone: "Europe/Berlin", Ambiguous: "first"}}}, "2026-10-25 02:30", "2026-10-25T00:30:00.000Z"},
		{"the last of two", transform.Field{Kind: transform.KindDatetime, Steps: transform.Steps{Time: &transform.Time{Formats: []string{"yyyy-MM-dd HH:mm"}, Timezone: "Europe/Berlin", Ambiguous: "last"}}}, "2026-10-25 02:30", "2026-10-25T01:30:00.000Z"},
		{"time that names its zone", date(transform.KindDatetime, "", "yyyy-MM-dd'T'HH:mm:ssXXX", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"), "2026-01-31T12:00:00+05:30|2026-01-31T12:00:00.250Z", "2026-01-31T06:30:00.000Z|2026-01-31T12:00:00.250Z"},
		{"time without a format", transform.Field{Kind: transform.KindDatetime, Steps: transform.Steps{Time: &transform.Time{Timezone: "Europe/Berlin"}}}, "2026-01-31T12:00:00|2026-07-31 12:00:00.5|2026-01-31T12:00:00Z|soon|2026-03-29T02:30:00", "2026-01-31T11:00:00.000Z|2026-07-31T10:00:00.500Z|2026-01-31T12:00:00Z|soon|!no_such_time"},
		{"time, half a day", date(transform.KindDatetime, "UTC", "M/d/yyyy h:mm a"), "1/31/2026 12:05 AM|1/31/2026 1:05 PM|1/31/2026 13:05 PM", "2026-01-31T00:05:00.000Z|2026-01-31T13:05:00.000Z|!not_a_time"},
		{"date of a time", date(transform.KindDate, "America/New_York", "yyyy-MM-dd'T'HH:mm:ssXXX"), "2026-01-01T03:00:00Z", "2025-12-31"},
		{"date of a time elsewhere", transform.Field{Kind: transform.KindDate, Steps: transform.Steps{Time: &transform.Time{Formats: []string{"yyyy-MM-dd HH:mm"}, Timezone: "UTC", Into: "Asia/Tokyo"}}}, "2026-01-01 20:00", "2026-01-02"},
		{"shift", transform.Field{Kind: transform.KindDatetime, Steps: transform.Steps{Time: &transform.Time{Formats: []string{"yyyy-MM-dd HH:mm"}, Timezone: "UTC", Shift: "-1d2h30m"}}}, "2026-01-02 12:00", "2026-01-01T09:30:00.000Z"},
		{"time of day", date(transform.KindTime, "", "HH:mm"), "13:05|25:00", "13:05:00.000Z|!not_a_time"},
		{"map", transform.Field{Steps: transform.Steps{Map: &transform.Map{Values: map[string]string{"1": "Hot", "2": "Cold"}}}}, "1|2|3|", "Hot|Cold|!not_in_map|"},
		{"map, missing kept", transform.Field{Steps: transform.Steps{Map: &transform.Map{Values: map[string]string{"1": "Hot"}, Missing: transform.MissingKeep}}}, "1|9", "Hot|9"},
		{"map, missing empty", transform.Field{Steps: transform.Steps{Map: &transform.Map{Values: map[string]string{"1": "Hot"}, Missing: transform.MissingEmpty}, Default: str("Warm")}}, "1|9", "Hot|Warm"},
		{"map without case", transform.Field{Steps: transform.Steps{Map: &transform.Map{Values: map[string]string{"Aktiv": "Active"}, Fold: true}}}, "AKTIV", "Active"},
		{"map to the token", transform.Field{Steps: transform.Steps{Map: &transform.Map{Values: map[string]string{"-": "#N/A"}}}}, "-", "!reserved_value"},
		{"list", transform.Field{Steps: transform.Steps{List: &transform.List{Split: ","}}}, "a, b,,a|one|x;y", "a;b|one|!not_in_map"},
		{"list with a map", transform.Field{Steps: transform.Steps{List: &transform.List{Split: "/"}, Map: &transform.Map{Values: map[string]string{"n": "North", "s": "South"}}}}, "n/s|n/w", "North;South|!not_in_map"},
		{"default", transform.Field{Steps: transform.Steps{Default: str("Other")}}, "a|", "a|Other"},
		{"hash", transform.Field{Steps: transform.Steps{Hash: &transform.Hash{Key: "k", Length: 8}}}, "jo@example.com|jo@example.com|", "7ce061e4|7ce061e4|"},
		{"mask", transform.Field{Steps: transform.Steps{Mask: &transform.Mask{Keep: 4}}}, "DE89370400440532|abc|éé12345", "************0532|abc|***2345"},
		{"truncate", transform.Field{Steps: transform.Steps{Truncate: 3}}, "abcd|ab🏰c|🏰🏰|äöüß|abc", "abc|ab|🏰|äöü|abc"},
		{"truncate to the token", transform.Field{Steps: transform.Steps{Truncate: 4}}, "#N/ABC|#N/B", "!reserved_value|#N/B"},
		{"expression that divides by zero", transform.Field{Expr: `10 / int(v)`}, "4|0|-0", "2.5|!expression|!expression"},
		{"expression", transform.Field{Expr: `upper(v) + "-" + string(len(v))`}, "ab|", "AB-2|-0"},
		{"expression with row", transform.Field{Expr: `row["v"] == "x" ? nil : row["v"]`}, "x|y", "|y"},
		{"expression that fails", transform.Field{Expr: `int(v) * 2`}, "21|x", "42|!expression"},
		{"columns joined", transform.Field{Columns: []string{"v", "w"}, With: " "}, "a|", "a k|k"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := test.field
			f.To = "F"
			if f.Expr == "" && len(f.Columns) == 0 {
				f.From = "v"
			}
			rows := []string{"v~w"}
			for _, v := range strings.Split(test.in, "|") {
				rows = append(rows, v+"~k")
			}
			in := batchOf("~", rows...)
			defer in.Release()
			p, err := transform.Compile(transform.Mapping{Fields: []transform.Field{f}}, in.Schema())
			if err != nil {
				t.Fatal(err)
			}
			if got := applied(t, p, in); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// applied gives the values of the first field, by row of the input; a reject shows as ! and its rule, a filtered row as -.
func applied(t *testing.T, p *transform.Plan, in arrow.RecordBatch) string {
	t.Helper()
	got, err := p.Apply(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Rows.Release()
	out := make([]string, in.NumRows())
	for i := range out {
		out[i] = "-"
	}
	for i := range int(got.Rows.NumRows()) {
		out[got.Input(i)] = got.Rows.Column(0).(*array.String).Value(i)
	}
	for _, r := range got.Rejects {
		out[r.Row] = "!" + r.Rule
		if r.Message == "" {
			t.Errorf("row %d is rejected without a reason", r.Row)
		}
	}
	return strings.Join(out, "|")
}

// TestStepsRefused: mistakes in a mapping are told when it is compiled, with what to do.
func TestStepsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		field transform.Field
		want  string
	}{
		{transform.Field{From: "v", Steps: transform.Steps{Case: "camel"}}, `unknown case "camel": upper, lower or title`},
		{transform.Field{From: "v", Steps: transform.Steps{Replace: []transform.Replace{{Find: "("}}}}, "replace: error parsing regexp"},
		{transform.Field{From: "v", Steps: transform.Steps{Split: &transform.Split{By: ",", Part: 0}}}, "split needs"},
		{transform.Field{From: "v", Steps: transform.Steps{Number: &transform.Number{Decimal: ",", Thousands: ","}}}, "are the same"},
		{transform.Field{From: "v", Steps: transform.Steps{Number: &transform.Number{Decimal: "5"}}}, "a mark is no digit"},
		{transform.Field{From: "v", Steps: transform.Steps{Boolean: &transform.Boolean{True: []string{"x"}, False: []string{"X"}}}}, `"x" means true and false`},
		{transform.Field{From: "v", Steps: transform.Steps{Boolean: &transform.Boolean{}}}, "no words"},
		{transform.Field{From: "v", Steps: transform.Steps{Time: &transform.Time{Formats: []string{"dd.MM.jjjj"}}}}, `"j" is not known`},
		{transform.Field{From: "v", Steps: transform.Steps{Time: &transform.Time{Formats: []string{"dd.MM"}}}}, "neither a whole date nor a time"},
		{transform.Field{From: "v", Steps: transform.Steps{Time: &transform.Time{Formats: []string{"yyyy-MM-dd hh:mm"}}}}, "hh and a go together"},
		{transform.Field{From: "v", Steps: transform.Steps{Time: &transform.Time{Formats: []string{"yyyy-MM-dd '2006'"}}}}, "holds a digit"},
		{transform.Field{From: "v", Kind: transform.KindDatetime, Steps: transform.Steps{Time: &transform.Time{Formats: []string{"yyyy-MM-dd HH:mm"}}}}, "say timezone"},
		{transform.Field{From: "v", Steps: transform.Steps{Time: &transform.Time{Formats: []string{"yyyy-MM-dd"}, Timezone: "Berlin"}}}, `unknown timezone "Berlin"`},
		{transform.Field{From: "v", Steps: transform.Steps{Time: &transform.Time{Formats: []string{"yyyy-MM-dd"}, Shift: "soon"}}}, "is not a length of time"},
		{transform.Field{From: "v", Steps: transform.Steps{Time: &transform.Time{Formats: []string{"yyyy-MM-dd"}, Ambiguous: "any"}}}, "first or last"},
		{transform.Field{From: "v", Steps: transform.Steps{Map: &transform.Map{}}}, "it holds no values"},
		{transform.Field{From: "v", Steps: transform.Steps{Map: &transform.Map{Values: map[string]string{"a": "1", "A": "2"}, Fold: true}}}, "when case does not matter"},
		{transform.Field{From: "v", Steps: transform.Steps{Map: &transform.Map{Values: map[string]string{"a": "1"}, Missing: "ignore"}}}, "error, keep or empty"},
		{transform.Field{From: "v", Steps: transform.Steps{List: &transform.List{}}}, "say what stands between"},
		{transform.Field{From: "v", Steps: transform.Steps{Hash: &transform.Hash{KeyEnv: "PEPPER"}}}, "set the environment variable PEPPER"},
		{transform.Field{From: "v", Steps: transform.Steps{Hash: &transform.Hash{Key: "k", Length: 65}}}, "from 1 to 64"},
		{transform.Field{From: "v", Steps: transform.Steps{Mask: &transform.Mask{Keep: -1}}}, "mask: keep is -1"},
		{transform.Field{From: "v", Steps: transform.Steps{Truncate: -1}}, "truncate is -1"},
		{transform.Field{Expr: "nothing + 1"}, "unknown name nothing"},
		{transform.Field{Expr: "v +"}, "unexpected token"},
		{transform.Field{Expr: "v * 2"}, "invalid operation"},
		{transform.Field{From: "v", Expr: "v"}, "its value comes from one of"},
		{transform.Field{Columns: []string{"v", "x"}}, `the source has no column "x"`},
	}
	in := batch("v,w", "a,b")
	defer in.Release()
	for _, test := range tests {
		test.field.To = "F"
		_, err := transform.Compile(transform.Mapping{Fields: []transform.Field{test.field}}, in.Schema())
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "field F: ") {
			t.Errorf("%+v: %v, want %q", test.field, err, test.want)
		}
	}
	for _, m := range []transform.Mapping{{Where: "v"}, {Where: "x > 1"}, {Timezone: "Mars"}} {
		m.Fields = []transform.Field{{To: "F", From: "v"}}
		if _, err := transform.Compile(m, in.Schema()); err == nil {
			t.Errorf("%+v compiled", m)
		}
	}
}

func TestWhere(t *testing.T) {
	t.Parallel()
	in := batch("v,status", "a,open", "b,deleted", "#N/A,deleted", "#N/A,open", "c,open")
	defer in.Release()
	p, err := transform.Compile(transform.Mapping{Where: `status != "deleted"`, Fields: []transform.Field{{To: "F", From: "v"}}}, in.Schema())
	if err != nil {
		t.Fatal(err)
	}
	if got := applied(t, p, in); got != "a|-|-|!reserved_value|c" {
		t.Errorf("got %s", got)
	}
	if got := (transform.Mapping{Where: `status != "deleted"`, Fields: []transform.Field{{To: "F", Expr: `row["v"]`}}}).Unsent(in.Schema()); len(got) != 0 {
		t.Errorf("unsent %v", got)
	}
}

// TestTypedColumns: values of typed sources are written as Salesforce takes them.
func TestTypedColumns(t *testing.T) {
	t.Parallel()
	mem := memory.DefaultAllocator
	build := func(typ arrow.DataType, texts ...string) arrow.RecordBatch {
		b := array.NewRecordBuilder(mem, arrow.NewSchema([]arrow.Field{{Name: "v", Type: typ, Nullable: true}}, nil))
		defer b.Release()
		for _, s := range texts {
			if s == "" {
				b.Field(0).AppendNull()
			} else if err := b.Field(0).AppendValueFromString(s); err != nil {
				t.Fatalf("%v %s: %v", typ, s, err)
			}
		}
		return b.NewRecordBatch()
	}
	dec := func() arrow.RecordBatch {
		b := array.NewRecordBuilder(mem, arrow.NewSchema([]arrow.Field{{Name: "v", Type: &arrow.Decimal128Type{Precision: 20, Scale: 2}, Nullable: true}}, nil))
		defer b.Release()
		b.Field(0).(*array.Decimal128Builder).Append(decimal128.FromI64(-1234567))
		b.Field(0).AppendNull()
		return b.NewRecordBatch()
	}
	local := &arrow.TimestampType{Unit: arrow.Microsecond}
	utc := &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}
	tests := []struct {
		name  string
		in    arrow.RecordBatch
		field transform.Field
		zone  string
		want  string // of a mistake that is found when compiled: its text after a colon
	}{
		{"int", build(arrow.PrimitiveTypes.Int64, "-5", ""), transform.Field{}, "", "-5|"},
		{"int, null clears", build(arrow.PrimitiveTypes.Int64, "7", ""), transform.Field{Nulls: transform.NullsClear}, "", "7|#N/A"},
		{"uint", build(arrow.PrimitiveTypes.Uint64, "18446744073709551615"), transform.Field{}, "", "18446744073709551615"},
		{"float", build(arrow.PrimitiveTypes.Float64, "912260000", "0.1", "1e300", "NaN", "+Inf"), transform.Field{Kind: transform.KindNumber}, "", "912260000|0.1|1e+300|!unfit_value|!unfit_value"},
		{"float32", build(arrow.PrimitiveTypes.Float32, "0.1"), transform.Field{}, "", "0.1"},
		{"decimal", dec(), transform.Field{}, "", "-12345.67|"},
		{"bool", build(arrow.FixedWidthTypes.Boolean, "true", "false", ""), transform.Field{Kind: transform.KindBoolean}, "", "true|false|"},
		{"date", build(arrow.FixedWidthTypes.Date32, "2026-01-31"), transform.Field{Kind: transform.KindDate}, "", "2026-01-31"},
		{"date into a time", build(arrow.FixedWidthTypes.Date32, "2026-07-31"), transform.Field{Kind: transform.KindDatetime}, "Europe/Berlin", "2026-07-30T22:00:00.000Z"},
		{"date into a time, no zone", build(arrow.FixedWidthTypes.Date32), transform.Field{Kind: transform.KindDatetime}, "", ":say timezone"},
		{"timestamp with zone", build(utc, "2026-01-31T12:00:00.250Z"), transform.Field{Kind: transform.KindDatetime}, "", "2026-01-31T12:00:00.250Z"},
		{"timestamp without zone", build(local, "2026-01-31T12:00:00", "2026-03-29T02:30:00"), transform.Field{Kind: transform.KindDatetime}, "Europe/Berlin", "2026-01-31T11:00:00.000Z|!no_such_time"},
		{"timestamp without zone, none told", build(local), transform.Field{Kind: transform.KindDatetime}, "", ":say timezone"},
		{"date of a timestamp", build(utc, "2026-01-01T03:00:00Z"), transform.Field{Kind: transform.KindDate}, "America/New_York", "2025-12-31"},
		{"date of a timestamp, no zone", build(utc), transform.Field{Kind: transform.KindDate}, "", ":depend on the place"},
		{"date of a local timestamp", build(local, "2026-01-01T23:59:59"), transform.Field{Kind: transform.KindDate}, "", "2026-01-01"},
		{"time", build(arrow.FixedWidthTypes.Time64us, "13:05:00"), transform.Field{Kind: transform.KindTime}, "", "13:05:00.000Z"},
		{"bytes", build(arrow.BinaryTypes.Binary), transform.Field{}, "", ":holds bytes"},
		{"list", build(arrow.ListOf(arrow.BinaryTypes.String), `["a","b"]`, `["a;b"]`, "", `[]`), transform.Field{}, "", "a;b|!unfit_value||"},
		{"struct", build(arrow.StructOf(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int64})), transform.Field{}, "", ":is nested"},
		{"format for a time", build(utc), transform.Field{Kind: transform.KindDate, Steps: transform.Steps{Time: &transform.Time{Formats: []string{"yyyy-MM-dd"}}}}, "", ":a format is for text"},
		{"expression", build(arrow.PrimitiveTypes.Int32, "3", ""), transform.Field{Expr: `has("v") ? v * 2 : -1`}, "", "6|-1"},
		{"expression over a null", build(arrow.PrimitiveTypes.Int32, ""), transform.Field{Expr: `v * 2`}, "", "!expression"},
		{"expression over a time", build(utc, "2026-01-31T12:00:00Z"), transform.Field{Kind: transform.KindDatetime, Expr: `v + duration("1h")`}, "", "2026-01-31T13:00:00.000Z"},
		{"expression over a time, for a date", build(utc, "2026-01-31T12:00:00Z"), transform.Field{Kind: transform.KindDate, Expr: `v`}, "", "2026-01-31"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			defer test.in.Release()
			f := test.field
			if f.To = "F"; f.Expr == "" {
				f.From = "v"
			}
			p, err := transform.Compile(transform.Mapping{Timezone: test.zone, Fields: []transform.Field{f}}, test.in.Schema())
			if wantErr, ok := strings.CutPrefix(test.want, ":"); ok {
				if err == nil || !strings.Contains(err.Error(), wantErr) {
					t.Fatalf("compiled with %v, want %q", err, wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := applied(t, p, test.in); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestTruncateCounts(t *testing.T) {
	t.Parallel()
	in := batch("v", "abcd", "ab", "xyz1")
	defer in.Release()
	p, err := transform.Compile(transform.Mapping{Fields: []transform.Field{{To: "F", From: "v", Steps: transform.Steps{Truncate: 3}}}}, in.Schema())
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Apply(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Rows.Release()
	if got.Cut["F"] != 2 {
		t.Errorf("cut %v, want 2", got.Cut)
	}
}
