package sinks

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// limits is what the values of a database may be.
type limits struct {
	nul bool   // text may hold NUL
	nan bool   // numbers may be NaN and infinite
	utc string // behind a timestamp
}

// cell makes a value of a column that is not null the argument of a statement: int64 (0 and 1 for a truth value), float64, or text.
func (l limits) cell(col arrow.Array, row int) (any, error) {
	switch a := col.(type) {
	case *array.String:
		return a.Value(row), l.checkText(a.Value(row))
	case *array.Boolean:
		if a.Value(row) {
			return int64(1), nil
		}
		return int64(0), nil
	case *array.Int64:
		return a.Value(row), nil
	case *array.Float64:
		return a.Value(row), l.checkNumber(a.Value(row))
	}
	text, err := l.appendText(nil, col, row)
	return string(text), err
}

// appendText appends a value that is not null as the text of COPY and LOAD DATA: truth values as 1 and 0, numbers with the shortest
// digits that read back the same, times in UTC.
func (l limits) appendText(dst []byte, col arrow.Array, row int) ([]byte, error) {
	switch a := col.(type) {
	case *array.String:
		return appendEscaped(dst, a.Value(row)), l.checkText(a.Value(row))
	case *array.Boolean:
		if a.Value(row) {
			return append(dst, '1'), nil
		}
		return append(dst, '0'), nil
	case *array.Int64:
		return strconv.AppendInt(dst, a.Value(row), 10), nil
	case *array.Float64:
		return strconv.AppendFloat(dst, a.Value(row), 'g', -1, 64), l.checkNumber(a.Value(row))
	case *array.Decimal128:
		return append(dst, a.Value(row).ToString(a.DataType().(*arrow.Decimal128Type).Scale)...), nil
	case *array.Date32:
		return appendDate(dst, time.Unix(int64(a.Value(row))*86400, 0).UTC())
	case *array.Timestamp:
		at := time.UnixMilli(int64(a.Value(row))).UTC()
		dst, err := appendDate(dst, at)
		dst = append(dst, ' ')
		if l.utc != "" {
			dst[len(dst)-1] = 'T'
		}
		h, m, s := at.Clock()
		return append(appendClock(dst, h, m, s, at.Nanosecond()/1e6), l.utc...), err
	case *array.Time32:
		ms := int(a.Value(row))
		if ms < 0 || ms >= 86400_000 {
			return dst, errors.New("it is no time of day")
		}
		return appendClock(dst, ms/3600_000, ms/60_000%60, ms/1000%60, ms%1000), nil
	}
	return dst, fmt.Errorf("there is no column for %s", col.DataType())
}

func (l limits) checkText(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("it is no valid UTF-8")
	}
	if !l.nul && strings.IndexByte(s, 0) >= 0 {
		return errors.New("it holds the character NUL, which PostgreSQL has not: clean it in the org, or leave the field out of the export")
	}
	return nil
}

func (l limits) checkNumber(x float64) error {
	if !l.nan && (math.IsNaN(x) || math.IsInf(x, 0)) {
		return fmt.Errorf("it is %v", x)
	}
	return nil
}

func appendDate(dst []byte, t time.Time) ([]byte, error) {
	y, m, d := t.Date()
	if y < 1 || y > 9999 {
		return dst, fmt.Errorf("it is in the year %d", y)
	}
	dst = append(dst, byte('0'+y/1000), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10))
	return append(dst, '-', byte('0'+m/10), byte('0'+m%10), '-', byte('0'+d/10), byte('0'+d%10)), nil
}

func appendClock(dst []byte, h, m, s, ms int) []byte {
	return append(dst, byte('0'+h/10), byte('0'+h%10), ':', byte('0'+m/10), byte('0'+m%10), ':', byte('0'+s/10), byte('0'+s%10),
		'.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

// appendEscaped writes a text so that it takes one field of one line.
func appendEscaped(dst []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		var c byte
		switch s[i] {
		case '\\':
			c = '\\'
		case '\t':
			c = 't'
		case '\n':
			c = 'n'
		case '\r':
			c = 'r'
		case 0:
			c = '0'
		default:
			continue
		}
		dst = append(append(dst, s[from:i]...), '\\', c)
		from = i + 1
	}
	return append(dst, s[from:]...)
}

// wrongValue says which value it was.
func (s staging) wrongValue(rows arrow.RecordBatch, row, col int, err error) error {
	who := ""
	for i, c := range s.columns {
		if c.key && rows.Column(i).IsValid(row) {
			who = fmt.Sprintf(" (%s %.40q)", c.name, rows.Column(i).ValueStr(row))
		}
	}
	return permanent{fmt.Errorf("%w: row %d of the export%s, column %s: %w", ErrValue, s.offset+int64(row)+1, who, s.columns[col].name, err)}
}

var errNoKey = errors.New("it is null, and is the key of the table")

// textReader gives the rows of a batch as lines in the text format that PostgreSQL's COPY and MySQL's LOAD DATA have in common:
// fields with a tab between, \N for null, and a backslash before what would be taken for more.
type textReader struct {
	limits
	staging
	rows   arrow.RecordBatch
	row    int
	buffer []byte // a part of the lines
	given  int    // bytes of it
	err    error  // what the reader has ended with; a driver may tell another
}

func (r *textReader) Read(p []byte) (int, error) {
	if r.given == len(r.buffer) {
		r.fill()
		if len(r.buffer) == 0 && r.err == nil {
			return 0, io.EOF
		}
		if r.err != nil {
			return 0, r.err
		}
	}
	n := copy(p, r.buffer[r.given:])
	r.given += n
	return n, nil
}

func (r *textReader) fill() {
	r.buffer, r.given = r.buffer[:0], 0
	for ; r.rows != nil && r.row < int(r.rows.NumRows()) && len(r.buffer) < 64<<10; r.row++ {
		for i, col := range r.rows.Columns() {
			if i > 0 {
				r.buffer = append(r.buffer, '\t')
			}
			var err error
			if col.IsValid(r.row) {
				r.buffer, err = r.appendText(r.buffer, col, r.row)
			} else if r.buffer = append(r.buffer, `\N`...); r.columns[i].key {
				err = errNoKey
			}
			if err != nil {
				r.err = r.wrongValue(r.rows, r.row, i, err)
				return
			}
		}
		r.buffer = append(r.buffer, '\n')
	}
}
