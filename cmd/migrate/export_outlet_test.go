package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"

	"migrate/internal/localorg"
	"migrate/pkg/sinks"
)

// outlet is where the exports of a test go.
type outlet interface {
	// prepare makes the place as it is before an export: with what an earlier one has left, or empty.
	prepare(t *testing.T, old bool)
	// args are what the command is told of it besides the query.
	args() []string
	// watch begins to watch a process; what it returns reports whether that has begun to publish.
	watch() func() bool
	// standing is what a reader finds there now: "nothing", "old", or "new", which is all records. Anything else fails the test.
	standing(t *testing.T) string
	// check fails when what was published is not told right.
	check(t *testing.T, run, query string)
}

// The columns of the exports, and the kind of their values: t text, f number, i whole number, b boolean, d datetime.
var (
	killedColumns = []string{"Id", "Name", "Legacy_Id__c", "AnnualRevenue", "NumberOfEmployees", "Active__c", "CreatedDate", "Description"}
	killedKinds   = "tttfibdt"
)

// digest tells one set of rows from another, in whatever order. A row that is missing, or there twice, makes another one.
type digest struct {
	rows   int
	hi, lo uint64
}

// add takes a row whose values are of any form that a reader gives them.
func (d *digest) add(row []any) {
	var text []byte
	for i, v := range row {
		text = strconv.AppendQuote(text, plainly(killedKinds[i], v))
	}
	h := xxh3.Hash128(text)
	d.rows, d.hi, d.lo = d.rows+1, d.hi+h.Hi, d.lo+h.Lo
}

// plainly gives the one form of a value. null and the empty text are the same.
func plainly(kind byte, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		return strconv.FormatBool(v)
	case int64:
		if kind == 'b' {
			return strconv.FormatBool(v != 0)
		}
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case string:
		if f, err := strconv.ParseFloat(v, 64); kind == 'f' && err == nil {
			return plainly(kind, f)
		}
		if at, err := time.Parse(time.RFC3339, v); kind == 'd' && err == nil {
			return plainly(kind, at)
		}
		return v
	}
	return fmt.Sprintf("%T %[1]v", v)
}

// digestOfOrg is that of the records as the org itself has them.
func digestOfOrg(org *localorg.Org) (d digest) {
	row := make([]any, len(killedColumns))
	for r := range org.Records("Account", killedColumns...) {
		for i, v := range r {
			row[i] = v
		}
		d.add(row)
	}
	return d
}

// killedFile is a file as an outlet.
type killedFile struct {
	path string
	want digest // of all records
	sum  string // SHA-256 of the file that an undisturbed export makes; "" = that is still to come
}

const oldText = "what an earlier export has left\n"

func (f *killedFile) args() []string { return []string{"--to", f.path, "--overwrite"} }

func (f *killedFile) manifest() string { return f.path + ".manifest.json" }

func (f *killedFile) prepare(t *testing.T, old bool) {
	t.Helper()
	for _, path := range []string{f.path, f.manifest()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if old {
			if err := os.WriteFile(path, []byte(oldText), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (f *killedFile) watch() func() bool {
	was, none := os.Stat(f.path)
	return func() bool {
		now, err := os.Stat(f.path)
		return err == nil && (none != nil || !os.SameFile(was, now))
	}
}

func (f *killedFile) standing(t *testing.T) string {
	t.Helper()
	manifest, err := os.ReadFile(f.manifest())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	state := f.state(t)
	switch {
	case state == "nothing" && manifest != nil:
		t.Fatal("there is a manifest and no file")
	case state == "new" && string(manifest) == oldText:
		t.Fatal("the manifest of the earlier export stands beside the new file")
	case state == "new" && manifest != nil:
		f.check(t, "", "")
	}
	return state
}

func (f *killedFile) state(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "nothing"
	case err != nil:
		t.Fatal(err)
	case string(data) == oldText:
		return "old"
	}
	sum := sha256.Sum256(data)
	if f.sum == "" {
		if got := f.read(t, data); got != f.want {
			t.Fatalf("%s holds %+v, the org %+v", f.path, got, f.want)
		}
		f.sum = hex.EncodeToString(sum[:])
	}
	if got := hex.EncodeToString(sum[:]); got != f.sum {
		t.Fatalf("%s has the hash %s, that of an undisturbed export is %s; it holds %+v, the org %+v", f.path, got, f.sum, f.read(t, data), f.want)
	}
	return "new"
}

func (f *killedFile) check(t *testing.T, run, query string) {
	t.Helper()
	m, err := sinks.ReadManifest(f.path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(f.path)
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	for _, c := range m.Schema {
		columns = append(columns, c.Name)
	}
	want := sinks.File{Path: filepath.Base(f.path), Rows: int64(f.want.rows), Bytes: info.Size(), SHA256: f.sum}
	if len(m.Files) != 1 || m.Files[0] != want || m.Rows != want.Rows || strings.Join(columns, " ") != strings.Join(killedColumns, " ") || m.Object != "Account" {
		t.Fatalf("manifest %+v, want the file %+v", m, want)
	}
	if run == "" {
		return
	}
	if m.Run != run || m.Query != query {
		t.Fatalf("manifest %+v, want run %s and query %s", m, run, query)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(f.path), ".*.migrating")); len(left) > 0 {
		t.Fatalf("left behind: %q", left)
	}
}

func (f *killedFile) read(t *testing.T, data []byte) digest {
	t.Helper()
	if strings.HasSuffix(f.path, ".parquet") {
		return digestOfParquet(t, data)
	}
	return digestOfCSV(t, data)
}

func digestOfCSV(t *testing.T, data []byte) (d digest) {
	t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	r := csv.NewReader(z)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil || strings.Join(header, " ") != strings.Join(killedColumns, " ") {
		t.Fatalf("header %q, %v", header, err)
	}
	row := make([]any, len(killedColumns))
	for {
		rec, err := r.Read()
		if err == io.EOF {
			return d
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range rec {
			row[i] = v
		}
		d.add(row)
	}
}

func digestOfParquet(t *testing.T, data []byte) (d digest) {
	t.Helper()
	f, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{BatchSize: 8192}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	batches, err := r.GetRecordReader(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer batches.Release()
	for batches.Next() {
		b := batches.RecordBatch()
		row := make([]any, b.NumCols())
		for i := range int(b.NumRows()) {
			for k, col := range b.Columns() {
				row[k] = parquetCell(col, i)
			}
			d.add(row)
		}
	}
	if err := batches.Err(); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return d
}

func parquetCell(col arrow.Array, row int) any {
	if col.IsNull(row) {
		return nil
	}
	switch c := col.(type) {
	case *array.String:
		return c.Value(row)
	case *array.Float64:
		return c.Value(row)
	case *array.Int64:
		return c.Value(row)
	case *array.Boolean:
		return c.Value(row)
	case *array.Timestamp:
		return c.Value(row).ToTime(arrow.Millisecond)
	}
	return col.ValueStr(row)
}
