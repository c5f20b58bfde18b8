package conformance

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"migrate/pkg/sinks"
)

// TestDuckDB reads the files of an export with DuckDB: it finds the types of Parquet by itself, those of the others where it is told, and everywhere
// the values that were written.
func TestDuckDB(t *testing.T) {
	c := need(t)
	columns := []struct {
		name string
		typ  arrow.DataType
		duck string
	}{
		{"Id", arrow.BinaryTypes.String, "VARCHAR"},
		{"Account.Name", arrow.BinaryTypes.String, "VARCHAR"},
		{"IsActive", arrow.FixedWidthTypes.Boolean, "BOOLEAN"},
		{"Count", arrow.PrimitiveTypes.Int64, "BIGINT"},
		{"Amount", arrow.PrimitiveTypes.Float64, "DOUBLE"},
		{"Price", &arrow.Decimal128Type{Precision: 9, Scale: 2}, "DECIMAL(9,2)"},
		{"Balance", &arrow.Decimal128Type{Precision: 18, Scale: 0}, "DECIMAL(18,0)"},
		{"Rate", &arrow.Decimal128Type{Precision: 38, Scale: 10}, "DECIMAL(38,10)"},
		{"Birthdate", arrow.FixedWidthTypes.Date32, "DATE"},
		{"CreatedDate", &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}, "TIMESTAMP WITH TIME ZONE"},
		{"Opens", arrow.FixedWidthTypes.Time32ms, "TIME"},
	}
	var fields []arrow.Field
	var types, given []string
	for _, k := range columns {
		fields = append(fields, arrow.Field{Name: k.name, Type: k.typ, Nullable: true})
		types = append(types, k.duck)
		given = append(given, "'"+k.name+"': '"+k.duck+"'")
	}
	// Timestamps are told in milliseconds since 1970, so that no zone comes in between.
	rows := [][]any{
		{"001", "Müller & Söhne", "true", "9007199254740993", 16147805824397.0, "12.30", "123456789012345678", "1234567890123456789012345678.0123456789", "2026-01-31", "1769886000000", "13:05:00"},
		{"002", nil, nil, nil, nil, nil, nil, nil, nil, nil, nil},
		{"003", "say \"so\", on\r\ntwo lines 😀", "false", "-9223372036854775808", -1e-300, "-0.05", "-7", "-0.0000000001", "0001-01-01", "-1", "23:59:59.999"},
		{"004", "=1+1", "true", "0", 0.30000000000000004, "9999999.99", "0", "0.0000000000", "1969-12-31", "253402300799999", "00:00:00"},
	}
	var text []map[string]any
	for _, row := range rows {
		object := map[string]any{}
		for k, v := range row {
			if columns[k].name == "IsActive" && v != nil {
				v = v == "true"
			}
			if columns[k].name == "CreatedDate" && v != nil {
				v = json.Number(v.(string))
			}
			object[columns[k].name] = v
		}
		text = append(text, object)
	}
	source, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	schema := arrow.NewSchema(fields, nil)
	batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(string(source)))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	with := "{" + strings.Join(given, ", ") + "}"
	from := map[string]string{}
	for _, format := range []string{"csv", "csv.gz", "csv.zst", "jsonl", "jsonl.gz", "jsonl.zst", "parquet", "snappy", "gzip", "none"} {
		o := sinks.FileOptions{Path: filepath.Join(dir, format), Format: format, Schema: schema}
		kind, _, _ := strings.Cut(format, ".")
		switch kind {
		case "csv":
			o.Path = filepath.Join(dir, "t."+format)
			from[format] = "read_csv('" + o.Path + "', header = true, columns = " + with + ")"
		case "jsonl":
			o.Path = filepath.Join(dir, "t."+format)
			from[format] = "read_json('" + o.Path + "', format = 'newline_delimited', columns = " + with + ")"
		default:
			o.Path, o.Format = filepath.Join(dir, format+".parquet"), "parquet"
			if format != "parquet" {
				o.Parquet.Compression = format
			}
			from[format] = "read_parquet('" + o.Path + "')"
		}
		s, err := sinks.OpenFile(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Publish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	files, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	var seen map[string]struct {
		Types []string
		Rows  [][]any
	}
	c.node(t, []string{"FILES=" + string(files)}, "duckdb.mjs", &seen)
	if len(seen) != len(from) {
		t.Errorf("%d files were read, want %d", len(seen), len(from))
	}
	for format, got := range seen {
		if d := cmp.Diff(types, got.Types); d != "" {
			t.Errorf("%s, types (-written +read by DuckDB):\n%s", format, d)
		}
		if strings.HasPrefix(format, "jsonl") && len(got.Rows) > 0 && got.Rows[0][7] == "1234567890123456752549132460.6797053952" {
			got.Rows[0][7] = rows[0][7] // DuckDB takes a number of JSON that is no integer through a double; the file has all its digits
		}
		if d := cmp.Diff(rows, got.Rows); d != "" {
			t.Errorf("%s, values (-written +read by DuckDB):\n%s", format, d)
		}
	}
}
