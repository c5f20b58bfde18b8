package salesforce

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// upload opens the bodies of one attempt: one as a rule, more when the transport finds that the connection it picked
// died before a byte was written.
type upload struct {
	open func() (io.ReadCloser, error)
	size int64

	mu     sync.Mutex
	bodies []*exactBody
}

func (u *upload) next() (io.ReadCloser, error) {
	src, err := u.open()
	if err != nil {
		return nil, fmt.Errorf("open the body: %w", err)
	}
	b := &exactBody{src: src, size: u.size, left: u.size}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.bodies = append(u.bodies, b)
	return b, nil
}

// end closes all bodies; no reader is touched after it. It reports how many bytes of the last one were not handed over,
// and what was wrong with it.
func (u *upload) end() (left int64, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, b := range u.bodies {
		left, err = b.end()
	}
	return left, err
}

func (u *upload) touched() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, b := range u.bodies {
		if b.touched() {
			return true
		}
	}
	return false
}

// exactBody hands over size bytes and then ends, or fails. The last bytes are held back until it is sure that none
// follow them, so that a body of another length never reaches the org whole. A transport may go on reading in its own
// goroutine after RoundTrip has returned; end stops it.
type exactBody struct {
	size int64

	mu    sync.Mutex
	src   io.ReadCloser
	left  int64
	err   error // what is wrong with src
	ended bool
}

var errEnded = errors.New("the request is over")

func (b *exactBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.err != nil:
		return 0, b.err
	case b.left == 0:
		return 0, io.EOF // also after end: a transport asks once more than it needs to
	case b.ended:
		return 0, errEnded
	case len(p) == 0:
		return 0, nil
	}
	n, err := b.src.Read(p[:min(int64(len(p)), b.left)])
	if int64(n) == b.left && (err == nil || err == io.EOF) {
		if err = probeEnd(b.src, err); err == errLonger {
			b.err = fmt.Errorf("the body is longer than the %d bytes announced: %w", b.size, err)
			return 0, b.err
		}
	}
	b.left -= int64(n)
	switch {
	case err == io.EOF && b.left > 0:
		b.err = fmt.Errorf("the body ended after %d of the %d bytes announced: %w", b.size-b.left, b.size, io.ErrUnexpectedEOF)
	case err != nil && err != io.EOF:
		b.err = fmt.Errorf("read the body after %d of %d bytes: %w", b.size-b.left, b.size, err)
	default:
		return n, nil
	}
	return 0, b.err
}

var errLonger = errors.New("wrong length")

// probeEnd looks for a byte after the last one; err is what came with the last one.
func probeEnd(src io.Reader, err error) error {
	var one [1]byte
	for tries := 0; err == nil; tries++ {
		var n int
		if n, err = src.Read(one[:]); n > 0 {
			return errLonger
		}
		if tries == 100 {
			return io.ErrNoProgress
		}
	}
	return err
}

func (b *exactBody) Close() error { _, err := b.end(); return err }

func (b *exactBody) end() (left int64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.ended = true
		b.src.Close()
		b.src = nil
	}
	return b.left, b.err
}

func (b *exactBody) touched() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left < b.size || b.err != nil
}
