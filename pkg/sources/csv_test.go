package sources_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"migrate/pkg/sources"
	"migrate/pkg/sources/sourcetest"
)

type (
	options  = sources.CSVOptions
	position = sources.Position
)

// write puts text into a new file and returns its path.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// readText reads text as a CSV file.
func readText(t testing.TB, text string, opt options) (*sources.CSV, sourcetest.Read) {
	t.Helper()
	src, err := sources.OpenCSV([]string{write(t, "t.csv", text)}, opt)
	if err != nil {
		t.Fatalf("open %.200q: %v", text, err)
	}
	got, err := sourcetest.ReadSplit(src, src.Splits()[0], position{})
	if err != nil {
		t.Fatalf("read %.200q: %v", text, err)
	}
	return src, got
}

// table shows records as one string each: values between bars, or rule and message.
func table(recs []sourcetest.Record) []string {
	var out []string
	for _, r := range recs {
		if r.Rule != "" {
			out = append(out, r.Rule+": "+r.Message+" ["+strings.Join(r.Fields, "|")+"]")
		} else {
			out = append(out, strings.Join(r.Fields, "|"))
		}
	}
	return out
}

func TestCSVRecords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		text string
		opt  options
		want []string
	}{
		{"plain", "a,b\n1,2\n3,4\n", options{}, []string{"1|2", "3|4"}},
		{"last line without newline", "a,b\n1,2\n3,4", options{}, []string{"1|2", "3|4"}},
		{"CRLF", "a,b\r\n1,2\r\n3,4\r\n", options{}, []string{"1|2", "3|4"}},
		{"CRLF cut off", "a,b\r\n1,2\r", options{}, []string{"1|2"}},
		{"CR", "a,b\r1,2\r3,\"x\ry\"\r", options{}, []string{"1|2", "3|x\ry"}},
		{"CR, LF and CRLF", "a,b\r1,2\n3,4\r\n5,6\r7,8", options{}, []string{"1|2", "3|4", "5|6", "7|8"}},
		{"CR inside a value of an LF file", "a,b\n1,x\ry\n3,4\n5,6\n", options{}, []string{"1|x\ry", "3|4", "5|6"}},
		{"CR before CRLF stays", "a,b\r\n1,2\r\r\n3,4\r\n", options{}, []string{"1|2\r", "3|4"}},
		{"LF and CRLF", "a,b\r\n1,2\n3,4\r\n", options{}, []string{"1|2", "3|4"}},
		{"quoted", "a,b\n\"1,x\",\"say \"\"hi\"\"\"\n", options{}, []string{`1,x|say "hi"`}},
		{"quoted newlines stay as they stand", "a,b\r\n\"x\r\ny\nz\",2\r\n", options{}, []string{"x\r\ny\nz|2"}},
		{"quoted empty", "a,b\n\"\",\"\"\n,\n", options{}, []string{"|", "|"}},
		{"quote in an unquoted value", "a,b\n5\" pipe,say \"hi\"\n", options{}, []string{`5" pipe|say "hi"`}},
		{"blanks are kept", "a,b\n  1 ,\t2 \n", options{}, []string{"  1 |\t2 "}},
		{"one column", "Id\n001\n002\n", options{}, []string{"001", "002"}},
		{"one column with commas", "Name\n\"Smith, John\"\nBob\n", options{}, []string{"Smith, John", "Bob"}},
		{"one column, blank lines", "Id\n\n001\n\n\n002\n", options{}, []string{"001", "002"}},
		{"blank lines", "\na,b\n\n1,2\r\n\r\n\n3,4\n\n", options{}, []string{"1|2", "3|4"}},
		{"no header", "1,2\n3,4\n", options{NoHeader: true}, []string{"1|2", "3|4"}},
		{"lines skipped", "Report, made \"today\nby x\na,b\n1,2\n", options{SkipLines: 2}, []string{"1|2"}},
		{"header only", "a,b\n", options{}, nil},
		{"header only, no newline", "a,b", options{}, nil},
		{"too few", "a,b,c\n1,2\n3,4,5\nx\n", options{Delimiter: ","}, []string{
			"too_few_columns: line 2, column 3 (c): 2 columns, the table has 3 [1|2]", "3|4|5",
			"too_few_columns: line 4, column 2 (b): 1 column, the table has 3 [x]"}},
		{"too many", "a,b\n1,2,3\n3,4\n\"q\",r,s,t\n", options{}, []string{
			"too_many_columns: line 2, column 3: 3 columns, the table has 2 [1|2|3]", "3|4",
			"too_many_columns: line 4, column 3: 4 columns, the table has 2 [q|r|s|t]"}},
		{"text after a quote", "a,b\n\"x\"y,2\n3,4\n5,\"z\" \n6,7\n", options{}, []string{
			"bad_quote: line 2, column 1 (a): 'y' after a closing quote, where the delimiter or the end of the line belongs [x]", "3|4",
			"bad_quote: line 4, column 2 (b): ' ' after a closing quote, where the delimiter or the end of the line belongs [5|z]", "6|7"}},
		{"text after a quote, some lines down", "a,b\n\"x\n\n\"y,2\n3,4\n", options{Quote: `"`}, []string{
			"bad_quote: line 4, column 1 (a): 'y' after a closing quote, where the delimiter or the end of the line belongs [x\n\n]", "3|4"}},
		{"NUL", "a,b\n1,2\n3,\x00\n\"\x00\n\",6\n7,8\n", options{}, []string{"1|2",
			"nul_byte: line 3, column 2 (b): a NUL byte [3|\x00]", "nul_byte: line 4, column 1 (a): a NUL byte [\x00\n|6]", "7|8"}},
		{"invalid UTF-8", "a,b\né,ü\nx,\xe9\nö,ä\n", options{Encoding: "utf-8"}, []string{"é|ü",
			"invalid_encoding: line 3, column 2 (b): byte 0xE9 is not valid UTF-8; if all such rows are wrong, the file has another encoding [x|\uFFFD]", "ö|ä"}},
		{"cut UTF-8 at the end", "a,b\n1,ab\xc3", options{Encoding: "utf-8"}, []string{
			"invalid_encoding: line 2, column 2 (b): byte 0xC3 is not valid UTF-8; if all such rows are wrong, the file has another encoding [1|ab\uFFFD]"}},
		{"Windows-1252", "a,b\n\x80,caf\xe9\n\x93x\x94,\x81\n", options{}, []string{"€|café",
			"invalid_encoding: line 3, column 2 (b): a byte that Windows-1252 does not define [“x”|\uFFFD]"}},
		{"UTF-16LE with BOM", "\xff\xfea\x00,\x00b\x00\n\x00\xac\x20,\x00\x3d\xd8\x00\xde\n\x00", options{}, []string{"€|😀"}},
		{"UTF-16BE with BOM", "\xfe\xff\x00a\x00,\x00b\x00\n\x20\xac\x00,\xd8\x3d\xde\x00\x00\n", options{}, []string{"€|😀"}},
		{"UTF-16 without BOM", "a\x00,\x00b\x00\n\x001\x00,\x002\x00\n\x00", options{}, []string{"1|2"}},
		{"lone surrogates", "\xff\xfea\x00,\x00b\x00\n\x00\x3d\xd8,\x00x\x00\n\x001\x00,\x00\x00\xdc\n\x00y\x00,\x00z\x00\n\x00", options{}, []string{
			"invalid_encoding: line 2, column 1 (a): 0xD83D is half of a UTF-16 surrogate pair [\uFFFD|x]",
			"invalid_encoding: line 3, column 2 (b): 0xDC00 is half of a UTF-16 surrogate pair [1|\uFFFD]", "y|z"}},
		{"UTF-16 cut off", "\xff\xfea\x00,\x00b\x00\n\x00x\x00,\x00y", options{}, []string{
			"invalid_encoding: line 2, column 2 (b): the file ends in the middle of a UTF-16 character [x|\uFFFD]"}},
		{"backslash escapes", "a,b\n\"say \\\"hi\\\"\",\"C:\\\\x\\y\"\n\"p\"\"q\",\\N\n", options{}, []string{`say "hi"|C:\x\y`, `p"q|\N`}},
		{"backslash without quotes", "a\tb\nx\\\ty\t1\\\\2\nl1\\\nl2\t\\N\n", options{Quote: "none", Escape: `\`}, []string{"x\ty|1\\2", "l1\nl2|\\N"}},
		{"backslash at the end", "a,b\n1,x\\", options{Escape: `\`}, []string{`1|x\`}},
		{"quotes are text", "a,b\n\"x,2\n\"y,\"z\n", options{Quote: "none"}, []string{`"x|2`, `"y|"z`}},
		{"single quotes", "a,b\n'it''s','x,y'\n'1','2'\n", options{}, []string{"it's|x,y", "1|2"}},
		{"delimiter told", "a:b\n1,5:2\n", options{Delimiter: ":"}, []string{"1,5|2"}},
		{"unit separator", "a\x1fb\n1\x1f2\n", options{Delimiter: "\x1f"}, []string{"1|2"}},
		{"no delimiter", "a,b\n1,5\n", options{Delimiter: "none"}, []string{"1,5"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			src, got := readText(t, tt.text, tt.opt)
			if d := cmp.Diff(tt.want, table(got.Records)); d != "" {
				t.Errorf("%v\nrecords (-want +got):\n%s", src.Dialects()[0], d)
			}
			if got.Err != io.EOF {
				t.Errorf("ended with %v", got.Err)
			}
		})
	}
}

// Every kind of trouble in one file, in every encoding, under the suite for drivers.
func TestCSVConformance(t *testing.T) {
	t.Parallel()
	const text = "Id,Name,Text\r\n1,Bob,\"a\r\nb\"\r\n\r\n2,Zoë,€\r\n3,x\r\n4,\"y\"z,1\r\n5,a,b,c\r\n\r\n6,\"\"\"\",\x00\r\n\"7\",\"q\"\"r\",s\r\n\"8\",,\r\n9,long " +
		"llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll,x\r\n10,end,\"of file\""
	for enc, encode := range encoders {
		for _, name := range []string{"CRLF", "LF", "CR"} {
			t.Run(enc+" "+name, func(t *testing.T) {
				t.Parallel()
				ending := map[string]string{"CRLF": "\r\n", "LF": "\n", "CR": "\r"}[name]
				one := write(t, "one.csv", encode(strings.ReplaceAll(text, "\r\n", ending)))
				two := write(t, "two.csv", "Id;Name;Text\n1;2;3\n\n")
				sourcetest.Run(t, func(rows int, mem memory.Allocator) (sources.Source, error) {
					return sources.OpenCSV([]string{one, two}, options{MaxRecord: 64, BatchRows: rows, Allocator: mem})
				})
			})
		}
	}
}

func TestCSVStops(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text   string
		opt          options
		want         []string
		line, column int64
	}{
		{"open to the end", "a,b\n1,2\n3,\"x\n4,5\n", options{}, []string{"1|2"}, 3, 3},
		{"open for longer than a record", "a,b\n1,2\n3,\"" + strings.Repeat("xy\n", 100) + "\",4\n", options{MaxRecord: 100, Quote: `"`}, []string{"1|2"}, 3, 3},
		{"second quote of a record", "a,b\n\"ü\nü\",\"x\n4,5\n", options{Quote: `"`}, nil, 3, 4},
		{"a quote alone", "a,b\n1,2\n\"", options{}, []string{"1|2"}, 3, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, got := readText(t, tt.text, tt.opt)
			var e *sources.SyntaxError
			if !errors.As(got.Err, &e) || !errors.Is(got.Err, sources.ErrQuoteOpen) {
				t.Fatalf("ended with %v, want a syntax error", got.Err)
			}
			if e.Line != tt.line || e.Column != tt.column {
				t.Errorf("at line %d, column %d, want %d and %d: %v", e.Line, e.Column, tt.line, tt.column, e)
			}
			if d := cmp.Diff(tt.want, table(got.Records)); d != "" {
				t.Errorf("records before it (-want +got):\n%s", d)
			}
			if !strings.Contains(e.Error(), "--quote none") || !strings.Contains(e.Error(), "t.csv: line ") {
				t.Errorf("the message does not say where and what to do: %v", e)
			}
		})
	}
}

func TestCSVLongRecords(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 300<<10) // beyond window, MaxRecord and what is kept
	_, got := readText(t, "a,b\n1,2\n"+long+",x\n3,4\n5,"+long, options{MaxRecord: 100 << 10})
	if len(got.Records) != 4 || got.Err != io.EOF {
		t.Fatalf("%d records, then %v", len(got.Records), got.Err)
	}
	for _, i := range []int{1, 3} {
		r := got.Records[i]
		if r.Rule != sources.RuleRecordTooLong || len(r.Raw) != 64<<10 || r.Pos.Line != int64(i+2) {
			t.Errorf("record %d: rule %q, %d bytes kept, line %d", i, r.Rule, len(r.Raw), r.Pos.Line)
		}
		if want := "the record is longer than 102400 bytes (record cut at 64 KiB here)"; !strings.HasSuffix(r.Message, want) {
			t.Errorf("message %q, want it to end with %q", r.Message, want)
		}
	}
	if d := cmp.Diff([]string{"3|4"}, table(got.Records[2:3])); d != "" {
		t.Errorf("the record between (-want +got):\n%s", d)
	}
	_, got = readText(t, "a,b\n"+long+",\""+long+"\"\n", options{})
	if d := cmp.Diff([]string{long + "|" + long}, table(got.Records)); d != "" {
		t.Error("a long record within the limit was changed")
	}
}

// A record is too long or not by its own length, wherever it stands in the window.
func TestCSVLongestRecord(t *testing.T) {
	t.Parallel()
	const limit = 1000
	for n := limit - 3; n <= limit+3; n++ {
		for _, q := range []string{"", `"`} {
			v := q + strings.Repeat("x", n-2-2*len(q)) + q // a record of n bytes
			for _, before := range []int{0, 255_900, 261_900} {
				text := "a,b\n" + strings.Repeat("y,z\n", before/4) + v + ",1\n2,3\n"
				_, got := readText(t, text, options{MaxRecord: limit, Quote: `"`, Delimiter: ","})
				if got.Err != io.EOF {
					t.Fatalf("length %d, quote %q: %v", n, q, got.Err)
				}
				r := got.Records[len(got.Records)-2]
				if bad := r.Rule == sources.RuleRecordTooLong; bad != (n > limit) || len(got.Records) != before/4+2 {
					t.Errorf("length %d, quote %q, after %d bytes: rule %q, %d records", n, q, before, r.Rule, len(got.Records))
				}
			}
		}
	}
}

// What ends a long record is the end of its line, whatever was in quotes before.
func TestCSVLongQuotedRecords(t *testing.T) {
	t.Parallel()
	const limit = 50
	for n := limit - 6; n <= limit+6; n++ {
		x := strings.Repeat("x", n)
		for _, first := range []string{`"` + x + `"`, `"` + x + `",`, `"` + x + `",y`, `"` + x + `"y"z`, `"` + x + `"y` + x, `"` + x + `","` + `"`, `"` + x[:40] + `"y"` + x} {
			for _, eol := range []string{"\n", "\r\n", "\r"} {
				_, got := readText(t, "a,b"+eol+first+eol+"2,3"+eol, options{MaxRecord: limit, Quote: `"`, Delimiter: ","})
				if got.Err != io.EOF {
					if strings.Contains(got.Err.Error(), "quote is opened") && n >= limit-3 {
						continue // what is in quotes reaches to the longest record allowed
					}
					t.Fatalf("%q: %v", first, got.Err)
				}
				if last := table(got.Records[1:]); len(last) != 1 || last[0] != "2|3" {
					t.Errorf("%q: after it %q", first, last)
				}
			}
		}
	}
}

func TestCSVBadRowIsBounded(t *testing.T) {
	t.Parallel()
	_, got := readText(t, "a,b\n"+strings.Repeat(",", 1<<20)+"\n1,2\n", options{})
	r := got.Records[0]
	if r.Rule != sources.RuleTooManyColumns || len(r.Fields) != 1002 || !strings.Contains(r.Message, "1048577 columns") {
		t.Errorf("%s with %d fields: %s", r.Rule, len(r.Fields), r.Message)
	}
}

func TestOpenChecksTheFile(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := write(t, "t.csv", "a,b\n1,2\n")
	src, err := sources.OpenCSV([]string{path}, options{})
	if err != nil {
		t.Fatal(err)
	}
	s := src.Splits()[0]
	for _, p := range []position{{Row: 1, Offset: 3}, {Row: 1, Offset: 9}, {Row: -1, Offset: 4}} {
		if _, err := src.Open(ctx, s, p); err == nil {
			t.Errorf("opened at %+v", p)
		}
	}
	if err := os.WriteFile(path, []byte("a,b\n1,3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := src.Open(ctx, s, position{}); !errors.Is(err, sources.ErrChanged) {
		t.Errorf("open after a change: %v, want %v", err, sources.ErrChanged)
	}
}

// A file that gets shorter while it is read is an error, not an end.
func TestCSVFileCut(t *testing.T) {
	t.Parallel()
	path := write(t, "t.csv", "a,b\n"+strings.Repeat("1,2\n", 200_000))
	src, err := sources.OpenCSV([]string{path}, options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := src.Open(context.Background(), src.Splits()[0], position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := os.Truncate(path, 400_004); err != nil {
		t.Fatal(err)
	}
	rows := 0
	for err == nil {
		var b sources.Batch
		if b, err = r.Next(context.Background()); err == nil {
			rows += len(b.Pos)
			b.Rows.Release()
		}
	}
	if !errors.Is(err, sources.ErrChanged) || rows != 100_000 {
		t.Errorf("%d rows, then %v; want 100000, then %v", rows, err, sources.ErrChanged)
	}
}

func TestOpenCSVRefuses(t *testing.T) {
	t.Parallel()
	good := write(t, "good.csv", "a,b\n1,2\n")
	for _, tt := range []struct {
		name  string
		paths []string
		opt   options
		want  string
		is    error
	}{
		{"nothing", nil, options{}, "no file was named", nil},
		{"folder", []string{t.TempDir()}, options{}, "is a folder", nil},
		{"missing", []string{"/no/such.csv"}, options{}, "/no/such.csv", os.ErrNotExist},
		{"device", []string{os.DevNull}, options{}, "is not a regular file", nil},
		{"empty", []string{write(t, "e.csv", "")}, options{}, "e.csv: the file is empty", sources.ErrEmpty},
		{"BOM only", []string{write(t, "e.csv", "\xef\xbb\xbf")}, options{}, "e.csv: the file is empty", sources.ErrEmpty},
		{"blank lines only", []string{write(t, "e.csv", "\n\r\n\n")}, options{}, "e.csv: the file is empty", sources.ErrEmpty},
		{"empty, no header", []string{write(t, "e.csv", "\n")}, options{NoHeader: true}, "e.csv: the file is empty", sources.ErrEmpty},
		{"all skipped", []string{good}, options{SkipLines: 3}, "after 2 of 3 skipped lines", sources.ErrEmpty},
		{"header too short", []string{good}, options{HeaderLines: 3}, "the header has 2 lines, 3 were told", nil},
		{"open quote in the header", []string{write(t, "q.csv", "a,\"b\n1,2\n")}, options{}, "q.csv: line 1, column 3: header: a quote", sources.ErrQuoteOpen},
		{"bad quote in the header", []string{write(t, "q.csv", "a,\"b\"c\n1,2\n")}, options{Quote: `"`}, "q.csv: line 1, column 6: header: text after", nil},
		{"NUL in the header", []string{write(t, "n.csv", "a,b\x00c\n1,2\n")}, options{}, "n.csv: line 1, column 4: header: a NUL byte", nil},
		{"Excel", []string{write(t, "x.csv", "PK\x03\x04....")}, options{}, "save the sheet as CSV", nil},
		{"twice", []string{good, good}, options{}, "is the same file as", nil},
		{"other name", []string{good, write(t, "o.csv", "a,c\n1,2\n")}, options{}, `column 2 is "b" in `, sources.ErrHeader},
		{"fewer columns", []string{good, write(t, "o.csv", "a\n1\n")}, options{}, `"b" is missing`, sources.ErrHeader},
		{"more columns", []string{good, write(t, "o.csv", "a,b,c\n1,2,3\n")}, options{}, `"c" is new`, sources.ErrHeader},
		{"delimiter", []string{good}, options{Delimiter: "ab"}, `delimiter "ab"`, nil},
		{"delimiter not ASCII", []string{good}, options{Delimiter: "ü"}, "ASCII", nil},
		{"delimiter is the quote", []string{good}, options{Delimiter: "'", Quote: "'"}, "both delimiter and quote", nil},
		{"quote", []string{good}, options{Quote: "x"}, `quote "x"`, nil},
		{"escape", []string{good}, options{Escape: "x"}, `escape "x"`, nil},
		{"encoding", []string{good}, options{Encoding: "ebcdic"}, `encoding "ebcdic" is not known`, nil},
		{"negative", []string{good}, options{SkipLines: -1}, "negative", nil},
		{"header and none", []string{good}, options{NoHeader: true, HeaderLines: 1}, "cannot both be", nil},
		{"longest record", []string{good}, options{MaxRecord: 1 << 40}, "512 MiB", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := sources.OpenCSV(tt.paths, tt.opt)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
		})
	}
}
