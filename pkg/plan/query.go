package plan

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"migrate/pkg/sources"
)

// Query is a query of a database.
type Query struct {
	From string `json:"from"` // name of the database in the plan
	// DSN is its address with the names of environment variables in it, which hold what is secret.
	DSN  string `json:"dsn"`
	SQL  string `json:"sql"`
	Name string `json:"name"` // for messages and reports
	// SplitBy is the column by which the result is read in ranges, and Splits how many they are, 0 for one for each 500,000 rows.
	SplitBy string `json:"split_by,omitempty"`
	Splits  int    `json:"splits,omitempty"`
}

// ask is the query as the database gets it.
func (q Query) ask(lookup func(string) (string, bool)) (sources.Query, error) {
	dsn, err := expand(q.DSN, lookup)
	if err != nil {
		err = fmt.Errorf("database %s: %w", q.From, err)
	}
	return sources.Query{DSN: dsn, SQL: q.SQL, Name: q.From + ": " + q.Name}, err
}

// Spool runs the query and writes its result to a file, which the returned source reads. With SplitBy it only asks for the ranges, which
// are read into files beside that one when the source is.
func (q Query) Spool(ctx context.Context, path string, lookup func(string) (string, bool)) (Source, error) {
	ask, err := q.ask(lookup)
	if err != nil {
		return Source{}, err
	}
	if q.SplitBy != "" {
		return Source{Kind: KindRanges, Query: &q, Paths: []string{path}}, ask.Divide(ctx, path, q.SplitBy, q.Splits)
	}
	_, err = ask.Spool(ctx, path)
	return Source{Kind: KindSpool, Query: &q, Paths: []string{path}, Names: map[string]string{path: ask.Name}}, err
}

// Foretaste is Spool for a forecast: when a query with SplitBy has more than so many rows, the others are counted and not read.
func (q Query) Foretaste(ctx context.Context, path string, rows int64, lookup func(string) (string, bool)) (Source, error) {
	s, err := q.Spool(ctx, path, lookup)
	if err != nil || s.Kind != KindRanges {
		return s, err
	}
	ask, err := q.ask(lookup)
	if err != nil {
		return Source{}, err
	}
	all, err := sources.OpenRanges(path, sources.RangesOptions{Query: ask})
	if err != nil {
		return Source{}, err
	}
	if all.Rows() <= rows {
		return s, nil
	}
	_, err = ask.HeadOf(rows).Spool(ctx, path)
	return Source{Kind: KindSpool, Query: &q, Paths: []string{path}, Names: map[string]string{path: ask.Name}, Rows: all.Rows()}, err
}

// openRanges opens what Spool has written. The variables of the address must be set as long as a range is not read.
func (q Query) openRanges(path string, lookup func(string) (string, bool)) (sources.Source, []About, error) {
	ask, missing := q.ask(lookup)
	p, err := sources.OpenRanges(path, sources.RangesOptions{Query: ask})
	if err != nil {
		return nil, nil, err
	}
	if missing != nil && !p.Spooled() {
		return nil, nil, missing
	}
	text := fmt.Sprintf("%s: %d columns, %d rows", ask.Name, p.Schema().NumFields(), p.Rows())
	if n := len(p.Splits()); n > 1 {
		text += fmt.Sprintf(", in %d ranges of %s", n, p.Splits()[0].Range.Key)
	}
	return p, []About{{Text: text}}, nil
}

// query checks what belongs to a query.
func (r *reader) query(n ast.Node, q *Query, seen map[string]bool) {
	switch {
	case q.From == "":
		r.report(position(n), `from is missing: the database, which stands below "sources:"`)
	case seen["query"] == seen["table"]:
		r.report(position(n), "either query or table says what is read")
	}
	if seen["splits"] && !seen["split_by"] {
		r.report(position(n), "splits is how many ranges split_by makes; name the column, too")
	}
	if q.Name == "" {
		q.Name = r.job
	}
	for _, k := range []string{"csv", "parquet", "jsonl", "delimiter", "encoding"} {
		if seen[k] {
			r.report(position(n), "%s has no meaning beside from; take it out", k)
		}
	}
	r.queries = append(r.queries, asked{q, n, r.job})
}

func (r *reader) splits(n ast.Node) int {
	before := len(r.findings)
	v := r.count("splits", n)
	if (v < 1 || v > sources.MaxRanges) && len(r.findings) == before {
		r.report(position(n), "splits is %d; a number from 1 to %d", v, sources.MaxRanges)
	}
	return v
}

// asked is a query that waits for its database to be known.
type asked struct {
	query *Query
	at    ast.Node
	job   string
}

// databases are the kinds of databases, as the plan names them.
var databases = []string{"postgres", "mysql", "mariadb", "sqlite", "sqlserver", "oracle"}

// databasesOf reads the databases of a plan, by name.
func (r *reader) databasesOf(n ast.Node) map[string]string {
	list, _ := r.entries("sources", n)
	dsns := map[string]string{}
	for _, e := range list {
		now := map[string]func(entry){}
		for _, kind := range databases {
			now[kind] = func(v entry) { dsns[e.key] = r.dsn(kind, v.value) }
		}
		if seen := r.fixed("a database", e.value, keys{now: now}); seen != nil && len(seen) != 1 {
			r.report(e.at, "%s has one address, such as { postgres: \"${%s_DSN}\" }", e.key, strings.ToUpper(e.key))
		}
	}
	return dsns
}

// dsn reads an address. Its secrets are in the environment.
func (r *reader) dsn(kind string, n ast.Node) string {
	text, ok := r.text(kind, n)
	if !ok {
		return ""
	}
	if _, err := expand(text, r.lookup); err != nil {
		r.report(position(n), "%s: %v", kind, err)
		return ""
	}
	if kind == "sqlite" {
		path := strings.TrimPrefix(text, "sqlite:")
		if !filepath.IsAbs(path) && !strings.HasPrefix(path, "${") {
			path = filepath.Join(filepath.Dir(r.path), filepath.FromSlash(path))
		}
		return "sqlite:" + path
	}
	if u, err := url.Parse(text); err == nil && u.User != nil {
		if password, has := u.User.Password(); has && !strings.Contains(password, "${") {
			r.report(position(n), "%s: a password does not stand in a plan; write ${NAME} for it, or for the whole address", kind)
		}
	}
	return text
}

// connect gives the queries the addresses of their databases.
func (r *reader) connect(dsns map[string]string) {
	var names []string
	for name := range dsns {
		names = append(names, name)
	}
	for _, a := range r.queries {
		dsn, ok := dsns[a.query.From]
		if a.query.DSN = dsn; !ok && a.query.From != "" {
			r.job = a.job
			r.report(position(a.at), "from: the plan has no database %s%s; write it below \"sources:\"", quote(a.query.From), didYouMean(a.query.From, names))
			r.job = ""
		}
	}
}
