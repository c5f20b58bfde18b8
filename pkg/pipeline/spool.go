package pipeline

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/zeebo/xxh3"
)

// spool is a file of the run folder that holds the body of one ingest job while it is needed, or one result set while it is
// matched. It is not durable and need not be: it can be made or fetched again.
type spool struct {
	f    *os.File
	buf  []byte
	size int64
	hash *xxh3.Hasher
}

// spoolBuffer is the number of bytes that are gathered before they are written.
const spoolBuffer = 256 << 10

// spoolDir is the folder of the spools below the run folder.
const spoolDir = "spool"

// clearSpools removes what a process that was killed has left behind.
func clearSpools(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, spoolDir)); err != nil {
		return fmt.Errorf("clear spool: %w", err)
	}
	if err := os.Mkdir(filepath.Join(dir, spoolDir), 0o700); err != nil {
		return fmt.Errorf("make spool: %w", err)
	}
	return nil
}

func newSpool(dir, pattern string) (*spool, error) {
	f, err := os.CreateTemp(filepath.Join(dir, spoolDir), pattern) // mode 0600
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return &spool{f: f, buf: make([]byte, 0, spoolBuffer+16<<10), hash: xxh3.New()}, nil
}

// Write takes bytes at the end of the spool.
func (s *spool) Write(p []byte) (int, error) {
	s.buf = append(s.buf, p...)
	s.size += int64(len(p))
	if len(s.buf) >= spoolBuffer {
		return len(p), s.flush()
	}
	return len(p), nil
}

func (s *spool) flush() error {
	s.hash.Write(s.buf)
	if _, err := s.f.Write(s.buf); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.buf = s.buf[:0]
	return nil
}

// finish ends the writing and returns the hash of all bytes.
func (s *spool) finish() (string, error) {
	if err := s.flush(); err != nil {
		return "", err
	}
	s.buf = nil
	sum := s.hash.Sum128().Bytes()
	return hex.EncodeToString(sum[:]), nil
}

// open reads the finished spool from its start; several readers may be open at once.
func (s *spool) open() (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(s.f, 0, s.size)), nil
}

// remove frees the disk space. It may be called on nil and twice.
func (s *spool) remove() {
	if s == nil || s.f == nil {
		return
	}
	s.f.Close()
	os.Remove(s.f.Name())
	s.f = nil
}
