package sources_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"migrate/pkg/sources"
)

func BenchmarkJSONL(b *testing.B) {
	var text strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&text, `{"id":%d,"first":"First%d","last":"Lastname%d","email":"someone.%d@example.com","address":{"street":"Some Street %d","city":"City %d"},"amount":%d.50,"active":true,"note":"say \"hi\" %d","none":null}`+"\n",
			i, i%5000, i%50000, i, i, i%3000, i, i)
	}
	path := write(b, "t.jsonl", text.String())
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		src, err := sources.OpenJSONL([]string{path}, jsonOptions{})
		if err != nil {
			b.Fatal(err)
		}
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
	b.ReportMetric(1e5*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
