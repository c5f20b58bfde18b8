package sources_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/schema"
	"github.com/google/go-cmp/cmp"

	"migrate/pkg/sources"
	"migrate/pkg/sources/sourcetest"
)

func parquetOpener(paths []string, opt sources.ParquetOptions) sourcetest.Opener {
	return func(rows int, mem memory.Allocator) (sources.Source, error) {
		opt.BatchRows, opt.Allocator = rows, mem
		return sources.OpenParquet(paths, opt)
	}
}

func readAll(t testing.TB, src sources.Source) []sourcetest.Record {
	t.Helper()
	var all []sourcetest.Record
	for _, s := range src.Splits() {
		got, err := sourcetest.ReadSplit(src, s, position{})
		if err == nil && got.Err != io.EOF {
			err = got.Err
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, got.Records...)
	}
	return all
}

func openParquet(t testing.TB, path string, opt sources.ParquetOptions) *sources.Parquet {
	t.Helper()
	src, err := sources.OpenParquet([]string{path}, opt)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

var layouts = map[string][]parquet.WriterProperty{
	"plain":      {parquet.WithDictionaryDefault(false)},
	"dictionary": {parquet.WithDictionaryDefault(true), parquet.WithCompression(compress.Codecs.Snappy)},
	"v2 zstd":    {parquet.WithDataPageVersion(parquet.DataPageV2), parquet.WithCompression(compress.Codecs.Zstd), parquet.WithDataPageSize(200)},
	"small gzip": {parquet.WithDictionaryDefault(false), parquet.WithDataPageSize(16), parquet.WithBatchSize(3), parquet.WithCompression(compress.Codecs.Gzip)},
	"brotli":     {parquet.WithCompression(compress.Codecs.Brotli), parquet.WithBatchSize(2), parquet.WithDataPageSize(16)},
	"lz4_raw":    {parquet.WithCompression(compress.Codecs.Lz4Raw)},
}

// What was written is what is read, whatever the layout of the file.
func TestParquetAllTypes(t *testing.T) {
	t.Parallel()
	want := wantRows(everyType(), 40)
	for name, props := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := openParquet(t, writeParquet(t, everyType(), 40, 17, props...), sources.ParquetOptions{BatchRows: 7})
			var got [][]string
			for i, r := range readAll(t, src) {
				if r.Pos.Offset != int64(i) || r.Pos.Line != int64(i+1) {
					t.Fatalf("record %d stands at %+v", i, r.Pos)
				}
				got = append(got, r.Fields)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%v\n(-written +read):\n%s", src.Schema(), d)
			}
		})
	}
}

func TestParquetConforms(t *testing.T) {
	t.Parallel()
	for name, props := range layouts {
		for _, rows := range []int64{0, 6} {
			t.Run(fmt.Sprintf("%s, splits of %d", name, rows), func(t *testing.T) {
				t.Parallel()
				path := writeParquet(t, everyType(), 13, 5, props...)
				sourcetest.Run(t, parquetOpener([]string{path}, sources.ParquetOptions{SplitRows: rows}))
			})
		}
	}
	sourcetest.Run(t, parquetOpener([]string{writeParquet(t, everyType(), 0, 5), writeParquet(t, everyType(), 5, 5)}, sources.ParquetOptions{}))
}

func TestParquetSplits(t *testing.T) {
	t.Parallel()
	path := writeParquet(t, everyType(), 23, 5)
	for _, tt := range []struct {
		rows int64
		want string
	}{{0, "0-23"}, {1, "0-5 5-10 10-15 15-20 20-23"}, {6, "0-10 10-20 20-23"}, {100, "0-23"}} {
		var got []string
		for _, s := range openParquet(t, path, sources.ParquetOptions{SplitRows: tt.rows}).Splits() {
			got = append(got, fmt.Sprintf("%d-%d", s.Start.Offset, s.End))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("splits of %d rows: %s, want %s", tt.rows, s, tt.want)
		}
	}
}

func TestParquetColumns(t *testing.T) {
	t.Parallel()
	path := writeParquet(t, everyType(), 3, 3)
	src := openParquet(t, path, sources.ParquetOptions{Columns: []string{"deep", "id", "tags", "place.city"}})
	var got []string
	for _, f := range src.Schema().Fields() {
		got = append(got, fmt.Sprintf("%s %s", f.Name, f.Type))
	}
	want := []string{"id int64", "tags list<item: utf8, nullable>", "place.city utf8", "deep.er.names list<item: utf8, nullable>"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if n := len(readAll(t, src)); n != 3 {
		t.Errorf("%d records, want 3", n)
	}
	_, err := sources.OpenParquet([]string{path}, sources.ParquetOptions{Columns: []string{"id", "nothing"}})
	if err == nil || !strings.Contains(err.Error(), `no column "nothing"; it has bool, int8`) {
		t.Errorf("a column that is not there: %v", err)
	}
	text := openParquet(t, path, sources.ParquetOptions{Columns: []string{"fixed"}, BinaryAsText: true})
	if typ := text.Schema().Field(0).Type.String(); typ != "utf8" {
		t.Errorf("bytes as text have the type %s", typ)
	}
}

// Columns without a place in a table are refused, all at once, unless they are left out.
func TestParquetRefusedColumns(t *testing.T) {
	t.Parallel()
	str := schema.StringLogicalType{}
	none := func(int) any { return nil }
	element := func(n schema.Node) schema.Node { return n }
	mapNode := schema.MustGroup(schema.NewGroupNodeLogical("m", optional, schema.FieldList{
		recordNode("key_value", repeated, leafNode("key", required, str, parquet.Types.ByteArray, -1))}, schema.MapLogicalType{}, -1))
	inner := schema.MustGroup(schema.NewGroupNodeLogical("element", optional, schema.FieldList{
		recordNode("list", repeated, leafNode("element", optional, str, parquet.Types.ByteArray, -1))}, schema.ListLogicalType{}, -1))
	path := writeParquet(t, []pqColumn{
		{leafNode("id", required, noLogical, parquet.Types.Int64, -1), func(i int) any { return int64(i) }, nil},
		{mapNode, none, nil},
		{listNode("lists", element(inner)), func(int) any { return nullAt(0) }, nil},
		{listNode("records", recordNode("element", optional, leafNode("a", optional, str, parquet.Types.ByteArray, -1))), func(int) any { return nullAt(0) }, nil},
		{recordNode("more", repeated, leafNode("b", optional, str, parquet.Types.ByteArray, -1)), func(int) any { return nullAt(0) }, nil},
		{leafNode("span", optional, schema.IntervalLogicalType{}, parquet.Types.FixedLenByteArray, 12), none, nil},
	}, 2, 2)
	_, err := sources.OpenParquet([]string{path}, sources.ParquetOptions{})
	for _, want := range []string{`column "m" is a map`, `column "lists" is a list of lists`, `column "records" is a list of records`,
		`column "more" is a list of records`, `column "span" is an interval`, "leave such columns out", path} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %q", err, want)
		}
	}
	if n := len(readAll(t, openParquet(t, path, sources.ParquetOptions{Columns: []string{"id"}}))); n != 2 {
		t.Errorf("%d records with the rest left out, want 2", n)
	}
}

func TestParquetFilesDiffer(t *testing.T) {
	t.Parallel()
	one := func(p parquet.Type, v any) string {
		return writeParquet(t, []pqColumn{{leafNode("x", required, noLogical, p, -1), func(int) any { return v }, nil}}, 3, 3)
	}
	int32s, int64s := one(parquet.Types.Int32, int32(1)), one(parquet.Types.Int64, int64(1))
	_, err := sources.OpenParquet([]string{int32s, int64s}, sources.ParquetOptions{})
	if !errors.Is(err, sources.ErrHeader) || !strings.Contains(err.Error(), `"x", is int32 in`) {
		t.Errorf("two types of one column: %v", err)
	}
	_, err = sources.OpenParquet([]string{int32s, int32s}, sources.ParquetOptions{})
	if err == nil || !strings.Contains(err.Error(), "name it once") {
		t.Errorf("one file twice: %v", err)
	}
	both, err := sources.OpenParquet([]string{int64s, one(parquet.Types.Int64, int64(2))}, sources.ParquetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(readAll(t, both)); n != 6 {
		t.Errorf("%d records of two files, want 6", n)
	}
}

// Values that break the rules of their column make bad rows.
func TestParquetBadValues(t *testing.T) {
	t.Parallel()
	texts := []string{"a", "\xff", "b", "x\x00y", "é", "c"}
	path := writeParquet(t, []pqColumn{
		{leafNode("n", required, schema.NewIntLogicalType(8, false), parquet.Types.Int32, -1), func(i int) any { return int32(i * 85) }, nil},
		{leafNode("s", optional, schema.StringLogicalType{}, parquet.Types.ByteArray, -1), func(i int) any { return parquet.ByteArray(texts[i]) }, nil},
		{listNode("l", leafNode("element", optional, schema.StringLogicalType{}, parquet.Types.ByteArray, -1)), func(i int) any {
			l := []any{}
			for range i {
				l = append(l, parquet.ByteArray(strings.Replace(texts[i], "c", "\xc3", 1)))
			}
			return l
		}, nil},
	}, 6, 4)
	got := table(readAll(t, openParquet(t, path, sources.ParquetOptions{})))
	want := []string{
		"0|a|[]",
		"invalid_encoding: record 2, column 2 (s): byte 0xFF is not valid UTF-8 [85|\uFFFD|[\"\uFFFD\"]]",
		`170|b|["b","b"]`,
		"nul_byte: record 4, column 2 (s): a NUL byte [255|x\x00y|[\"x\\u0000y\",\"x\\u0000y\",\"x\\u0000y\"]]",
		"out_of_range: record 5, column 1 (n): 340 does not fit into the type of the column [|é|[\"é\",\"é\",\"é\",\"é\"]]",
		"out_of_range: record 6, column 1 (n): 425 does not fit into the type of the column [|c|[" + strings.Repeat("\"\uFFFD\",", 4) + "\"\uFFFD\"]]",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	sourcetest.Run(t, parquetOpener([]string{path}, sources.ParquetOptions{}))
}

func TestParquetNotReadable(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile(writeParquet(t, everyType(), 20, 20))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "the file is empty"},
		{"text", "a,b\n1,2\n", "it is not a Parquet file"},
		{"short", "PAR1PAR1", "cut off"},
		{"cut", string(good[:len(good)-9]), "cut off or is still being written"},
		{"encrypted", "PARE" + string(good[4:]), "it is encrypted"},
		{"encrypted footer", string(good[:len(good)-1]) + "E", "it is encrypted"},
		{"long footer", string(good[:len(good)-8]) + "\xff\xff\xff\x7fPAR1", "its footer claims 2147483647 bytes"},
		{"no footer", string(good[:len(good)-8]) + "\x00\x00\x00\x00PAR1", "the file is damaged"},
		{"footer of noise", "PAR1" + strings.Repeat("\xa5", 500) + "\xf4\x01\x00\x00PAR1", "the file is damaged"},
		{"footer of zeros", "PAR1" + strings.Repeat("\x00", 500) + "\xf4\x01\x00\x00PAR1", ""},
	} {
		path := write(t, "t.parquet", tt.text)
		_, err := sources.OpenParquet([]string{path}, sources.ParquetOptions{})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v; want the path and %q", tt.name, err, tt.want)
		}
	}
	path := write(t, "t.parquet", string(good))
	src := openParquet(t, path, sources.ParquetOptions{})
	if err := os.WriteFile(path, bytes.Replace(good, []byte("k1"), []byte("k9"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := src.Open(t.Context(), src.Splits()[0], position{}); !errors.Is(err, sources.ErrChanged) {
		t.Errorf("a file that changed: %v", err)
	}
}
