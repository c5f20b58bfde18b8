package export

import (
	"path/filepath"
	"slices"
	"time"

	"migrate/pkg/sinks"
)

// manifest is what stands beside the files of a Copy.
func (c *Copy) manifest(files []sinks.File, gone *sinks.File) sinks.Manifest {
	m := c.Manifest
	m.Version, m.Rows, m.Published = 1, c.rows, time.Now().UTC().Truncate(time.Second)
	for _, col := range c.Columns {
		m.Schema = append(m.Schema, sinks.Column{Name: col.Name, Type: col.Type, As: col.ArrowType().String()})
	}
	m.Files = slices.Clone(files)
	for i := range m.Files {
		m.Files[i].Path = filepath.Base(m.Files[i].Path) // beside the manifest
	}
	if gone != nil {
		beside := *gone
		beside.Path = filepath.Base(beside.Path)
		m.Deletes = &beside
	}
	if i := c.Increment; i != nil {
		m.Watermark = &sinks.Watermark{Field: i.Field, From: i.Floor, Until: i.Until}
	}
	return m
}

// besideManifest is a file elsewhere as the manifest of a target has it: relative to its folder, where there is such a way.
func besideManifest(target string, f sinks.File) *sinks.File {
	if rel, err := filepath.Rel(filepath.Dir(target), f.Path); err == nil {
		f.Path = filepath.ToSlash(rel)
	}
	return &f
}
