package sinks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	_ "modernc.org/sqlite" // sqlite
)

// sqLite loads into temporary tables, which lie in files of their own that end with the process (SQLITE_TMPDIR or TMPDIR says where),
// and exchanges or merges the rows from there. The database is locked during Publish only.
//
// SQLite has no types for truth values, decimals, dates and times: they are 0 and 1, and texts: 2026-01-31, 2026-01-31T19:00:00.000Z,
// 13:05:00.000.
type sqLite struct {
	*Table
	insert inserter
}

func (s *sqLite) open() (*sql.DB, error) {
	s.insert = inserter{limits: limits{nul: true, utc: "Z"}, values: 600}
	mode := "ro"
	if !s.cfg.look {
		mode = "rw"
		f, err := os.OpenFile(s.dsn.File, os.O_CREATE|os.O_RDWR, 0o600) // the driver would make it readable for others
		if err != nil {
			return nil, permanent{err}
		}
		f.Close()
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: s.dsn.File}).EscapedPath(),
		RawQuery: "mode=" + mode + "&_pragma=busy_timeout(60000)&_pragma=temp_store(1)&_pragma=synchronous(2)"}
	return sql.Open("sqlite", u.String())
}

func (s *sqLite) begin(ctx context.Context) error {
	if s.name.schema != "" && s.name.schema != "main" {
		return permanent{fmt.Errorf("SQLite has no schema %s: leave it out", s.name.schema)}
	}
	s.name.schema = "main"
	table, err := s.look(ctx)
	if err != nil {
		return err
	}
	if len(table) > 0 {
		if _, err := s.compare(table); err != nil {
			return err
		}
	}
	if s.cfg.look {
		return nil
	}
	stage := []string{"CREATE TEMPORARY TABLE migrate_staging (" + list(s.columns, ", ", func(c *column) string { return s.quote(c.name) + " " + s.declare(c) }) + ")"}
	if s.cfg.Mode == Merge {
		stage = append(stage, "CREATE TEMPORARY TABLE migrate_deletes ("+s.quote(s.key.name)+" "+s.declare(s.key)+")")
	}
	_, err = s.exec(ctx, stage...)
	return err
}

func (s *sqLite) quote(name string) string { return doubled(name, `"`) }
func (s *sqLite) maxName() int             { return 1 << 10 } // it has no limit
func (s *sqLite) stagingName() string      { return "temp.migrate_staging" }
func (s *sqLite) deletesName() string      { return "temp.migrate_deletes" }

func (s *sqLite) declare(c *column) string {
	switch c.typ {
	case arrow.BOOL:
		return "BOOLEAN"
	case arrow.INT64:
		return "INTEGER"
	case arrow.FLOAT64:
		return "REAL"
	case arrow.DATE32:
		return "DATE"
	case arrow.TIMESTAMP:
		return "TIMESTAMP"
	case arrow.TIME32:
		return "TIME"
	}
	return "TEXT" // a decimal too: a number would lose digits
}

func (s *sqLite) look(ctx context.Context) ([]standing, error) {
	var kind string
	err := s.conn.QueryRowContext(ctx, "SELECT type FROM main.sqlite_schema WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')", s.name.table).Scan(&kind)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if kind != "table" {
		return nil, permanent{errNoTable}
	}
	// a single column of the primary key has an index, or is the rowid
	rows, err := s.conn.QueryContext(ctx, `SELECT c.name, c.type, c."notnull" AND c.dflt_value IS NULL AND c.hidden = 0,
			c.pk = 1 AND (SELECT count(*) FROM pragma_table_xinfo(?1, 'main') WHERE pk > 0) = 1 OR EXISTS (
				SELECT 1 FROM pragma_index_list(?1, 'main') i WHERE i."unique" AND NOT i.partial
				AND (SELECT group_concat(name, char(0)) FROM pragma_index_info(i.name, 'main')) = c.name)
		FROM pragma_table_xinfo(?1, 'main') c`, s.name.table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	table := []standing{}
	for rows.Next() {
		var c standing
		if err := rows.Scan(&c.name, &c.typ, &c.required, &c.unique); err != nil {
			return nil, err
		}
		c.base = affinity(c.typ)
		table = append(table, c)
	}
	return table, rows.Err()
}

// affinity is what SQLite tries to make of the values of a column, by the rules of its documentation.
func affinity(declared string) string {
	declared = strings.ToUpper(declared)
	for _, rule := range [][2]string{{"INT", "INTEGER"}, {"CHAR", "TEXT"}, {"CLOB", "TEXT"}, {"TEXT", "TEXT"}, {"BLOB", "BLOB"}, {"REAL", "REAL"}, {"FLOA", "REAL"}, {"DOUB", "REAL"}} {
		if strings.Contains(declared, rule[0]) {
			return rule[1]
		}
	}
	if declared == "" || declared == "ANY" {
		return "BLOB"
	}
	return "NUMERIC"
}

func (s *sqLite) fits(c *column, t standing) bool {
	switch c.typ {
	case arrow.BOOL, arrow.INT64:
		return t.base != "TEXT" && t.base != "REAL"
	case arrow.FLOAT64:
		return t.base != "TEXT"
	case arrow.DATE32, arrow.TIMESTAMP, arrow.TIME32:
		return t.base != "INTEGER" && t.base != "REAL" // a NUMERIC one leaves a text that is no number as it is
	}
	return t.base == "TEXT" || t.base == "BLOB" // others make a number of 007
}

func (s *sqLite) load(ctx context.Context, into staging, rows arrow.RecordBatch) error {
	return s.transact(ctx, "BEGIN", func() error { return s.insert.load(ctx, s.Table, into, rows) })
}

func (s *sqLite) publish(ctx context.Context) error {
	return s.transact(ctx, "BEGIN IMMEDIATE", func() error {
		table, err := s.look(ctx)
		if err != nil {
			return err
		}
		if len(table) == 0 {
			if _, err := s.exec(ctx, "CREATE TABLE "+s.quoted()+" ("+s.declared(s.columns, true)+")"); err != nil {
				return err
			}
		} else {
			add, err := s.compare(table)
			if err != nil {
				return err
			}
			for _, c := range add {
				if _, err := s.exec(ctx, "ALTER TABLE "+s.quoted()+" ADD COLUMN "+s.declared([]column{c}, false)); err != nil {
					return err
				}
			}
		}
		if s.cfg.Mode == Replace {
			return s.exchange(ctx)
		}
		return s.upsert(ctx)
	})
}

func (s *sqLite) end(context.Context) { s.insert.close() }
