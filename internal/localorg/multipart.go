package localorg

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"os"
	"unicode/utf8"
)

// maxMultipart is how many characters of data a job that is made in one step may have.
const maxMultipart = 100_000

// badMultipart refuses a body; code and texts are a guess.
func badMultipart(format string, args ...any) error {
	return refuse(400, "INVALID_MULTIPART_REQUEST", format, args...)
}

// createWhole makes a job, gives it its data, and closes it, all in one call: the part "job" is JSON, the part "content"
// behind it is CSV.
func (o *Org) createWhole(c *call, boundary string) error {
	if boundary == "" {
		return badMultipart("The multipart request has no boundary")
	}
	parts := multipart.NewReader(c.r.Body, boundary)
	head, err := nextPart(parts, "job", "application/json")
	if err != nil {
		return err
	}
	var spec jobSpec
	if err := decodeJSON(head, &spec); err != nil {
		return err
	}
	if _, _, err := o.check(&spec); err != nil {
		return err
	}
	content, err := nextPart(parts, "content", "text/csv")
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(content, maxMultipart*utf8.UTFMax+1))
	if err != nil {
		return badMultipart("The multipart request ends early: %v", err)
	}
	if n := utf16Len(data); n > maxMultipart { // the text is a guess
		o.mu.Lock()
		defer o.mu.Unlock()
		o.violation(id15{}, ViolationUploadSize, "%d characters or more in one step; %d are allowed", n, maxMultipart)
		return refuse(400, "INVALIDJOB", "InvalidJob : The job data of a multipart request exceeds the limit of %d characters", maxMultipart)
	}
	if _, err := parts.NextPart(); err != io.EOF {
		return badMultipart("The multipart request must have the parts job and content and no other")
	}
	dir, err := o.uploadDir()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "*.part")
	if err != nil {
		return err
	}
	f.Close()
	if _, err := writeFile(f.Name(), bytes.NewReader(data)); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	j, err := o.newJob(c, &spec)
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	up := upload{path: f.Name(), size: int64(len(data))}
	if o.cfg.Sink {
		if up.sunk, _, err = o.sink(j, bytes.NewReader(data)); err != nil {
			return err
		}
	}
	if err := o.takeUpload(j, up); err != nil {
		return err
	}
	if err := o.closeJob(j, string(c.user)); err != nil {
		return err
	}
	return c.reply(200, j.fresh())
}

// nextPart gives the next part of a body, which must have the name and the media type.
func nextPart(r *multipart.Reader, name, mediaType string) (*multipart.Part, error) {
	p, err := r.NextPart()
	switch {
	case err == io.EOF:
		return nil, badMultipart("The part %s is missing", name)
	case err != nil:
		return nil, badMultipart("The multipart request cannot be read: %v", err)
	case p.FormName() != name:
		return nil, badMultipart("The part %q stands where %s is expected", p.FormName(), name)
	}
	if mt, _, err := mime.ParseMediaType(p.Header.Get("Content-Type")); err != nil || mt != mediaType {
		return nil, badMultipart("The part %s is not %s", name, mediaType)
	}
	return p, nil
}
