package pipeline_test

import (
	"context"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/salesforce"
)

// wire is the client's own transport and a real HTTP server with the org behind it. Only the connections between them are not real: they
// lie in memory, so that they work inside a bubble.
type wire struct {
	org                *localorg.Org
	meets, meetsNobody *http.Transport
}

// newWire connects to an org. Half of the connections that the org breaks off end with a reset, the others with an end of file.
func newWire(t testing.TB, org *localorg.Org, rng *rand.Rand) *wire {
	t.Helper()
	l := &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: org, ErrorLog: log.New(io.Discard, "", 0)}
	over := make(chan struct{})
	go func() {
		server.Serve(l)
		close(over)
	}()
	var dials atomic.Uint64
	odd := rng.Uint64N(2)
	w := &wire{org: org, meets: salesforce.NewTransport(), meetsNobody: salesforce.NewTransport()}
	w.meets.DialContext = salesforce.Live(func(ctx context.Context, _, _ string) (net.Conn, error) {
		return l.dial(ctx, dials.Add(1)%2 == odd)
	})
	w.meetsNobody.DialContext = salesforce.Live(func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	})
	w.meets.Proxy, w.meetsNobody.Proxy = nil, nil
	t.Cleanup(func() {
		w.meets.CloseIdleConnections()
		server.Close()
		<-over
	})
	return w
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.org.Refuses(r) {
		return w.meetsNobody.RoundTrip(r)
	}
	return w.meets.RoundTrip(r)
}

type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *memoryListener) dial(ctx context.Context, resets bool) (net.Conn, error) {
	up, down := newFlow(), newFlow()
	select {
	case l.conns <- &memoryConn{in: up, out: down}:
		return &memoryConn{in: down, out: up, resets: resets}, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memoryListener) Addr() net.Addr { return memoryAddr{} }

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "memory" }

// memoryConn is one end of a connection. Unlike net.Pipe it takes a kernel's buffer full of bytes before anybody reads them.
type memoryConn struct {
	in, out *flow
	resets  bool // an end that the other side makes is told as a reset
}

func (c *memoryConn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	if err == io.EOF && c.resets {
		err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	return n, err
}

func (c *memoryConn) Write(p []byte) (int, error) { return c.out.write(p) }

func (c *memoryConn) Close() error {
	c.in.end(true)
	c.out.end(false)
	return nil
}

func (c *memoryConn) LocalAddr() net.Addr  { return memoryAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr { return memoryAddr{} }

func (c *memoryConn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *memoryConn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.reading, t)
	return nil
}

func (c *memoryConn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writing, t)
	return nil
}

const flowSize = 64 << 10

// flow is one direction of a connection.
type flow struct {
	mu      sync.Mutex
	moved   *sync.Cond
	buf     []byte
	ended   bool // by the writer: an end of file behind buf
	dropped bool // by the reader
	reading deadline
	writing deadline
}

type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) over() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func newFlow() *flow {
	f := &flow{}
	f.moved = sync.NewCond(&f.mu)
	return f
}

func (f *flow) read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.dropped:
			return 0, net.ErrClosed
		case f.reading.over():
			return 0, os.ErrDeadlineExceeded
		case len(f.buf) > 0:
			n := copy(p, f.buf)
			f.buf = f.buf[n:]
			f.moved.Broadcast()
			return n, nil
		case f.ended:
			return 0, io.EOF
		}
		f.moved.Wait()
	}
}

func (f *flow) write(p []byte) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.ended:
			return n, net.ErrClosed
		case f.dropped:
			return n, &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.EPIPE)}
		case f.writing.over():
			return n, os.ErrDeadlineExceeded
		}
		k := min(len(p), flowSize-len(f.buf))
		f.buf = append(f.buf, p[:k]...)
		p, n = p[k:], n+k
		f.moved.Broadcast()
		if len(p) == 0 {
			return n, nil
		}
		f.moved.Wait()
	}
}

// end ends the flow by its reader or by its writer.
func (f *flow) end(reader bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if reader {
		f.dropped, f.buf = true, nil
	} else {
		f.ended = true
	}
	for _, d := range []*deadline{&f.reading, &f.writing} {
		if d.timer != nil {
			d.timer.Stop()
		}
	}
	f.moved.Broadcast()
}

func (f *flow) setDeadline(d *deadline, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	*d = deadline{at: at}
	if !at.IsZero() {
		d.timer = time.AfterFunc(time.Until(at), f.wakeUp)
	}
	f.moved.Broadcast()
}

func (f *flow) wakeUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.moved.Broadcast()
}
