package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"migrate/pkg/dsn"
	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
	"migrate/pkg/sinks"
)

// exportGoal is where an export goes. It is kept in the checkpoint and holds no secret: the address of a database with a password is named
// by a variable.
type exportGoal struct {
	Path      string `json:"path"`             // file, folder with a slash at its end, or address of a database, perhaps ${NAME}
	Format    string `json:"format,omitempty"` // of files; "" = as the name says
	Overwrite bool   `json:"overwrite,omitempty"`
	Table     string `json:"table,omitempty"`
	Merge     bool   `json:"merge,omitempty"` // into the table by Id; else its rows are replaced
	AddFields bool   `json:"add_columns,omitempty"`
}

func (g *exportGoal) add(f *pflag.FlagSet) {
	f.StringVar(&g.Path, "to", "", "file, folder/ or address of a database")
	f.StringVar(&g.Format, "format", "", "csv, csv.gz, csv.zst, jsonl, jsonl.gz, jsonl.zst or parquet (default: as the name of the file says)")
	f.BoolVar(&g.Overwrite, "overwrite", false, "replace the file, or the files of the folder, that an earlier export has left")
	f.StringVar(&g.Table, "table", "", "table of the database (default: the object in lower case)")
	f.BoolVar(&g.Merge, "merge", false, "merge into the table by Id (default: its rows are replaced)")
	f.BoolVar(&g.AddFields, "add-columns", false, "add columns that the table does not have")
}

// reference is a path that is one variable.
func (g exportGoal) reference() (name string, ok bool) {
	name, ok = strings.CutPrefix(g.Path, "${")
	if ok {
		name, ok = strings.CutSuffix(name, "}")
	}
	return name, ok
}

// isDatabase reports whether a path is the address of a database.
func isDatabase(path string) bool {
	scheme, _, ok := strings.Cut(path, ":")
	return ok && slices.Contains([]string{"postgres", "postgresql", "mysql", "mariadb", "sqlite"}, scheme)
}

// check refuses what cannot be, and a password that others could read.
func (g exportGoal) check(env func(string) (string, bool)) error {
	if g.Path == "" {
		return usagef("--to is missing: a file such as accounts.csv, or the address of a database")
	}
	if d, err := dsn.Parse(g.Path); err == nil && d.HasPassword() {
		return usagef("--to holds a password, which others can read on this machine and in the run folder; put the address into a variable and give --to '${NAME}'")
	}
	path, err := g.resolve(env)
	switch {
	case err != nil:
		return err
	case isDatabase(path) && (g.Format != "" || g.Overwrite):
		return usagef("--format and --overwrite are for files")
	case !isDatabase(path) && (g.Table != "" || g.Merge || g.AddFields):
		return usagef("--table, --merge and --add-columns are for databases")
	}
	return nil
}

// resolve gives the path with its variable, if it is one.
func (g exportGoal) resolve(env func(string) (string, bool)) (string, error) {
	name, ok := g.reference()
	if !ok {
		return g.Path, nil
	}
	v, ok := env(name)
	if !ok || v == "" {
		return "", usagef("--to: the environment variable %s is not set", name)
	}
	return v, nil
}

// settle fills in what follows from the object, and makes a path hold wherever the run goes on.
func (g exportGoal) settle(object string) exportGoal {
	if _, ok := g.reference(); ok || isDatabase(g.Path) {
		if g.Table == "" {
			g.Table = strings.ToLower(object)
		}
		return g
	}
	folder := strings.HasSuffix(g.Path, "/")
	if g.Path = mustAbs(g.Path); folder {
		g.Path += "/"
	}
	return g
}

// String names the target as the user does.
func (g exportGoal) String() string {
	if g.Table == "" {
		if rel, err := filepath.Rel(mustAbs("."), g.Path); err == nil && !strings.HasPrefix(rel, "..") {
			if strings.HasSuffix(g.Path, "/") {
				rel += "/"
			}
			return rel
		}
		return g.Path
	}
	return "table " + g.Table + " in " + g.Path
}

// open opens the sink. resumed says that an earlier process of the run may have published.
func (g exportGoal) open(e plan.Extract, env func(string) (string, bool), resumed bool, tell func(string)) (sinks.Sink, error) {
	path, err := g.resolve(env)
	if err != nil {
		return nil, err
	}
	schema := pipeline.ExportSchema(e.Columns)
	if !isDatabase(path) {
		sink, err := sinks.OpenFile(sinks.FileOptions{Path: path, Format: g.Format, Schema: schema, Overwrite: g.Overwrite, Resume: resumed})
		if err != nil {
			return nil, &usageError{err: err}
		}
		return sink, nil
	}
	cfg := sinks.TableConfig{DSN: path, Table: g.Table, Schema: schema, Tell: tell}
	if g.Merge {
		cfg.Mode = sinks.Merge
		if len(schema.FieldIndices("SystemModstamp")) > 0 {
			cfg.Newer = "SystemModstamp"
		}
	}
	if g.AddFields {
		cfg.Drift = sinks.Add
	}
	return sinks.OpenTable(context.Background(), cfg)
}

// target gives what the pipeline needs to write an export.
func (a *app) target(ctx context.Context, e *exportSpec, run, job string, conn *connection, out *output) (open func() (sinks.Sink, error), published func(context.Context, []sinks.File, int64) error) {
	open = func() (sinks.Sink, error) { return e.To.open(e.Extract, a.env, true, out.warning) }
	published = func(ctx context.Context, files []sinks.File, rows int64) error {
		var told []string
		for _, f := range files {
			name := f.Path
			if rel, err := filepath.Rel(mustAbs("."), mustAbs(f.Path)); e.To.Table == "" && err == nil && !strings.HasPrefix(rel, "..") {
				name = rel
			}
			text := fmt.Sprintf("%s: %s", name, count(f.Rows, "row"))
			if f.Bytes > 0 {
				text += fmt.Sprintf(", %s", count(f.Bytes, "byte"))
			}
			told = append(told, text)
		}
		if e.To.Table == "" {
			m := sinks.Manifest{Version: 1, Run: run, Job: job, Org: conn.InstanceURL(), Object: e.Object, Query: e.SOQL, Rows: rows, Files: files, Published: time.Now().UTC().Truncate(time.Second)}
			for _, c := range e.Columns {
				m.Schema = append(m.Schema, sinks.Column{Name: c.Name, Type: c.Type, As: c.ArrowType().String()})
			}
			for i := range m.Files {
				m.Files[i].Path = filepath.Base(m.Files[i].Path) // beside the manifest
			}
			if err := sinks.WriteManifest(e.To.Path, m); err != nil {
				return err
			}
		}
		out.published(told)
		return nil
	}
	return open, published
}
