// Package dsn reads the address of a database: a URL that says which kind it is, where it is and who asks. The address holds a
// password, so it has no method that gives its text; Hide keeps it out of errors.
//
//	postgres://user:password@host:port/name    PostgreSQL, with libpq's parameters
//	mysql://user:password@host:port/name       MySQL and MariaDB, with ?socket= and ?tls=
//	sqlite:FILE
//	sqlserver://, oracle://                    as their drivers take it
package dsn

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// Kind is a kind of database.
type Kind string

// The kinds.
const (
	Postgres  Kind = "PostgreSQL"
	MySQL     Kind = "MySQL"
	SQLite    Kind = "SQLite"
	SQLServer Kind = "SQL Server"
	Oracle    Kind = "Oracle"
)

// DSN is the address of a database.
type DSN struct {
	Kind Kind
	File string // of SQLite

	text string
	url  *url.URL // nil for SQLite
}

// Parse reads an address. It does not connect. Its errors hold nothing of the address but its scheme and the names of parameters.
func Parse(text string) (DSN, error) {
	if file, ok := strings.CutPrefix(text, "sqlite:"); ok {
		file = strings.TrimPrefix(file, "//")
		if file == "" {
			return DSN{}, errors.New("the address of the database names no file: sqlite:FILE")
		}
		return DSN{Kind: SQLite, File: file, text: text}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" {
		return DSN{}, errors.New("the address of the database is no URL, such as postgres://user:password@host/name")
	}
	d := DSN{text: text, url: u}
	switch u.Scheme {
	case "postgres", "postgresql":
		d.Kind = Postgres
	case "mysql", "mariadb":
		d.Kind = MySQL
	case "sqlserver":
		d.Kind = SQLServer
	case "oracle":
		d.Kind = Oracle
	default:
		return DSN{}, fmt.Errorf("no kind of database %q: postgres, mysql, sqlite, sqlserver or oracle", u.Scheme)
	}
	return d, nil
}

// Text is the address as the drivers of PostgreSQL, SQL Server and Oracle take it. It holds the password.
func (d DSN) Text() string { return d.text }

// Place says which database it is, so that two addresses can be compared. It holds neither user nor password.
func (d DSN) Place() string {
	if d.url == nil {
		file, err := filepath.Abs(d.File)
		if err != nil {
			file = d.File
		}
		return string(d.Kind) + " " + file
	}
	return string(d.Kind) + " " + d.url.Host + d.url.Path + d.url.Query().Get("socket")
}

// HasPassword reports whether the address holds one.
func (d DSN) HasPassword() bool {
	if d.url == nil {
		return false
	}
	_, has := d.url.User.Password()
	return has || d.url.Query().Has("password")
}

// MySQL is the address as the driver takes it. The connection is encrypted when the server offers it, or as tls= says: true, false,
// skip-verify, preferred. Parameters of the session are the caller's.
func (d DSN) MySQL() (*mysql.Config, error) {
	c, u := mysql.NewConfig(), d.url
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.Net, c.Addr, c.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	if u.Port() == "" {
		c.Addr = u.Host + ":3306"
	}
	c.TLSConfig = "preferred" // who the server is, is not checked
	for name, values := range u.Query() {
		switch name {
		case "socket":
			c.Net, c.Addr, c.TLSConfig = "unix", values[0], ""
		case "tls":
		default:
			return nil, fmt.Errorf("the address of the database has the parameter %q; only socket and tls are known", name)
		}
	}
	if tls := u.Query().Get("tls"); tls != "" {
		c.TLSConfig = tls
	}
	return c, nil
}

// OpenMySQL gives the connections to a MySQL whose sessions have these parameters. It does not connect.
func (d DSN) OpenMySQL(session map[string]string) (*sql.DB, error) {
	c, err := d.MySQL()
	if err != nil {
		return nil, err
	}
	c.Params = session
	if c, err = mysql.ParseDSN(c.FormatDSN()); err != nil { // it knows more parameters than the config has fields
		return nil, err
	}
	c.Logger = &mysql.NopLogger{} // it would write to stderr what it returns as well
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// Hide takes the address and its password out of the text of an error. What errors.Is finds in it stays the same.
func (d DSN) Hide(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, secret := range d.secrets() {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	if text == err.Error() {
		return err
	}
	return hidden{text, err}
}

// hidden is an error whose text was cleaned. It does not unwrap, since the text below is not clean.
type hidden struct {
	text  string
	cause error
}

func (e hidden) Error() string        { return e.text }
func (e hidden) Is(target error) bool { return errors.Is(e.cause, target) }

func (d DSN) secrets() []string {
	list := []string{}
	if d.url == nil {
		return list
	}
	list = append(list, d.text)
	if d.url.User != nil {
		password, _ := d.url.User.Password()
		list = append(list, password, url.QueryEscape(password), url.PathEscape(password))
	}
	password := d.url.Query().Get("password")
	return append(list, password, url.QueryEscape(password))
}
