package plan

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"migrate/pkg/sources"
)

// CSV is a table in one or more CSV files. What is left empty is found out from each file; sources.CSVOptions says what
// the values mean.
type CSV struct {
	Paths       []string `json:"paths"` // as one types them from the working folder
	Delimiter   string   `json:"delimiter,omitempty"`
	Quote       string   `json:"quote,omitempty"`
	Escape      string   `json:"escape,omitempty"`
	Encoding    string   `json:"encoding,omitempty"`
	SkipLines   int      `json:"skip_lines,omitempty"`
	HeaderLines int      `json:"header_lines,omitempty"` // 0 = 1, unless NoHeader
	NoHeader    bool     `json:"no_header,omitempty"`
}

// Open finds out how the files are to be read. Its errors are those of sources.OpenCSV.
func (c CSV) Open() (*sources.CSV, error) {
	return sources.OpenCSV(c.Paths, sources.CSVOptions{Delimiter: c.Delimiter, Quote: c.Quote, Escape: c.Escape, Encoding: c.Encoding,
		SkipLines: c.SkipLines, HeaderLines: c.HeaderLines, NoHeader: c.NoHeader})
}

func (r *reader) source(n ast.Node) CSV {
	var c CSV
	if s, ok := n.(*ast.StringNode); ok {
		r.report(position(n), "source is %s; a file is written { csv: FILE }", quote(s.Value))
		return c
	}
	text := func(to *string) func(entry) {
		return func(e entry) {
			s, ok := r.text(e.key, e.value)
			if ok && s == "" {
				r.report(position(e.value), "%s is empty; take it out, and it is found out from the file", e.key)
			}
			*to = s
		}
	}
	count := func(to *int) func(entry) { return func(e entry) { *to = r.count(e.key, e.value) } }
	var header, none *entry
	seen := r.fixed("a source", n, keys{
		now: map[string]func(entry){
			"csv":          func(e entry) { c.Paths = r.paths(e.value) },
			"delimiter":    text(&c.Delimiter),
			"quote":        text(&c.Quote),
			"escape":       text(&c.Escape),
			"encoding":     text(&c.Encoding),
			"skip_lines":   count(&c.SkipLines),
			"header_lines": func(e entry) { c.HeaderLines, header = r.count(e.key, e.value), &e },
			"no_header":    func(e entry) { c.NoHeader, none = r.truth(e.key, e.value), &e },
		},
		later: []string{"from", "query", "split_by", "parquet", "postgres"},
	})
	if seen != nil && !seen["csv"] && !seen["from"] && !seen["query"] && !seen["parquet"] && !seen["postgres"] {
		r.report(position(n), "csv is missing: the file, or a list of files, such as { csv: accounts.csv }")
	}
	if header != nil && c.HeaderLines == 0 || header != nil && none != nil && c.NoHeader {
		r.report(header.at, `a file without a header is written "no_header: true", without header_lines`)
	}
	return c
}

func (r *reader) paths(n ast.Node) []string {
	values := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		values = list.Values
		if len(values) == 0 {
			r.report(position(n), "csv is an empty list; name a file")
		}
	}
	var paths []string
	for _, v := range values {
		s, ok := r.text("csv", v)
		if !ok {
			continue
		}
		path, err := sourcePath(r.path, s, r.lookup)
		if err != nil {
			r.report(position(v), "csv: %v", err)
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
