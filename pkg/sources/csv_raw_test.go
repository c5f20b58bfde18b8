package sources_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"migrate/pkg/sources"
)

// rawRecord is a record as a reader gives it.
type rawRecord struct {
	pos    sources.Position
	values []string // nil: it is malformed
	rule   string
}

// readPlain reads a split in the ordinary way.
func readPlain(t *testing.T, s sources.Split, from sources.Position) (list []rawRecord, next sources.Position, err error) {
	t.Helper()
	r, err := sources.OpenCSVSplit(t.Context(), s, from, sources.CSVOptions{BatchRows: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		b, err := r.Next(t.Context())
		if err != nil {
			return list, next, err
		}
		list, next = appendBatch(list, b), b.Next
		b.Rows.Release()
	}
}

func appendBatch(list []rawRecord, b sources.Batch) []rawRecord {
	from := len(list)
	for i, pos := range b.Pos {
		rec := rawRecord{pos: pos, values: []string{}}
		for _, c := range b.Rows.Columns() {
			rec.values = append(rec.values, strings.Clone(c.(*array.String).Value(i)))
		}
		list = append(list, rec)
	}
	for _, bad := range b.Bad {
		list = append(list, rawRecord{pos: bad.Pos, rule: bad.Rule})
	}
	slices.SortFunc(list[from:], func(a, b rawRecord) int { return int(a.pos.Row - b.pos.Row) })
	return list
}

// readRaw reads it by runs of records as they stand; encoding/csv takes them apart. asIs counts those.
func readRaw(t *testing.T, s sources.Split, from sources.Position, rows int64, size int) (list []rawRecord, next sources.Position, asIs int, err error) {
	t.Helper()
	reader, err := sources.OpenCSVSplit(t.Context(), s, from, sources.CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	r := reader.(sources.RawReader)
	for {
		raw, err := r.NextRaw(t.Context(), sources.RawWant{Rows: rows, Bytes: size, Without: []byte("#N/A")})
		if err != nil {
			return list, next, asIs, err
		}
		next = raw.Next // blank lines may have been passed
		switch {
		case raw.Fields != nil:
			rec := rawRecord{pos: raw.At, values: []string{}}
			for _, f := range raw.Fields {
				rec.values = append(rec.values, string(f))
			}
			list = append(list, rec)
		case raw.Rows > 0:
			if raw.Rows > rows || len(raw.Text) > size {
				t.Fatalf("%d rows of %d bytes, where %d and %d were wanted", raw.Rows, len(raw.Text), rows, size)
			}
			if bytes.IndexByte(raw.Text, '\r') >= 0 || bytes.Contains(raw.Text, []byte("#N/A")) {
				t.Fatalf("%q", raw.Text)
			}
			records, err := csv.NewReader(bytes.NewReader(raw.Text)).ReadAll()
			if err != nil || int64(len(records)) != raw.Rows {
				t.Fatalf("%q has %d records, not %d: %v", raw.Text, len(records), raw.Rows, err)
			}
			for i, values := range records {
				pos := raw.At
				pos.Row += int64(i)
				if i > 0 { // only the first one's place is told
					pos.Offset, pos.Line = -1, -1
				}
				list = append(list, rawRecord{pos: pos, values: values})
			}
			asIs += len(records)
		case raw.Full && size < 1<<20:
			size = 1 << 20 // a chunk would end here
		default:
			b, err := r.NextOne(t.Context())
			if err != nil {
				return list, next, asIs, err
			}
			list, next = appendBatch(list, b), b.Next
			b.Rows.Release()
		}
	}
}

// checkRaw compares both ways, from the start and from a record in the middle.
func checkRaw(t *testing.T, text string, rows int64, size int) (asIs int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := sources.OpenCSV([]string{path}, sources.CSVOptions{Delimiter: ",", Quote: `"`, Escape: `"`, Encoding: "utf-8", MaxRecord: 400})
	if err != nil {
		return 0
	}
	s := c.Splits()[0]
	if !s.Raw() {
		return 0
	}
	compare := func(from sources.Position) []rawRecord {
		want, wantNext, wantErr := readPlain(t, s, from)
		got, gotNext, n, gotErr := readRaw(t, s, from, rows, size)
		asIs += n
		if fmt.Sprint(wantErr) != fmt.Sprint(gotErr) || errors.Is(wantErr, io.EOF) != errors.Is(gotErr, io.EOF) {
			t.Fatalf("%q: %v, in the ordinary way %v", text, gotErr, wantErr)
		}
		if len(want) != len(got) || len(want) > 0 && wantNext != gotNext {
			t.Fatalf("%q: %d records to %+v, in the ordinary way %d to %+v", text, len(got), gotNext, len(want), wantNext)
		}
		for i := range want {
			pos := got[i].pos
			if pos.Offset < 0 {
				pos.Offset, pos.Line = want[i].pos.Offset, want[i].pos.Line
			}
			if pos != want[i].pos || got[i].rule != want[i].rule || !slices.Equal(got[i].values, want[i].values) {
				t.Fatalf("%q: record %d is %+v %q %s, in the ordinary way %+v", text, i, got[i].pos, got[i].values, got[i].rule, want[i])
			}
		}
		return want
	}
	if all := compare(sources.Position{}); len(all) > 2 {
		compare(all[len(all)/2].pos)
	}
	return asIs
}

// TestRaw: records that go as they stand are the same records, at the same places, and most of an ordinary file does.
func TestRaw(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"x", "ünï", "", `"quoted, with commas"`, "\"two\nlines\"", `"doubled ""quotes"""`, `""`, `"plain"`, `mid"quote`, "#N/A", "a\rb", "\"a\r\nb\"", "\xff", "\x00", `"open`, `"x"y`, strings.Repeat("long ", 50)}
	for n := range 400 {
		var b strings.Builder
		b.WriteString("A,B,C\n")
		for range random.IntN(12) {
			columns := 3
			if random.IntN(12) == 0 {
				columns = 1 + random.IntN(5)
			}
			for i := range columns {
				if i > 0 {
					b.WriteByte(',')
				}
				k := random.IntN(7)
				if random.IntN(4) == 0 {
					k = random.IntN(len(pieces))
				}
				b.WriteString(pieces[k])
			}
			switch {
			case n%3 == 0 && random.IntN(10) > 0:
				b.WriteString("\r\n")
			case random.IntN(20) == 0:
				b.WriteString("\n\n")
			default:
				b.WriteByte('\n')
			}
		}
		text := b.String()
		if random.IntN(4) == 0 {
			text = strings.TrimRight(text, "\n")
		}
		checkRaw(t, text, 1+random.Int64N(5), 30+random.IntN(400))
	}
	whole := "A,B\n" + strings.Repeat("1,\"two, and\"\n3,4\n", 5_000)
	if n := checkRaw(t, whole, 1e6, 1e6); n < 10_000 {
		t.Errorf("%d records go as they stand", n)
	}
	if n := checkRaw(t, strings.ReplaceAll(whole, "\n", "\r\n"), 1e6, 1e6); n < 10_000 {
		t.Errorf("%d records with CR LF go as they stand", n)
	}
}

func FuzzRaw(f *testing.F) {
	f.Add("A,B\n1,2\n\"3\",\"4\"\"\"\n\n5\n6,#N/A\n", uint8(3), uint16(100))
	f.Add("A,B\r\n1,2\r\n\"a\r\nb\",x\r\n", uint8(1), uint16(10))
	f.Fuzz(func(t *testing.T, text string, rows uint8, size uint16) {
		checkRaw(t, text, int64(rows)+1, int(size)+1)
	})
}

var rawBench int64

func BenchmarkRaw(b *testing.B) {
	row := "0015g00000XyZ12AAB,Acme & Sons Ltd,+49 30 1234567,Berlin,DE,2026-01-02T21:33:43Z,123456.78,true,Customer,\"Musterstr. 1, Hof\",,A long description of what they do\n"
	for _, name := range []string{"quotes", "none"} {
		text := "A,B,C,D,E,F,G,H,I,J,K,L\n" + strings.Repeat(row, 200_000)
		if name == "none" {
			text = strings.ReplaceAll(text, "\"Musterstr. 1, Hof\"", "Musterstr. 1; Hof")
		}
		path := filepath.Join(b.TempDir(), "a.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		c, err := sources.OpenCSV([]string{path}, sources.CSVOptions{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for range b.N {
				reader, err := c.Open(context.Background(), c.Splits()[0], sources.Position{})
				if err != nil {
					b.Fatal(err)
				}
				r := reader.(sources.RawReader)
				for {
					raw, err := r.NextRaw(context.Background(), sources.RawWant{Rows: 1e6, Bytes: 1e8, Without: []byte("#N/A")})
					if err != nil {
						b.Fatal(err)
					}
					if raw.Rows == 0 {
						if _, err := r.NextOne(context.Background()); err != io.EOF {
							b.Fatal(err)
						}
						break
					}
					rawBench += raw.Rows
				}
				r.Close()
			}
		})
	}
}
