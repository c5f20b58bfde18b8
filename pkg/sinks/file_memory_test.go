package sinks_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"migrate/pkg/sinks"
)

// The heap that is alive while a format is written stays flat, however many rows have gone through.
func TestFileMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes half a million rows in each format")
	}
	narrow := contactRows(20_000, 1)
	defer narrow.Release()
	var fields []arrow.Field
	var cols []arrow.Array
	for i := range 250 { // an object of many fields
		fields, cols = append(fields, arrow.Field{Name: fmt.Sprint("Field", i, "__c"), Type: arrow.BinaryTypes.String}), append(cols, array.NewSlice(narrow.Column(i%7), 0, 1000))
	}
	wide := array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, 1000)
	live := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for _, name := range []string{"t.csv", "t.csv.zst", "t.jsonl.gz", "t.parquet", "wide.parquet"} {
		batch := narrow
		if name == "wide.parquet" {
			batch = wide
		}
		debug.FreeOSMemory()
		before := live()
		s, err := sinks.OpenFile(sinks.FileOptions{Path: filepath.Join(t.TempDir(), name), Schema: batch.Schema()})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var most int64
		for i := range 25 {
			if err := s.Write(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			if i%5 == 4 {
				most = max(most, live()-before)
			}
		}
		t.Logf("%s: at most %d KiB in use after a collection", name, most>>10)
		if most > 96<<20 {
			t.Errorf("%s: %d bytes in use while writing", name, most)
		}
	}
}
