package sources_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"migrate/pkg/sources"
	"migrate/pkg/sources/sourcetest"
)

// pack compresses text: gzip, "gzip members" of the given number of bytes each, or zstd.
func pack(t testing.TB, how, text string, member int) string {
	t.Helper()
	var out bytes.Buffer
	write := func(w io.WriteCloser, s string) {
		_, err := io.WriteString(w, s)
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	switch how {
	case "gzip":
		write(gzip.NewWriter(&out), text)
	case "gzip members":
		for at := 0; at < len(text); at += member {
			write(gzip.NewWriter(&out), text[at:min(len(text), at+member)])
		}
	case "zstd":
		w, err := zstd.NewWriter(&out, zstd.WithEncoderCRC(true))
		if err != nil {
			t.Fatal(err)
		}
		write(w, text)
	default:
		return text
	}
	return out.String()
}

var packings = []string{"gzip", "gzip members", "zstd"}

const someTrouble = "id,name,note\r\n1,Ä,\"a\nb\"\r\n\r\n2,x\r\n3,\"q\"z,w\n4,\x00,n\n5,\"say \"\"hi\"\"\",last\n"

func csvOpener(path string, opt options) sourcetest.Opener {
	return func(rows int, mem memory.Allocator) (sources.Source, error) {
		opt.BatchRows, opt.Allocator = rows, mem
		return sources.OpenCSV([]string{path}, opt)
	}
}

func TestCompressedCSV(t *testing.T) {
	t.Parallel()
	utf16 := "\xff\xfe" + strings.Join(strings.Split(strings.ReplaceAll(strings.ReplaceAll(someTrouble, "\x00", ""), "Ä", "A"), ""), "\x00") + "\x00"
	for _, text := range []string{someTrouble, utf16} {
		_, plain := readText(t, text, options{})
		for _, how := range packings {
			path := write(t, "t.csv", pack(t, how, text, 7)) // the name does not tell
			sourcetest.Run(t, csvOpener(path, options{}))
			src, err := sources.OpenCSV([]string{path}, options{})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(plain.Records, readAll(t, src)); d != "" {
				t.Errorf("%s (-plain +compressed):\n%s", how, d)
			}
		}
	}
}

// A stream that was cut off or damaged gives the records before that place, then an error; never a quiet end.
func TestCompressedDamaged(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("id,name\n")
	for i := range 300 {
		fmt.Fprintf(&text, "%d,name of %d\n", i, i*i)
	}
	_, want := readText(t, text.String(), options{})
	for _, how := range packings {
		whole := pack(t, how, text.String(), 1000)
		try := func(what, data string, cut bool) {
			path := write(t, "t.csv.gz", data)
			src, err := sources.OpenCSV([]string{path}, options{Encoding: "utf-8", Delimiter: ",", Quote: "none"})
			if err != nil {
				if !strings.Contains(err.Error(), path) {
					t.Errorf("%s, %s: the error does not name the file: %v", how, what, err)
				}
				return
			}
			got, err := sourcetest.ReadSplit(src, src.Splits()[0], position{})
			if err != nil {
				t.Fatal(err)
			}
			n := len(got.Records)
			if got.Err == io.EOF && (n < 300 || cut) {
				t.Fatalf("%s, %s: a quiet end after %d records", how, what, n)
			}
			if got.Err != io.EOF && !strings.Contains(got.Err.Error(), path) {
				t.Errorf("%s, %s: %v", how, what, got.Err)
			}
			if d := cmp.Diff(want.Records[:min(n, 300)], got.Records); cut && n > 0 && d != "" {
				t.Fatalf("%s, %s: other records came out (-want +got):\n%s", how, what, d)
			}
		}
		for at := 4; at < len(whole); at += 1 + len(whole)/40 { // less does not show how it is compressed
			if how == "gzip members" && gzipEnds(whole, at) {
				continue // a file of fewer members is a whole file
			}
			try(fmt.Sprintf("cut at %d of %d", at, len(whole)), whole[:at], true)
			damaged := []byte(whole)
			damaged[at] ^= 0x55
			try(fmt.Sprintf("byte %d changed", at), string(damaged), false)
		}
		path := write(t, "t.csv.gz", whole[:len(whole)-1])
		src, err := sources.OpenCSV([]string{path}, options{})
		if how == "zstd" { // all of so small a file is under one checksum
			if err == nil || !strings.Contains(err.Error(), "was cut off: no more than 0 bytes") {
				t.Errorf("%s without its last byte: %v", how, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := sourcetest.ReadSplit(src, src.Splits()[0], position{})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Records) == 0 || got.Err == io.EOF || !strings.Contains(got.Err.Error(), "was cut off") {
			t.Errorf("%s without its last byte: %d records, then %v", how, len(got.Records), got.Err)
		}
	}
}

func gzipEnds(whole string, at int) bool {
	r, err := gzip.NewReader(strings.NewReader(whole[:at]))
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r)
	return err == nil
}

func TestCompressedRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"BZh91AY&SY", "compressed with bzip2"},
		{"\xFD7zXZ\x00\x00", "compressed with xz"},
		{"\x1F\x8B", "was cut off: no more than 0 bytes"},
		{pack(t, "gzip", "", 0), "the file is empty"},
		{pack(t, "gzip", pack(t, "gzip", "a,b\n", 0), 0), "a gzip file; unpack it first"},
	} {
		path := write(t, "t.csv", tt.text)
		_, err := sources.OpenCSV([]string{path}, options{})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"b.csv", "a.csv", "c.txt", "[x].csv", "sub/d.csv"} {
		os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700)
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nothing", filepath.Join(dir, "link.gone")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ patterns, want string }{
		{"a.csv", "a.csv"},
		{"*.csv", "[x].csv a.csv b.csv"},
		{"b.csv *.csv", "b.csv [x].csv a.csv"},
		{"c.txt *.csv ./c.txt", "c.txt [x].csv a.csv b.csv"},
		{"[x].csv", "[x].csv"},
		{"[ab].csv", "a.csv b.csv"},
		{"*/*.csv", "sub/d.csv"},
		{"*x*", "[x].csv c.txt"},
		{"*.zip", "*.zip: there is no file of that name"},
		{"a.csv none.csv", "none.csv: file does not exist"},
		{"[", "is not a pattern"},
		{"s*b", "only folders"},
		{"link.*", "a link to a file that is not there"},
	} {
		var patterns []string
		for _, p := range strings.Fields(tt.patterns) {
			patterns = append(patterns, dir+string(filepath.Separator)+p)
		}
		files, err := sources.Expand(patterns)
		var got string
		for _, f := range files {
			rel, _ := filepath.Rel(dir, f)
			got += rel + " "
		}
		if err != nil {
			got = err.Error()
		}
		if got = strings.TrimSpace(got); got != tt.want && (err == nil || !strings.Contains(got, tt.want)) {
			t.Errorf("%s: got %q, want %q", tt.patterns, got, tt.want)
		}
	}
}
