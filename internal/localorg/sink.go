package localorg

import (
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
	counted := &countedReader{r: body}
	l, err := split(counted, j.dialect(&o.cfg))
	var fault *jobError
	switch {
	case errors.As(err, &fault):
		_, err = io.Copy(io.Discard, counted)
		return &sunk{Fault: fault.text}, counted.n, err
	case err != nil:
		return nil, counted.n, err
	}
	return &sunk{Rows: l.rows, Header: string(l.header)}, counted.n, nil
}

type countedReader struct {
	r io.Reader
	n int64
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// finishSunk takes a job without kept rows to its end: all of them went well.
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
