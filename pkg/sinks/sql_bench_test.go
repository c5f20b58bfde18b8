package sinks_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"migrate/pkg/sinks"
)

// accounts has the columns of a usual export.
var accounts = arrow.NewSchema([]arrow.Field{
	field("Id", text, 18), field("Name", text, 255), field("Phone", text, 40), field("BillingStreet", text, 255), field("BillingCity", text, 40),
	field("Description", text, 32000), field("IsDeleted", arrow.FixedWidthTypes.Boolean, 0), field("NumberOfEmployees", arrow.PrimitiveTypes.Int64, 0),
	field("AnnualRevenue", arrow.PrimitiveTypes.Float64, 0), field("Founded__c", arrow.FixedWidthTypes.Date32, 0), field("CreatedDate", timestamp, 0), field("SystemModstamp", timestamp, 0),
}, nil)

// account batches are made one at a time, so that memory is that of the sink.
func accountBatch(first, rows int) arrow.RecordBatch {
	r := rand.New(rand.NewPCG(1, uint64(first)))
	b := array.NewRecordBuilder(memory.DefaultAllocator, accounts)
	defer b.Release()
	s := func(i int, v string) { b.Field(i).(*array.StringBuilder).Append(v) }
	for i := first; i < first+rows; i++ {
		s(0, fmt.Sprintf("001%015d", i))
		s(1, fmt.Sprintf("Account %d GmbH & Co. KG", i))
		s(2, fmt.Sprintf("+49 30 %08d", r.IntN(1e8)))
		s(3, fmt.Sprintf("Straße des 17. Juni %d", r.IntN(200)))
		s(4, "Berlin")
		s(5, strings.Repeat("text ", r.IntN(20)))
		b.Field(6).(*array.BooleanBuilder).Append(i%9 == 0)
		b.Field(7).(*array.Int64Builder).Append(int64(r.IntN(100000)))
		b.Field(8).(*array.Float64Builder).Append(r.Float64() * 1e9)
		b.Field(9).(*array.Date32Builder).Append(arrow.Date32(r.IntN(20000)))
		b.Field(10).(*array.TimestampBuilder).Append(arrow.Timestamp(1.6e12 + r.Int64N(1e11)))
		b.Field(11).(*array.TimestampBuilder).Append(arrow.Timestamp(1.7e12 + r.Int64N(1e11)))
	}
	return b.NewRecordBatch()
}

// BenchmarkTable writes 1,000,000 rows of 12 columns: into no table, over as many rows, and merged into as many.
func BenchmarkTable(b *testing.B) {
	for _, kind := range []string{"postgres", "mysql", "sqlite"} {
		b.Run(kind, func(b *testing.B) {
			s := kinds[kind](b)
			benchmarkTable(b, s)
		})
	}
	b.Run("mysql inserted", func(b *testing.B) {
		s := kinds["mysql"](b)
		s.run(b, "SET GLOBAL local_infile = 0")
		defer s.db.Exec("SET GLOBAL local_infile = 1")
		benchmarkTable(b, s)
	})
}

func benchmarkTable(b *testing.B, s server) {
	const rows, batchRows = 1_000_000, 20_000
	table := s.table(b)
	for _, mode := range []string{"first", "replace", "merge"} {
		b.Run(mode, func(b *testing.B) {
			for b.Loop() {
				cfg := sinks.TableConfig{DSN: s.dsn, Table: table, Schema: accounts, Newer: "SystemModstamp"}
				switch mode {
				case "first":
					s.db.Exec("DROP TABLE IF EXISTS " + s.quote(table))
				case "merge":
					cfg.Mode = sinks.Merge
				}
				peak := watchHeap()
				sink, err := sinks.OpenTable(b.Context(), cfg)
				if err != nil {
					b.Fatal(err)
				}
				var writing time.Duration
				for first := 0; first < rows; first += batchRows {
					batch := accountBatch(first, batchRows)
					began := time.Now()
					if err := sink.Write(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
					writing += time.Since(began)
					batch.Release()
				}
				began := time.Now()
				if _, err := sink.Publish(b.Context()); err != nil {
					b.Fatal(err)
				}
				publishing := time.Since(began)
				sink.Close()
				b.ReportMetric(rows/writing.Seconds(), "written_rows/s")
				b.ReportMetric(publishing.Seconds(), "publish_s")
				b.ReportMetric(rows/(writing+publishing).Seconds(), "rows/s")
				b.ReportMetric(float64(peak())/1e6, "peak_heap_MB")
			}
		})
	}
}

// watchHeap gives the greatest heap since.
func watchHeap() func() uint64 {
	runtime.GC()
	var peak atomic.Uint64
	end, ended := make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
			select {
			case <-end:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() uint64 { close(end); <-ended; return peak.Load() }
}
