package sinks

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

const msPerDay = 24 * 60 * 60 * 1000

// checkSchema refuses what no file can hold.
func checkSchema(s *arrow.Schema) error {
	if s == nil || s.NumFields() == 0 {
		return errors.New("no columns are given")
	}
	names := map[string]bool{}
	for i, f := range s.Fields() {
		if f.Name == "" || !utf8.ValidString(f.Name) {
			return fmt.Errorf("column %d has no proper name: %q", i+1, f.Name)
		}
		if names[f.Name] {
			return fmt.Errorf("two columns have the name %s; leave one of them out", f.Name)
		}
		names[f.Name] = true
		if !writable(f.Type) {
			return fmt.Errorf("column %s is %s, which is not written to files", f.Name, f.Type)
		}
	}
	return nil
}

func writable(t arrow.DataType) bool {
	switch t := t.(type) {
	case *arrow.StringType, *arrow.BooleanType, *arrow.Int64Type, *arrow.Float64Type, *arrow.Date32Type:
		return true
	case *arrow.Decimal128Type:
		return 0 <= t.Scale && t.Scale <= t.Precision && t.Precision <= 38
	case *arrow.TimestampType:
		return t.Unit == arrow.Millisecond && t.TimeZone == "UTC"
	case *arrow.Time32Type:
		return t.Unit == arrow.Millisecond
	}
	return false
}

// checkBatch refuses a batch of another schema, and values that a reader could not make sense of. Before is how many rows came before it.
func checkBatch(s *arrow.Schema, rows arrow.RecordBatch, finite bool, before int64) error {
	if int(rows.NumCols()) != s.NumFields() {
		return fmt.Errorf("a batch has %d columns, and the export %d", rows.NumCols(), s.NumFields())
	}
	for i, f := range s.Fields() {
		if name := rows.ColumnName(i); name != f.Name || !arrow.TypeEqual(rows.Column(i).DataType(), f.Type) {
			return fmt.Errorf("column %d of a batch is %s (%s), and of the export %s (%s)", i+1, name, rows.Column(i).DataType(), f.Name, f.Type)
		}
		bad, what := -1, ""
		switch a := rows.Column(i).(type) {
		case *array.String:
			bad, what = notText(a), "is not text in UTF-8"
		case *array.Time32:
			bad, what = find(a, a.Time32Values(), func(v arrow.Time32) bool { return v < 0 || v >= msPerDay }), "is no time of day"
		case *array.Float64:
			if finite {
				bad, what = find(a, a.Float64Values(), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }), "is a number that JSON does not have"
			}
		}
		if bad >= 0 {
			return fmt.Errorf("row %d, column %s: %q %s", before+int64(bad)+1, f.Name, rows.Column(i).ValueStr(bad), what)
		}
	}
	return nil
}

// find is the first row with a bad value, or -1.
func find[T any](a arrow.Array, values []T, bad func(T) bool) int {
	for i, v := range values {
		if bad(v) && a.IsValid(i) {
			return i
		}
	}
	return -1
}

// notText is the first row whose text is not valid, or -1. All the text of a column is looked at in one go, and each row only where that
// fails or where a character reaches from one row into the next.
func notText(a *array.String) int {
	offsets := a.ValueOffsets()
	if len(offsets) == 0 || offsets[len(offsets)-1] == offsets[0] {
		return -1
	}
	text := a.ValueBytes()
	whole := utf8.Valid(text)
	for _, at := range offsets {
		if !whole {
			break
		}
		at -= offsets[0]
		whole = int(at) >= len(text) || utf8.RuneStart(text[at])
	}
	if whole {
		return -1
	}
	for i := range a.Len() {
		if a.IsValid(i) && !utf8.ValidString(a.Value(i)) {
			return i
		}
	}
	return -1
}
