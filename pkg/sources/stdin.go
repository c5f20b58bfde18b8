package sources

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// StandardInput is what messages and reports call a file into which standard input was spooled; see the Names of the options.
const StandardInput = "standard input"

// Spool writes all that comes from r into a file at path, from which it can be read more than once. The file is readable by
// its owner alone and appears whole or not at all; one that is there already is replaced. A read that blocks is not ended by
// ctx.
func Spool(ctx context.Context, r io.Reader, path string) (err error) {
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(filepath.Clean(dir), "."+name+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("spool standard input: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("spool standard input to %s: %w", path, err)
		}
	}()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := io.CopyN(f, r, 1<<20)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Clean(dir))
}

// syncFolder makes a new name in a folder durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
