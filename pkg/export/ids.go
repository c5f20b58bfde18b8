package export

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/zeebo/xxh3"

	"migrate/pkg/checkpoint"
)

const idsPrefix = "ids-"

// The ids of what was exported are a log: a sign and an id in each line, + for a record that is in the copy, - for one that was deleted
// from it. The last line about a record counts.
const (
	inCopy  = '+'
	outCopy = '-'
)

// idLog writes such a log.
type idLog struct {
	f *os.File
	w *bufio.Writer
	n int64 // bytes
}

// openIDLog opens a log for writing behind so many bytes; what stands there behind them was written by a run that came to nothing.
func openIDLog(path string, from int64) (*idLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("ids of what was exported: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() < from {
		err = fmt.Errorf("%s is cut short; remove the folder, and all rows are exported again", path)
	}
	if err == nil {
		err = f.Truncate(from)
	}
	if err == nil {
		_, err = f.Seek(from, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &idLog{f: f, w: bufio.NewWriterSize(f, 1<<16), n: from}, nil
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
	inOrg   = 'o'
	wasHere = 'k' // in a log before this run
	notHere = 'g' // out of it
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

// log takes the lines of a log from one byte to another. old says that they are of earlier runs.
func (c *comparison) log(path string, from, to int64, old bool) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("ids of what was exported: %w", err)
	}
	defer f.Close()
	r := bufio.NewScanner(io.NewSectionReader(f, from, to-from))
	for r.Scan() {
		line := r.Bytes()
		if len(line) < 2 || line[0] != inCopy && line[0] != outCopy {
			return fmt.Errorf("%s is damaged; remove the folder, and all rows are exported again", path)
		}
		kind := line[0]
		switch {
		case old && kind == inCopy:
			kind = wasHere
		case old:
			kind = notHere
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

// end tells the records that are gone, and those that are in the copy from now on. A record that this run has brought is there, whenever the org
// was asked for its ids.
func (c *comparison) end(gone, there func(id []byte) error) error {
	for i := range c.files {
		if err := c.w[i].Flush(); err != nil {
			return err
		}
		if _, err := c.files[i].Seek(0, io.SeekStart); err != nil {
			return err
		}
		type state struct{ known, alive, deleted bool }
		ids := map[string]state{}
		r := bufio.NewScanner(c.files[i])
		for r.Scan() {
			line := r.Bytes()
			s := ids[string(line[1:])]
			switch line[0] {
			case wasHere:
				s.known = true
			case notHere:
				s.known = false
			case inOrg:
				s.alive = true
			case inCopy:
				s.alive, s.deleted = true, false
			case outCopy:
				s.deleted = true
			}
			ids[string(line[1:])] = s
		}
		if err := r.Err(); err != nil {
			return err
		}
		var lost []string
		for id, s := range ids {
			switch {
			case s.deleted:
			case s.alive:
				if err := there([]byte(id)); err != nil {
					return err
				}
			case s.known:
				lost = append(lost, id)
			}
		}
		slices.Sort(lost)
		for _, id := range lost {
			if err := gone([]byte(id)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *comparison) close() error {
	for _, f := range c.files {
		if f != nil {
			f.Close()
		}
	}
	return os.RemoveAll(c.dir)
}
