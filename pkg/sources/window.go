package sources

import (
	"bytes"
	"context"
	"io"
	"math"
	"unicode/utf8"
)

const (
	windowSize = 256 << 10 // bytes of decoded text held at once, unless a record is longer
	rawSize    = 64 << 10  // bytes read at once where they have to be decoded
	slack      = 32        // bytes after the text that may be read but mean nothing
	none       = math.MaxInt
)

// window is the stretch of a split that is in memory, as UTF-8: buf[pos:end] is not consumed yet.
// It grows only when a single record does not fit.
type window struct {
	src   io.Reader // bytes on disk
	codec codec
	raw   []byte // read but not decoded yet; unused for UTF-8

	buf      []byte // len is capacity for text plus slack
	pos, end int
	eof      bool
	fills    int   // how often text was brought in
	failed   error // of a read that brought something in all the same

	checked int // text before it is valid, or bad is set
	bad     int // first NUL or invalid byte at or after pos, as far as checked; none
}

func newWindow(src io.Reader, c codec) *window {
	w := &window{src: src, codec: c, buf: make([]byte, windowSize+slack), bad: none}
	if c.decode != nil {
		w.raw = make([]byte, 0, rawSize)
	}
	return w
}

// fill brings more text in behind what is there, moving or growing the buffer to make room.
// At the end of the split it sets eof. Indexes into buf are void afterwards.
func (w *window) fill(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.failed != nil && len(w.raw) == 0 {
		return w.failed
	}
	w.fills++
	if w.pos > 0 {
		copy(w.buf, w.buf[w.pos:w.end])
		w.checked = max(w.checked-w.pos, 0)
		if w.bad != none {
			w.bad -= w.pos
		}
		w.end -= w.pos
		w.pos = 0
	}
	if room := len(w.buf) - slack; w.end > room/2 {
		grown := make([]byte, 2*room+slack)
		copy(grown, w.buf[:w.end])
		w.buf = grown
	}
	err := w.read(w.buf[: len(w.buf)-slack : len(w.buf)-slack])
	w.check()
	return err
}

func (w *window) read(buf []byte) error {
	if w.codec.decode == nil {
		n, err := io.ReadFull(w.src, buf[w.end:])
		w.end += n
		return w.ended(n, err)
	}
	for w.end+4 <= len(buf) {
		if w.failed == nil {
			n, err := w.src.Read(w.raw[len(w.raw):cap(w.raw)])
			w.raw = w.raw[:len(w.raw)+n]
			if err := w.ended(n, err); err != nil {
				return err
			}
		}
		nd, ns := w.codec.decode(buf[w.end:], w.raw, w.eof)
		w.end += nd
		w.raw = w.raw[:copy(w.raw, w.raw[ns:])]
		if w.failed != nil && ns == 0 {
			w.raw = w.raw[:0] // half a character
		}
		if len(w.raw) == 0 && (w.eof || w.failed != nil) {
			break
		}
		w.eof = false // text is left over
	}
	return nil
}

// ended judges the outcome of a read. An error counts only when what came before it has been used.
func (w *window) ended(n int, err error) error {
	switch {
	case err == nil:
		return nil
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		w.eof = true
		return nil
	case n > 0:
		w.failed = err
		return nil
	}
	return err
}

// check looks for the first NUL or invalid byte in text that was not looked at yet.
func (w *window) check() {
	if w.bad != none {
		return
	}
	from := max(w.checked, w.pos)
	to := w.end
	if !w.eof {
		to -= partialRune(w.buf[from:w.end])
	}
	if i := firstBad(w.buf[from:to]); i >= 0 {
		w.bad = from + i
	}
	w.checked = to
}

// passed drops what is known about bad bytes before pos and looks for the next.
func (w *window) passed() {
	if w.bad < w.pos {
		w.bad = none
		w.checked = w.pos
		w.check()
	}
}

func firstBad(b []byte) int {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i+1]
	} else if utf8.Valid(b) {
		return -1
	}
	i := 0
	for i < len(b) {
		if c := b[i]; c < utf8.RuneSelf {
			if c == 0 {
				return i
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// partialRune is the number of bytes at the end of b that may be the start of a character.
func partialRune(b []byte) int {
	for n := 1; n <= 3 && n <= len(b); n++ {
		c := b[len(b)-n]
		if utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}
