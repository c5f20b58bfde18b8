package localorg

import (
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
)

// uploadJob takes the data of a job. It is stored as it comes; nobody looks at it before the job is closed.
func (o *Org) uploadJob(c *call) error {
	if mt, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || mt != "text/csv" {
		return errMedia
	}
	raw := &watchedBody{body: c.r.Body}
	unpacked := raw
	switch c.r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		if o.cfg.RefuseGzipUpload {
			return errMedia
		}
		z, err := gzip.NewReader(raw)
		switch {
		case raw.err != nil:
			panic(http.ErrAbortHandler)
		case err != nil:
			return refuse(400, "CLIENT_INPUT_ERROR", "the body is not gzip: %v", err)
		}
		unpacked = &watchedBody{body: z}
	default:
		return errMedia
	}
	dir, err := o.uploadDir()
	if err != nil {
		return err
	}
	j, err := o.beginUpload(c.args[0])
	if err != nil {
		return err
	}
	up, err := o.store(dir, j, unpacked, c.r.ContentLength)
	o.mu.Lock()
	defer o.mu.Unlock()
	j.uploading = false
	switch {
	case raw.err != nil: // the client is gone, or what it sends is not what it said
		panic(http.ErrAbortHandler)
	case unpacked.err != nil:
		return refuse(400, "CLIENT_INPUT_ERROR", "the body is not gzip: %v", unpacked.err)
	case err != nil:
		return err
	}
	if err := o.takeUpload(j, up); err != nil {
		return err
	}
	c.w.WriteHeader(201)
	return nil
}

// upload is the data of a job before it is the job's.
type upload struct {
	path string
	size int64
	sunk *sunk // of an org that keeps nothing
}

// watchedBody remembers that a body could not be read, to tell that from a file that could not be written.
type watchedBody struct {
	body io.Reader
	err  error
}

func (w *watchedBody) Read(p []byte) (int, error) {
	n, err := w.body.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// beginUpload claims the one upload of a job.
func (o *Org) beginUpload(id string) (*job, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	j, err := o.job(id)
	if err != nil {
		return nil, err
	}
	if j.state != stateOpen { // the text is a guess
		return nil, refuse(400, "INVALIDJOBSTATE", "InvalidJobState : Job is not in Open state, it is in %s state", j.state)
	}
	if o.abandoned(j) {
		return nil, errAbandoned
	}
	if j.uploaded || j.uploading {
		o.violation(j.id, ViolationSecondUpload, "the job has its data already")
		return nil, refuse(400, "BULK_API_ERROR", "Found multipe contents for job: <%s>, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job and make sure you only do 'PUT' once on a given Job.", j.id.short())
	}
	j.uploading = true
	return j, nil
}

var errTooLarge = errors.New("upload is too large")

// store writes an upload to a file. It refuses what is over the size limit, by the announced length or by what comes.
func (o *Org) store(dir string, j *job, body io.Reader, announced int64) (up upload, err error) {
	limit := o.cfg.MaxUpload / 4 * 3 // base64 makes four bytes of three
	up.path = filepath.Join(dir, j.id.String()+".part")
	switch body := io.LimitReader(body, limit+1); {
	case announced > limit:
		err = errTooLarge
	case o.cfg.Sink:
		up.sunk, up.size, err = o.sink(j, body)
	default:
		up.size, err = writeFile(up.path, body)
	}
	if err == nil && up.size > limit {
		os.Remove(up.path)
		err = errTooLarge
	}
	if errors.Is(err, errTooLarge) { // status and text are a guess
		o.mu.Lock()
		o.violation(j.id, ViolationUploadSize, "%d bytes or more; %d are allowed", max(up.size, announced), limit)
		o.mu.Unlock()
		err = refuse(413, "REQUEST_ENTITY_TOO_LARGE", "The upload of job %s exceeds the limit of %d bytes after base64", j.id.short(), o.cfg.MaxUpload)
	}
	return up, err
}

// writeFile writes a file and leaves none behind when it fails.
func writeFile(path string, body io.Reader) (int64, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, body, make([]byte, 256<<10))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(path)
	}
	return n, err
}

// takeUpload makes a stored upload the job's. Callers hold the lock.
func (o *Org) takeUpload(j *job, up upload) error {
	if j.state != stateOpen || o.jobs[j.number] != j { // aborted meanwhile
		os.Remove(up.path)
		return refuse(400, "INVALIDJOBSTATE", "InvalidJobState : Job is not in Open state, it is in %s state", j.state)
	}
	if up.sunk != nil {
		os.Remove(up.path)
	} else if err := os.Rename(up.path, o.uploadPath(j)); err != nil {
		return err
	}
	if err := o.log(eventUploaded, event{Job: j.number, Time: o.now(), Size: up.size, Sunk: up.sunk}); err != nil {
		return err
	}
	j.uploaded, j.size, j.sunk = true, up.size, up.sunk
	return nil
}
