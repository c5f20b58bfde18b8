package bulk2

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Kind is one of the three result sets of an ingest job, spelled as in its URL.
type Kind string

// The result sets.
const (
	Successful  Kind = "successfulResults"
	Failed      Kind = "failedResults"
	Unprocessed Kind = "unprocessedrecords"
)

// Result is one row of a result set. Its bytes are valid until the next call to the reader that gave it.
type Result struct {
	ID      []byte // sf__Id; empty for a failed insert and in unprocessed rows
	Created bool   // sf__Created
	Error   []byte // sf__Error; see ParseRowError
	Fields  [][]byte
	// Offset and Length say where the record stands in the result set, so that At can read it again.
	Offset int64
	Length int
}

// ResultReader reads one result set.
type ResultReader struct {
	recordReader
	kind    Kind
	delim   byte
	columns []int // column of the result set for each uploaded column
	lacking error // the header lacks an uploaded column
	width   int
	id      int // columns of the result set that the org added, -1 = not there
	created int
	fault   int
	fields  [][]byte
	ordered [][]byte
}

// NewResultReader reads the header of a result set. columns is the uploaded header: Fields of a Result stand in that order,
// whatever order the org chose. A header that lacks one of them is an error of the first row: a job whose columns the org could not
// read may have an empty set with another header. One that lacks its line end too was cut.
func NewResultReader(r io.Reader, kind Kind, columns []string) (*ResultReader, error) {
	rr := &ResultReader{recordReader: newRecordReader(r), kind: kind, delim: ',', id: -1, created: -1, fault: -1}
	rec, err := rr.record()
	if err == io.EOF {
		// An empty body instead of a header: the set is empty, or it was lost. Counts decide, not this reader.
		rr.columns = make([]int, len(columns))
		return rr, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: header: %w", kind, err)
	}
	rr.delim = delimiterOf(rec)
	header, ok := parseRecord(rec, rr.delim, nil)
	if !ok {
		return nil, fmt.Errorf("%s: header %q cannot be read", kind, rec)
	}
	names := make([]string, len(header))
	for i, h := range header {
		names[i] = string(h)
	}
	rr.width = len(names)
	if kind != Unprocessed {
		rr.id = slices.Index(names, "sf__Id")
		rr.created = slices.Index(names, "sf__Created")
		rr.fault = slices.Index(names, "sf__Error")
		if rr.id < 0 || (kind == Failed && rr.fault < 0) {
			return nil, fmt.Errorf("%s: header %q lacks sf__Id or sf__Error", kind, rec)
		}
	}
	for _, c := range columns {
		i := slices.Index(names, c)
		if i < 0 {
			i = slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, c) })
		}
		if i < 0 && rr.torn {
			return nil, fmt.Errorf("%s: header: %w", kind, io.ErrUnexpectedEOF)
		}
		if i < 0 {
			rr.lacking = fmt.Errorf("%s: header %q lacks column %s that was uploaded", kind, names, c)
			break
		}
		rr.columns = append(rr.columns, i)
	}
	return rr, nil
}

// delimiterOf finds the delimiter of a header line; which one the org uses for its answers is not documented.
func delimiterOf(header []byte) byte {
	if bytes.HasPrefix(header, quote) {
		if i := bytes.IndexByte(header[1:], '"'); i >= 0 && i+2 < len(header) {
			return header[i+2]
		}
	}
	return ','
}

// Headless reports whether the set has not even a header. What the org sends has one.
func (rr *ResultReader) Headless() bool { return rr.width == 0 }

// Next returns the next row, or io.EOF behind the last one. Any other error means that the set is not whole or not
// readable, and says where.
func (rr *ResultReader) Next() (Result, error) {
	offset := rr.offset
	rec, err := rr.record()
	if err == io.EOF {
		return Result{}, io.EOF
	}
	if err != nil {
		return Result{}, fmt.Errorf("%s: byte %d: %w", rr.kind, offset, err)
	}
	if rr.lacking != nil {
		return Result{}, rr.lacking
	}
	length := int(rr.offset - offset)
	res, err := rr.parse(rec)
	if err != nil {
		return Result{}, fmt.Errorf("%s: byte %d: %w", rr.kind, offset, err)
	}
	res.Offset, res.Length = offset, length
	return res, nil
}

// At reads one row again from a stored copy of the result set.
func (rr *ResultReader) At(set io.ReaderAt, offset int64, length int) (Result, error) {
	if cap(rr.buf) < length {
		rr.buf = make([]byte, length)
	}
	buf := rr.buf[:length]
	if _, err := set.ReadAt(buf, offset); err != nil {
		return Result{}, fmt.Errorf("%s: byte %d: %w", rr.kind, offset, err)
	}
	res, err := rr.parse(trimLineEnd(buf))
	res.Offset, res.Length = offset, length
	return res, err
}

func (rr *ResultReader) parse(rec []byte) (Result, error) {
	var ok bool
	rr.fields, ok = parseRecord(rec, rr.delim, rr.fields[:0])
	if !ok {
		return Result{}, errors.New("broken quoting")
	}
	if len(rr.fields) != rr.width {
		return Result{}, fmt.Errorf("%d fields, the header has %d", len(rr.fields), rr.width)
	}
	rr.ordered = rr.ordered[:0]
	for _, c := range rr.columns {
		rr.ordered = append(rr.ordered, rr.fields[c])
	}
	res := Result{Fields: rr.ordered}
	if rr.id >= 0 {
		res.ID = rr.fields[rr.id]
	}
	if rr.created >= 0 {
		res.Created = string(rr.fields[rr.created]) == "true"
	}
	if rr.fault >= 0 {
		res.Error = rr.fields[rr.fault]
	}
	return res, nil
}
