package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"
)

// previewRows are values that a careless reader changes: blanks, quotes, line breaks, things that look like numbers.
var previewRows = [][]string{
	{"id", "name", "amount", "note"},
	{"001", "Bäckerei Süß", "1.50", "plain"},
	{"0002", "O'Hara & Söhne", "9.1226E8", "said \"yes\", then left"},
	{"3", "  two blanks before and after  ", "1,50", "two\nlines"},
	{"", "", "", ""},
	{"5", "NULL", "-0", "semi;colon, comma\tand tab|pipe"},
	{"6", "#N/A", "1e5", "\"quoted\""},
}

func TestPreviewKeepsValues(t *testing.T) {
	t.Parallel()
	encode := func(b []byte) []byte { return b }
	utf16 := func(e unicode.Endianness) func([]byte) []byte {
		return func(b []byte) []byte {
			out, err := unicode.UTF16(e, unicode.UseBOM).NewEncoder().Bytes(b)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
	}
	windows := func(b []byte) []byte {
		out, err := charmap.Windows1252.NewEncoder().Bytes(b)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	bom := func(b []byte) []byte { return append([]byte("\xef\xbb\xbf"), b...) }
	for _, tc := range []struct {
		name   string
		comma  rune
		crlf   bool
		encode func([]byte) []byte
		args   []string
		says   string
	}{
		{"UTF-8", ',', false, encode, nil, "UTF-8, delimiter ','"},
		{"UTF-8 with BOM and CRLF", ',', true, bom, nil, "CRLF"},
		{"semicolons", ';', false, encode, nil, "delimiter ';'"},
		{"tabs", '\t', true, encode, nil, "delimiter tab"},
		{"pipes", '|', false, encode, nil, "delimiter '|'"},
		{"UTF-16LE", ',', true, utf16(unicode.LittleEndian), nil, "UTF-16LE"},
		{"UTF-16BE", ';', false, utf16(unicode.BigEndian), nil, "UTF-16BE"},
		{"Windows-1252", ';', true, windows, nil, "indows-1252"},
		{"told", '^', false, windows, []string{"--delimiter", "^", "--encoding", "windows-1252", "--quote", `"`, "--escape", `"`}, "delimiter '^'"},
		{"after two lines", ',', false, func(b []byte) []byte { return append([]byte("Report of May\n\n"), b...) }, []string{"--skip-lines", "2"}, "header on line 3"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var file bytes.Buffer
			w := csv.NewWriter(&file)
			w.Comma, w.UseCRLF = tc.comma, tc.crlf
			if err := w.WriteAll(previewRows); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "a.csv")
			if err := os.WriteFile(path, tc.encode(file.Bytes()), 0o600); err != nil {
				t.Fatal(err)
			}
			got := migrate(t, append([]string{"preview", path, "--rows", "all"}, tc.args...)...)
			if got.code != codeOK {
				t.Fatalf("exit code %d: %s", got.code, got.stderr)
			}
			if !strings.Contains(got.stderr, tc.says) {
				t.Errorf("stderr does not say %q: %s", tc.says, got.stderr)
			}
			if diff := cmp.Diff(previewRows, parseStrict(t, got.stdout)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}

			// Without a header none is invented, and the first row is a row.
			got = migrate(t, append([]string{"preview", path, "--rows", "all", "--no-header"}, tc.args...)...)
			if diff := cmp.Diff(previewRows, parseStrict(t, got.stdout)); diff != "" || got.code != codeOK {
				t.Errorf("--no-header: exit code %d, (-want +got):\n%s", got.code, diff)
			}
		})
	}
}

// TestPreviewRandom lets encoding/csv judge: what it writes, preview must give back for it to read.
func TestPreviewRandom(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.csv")
	cell := rapid.StringOfN(rapid.RuneFrom([]rune("ab01 ,;\t\"'\n|\\#=-.ÄßŁ東€\u00a0\u2028😀")), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(2, 5).Draw(t, "columns") // of one column encoding/csv writes an empty value as a blank line
		rows := rapid.SliceOfN(rapid.SliceOfN(cell, columns, columns), 1, 20).Draw(t, "rows")
		var file bytes.Buffer
		w := csv.NewWriter(&file)
		w.UseCRLF = rapid.Bool().Draw(t, "crlf")
		if err := w.WriteAll(rows); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), []string{"preview", path, "--rows", "all", "--no-header", "--delimiter", ",", "--quote", `"`, "--escape", `"`,
			"--encoding", "utf-8"}, func(string) (string, bool) { return "", false }, strings.NewReader(""), &stdout, &stderr)
		if code != codeOK {
			t.Fatalf("exit code %d for %q: %s", code, file.String(), stderr.String())
		}
		got, err := csv.NewReader(&stdout).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rows, got); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", file.String(), diff)
		}
	})
}

// parseStrict reads RFC 4180 CSV; all rows must be of one length.
func parseStrict(t *testing.T, s string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(s)).ReadAll()
	if err != nil {
		t.Fatalf("%v in %q", err, s)
	}
	return rows
}
