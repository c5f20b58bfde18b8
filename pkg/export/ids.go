package export

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"migrate/pkg/checkpoint"
)

const idsPrefix = "ids-"

// The ids of what was exported are a log: a sign and an id in each line, + for a record that is in the copy, - for one that was deleted
// from it. The last line about a record counts. A run that has not moved the mark may have published or not: what it has brought may be in the copy,
// and what it has deleted may still be, so that its deletes are void. A record that only the org has at a comparison is expected: it is new, and the
// next run brings it.
const (
	inCopy   = '+'
	outCopy  = '-'
	void     = '~'
	expected = '?'
)

// idLog writes such a log.
type idLog struct {
	f *os.File
	w *bufio.Writer
	n int64 // bytes
}

// makeIDLog begins a log anew.
func makeIDLog(path string) (*idLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("ids of what was exported: %w", err)
	}
	return &idLog{f: f, w: bufio.NewWriterSize(f, 1<<16)}, nil
}

// openIDLog opens a log for writing behind what is there, of which so many bytes belong to the mark.
func openIDLog(path string, from int64) (*idLog, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("ids of what was exported: %w; remove the folder of the mark, and all rows are exported again", err)
	}
	l := &idLog{f: f, w: bufio.NewWriterSize(f, 1<<16), n: from}
	if err := l.doubt(); err != nil {
		f.Close()
		return nil, err
	}
	return l, nil
}

// doubt makes the deletes void that stand behind the mark, and cuts off a line that is not whole.
func (l *idLog) doubt() error {
	info, err := l.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < l.n {
		return fmt.Errorf("%s is cut short; remove the folder, and all rows are exported again", l.f.Name())
	}
	r := bufio.NewReaderSize(io.NewSectionReader(l.f, l.n, toEnd-l.n), 1<<16)
	for {
		line, err := r.ReadSlice('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("%s is damaged: %w; remove the folder, and all rows are exported again", l.f.Name(), err)
		}
		if line[0] == outCopy {
			if _, err := l.f.WriteAt([]byte{void}, l.n); err != nil {
				return err
			}
		}
		l.n += int64(len(line))
	}
	if err := l.f.Truncate(l.n); err != nil {
		return err
	}
	_, err = l.f.Seek(l.n, io.SeekStart)
	return err
}

func (l *idLog) add(sign byte, id []byte) error {
	l.w.WriteByte(sign)
	l.w.Write(id)
	l.n += int64(len(id)) + 2
	return l.w.WriteByte('\n') // which has the error of those before
}

// sync makes what was written durable.
func (l *idLog) sync() error {
	if err := errors.Join(l.w.Flush(), l.f.Sync()); err != nil {
		return fmt.Errorf("ids of what was exported: %w", err)
	}
	return checkpoint.SyncDir(filepath.Dir(l.f.Name()))
}

func (l *idLog) close() error { return l.f.Close() }

// buckets is in how many parts ids are compared: each fits into memory, 10 M ids in 156,000.
const buckets = 64

// comparison finds the records of a copy that are gone, in memory that does not grow with them: ids go to one of many files by their hash, and
// each is compared by itself.
type comparison struct {
	dir   string
	files [buckets]*os.File
	w     [buckets]*bufio.Writer
}

// The kinds of ids, beside those of a log.
const (
	inOrg     = 'o'
	wasHere   = 'k' // in a log before this run
	notHere   = 'g' // out of it
	maybeHere = 'm' // may have come into the copy meanwhile; the next comparison tells
)

func newComparison(dir string) (*comparison, error) {
	c := &comparison{dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for i := range c.files {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%02d", i)), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
		if err != nil {
			c.close()
			return nil, err
		}
		c.files[i], c.w[i] = f, bufio.NewWriterSize(f, 1<<15)
	}
	return c, nil
}

func (c *comparison) add(kind byte, id []byte) error {
	w := c.w[xxh3.Hash(id)%buckets]
	w.WriteByte(kind)
	w.Write(id)
	return w.WriteByte('\n')
}

// toEnd is more bytes than a file has.
const toEnd = 1 << 62

// log takes the lines of a log from one byte to another, as ids that are in and ids that are out.
func (c *comparison) log(path string, from, to int64, in, out byte) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("ids of what was exported: %w", err)
	}
	defer f.Close()
	r := bufio.NewScanner(io.NewSectionReader(f, from, to-from))
	for r.Scan() {
		line := r.Bytes()
		if len(line) < 2 || !strings.ContainsRune("+-~?", rune(line[0])) {
			return fmt.Errorf("%s is damaged; remove the folder, and all rows are exported again", path)
		}
		kind := in
		switch line[0] {
		case void:
			continue
		case outCopy:
			kind = out
		case expected:
			kind = expected
		}
		if err := c.add(kind, line[1:]); err != nil {
			return err
		}
	}
	return r.Err()
}

// org takes the ids that the org has, one in each line behind a header.
func (c *comparison) org(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("ids of the org: %w", err)
	}
	defer f.Close()
	r := bufio.NewScanner(f)
	if !r.Scan() || r.Text() != "Id" {
		return fmt.Errorf("%s does not hold ids", path)
	}
	for r.Scan() {
		if err := c.add(inOrg, r.Bytes()); err != nil {
			return err
		}
	}
	return r.Err()
}

// end tells the records that are gone, and, with the sign of a log, those that are in the copy from now on. A record that this run has brought is
// there, whenever the org was asked for its ids. missing are those that were expected at the last comparison and have not come since.
func (c *comparison) end(gone func(id []byte) error, there func(sign byte, id []byte) error) (missing int64, err error) {
	for i := range c.files {
		if err := c.w[i].Flush(); err != nil {
			return missing, err
		}
		if _, err := c.files[i].Seek(0, io.SeekStart); err != nil {
			return missing, err
		}
		type state struct{ known, alive, deleted, maybe, brought, expected bool }
		ids := map[string]state{}
		r := bufio.NewScanner(c.files[i])
		for r.Scan() {
			line := r.Bytes()
			s := ids[string(line[1:])]
			switch line[0] {
			case wasHere:
				s.known = true
			case notHere:
				s.known, s.expected = false, false
			case maybeHere:
				s.maybe = true
			case expected:
				s.expected = true
			case inOrg:
				s.alive = true
			case inCopy:
				s.alive, s.brought, s.deleted = true, true, false
			case outCopy:
				s.deleted = true
			}
			ids[string(line[1:])] = s
		}
		if err := r.Err(); err != nil {
			return missing, err
		}
		var lost []string
		for id, s := range ids {
			if s.alive && !s.deleted || s.maybe {
				sign := byte(inCopy)
				if !s.known && !s.brought && !s.maybe {
					sign = expected
					if s.expected {
						missing++
					}
				}
				if err := there(sign, []byte(id)); err != nil {
					return missing, err
				}
			}
			if s.known && !s.alive && !s.deleted {
				lost = append(lost, id)
			}
		}
		slices.Sort(lost)
		for _, id := range lost {
			if err := gone([]byte(id)); err != nil {
				return missing, err
			}
		}
	}
	return missing, nil
}

func (c *comparison) close() error {
	for _, f := range c.files {
		if f != nil {
			f.Close()
		}
	}
	return os.RemoveAll(c.dir)
}
