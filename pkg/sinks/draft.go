package sinks

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// draftSuffix stands behind the hidden name that a file has until it is published.
const draftSuffix = ".migrating"

// draftOf is that name.
func draftOf(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+draftSuffix)
}

// draft is a file on its way: written under its hidden name, hashed as it is written, then put in place.
type draft struct {
	path   string // where it will be
	named  string // the same as the user has it
	hidden string // where it is; "" once it is gone from there
	f      *os.File
	out    *bufio.Writer
	hash   hash.Hash
	bytes  int64
	rows   int64
	placed bool // the final name leads to this content
	ours   bool // and this process gave it the name
}

func openDraft(path, named string) (*draft, error) {
	d := &draft{path: path, named: named, hidden: draftOf(path), hash: sha256.New()}
	// What a dead process has left is removed, never truncated: it may be a second name of a file that was published.
	if err := os.Remove(d.hidden); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(d.hidden, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	d.f = f
	d.out = bufio.NewWriterSize(hashing{d}, 256<<10)
	return d, nil
}

// hashing is the end of the buffer: file, hash and count.
type hashing struct{ *draft }

func (h hashing) Write(p []byte) (int, error) {
	n, err := h.f.Write(p)
	h.bytes += int64(n)
	h.hash.Write(p[:n])
	return n, err
}

func (d *draft) Write(p []byte) (int, error) {
	n, err := d.out.Write(p)
	return n, d.explain(err)
}

// explain names the file that the user knows, and what is to be done.
func (d *draft) explain(err error) error {
	if err == nil {
		return nil
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("write %s after %d bytes: %w; make room for it, or export to another place", d.named, d.bytes, err)
}

// finish makes the content durable under the hidden name.
func (d *draft) finish() error {
	if d.f == nil {
		return nil
	}
	err := errors.Join(d.out.Flush(), d.f.Sync(), d.f.Close())
	d.f, d.out = nil, nil
	return d.explain(err)
}

func (d *draft) sum() string { return hex.EncodeToString(d.hash.Sum(nil)) }

// place gives the file its name. Unless others may be overwritten, a file that came to have the name meanwhile stays.
func (d *draft) place(overwrite bool) error {
	if d.placed {
		return nil
	}
	if !overwrite {
		err := os.Link(d.hidden, d.path)
		if errors.Is(err, fs.ErrExist) {
			return &ExistsError{Path: d.named}
		}
		if err == nil {
			d.placed, d.ours = true, true
			return d.remove()
		}
		// Not every file system has hard links. There, what appears between this look and the next step is overwritten.
		if _, err := os.Lstat(d.path); err == nil {
			return &ExistsError{Path: d.named}
		}
	}
	if err := os.Rename(d.hidden, d.path); err != nil {
		return err
	}
	d.placed, d.ours, d.hidden = true, true, ""
	return nil
}

// there reports whether the final name leads to a file with the same content.
func (d *draft) there() (bool, error) {
	f, err := os.Open(d.path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != d.bytes {
		return false, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return false, err
	}
	return hex.EncodeToString(h.Sum(nil)) == d.sum(), nil
}

// remove takes the hidden name away.
func (d *draft) remove() error {
	if d.hidden == "" {
		return nil
	}
	err := os.Remove(d.hidden)
	d.hidden = ""
	return err
}

// discard ends the draft, whatever state it is in.
func (d *draft) discard() error {
	if d.f != nil {
		d.f.Close() // nobody needs what was written
		d.f = nil
	}
	return d.remove()
}

// syncFolder makes the names in a folder durable, where the operating system can.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
