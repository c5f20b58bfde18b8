package bulk2

import (
	"bytes"
	"fmt"
	"io"
)

// maxResultRecord bounds the memory that a broken answer can take. A record holds at most 400,000 characters
// (Salesforce limits), quoted and with an error text beside it.
const maxResultRecord = 8 << 20

// recordReader reads the records of a CSV text that the org sends.
type recordReader struct {
	src    io.Reader
	buf    []byte // buf[start:end] is read and not yet consumed
	start  int
	end    int
	offset int64 // of buf[start] in the text
	eof    bool
	torn   bool // the last record had no line end
}

func newRecordReader(src io.Reader) recordReader {
	return recordReader{src: src, buf: make([]byte, 256<<10)}
}

// record returns the next record without its line end. Blank lines are skipped: the org writes none, and one column that
// is empty comes as "".
func (r *recordReader) record() ([]byte, error) {
	seen, open := 0, false
	for {
		end := -1
		if r.end > r.start {
			end, seen, open = recordEnd(r.buf[r.start:r.end], seen, open)
		}
		if end < 0 && r.eof {
			if r.start == r.end {
				return nil, io.EOF
			}
			if open {
				return nil, io.ErrUnexpectedEOF
			}
			end, r.torn = r.end-r.start, true // a last line without line feed
		}
		if end >= 0 {
			rec := trimLineEnd(r.buf[r.start : r.start+end])
			r.start += end
			r.offset += int64(end)
			if len(rec) == 0 {
				seen, open = 0, false
				continue
			}
			return rec, nil
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads more bytes behind those that are not yet consumed.
func (r *recordReader) fill() error {
	if r.start > 0 {
		copy(r.buf, r.buf[r.start:r.end])
		r.end -= r.start
		r.start = 0
	}
	if r.end == len(r.buf) {
		if len(r.buf) >= maxResultRecord {
			return fmt.Errorf("a record of more than %d bytes", maxResultRecord)
		}
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	n, err := io.ReadAtLeast(r.src, r.buf[r.end:], 1)
	r.end += n
	if err == io.EOF {
		r.eof = true
		return nil
	}
	return err
}

func trimLineEnd(rec []byte) []byte {
	rec = bytes.TrimSuffix(rec, []byte{'\n'})
	return bytes.TrimSuffix(rec, []byte{'\r'})
}
