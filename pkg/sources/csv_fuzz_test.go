package sources_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"migrate/pkg/sources"
	"migrate/pkg/sources/sourcetest"
)

// fuzzFile writes text to the one file in dir.
func fuzzFile(t *testing.T, dir string, text []byte) string {
	t.Helper()
	path := filepath.Join(dir, "fuzz.csv")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustRead(t *testing.T, src sources.Source, s sources.Split, from position) sourcetest.Read {
	t.Helper()
	got, err := sourcetest.ReadSplit(src, s, from)
	if err != nil {
		t.Fatal(err)
	}
	var e *sources.SyntaxError
	if got.Err != io.EOF && !errors.As(got.Err, &e) {
		t.Fatalf("ended with %v", got.Err)
	}
	return got
}

// bare is a source whose dialect was not detected but given.
type bare struct{ split sources.Split }

func (b bare) Schema() *arrow.Schema {
	var fields []arrow.Field
	for _, name := range b.split.Dialect.Header {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

func (b bare) Splits() []sources.Split { return []sources.Split{b.split} }

func (b bare) Open(ctx context.Context, s sources.Split, from position) (sources.Reader, error) {
	return sources.OpenCSVSplit(ctx, s, from, options{BatchRows: 5})
}

// Where encoding/csv takes the input in full, we find the same values on the same lines.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{
		"a,b\n1,2\n", "\"a\",\"b\"\r\n\"x\r\ny\",\"\"\"\"\n", "a\n\n\nb", ",\n,", "a,\"\n\n\",c\r\n1,2,3", "\"\"\r\n\"a\"\r", "x;y\n'1;2\n",
		strings.Repeat("a,bcdefghijklmnopqrstuvwxyz,\"q\"\n", 9), "ä,ö\n\"ü\"\"\",é\n",
	} {
		f.Add([]byte(s), byte(','))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte, delim byte) {
		if delim == 0 || delim == '"' || delim == '\\' || delim == '\r' || delim == '\n' || delim >= utf8.RuneSelf {
			return
		}
		if bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(text) {
			return
		}
		judge := csv.NewReader(bytes.NewReader(text))
		judge.Comma = rune(delim)
		var want []string
		columns := 0
		for {
			fields, err := judge.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				return
			}
			columns = len(fields)
			line, _ := judge.FieldPos(0)
			want = append(want, fmt.Sprintf("%d %q", line, fields))
		}
		if columns == 0 {
			return
		}
		name := string(rune(delim))
		split := sources.Split{
			ID: "x", Path: fuzzFile(t, dir, text), Start: position{Line: 1}, End: int64(len(text)),
			Dialect: sources.Dialect{Encoding: "utf-8", Delimiter: name, Quote: `"`, Escape: `"`, LineEnding: "LF",
				MaxRecord: 1 << 20, Header: make([]string, columns)},
		}
		got := mustRead(t, bare{split}, split, position{})
		var have []string
		for _, rec := range got.Records {
			if rec.Rule != "" {
				t.Fatalf("a bad row: %+v", rec)
			}
			for i := range rec.Fields {
				rec.Fields[i] = strings.ReplaceAll(rec.Fields[i], "\r\n", "\n") // the judge does so
			}
			have = append(have, fmt.Sprintf("%d %q", rec.Pos.Line, rec.Fields))
		}
		if d := cmp.Diff(want, have); d != "" || got.Err != io.EOF {
			t.Fatalf("%q with delimiter %q (-encoding/csv +ours):\n%s%v", text, delim, d, got.Err)
		}
	})
}

var seed = flag.Uint64("seed", rand.Uint64(), "for the random file of TestCSVLargeFile")

// A file much larger than the window, in each encoding, is read as encoding/csv reads its text, and can
// be opened anywhere.
func TestCSVLargeFile(t *testing.T) {
	t.Parallel()
	t.Logf("-seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 0))
	pieces := []string{"x", "Zoë", "€", "a longer piece of text that does not fit into sixteen bytes", ",", "\n", "\"\"", "\n\n", ";", "'", strings.Repeat("ß", 5000)}
	var text strings.Builder
	text.WriteString("a,b,c\n")
	for text.Len() < 1<<20 { // four windows
		for i := range 3 {
			quoted := rng.IntN(4) == 0
			if quoted {
				text.WriteByte('"')
			}
			for range rng.IntN(5) {
				p := pieces[rng.IntN(len(pieces)-1)]
				if rng.IntN(500) == 0 {
					p = pieces[len(pieces)-1]
				}
				if quoted || !strings.ContainsAny(p, ",\n\"") {
					text.WriteString(p)
				}
			}
			if quoted {
				text.WriteByte('"')
			}
			text.WriteByte(",,\n"[i])
		}
	}
	judge := csv.NewReader(strings.NewReader(text.String()))
	var want []sourcetest.Record
	if _, err := judge.Read(); err != nil {
		t.Fatal(err)
	}
	for {
		fields, err := judge.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		line, _ := judge.FieldPos(0)
		want = append(want, sourcetest.Record{Pos: position{Row: int64(len(want)), Line: int64(line)}, Fields: fields})
	}
	for name, encode := range encoders {
		file := encode(text.String())
		src, err := sources.OpenCSV([]string{write(t, "t.csv", file)}, options{Quote: `"`})
		if err != nil {
			t.Fatal(err)
		}
		s := src.Splits()[0]
		all := mustRead(t, src, s, position{})
		if len(all.Records) != len(want) {
			t.Fatalf("%s: %d records, want %d", name, len(all.Records), len(want))
		}
		for _, i := range []int{0, rng.IntN(len(want)), rng.IntN(len(want)), len(want) - 1} {
			from := position{}
			if i > 0 {
				from = all.Records[i].Pos
			}
			got := mustRead(t, src, s, from)
			if d := cmp.Diff(want[i:], got.Records, cmpopts.IgnoreFields(position{}, "Offset")); d != "" || got.Err != io.EOF {
				t.Fatalf("%s from record %d (-encoding/csv +ours):\n%.2000s%v", name, i, d, got.Err)
			}
			if got.Next.Offset != int64(len(file)) {
				t.Fatalf("%s from record %d: ended at byte %d of %d", name, i, got.Next.Offset, len(file))
			}
		}
	}
}

// Opened at the position of any record, a split gives the same records from there on, in every
// encoding; and text that is the same in two encodings gives the same records.
func FuzzReopen(f *testing.F) {
	for enc := range uint8(4) {
		f.Add([]byte("a,b\r\n\r\n1,\"2\n\n\"\r\nx\r\n\"y\"z\n\xff,\x00\n€,é\n\n5,6"), enc, uint16(3), uint8(2))
		f.Add([]byte("a\xd8\x00\x00,\x00\x3d\xd8\x00\xde\n\x00\xdc\x00x\x00\r\x00"), enc, uint16(1), uint8(9))
		f.Add([]byte("aaaa\taaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nb\tccccccccccccccc\nd\te\rf\tg"), enc, uint16(2), uint8(4))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte, enc uint8, pick uint16, how uint8) {
		split := func(enc string, text []byte) sources.Split {
			d := sources.Dialect{Encoding: enc, Delimiter: ",", Quote: `"`, Escape: `"`, LineEnding: "LF", MaxRecord: 40, Header: []string{"a", "b"}}
			if how&1 > 0 {
				d.LineEnding = "mixed with CR"
			}
			if how&2 > 0 {
				d.Escape = `\`
			}
			if how&4 > 0 {
				d.Delimiter = "tab"
			}
			if how&8 > 0 {
				d.Quote = "none"
			}
			return sources.Split{ID: enc, Path: fuzzFile(t, dir, text), Start: position{Line: 1}, End: int64(len(text)), Dialect: d}
		}
		name := []string{"utf-8", "utf-16le", "utf-16be", "windows-1252"}[enc%4]
		s := split(name, text)
		all := mustRead(t, bare{s}, s, position{})
		if all.Err == io.EOF && all.Next.Offset != int64(len(text)) {
			t.Fatalf("ended at byte %d of %d", all.Next.Offset, len(text))
		}
		if n := len(all.Records); n > 0 {
			i := int(pick) % n
			rest := mustRead(t, bare{s}, s, all.Records[i].Pos)
			if d := cmp.Diff(all.Records[i:], rest.Records); d != "" || rest.Next != all.Next || fmt.Sprint(rest.Err) != fmt.Sprint(all.Err) {
				t.Fatalf("%q in %s, opened at record %d %+v (-want +got):\n%s%+v %v, want %+v %v",
					text, name, i, all.Records[i].Pos, d, rest.Next, rest.Err, all.Next, all.Err)
			}
		}
		if name != "utf-8" || !utf8.Valid(text) {
			return
		}
		wide := split("utf-16le", []byte(units(string(text), 0, 8)))
		other := mustRead(t, bare{wide}, wide, position{})
		if d := cmp.Diff(all.Records, other.Records, cmpopts.IgnoreFields(position{}, "Offset")); d != "" || fmt.Sprint(all.Err) != fmt.Sprint(other.Err) {
			t.Fatalf("%q (-utf-8 +utf-16):\n%s%v, %v", text, d, all.Err, other.Err)
		}
	})
}
