package sources

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/zeebo/xxh3"
)

// Fingerprint tells whether a file is still the same without reading all of it.
type Fingerprint struct {
	Size    int64     `json:"size"` // bytes
	ModTime time.Time `json:"mod_time"`
	// Sample is the 128-bit XXH3, in hex, of the head, the tail and blocks between them: all of a
	// file up to 256 KiB, and that much of a larger one. It guards against mistakes, not malice.
	Sample string `json:"sample"`
}

const (
	sampleBlocks = 16
	sampleBlock  = 16 << 10 // bytes
)

// FingerprintFile takes the fingerprint of a regular file. It reads at most 256 KiB.
func FingerprintFile(path string) (Fingerprint, error) {
	f, err := openRegular(path)
	if err != nil {
		return Fingerprint{}, err
	}
	defer f.Close()
	return fingerprint(f)
}

func fingerprint(f *os.File) (Fingerprint, error) {
	st, err := f.Stat()
	if err != nil {
		return Fingerprint{}, err
	}
	h := xxh3.New()
	err = sample(f, st.Size(), sampleBlocks, sampleBlock, func(b []byte) { h.Write(b) })
	if err != nil {
		return Fingerprint{}, fmt.Errorf("fingerprint: %w", err)
	}
	sum := h.Sum128().Bytes()
	return Fingerprint{Size: st.Size(), ModTime: st.ModTime().UTC(), Sample: fmt.Sprintf("%x", sum)}, nil
}

// Diff says what differs between two fingerprints of one path, or "" when they are the same.
func (f Fingerprint) Diff(g Fingerprint) string {
	var d []string
	if f.Size != g.Size {
		d = append(d, fmt.Sprintf("size was %d bytes, is %d", f.Size, g.Size))
	}
	if !f.ModTime.Equal(g.ModTime) {
		d = append(d, fmt.Sprintf("modified at %s, before at %s",
			g.ModTime.UTC().Format(time.RFC3339Nano), f.ModTime.UTC().Format(time.RFC3339Nano)))
	}
	if f.Sample != g.Sample {
		d = append(d, "content differs")
	}
	return strings.Join(d, "; ")
}

// sample calls use for n blocks of the given size, evenly spread, the first at the head and the last
// at the tail; or for the whole file, block by block, where that is no more.
func sample(r io.ReaderAt, size int64, n, block int, use func([]byte)) error {
	buf := make([]byte, block)
	at := func(i int64) int64 { return i * int64(block) }
	if size > int64(n)*int64(block) {
		at = func(i int64) int64 { return (size - int64(block)) * i / int64(n-1) }
	}
	for i := range int64(n) {
		off := at(i)
		if off >= size {
			break
		}
		k, err := r.ReadAt(buf, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		use(buf[:k])
	}
	return nil
}

// openRegular opens a file that can be read twice and by position.
func openRegular(path string) (*os.File, error) {
	st, err := os.Stat(path) // before Open, which would wait on a named pipe
	if err != nil {
		return nil, err
	}
	switch {
	case st.IsDir():
		return nil, fmt.Errorf("%s: is a folder; name the files in it", path)
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is not a regular file, so it cannot be read again after a stop; save it to a file first", path)
	}
	return os.Open(path)
}

// openSame opens the file of a split, if it is still the one that the split was made from.
func openSame(s Split) (*os.File, error) {
	f, err := openRegular(s.disk())
	if err != nil || s.Fingerprint == (Fingerprint{}) {
		return f, err
	}
	now, err := fingerprint(f)
	if err == nil {
		if d := s.Fingerprint.Diff(now); d != "" {
			err = fmt.Errorf("%s: %w: %s", s.Path, ErrChanged, d)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
