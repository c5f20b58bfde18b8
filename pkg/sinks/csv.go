package sinks

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// CSVOptions say how CSV is written. The zero value is what RFC 4180 describes, but with LF at the end of a line:
//
//	null                 nothing; where the table has one column "", so that the line is not empty
//	text                 as it is, in quotes only where it holds the delimiter, a quote or an end of line; empty text is ""
//	boolean              true or false
//	int64                plain digits
//	float64              the shortest digits that read back as the same number, never with an exponent
//	decimal              with its whole scale
//	date                 2006-01-02
//	timestamp            2006-01-02T15:04:05.000Z
//	time                 15:04:05.000
//
// The files are UTF-8 without a byte order mark. Text that a spreadsheet would take for a formula, such as =1+1, is written as it is: what
// changed it would change the data.
type CSVOptions struct {
	Delimiter byte // 0 = comma
	NoHeader  bool // true leaves the line with the names of the columns out
}

// csvText knows which bytes need quotes.
type csvText struct{ quote [256]bool }

func newCSVEncoder(w io.WriteCloser, o FileOptions) (*lines, error) {
	delimiter := o.CSV.Delimiter
	if delimiter == 0 {
		delimiter = ','
	}
	if delimiter >= 0x80 || delimiter < ' ' && delimiter != '\t' || delimiter == '"' {
		return nil, fmt.Errorf("%q cannot be a delimiter; take a comma, a semicolon, a tab or a bar", delimiter)
	}
	var text csvText
	for _, c := range []byte{delimiter, '"', '\n', '\r'} {
		text.quote[c] = true
	}
	l := &lines{w: w, limit: o.PartBytes}
	if !o.CSV.NoHeader {
		for i, f := range o.Schema.Fields() {
			if i > 0 {
				l.buf = append(l.buf, delimiter)
			}
			l.buf = text.append(l.buf, f.Name)
		}
		l.buf = append(l.buf, '\n')
	}
	l.bind = func(rows arrow.RecordBatch) appender {
		cells := make([]appender, rows.NumCols())
		for i, col := range rows.Columns() {
			cells[i] = text.cell(col)
		}
		if len(cells) == 1 {
			return func(dst []byte, row int) []byte {
				if rows.Column(0).IsNull(row) {
					return append(dst, "\"\"\n"...)
				}
				return append(cells[0](dst, row), '\n')
			}
		}
		return func(dst []byte, row int) []byte {
			for i, cell := range cells {
				if i > 0 {
					dst = append(dst, delimiter)
				}
				dst = cell(dst, row)
			}
			return append(dst, '\n')
		}
	}
	return l, nil
}

// cell is what appends the values of a column.
func (t *csvText) cell(col arrow.Array) appender {
	value := numbers(col, appendPlainFloat)
	if value == nil {
		value = times(col)
	}
	if a, ok := col.(*array.String); ok {
		value = func(dst []byte, row int) []byte { return t.append(dst, a.Value(row)) }
	}
	if col.NullN() == 0 {
		return value
	}
	return func(dst []byte, row int) []byte {
		if col.IsNull(row) {
			return dst
		}
		return value(dst, row)
	}
}

// append appends a text, in quotes where it needs them. PostgreSQL takes \. alone on a line for the end of the data.
func (t *csvText) append(dst []byte, s string) []byte {
	if s == "" || s == `\.` {
		return append(append(append(dst, '"'), s...), '"')
	}
	for i := range len(s) {
		if t.quote[s[i]] {
			return appendQuoted(dst, s)
		}
	}
	return append(dst, s...)
}

func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}
