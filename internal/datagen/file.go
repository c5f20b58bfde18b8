package datagen

import (
	"fmt"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// A File is one file of the sample data, ready to be written.
type File struct {
	Name string
	Data []byte
}

// A format is the way in which some program writes its tables.
type format struct {
	delimiter   byte
	always      bool   // quotes around every value, even an empty one
	lineEnd     string // ends a record; breaks inside a value stand as they are
	bom         bool
	windows1252 bool
}

var commas = format{delimiter: ',', lineEnd: "\n"}

// A record is the cells of one row, or a line that is not in the format at all.
type record struct {
	cells []string
	raw   string // in place of the cells; one line without its end
}

// table is a file before it is written.
type table struct {
	name   string
	format format
	header []string
	rows   []record
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, record{cells: cells}) }

// file encodes the table. It returns the line, from 1, on which each row begins.
func (t *table) file() (File, []int, error) {
	var b []byte
	if t.format.bom {
		b = append(b, "\ufeff"...)
	}
	b = t.format.appendRecord(b, record{cells: t.header})
	lines, line := make([]int, len(t.rows)), 2
	for i, row := range t.rows {
		start := len(b)
		b = t.format.appendRecord(b, row)
		lines[i] = line
		line += strings.Count(string(b[start:]), "\n")
	}
	if t.format.windows1252 {
		var err error
		if b, err = charmap.Windows1252.NewEncoder().Bytes(b); err != nil {
			return File{}, nil, fmt.Errorf("%s: a character that Windows-1252 does not have: %w", t.name, err)
		}
	}
	return File{t.name, b}, lines, nil
}

func (f format) appendRecord(b []byte, r record) []byte {
	b = append(b, r.raw...)
	for i, cell := range r.cells {
		if i > 0 {
			b = append(b, f.delimiter)
		}
		b = f.appendField(b, cell)
	}
	return append(b, f.lineEnd...)
}

func (f format) appendField(b []byte, value string) []byte {
	if !f.always && !strings.ContainsAny(value, "\"\r\n"+string(f.delimiter)) {
		return append(b, value...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(value, `"`, `""`)...)
	return append(b, '"')
}
