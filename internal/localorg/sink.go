package localorg

import (
	"bytes"
	"errors"
	"io"
)

// sunk is what is left of the upload of a job in an org that keeps nothing (Config.Sink).
type sunk struct {
	Rows   int    `json:"rows"`
	Header string `json:"header"`          // as uploaded
	Fault  string `json:"fault,omitempty"` // what is wrong with the upload as a whole
}

// sink reads an upload, counts its rows, and looks at nothing but their shape.
func (o *Org) sink(j *job, body io.Reader) (*sunk, int64, error) {
	l, size, err := count(body, j.dialect(&o.cfg))
	var fault *jobError
	switch {
	case errors.As(err, &fault):
		rest, err := io.Copy(io.Discard, body)
		return &sunk{Fault: fault.text}, size + rest, err
	case err != nil:
		return nil, size, err
	}
	return &sunk{Rows: l.rows, Header: string(l.header)}, size, nil
}

// count is split for those who need no more than the header and the number of rows, and need it fast. size is what it has
// read, also when the upload is at fault.
func count(body io.Reader, d dialect) (l *layout, size int64, err error) {
	l = &layout{utf8: true}
	var rec csvRecord
	_, err = scan(body, func(data []byte, at int64, final bool) (used int, err error) {
		size = at + int64(len(data))
		for used < len(data) && err == nil {
			n, rows := 0, 0
			if l.names != nil {
				n, rows = plainLines(data[used:], d.crlf)
			}
			if n == 0 {
				n, err = l.next(&rec, data[used:], at+int64(used), d, final)
			}
			used += n
			l.rows += rows
		}
		return used, err
	})
	if err == nil {
		err = l.complete()
	}
	return l, size, err
}

// plainLines takes the lines at the start of data that hold no quote, if they are rows and end as they should: it gives their
// size and number. 0 says that the first record needs a closer look.
func plainLines(data []byte, crlf bool) (size, rows int) {
	data = data[:min(len(data), 32<<10)] // so that a closer look at each record does not come to much
	if quote := bytes.IndexByte(data, '"'); quote >= 0 {
		data = data[:quote]
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	if len(data) == 0 || data[0] == '\n' || data[0] == '\r' {
		return 0, 0
	}
	rows = bytes.Count(data, []byte("\n"))
	switch {
	case !crlf && (bytes.IndexByte(data, '\r') >= 0 || bytes.Contains(data, []byte("\n\n"))):
		return 0, 0
	case crlf && (bytes.Count(data, []byte("\r\n")) != rows || bytes.Contains(data, []byte("\n\r\n"))):
		return 0, 0
	}
	return len(data), rows
}

// finishSunk takes a job without kept rows to its end: all of them went well. It has no batches that could be held up.
func (o *Org) finishSunk(j *job) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !j.underWay() || o.closed {
		return nil
	}
	if j.sunk.Fault != "" {
		return &jobError{j.sunk.Fault}
	}
	if err := o.interrupt(j); err != nil && err != errHeldUp {
		return err
	}
	j.processed = j.sunk.Rows
	o.audit.ingest(j.obj, j.processed, 0)
	return o.end(j, stateJobComplete, "")
}
