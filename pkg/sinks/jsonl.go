package sinks

import (
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// newJSONLEncoder writes JSON lines: an object for each row, its keys the columns in their order, each of them in every row.
//
//	null                 null
//	text                 a string; only what JSON asks to be escaped is
//	boolean              true or false
//	int64, decimal       a number with all its digits; a reader that keeps numbers as doubles, as JavaScript does, loses those past 2^53
//	float64              a number, the shortest that reads back the same; NaN and infinities are refused
//	date, timestamp, time  a string, as in CSV
func newJSONLEncoder(w io.WriteCloser, o FileOptions) (*lines, error) {
	keys := make([][]byte, o.Schema.NumFields())
	for i, f := range o.Schema.Fields() {
		start := byte(',')
		if i == 0 {
			start = '{'
		}
		keys[i] = append(appendString([]byte{start}, f.Name), ':')
	}
	bind := func(rows arrow.RecordBatch) appender {
		cells := make([]appender, rows.NumCols())
		for i, col := range rows.Columns() {
			cells[i] = jsonCell(col)
		}
		return func(dst []byte, row int) []byte {
			for i, cell := range cells {
				dst = cell(append(dst, keys[i]...), row)
			}
			return append(dst, '}', '\n')
		}
	}
	return &lines{w: w, limit: o.PartBytes, bind: bind}, nil
}

// jsonCell is what appends the values of a column.
func jsonCell(col arrow.Array) appender {
	value := numbers(col, appendJSONFloat)
	if value == nil {
		if quoted := times(col); quoted != nil {
			value = func(dst []byte, row int) []byte { return append(quoted(append(dst, '"'), row), '"') }
		}
	}
	if a, ok := col.(*array.String); ok {
		value = func(dst []byte, row int) []byte { return appendString(dst, a.Value(row)) }
	}
	if col.NullN() == 0 {
		return value
	}
	return func(dst []byte, row int) []byte {
		if col.IsNull(row) {
			return append(dst, "null"...)
		}
		return value(dst, row)
	}
}

// escapes are the bytes that cannot stand in a string of JSON as they are, and the letter that stands for each, u for those without one.
var escapes = func() (e [256]byte) {
	for c := range ' ' {
		e[c] = 'u'
	}
	e['"'], e['\\'], e['\n'], e['\r'], e['\t'], e['\b'], e['\f'] = '"', '\\', 'n', 'r', 't', 'b', 'f'
	return e
}()

// appendString appends a text, which is valid UTF-8, as a string of JSON.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	done := 0
	for i := range len(s) {
		letter := escapes[s[i]]
		if letter == 0 {
			continue
		}
		dst = append(append(dst, s[done:i]...), '\\', letter)
		if letter == 'u' {
			const hex = "0123456789abcdef"
			dst = append(dst, '0', '0', hex[s[i]>>4], hex[s[i]&15])
		}
		done = i + 1
	}
	return append(append(dst, s[done:]...), '"')
}
