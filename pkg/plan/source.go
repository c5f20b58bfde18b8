package plan

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"migrate/pkg/sources"
)

// Source says where the rows of a job come from: files of one kind, or a query.
type Source struct {
	Kind  Kind   `json:"kind,omitempty"`
	Query *Query `json:"query,omitempty"` // of KindQuery, and what KindSpool and KindRanges were made from
	// Paths are files, or patterns of them, as one types them from the working folder.
	Paths []string `json:"paths"`
	// Names says what messages and reports call a file, by its path.
	Names map[string]string `json:"names,omitempty"`
	// Rows is how many rows there are, of a KindSpool with the first of them alone.
	Rows int64 `json:"rows,omitempty"`
	// Types are the columns of the source, where they are more than text, as sources.EncodeTypes writes them. A report of the run, which is
	// text, is read with them.
	Types []byte `json:"types,omitempty"`
	CSV
}

// Kind is a kind of source.
type Kind string

// The kinds.
const (
	KindCSV     Kind = "" // text with delimiters, also compressed: .gz, .zst
	KindParquet Kind = "parquet"
	KindJSONL   Kind = "jsonl"  // one object in each line, also compressed
	KindQuery   Kind = "query"  // of a database; its result is read into a file before anything else
	KindGroups  Kind = "groups" // of rows with common parents, as sources.Group writes them
	KindSpool   Kind = "spool"  // such a file
	KindRanges  Kind = "ranges" // a file that says in which ranges a query is read
)

// kindOfFile knows a kind by the name of a file.
func kindOfFile(path string) Kind {
	name := strings.ToLower(path)
	for _, ext := range []string{".gz", ".zst"} {
		name = strings.TrimSuffix(name, ext)
	}
	switch filepath.Ext(name) {
	case ".parquet":
		return KindParquet
	case ".jsonl", ".ndjson":
		return KindJSONL
	}
	return KindCSV
}

// Files makes a source of files whose kind their names tell.
func Files(paths []string) (Source, error) {
	var s Source
	for i, p := range paths {
		k := kindOfFile(p)
		if i > 0 && k != s.Kind {
			return s, fmt.Errorf("%s and %s are of different kinds; load them one after the other", paths[0], p)
		}
		s.Kind = k
	}
	s.Paths = paths
	return s, nil
}

// About is what was found out about a file.
type About struct {
	Text  string   // one line
	Notes []string // where it could have been otherwise
}

// Expand gives the source with the files that its patterns find now. A file that two of them find is named twice then, which
// Open refuses: its rows would be loaded twice.
func (s Source) Expand() (Source, error) {
	var paths []string
	for _, p := range s.Paths {
		found, err := sources.Expand([]string{p})
		if err != nil {
			return s, err
		}
		paths = append(paths, found...)
	}
	s.Paths = paths
	return s, nil
}

// Open finds out how the files are to be read. Its errors are those of package sources, and that of an environment variable which a query
// still needs.
func (s Source) Open(lookup func(string) (string, bool)) (sources.Source, []About, error) {
	switch s.Kind {
	case KindQuery:
		return nil, nil, fmt.Errorf("the query %s has not been run yet", s.Query.Name)
	case KindGroups:
		g, err := sources.OpenGroups(s.Paths[0], sources.SpoolOptions{})
		if err != nil {
			return nil, nil, err
		}
		return g, []About{{Text: fmt.Sprintf("%s: %d rows in groups with common parents", g.Splits()[0].Path, g.Rows())}}, nil
	case KindSpool:
		p, err := sources.OpenSpool(s.Paths[0], sources.SpoolOptions{Name: s.Names[s.Paths[0]], Rows: s.Rows})
		if err != nil {
			return nil, nil, err
		}
		return p, []About{{Text: fmt.Sprintf("%s: %d columns, %d rows", p.Splits()[0].Path, p.Schema().NumFields(), p.Splits()[0].End)}}, nil
	case KindRanges:
		return s.Query.openRanges(s.Paths[0], lookup)
	case KindJSONL:
		return s.openJSONL()
	case KindParquet:
		p, err := sources.OpenParquet(s.Paths, sources.ParquetOptions{Names: s.Names})
		if err != nil {
			return nil, nil, err
		}
		var about []About
		for _, sp := range p.Splits() {
			about = append(about, About{Text: fmt.Sprintf("%s: Parquet, %d columns, %d rows", sp.Path, p.Schema().NumFields(), sp.End)})
		}
		return p, about, nil
	}
	c, err := s.CSV.open(s.Paths, s.Names)
	if err != nil {
		return nil, nil, err
	}
	var about []About
	for _, d := range c.Dialects() {
		about = append(about, About{Text: d.String(), Notes: d.Notes})
	}
	types, err := sources.DecodeTypes(s.Types)
	if err != nil || types == nil {
		return c, about, err
	}
	t, err := sources.NewTyped(c, types)
	return t, about, err
}

func (s Source) openJSONL() (sources.Source, []About, error) {
	p, err := sources.OpenJSONL(s.Paths, sources.JSONLOptions{Names: s.Names})
	if err != nil {
		return nil, nil, err
	}
	var about []About
	for _, sp := range p.Splits() {
		about = append(about, About{Text: fmt.Sprintf("%s: JSON lines, %d columns", sp.Path, p.Schema().NumFields())})
	}
	return p, about, nil
}

func (r *reader) source(n ast.Node) Source {
	var s Source
	if text, ok := n.(*ast.StringNode); ok {
		r.report(position(n), "source is %s; a file is written { csv: FILE }", quote(text.Value))
		return s
	}
	now := r.dialect(&s.CSV)
	now["csv"] = func(e entry) { s.Paths = r.paths("csv", e.value) }
	now["parquet"] = func(e entry) { s.Kind, s.Paths = KindParquet, r.paths("parquet", e.value) }
	now["jsonl"] = func(e entry) { s.Kind, s.Paths = KindJSONL, r.paths("jsonl", e.value) }
	var q Query
	now["from"] = func(e entry) { q.From = r.word("from", e.value); s.Kind, s.Query = KindQuery, &q }
	now["query"] = func(e entry) { q.SQL = r.word("query", e.value); s.Kind, s.Query = KindQuery, &q }
	now["table"] = func(e entry) {
		q.Name = r.word("table", e.value)
		q.SQL, s.Kind, s.Query = "select * from "+q.Name, KindQuery, &q
	}
	now["split_by"] = func(e entry) { q.SplitBy = r.word("split_by", e.value); s.Kind, s.Query = KindQuery, &q }
	now["splits"] = func(e entry) { q.Splits = r.splits(e.value); s.Kind, s.Query = KindQuery, &q }
	seen := r.fixed("a source", n, keys{now: now})
	if seen == nil {
		return s
	}
	if s.Kind == KindQuery {
		r.query(n, &q, seen)
		return s
	}
	kinds := 0
	for _, k := range []string{"csv", "parquet", "jsonl"} {
		if seen[k] {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		r.report(position(n), "csv, parquet and jsonl exclude one another; take all but one out")
	case kinds == 0:
		r.report(position(n), "csv is missing: the file, or a list of files, such as { csv: accounts.csv }")
	case !seen["csv"] && len(seen) > 1:
		r.report(position(n), "delimiter, quote, encoding and the like are of CSV files; take them out")
	}
	return s
}

func (r *reader) paths(kind string, n ast.Node) []string {
	values := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		values = list.Values
		if len(values) == 0 {
			r.report(position(n), "%s is an empty list; name a file", kind)
		}
	}
	var paths []string
	for _, v := range values {
		s, ok := r.text(kind, v)
		if !ok {
			continue
		}
		path, err := sourcePath(r.path, s, r.lookup)
		if err != nil {
			r.report(position(v), "%s: %v", kind, err)
		}
		paths = append(paths, path)
	}
	return paths
}

// sourcePath is the path of a source as one types it from the working folder; in a plan it is relative to the plan's folder.
func sourcePath(plan, s string, lookup func(string) (string, bool)) (string, error) {
	path, err := expand(s, lookup)
	switch {
	case err != nil:
		return "", err
	case path == "":
		return "", fmt.Errorf("the path is empty")
	case strings.Contains(path, "://"):
		return "", fmt.Errorf("%s is not supported by this version; name a file", strings.SplitAfter(path, "://")[0])
	case filepath.IsAbs(path):
		return filepath.Clean(path), nil
	}
	return filepath.Join(filepath.Dir(plan), filepath.FromSlash(path)), nil
}
