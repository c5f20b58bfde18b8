package plan

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// text writes the plan.
func (d *drawing) text() string {
	var b strings.Builder
	line := func(indent int, text, why string) {
		fmt.Fprintf(&b, "%*s%s", indent, "", text)
		if why != "" {
			fmt.Fprintf(&b, "%*s# %s", max(2, 46-indent-utf8.RuneCountInString(text)), "", comment(why))
		}
		b.WriteByte('\n')
	}
	j := d.Job
	line(0, fmt.Sprintf("# Sketched by migrate init from the columns of the source, %s, and the fields of %s.", d.Sample, d.object.Name), "")
	line(0, "# What stands behind a # is not done. Go through all lines, then check the plan with migrate plan.", "")
	line(0, "version: 1", "")
	if q := j.Source.Query; q != nil {
		line(0, fmt.Sprintf("sources: { %s: { %s: %s } }", yamlText(q.From), databaseKind(q.DSN, d.Lookup), yamlText(d.address(q.DSN))), "")
	}
	line(0, "jobs:", "")
	line(2, yamlText(j.Name)+":", "")
	line(4, "load: "+yamlText(d.object.Name), "")
	line(4, "operation: "+yamlText(string(j.Operation)), "")
	if j.Key != "" {
		line(4, "key: "+yamlText(j.Key), "")
	}
	line(4, "source: { "+d.source()+" }", "")
	for _, a := range d.About {
		line(4, "# "+comment(a.Text), "")
	}
	if d.Sample.Bad > 0 {
		line(4, fmt.Sprintf("# malformed rows among the first: %d; migrate preview shows them", d.Sample.Bad), "")
	}
	if j.Timezone != "" {
		line(4, "timezone: "+yamlText(j.Timezone), "of times that name none")
	}
	for _, column := range d.ids {
		line(4, "# id: "+yamlText(column), fmt.Sprintf("for other jobs to refer to the rows by: no two are alike in %s", d.Sample))
	}
	line(4, "fields:", "")
	for _, n := range d.needs {
		line(6, "# "+yamlText(n.field)+": COLUMN", "required: "+n.why)
	}
	for _, e := range d.columns {
		to, mark := e.to, ""
		if to == "" {
			to = "FIELD"
		}
		if e.out {
			mark = "# "
		}
		line(6, mark+fieldLine(to, e.column, e.keys), e.why)
		for _, n := range e.notes {
			line(6, "#   "+comment(n), "")
		}
		for _, o := range e.offers {
			line(6, "# "+o, "")
		}
	}
	return b.String()
}

// fieldLine is a field of a plan in one line.
func fieldLine(to, column, keys string) string {
	if keys == "" {
		return yamlText(to) + ": " + yamlText(column)
	}
	return fmt.Sprintf("%s: { from: %s, %s }", yamlText(to), yamlText(column), keys)
}

// fieldOf reads a field as it stands in a plan.
func fieldOf(text string) (Field, error) {
	r := &reader{}
	var f Field
	if root := r.parse("F: " + text); root != nil {
		if fields := r.fields(root); len(fields) == 1 {
			f = fields[0]
		}
	}
	return f, errorOf(r.findings)
}

// source writes where the rows come from.
func (d *drawing) source() string {
	s := d.Job.Source
	if q := s.Query; q != nil {
		return fmt.Sprintf("from: %s, table: %s", yamlText(q.From), yamlText(q.Name))
	}
	kind := string(s.Kind)
	if s.Kind == KindCSV {
		kind = "csv"
	}
	paths := make([]string, len(s.Paths))
	for i, p := range s.Paths {
		paths[i] = yamlText(d.relative(p))
	}
	text := kind + ": " + paths[0]
	if len(paths) > 1 {
		text = kind + ": [" + strings.Join(paths, ", ") + "]"
	}
	for _, k := range []struct{ key, value string }{{"delimiter", s.Delimiter}, {"quote", s.Quote}, {"escape", s.Escape}, {"encoding", s.Encoding}} {
		if k.value != "" {
			text += fmt.Sprintf(", %s: %s", k.key, yamlText(k.value))
		}
	}
	if s.SkipLines > 0 {
		text += fmt.Sprintf(", skip_lines: %d", s.SkipLines)
	}
	if s.HeaderLines > 0 {
		text += fmt.Sprintf(", header_lines: %d", s.HeaderLines)
	}
	if s.NoHeader {
		text += ", no_header: true"
	}
	return text
}

// relative is a path, as one types it from the working folder, seen from the folder of the plan. What is absolute stays so.
func (d *drawing) relative(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	from, err := filepath.Abs(filepath.Dir(d.Job.Path))
	to, err2 := filepath.Abs(path)
	if err == nil && err2 == nil {
		if rel, err := filepath.Rel(from, to); err == nil {
			return filepath.ToSlash(rel)
		}
	}
	return to
}

// address is the address of a database, seen from the folder of the plan.
func (d *drawing) address(dsn string) string {
	if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		if strings.HasPrefix(file, "${") {
			return file
		}
		return d.relative(file)
	}
	return dsn
}

// Table makes a source of a table of a database. Its address is one as a plan has it, behind its kind where that does not show: ${NAME} is an
// environment variable, and no password stands there. The error is an *Error.
func Table(address, table string, lookup func(string) (string, bool)) (Source, error) {
	r := &reader{lookup: lookup}
	kind := databaseKind(address, lookup)
	dsn := r.dsn(kind, &ast.StringNode{BaseNode: &ast.BaseNode{}, Value: address})
	switch {
	case len(r.findings) > 0:
	case !slices.Contains(databases, kind):
		r.report(nil, "the address of a database begins with its kind, such as postgres://; there can be %s", oneOf(databases))
	case kind == "sqlite" && !strings.HasPrefix(address, "sqlite:"):
		r.report(nil, "write sqlite:${NAME}, with the path of the file alone in the variable")
	}
	if err := errorOf(r.findings); err != nil {
		return Source{}, err
	}
	return Source{Kind: KindQuery, Query: &Query{From: "db", DSN: dsn, SQL: "select * from " + table, Name: table}}, nil
}

// databaseKind is the key of a plan under which an address stands.
func databaseKind(address string, lookup func(string) (string, bool)) string {
	if full, err := expand(address, lookup); err == nil {
		address = full
	}
	kind, _, _ := strings.Cut(address, ":")
	if kind == "postgresql" {
		kind = "postgres"
	}
	return kind
}

// simpleWord is what YAML reads as a text, whatever it stands in, unless it is one of otherWords.
var (
	simpleWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*([ ./-][A-Za-z0-9_]+)*$`)
	otherWords = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|y|n|null|nan|inf|infinity)$`)
)

// yamlText writes a text so that YAML reads it back as it is: as a plain word where that is safe, else in quotes.
func yamlText(s string) string {
	if simpleWord.MatchString(s) && !otherWords.MatchString(s) {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xFFFF:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			fmt.Fprintf(&b, `\U%08X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// comment makes a text fit for a line of comment.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}
