package plan

import (
	"github.com/goccy/go-yaml/ast"

	"migrate/pkg/sources"
)

// CSV says how files of text are to be read. What is left empty is found out from each file; sources.CSVOptions says what
// the values mean.
type CSV struct {
	Delimiter   string `json:"delimiter,omitempty"`
	Quote       string `json:"quote,omitempty"`
	Escape      string `json:"escape,omitempty"`
	Encoding    string `json:"encoding,omitempty"`
	SkipLines   int    `json:"skip_lines,omitempty"`
	HeaderLines int    `json:"header_lines,omitempty"` // 0 = 1, unless NoHeader
	NoHeader    bool   `json:"no_header,omitempty"`
}

// Open finds out how the files are to be read. Its errors are those of sources.OpenCSV.
func (c CSV) Open(paths []string) (*sources.CSV, error) { return c.open(paths, nil) }

func (c CSV) open(paths []string, names map[string]string) (*sources.CSV, error) {
	return sources.OpenCSV(paths, sources.CSVOptions{Delimiter: c.Delimiter, Quote: c.Quote, Escape: c.Escape, Encoding: c.Encoding,
		SkipLines: c.SkipLines, HeaderLines: c.HeaderLines, NoHeader: c.NoHeader, Names: names})
}

// dialect gives the keys that say how a text is to be read.
func (r *reader) dialect(c *CSV) map[string]func(entry) {
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
	return map[string]func(entry){
		"delimiter":  text(&c.Delimiter),
		"quote":      text(&c.Quote),
		"escape":     text(&c.Escape),
		"encoding":   text(&c.Encoding),
		"skip_lines": count(&c.SkipLines),
		"header_lines": func(e entry) {
			c.HeaderLines = r.count(e.key, e.value)
			r.noHeader(c, e)
		},
		"no_header": func(e entry) {
			c.NoHeader = r.truth(e.key, e.value)
			r.noHeader(c, e)
		},
	}
}

// noHeader refuses header_lines where there is no header, and none of them where there is one.
func (r *reader) noHeader(c *CSV, e entry) {
	_, number := e.value.(*ast.IntegerNode)
	if e.key == "header_lines" && number && c.HeaderLines == 0 || c.NoHeader && c.HeaderLines > 0 {
		r.report(e.at, `a file without a header is written "no_header: true", without header_lines`)
	}
}
