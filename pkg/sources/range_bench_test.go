package sources_test

import (
	"errors"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"migrate/pkg/sources"
)

// BenchmarkRanges reads a table of PostgreSQL from its query to its last row, as a whole and in ranges of its primary key, two at once
// as a run does. first_s is the time until there is a first row to send.
func BenchmarkRanges(b *testing.B) {
	const rows = 1_000_000
	d := postgres(b)
	d.run(b, "drop table if exists ranges_bench", `create table ranges_bench as select i as id, 'customer number ' || i as name, 'person.' || i || '@example.com' as email,
		(i * 1.25)::numeric(14,2) as revenue, timestamptz '2026-01-01' + i * interval '1 second' as made, md5(i::text) as note from generate_series(1, 1000000) i`,
		"alter table ranges_bench add primary key (id)", "analyze ranges_bench")
	q := sources.Query{DSN: d.dsn, SQL: "select * from ranges_bench", Name: "q"}
	for _, bench := range []struct {
		name string
		open func(path string) (sources.Source, error)
	}{
		{"whole", func(path string) (sources.Source, error) {
			if _, err := q.Spool(b.Context(), path); err != nil {
				return nil, err
			}
			return sources.OpenSpool(path, sources.SpoolOptions{})
		}},
		{"ranges", func(path string) (sources.Source, error) {
			if err := q.Divide(b.Context(), path, "id", 8); err != nil {
				return nil, err
			}
			return sources.OpenRanges(path, sources.RangesOptions{Query: q})
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			var first time.Duration
			for b.Loop() {
				began := time.Now()
				s, err := bench.open(filepath.Join(b.TempDir(), "q.arrow"))
				if err != nil {
					b.Fatal(err)
				}
				var read atomic.Int64
				var once sync.Once
				var g errgroup.Group
				g.SetLimit(2)
				for _, split := range s.Splits() {
					g.Go(func() error {
						r, err := s.Open(b.Context(), split, sources.Position{})
						if err != nil {
							return err
						}
						defer r.Close()
						for {
							batch, err := r.Next(b.Context())
							if errors.Is(err, io.EOF) {
								return nil
							}
							if err != nil {
								return err
							}
							once.Do(func() { first += time.Since(began) })
							read.Add(batch.Rows.NumRows())
							batch.Rows.Release()
						}
					})
				}
				if err := g.Wait(); err != nil || read.Load() != rows {
					b.Fatalf("%d rows, %v", read.Load(), err)
				}
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(first.Seconds()/float64(b.N), "first_s")
		})
	}
}

// TestRangesMemory: rows of 20 kB, 200 MB in all, two ranges at once, go through bounded memory.
func TestRangesMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	d := postgres(t)
	d.run(t, "drop table if exists ranges_memory", "create table ranges_memory as select i as id from generate_series(1, 10000) i")
	r := d.divide(t, "select id, repeat(chr(65 + id % 26), 20000) as wide from ranges_memory", "id", 4)
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var most atomic.Uint64
	stop := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				runtime.ReadMemStats(&now)
				most.Store(max(most.Load(), now.HeapInuse))
			}
		}
	})
	var g errgroup.Group
	g.SetLimit(2)
	for _, s := range r.Splits() {
		g.Go(func() error {
			reader, err := r.Open(t.Context(), s, sources.Position{})
			if err != nil {
				return err
			}
			defer reader.Close()
			for {
				b, err := reader.Next(t.Context())
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
				if text := b.Rows.Column(1).ValueStr(0); len(text) != 20000 || strings.Trim(text, text[:1]) != "" {
					t.Errorf("%s: %d bytes", s.Path, len(text))
				}
				b.Rows.Release()
			}
		})
	}
	err := g.Wait()
	close(stop)
	watcher.Wait()
	if err != nil {
		t.Fatal(err)
	}
	grown := (int64(most.Load()) - int64(before.HeapInuse)) >> 20
	t.Logf("the heap grew by %d MiB", grown)
	if grown > 160 {
		t.Errorf("the heap grew by %d MiB", grown)
	}
}
