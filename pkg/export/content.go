package export

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
)

// columns are the places of what a row tells of its content; -1 = it does not.
type columns struct{ id, length, checksum, stamp, extension, fileName int }

func (c Content) columns(list []pipeline.ExportColumn) (columns, error) {
	find := func(name string) int {
		return slices.IndexFunc(list, func(col pipeline.ExportColumn) bool { return name != "" && col.Name == name })
	}
	at := columns{find("Id"), find(c.Length), find(c.Checksum), find(c.Stamp), find(c.Extension), find(c.FileName)}
	if at.id < 0 || at.length < 0 {
		return at, fmt.Errorf("the export lacks Id or the length of %s", c.Field)
	}
	return at, nil
}

// content is the file of one record.
type content struct {
	id    string
	name  string    // of the file
	bytes int64     // -1 = the record has no content
	md5   string    // in hexadecimal; "" = unknown
	stamp time.Time // of the record; zero = unknown

	// What became of it is good when done is closed.
	done    chan struct{}
	err     error
	halted  bool // err says that nothing more may be fetched
	sha256  string
	fetched bool
	missing bool
}

func (c *content) state() string {
	switch {
	case c.bytes < 0:
		return FileNone
	case c.missing:
		return FileMissing
	}
	return FileThere
}

// name says whose content it is.
func (f *Files) name(c *content) string {
	return fmt.Sprintf("%s of %s %s", f.Content.Field, f.Object, c.id)
}

var (
	idForm        = regexp.MustCompile(`^[0-9A-Za-z]{18}$`) // the form whose letters need no case
	extensionForm = regexp.MustCompile(`^[0-9a-z]{1,16}$`)
	md5Form       = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// content reads what a row tells.
func (f *Files) content(row [][]byte) (*content, error) {
	value := func(at int) string {
		if at < 0 {
			return ""
		}
		return string(row[at])
	}
	c := &content{id: value(f.id), bytes: -1, done: make(chan struct{})}
	if !idForm.MatchString(c.id) {
		return nil, fmt.Errorf("%q is no Id of 18 characters, so no file can be named by it", c.id)
	}
	if text := value(f.length); text != "" {
		n, err := strconv.ParseFloat(text, 64) // the org writes some whole numbers as 1.0E7
		if err != nil || n < 0 || n >= 1<<53 || n != float64(int64(n)) {
			return nil, fmt.Errorf("%s: %s is %q, no number of bytes", f.Content.Length, c.id, text)
		}
		c.bytes = int64(n)
	}
	if text := value(f.stamp); text != "" {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %q is no time", f.Content.Stamp, c.id, text)
		}
		c.stamp = at
	}
	if c.md5 = strings.ToLower(value(f.checksum)); c.md5 != "" && !md5Form.MatchString(c.md5) {
		if !f.odd && f.Tell != nil {
			f.Tell(fmt.Sprintf("%s of %s is %q, no MD5: such contents are compared by their length alone", f.Content.Checksum, c.id, c.md5))
		}
		f.odd = true
		c.md5 = ""
	}
	c.name = c.id
	if ext := extensionOf(value(f.extension), value(f.fileName)); ext != "" {
		c.name += "." + ext
	}
	return c, nil
}

// extensionOf makes an extension out of what a user has typed, "" where that is none: letters and digits, so that it is no path and no trap on
// any system.
func extensionOf(extension, fileName string) string {
	if extension == "" {
		extension = filepath.Ext(fileName)
	}
	extension = strings.ToLower(strings.TrimPrefix(extension, "."))
	if !extensionForm.MatchString(extension) {
		return ""
	}
	return extension
}

// fileTries is how often a content is fetched that does not come as it should.
const fileTries = 3

// againError is what another try may mend.
type againError struct{ error }

func (e againError) Unwrap() error { return e.error }

// bring sees to it that the file of a content is there.
func (f *Files) bring(ctx context.Context, c *content, buf []byte) error {
	path := filepath.Join(f.Dir, c.name)
	if there, err := c.there(path, buf); there || err != nil {
		return err
	}
	if c.bytes == 0 { // nothing needs no call
		return f.save(c, strings.NewReader(""), path, buf)
	}
	for try := 1; ; try++ {
		err := f.fetch(ctx, c, path, buf)
		var again againError
		switch {
		case err == nil, c.halted:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, salesforce.ErrGone):
			c.missing = true
			return nil
		case !errors.As(err, &again):
			return fmt.Errorf("%s (file %s): %w", f.name(c), c.name, err)
		case try == fileTries:
			return fmt.Errorf("%s (file %s), %d tries: %w", f.name(c), c.name, try, err)
		}
		if err := sleep(ctx, time.Duration(try)*time.Second); err != nil {
			return err
		}
	}
}

func (f *Files) fetch(ctx context.Context, c *content, path string, buf []byte) error {
	if err := f.More(); err != nil {
		c.halted = true
		return err
	}
	body, err := f.Org.Blob(ctx, f.Object, c.id, f.Content.Field)
	if err != nil {
		return err
	}
	defer body.Close()
	err = f.save(c, body, path, buf)
	c.fetched = err == nil
	return err
}

// there reports whether the file is what the org has, as far as the row tells: by its length and MD5, or, where the org gives none, by the time of
// the record, which the file has got.
func (c *content) there(path string, buf []byte) (bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if info.IsDir() {
		return false, fmt.Errorf("%s is a folder; move it away", path)
	}
	same := c.md5 != "" || !c.stamp.IsZero() && info.ModTime().Unix() == c.stamp.Unix()
	if !same || !info.Mode().IsRegular() || info.Size() != c.bytes {
		return false, nil
	}
	in, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer in.Close()
	sums := newSums()
	if _, err := io.CopyBuffer(sums, struct{ io.Reader }{in}, buf); err != nil {
		return false, err
	}
	if c.md5 != "" && sums.md5() != c.md5 {
		return false, nil
	}
	c.sha256 = sums.sha256()
	return true, nil
}

// save writes a content to a hidden file, compares it with what the row tells, and gives it its name. What does not come as it should is an
// againError.
func (f *Files) save(c *content, body io.Reader, path string, buf []byte) (err error) {
	part := filepath.Join(f.parts, c.name)
	out, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			out.Close() // nobody needs what was written
			os.Remove(part)
		}
	}()
	sums := newSums()
	in := &failing{Reader: io.LimitReader(body, c.bytes+1)} // one byte too many is enough to know
	n, err := io.CopyBuffer(io.MultiWriter(out, sums), in, buf)
	switch {
	case in.err != nil && errors.Is(in.err, salesforce.ErrTemporary):
		return againError{fmt.Errorf("after %d of %d bytes: %w", n, c.bytes, in.err)}
	case err != nil:
		return fmt.Errorf("after %d of %d bytes: %w", n, c.bytes, err)
	case n > c.bytes:
		return againError{f.differs(fmt.Sprintf("more bytes come than the %d that %s says", c.bytes, f.Content.Length))}
	case n < c.bytes:
		return againError{f.differs(fmt.Sprintf("%d bytes come where %s says %d", n, f.Content.Length, c.bytes))}
	case c.md5 != "" && sums.md5() != c.md5 && c.bytes > 0: // what has no bytes was not fetched
		return againError{f.differs(fmt.Sprintf("the MD5 of what comes is %s where %s says %s", sums.md5(), f.Content.Checksum, c.md5))}
	}
	if err := errors.Join(out.Sync(), out.Close()); err != nil {
		return err
	}
	if !c.stamp.IsZero() {
		if err := os.Chtimes(part, time.Time{}, c.stamp); err != nil {
			return err
		}
	}
	c.sha256 = sums.sha256()
	return os.Rename(part, path)
}

// differs says that a content is not what its row says.
func (f *Files) differs(how string) error {
	return fmt.Errorf("%s: %w; no row is published. Was it changed after its row was read? Then begin a new export; the files that are there are not fetched again", how, pipeline.ErrAccounting)
}

// failing keeps the error of a reader, to tell it from one of a writer.
type failing struct {
	io.Reader
	err error
}

func (r *failing) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// sums are both hashes of a content.
type sums struct{ five, two hash.Hash }

func newSums() sums { return sums{md5.New(), sha256.New()} }

func (s sums) Write(p []byte) (int, error) {
	s.five.Write(p)
	return s.two.Write(p)
}

func (s sums) md5() string    { return hex.EncodeToString(s.five.Sum(nil)) }
func (s sums) sha256() string { return hex.EncodeToString(s.two.Sum(nil)) }

// sleep waits, or returns early with the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
