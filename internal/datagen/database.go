package datagen

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"
)

// Dialect is how a database writes names, types and parameters.
type Dialect string

// The dialects. PostgreSQL has all names in snake_case, as is usual there: InvoiceLine is invoice_line.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
	MariaDB  Dialect = "mariadb"
)

// A dbTable is a table of a database before it is written. Its columns are declared as in SQLite: "Total numeric(10,2) not null".
type dbTable struct {
	name    string
	columns []string
	key     string // columns of the primary key, with commas between
	rows    [][]any
}

func (t *dbTable) add(values ...any) { t.rows = append(t.rows, values) }

// write creates the tables and fills them, all or none where the database can take that back.
func (d Dialect) write(ctx context.Context, db *sql.DB, tables ...*dbTable) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, t := range tables {
		if err := d.writeTable(ctx, tx, t); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	return tx.Commit()
}

func (d Dialect) writeTable(ctx context.Context, tx *sql.Tx, t *dbTable) error {
	var declared, params []string
	for i, c := range t.columns {
		name, typ, _ := strings.Cut(c, " ")
		declared = append(declared, d.name(name)+" "+d.typ(typ))
		if d == Postgres {
			params = append(params, fmt.Sprintf("$%d", i+1))
		} else {
			params = append(params, "?")
		}
	}
	var key []string
	for _, c := range words(t.key) {
		key = append(key, d.name(c))
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("CREATE TABLE %s (%s, PRIMARY KEY (%s))", d.name(t.name), strings.Join(declared, ", "), strings.Join(key, ", "))); err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, fmt.Sprintf("INSERT INTO %s VALUES (%s)", d.name(t.name), strings.Join(params, ", ")))
	if err != nil {
		return err
	}
	defer insert.Close()
	for i, row := range t.rows {
		if _, err := insert.ExecContext(ctx, row...); err != nil {
			return fmt.Errorf("row %d: %w", i+1, err)
		}
	}
	return nil
}

// hump is where a new word begins in a name: InvoiceLine, Order Details.
var hump = regexp.MustCompile(`([a-z]) ?([A-Z])`)

func (d Dialect) name(name string) string {
	switch d {
	case Postgres:
		return strings.ToLower(hump.ReplaceAllString(name, "${1}_${2}"))
	case MariaDB:
		return "`" + name + "`"
	}
	return `"` + name + `"`
}

// The types whose names differ. MariaDB's NVARCHAR holds no characters beyond the first 65,536, and its TEXT is no key.
var (
	postgresTypes = strings.NewReplacer("nvarchar", "varchar", "datetime", "timestamp", "blob", "bytea", "word", "text", "real", "double precision")
	mariadbTypes  = strings.NewReplacer("nvarchar", "varchar", "word", "varchar(40)", "real", "double")
	sqliteTypes   = strings.NewReplacer("word", "text")
)

func (d Dialect) typ(typ string) string {
	switch d {
	case Postgres:
		return postgresTypes.Replace(typ)
	case MariaDB:
		return mariadbTypes.Replace(typ)
	}
	return sqliteTypes.Replace(typ)
}

// null is no value in so many of 100 cases, else the value.
func (d draw) null(percent int, value any) any {
	if d.percent(percent) {
		return nil
	}
	return value
}
