package pipeline

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/salesforce"
)

// savedPage is what is known of a page that has come.
type savedPage struct {
	rows, bytes int64
	hash        string // of its text
	next        string // locator
}

// savePage fetches a page into a file, compressed. The file is there whole and durable, or not at all. An error that another try may mend is
// an ErrTemporary.
func (j *jobRun) savePage(ctx context.Context, id, locator string, most int, path string) (got savedPage, err error) {
	j.Events.step(StepCallPage)
	page, err := j.Export.Query.Page(ctx, id, locator, most)
	if err != nil {
		return got, err
	}
	defer page.Body.Close()
	fresh := path + ".part"
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return got, fmt.Errorf("save a page: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(fresh)
		}
	}()
	zw, err := zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		f.Close()
		return got, err
	}
	text := &hashingReader{r: page.Body, h: xxh3.New(), to: zw}
	rows, err := bulk2.CheckPage(text, headers(j.Export.Columns))
	switch {
	case text.failed != nil:
		err = fmt.Errorf("save a page: %w", text.failed)
	case err != nil:
		err = fmt.Errorf("query job %s: a page did not come whole: %w: %w", id, err, salesforce.ErrTemporary)
	case rows != page.Rows:
		err = fmt.Errorf("query job %s: a page has %d rows where the org says %d: %w", id, rows, page.Rows, salesforce.ErrTemporary)
	}
	if err != nil {
		return got, errors.Join(err, zw.Close(), f.Close())
	}
	if err = errors.Join(zw.Close(), f.Sync(), f.Close()); err != nil {
		return got, fmt.Errorf("save a page: %w", err)
	}
	if err = os.Rename(fresh, path); err != nil {
		return got, fmt.Errorf("save a page: %w", err)
	}
	if err = checkpoint.SyncDir(filepath.Dir(path)); err != nil {
		return got, fmt.Errorf("save a page: %w", err)
	}
	return savedPage{rows: rows, bytes: text.n, hash: text.sum(), next: page.Next}, nil
}

// hashingReader hashes what is read and copies it.
type hashingReader struct {
	r      io.Reader
	h      *xxh3.Hasher
	to     io.Writer // nil = nowhere
	n      int64
	failed error // of the copy
}

func (r *hashingReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.n += int64(n)
	r.h.Write(p[:n])
	if r.to != nil && n > 0 {
		if _, werr := r.to.Write(p[:n]); werr != nil {
			r.failed = werr
			return 0, werr
		}
	}
	return n, err
}

func (r *hashingReader) sum() string {
	b := r.h.Sum128().Bytes()
	return hex.EncodeToString(b[:])
}

// pageFile is a page of the run folder while it is read.
type pageFile struct {
	*hashingReader
	f    *os.File
	z    *zstd.Decoder
	hash string
}

// openPage opens a page whose text has a hash.
func openPage(path, hash string) (*pageFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		f.Close()
		return nil, err
	}
	return &pageFile{hashingReader: &hashingReader{r: z, h: xxh3.New()}, f: f, z: z, hash: hash}, nil
}

// check says, at the end of the page, whether it is what has come.
func (p *pageFile) check() error {
	if got := p.sum(); got != p.hash {
		return fmt.Errorf("%s has changed since it came (hash %s instead of %s): %w", p.f.Name(), got, p.hash, ErrAccounting)
	}
	return nil
}

func (p *pageFile) Close() error {
	p.z.Close()
	return p.f.Close()
}
