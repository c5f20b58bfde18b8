package bulk2

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// value draws texts that are rich in the characters that matter.
func value() *rapid.Generator[string] {
	return rapid.StringOfN(rapid.RuneFrom([]rune("ab ,;\"\n\r\té日🙂#")), 0, 12, -1)
}

// TestAppendValueAgainstEncodingCSV lets the standard library judge what we write.
func TestAppendValueAgainstEncodingCSV(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := rapid.SliceOfN(value(), 2, 5).Draw(t, "row")
		var line []byte
		for i, v := range row {
			if i > 0 {
				line = append(line, ',')
			}
			line, _ = AppendValue(line, v)
		}
		line = append(line, '\n')
		got, err := csv.NewReader(bytes.NewReader(line)).Read()
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		want := make([]string, len(row))
		for i, v := range row {
			want[i] = strings.ReplaceAll(strings.ReplaceAll(v, "\r\n", "\n"), "\r", "\n")
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q: got %q, want %q", line, got, want)
		}
		if bytes.IndexByte(line, '\r') >= 0 {
			t.Fatalf("%q holds a carriage return", line)
		}
	})
}

func TestAppendValueTellsChange(t *testing.T) {
	for v, want := range map[string]bool{"a": false, "a\nb": false, "a\r\nb": true, "a\rb": true, `"`: false, ",": false} {
		if _, got := AppendValue(nil, v); got != want {
			t.Errorf("%q: changed %v, want %v", v, got, want)
		}
	}
}

// TestAppendRecordRoundTrip: reports keep every byte that encoding/csv can give back.
func TestAppendRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := rapid.SliceOfN(value(), 1, 5).Draw(t, "row")
		line := AppendRecord(nil, row...)
		end, _, _ := recordEnd(line, 0, false)
		if end != len(line) {
			t.Fatalf("%q ends at %d, want %d", line, end, len(line))
		}
		got, ok := parseRecord(slices.Clone(line[:end-1]), ',', nil)
		if !ok || len(got) != len(row) {
			t.Fatalf("%q: %d fields, ok %v", line, len(got), ok)
		}
		for i := range row {
			if string(got[i]) != row[i] {
				t.Fatalf("%q: field %d is %q, want %q", line, i, got[i], row[i])
			}
		}
	})
}
