package localorg

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

const (
	chunkRows = 200    // rows of a transaction
	batchRows = 10_000 // rows of an internal batch

	maxHeader = 32_000  // characters of the header
	maxRecord = 400_000 // characters of a record
	maxFields = 5_000   // fields of a record
	maxCell   = 131_072 // characters of a value
)

// layout says where the rows of an upload lie.
type layout struct {
	header []byte // the header row as uploaded, without its line ending
	names  []string
	rows   int
	chunks []int64 // where each chunk of 200 rows starts, and where the last one ends
	utf8   bool    // all of it is UTF-8
}

// jobError is a fault of the upload or its header that fails a job as a whole; its text is the job's errorMessage.
type jobError struct{ text string }

func (e *jobError) Error() string { return e.text }

func invalidBatch(format string, args ...any) error {
	return &jobError{"InvalidBatch : " + fmt.Sprintf(format, args...)}
}

func lineEndingError(crlf bool) error {
	if crlf {
		return &jobError{"ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is CRLF"}
	}
	return &jobError{"ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"}
}

// dialect is how a job says that its upload is written.
type dialect struct {
	delim byte
	crlf  bool // records end with CR LF
	// strictBlank fails the job for a blank beside a quote; otherwise only the row fails.
	strictBlank bool
	// strictWidth fails the job for a row that has not as many cells as the header; otherwise only the row fails.
	strictWidth bool
}

// split reads an upload from end to end and finds its rows. Errors are *jobError where the upload is at fault.
// In an LF job a CR LF is wrong anywhere, also inside quotes; in a CRLF job every record must end with CR LF, while a
// bare LF inside quotes is let through (guess).
func split(body io.Reader, d dialect) (*layout, error) {
	l := &layout{utf8: true}
	var rec csvRecord
	size, err := scan(body, func(data []byte, at int64, final bool) (used int, err error) {
		for used < len(data) && err == nil {
			var n int
			n, err = l.next(&rec, data[used:], at+int64(used), d, final)
			used += n
		}
		return used, err
	})
	if err != nil {
		return nil, err
	}
	l.chunks = append(l.chunks, size)
	return l, l.complete()
}

// scan reads a body to its end, in pieces. visit says how much of a piece it used and gets the rest again with more behind
// it; errMore is how it asks for that. at is where the piece begins.
func scan(body io.Reader, visit func(data []byte, at int64, final bool) (used int, err error)) (size int64, err error) {
	buf := make([]byte, 0, 256<<10)
	for final := false; !final; {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), 2*cap(buf))
			copy(grown, buf)
			buf = grown
		}
		n, err := io.ReadFull(body, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
			final = true
		case err != nil:
			return size, fmt.Errorf("read upload: %w", err)
		}
		used, err := visit(buf, size, final)
		if err != nil && err != errMore {
			return size, err
		}
		size += int64(used)
		buf = buf[:copy(buf, buf[used:])]
	}
	return size, nil
}

// next reads the first record of data and gives its size.
func (l *layout) next(rec *csvRecord, data []byte, at int64, d dialect, final bool) (int, error) {
	if err := rec.read(data, d.delim, final); err != nil {
		if err != errMore && !d.crlf && bytes.Contains(data, []byte("\r\n")) {
			err = lineEndingError(false)
		}
		return 0, err
	}
	return rec.size, l.add(rec, data[:rec.size], at, d)
}

// complete refuses an upload without a header.
func (l *layout) complete() error {
	if l.names == nil {
		return invalidBatch("Failed to parse CSV. The header row is missing") // text is a guess
	}
	return nil
}

func (l *layout) add(rec *csvRecord, raw []byte, at int64, d dialect) error {
	if d.crlf {
		if !rec.crlf && rec.end < rec.size {
			return lineEndingError(true)
		}
	} else if rec.crlf || bytes.IndexByte(raw, '\r') >= 0 && bytes.Contains(raw, []byte("\r\n")) {
		return lineEndingError(false)
	}
	if rec.blank && (d.strictBlank || l.names == nil) {
		return errQuote
	}
	l.utf8 = l.utf8 && utf8.Valid(raw)
	if len(rec.cells) == 0 {
		return nil // a line without a character is no row
	}
	if l.names == nil {
		if utf16Len(raw[:rec.end]) > maxHeader {
			return invalidBatch("The header row is longer than %d characters", maxHeader) // text is a guess
		}
		l.header = bytes.Clone(raw[:rec.end])
		l.names = make([]string, len(rec.cells))
		for i, c := range rec.cells {
			l.names[i] = string(c.text())
		}
		return nil
	}
	if d.strictWidth && len(rec.cells) != len(l.names) { // the text is a guess
		return invalidBatch("Failed to parse CSV. Row %d has %d columns, the header has %d", l.rows+1, len(rec.cells), len(l.names))
	}
	if l.rows%chunkRows == 0 {
		l.chunks = append(l.chunks, at)
	}
	l.rows++
	return nil
}

func (l *layout) chunkCount() int { return len(l.chunks) - 1 }

func (l *layout) batchCount() int { return (l.rows + batchRows - 1) / batchRows }

// rowsOf gives how many rows a chunk has.
func (l *layout) rowsOf(chunk int) int { return min(chunkRows, l.rows-chunk*chunkRows) }
