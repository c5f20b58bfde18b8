package sinks_test

import (
	"bytes"
	stdcsv "encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/xitongsys/parquet-go/reader"
	"github.com/xitongsys/parquet-go/source"

	stdgzip "compress/gzip"

	"migrate/pkg/sinks"
)

// unpacked is the content of a file, by its name.
func unpacked(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r io.Reader = bytes.NewReader(data)
	switch filepath.Ext(path) {
	case ".gz":
		z, err := stdgzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		if !z.ModTime.IsZero() || z.Name != "" {
			t.Errorf("the header of gzip has a time or a name: %v", z.Header)
		}
		r = z
	case ".zst":
		z, err := zstd.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		r = z
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// meant is a text of a file as the value that it stands for.
func meant(t *testing.T, typ arrow.DataType, s string) any {
	t.Helper()
	var err error
	var v any
	switch typ := typ.(type) {
	case *arrow.StringType:
		return s
	case *arrow.BooleanType:
		v, err = map[string]bool{"true": true}[s], nil
		if s != "true" && s != "false" {
			err = fmt.Errorf("no boolean")
		}
	case *arrow.Int64Type:
		v, err = strconv.ParseInt(s, 10, 64)
	case *arrow.Float64Type:
		v, err = strconv.ParseFloat(s, 64)
	case *arrow.Decimal128Type:
		whole, frac, point := strings.Cut(s, ".")
		if len(frac) != int(typ.Scale) || point != (typ.Scale > 0) || strings.TrimLeft(whole, "-") == "" {
			t.Errorf("%q has not the scale %d", s, typ.Scale)
		}
		n, ok := new(big.Int).SetString(whole+frac, 10)
		if !ok {
			t.Errorf("%q is no decimal", s)
		}
		return n
	case *arrow.Date32Type:
		v, err = time.Parse("2006-01-02", s)
	case *arrow.TimestampType:
		v, err = time.Parse("2006-01-02T15:04:05.000Z", s)
		if at, err := time.Parse(time.RFC3339, s); err != nil || !at.Equal(v.(time.Time)) {
			t.Errorf("%q is not RFC 3339", s)
		}
	case *arrow.Time32Type:
		v, err = time.Parse("2006-01-02 15:04:05.000", "1970-01-01 "+s)
	}
	if err != nil {
		t.Errorf("%q as %s: %v", s, typ, err)
	}
	return v
}

// same compares two values. -0 is not 0.
func same(a, b any) bool {
	switch a := a.(type) {
	case *big.Int:
		b, ok := b.(*big.Int)
		return ok && a.Cmp(b) == 0
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case float64:
		b, ok := b.(float64)
		return ok && math.Float64bits(a) == math.Float64bits(b)
	}
	return a == b
}

// sameRows compares what was written with what was read.
func sameRows(t *testing.T, want, got [][]any) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i, row := range want {
		for k, v := range row {
			if !same(v, got[i][k]) {
				t.Fatalf("row %d, column %d: %v, want %v", i, k, got[i][k], v)
			}
		}
	}
}

func hard(rows int) table { return draw(rand.New(rand.NewPCG(1, uint64(rows))), every, rows) }

// encoding/csv reads the values that were written.
func TestCSVRoundTrip(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		comma rune
		o     sinks.CSVOptions
	}{{"t.csv", ',', sinks.CSVOptions{}}, {"t.csv.gz", ',', sinks.CSVOptions{}}, {"t.csv.zst", ';', sinks.CSVOptions{Delimiter: ';'}}, {"bare.csv", '\t', sinks.CSVOptions{Delimiter: '\t', NoHeader: true}}} {
		tab := hard(3000)
		path := filepath.Join(t.TempDir(), tt.name)
		files := mustExport(t, tab, sinks.FileOptions{Path: path, CSV: tt.o}, 1, 700, 700, 2999)
		if len(files) != 1 || files[0].Path != path || files[0].Rows != 3000 {
			t.Errorf("%+v", files)
		}
		text := unpacked(t, path)
		// The standard library drops \r before \n within quotes, against RFC 4180; so both sides are compared after that.
		r := stdcsv.NewReader(bytes.NewReader(text))
		r.Comma = tt.comma
		got, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if !tt.o.NoHeader {
			for k, f := range every.Fields() {
				if got[0][k] != f.Name {
					t.Errorf("header %q, want %q", got[0][k], f.Name)
				}
			}
			got = got[1:]
		}
		if len(got) != len(tab.rows) {
			t.Fatalf("%d rows, want %d", len(got), len(tab.rows))
		}
		for i, row := range tab.rows {
			for k, want := range row {
				var v any = got[i][k]
				switch {
				case want == nil && v == "":
					continue
				case every.Field(k).Type.ID() == arrow.STRING && want != nil:
					want = strings.ReplaceAll(want.(string), "\r\n", "\n")
				default:
					v = meant(t, every.Field(k).Type, got[i][k])
					if every.Field(k).Type.ID() == arrow.FLOAT64 && strings.ContainsAny(got[i][k], "eE") {
						t.Errorf("an exponent: %s", got[i][k])
					}
				}
				if !same(want, v) {
					t.Fatalf("row %d, %s: %v, want %v", i, every.Field(k).Name, v, want)
				}
			}
		}
	}
}

// The form of each value, as the documentation has it.
func TestCSVForm(t *testing.T) {
	t.Parallel()
	tab := table{schema: every, rows: [][]any{
		{"001", "a,b", "", true, int64(-5), 16147805824397.0, big.NewInt(5), big.NewInt(-7), big.NewInt(-12345678901), time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC),
			time.Date(2026, 1, 31, 19, 0, 0, 0, time.UTC), midnight.Add(13*time.Hour + 5*time.Minute)},
		{"002", "say \"so\"", "plain", false, nil, 1e21, big.NewInt(0), nil, big.NewInt(10000000000), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
			time.Date(1969, 12, 31, 23, 59, 59, 999e6, time.UTC), midnight},
		{"003", nil, " x ", nil, nil, 0.000001, nil, nil, nil, nil, nil, nil},
		{"=1+1", `\.`, "\r", nil, nil, -0.05, big.NewInt(-5), nil, nil, nil, nil, midnight.Add(24*time.Hour - time.Millisecond)},
	}}
	path := filepath.Join(t.TempDir(), "t.csv")
	mustExport(t, tab, sinks.FileOptions{Path: path})
	want := `Id,Account.Name,"Stage, ""quoted""",IsActive,Count,Amount,Price,Balance,Rate,Birthdate,CreatedDate,Opens
001,"a,b","",true,-5,16147805824397,0.05,-7,-1.2345678901,2026-01-31,2026-01-31T19:00:00.000Z,13:05:00.000
002,"say ""so""",plain,false,,1000000000000000000000,0.00,,1.0000000000,0001-01-01,1969-12-31T23:59:59.999Z,00:00:00.000
003,, x ,,,0.000001,,,,,,
=1+1,"\.","` + "\r" + `",,,-0.05,-0.05,,,,,23:59:59.999
`
	if d := cmp.Diff(want, string(unpacked(t, path))); d != "" {
		t.Error(d)
	}
	mustExport(t, tab, sinks.FileOptions{Path: path + ".jsonl"})
	want = `{"Id":"001","Account.Name":"a,b","Stage, \"quoted\"":"","IsActive":true,"Count":-5,"Amount":16147805824397,"Price":0.05,"Balance":-7,"Rate":-1.2345678901,"Birthdate":"2026-01-31","CreatedDate":"2026-01-31T19:00:00.000Z","Opens":"13:05:00.000"}
{"Id":"002","Account.Name":"say \"so\"","Stage, \"quoted\"":"plain","IsActive":false,"Count":null,"Amount":1e+21,"Price":0.00,"Balance":null,"Rate":1.0000000000,"Birthdate":"0001-01-01","CreatedDate":"1969-12-31T23:59:59.999Z","Opens":"00:00:00.000"}
{"Id":"003","Account.Name":null,"Stage, \"quoted\"":" x ","IsActive":null,"Count":null,"Amount":0.000001,"Price":null,"Balance":null,"Rate":null,"Birthdate":null,"CreatedDate":null,"Opens":null}
{"Id":"=1+1","Account.Name":"\\.","Stage, \"quoted\"":"\r","IsActive":null,"Count":null,"Amount":-0.05,"Price":-0.05,"Balance":null,"Rate":null,"Birthdate":null,"CreatedDate":null,"Opens":"23:59:59.999"}
`
	if d := cmp.Diff(want, string(unpacked(t, path+".jsonl"))); d != "" {
		t.Error(d)
	}
}

// A table of one column has a line that can be seen for each row, whatever is in it.
func TestCSVOneColumn(t *testing.T) {
	t.Parallel()
	schema := arrow.NewSchema([]arrow.Field{{Name: "Name", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	path := filepath.Join(t.TempDir(), "t.csv")
	mustExport(t, table{schema, [][]any{{nil}, {""}, {"x"}, {nil}}}, sinks.FileOptions{Path: path})
	if got := string(unpacked(t, path)); got != "Name\n\"\"\n\"\"\nx\n\"\"\n" {
		t.Errorf("%q", got)
	}
}

// encoding/json reads the values that were written, keys in the order of the columns.
func TestJSONLRoundTrip(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"t.jsonl", "t.jsonl.gz", "t.jsonl.zst"} {
		tab := hard(3000)
		path := filepath.Join(t.TempDir(), name)
		mustExport(t, tab, sinks.FileOptions{Path: path}, 1, 700, 700, 2999)
		lines := strings.SplitAfter(string(unpacked(t, path)), "\n")
		if len(lines) != 3001 || lines[3000] != "" {
			t.Fatalf("%d lines", len(lines))
		}
		for i, row := range tab.rows {
			d := json.NewDecoder(strings.NewReader(lines[i]))
			d.UseNumber()
			next := func() any {
				v, err := d.Token()
				if err != nil {
					t.Fatalf("%s: %v", lines[i], err)
				}
				return v
			}
			if next() != json.Delim('{') {
				t.Fatal(lines[i])
			}
			for k, want := range row {
				if key := next(); key != every.Field(k).Name {
					t.Fatalf("key %v, want %s", key, every.Field(k).Name)
				}
				v := next()
				switch typ := every.Field(k).Type; x := v.(type) {
				case json.Number:
					if typ.ID() != arrow.INT64 && typ.ID() != arrow.FLOAT64 && typ.ID() != arrow.DECIMAL128 {
						t.Errorf("%s is a number: %v", typ, v)
					}
					v = meant(t, typ, x.String())
				case string:
					v = meant(t, typ, x)
				}
				if !same(want, v) {
					t.Fatalf("row %d, %s: %v, want %v", i, every.Field(k).Name, v, want)
				}
			}
			if next() != json.Delim('}') {
				t.Fatal(lines[i])
			}
		}
	}
}

// readArrow reads a Parquet file with arrow.
func readArrow(t *testing.T, path string) (*arrow.Schema, [][]any, *file.Reader) {
	t.Helper()
	r, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	fr, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	tbl, err := fr.ReadTable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tbl.Release()
	rows := make([][]any, tbl.NumRows())
	for k := range int(tbl.NumCols()) {
		i := 0
		for _, chunk := range tbl.Column(k).Data().Chunks() {
			for n := range chunk.Len() {
				rows[i] = append(rows[i], cellOf(chunk, n))
				i++
			}
		}
	}
	return tbl.Schema(), rows, r
}

func cellOf(a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	switch a := a.(type) {
	case *array.String:
		return strings.Clone(a.Value(i))
	case *array.Boolean:
		return a.Value(i)
	case *array.Int64:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.Decimal128:
		return a.Value(i).BigInt()
	case *array.Date32:
		return a.Value(i).ToTime()
	case *array.Timestamp:
		return time.UnixMilli(int64(a.Value(i))).UTC()
	case *array.Time32:
		return midnight.Add(time.Duration(a.Value(i)) * time.Millisecond)
	}
	return fmt.Sprintf("%T", a)
}

// arrow's own reader finds the values and the types that were written, in row groups of the size that was asked for.
func TestParquetRoundTrip(t *testing.T) {
	t.Parallel()
	for _, compression := range []string{"", "zstd", "snappy", "gzip", "none"} {
		tab := hard(5000)
		path := filepath.Join(t.TempDir(), "t.parquet")
		mustExport(t, tab, sinks.FileOptions{Path: path, Parquet: sinks.ParquetOptions{Compression: compression, GroupRows: 2100}}, 1, 700, 700, 4999)
		schema, rows, r := readArrow(t, path)
		for k, f := range schema.Fields() {
			if want := every.Field(k); f.Name != want.Name || !arrow.TypeEqual(f.Type, want.Type) || !f.Nullable {
				t.Errorf("column %v, want %v", f, want)
			}
		}
		sameRows(t, tab.rows, rows)
		if n := r.NumRowGroups(); n != 3 {
			t.Errorf("%d row groups", n)
		}
		if by := r.MetaData().GetCreatedBy(); by != "migrate" {
			t.Errorf("created by %s", by)
		}
	}
}

// localFile is a file as xitongsys/parquet-go wants it.
type localFile struct{ *os.File }

func (f localFile) Open(name string) (source.ParquetFile, error) {
	if name == "" {
		name = f.Name()
	}
	g, err := os.Open(name)
	return localFile{g}, err
}

func (f localFile) Create(name string) (source.ParquetFile, error) {
	g, err := os.Create(name)
	return localFile{g}, err
}

// xitongsys/parquet-go, which shares no code with arrow, finds the same values.
func TestParquetAlsoByXitongsys(t *testing.T) {
	t.Parallel()
	for _, compression := range []string{"zstd", "snappy", "gzip", "none"} {
		tab := hard(2000)
		path := filepath.Join(t.TempDir(), "t.parquet")
		mustExport(t, tab, sinks.FileOptions{Path: path, Parquet: sinks.ParquetOptions{Compression: compression, GroupRows: 700}})
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := reader.NewParquetColumnReader(localFile{f}, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.ReadStop()
		if r.GetNumRows() != 2000 {
			t.Errorf("%d rows", r.GetNumRows())
		}
		for k, field := range every.Fields() {
			vals, _, _, err := r.ReadColumnByIndex(int64(k), 2000)
			if err != nil || len(vals) != 2000 {
				t.Fatalf("%s: %d values, %v", field.Name, len(vals), err)
			}
			for i, v := range vals {
				switch x := v.(type) {
				case int32:
					switch field.Type.ID() {
					case arrow.DATE32:
						v = time.Unix(int64(x)*86400, 0).UTC()
					case arrow.TIME32:
						v = midnight.Add(time.Duration(x) * time.Millisecond)
					default:
						v = big.NewInt(int64(x))
					}
				case int64:
					switch field.Type.ID() {
					case arrow.TIMESTAMP:
						v = time.UnixMilli(x).UTC()
					case arrow.DECIMAL128:
						v = big.NewInt(x)
					}
				case string:
					if field.Type.ID() == arrow.DECIMAL128 { // big-endian, two's complement
						n := new(big.Int).SetBytes([]byte(x))
						if x[0] >= 0x80 {
							n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(x))))
						}
						v = n
					}
				}
				if !same(tab.rows[i][k], v) {
					t.Fatalf("%s, row %d, %s: %v, want %v", compression, i, field.Name, v, tab.rows[i][k])
				}
			}
		}
	}
}

// No rows make a file that readers take for an empty table.
func TestNoRows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tab := table{schema: every}
	for _, format := range []string{"csv", "csv.gz", "jsonl.zst", "jsonl", "parquet"} {
		files := mustExport(t, tab, sinks.FileOptions{Path: filepath.Join(dir, format) + "/", Format: format})
		if len(files) != 1 || files[0].Rows != 0 {
			t.Errorf("%+v", files)
		}
	}
	if text := unpacked(t, dir+"/csv.gz/part-00000.csv.gz"); bytes.Count(text, []byte("\n")) != 1 {
		t.Errorf("%q", text)
	}
	if text := unpacked(t, dir+"/jsonl.zst/part-00000.jsonl.zst"); len(text) != 0 {
		t.Errorf("%q", text)
	}
	schema, rows, _ := readArrow(t, dir+"/parquet/part-00000.parquet")
	if len(rows) != 0 || schema.NumFields() != every.NumFields() {
		t.Errorf("%v, %d rows", schema, len(rows))
	}
}
