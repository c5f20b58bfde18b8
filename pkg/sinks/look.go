package sinks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"migrate/pkg/dsn"
)

// LookFile finds what OpenFile would find in the way, and writes nothing: no folder, no lock. What only writing shows, such as a folder
// that cannot be written, is not found.
func LookFile(o FileOptions) error {
	if err := lookFile(o); err != nil {
		return fmt.Errorf("export to %s: %w", o.Path, err)
	}
	return nil
}

func lookFile(o FileOptions) error {
	if err := checkSchema(o.Schema); err != nil {
		return err
	}
	f, err := formatOf(o)
	if err != nil {
		return err
	}
	t := newTarget(o.Path, f.ext)
	if t.folder {
		t.dir = filepath.Clean(t.path)
		there, err := standingFolder(t.dir)
		if err != nil || there != t.dir {
			return err
		}
	} else if err := t.findFile(); err != nil {
		return err
	}
	standing, _, err := t.look()
	if err == nil && len(standing) > 0 && !o.Overwrite {
		err = &ExistsError{Path: t.beside(standing[0])}
	}
	return err
}

// standingFolder is the folder itself, or the nearest one above it that is there.
func standingFolder(dir string) (string, error) {
	for {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir:
			dir = filepath.Dir(dir)
		case err != nil:
			return "", fmt.Errorf("the folder cannot be made: %w", err)
		case !info.IsDir():
			return "", fmt.Errorf("the folder cannot be made: %s is none", dir)
		default:
			return dir, nil
		}
	}
}

// LookTable finds what OpenTable would find in the way. Nothing is made in the database, and no file of SQLite.
func LookTable(ctx context.Context, cfg TableConfig) error {
	if d, err := dsn.Parse(cfg.DSN); err == nil && d.Kind == dsn.SQLite {
		if _, err := os.Stat(d.File); errors.Is(err, fs.ErrNotExist) { // it will be made, where its folder is there
			if _, err := os.Stat(filepath.Dir(d.File)); err != nil {
				return fmt.Errorf("table %s: the folder of the database cannot be used: %w", cfg.Table, err)
			}
			return nil
		}
	}
	cfg.look = true
	t, err := OpenTable(ctx, cfg)
	if err != nil {
		return err
	}
	return t.Close()
}

// TableStands reports whether a table is there, whatever its columns are. Nothing is made.
func TableStands(ctx context.Context, cfg TableConfig) (bool, error) {
	if d, err := dsn.Parse(cfg.DSN); err == nil && d.Kind == dsn.SQLite {
		if _, err := os.Stat(d.File); errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
	}
	cfg.look = true
	t, err := OpenTable(ctx, cfg)
	if errors.Is(err, ErrSchema) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	columns, err := t.way.look(ctx)
	if err != nil {
		err = t.explain(ctx, err)
	}
	return len(columns) > 0, errors.Join(err, t.Close())
}
