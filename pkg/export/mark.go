package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"migrate/pkg/checkpoint"
)

// Mark is what is remembered of an export between its runs. It is the file mark.json in a folder of its own, and moves in one step.
type Mark struct {
	Version int       `json:"version"` // 1
	Org     string    `json:"org"`     // its id, or its address
	Query   string    `json:"query"`   // object and condition
	Target  string    `json:"target"`  // as the plan has it
	Field   string    `json:"field"`
	Until   time.Time `json:"until"` // exclusive: all that has changed before is published
	Columns []Column  `json:"columns"`
	Run     string    `json:"run"`   // that has moved it
	Whole   time.Time `json:"whole"` // when all rows were exported
	// Compared is when the ids of the org were compared with those that were exported; zero = never.
	Compared time.Time `json:"compared,omitzero"`
	Seen     string    `json:"seen,omitempty"` // file beside the mark
	IDs      string    `json:"ids,omitempty"`  // file beside the mark; "" = ids are not remembered
	IDBytes  int64     `json:"id_bytes,omitempty"`
}

// Column is a column of an export.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"` // Salesforce's field type
}

const (
	markVersion = 1
	markFile    = "mark.json"
)

// ReadMark reads the mark of a folder, nil when there is none.
func ReadMark(dir string) (*Mark, error) {
	path := filepath.Join(dir, markFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var m Mark
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; remove the folder, and all rows are exported again", path, err)
	}
	if m.Version != markVersion {
		return nil, fmt.Errorf("%s is of version %d, and this program knows version %d; use the program that wrote it", path, m.Version, markVersion)
	}
	return &m, nil
}

// write makes the mark durable, whole.
func (m Mark) write(dir string) error {
	return writeJSON(filepath.Join(dir, markFile), m)
}

func writeJSON(path string, v any) error {
	return writeWhole(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	})
}

// writeWhole makes a file that is there whole and durable, or not at all.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	fresh := path + ".new"
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err = errors.Join(write(f), f.Sync(), f.Close()); err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		os.Remove(fresh)
		return err
	}
	return checkpoint.SyncDir(filepath.Dir(path))
}

// publishing is the run that has published last, or died while it did: the file publishing.json beside the mark.
type publishing struct {
	Run   string    `json:"run"`
	Until time.Time `json:"until"`
}

const publishingFile = "publishing.json"

func (p publishing) write(dir string) error { return writeJSON(filepath.Join(dir, publishingFile), p) }

// readPublishing gives the zero publishing when no run has published yet.
func readPublishing(dir string) (p publishing, err error) {
	path := filepath.Join(dir, publishingFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return p, fmt.Errorf("%s: %w; remove the folder, and all rows are exported again", path, err)
	}
	return p, nil
}

// tidy removes what no mark names: what runs have left that did not come to their end, and what belonged to earlier marks.
func (m *Mark) tidy(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		ours := strings.HasPrefix(name, seenPrefix) || strings.HasPrefix(name, idsPrefix) || strings.HasSuffix(name, ".new")
		if !ours || m != nil && (name == m.Seen || name == m.IDs) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// drift tells how columns differ from those of the mark, "" when they do not.
func (m Mark) drift(columns []Column) string {
	find := func(list []Column, name string) (Column, bool) {
		i := slices.IndexFunc(list, func(c Column) bool { return c.Name == name })
		if i < 0 {
			return Column{}, false
		}
		return list[i], true
	}
	var parts []string
	for _, c := range columns {
		switch was, ok := find(m.Columns, c.Name); {
		case !ok:
			parts = append(parts, "added "+c.Name)
		case was.Type != c.Type:
			parts = append(parts, fmt.Sprintf("%s was %s and is %s", c.Name, was.Type, c.Type))
		}
	}
	for _, c := range m.Columns {
		if _, ok := find(columns, c.Name); !ok {
			parts = append(parts, "removed "+c.Name)
		}
	}
	return strings.Join(parts, ", ")
}
