package salesforce_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"migrate/pkg/salesforce"
)

// tracked is a body that knows whether it is touched after it was closed.
type tracked struct {
	r      io.Reader
	closed atomic.Bool
	late   *atomic.Bool
	opened *atomic.Int64 // bodies not closed yet
}

func (b *tracked) Read(p []byte) (int, error) {
	if b.closed.Load() {
		b.late.Store(true)
	}
	return b.r.Read(p)
}

func (b *tracked) Close() error {
	if !b.closed.Swap(true) {
		b.opened.Add(-1)
	}
	return nil
}

// TestBodyLength: over a real connection, a body of another length than announced never arrives whole, and one of the
// right length does, however its reader behaves.
func TestBodyLength(t *testing.T) {
	t.Parallel()
	var whole, part atomic.Int64
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err == nil && n == r.ContentLength {
			whole.Add(1)
		} else {
			part.Add(1)
		}
	})
	const size = 1 << 20
	long := strings.Repeat("x", size+1)
	for _, tt := range []struct {
		name string
		body func() io.Reader
		good bool
		say  string
	}{
		{"right", func() io.Reader { return strings.NewReader(long[:size]) }, true, ""},
		{"right, end with the last bytes", func() io.Reader { return iotest.DataErrReader(strings.NewReader(long[:size])) }, true, ""},
		{"right, in small pieces", func() io.Reader { return iotest.HalfReader(strings.NewReader(long[:size])) }, true, ""},
		{"one more", func() io.Reader { return strings.NewReader(long) }, false, "longer than the 1048576 bytes"},
		{"one more, in small pieces", func() io.Reader { return iotest.HalfReader(strings.NewReader(long)) }, false, "longer than the 1048576 bytes"},
		{"one less", func() io.Reader { return strings.NewReader(long[:size-1]) }, false, "after 1048575 of the 1048576 bytes"},
		{"nothing", func() io.Reader { return strings.NewReader("") }, false, "after 0 of the 1048576 bytes"},
		{"breaks", func() io.Reader {
			return io.MultiReader(strings.NewReader(long[:size/2]), iotest.ErrReader(errors.New("disk error")))
		}, false, "disk error"},
		{"breaks after the last byte", func() io.Reader {
			return io.MultiReader(strings.NewReader(long[:size]), iotest.ErrReader(errors.New("disk error")))
		}, false, "disk error"},
	} {
		for _, class := range []salesforce.Class{salesforce.Ask, salesforce.Repeat} {
			before, calls := whole.Load(), c.Calls()
			var late atomic.Bool
			var opened atomic.Int64
			resp, err := c.Do(t.Context(), &salesforce.Request{Method: "PUT", Path: "/x", Class: class, Size: size,
				Body: func() (io.ReadCloser, error) {
					opened.Add(1)
					return &tracked{r: tt.body(), late: &late, opened: &opened}, nil
				}})
			if err == nil {
				resp.Body.Close()
			}
			arrived := whole.Load() - before
			switch {
			case tt.good && (err != nil || arrived != 1):
				t.Errorf("%s, class %d: got %v, arrived %d times", tt.name, class, err, arrived)
			case !tt.good && (err == nil || arrived != 0):
				t.Errorf("%s, class %d: got %v, arrived %d times", tt.name, class, err, arrived)
			case !tt.good && errors.Is(err, salesforce.ErrTemporary):
				t.Errorf("%s, class %d: got %v, want a final error", tt.name, class, err)
			case !tt.good && class == salesforce.Ask != errors.Is(err, salesforce.ErrOutcomeUnknown):
				t.Errorf("%s, class %d: got %v", tt.name, class, err)
			case !tt.good && !strings.Contains(err.Error(), tt.say):
				t.Errorf("%s, class %d: the error does not say what is wrong: %v", tt.name, class, err)
			case c.Calls() != calls+1:
				t.Errorf("%s, class %d: %d calls", tt.name, class, c.Calls()-calls)
			case late.Load() || opened.Load() != 0:
				t.Errorf("%s, class %d: read after close %v, bodies left open %d", tt.name, class, late.Load(), opened.Load())
			}
		}
	}
}

// TestBodyIsOpenedAgain for every attempt, and each time whole.
func TestBodyIsOpenedAgain(t *testing.T) {
	t.Parallel()
	var opens, bad atomic.Int64
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if b, _ := io.ReadAll(r.Body); string(b) != "Name\nAcme\n" {
			bad.Add(1)
		}
		if opens.Load() < 4 {
			w.WriteHeader(503)
		}
	})
	resp, err := c.Do(t.Context(), &salesforce.Request{Method: "PUT", Path: "/x", Class: salesforce.Repeat, Size: 10,
		Body: func() (io.ReadCloser, error) { opens.Add(1); return text("Name\nAcme\n")() }})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if opens.Load() != 4 || bad.Load() != 0 {
		t.Errorf("opened %d times, %d bad bodies", opens.Load(), bad.Load())
	}
}

// TestEmptyBody of a PUT is sent as such.
func TestEmptyBody(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 || len(r.TransferEncoding) != 0 {
			w.WriteHeader(400)
		}
	})
	for name, body := range map[string]func() (io.ReadCloser, error){"none": nil, "empty": text("")} {
		resp, err := c.Do(t.Context(), &salesforce.Request{Method: "PUT", Path: "/x", Body: body})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		resp.Body.Close()
	}
}

// TestSuccessBeforeTheWholeBody: an org that says 201 and has not had all bytes cannot be believed.
func TestSuccessBeforeTheWholeBody(t *testing.T) {
	t.Parallel()
	c := open(t, salesforce.Config{Sleep: noSleep, Transport: wire(func(r *http.Request) (*http.Response, error) {
		r.Body.Read(make([]byte, 4))
		return reply(201, ""), nil
	})})
	_, err := c.Do(t.Context(), &salesforce.Request{Method: "PUT", Path: "/x", Body: text("Name\nAcme\n"), Size: 10})
	if got := outcome(err); got != "outcome unknown" || !strings.Contains(err.Error(), "last 6 of 10 bytes") {
		t.Errorf("got %s: %v", got, err)
	}
}

// TestSuccessAfterABrokenBody: the same when the transport swallows what the body's reader said.
func TestSuccessAfterABrokenBody(t *testing.T) {
	t.Parallel()
	c := open(t, salesforce.Config{Sleep: noSleep, Transport: wire(func(r *http.Request) (*http.Response, error) {
		io.ReadAll(r.Body)
		return reply(201, ""), nil
	})})
	for _, size := range []int64{9, 10, 11} {
		resp, err := c.Do(t.Context(), &salesforce.Request{Method: "PUT", Path: "/x", Body: text("Name\nAcme\n"), Size: size})
		if got := outcome(err); (got == "ok") != (size == 10) || size != 10 && got != "outcome unknown" {
			t.Errorf("announced %d: got %s: %v", size, got, err)
		}
		if err == nil {
			resp.Body.Close()
		}
	}
	broken := func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader("Name\nAcme\n"), iotest.ErrReader(errors.New("disk error")))), nil
	}
	_, err := c.Do(t.Context(), &salesforce.Request{Method: "PUT", Path: "/x", Body: broken, Size: 10})
	if got := outcome(err); got != "outcome unknown" || !strings.Contains(err.Error(), "disk error") {
		t.Errorf("broken after the last byte: got %s: %v", got, err)
	}
}

// TestDeadConnection: a kept connection that takes no byte any more is no reason to doubt the outcome; the request goes
// over a new one, whole.
func TestDeadConnection(t *testing.T) {
	t.Parallel()
	var requests, bad atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if b, _ := io.ReadAll(r.Body); string(b) != "Name\nAcme\n" {
			bad.Add(1)
		}
	}))
	t.Cleanup(s.Close)
	var conns atomic.Int64
	tr := salesforce.NewTransport()
	tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil && conns.Add(1) == 1 {
			c = &dyingConn{Conn: c}
		}
		return c, err
	}
	c := open(t, salesforce.Config{InstanceURL: s.URL, Transport: tr, Sleep: noSleep})
	for n := range 2 {
		resp, err := c.Do(t.Context(), &salesforce.Request{Method: "PUT", Path: "/x", Body: text("Name\nAcme\n"), Size: 10})
		if err != nil {
			t.Fatalf("request %d: %v", n, err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if conns.Load() != 2 || requests.Load() != 2 || bad.Load() != 0 {
		t.Errorf("got %d connections, %d requests, %d bad bodies", conns.Load(), requests.Load(), bad.Load())
	}
}

// dyingConn takes no byte any more once it has given one.
type dyingConn struct {
	net.Conn
	dead atomic.Bool
}

func (c *dyingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.dead.Store(true)
	}
	return n, err
}

func (c *dyingConn) Write(p []byte) (int, error) {
	if c.dead.Load() {
		return 0, errors.New("broken pipe")
	}
	return c.Conn.Write(p)
}

// TestRefusalBeforeTheWholeBody: the org may refuse an upload after its first bytes; the refusal is what counts.
func TestRefusalBeforeTheWholeBody(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.CopyN(io.Discard, r.Body, 10)
		w.WriteHeader(400)
		io.WriteString(w, badField)
	})
	body := bytes.Repeat([]byte("x"), 200<<10)
	_, err := c.Do(t.Context(), &salesforce.Request{Method: "PUT", Path: "/x", Size: int64(len(body)),
		Body: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }})
	if got := outcome(err); got != "400" {
		t.Errorf("got %s: %v", got, err)
	}
}

// TestBodyLengthProperty: for any body, announced length and behaviour of the reader, an org that reads all it is given
// has a body of the announced length if and only if the call succeeds, which it does if and only if the lengths agree.
func TestBodyLengthProperty(t *testing.T) {
	t.Parallel()
	var got []byte
	var whole bool
	c := open(t, salesforce.Config{Sleep: noSleep, Transport: wire(func(r *http.Request) (*http.Response, error) {
		got, whole = nil, false
		if r.Body != nil {
			var err error
			if got, err = io.ReadAll(r.Body); err != nil {
				return nil, err
			}
		}
		whole = int64(len(got)) == r.ContentLength
		return reply(200, ""), nil
	})})
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "body")
		size := int64(max(0, len(body)+rapid.IntRange(-2, 2).Draw(t, "off by")))
		wrap := rapid.SampledFrom([]func(io.Reader) io.Reader{
			func(r io.Reader) io.Reader { return r }, iotest.DataErrReader, iotest.OneByteReader, iotest.HalfReader,
			func(r io.Reader) io.Reader { return iotest.DataErrReader(iotest.OneByteReader(r)) },
		}).Draw(t, "reader")
		whole = false
		resp, err := c.Do(t.Context(), &salesforce.Request{Method: "PUT", Path: "/x", Size: size,
			Body: func() (io.ReadCloser, error) { return io.NopCloser(wrap(bytes.NewReader(body))), nil }})
		if right := size == int64(len(body)); right != (err == nil) || right != whole {
			t.Fatalf("body %d, announced %d: whole %v, error %v", len(body), size, whole, err)
		}
		if err == nil {
			resp.Body.Close()
			if !bytes.Equal(got, body) {
				t.Fatalf("got %q, want %q", got, body)
			}
		}
	})
}
