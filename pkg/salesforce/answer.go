package salesforce

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// answer is the body of an answer: unpacked, and with errors that say which call they belong to. An early end is an
// error that matches ErrTemporary, or ErrOutcomeUnknown for class Ask; it is never taken for the end.
type answer struct {
	ctx  context.Context
	req  *Request
	raw  io.ReadCloser
	gzip bool
	r    io.Reader // nil until the first Read
	err  error
}

// openAnswer puts an answer over the body of resp. The client asks for gzip itself, so that any RoundTripper will do,
// and has to unpack it itself.
func openAnswer(ctx context.Context, req *Request, resp *http.Response) {
	a := &answer{ctx: ctx, req: req, raw: resp.Body}
	if strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") && resp.ContentLength != 0 && resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusNotModified {
		a.gzip = true
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.ContentLength = -1
		resp.Uncompressed = true
	}
	resp.Body = a
}

func (a *answer) Read(p []byte) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	var n int
	var err error
	switch {
	case a.r == nil && a.gzip:
		var z *gzip.Reader
		if z, err = gzip.NewReader(a.raw); err == nil {
			a.r = z
			n, err = z.Read(p)
		} else if err == io.EOF {
			err = io.ErrUnexpectedEOF // not even a header
		}
	case a.r == nil:
		a.r = a.raw
		fallthrough
	default:
		n, err = a.r.Read(p)
	}
	switch {
	case err == nil:
	case err == io.EOF:
		a.err = io.EOF
	case a.ctx.Err() != nil:
		a.err = fmt.Errorf("%s: read the answer: %w", a.req, a.ctx.Err())
	default:
		kind := ErrTemporary
		if a.req.Class != Repeat {
			kind = ErrOutcomeUnknown
		}
		a.err = fmt.Errorf("%s: read the answer: %w: %w", a.req, kind, err)
	}
	return n, a.err
}

func (a *answer) Close() error { return a.raw.Close() }

// maxJSON is the most that an answer in JSON may have, unpacked. A describe of a large object has a few MB, a full page
// of a wide query some 30.
const maxJSON = 256 << 20

// readJSON takes the whole body into out, which may be nil. The error tells an answer that did not come through (broken:
// another try may help) from one that came but does not fit out.
func readJSON(r *Request, resp *http.Response, out any) (broken bool, err error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxJSON+1))
	switch {
	case err != nil:
		return true, err
	case len(body) > maxJSON:
		return false, fmt.Errorf("%s: the answer has more than %d bytes", r, maxJSON)
	case out == nil || resp.StatusCode == http.StatusNoContent:
		return false, nil
	case !json.Valid(body):
		return true, fmt.Errorf("%s: %d: the answer of %d bytes (%s) is not whole JSON; is there a proxy or login page in between?",
			r, resp.StatusCode, len(body), firstOf(oneLine(resp.Header.Get("Content-Type"), 80), "no content type"))
	}
	if err := json.Unmarshal(body, out); err != nil {
		return false, fmt.Errorf("%s: the answer has another form than expected: %w", r, err)
	}
	return false, nil
}
