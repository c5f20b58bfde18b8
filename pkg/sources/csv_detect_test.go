package sources_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"migrate/pkg/sources"
)

func TestDialect(t *testing.T) {
	t.Parallel()
	many := func(row string, n int) string { return strings.Repeat(row, n) }
	for _, tt := range []struct {
		name, text string
		opt        options
		want       string // after the path
		notes      string // a piece of what the notes say; "" for no note
	}{
		{"semicolon, BOM", "\xef\xbb\xbfa;b;c\r\n1;2,5;3\r\n", options{}, "UTF-8 with BOM, delimiter ';', quote '\"' (doubled), CRLF, header on line 1, 3 columns", ""},
		{"tab", "a\tb\n1,5\t2\n", options{}, "UTF-8, delimiter tab, quote '\"' (doubled), LF, header on line 1, 2 columns", ""},
		{"pipe", "a|b\n1|2\n", options{}, "UTF-8, delimiter '|', quote '\"' (doubled), LF, header on line 1, 2 columns", ""},
		{"caret", "a^b\n1^2\n", options{}, "UTF-8, delimiter '^', quote '\"' (doubled), LF, header on line 1, 2 columns", ""},
		{"backquote", "a`b\n1`2\n", options{}, "UTF-8, delimiter '`', quote '\"' (doubled), LF, header on line 1, 2 columns", ""},
		{"decimal commas in all values", "a;b\n1,5;2,5\n1,5;2,5\n", options{}, "UTF-8, delimiter ';', quote '\"' (doubled), LF, header on line 1, 2 columns", ""},
		{"decimal commas, no header", "1,5;2,5\n3,5;4,5\n", options{NoHeader: true}, "UTF-8, delimiter ';', quote '\"' (doubled), LF, no header, 2 columns", "delimiter ',' would fit nearly as well, with 3 columns"},
		{"semicolons in quotes", "a,b\n\"x;y\",\"p;q\"\n\"x;y\",\"p;q\"\n", options{}, "UTF-8, delimiter ',', quote '\"' (doubled), LF, header on line 1, 2 columns", ""},
		{"multi-select values", "a,b\n1,x;y;z\n2,x;y\n3,\n", options{}, "UTF-8, delimiter ',', quote '\"' (doubled), LF, header on line 1, 2 columns", ""},
		{"one column", "Id\n1\n2\n", options{}, "UTF-8, no delimiter, quote '\"' (doubled), LF, header on line 1, 1 column", ""},
		{"one column with commas", "Name\nSmith, John\nRoe, Jane\n", options{}, "UTF-8, no delimiter, quote '\"' (doubled), LF, header on line 1, 1 column", "--skip-lines"},
		{"title above the header", "Report\na,b\n1,2\n3,4\n", options{}, "UTF-8, no delimiter, quote '\"' (doubled), LF, header on line 1, 1 column", "delimiter ',' would give 2 columns in 3 of 3 records"},
		{"title skipped", "Report\na,b\n1,2\n", options{SkipLines: 1}, "UTF-8, delimiter ',', quote '\"' (doubled), LF, header on line 2, 2 columns", ""},
		{"title skipped, CR", "Report\ra,b\r1,2\r", options{SkipLines: 1}, "UTF-8, delimiter ',', quote '\"' (doubled), CR, header on line 2, 2 columns", ""},
		{"blank line above", "\r\na,b\r\n1,2\r\n", options{}, "UTF-8, delimiter ',', quote '\"' (doubled), CRLF, header on line 2, 2 columns", ""},
		{"header over two lines", "\"a\nb\",c\n1,2\n", options{}, "UTF-8, delimiter ',', quote '\"' (doubled), LF, header on line 1, 2 columns", ""},
		{"CR", "a,b\r1,2\r", options{}, "UTF-8, delimiter ',', quote '\"' (doubled), CR, header on line 1, 2 columns", ""},
		{"CR, LF in quotes", "a,b\r1,\"x\ny\"\r2,3\r", options{}, "UTF-8, delimiter ',', quote '\"' (doubled), CR, header on line 1, 2 columns", ""},
		{"CR and LF", "a,b\r1,2\n3,4\r", options{}, "UTF-8, delimiter ',', quote '\"' (doubled), mixed with CR, header on line 1, 2 columns", ""},
		{"LF and CRLF", "a,b\r\n1,2\n", options{}, "UTF-8, delimiter ',', quote '\"' (doubled), LF and CRLF, header on line 1, 2 columns", ""},
		{"no line ending", "a,b", options{}, "UTF-8, delimiter ',', quote '\"' (doubled), LF, header on line 1, 2 columns", ""},
		{"single quotes", "'a','b'\n'1','2,3'\n", options{}, "UTF-8, delimiter ',', quote ''' (doubled), LF, header on line 1, 2 columns", "--quote"},
		{"apostrophes", "a,b\n'tis,O'Neil\nx,don't\n", options{}, "UTF-8, delimiter ',', quote '\"' (doubled), LF, header on line 1, 2 columns", ""},
		{"backslash", "a,b\n\"say \\\"hi\\\", you\",2\n3,4\n", options{}, `UTF-8, delimiter ',', quote '"' (escaped with \), LF, header on line 1, 2 columns`, "--escape"},
		{"backslash before a closing quote", "a,b\n\"C:\\\",2\n\"D:\\\",4\n", options{}, "UTF-8, delimiter ',', quote '\"' (doubled), LF, header on line 1, 2 columns", ""},
		{"inches", "a\tb\n" + many("\"5\" pipe\" x\t2\n", 5), options{}, "UTF-8, delimiter tab, no quotes, LF, header on line 1, 2 columns", "ordinary text"},
		{"some bad quotes", "a,b\n\"x\" ,2\n\"y\",3\n", options{}, "UTF-8, delimiter ',', quote '\"' (doubled), LF, header on line 1, 2 columns", "1 record of the head"},
		{"header shorter", "a,b\n" + many("1,2,3\n", 5), options{}, "UTF-8, delimiter ',', quote '\"' (doubled), LF, header on line 1, 2 columns", "the header has 2 columns, but 5 of 5 records"},
		{"half of the rows broken", "a,b,c\n" + many("1,2,3\n1;2;3\n", 5), options{}, "UTF-8, delimiter ',', quote '\"' (doubled), LF, header on line 1, 3 columns", ""},
		{"told", "a,b;c\n1,2;3\n", options{Delimiter: ";", Quote: "none", Encoding: "latin-1"}, "Windows-1252, delimiter ';', no quotes, LF, header on line 1, 2 columns", ""},
		{"Windows-1252", "a,b\n1,caf\xe9\n", options{}, "Windows-1252, delimiter ',', quote '\"' (doubled), LF, header on line 1, 2 columns", "not valid UTF-8"},
		{"other code page", "a,b\n1,\x81\n", options{}, "Windows-1252, delimiter ',', quote '\"' (doubled), LF, header on line 1, 2 columns", "another encoding"},
		{"Windows-1252 far down", "a,b\n" + many("1,2\n", 200_000) + "1,caf\xe9\n" + many("1,2\n", 100), options{}, "Windows-1252, delimiter ',', quote '\"' (doubled), LF, header on line 1, 2 columns", "not valid UTF-8"},
		{"damaged UTF-8", "a,b\n" + many("é,ü\n", 50) + "1,caf\xe9\n", options{}, "UTF-8, delimiter ',', quote '\"' (doubled), LF, header on line 1, 2 columns", "1 of the 101 characters"},
		{"UTF-8 with a NUL", "Id,Name\n1,a\x00b\n", options{}, "UTF-8, delimiter ',', quote '\"' (doubled), LF, header on line 1, 2 columns", ""},
		{"UTF-16LE, no BOM", units("名前,会社\n山田,日本\n", 0, 8), options{}, "UTF-16LE, delimiter ',', quote '\"' (doubled), LF, header on line 1, 2 columns", "zero bytes"},
		{"UTF-16BE, no BOM", units("a,b\n1,2\n", 8, 0), options{Encoding: "utf-16"}, "UTF-16BE, delimiter ',', quote '\"' (doubled), LF, header on line 1, 2 columns", ""},
		{"UTF-16BE with BOM", "\xfe\xff" + units("a,b\n1,2\n", 8, 0), options{}, "UTF-16BE with BOM, delimiter ',', quote '\"' (doubled), LF, header on line 1, 2 columns", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			src, err := sources.OpenCSV([]string{write(t, "t.csv", tt.text)}, tt.opt)
			if err != nil {
				t.Fatal(err)
			}
			d := src.Dialects()[0]
			if got := strings.TrimPrefix(d.String(), d.Path+": "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if notes := strings.Join(d.Notes, "; "); (tt.notes == "") != (notes == "") || !strings.Contains(notes, tt.notes) {
				t.Errorf("notes %q, want %q in them", notes, tt.notes)
			}
		})
	}
}

func TestHeaderNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		opt        options
		want       []string
	}{
		{"as they stand", "\xef\xbb\xbf\" Id \",Name,\"a \"\"b\"\"\"\n1,2,3\n", options{}, []string{" Id ", "Name", `a "b"`}},
		{"BOM before a quote", "\xef\xbb\xbf\"Id\"\n1\n", options{}, []string{"Id"}},
		{"empty and double", "a,,a,\n1,2,3,4\n", options{}, []string{"a", "column2", "a", "column4"}},
		{"two lines", "Address,,Name\nStreet,City,\n1,2,3\n", options{HeaderLines: 2}, []string{"Address Street", "City", "Name"}},
		{"none", "1,2\n3,4\n", options{NoHeader: true}, []string{"column1", "column2"}},
		{"none, mostly three", "1,2\n3,4,5\n6,7,8\n", options{NoHeader: true}, []string{"column1", "column2", "column3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			src, err := sources.OpenCSV([]string{write(t, "t.csv", tt.text)}, tt.opt)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, src.Dialects()[0].Header); d != "" {
				t.Errorf("header (-want +got):\n%s", d)
			}
			for i, f := range src.Schema().Fields() {
				if f.Name != tt.want[i] {
					t.Errorf("field %d of the schema is %q", i, f.Name)
				}
			}
		})
	}
}

func TestDialectSaysWhatWasTold(t *testing.T) {
	t.Parallel()
	src, err := sources.OpenCSV([]string{write(t, "t.csv", "a;b\n1;2\n")}, options{Delimiter: ";", Escape: `"`, SkipLines: 0})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]bool{"delimiter": true, "escape": true}, src.Dialects()[0].Told); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

// Whatever the bytes: an error or a source that can be read to an end, where every record is
// accounted for; and what is stored of it can be read back.
func FuzzDetect(f *testing.F) {
	for _, s := range []string{"", "a", "a,b\n1,2\n", "\xff\xfea\x00\n\x00", "\"", "'a';'b\r\r\n", "a\tb\n\\\"\t\x00", "\xef\xbb\xbf\"a\",\"b\"\n"} {
		f.Add([]byte(s), uint8(0))
		f.Add([]byte(s), uint8(77))
	}
	f.Add([]byte("0\x00\n0"), uint8(14)) // a bad byte in a skipped line
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte, how uint8) {
		opt := options{MaxRecord: 200, NoHeader: how&1 > 0, SkipLines: int(how >> 1 & 1)}
		if how&4 > 0 {
			opt.Quote = "none"
		}
		if how&8 > 0 {
			opt.Escape = `\`
		}
		if how&16 > 0 && how&1 == 0 {
			opt.HeaderLines = 2
		}
		path := fuzzFile(t, dir, text)
		src, err := sources.OpenCSV([]string{path}, opt)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" || !strings.Contains(err.Error(), path) {
				t.Fatalf("the error does not name the file: %v", err)
			}
			return
		}
		s := src.Splits()[0]
		stored, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back sources.Split
		if err := json.Unmarshal(stored, &back); err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 && s.Start.Line > 3 {
			t.Fatalf("starts on line %d", s.Start.Line)
		}
		got := mustRead(t, src, s, position{})
		again := mustRead(t, src, back, position{})
		if d := cmp.Diff(got.Records, again.Records); d != "" || fmt.Sprint(got.Err) != fmt.Sprint(again.Err) {
			t.Fatalf("stored and read back (-before +after):\n%s%v, %v", d, got.Err, again.Err)
		}
	})
}
