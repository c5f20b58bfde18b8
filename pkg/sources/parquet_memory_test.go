package sources_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"migrate/pkg/sources"
)

// contacts are the columns of a table like those that people move.
func contacts() []pqColumn {
	rnd := rand.New(rand.NewPCG(1, 2))
	text := func(name, form string, many int) pqColumn {
		return pqColumn{leafNode(name, optional, schema.StringLogicalType{}, parquet.Types.ByteArray, -1), func(i int) any {
			if rnd.IntN(20) == 0 {
				return nil
			}
			return parquet.ByteArray(fmt.Sprintf(form, rnd.IntN(many)))
		}, nil}
	}
	return []pqColumn{
		{leafNode("id", required, schema.NewIntLogicalType(64, true), parquet.Types.Int64, -1), func(i int) any { return int64(i) }, nil},
		text("first", "First%d", 5000), text("last", "Lastname%d", 50000), text("email", "someone.%d@example.com", 1<<30), text("phone", "+49 30 %08d", 1e8),
		text("street", "Some Street %d", 1e6), text("city", "City %d", 3000), text("country", "C%d", 200), text("note", "a note of the usual length, number %d", 1<<30),
		{leafNode("amount", optional, schema.NewDecimalLogicalType(18, 2), parquet.Types.Int64, -1), func(i int) any { return rnd.Int64N(1e8) }, nil},
		{leafNode("created", optional, schema.NewTimestampLogicalType(true, schema.TimeUnitMicros), parquet.Types.Int64, -1), func(i int) any { return int64(1.7e15) + rnd.Int64N(1e14) }, nil},
		{leafNode("score", optional, noLogical, parquet.Types.Double, -1), func(i int) any { return rnd.Float64() }, nil},
	}
}

// A million rows, in one row group of a hundred megabytes and more, are read with the memory of a batch and of some pages.
func TestParquetMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a file of a million rows")
	}
	const rows = 1_000_000
	path := writeParquet(t, contacts()[:5], rows, rows, parquet.WithDictionaryDefault(false), parquet.WithCompression(compress.Codecs.Snappy))
	runtime.GC()
	debug.FreeOSMemory()
	old := debug.SetMemoryLimit(64 << 20)
	defer debug.SetMemoryLimit(old)
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	src := openParquet(t, path, sources.ParquetOptions{})
	r, err := src.Open(t.Context(), src.Splits()[0], position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var n int64
	var most uint64
	for k := 0; ; k++ {
		b, err := r.Next(t.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n += b.Rows.NumRows()
		b.Rows.Release()
		if k%20 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc-min(m.HeapAlloc, before.HeapAlloc))
		}
	}
	if n != rows {
		t.Errorf("%d rows, want %d", n, rows)
	}
	t.Logf("at most %d KiB in use after a collection", most>>10)
	if most > 24<<20 {
		t.Errorf("%d bytes in use while reading", most)
	}
}

func BenchmarkParquet(b *testing.B) {
	const rows = 500_000
	for _, bm := range []struct {
		name  string
		props []parquet.WriterProperty
	}{
		{"plain snappy", []parquet.WriterProperty{parquet.WithDictionaryDefault(false), parquet.WithCompression(compress.Codecs.Snappy)}},
		{"dictionary zstd", []parquet.WriterProperty{parquet.WithCompression(compress.Codecs.Zstd)}},
	} {
		path := writeParquet(b, contacts(), rows, rows/2, bm.props...)
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				src := openParquet(b, path, sources.ParquetOptions{})
				r, err := src.Open(b.Context(), src.Splits()[0], position{})
				if err != nil {
					b.Fatal(err)
				}
				for {
					batch, err := r.Next(b.Context())
					if err == io.EOF {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					batch.Rows.Release()
				}
				r.Close()
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
