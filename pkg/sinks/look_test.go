package sinks_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"migrate/pkg/sinks"
)

// TestLook: looking finds what opening finds, and changes nothing on the disk.
func TestLook(t *testing.T) {
	t.Parallel()
	tree := func(dir string) (names []string) {
		if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			names = append(names, path)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return names
	}
	for _, test := range []struct {
		name, path, format string
		there              string // a file that stands there; one without a name in it is a folder
		overwrite          bool
		table              bool
	}{
		{name: "fresh file", path: "a.csv"},
		{name: "fresh folders", path: "a/b/c/", format: "parquet"},
		{name: "file is there", path: "a.csv", there: "a.csv"},
		{name: "may go", path: "a.csv", there: "a.csv", overwrite: true},
		{name: "its manifest is there", path: "a.csv", there: "a.csv.manifest.json"},
		{name: "part is there", path: "a/", format: "csv", there: "a/part-00007.parquet"},
		{name: "other things are there", path: "a/", format: "csv", there: "a/readme"},
		{name: "a folder is a file", path: "a/b/", format: "csv", there: "a"},
		{name: "a file is a folder", path: "a", format: "csv", there: "a/"},
		{name: "no folder", path: "a/b.csv"},
		{name: "no format", path: "a/"},
		{name: "another format", path: "a.csv", format: "parquet"},
		{name: "fresh database", path: "a.db", table: true},
		{name: "no folder of a database", path: "a/a.db", table: true},
		{name: "no database", path: "a.db", there: "a.db", table: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			dir := filepath.Join(root, "x")
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(test.there)), 0o700); err != nil {
				t.Fatal(err)
			}
			if test.there != "" && !strings.HasSuffix(test.there, "/") {
				if err := os.WriteFile(filepath.Join(dir, test.there), []byte("something that stands there"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := tree(dir)
			path := filepath.Join(dir, test.path)
			if strings.HasSuffix(test.path, "/") {
				path += "/"
			}
			var looked, opened error
			if test.table {
				cfg := sinks.TableConfig{DSN: "sqlite:" + path, Table: "t", Schema: every}
				looked = sinks.LookTable(t.Context(), cfg)
				if diff := cmp.Diff(before, tree(dir)); diff != "" {
					t.Error(diff)
				}
				var s *sinks.Table
				if s, opened = sinks.OpenTable(t.Context(), cfg); opened == nil {
					opened = s.Close()
				}
			} else {
				o := sinks.FileOptions{Path: path, Format: test.format, Schema: every, Overwrite: test.overwrite}
				looked = sinks.LookFile(o)
				if diff := cmp.Diff(before, tree(dir)); diff != "" {
					t.Error(diff)
				}
				var s *sinks.FileSink
				if s, opened = sinks.OpenFile(o); opened == nil {
					opened = s.Close()
				}
			}
			if (looked == nil) != (opened == nil) {
				t.Errorf("looking gives %v, opening %v", looked, opened)
			}
			if errors.Is(looked, fs.ErrExist) != errors.Is(opened, fs.ErrExist) {
				t.Errorf("looking gives %v, opening %v", looked, opened)
			}
		})
	}
}

// TestTableStands: a table is there or it is not, whether the rows fit into it or do not; the look makes nothing.
func TestTableStands(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		cfg := sinks.TableConfig{DSN: s.dsn, Table: s.table(t), Schema: small}
		for _, statement := range []string{"", "CREATE TABLE " + s.quote(cfg.Table) + " (other integer NOT NULL)", "DROP TABLE " + s.quote(cfg.Table), "CREATE TABLE " + s.quote(cfg.Table) + " (" + s.quote("Id") + " varchar(18))"} {
			if statement != "" {
				s.run(t, statement)
			}
			for range 2 {
				if stands, err := sinks.TableStands(t.Context(), cfg); err != nil || stands != strings.HasPrefix(statement, "CREATE") {
					t.Errorf("after %q: %v, %v", statement, stands, err)
				}
			}
		}
		s.run(t, "DROP TABLE "+s.quote(cfg.Table))
	})
	if _, err := sinks.TableStands(t.Context(), sinks.TableConfig{DSN: "postgres://127.0.0.1:1/none", Table: "t", Schema: small}); err == nil {
		t.Error("a server that is not there tells of no table")
	}
}
