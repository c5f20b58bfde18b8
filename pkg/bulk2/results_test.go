package bulk2

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

type plainResult struct {
	ID      string
	Created bool
	Error   string
	Fields  []string
}

func plain(r Result) plainResult {
	p := plainResult{ID: string(r.ID), Created: r.Created, Error: string(r.Error)}
	for _, f := range r.Fields {
		p.Fields = append(p.Fields, string(f))
	}
	return p
}

func readAll(r io.Reader, kind Kind, columns ...string) ([]plainResult, error) {
	rr, err := NewResultReader(r, kind, columns)
	if err != nil {
		return nil, err
	}
	var all []plainResult
	for {
		res, err := rr.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, plain(res))
	}
}

func TestResultReader(t *testing.T) {
	for _, tt := range []struct {
		name    string
		kind    Kind
		columns []string
		in      string
		want    []plainResult
	}{
		{"successful", Successful, []string{"Name", "Key"}, "\"sf__Id\",\"sf__Created\",Name,Key\n\"001A\",\"true\",\"Acme, Ltd\",\"1\"\n\"001B\",\"false\",\"\",\"2\"\n",
			[]plainResult{{"001A", true, "", []string{"Acme, Ltd", "1"}}, {"001B", false, "", []string{"", "2"}}}},
		{"failed, quotes and newlines", Failed, []string{"Name"}, "\"sf__Id\",\"sf__Error\",Name\n\"\",\"X:say \"\"no\"\"\nnow:--\",\"a\nb\"\n",
			[]plainResult{{"", false, "X:say \"no\"\nnow:--", []string{"a\nb"}}}},
		{"columns in another order", Failed, []string{"Name", "Key"}, "\"sf__Id\",\"sf__Error\",Key,Name\n\"\",\"E\",\"1\",\"Acme\"\n",
			[]plainResult{{"", false, "E", []string{"Acme", "1"}}}},
		{"unprocessed, verbatim", Unprocessed, []string{"Name", "Key"}, "Name,Key\nBeta Ltd,\"3\"\n", []plainResult{{"", false, "", []string{"Beta Ltd", "3"}}}},
		{"semicolons and CRLF", Successful, []string{"Name"}, "\"sf__Id\";\"sf__Created\";Name\r\n\"001A\";\"true\";\"a,b\"\r\n", []plainResult{{"001A", true, "", []string{"a,b"}}}},
		{"header alone", Successful, []string{"Name"}, "\"sf__Id\",\"sf__Created\",Name\n", nil},
		{"another header and no rows", Failed, []string{"Name"}, "\"sf__Id\",\"sf__Error\"\n", nil},
		{"nothing at all", Failed, []string{"Name"}, "", nil},
		{"no last line feed", Unprocessed, []string{"Name"}, "Name\nx", []plainResult{{"", false, "", []string{"x"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, wrap := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader} {
				got, err := readAll(wrap(strings.NewReader(tt.in)), tt.kind, tt.columns...)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestResultReaderRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"no meta columns":   "Name\nx\n",
		"column missing":    "\"sf__Id\",\"sf__Error\",Other\n\"\",\"E\",\"x\"\n",
		"cut inside quotes": "\"sf__Id\",\"sf__Error\",Name\n\"\",\"E\",\"ab",
		"a field too few":   "\"sf__Id\",\"sf__Error\",Name\n\"\",\"E\"\n",
		"broken quoting":    "\"sf__Id\",\"sf__Error\",Name\n\"\",\"E\"x,\"\"\n",
	} {
		if got, err := readAll(strings.NewReader(in), Failed, "Name"); err == nil {
			t.Errorf("%s: read %v without an error", name, got)
		}
	}
	broken := io.MultiReader(strings.NewReader("\"sf__Id\",\"sf__Error\",Name\n\"\",\"E\",\"a\"\n"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := readAll(broken, Failed, "Name"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a broken body: %v", err)
	}
}

// TestAt reads every row again by its offset, backwards.
func TestAt(t *testing.T) {
	in := "\"sf__Id\",\"sf__Error\",Name\n\"\",\"E1\",\"a\"\"a\"\n\"\",\"E2\",\"b\nb\"\n\"\",\"E3\",\"\"\n"
	rr, err := NewResultReader(strings.NewReader(in), Failed, []string{"Name"})
	if err != nil {
		t.Fatal(err)
	}
	type place struct {
		offset int64
		length int
		want   plainResult
	}
	var places []place
	for {
		res, err := rr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, place{res.Offset, res.Length, plain(res)})
	}
	if len(places) != 3 {
		t.Fatalf("%d rows, want 3", len(places))
	}
	for i := len(places) - 1; i >= 0; i-- {
		res, err := rr.At(strings.NewReader(in), places[i].offset, places[i].length)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(places[i].want, plain(res)); diff != "" {
			t.Errorf("row %d (-want +got):\n%s", i, diff)
		}
	}
}

// FuzzResultReader: never panics, and where encoding/csv reads the whole input with the same width, the values are equal.
func FuzzResultReader(f *testing.F) {
	f.Add("\"sf__Id\",\"sf__Error\",Name\n\"\",\"E\",\"a\"\"b\"\n")
	f.Add("\"sf__Id\",\"sf__Error\",Name\n\"\",\"E\",\"a\nb\"\r\n\n\"x\",y,z")
	f.Fuzz(func(t *testing.T, in string) {
		const header = "\"sf__Id\",\"sf__Error\",Name\n"
		if !strings.HasPrefix(in, header) {
			in = header + in
		}
		got, err := readAll(strings.NewReader(in), Failed, "Name")
		judge := csv.NewReader(strings.NewReader(in))
		want, judgeErr := judge.ReadAll()
		if judgeErr != nil || err != nil {
			return
		}
		// encoding/csv turns CRLF inside quotes into LF.
		clean := func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }
		if len(got) != len(want)-1 {
			t.Fatalf("%d rows, encoding/csv reads %d", len(got), len(want)-1)
		}
		for i, g := range got {
			if w := want[i+1]; clean(g.ID) != w[0] || clean(g.Error) != w[1] || clean(g.Fields[0]) != w[2] {
				t.Fatalf("row %d: got %+v, encoding/csv reads %q", i, g, w)
			}
		}
	})
}

func BenchmarkResultReader(b *testing.B) {
	var in bytes.Buffer
	in.WriteString("\"sf__Id\",\"sf__Created\",A,B,C,D,E,F\n")
	for range 100_000 {
		in.WriteString("\"0015g00000AbCdEAAV\",\"true\",\"Acme Ltd\",\"A-1\",\"9.1226E8\",\"Somewhere Street 12\",\"Town\",\"a text of some length\"\n")
	}
	b.SetBytes(int64(in.Len()))
	for b.Loop() {
		rr, err := NewResultReader(bytes.NewReader(in.Bytes()), Successful, []string{"A", "B", "C", "D", "E", "F"})
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := rr.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
