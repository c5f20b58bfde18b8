package localorg

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func readAll(t *testing.T, text string, delim byte) (rows [][]string, blank []bool, err error) {
	t.Helper()
	var rec csvRecord
	for data := []byte(text); len(data) > 0; data = data[rec.size:] {
		if err := rec.read(data, delim, true); err != nil {
			return rows, blank, err
		}
		var row []string
		for _, c := range rec.cells {
			row = append(row, string(c.text()))
		}
		rows, blank = append(rows, row), append(blank, rec.blank)
	}
	return rows, blank, nil
}

func TestCSVRecord(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		delim      byte
		want       [][]string
		blank      bool
		err        error
	}{
		{name: "plain", text: "a,b\n1,2\n", want: [][]string{{"a", "b"}, {"1", "2"}}},
		{name: "no last newline", text: "a,b", want: [][]string{{"a", "b"}}},
		{name: "empty cells", text: ",\n,,\n", want: [][]string{{"", ""}, {"", "", ""}}},
		{name: "empty line", text: "a\n\nb\n", want: [][]string{{"a"}, nil, {"b"}}},
		{name: "quoted", text: "\"a,\"\"b\"\"\n\",c\n", want: [][]string{{"a,\"b\"\n", "c"}}},
		{name: "empty quoted", text: "\"\",\"\"\n", want: [][]string{{"", ""}}},
		{name: "quoted at end", text: "a,\"b\"", want: [][]string{{"a", "b"}}},
		{name: "crlf", text: "a,b\r\n\"c\",d\r\n", want: [][]string{{"a", "b"}, {"c", "d"}}},
		{name: "cr is data", text: "a\rb,c\n", want: [][]string{{"a\rb", "c"}}},
		{name: "tab", text: "a\t\"b\tc\"\n", delim: '\t', want: [][]string{{"a", "b\tc"}}},
		{name: "values are not trimmed", text: " a , b\n", want: [][]string{{" a ", " b"}}},
		{name: "blank before quote", text: "\"a\", \"b,c\"\n", want: [][]string{{"a", "b,c"}}, blank: true},
		{name: "blank after quote", text: "\"a\" ,\"b\"\n", want: [][]string{{"a", "b"}}, blank: true},
		{name: "quote in bare value", text: "a\"b,c\n", err: errQuote},
		{name: "text after quote", text: "\"a\"b,c\n", err: errQuote},
		{name: "byte order mark before quote", text: "\ufeff\"a\",b\n", err: errQuote},
		{name: "cr after quote", text: "\"a\"\rb\n", err: errQuote},
		{name: "quote never closed", text: "\"a,b\nc,d\n", err: errOpenEnd},
	}
	for _, test := range tests {
		if test.delim == 0 {
			test.delim = ','
		}
		got, blank, err := readAll(t, test.text, test.delim)
		if !errors.Is(err, test.err) {
			t.Errorf("%s: error %v, want %v", test.name, err, test.err)
			continue
		}
		if diff := cmp.Diff(test.want, got); err == nil && diff != "" {
			t.Errorf("%s: (-want +got)\n%s", test.name, diff)
		}
		if err == nil && blank[0] != test.blank {
			t.Errorf("%s: blank %v, want %v", test.name, blank[0], test.blank)
		}
	}
}

// encoding/csv judges the reader on everything that both accept.
func FuzzCSVRecord(f *testing.F) {
	f.Add("a,b\n1,2\n", byte(','))
	f.Add("\"a\"\"\n\";b\r\nc;d", byte(';'))
	f.Fuzz(func(t *testing.T, text string, delim byte) {
		if !strings.ContainsRune(",;|\t^`", rune(delim)) {
			return
		}
		judge := csv.NewReader(strings.NewReader(text))
		judge.Comma, judge.FieldsPerRecord = rune(delim), -1
		want, judgeErr := judge.ReadAll()
		got, blank, err := readAll(t, text, delim)
		var kept [][]string
		for i, row := range got {
			if blank[i] {
				return
			}
			if row != nil {
				kept = append(kept, row)
			}
		}
		if strings.Contains(text, "\r") {
			return // encoding/csv rewrites CR LF inside quotes
		}
		if (err == nil) != (judgeErr == nil) {
			t.Fatalf("error %v, judge %v", err, judgeErr)
		}
		if diff := cmp.Diff(want, kept); err == nil && diff != "" {
			t.Fatalf("(-judge +got)\n%s", diff)
		}
	})
}

// However the upload arrives, split finds the same rows.
func FuzzSplit(f *testing.F) {
	f.Add("a,b\n1,2\n\"x\ny\",4\n", false)
	f.Add("a,b\r\n1,\"2\"\r\n", true)
	f.Fuzz(func(t *testing.T, text string, crlf bool) {
		d := dialect{delim: ',', crlf: crlf}
		want, wantErr := split(strings.NewReader(text), d)
		got, err := split(iotest.OneByteReader(strings.NewReader(text)), d)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("one byte at a time: error %v, whole: %v", err, wantErr)
		}
		if err != nil {
			var je *jobError
			if !errors.As(err, &je) {
				t.Fatalf("error is not the job's: %v", err)
			}
			return
		}
		if want.rows != got.rows || !bytes.Equal(want.header, got.header) || !cmp.Equal(want.chunks, got.chunks) {
			t.Fatalf("one byte at a time: %+v, whole: %+v", got, want)
		}
	})
}

// A record longer than the reader's window, and rows across its border, come out whole.
func TestSplitWindow(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("a,b\n")
	const rows = 5000
	for i := range rows {
		b.WriteString("\"" + strings.Repeat("line\n", i%300) + "\",x\n")
	}
	b.WriteString("\"" + strings.Repeat("z\n", 2<<20) + "\",x\n")
	l, err := split(io.MultiReader(strings.NewReader(b.String())), dialect{delim: ','})
	if err != nil {
		t.Fatal(err)
	}
	if l.rows != rows+1 || l.chunkCount() != 26 || l.chunks[26] != int64(b.Len()) {
		t.Errorf("rows %d, chunks %d, end %d of %d", l.rows, l.chunkCount(), l.chunks[len(l.chunks)-1], b.Len())
	}
}
