package localorg

import (
	"bytes"
	"errors"
)

// cell is one value of a CSV record as it stands in the file.
type cell struct {
	raw    []byte // the text between delimiters; for a quoted value what is between its quotes
	quoted bool
	double bool // holds doubled quotes
}

// text is the value that the cell stands for.
func (c cell) text() []byte {
	if !c.double {
		return c.raw
	}
	return bytes.ReplaceAll(c.raw, []byte(`""`), []byte(`"`))
}

// csvRecord is one record of an upload.
type csvRecord struct {
	cells []cell
	size  int  // bytes, with the line ending
	end   int  // bytes before the line ending
	crlf  bool // ended by CR LF
	blank bool // a blank stands between a delimiter and a quote, which fails the row
}

var (
	errMore    = errors.New("record is not complete")
	errQuote   = invalidBatch("Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote")
	errOpenEnd = invalidBatch("Failed to parse CSV. EOF reached before closing an opened quote") // text is a guess
)

// read takes the first record of data. final says that data reaches to the end of the file; without it a record that
// may go on gives errMore. The cells lie in data and in the record's own memory until the next read.
// A line without any character is a record with no cells.
func (r *csvRecord) read(data []byte, delim byte, final bool) error {
	r.cells, r.blank, r.crlf = r.cells[:0], false, false
	if nl := bytes.IndexByte(data, '\n'); nl >= 0 && bytes.IndexByte(data[:nl], '"') < 0 {
		r.plain(data[:nl], delim)
		r.size = nl + 1
		return nil
	}
	pos := 0
	for {
		c, n, err := r.cell(data[pos:], delim, final)
		if err != nil {
			return err
		}
		r.cells = append(r.cells, c)
		pos += n
		switch {
		case pos == len(data):
			if !final {
				return errMore
			}
			r.end, r.size = pos, pos
			return nil
		case data[pos] == delim:
			pos++
			continue
		case data[pos] == '\n':
			r.end, r.size = pos, pos+1
			return nil
		default: // CR LF
			r.end, r.size, r.crlf = pos, pos+2, true
			return nil
		}
	}
}

// plain splits a line that holds no quote.
func (r *csvRecord) plain(line []byte, delim byte) {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line, r.crlf = line[:n-1], true
	}
	r.end = len(line)
	if len(line) == 0 {
		return
	}
	for {
		i := bytes.IndexByte(line, delim)
		if i < 0 {
			break
		}
		r.cells = append(r.cells, cell{raw: line[:i]})
		line = line[i+1:]
	}
	r.cells = append(r.cells, cell{raw: line})
}

// cell reads one cell and gives the place of what ends it: a delimiter, LF, CR LF, or the end of data.
func (r *csvRecord) cell(data []byte, delim byte, final bool) (cell, int, error) {
	pos := 0
	for pos < len(data) && (data[pos] == ' ' || data[pos] == '\t') && data[pos] != delim {
		pos++
	}
	if pos == len(data) && !final {
		return cell{}, 0, errMore
	}
	if pos == len(data) || data[pos] != '"' {
		return bare(data, delim, final)
	}
	r.blank = r.blank || pos > 0
	start, double := pos+1, false
	pos = start
	for {
		i := bytes.IndexByte(data[pos:], '"')
		if i < 0 || pos+i+1 == len(data) && !final {
			if final {
				return cell{}, 0, errOpenEnd
			}
			return cell{}, 0, errMore
		}
		pos += i + 1
		if pos == len(data) || data[pos] != '"' {
			break
		}
		double = true
		pos++
	}
	c := cell{raw: data[start : pos-1], quoted: true, double: double}
	for pos < len(data) && (data[pos] == ' ' || data[pos] == '\t') && data[pos] != delim {
		pos++
		r.blank = true
	}
	switch {
	case pos == len(data):
		if !final {
			return cell{}, 0, errMore
		}
	case data[pos] == delim || data[pos] == '\n':
	case data[pos] == '\r':
		if pos+1 == len(data) && !final {
			return cell{}, 0, errMore
		}
		if pos+1 == len(data) || data[pos+1] != '\n' {
			return cell{}, 0, errQuote
		}
	default:
		return cell{}, 0, errQuote
	}
	return c, pos, nil
}

// bare reads a cell without quotes.
func bare(data []byte, delim byte, final bool) (cell, int, error) {
	for i, b := range data {
		switch b {
		case delim, '\n':
			end := i
			if b == '\n' && i > 0 && data[i-1] == '\r' {
				end--
			}
			return cell{raw: data[:end]}, end, nil
		case '"':
			return cell{}, 0, errQuote
		}
	}
	if !final {
		return cell{}, 0, errMore
	}
	return cell{raw: data}, len(data), nil
}
