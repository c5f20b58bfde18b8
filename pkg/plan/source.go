package plan

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"migrate/pkg/sources"
)

// Source says where the rows of a job come from: files of one kind.
type Source struct {
	Kind Kind `json:"kind,omitempty"`
	// Paths are files, or patterns of them, as one types them from the working folder.
	Paths []string `json:"paths"`
	// Names says what messages and reports call a file, by its path.
	Names map[string]string `json:"names,omitempty"`
	CSV
}

// Kind is a kind of source.
type Kind string

// The kinds.
const (
	KindCSV     Kind = "" // text with delimiters, also compressed: .gz, .zst
	KindParquet Kind = "parquet"
)

// kindOfFile knows a kind by the name of a file.
func kindOfFile(path string) Kind {
	if strings.EqualFold(filepath.Ext(path), ".parquet") {
		return KindParquet
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

// Open finds out how the files are to be read. Its errors are those of package sources.
func (s Source) Open() (sources.Source, []About, error) {
	if s.Kind == KindParquet {
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
	return c, about, nil
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
	seen := r.fixed("a source", n, keys{now: now, later: []string{"from", "query", "split_by", "postgres"}})
	if seen == nil {
		return s
	}
	kinds := 0
	for _, k := range []string{"csv", "parquet"} {
		if seen[k] {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		r.report(position(n), "csv and parquet exclude one another; take one out")
	case kinds == 0 && !seen["from"] && !seen["query"] && !seen["postgres"]:
		r.report(position(n), "csv is missing: the file, or a list of files, such as { csv: accounts.csv }")
	case seen["parquet"]:
		for k := range seen {
			if k != "parquet" {
				r.report(position(n), "%s is of CSV files and has no meaning beside parquet; take it out", k)
			}
		}
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
