package sources

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"

	_ "github.com/jackc/pgx/v5/stdlib"  // postgres
	_ "github.com/microsoft/go-mssqldb" // sqlserver
	_ "github.com/sijms/go-ora/v2"      // oracle
	_ "modernc.org/sqlite"              // sqlite

	"migrate/pkg/dsn"
)

// Query is a query of a database. Its result is read once, into a file (Spool) or range by range into several (Divide), and from
// there as often as it takes: a database gives no promise that it answers twice the same.
type Query struct {
	// DSN says where the database is and who asks, as a URL: postgres://, mysql:// (MariaDB too), sqlite:FILE, sqlserver:// or
	// oracle://. It holds a password and is in no error and no file. SQL Server and Oracle are not covered by tests here.
	// MySQL is read encrypted when the server offers it, or as tls= says: true, false, skip-verify, preferred.
	DSN string
	// SQL is one SELECT. A query that is read in ranges stands in the from clause of another one, which some databases allow only when
	// its columns have different names (MySQL, SQL Server, Oracle), and when it has no ORDER BY and no WITH (SQL Server).
	SQL string
	// Name is what messages and reports call it.
	Name string
}

// open finds the driver of an address. It does not connect.
func (q Query) open(at dsn.DSN) (driver string, db *sql.DB, err error) {
	switch at.Kind {
	case dsn.SQLite:
		if _, err := os.Stat(at.File); err != nil { // the driver would make an empty one
			return "", nil, err
		}
		u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: at.File}).EscapedPath(), RawQuery: "mode=ro&_pragma=busy_timeout(10000)"}
		driver = "sqlite"
		db, err = sql.Open(driver, u.String())
	case dsn.MySQL:
		driver = "mysql"
		// Times come as text: the driver would make another day of 2026-01-00. TIMESTAMP is an instant, shown in UTC.
		db, err = at.OpenMySQL(map[string]string{"charset": "utf8mb4", "time_zone": "'+00:00'"})
	default:
		driver = map[dsn.Kind]string{dsn.Postgres: "pgx", dsn.SQLServer: "sqlserver", dsn.Oracle: "oracle"}[at.Kind]
		db, err = sql.Open(driver, at.Text())
	}
	return driver, db, err
}

// reading is a transaction in which a database is read and not changed: one snapshot, where it has such a thing.
type reading struct {
	driver string
	tx     *sql.Tx
}

// read calls f with a transaction that lasts as long. Errors name the query and hold no secret.
func (q Query) read(ctx context.Context, f func(reading) error) (err error) {
	at, err := dsn.Parse(q.DSN)
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", q.Name, at.Hide(err))
		}
	}()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAddress, err)
	}
	name, db, err := q.open(at)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAddress, err)
	}
	defer db.Close()
	var options *sql.TxOptions
	if name == "pgx" || name == "mysql" {
		options = &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	}
	tx, err := db.BeginTx(ctx, options)
	if err != nil {
		return answered(err)
	}
	defer tx.Rollback()
	return f(reading{name, tx})
}
