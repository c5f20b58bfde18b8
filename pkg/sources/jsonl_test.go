package sources_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"migrate/pkg/sources"
	"migrate/pkg/sources/sourcetest"
)

type jsonOptions = sources.JSONLOptions

func jsonlOpener(path string, opt jsonOptions) sourcetest.Opener {
	return func(rows int, mem memory.Allocator) (sources.Source, error) {
		opt.BatchRows, opt.Allocator = rows, mem
		return sources.OpenJSONL([]string{path}, opt)
	}
}

func columnNames(src sources.Source) string {
	var names []string
	for _, f := range src.Schema().Fields() {
		names = append(names, f.Name)
	}
	return strings.Join(names, " ")
}

func TestJSONL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		opt        jsonOptions
		columns    string
		want       []string
	}{
		{"values as they stand", `{"s":"a b","n":1.50e3,"t":true,"f":false,"z":null}` + "\n" + `{"s":"","n":-0,"t":12345678901234567890.10}`, jsonOptions{}, "s n t f z",
			[]string{"a b|1.50e3|true|false|NULL", "|-0|12345678901234567890.10|NULL|NULL"}},
		{"escapes", `{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`, jsonOptions{}, "a", []string{"\"\\/\b\f\n\r\té😀"}},
		{"keys with escapes", `{"\u0061":"1"}` + "\n" + `{"a":"2"}`, jsonOptions{}, "a", []string{"1", "2"}},
		{"records by path", `{"a":{"b":{"c":1},"d":"x"},"e":2}` + "\n" + `{"a":null,"e":3}` + "\n" + `{"a":{"b":null},"e":4}` + "\n" + `{"a":{}}`, jsonOptions{}, "a.b.c a.d e",
			[]string{"1|x|2", "NULL|NULL|3", "NULL|NULL|4", "NULL|NULL|NULL"}},
		{"null first", `{"a":null,"b":null}` + "\n" + `{"a":{"b":1}}`, jsonOptions{}, "b a.b", []string{"NULL|NULL", "NULL|1"}},
		{"arrays stay JSON", `{"a":["x", 1, {"y":[ ]}],"b":[]}`, jsonOptions{}, "a b", []string{`["x", 1, {"y":[ ]}]|[]`}},
		{"blanks and line ends", " { \"a\" :\t1 , \"b\" : [ 1 , 2 ] } \r\n\n  \t\r\n{\"a\":2}\r\n\n", jsonOptions{}, "a b", []string{"1|[ 1 , 2 ]", "2|NULL"}},
		{"byte order mark", "\xef\xbb\xbf{\"a\":1}\n", jsonOptions{}, "a", []string{"1"}},
		{"columns are a union", `{"a":1}` + "\n" + `{"b":2}` + "\n" + `{"c":{"d":3},"a":4}`, jsonOptions{}, "a b c.d", []string{"1|NULL|NULL", "NULL|2|NULL", "4|NULL|3"}},
		{"value here, record there", `{"a":1}` + "\n" + `{"a":{"b":2}}`, jsonOptions{}, "a a.b", []string{"1|NULL", "NULL|2"}},
		{"a key that comes late", `{"a":1}` + "\n" + `{"a":2,"x":"v"}` + "\n" + `{"a":3,"y":{"z":1}}` + "\n" + `{"a":4,"w":null}`, jsonOptions{Sample: 1}, "a", []string{"1",
			`unknown_key: line 2, column 8: the key "x" is not among the columns, which were told or found in the first lines; name all columns, or let others be left out [2]`,
			`unknown_key: line 3, column 13: the key "y.z" is not among the columns, which were told or found in the first lines; name all columns, or let others be left out [3]`,
			`unknown_key: line 4, column 8: the key "w" is not among the columns, which were told or found in the first lines; name all columns, or let others be left out [4]`}},
		{"columns told", `{"a":1,"x":{"y":[{}]}}` + "\n" + `{"b":{"c":"z"}}` + "\n" + `{"b":7,"a":2}` + "\n" + `{"a":{"q":1}}`, jsonOptions{Columns: []string{"b.c", "a"}, LeaveOut: true}, "b.c a",
			[]string{"NULL|1", "z|NULL", "NULL|2", `unknown_key: line 4, column 2: the value of "a" is an object, where the column has a single value [|]`}},
		{"not JSON", `{"a":1}` + "\n" + `{"a":1,}` + "\n" + `{"a" 1}` + "\n" + `{a:1}` + "\n" + `{"a":01}` + "\n" + `{"a":"x` + "\n" + `{"a":1}}` + "\n" + `{"ä":"\x"}` + "\n" + "{\"a\":\"\t\"}" + "\n" + `{"a":tru}` + "\n" + `{"a":}` + "\n" + `{"a":[1 2]}` + "\n" + `{"a":1.}` + "\n" + `{"a":"\u12"}`, jsonOptions{}, "a", []string{"1",
			`not_json: line 2, column 8: '}' where a key in double quotes belongs [1]`,
			`not_json: line 3, column 6: '1' where a colon belongs []`,
			`not_json: line 4, column 2: 'a' where a key in double quotes belongs []`,
			`not_json: line 5, column 7: '1' where a comma or } belongs [0]`,
			`not_json: line 6, column 6: a string is not closed []`,
			`not_json: line 7, column 8: '}' after the end of the object [1]`,
			`not_json: line 8, column 8: the escape \'x', which JSON does not have []`,
			`not_json: line 9, column 7: the control character '\t' in a string []`,
			`not_json: line 10, column 6: 't' where a value belongs []`,
			`not_json: line 11, column 6: '}' where a value belongs []`,
			`not_json: line 12, column 9: '2' where a comma or ] belongs []`,
			`not_json: line 13, column 8: '}' in a number []`,
			`not_json: line 14, column 8: \u without four hexadecimal digits []`}},
		{"no object", `{"a":1}` + "\n" + `[1,2]` + "\n" + `"x"` + "\n" + `17 ` + "\n" + `null` + "\n" + `nul`, jsonOptions{}, "a", []string{"1",
			"not_object: line 2, column 1: the line is an array, not an object []", "not_object: line 3, column 1: the line is a string, not an object []",
			"not_object: line 4, column 1: the line is a number, not an object []", "not_object: line 5, column 1: the line is null, not an object []",
			"not_json: line 6, column 1: 'n' where a value belongs []"}},
		{"keys twice", `{"a":1,"b":{"c":1}}` + "\n" + `{"a":1,"a":2}` + "\n" + `{"b":{"c":1},"b":{}}` + "\n" + `{"b":{"c":1,"c":2}}` + "\n" + `{"b.c":1,"b":{"c":2}}`, jsonOptions{}, "a b.c", []string{"1|1",
			`duplicate_key: line 2, column 8: the key "a" stands in the record twice [2|]`, `duplicate_key: line 3, column 14: the key "b" stands in the record twice [|1]`,
			`duplicate_key: line 4, column 13: the key "b.c" stands in the record twice [|2]`, `duplicate_key: line 5, column 15: the key "b.c" stands in the record twice [|2]`}},
		{"no text", `{"a":1}` + "\n{\"a\":\"\xff\"}\n{\"a\":\"\x00\"}\n" + `{"a":"é\u0000"}` + "\n" + `{"a":"\ud800x"}` + "\n" + `{"a":"\ud800\ud800"}`, jsonOptions{}, "a", []string{"1",
			"invalid_encoding: line 2, column 7: byte 0xFF is not valid UTF-8 []", "nul_byte: line 3, column 7: a NUL byte []",
			"nul_byte: line 4, column 6: a NUL character (\\u0000) [é\x00]", "invalid_encoding: line 5, column 6: \\ud800 is half of a surrogate pair [\uFFFDx]",
			"invalid_encoding: line 6, column 6: \\ud800 is half of a surrogate pair [\uFFFD\uFFFD]"}},
		{"too long", `{"a":"12"}` + "\n" + `{"a":"123"}` + "\r\n" + `{"a":"é12"}` + "\n" + `{"a":"34"}`, jsonOptions{MaxRecord: 10}, "a", []string{"12",
			"record_too_long: line 2, column 1: the record is longer than 10 bytes []", "record_too_long: line 3, column 1: the record is longer than 10 bytes []", "34"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, "t.jsonl", tt.text)
			src, err := sources.OpenJSONL([]string{path}, tt.opt)
			if err != nil {
				t.Fatal(err)
			}
			if got := columnNames(src); got != tt.columns {
				t.Errorf("columns %q, want %q", got, tt.columns)
			}
			if d := cmp.Diff(tt.want, table(readAll(t, src))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			sourcetest.Run(t, jsonlOpener(path, tt.opt))
			for _, how := range packings {
				sourcetest.Run(t, jsonlOpener(write(t, "t.gz", pack(t, how, tt.text, 9)), tt.opt))
			}
		})
	}
}

func TestJSONLNotReadable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text, want string
		opt        jsonOptions
	}{
		{"", "the file is empty", jsonOptions{}},
		{"\n \n", "the file is empty", jsonOptions{}},
		{"[\n{\"a\":1}\n]\n", "a JSON array, not one object per line", jsonOptions{Sample: 1}},
		{`[{"a":1},{"a":2}]`, "a JSON array, not one object per line", jsonOptions{}},
		{"{\n\"a\":1\n}\n", "if objects go over several lines", jsonOptions{}},
		{"\xff\xfe{\x00}\x00", "UTF-16", jsonOptions{}},
		{"PAR1....", "a Parquet file", jsonOptions{}},
		{`{"a":1}`, `column "b" is named twice`, jsonOptions{Columns: []string{"b", "b"}}},
	} {
		_, err := sources.OpenJSONL([]string{write(t, "t.jsonl", tt.text)}, tt.opt)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
	}
	var keys strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&keys, "{\"k%d\":1}\n", i)
	}
	if _, err := sources.OpenJSONL([]string{write(t, "t.jsonl", keys.String())}, jsonOptions{Sample: 5000}); err == nil || !strings.Contains(err.Error(), "more than 2000 different keys") {
		t.Errorf("3000 keys: %v", err)
	}
	path := write(t, "t.jsonl", strings.Repeat("[", 100000))
	if _, err := sources.OpenJSONL([]string{path}, jsonOptions{}); err == nil || !strings.Contains(err.Error(), "more than 500 deep") && !strings.Contains(err.Error(), "JSON array") {
		t.Errorf("100000 arrays in each other: %v", err)
	}
}

// The columns of a source are those of all its files.
func TestJSONLFiles(t *testing.T) {
	t.Parallel()
	src, err := sources.OpenJSONL([]string{write(t, "1.jsonl", `{"a":1}`), write(t, "2.jsonl", `{"b":2}`)}, jsonOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"1|NULL", "NULL|2"}, table(readAll(t, src))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A line longer than the window, and one longer than allowed that is not in memory at once.
func TestJSONLLongLines(t *testing.T) {
	t.Parallel()
	long := `{"a":"` + strings.Repeat("é", 400<<10) + `"}`
	text := `{"a":"1"}` + "\n" + long + "\n" + `{"a":"2"}` + "\n"
	path := write(t, "t.jsonl", text)
	for _, tt := range []struct {
		longest int64
		want    string
	}{{1 << 20, ""}, {100 << 10, "record_too_long"}, {300 << 10, "record_too_long"}, {9, "record_too_long"}} {
		sourcetest.Run(t, jsonlOpener(path, jsonOptions{MaxRecord: tt.longest}))
		src, err := sources.OpenJSONL([]string{path}, jsonOptions{MaxRecord: tt.longest})
		if err != nil {
			t.Fatal(err)
		}
		recs := readAll(t, src)
		if len(recs) != 3 || recs[1].Rule != tt.want || recs[2].Rule != "" || recs[2].Pos.Line != 3 {
			t.Errorf("longest %d: %d records, the second is %q", tt.longest, len(recs), recs[1].Rule)
		}
	}
	src, err := sources.OpenJSONL([]string{path}, jsonOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := src.Splits()[0]
	if err := os.Truncate(path, 500<<10); err != nil {
		t.Fatal(err)
	}
	if _, err := src.Open(t.Context(), s, position{}); !errors.Is(err, sources.ErrChanged) {
		t.Errorf("a file that got shorter: %v", err)
	}
}

// What encoding/json takes we take, with the same values; what it refuses is a bad row.
func FuzzJSONL(f *testing.F) {
	for _, s := range []string{
		`{"a":1}`, `{"a":"\u00e9\ud83d\ude00","b":[1,{"c":null}],"d":{"e":-1.5E+10}}`, `{"a":{"b":{"c":"d"}}}`, `{"a":tru}`, ` { } `, `[1]`,
		`{"a":"\`, `{"a":1,"a":2}`, "{\"a\":\"\x7f\"}", `{"":0}`, `{"a":0.0e-0,"b":[[[]]]}`, `{"a":"\ud800\u0000"}`, `nul`, `{"a.b":1,"a":{"b":2}}`,
	} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.IndexByte(line, '\n') >= 0 || len(bytes.TrimSpace(line)) == 0 || bytes.HasPrefix(line, []byte("\xef\xbb\xbf")) {
			return
		}
		path := filepath.Join(dir, "fuzz.jsonl")
		if err := os.WriteFile(path, append([]byte("{\"known\":0}\n"), line...), 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := sources.OpenJSONL([]string{path}, jsonOptions{})
		if err != nil {
			return // taken for UTF-16, or the like
		}
		recs := readAll(t, src)
		if len(recs) != 2 {
			t.Fatalf("%d records, want 2", len(recs))
		}
		got := recs[1]
		if json.Valid(line) == (got.Rule == sources.RuleNotJSON) && !strings.Contains(got.Message, "deep") && utf8.Valid(line) && bytes.IndexByte(line, 0) < 0 {
			t.Fatalf("%q: encoding/json says %v, we say %q: %s", line, json.Valid(line), got.Rule, got.Message)
		}
		if got.Rule != "" {
			return
		}
		want := map[string]string{"known": "NULL"}
		if !flatten(t, "", line, want) {
			t.Fatalf("%q was taken as a good record", line)
		}
		have := map[string]string{}
		for i, name := range src.Schema().Fields() {
			if v := got.Fields[i]; v != "NULL" || want[name.Name] == "NULL" {
				have[name.Name] = v
			}
		}
		for k, v := range want {
			if _, is := have[k]; v == "NULL" && !is {
				delete(want, k) // a null beside an object of the same key is no column
			}
		}
		if d := cmp.Diff(want, have); d != "" {
			t.Fatalf("%q (-encoding/json +ours):\n%s", line, d)
		}
	})
}

// flatten does with encoding/json what the source does. It reports false for what is not one object without repeated keys.
func flatten(t *testing.T, prefix string, text []byte, into map[string]string) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
		return false
	}
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		key := prefix + tok.(string)
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if old, ok := into[key]; ok && (old != "NULL" || key != "known") {
			return false
		}
		switch v[0] {
		case '{':
			if !flatten(t, key+".", v, into) {
				return false
			}
		case '"':
			var s string
			if err := json.Unmarshal(v, &s); err != nil {
				t.Fatal(err)
			}
			into[key] = s
		case 'n':
			into[key] = "NULL"
		default:
			into[key] = string(v)
		}
	}
	return true
}

func TestJSONLSplitStored(t *testing.T) {
	t.Parallel()
	src, err := sources.OpenJSONL([]string{write(t, "t.jsonl", `{"a":1}`)}, jsonOptions{Columns: []string{"a", "b"}, LeaveOut: true, MaxRecord: 77})
	if err != nil {
		t.Fatal(err)
	}
	s := src.Splits()[0]
	if j := s.JSONL; !slices.Equal(j.Columns, []string{"a", "b"}) || !j.LeaveOut || j.MaxRecord != 77 {
		t.Errorf("the split has %+v", j)
	}
	s.JSONL = nil
	if _, err := src.Open(t.Context(), s, position{}); err == nil || err == io.EOF {
		t.Errorf("a split of something else: %v", err)
	}
}
