package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"migrate/pkg/export"
)

// errMissingFiles is returned when an export has come to its end and some contents of its records were not to be had.
var errMissingFiles = errors.New("some contents are missing: the org does not have them any more, or does not show them")

// fileConfig says what the contents of an export are and where they go; nil when it fetches none.
func (x exportSpec) fileConfig(dir string) *export.FilesConfig {
	if x.Extract.Content == nil {
		return nil
	}
	// A list that this export has left before is replaced like its rows; one of an increment has a name of its own.
	again := x.To.Overwrite || x.To.Database() || x.Increment != nil
	return &export.FilesConfig{Dir: x.Files, List: export.FilesList(x.Increment, filepath.Base(dir)), Object: x.Extract.Object, Columns: x.Extract.Columns,
		Content: export.Content(*x.Extract.Content), Overwrite: again}
}

// openFiles opens what the contents go into; nil when there are none.
func (x exportSpec) openFiles(ctx context.Context, dir string, conn *connection, more func() error, out *output) (*export.Files, error) {
	cfg := x.fileConfig(dir)
	if cfg == nil {
		return nil, nil
	}
	cfg.Org, cfg.More, cfg.Resumed, cfg.Tell = conn.Client, more, true, out.warning
	f, err := export.OpenFiles(ctx, *cfg)
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("files: %w", err)}
	}
	return f, nil
}

// lookFiles finds what is in the way of the contents. Nothing is written.
func (x exportSpec) lookFiles(dir string) error {
	cfg := x.fileConfig(dir)
	if cfg == nil {
		return nil
	}
	info, err := os.Stat(cfg.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && !info.IsDir():
		err = fmt.Errorf("%s is no folder", cfg.Dir)
	case err == nil && !cfg.Overwrite:
		if _, err = os.Lstat(filepath.Join(cfg.Dir, cfg.List)); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err == nil {
			err = fmt.Errorf("%s is there already, of another export; name another folder, or say --overwrite: contents that are there are not fetched again", filepath.Join(cfg.Dir, cfg.List))
		}
	}
	if err != nil {
		return &usageError{err: fmt.Errorf("files: %w", err)}
	}
	return nil
}

// tryFiles finds what is in the way of the contents now, and not when all rows have come.
func (x exportSpec) tryFiles(ctx context.Context, dir string) error {
	err := x.lookFiles(dir)
	cfg := x.fileConfig(dir)
	if err != nil || cfg == nil {
		return err
	}
	cfg.Resumed = true // lookFiles has looked for the list
	f, err := export.OpenFiles(ctx, *cfg)
	if err != nil {
		return &usageError{err: fmt.Errorf("files: %w", err)}
	}
	return f.Close()
}

// contents tells what became of the contents of an export.
func (o *output) contents(x exportSpec, t export.FilesTaken, list string) {
	o.missing.Add(t.Missing)
	if o.json != nil {
		o.json.write("contents", map[string]any{"job": x.Name, "list": list, "records": t.Records, "bytes": t.Bytes, "fetched": t.Fetched, "none": t.None, "missing": t.Missing})
		return
	}
	files := t.Records - t.None - t.Missing
	text := fmt.Sprintf("published %s: %s, %s", shownPath(list), count(files, "file"), count(t.Bytes, "byte"))
	if there := files - t.Fetched; there > 0 {
		text += fmt.Sprintf(", %s there before or empty", number(there))
	}
	if t.None > 0 {
		text += fmt.Sprintf("; %s without a content", count(t.None, "record"))
	}
	if t.Missing > 0 {
		text += fmt.Sprintf("; %s MISSING, see its column state", number(t.Missing))
	}
	o.progress.print(text)
}

// forecastFiles tells how many contents there are to fetch; rows < 0 = nobody knows.
func (o *output) forecastFiles(x exportSpec, rows int64) {
	switch {
	case x.Extract.Content == nil:
	case o.json != nil:
		o.json.write("plan", map[string]any{"job": x.Name, "files": x.Files, "contents": rows})
	case rows < 0:
		o.text("%s: each content that is not there takes an API call", x.Name)
	default:
		o.text("%s: up to %s, an API call each, but for those that are there", x.Name, count(rows, "content"))
	}
}

// shownPath is a path as the user may have written it: below the working folder, or whole.
func shownPath(path string) string {
	rel, err := filepath.Rel(mustAbs("."), path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return path
	}
	if strings.HasSuffix(path, "/") {
		rel += "/"
	}
	return rel
}
