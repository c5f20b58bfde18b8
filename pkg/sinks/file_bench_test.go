package sinks_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"migrate/pkg/sinks"
)

// contacts is a schema like those that people export.
var contacts = arrow.NewSchema([]arrow.Field{
	{Name: "Id", Type: arrow.BinaryTypes.String}, {Name: "AccountId", Type: arrow.BinaryTypes.String}, {Name: "FirstName", Type: arrow.BinaryTypes.String},
	{Name: "LastName", Type: arrow.BinaryTypes.String}, {Name: "Email", Type: arrow.BinaryTypes.String}, {Name: "Description", Type: arrow.BinaryTypes.String},
	{Name: "LeadSource", Type: arrow.BinaryTypes.String}, {Name: "IsDeleted", Type: arrow.FixedWidthTypes.Boolean}, {Name: "Amount", Type: arrow.PrimitiveTypes.Float64},
	{Name: "Birthdate", Type: arrow.FixedWidthTypes.Date32}, {Name: "CreatedDate", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}},
	{Name: "SystemModstamp", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}},
}, nil)

// contactRows is a batch of made-up contacts.
func contactRows(rows int, seed uint64) arrow.RecordBatch {
	r := rand.New(rand.NewPCG(seed, 1))
	b := array.NewRecordBuilder(memory.DefaultAllocator, contacts)
	text := func(k int, form string, n int) {
		b.Field(k).(*array.StringBuilder).Append(fmt.Sprintf(form, r.IntN(n)))
	}
	words := []string{"called again", "wants an offer", "prefers mail, not phone", "met at the fair", "no answer", "will decide in spring", "knows Müller", "asked for the \"large\" one"}
	for i := range rows {
		text(0, "0035g%010dAAX", 1<<40)
		text(1, "0015g%010dAAX", 100_000)
		text(2, "First%d", 5000)
		text(3, "Lastname%d", 50_000)
		text(4, "someone.%d@example.com", 1<<40)
		b.Field(5).(*array.StringBuilder).Append(words[r.IntN(8)] + " " + words[r.IntN(8)] + " " + words[r.IntN(8)])
		text(6, "Source %d", 9)
		b.Field(7).(*array.BooleanBuilder).Append(r.IntN(50) == 0)
		b.Field(8).(*array.Float64Builder).Append(float64(r.Int64N(1e9)) / 100)
		if i%5 == 0 {
			b.Field(9).AppendNull()
		} else {
			b.Field(9).(*array.Date32Builder).Append(arrow.Date32(r.IntN(20_000)))
		}
		at := 1_700_000_000_000 + r.Int64N(1e11)
		b.Field(10).(*array.TimestampBuilder).Append(arrow.Timestamp(at))
		b.Field(11).(*array.TimestampBuilder).Append(arrow.Timestamp(at + r.Int64N(1e9)))
	}
	return b.NewRecordBatch()
}

// A million contacts of twelve columns; MB are those of the file.
func BenchmarkFile(b *testing.B) {
	const rows, batches = 50_000, 20
	var data []arrow.RecordBatch
	for i := range batches {
		data = append(data, contactRows(rows, uint64(i)))
	}
	for _, name := range []string{"t.csv", "t.csv.gz", "t.csv.zst", "t.jsonl", "t.jsonl.gz", "t.jsonl.zst", "t.parquet", "snappy/t.parquet", "none/t.parquet"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			o := sinks.FileOptions{Path: filepath.Join(b.TempDir(), filepath.Base(name)), Schema: contacts, Overwrite: true}
			if dir := filepath.Dir(name); dir != "." {
				o.Parquet.Compression = dir
			}
			var bytes int64
			for b.Loop() {
				s, err := sinks.OpenFile(o)
				if err != nil {
					b.Fatal(err)
				}
				for _, batch := range data {
					if err := s.Write(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
				}
				files, err := s.Publish(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				bytes += files[0].Bytes
				s.Close()
			}
			b.ReportMetric(float64(rows*batches*b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(bytes)/1e6/b.Elapsed().Seconds(), "MB/s")
			b.ReportMetric(float64(bytes)/float64(b.N)/1e6, "MB")
		})
	}
}
