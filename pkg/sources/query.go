package sources

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"  // postgres
	_ "github.com/microsoft/go-mssqldb" // sqlserver
	_ "github.com/sijms/go-ora/v2"      // oracle
	_ "modernc.org/sqlite"              // sqlite
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

// open finds the driver of a DSN and gives it the address in the form that it wants. It does not connect.
func (q Query) open() (driver string, db *sql.DB, err error) {
	if file, ok := strings.CutPrefix(q.DSN, "sqlite:"); ok {
		file = strings.TrimPrefix(file, "//")
		if _, err := os.Stat(file); err != nil { // the driver would make an empty one
			return "", nil, err
		}
		u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: "mode=ro&_pragma=busy_timeout(10000)"}
		db, err = sql.Open("sqlite", u.String())
		return "sqlite", db, err
	}
	u, err := url.Parse(q.DSN)
	if err != nil {
		return "", nil, errors.New("the address of the database is no URL, such as postgres://user:password@host/name")
	}
	switch u.Scheme {
	case "postgres", "postgresql":
		driver = "pgx"
	case "mysql", "mariadb":
		db, err = openMySQL(u)
		return "mysql", db, err
	case "sqlserver", "oracle":
		driver = u.Scheme
	default:
		return "", nil, fmt.Errorf("no kind of database %q: postgres, mysql, sqlite, sqlserver or oracle", u.Scheme)
	}
	db, err = sql.Open(driver, q.DSN)
	return driver, db, err
}

func openMySQL(u *url.URL) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.Net, c.Addr, c.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	if u.Port() == "" {
		c.Addr = u.Host + ":3306"
	}
	c.TLSConfig = "preferred" // encrypted when the server offers it; who it is, is not checked
	if socket := u.Query().Get("socket"); socket != "" {
		c.Net, c.Addr, c.TLSConfig = "unix", socket, ""
	}
	if tls := u.Query().Get("tls"); tls != "" {
		c.TLSConfig = tls
	}
	for name := range u.Query() {
		if name != "socket" && name != "tls" {
			return nil, fmt.Errorf("the address of the database has the parameter %q; only socket and tls are known", name)
		}
	}
	// Times come as text: the driver would make another day of 2026-01-00. TIMESTAMP is an instant, shown in UTC.
	c.Params = map[string]string{"charset": "utf8mb4", "time_zone": "'+00:00'"}
	c, err := mysql.ParseDSN(c.FormatDSN()) // it knows more parameters than the config has fields
	if err != nil {
		return nil, err
	}
	c.Logger = &mysql.NopLogger{} // it would write to stderr what it returns as well
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// hide takes the DSN and its password out of an error.
func (q Query) hide(err error) error {
	text := err.Error()
	for _, secret := range q.secrets() {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	if text == err.Error() {
		return err
	}
	for _, cause := range []error{ErrDatabase, ErrQuery, ErrLogin, ErrAddress, ErrChanged} {
		if errors.Is(err, cause) {
			return hidden{text, cause}
		}
	}
	return errors.New(text)
}

// hidden is an error whose text was cleaned.
type hidden struct {
	text  string
	cause error
}

func (e hidden) Error() string { return e.text }
func (e hidden) Unwrap() error { return e.cause }

func (q Query) secrets() []string {
	list := []string{q.DSN}
	if u, err := url.Parse(q.DSN); err == nil && u.User != nil {
		password, _ := u.User.Password()
		list = append(list, password, url.QueryEscape(password), url.PathEscape(password))
	}
	if u, err := url.Parse(q.DSN); err == nil {
		list = append(list, u.Query().Get("password"), url.QueryEscape(u.Query().Get("password")))
	}
	return list
}

// reading is a transaction in which a database is read and not changed: one snapshot, where it has such a thing.
type reading struct {
	driver string
	tx     *sql.Tx
}

// read calls f with a transaction that lasts as long. Errors name the query and hold no secret.
func (q Query) read(ctx context.Context, f func(reading) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", q.Name, q.hide(err))
		}
	}()
	name, db, err := q.open()
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
