package localorg

import (
	"bytes"
	"maps"
	"net/http"
)

// lostWriter takes an answer that nobody gets.
type lostWriter struct{ header http.Header }

func (w *lostWriter) Header() http.Header         { return w.header }
func (w *lostWriter) WriteHeader(int)             {}
func (w *lostWriter) Write(p []byte) (int, error) { return len(p), nil }

// cutWriter ends the connection after some bytes of the body.
type cutWriter struct {
	http.ResponseWriter
	left int64
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if int64(len(p)) <= w.left {
		w.left -= int64(len(p))
		return w.ResponseWriter.Write(p)
	}
	w.ResponseWriter.Write(p[:w.left])
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
	panic(http.ErrAbortHandler)
}

// shortWriter drops the rest of the body and ends it as if it were whole.
type shortWriter struct {
	http.ResponseWriter
	left   int64
	chunks bool // leave the length open
}

func (w *shortWriter) WriteHeader(status int) {
	w.Header().Del("Content-Length")
	w.ResponseWriter.WriteHeader(status)
	if f, ok := w.ResponseWriter.(http.Flusher); ok && w.chunks {
		f.Flush() // no length is set any more
	}
}

func (w *shortWriter) Write(p []byte) (int, error) {
	w.Header().Del("Content-Length")
	n := min(int64(len(p)), w.left)
	w.left -= n
	if _, err := w.ResponseWriter.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// tricklePieces is how many pieces the answer of FaultTrickle comes in.
const tricklePieces = 16

// heldWriter keeps an answer back.
type heldWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *heldWriter) Header() http.Header { return w.header }

func (w *heldWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *heldWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// send sends the answer in some pieces of its body, with a pause between two; where there is one, the pause is before it. The first takes the
// header along.
func (w *heldWriter) send(to http.ResponseWriter, pieces int, pause func() bool) {
	w.WriteHeader(http.StatusOK)
	size := w.body.Len()/pieces + 1
	for first := true; first || w.body.Len() > 0; first = false {
		if first == (pieces == 1) && !pause() {
			panic(http.ErrAbortHandler)
		}
		if first {
			maps.Copy(to.Header(), w.header)
			to.WriteHeader(w.status)
		}
		to.Write(w.body.Next(size))
		if f, ok := to.(http.Flusher); ok && pieces > 1 {
			f.Flush()
		}
	}
}
