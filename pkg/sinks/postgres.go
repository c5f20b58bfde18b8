package sinks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres loads with COPY into temporary tables, which are not logged, and exchanges or merges the rows from there. Readers are not
// held up: they see the old rows until the commit. Other writers are, while Publish runs.
type postgres struct{ *Table }

func (p *postgres) open() (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(p.dsn.Text())
	if err != nil {
		return nil, permanent{err}
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "migrate"
	}
	return stdlib.OpenDB(*cfg), nil
}

func (p *postgres) begin(ctx context.Context) error {
	if err := p.checkName(); err != nil {
		return err
	}
	// Pages of an export may come slowly, and a merge may take long. Times without a zone are UTC.
	if _, err := p.exec(ctx, "SET TimeZone = 'UTC'", "SET client_encoding = 'UTF8'", `SELECT set_config(name, '0', false) FROM pg_settings
		WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')`); err != nil {
		return err
	}
	if p.name.schema == "" {
		err := p.conn.QueryRowContext(ctx, `SELECT coalesce((SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE c.oid = to_regclass($1)), current_schema(), '')`, p.quote(p.name.table)).Scan(&p.name.schema)
		if err != nil {
			return err
		}
		if p.name.schema == "" {
			return permanent{errors.New("there is no schema on the search path: name the table with its schema")}
		}
	}
	table, err := p.look(ctx)
	if err != nil {
		return err
	}
	if len(table) > 0 {
		if _, err := p.compare(table); err != nil {
			return err
		}
	}
	if p.cfg.look {
		return nil
	}
	stage := []string{"CREATE TEMPORARY TABLE migrate_staging (" + list(p.columns, ", ", func(c *column) string { return p.quote(c.name) + " " + p.declare(c) }) + ")"}
	if p.cfg.Mode == Merge {
		stage = append(stage, "CREATE TEMPORARY TABLE migrate_deletes ("+p.quote(p.key.name)+" "+p.declare(p.key)+")")
	}
	_, err = p.exec(ctx, stage...)
	return err
}

func (p *postgres) quote(name string) string { return pgx.Identifier{name}.Sanitize() }
func (p *postgres) maxName() int             { return 63 } // it would cut what is longer

func (p *postgres) declare(c *column) string {
	switch c.typ {
	case arrow.BOOL:
		return "boolean"
	case arrow.INT64:
		return "bigint"
	case arrow.FLOAT64:
		return "double precision"
	case arrow.DECIMAL128:
		return fmt.Sprintf("numeric(%d,%d)", c.precision(), c.scale())
	case arrow.DATE32:
		return "date"
	case arrow.TIMESTAMP:
		return "timestamp with time zone"
	case arrow.TIME32:
		return "time"
	}
	return "text"
}

func (p *postgres) look(ctx context.Context) ([]standing, error) {
	var kind string
	err := p.conn.QueryRowContext(ctx, "SELECT relkind FROM pg_class WHERE oid = to_regclass($1)", p.quoted()).Scan(&kind)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if kind != "r" && kind != "p" {
		return nil, permanent{errNoTable}
	}
	rows, err := p.conn.QueryContext(ctx, `SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typname, a.atttypmod,
			a.attnotnull AND NOT a.atthasdef AND a.attidentity = '',
			EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
				AND i.indkey[0] = a.attnum AND i.indpred IS NULL AND i.indexprs IS NULL)
		FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
		WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, p.quoted())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	table := []standing{}
	for rows.Next() {
		var s standing
		var mod int64
		if err := rows.Scan(&s.name, &s.typ, &s.base, &mod, &s.required, &s.unique); err != nil {
			return nil, err
		}
		s.size = mod
		switch {
		case mod < 0:
		case s.base == "numeric":
			s.size, s.scale = (mod-4)>>16&0xffff, (mod-4)&0x7ff
			if s.scale >= 1024 { // it may be negative
				s.scale -= 2048
			}
		case s.base == "varchar":
			s.size -= 4
		}
		table = append(table, s)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(table) == 0 {
		return nil, permanent{errors.New("the table has no columns: drop it")}
	}
	return table, nil
}

func (p *postgres) fits(c *column, s standing) bool {
	precise := s.size < 0 || s.size >= 3 // a second has its milliseconds
	switch c.typ {
	case arrow.BOOL:
		return s.base == "bool"
	case arrow.INT64:
		return s.base == "int8" || s.base == "int4" // too large a number is refused, not changed
	case arrow.FLOAT64:
		return s.base == "float8"
	case arrow.DECIMAL128:
		return s.base == "numeric" && (s.size < 0 || s.scale >= c.scale() && s.size-s.scale >= c.precision()-c.scale())
	case arrow.DATE32:
		return s.base == "date"
	case arrow.TIMESTAMP:
		return (s.base == "timestamptz" || s.base == "timestamp") && precise
	case arrow.TIME32:
		return s.base == "time" && precise
	}
	return s.base == "text" || s.base == "varchar" && (s.size < 0 || c.length > 0 && s.size >= c.length)
}

func (p *postgres) stagingName() string { return "pg_temp.migrate_staging" }
func (p *postgres) deletesName() string { return "pg_temp.migrate_deletes" }

func (p *postgres) load(ctx context.Context, into staging, rows arrow.RecordBatch) error {
	r := &textReader{limits: limits{nan: true}, staging: into, rows: rows}
	names := list(into.columns, ", ", func(c *column) string { return p.quote(c.name) })
	return p.conn.Raw(func(driver any) error {
		tag, err := driver.(*stdlib.Conn).Conn().PgConn().CopyFrom(ctx, r, "COPY "+into.name+" ("+names+") FROM STDIN")
		switch {
		case r.err != nil:
			return r.err
		case err != nil:
			return err
		case tag.RowsAffected() != rows.NumRows():
			return fmt.Errorf("COPY took %d of %d rows", tag.RowsAffected(), rows.NumRows())
		}
		return nil
	})
}

func (p *postgres) publish(ctx context.Context) error {
	return p.transact(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED", func() error {
		// Nobody may write until all is in, another export of ours above all. Readers may read.
		lock := "LOCK TABLE " + p.quoted() + " IN SHARE ROW EXCLUSIVE MODE"
		table, err := p.look(ctx)
		if err != nil {
			return err
		}
		if len(table) == 0 {
			if _, err := p.exec(ctx, "CREATE TABLE "+p.quoted()+" ("+p.declared(p.columns, true)+")"); err != nil {
				return err
			}
		} else {
			if _, err := p.exec(ctx, lock); err != nil {
				return err
			}
			if table, err = p.look(ctx); err != nil { // as it is now that nobody changes it
				return err
			}
			add, err := p.compare(table)
			if err != nil {
				return err
			}
			for _, c := range add {
				if _, err := p.exec(ctx, "ALTER TABLE "+p.quoted()+" ADD COLUMN "+p.declared([]column{c}, false)); err != nil {
					return err
				}
			}
		}
		if p.cfg.Mode == Replace {
			return p.exchange(ctx)
		}
		return p.merge(ctx)
	})
}

// merge first takes from the staging table all but one of the rows with the same key, since an upsert refuses to touch a row twice.
func (p *postgres) merge(ctx context.Context) error {
	newer := ""
	if p.newer != nil {
		newer = p.quote(p.newer.name) + " DESC NULLS LAST, "
	}
	_, err := p.exec(ctx, "ANALYZE "+p.stagingName(), "ANALYZE "+p.deletesName(),
		fmt.Sprintf(`DELETE FROM %[1]s s USING (SELECT ctid AS at, row_number() OVER (PARTITION BY %[2]s ORDER BY %[3]sctid DESC) AS n FROM %[1]s) d
			WHERE d.n > 1 AND s.ctid = d.at`, p.stagingName(), p.quote(p.key.name), newer))
	if err != nil {
		return err
	}
	return p.upsert(ctx)
}

func (p *postgres) end(context.Context) {}

// serverDetail is what a server says beside the message, such as which key is there already.
func serverDetail(err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return ""
	}
	parts := []string{pg.Detail, pg.Hint}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}
