package plan

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/goccy/go-yaml/ast"

	"migrate/pkg/dsn"
	"migrate/pkg/sinks"
)

// Target is where an export goes. It is kept in the checkpoint and holds no secret: what is secret of an address stands in the environment.
type Target struct {
	// Path is a file, a folder with a slash at its end, or the address of a database with the names of environment variables in it. {run_date} and
	// the like in it become what Settle is given.
	Path        string `json:"path"`
	Format      string `json:"format,omitempty"`      // of files, as sinks.FileOptions has it; "" = as the name says
	Compression string `json:"compression,omitempty"` // of Parquet: zstd, snappy, gzip or none; "" = zstd
	Overwrite   bool   `json:"overwrite,omitempty"`   // replace what an earlier export has left there
	PartRows    int64  `json:"part_rows,omitempty"`   // most rows of each file of a folder; 0 = any number
	Table       string `json:"table,omitempty"`
	Merge       bool   `json:"merge,omitempty"` // into the table by Id; else its rows are replaced
	AddColumns  bool   `json:"add_columns,omitempty"`
}

// Database reports whether the target is a table of a database. As long as its address is nothing but a variable, that is what counts
// for one: a folder or file that comes from the environment has a name behind it.
func (t Target) Database() bool {
	return isAddress(t.Path)
}

// isAddress reports whether a path is the address of a database, or a variable that holds one.
func isAddress(path string) bool {
	if name, ok := strings.CutPrefix(path, "${"); ok && strings.IndexByte(name, '}') == len(name)-1 {
		return true
	}
	scheme, _, ok := strings.Cut(path, ":")
	return ok && slices.Contains([]string{"postgres", "postgresql", "mysql", "mariadb", "sqlite"}, scheme)
}

// Check refuses what cannot be, and a password that others could read.
func (t Target) Check(lookup func(string) (string, bool)) error {
	if t.Path == "" {
		return errors.New("it is missing: a file such as accounts.csv, or the address of a database")
	}
	if d, err := dsn.Parse(t.Path); err == nil && d.HasPassword() && !strings.Contains(t.Path, "${") {
		return errors.New("it holds a password, which others can read on this machine and in the run folder; put the address into a variable and write '${NAME}'")
	}
	path, err := expand(t.Path, lookup)
	switch {
	case err != nil:
		return err
	case t.Database() && !isAddress(path):
		return fmt.Errorf("%s does not hold the address of a database: postgres://, mysql:// or sqlite:FILE", t.Path)
	case t.Database() && (t.Format != "" || t.Overwrite || t.Compression != "" || t.PartRows != 0):
		return errors.New("format, compression, parts and overwrite are for files")
	case !t.Database() && (t.Table != "" || t.Merge || t.AddColumns):
		return errors.New("table, merge and added columns are for databases")
	}
	return nil
}

// Settle fills in what follows from the object and from the run, and makes a path hold wherever the run goes on. names are the values of
// what stands in braces.
func (t Target) Settle(object string, names map[string]string) (Target, error) {
	if t.Database() {
		if t.Table == "" {
			t.Table = strings.ToLower(object)
		}
		return t, nil
	}
	path, err := named(t.Path, names)
	if err != nil {
		return t, err
	}
	folder := strings.HasSuffix(path, "/")
	if t.Path, err = filepath.Abs(path); folder {
		t.Path += "/"
	}
	return t, err
}

// named puts values in the place of names in braces.
func named(path string, names map[string]string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(path, "{")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		value, ok := names[name]
		if !closed || !ok {
			var known []string
			for k := range names {
				known = append(known, "{"+k+"}")
			}
			slices.Sort(known)
			return "", fmt.Errorf("{%s is none of %s", rest, strings.Join(known, ", "))
		}
		b.WriteString(value)
		path = after
	}
}

// Opening says how a target is opened.
type Opening struct {
	Resumed bool // an earlier process of the run may have published
	// Copy says that rows go into what an earlier run has published: a table gets the rows of an increment merged, and those of a whole export
	// instead of its own, and columns that it lacks.
	Copy, Whole bool
	Tell        func(text string)
}

// Open opens the sink. A target that Check and Settle have not seen is not opened.
func (t Target) Open(ctx context.Context, schema *arrow.Schema, o Opening, lookup func(string) (string, bool)) (sinks.Sink, error) {
	path, err := expand(t.Path, lookup)
	if err != nil {
		return nil, err
	}
	if !t.Database() {
		return sinks.OpenFile(t.files(path, schema, o))
	}
	return sinks.OpenTable(ctx, t.table(path, schema, o))
}

// Look finds what Open would find in the way, and writes nothing.
func (t Target) Look(ctx context.Context, schema *arrow.Schema, o Opening, lookup func(string) (string, bool)) error {
	path, err := expand(t.Path, lookup)
	if err != nil {
		return err
	}
	if !t.Database() {
		return sinks.LookFile(t.files(path, schema, o))
	}
	return sinks.LookTable(ctx, t.table(path, schema, o))
}

// Place says where the target is, whatever variables its address stands in. It holds no secret.
func (t Target) Place(lookup func(string) (string, bool)) (string, error) {
	if !t.Database() {
		return filepath.Abs(t.Path)
	}
	address, err := expand(t.Path, lookup)
	if err != nil {
		return "", err
	}
	d, err := dsn.Parse(address)
	return d.Place(), err
}

// Stands reports whether what an earlier run has exported to a table can be there still: the table is. Of files nobody knows who has taken them.
func (t Target) Stands(ctx context.Context, schema *arrow.Schema, lookup func(string) (string, bool)) (bool, error) {
	if !t.Database() {
		return true, nil
	}
	address, err := expand(t.Path, lookup)
	if err != nil {
		return false, err
	}
	return sinks.TableStands(ctx, t.table(address, schema, Opening{}))
}

func (t Target) files(path string, schema *arrow.Schema, o Opening) sinks.FileOptions {
	return sinks.FileOptions{Path: path, Format: t.Format, Schema: schema, Overwrite: t.Overwrite, Resume: o.Resumed, PartRows: t.PartRows,
		Parquet: sinks.ParquetOptions{Compression: t.Compression}}
}

func (t Target) table(address string, schema *arrow.Schema, o Opening) sinks.TableConfig {
	cfg := sinks.TableConfig{DSN: address, Table: t.Table, Schema: schema, Tell: o.Tell}
	if t.Merge && !o.Copy || o.Copy && !o.Whole {
		cfg.Mode = sinks.Merge
		if len(schema.FieldIndices("SystemModstamp")) > 0 {
			cfg.Newer = "SystemModstamp"
		}
	}
	if t.AddColumns {
		cfg.Drift = sinks.Add
	}
	return cfg
}

// fileKinds are the formats of files as a plan names them.
var fileKinds = []string{"csv", "jsonl", "parquet"}

// target reads where an export goes.
func (r *reader) target(n ast.Node) Target {
	var t Target
	if _, ok := n.(*ast.StringNode); ok {
		t.Path = r.targetPath("to", n)
		r.checkTarget(n, t)
		return t
	}
	now := map[string]func(entry){
		"compression": func(e entry) { t.Compression = r.word("compression", e.value) },
		"overwrite":   func(e entry) { t.Overwrite = r.truth("overwrite", e.value) },
		"part_rows":   func(e entry) { t.PartRows = int64(r.count("part_rows", e.value)) },
		"table":       func(e entry) { t.Table = r.word("table", e.value) },
		"merge":       func(e entry) { t.Merge = r.truth("merge", e.value) },
		"add_columns": func(e entry) { t.AddColumns = r.truth("add_columns", e.value) },
	}
	kinds := 0
	for _, kind := range fileKinds {
		now[kind] = func(e entry) { t.Path, t.Format = r.targetPath(kind, e.value), kind; kinds++ }
	}
	for _, kind := range []string{"postgres", "mysql", "mariadb", "sqlite"} {
		now[kind] = func(e entry) { t.Path = r.dsn(kind, e.value); kinds++ }
	}
	before := len(r.findings)
	if seen := r.fixed("a target", n, keys{now: now}); seen == nil || len(r.findings) > before {
		return t
	}
	if kinds != 1 {
		r.report(position(n), `a target is one file, folder or database, such as { parquet: "lake/account/" } or { postgres: "${DWH_DSN}" }`)
		return t
	}
	switch t.Compression {
	case "", "none", "gzip", "zstd":
	default:
		if t.Format != "parquet" || t.Compression != "snappy" {
			r.report(position(n), "unknown compression %s: none, gzip or zstd, and snappy for Parquet", quote(t.Compression))
			return t
		}
	}
	if t.Format == "csv" || t.Format == "jsonl" { // where the compression is part of the format
		if ext := map[string]string{"gzip": ".gz", "zstd": ".zst"}[t.Compression]; ext != "" {
			t.Format += ext
		}
		t.Compression = ""
	}
	r.checkTarget(n, t)
	return t
}

func (r *reader) checkTarget(n ast.Node, t Target) {
	if err := t.Check(r.lookup); err != nil && t.Path != "" {
		r.report(position(n), "to: %v", err)
	}
}

// targetPath is a path relative to the plan's folder, or an address as it stands.
func (r *reader) targetPath(what string, n ast.Node) string {
	s := r.word(what, n)
	if s == "" || isAddress(s) {
		return s
	}
	path, err := expand(s, r.lookup)
	if err != nil {
		r.report(position(n), "%s: %v", what, err)
		return ""
	}
	if strings.Contains(path, "://") {
		r.report(position(n), "%s: %s is not supported by this version; name a file or a folder", what, strings.SplitAfter(path, "://")[0])
		return ""
	}
	if !filepath.IsAbs(path) {
		folder := strings.HasSuffix(path, "/")
		if path = filepath.Join(filepath.Dir(r.path), filepath.FromSlash(path)); folder {
			path += "/"
		}
	}
	return path
}
