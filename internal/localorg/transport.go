package localorg

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// Transport serves requests in process, without sockets: whatever host a request names, this org answers. Bodies
// stream both ways. It keeps net/http's contract: the request body is closed, the request's context ends a call, a body
// shorter or longer than its Content-Length is an error, and a handler that ends the connection
// gives an error instead of an answer. It works inside a testing/synctest bubble in which the org was opened.
func (o *Org) Transport() http.RoundTripper { return &transport{o} }

type transport struct{ org *Org }

var errReset = errors.New("connection reset by the local org")

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	body := &requestBody{ctx: req.Context(), body: req.Body, left: req.ContentLength}
	switch {
	case req.Body == nil || req.Body == http.NoBody:
		body.body, body.left = http.NoBody, 0
	case req.ContentLength == 0: // of a client that means unknown
		body.left = -1
	}
	if err := req.Context().Err(); err != nil {
		body.Close()
		return nil, err
	}
	if t.org.Refuses(req) {
		body.Close()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused by the local org")}
	}
	ctx, cancel := context.WithCancel(req.Context())
	in := req.Clone(ctx)
	in.Body, in.ContentLength = body, body.left
	in.RequestURI = req.URL.RequestURI()
	in.RemoteAddr = "127.0.0.1:0"
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	if req.URL.Scheme == "https" {
		in.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	pr, pw := io.Pipe()
	a := &answerWriter{header: http.Header{}, pipe: pw, ready: make(chan struct{})}
	a.buf = bufio.NewWriterSize(pw, 64<<10)

	t.org.mu.Lock()
	if t.org.closed {
		t.org.mu.Unlock()
		cancel()
		body.Close()
		return nil, errors.New("the local org is closed")
	}
	t.org.wg.Add(1)
	t.org.mu.Unlock()
	stop := context.AfterFunc(t.org.ctx, cancel)
	go func() {
		defer t.org.wg.Done()
		defer stop()
		defer body.Close()
		a.finish(t.serve(a, in, body))
	}()
	select {
	case <-a.ready:
	case <-ctx.Done():
		body.Close()
		pr.CloseWithError(ctx.Err())
		return nil, ctx.Err()
	}
	if a.failed != nil {
		cancel()
		return nil, a.failed
	}
	closeBody := context.AfterFunc(ctx, func() { pr.CloseWithError(ctx.Err()) })
	res := &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: a.sent, Request: req, ContentLength: a.length,
	}
	res.Body = &answerBody{PipeReader: pr, left: a.length, end: func() { closeBody(); cancel() }}
	if req.Method == http.MethodHead || a.length == 0 {
		res.Body.Close()
		res.Body = http.NoBody
	}
	return res, nil
}

// serve runs the handler and gives the error that the client is to see.
func (t *transport) serve(a *answerWriter, r *http.Request, body *requestBody) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				panic(p)
			}
			err = errReset
		}
		if body.bad != nil {
			err = body.bad
		}
	}()
	t.org.ServeHTTP(a, r)
	return nil
}

// requestBody hands the client's body to the handler and checks its length. Only the handler's goroutine reads; a close
// may come from elsewhere and ends a read that hangs, as net/http does it.
type requestBody struct {
	ctx  context.Context // of the call that this body belongs to; ends its reads
	body io.ReadCloser
	left int64 // -1 when the length is not known
	bad  error
	once sync.Once
	done atomic.Bool
}

func (b *requestBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if b.done.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.body.Read(p)
	if b.left < 0 {
		if err != nil && err != io.EOF {
			b.bad = err
		}
		return n, err
	}
	b.left -= int64(n)
	switch {
	case b.left < 0:
		b.bad = errors.New("request body is longer than its Content-Length")
		return 0, b.bad
	case err == io.EOF && b.left > 0:
		b.bad = fmt.Errorf("request body is %d bytes shorter than its Content-Length", b.left)
		return n, io.ErrUnexpectedEOF
	case err != nil && err != io.EOF:
		b.bad = err
	}
	return n, err
}

func (b *requestBody) Close() error {
	var err error
	b.once.Do(func() {
		b.done.Store(true)
		err = b.body.Close()
	})
	return err
}

// answerWriter is the handler's side of an answer.
type answerWriter struct {
	header http.Header
	pipe   *io.PipeWriter
	buf    *bufio.Writer
	ready  chan struct{} // closed when the fields below are set
	status int
	sent   http.Header
	length int64
	failed error
}

func (a *answerWriter) Header() http.Header { return a.header }

func (a *answerWriter) WriteHeader(status int) {
	if a.status != 0 {
		return
	}
	a.status, a.sent, a.length = status, a.header.Clone(), -1
	if s := a.header.Get("Content-Length"); s != "" {
		fmt.Sscan(s, &a.length)
	} else if status == http.StatusNoContent || status == http.StatusNotModified {
		a.length = 0
	}
	close(a.ready)
}

func (a *answerWriter) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.buf.Write(p)
}

func (a *answerWriter) Flush() {
	a.WriteHeader(http.StatusOK)
	a.buf.Flush()
}

// finish ends the answer; err takes the place of its end, or of all of it when nothing was sent.
func (a *answerWriter) finish(err error) {
	if a.status == 0 && err != nil {
		a.failed = err
		close(a.ready)
		return
	}
	a.WriteHeader(http.StatusOK)
	a.buf.Flush()
	if err != nil {
		err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	a.pipe.CloseWithError(err)
}

// answerBody is the client's side of an answer. It checks the length and ends the call when it is closed.
type answerBody struct {
	*io.PipeReader
	left int64
	end  func()
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.PipeReader.Read(p)
	if b.left >= 0 {
		b.left -= int64(n)
		if err == io.EOF && b.left > 0 {
			return n, io.ErrUnexpectedEOF
		}
	}
	return n, err
}

func (b *answerBody) Close() error {
	err := b.PipeReader.Close()
	b.end()
	return err
}
