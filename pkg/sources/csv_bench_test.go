package sources_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"migrate/pkg/sources"
)

// crmRows is a header and about 1 MiB of rows like those of a CRM, 12 columns and about 190 bytes each,
// the same every time. quoted: 0 no value is in quotes, 1 one of each row is, with a doubled quote in
// it, 2 all are.
func crmRows(quoted int) (header, body []byte, rows int64) {
	rng := rand.New(rand.NewPCG(1, 2))
	text := []byte("The quick customer of the lazy vendor asked for another offer by the end of next quarter")
	all, one, inner := "", "", ""
	if quoted > 0 {
		one, inner = `"`, `""`
	}
	if quoted > 1 {
		all = `"`
	}
	var b []byte
	for len(b) < 1<<20 {
		for i, c := range []string{
			fmt.Sprintf("A-%09d", rows), fmt.Sprintf("Customer %d GmbH", rng.IntN(1e6)), fmt.Sprintf("+49 30 %07d", rng.IntN(1e7)),
			"Manufacturing", fmt.Sprintf("%d.%02d", rng.IntN(1e8), rng.IntN(100)), fmt.Sprint(rng.IntN(5000)),
			fmt.Sprintf("2024-%02d-%02dT10:%02d:00Z", 1+rng.IntN(12), 1+rng.IntN(28), rng.IntN(60)),
			fmt.Sprintf("Hauptstrasse %d", rng.IntN(300)), "Berlin", "Germany", "true",
		} {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, all+c+all...)
		}
		b = append(b, ","+one...)
		b = append(b, text[:30+rng.IntN(40)]...)
		b = append(b, inner+one+"\n"...)
		rows++
	}
	return []byte("Legacy_Id__c,Name,Phone,Industry,Revenue,Employees,CreatedDate,Street,City,Country,Active,Description\n"), b, rows
}

// crmFile writes a file of size MiB.
func crmFile(tb testing.TB, size, quoted int) (path string, bytes, rows int64) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "crm.csv")
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	header, body, n := crmRows(quoted)
	write := func(b []byte) {
		k, err := f.Write(b)
		if err != nil {
			tb.Fatal(err)
		}
		bytes += int64(k)
	}
	write(header)
	for range size {
		write(body)
		rows += n
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	return path, bytes, rows
}

// BenchmarkCSV reads a file of 64 MiB from the page cache into record batches, and for comparison
// through encoding/csv, which makes no columns of it. Run it on one core: GOMAXPROCS=1.
func BenchmarkCSV(b *testing.B) {
	for i, name := range []string{"plain", "one quoted", "all quoted"} {
		path, size, rows := crmFile(b, 64, i)
		b.Run(name+"/sources", func(b *testing.B) {
			src := mustOpen(b, path)
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if n := countRows(b, src); n != rows {
					b.Fatalf("%d rows, want %d", n, rows)
				}
			}
		})
		b.Run(name+"/encoding_csv", func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				f, err := os.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				r := csv.NewReader(f)
				r.ReuseRecord = true
				n := int64(-1) // the header
				for {
					if _, err := r.Read(); err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
					n++
				}
				f.Close()
				if n != rows {
					b.Fatalf("%d rows, want %d", n, rows)
				}
			}
		})
	}
}

// BenchmarkEncodings shows what decoding costs; bytes are those on disk.
func BenchmarkEncodings(b *testing.B) {
	header, body, rows := crmRows(0)
	for _, enc := range []string{"utf-8", "utf-16le", "windows-1252"} {
		b.Run(enc, func(b *testing.B) {
			text := encoders[enc](string(header) + strings.Repeat(string(body), 16))
			src, err := sources.OpenCSV([]string{write(b, "t.csv", text)}, options{Encoding: enc})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if n := countRows(b, src); n != 16*rows {
					b.Fatalf("%d rows, want %d", n, 16*rows)
				}
			}
		})
	}
}

func mustOpen(tb testing.TB, path string) *sources.CSV {
	tb.Helper()
	src, err := sources.OpenCSV([]string{path}, options{})
	if err != nil {
		tb.Fatal(err)
	}
	return src
}

func countRows(tb testing.TB, src *sources.CSV) int64 {
	tb.Helper()
	ctx := context.Background()
	n := int64(0)
	for _, s := range src.Splits() {
		r, err := src.Open(ctx, s, position{})
		if err != nil {
			tb.Fatal(err)
		}
		for {
			batch, err := r.Next(ctx)
			if err == io.EOF {
				break
			}
			if err != nil {
				tb.Fatal(err)
			}
			n += batch.Rows.NumRows()
			batch.Rows.Release()
		}
		r.Close()
	}
	return n
}
