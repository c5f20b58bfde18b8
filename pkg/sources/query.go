package sources

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"  // postgres
	_ "github.com/microsoft/go-mssqldb" // sqlserver
	_ "github.com/sijms/go-ora/v2"      // oracle
	_ "modernc.org/sqlite"              // sqlite
)

// Query is a query of a database. Its result is read once, into a file, and from there as often as it takes: a database gives no
// promise that it answers twice the same.
type Query struct {
	// DSN says where the database is and who asks, as a URL: postgres://, mysql:// (MariaDB too), sqlite:FILE, sqlserver:// or
	// oracle://. It holds a password and is in no error and no file. SQL Server and Oracle are not covered by tests here.
	DSN string
	// SQL is one SELECT.
	SQL string
	// Name is what messages and reports call it.
	Name string
}

// The causes of errors that a database or the way to it brought about.
var (
	ErrDatabase = errors.New("the database did not answer as it should")
	ErrQuery    = errors.New("the database refuses the query")
)

// driver finds the driver of a DSN and the form in which it wants it.
func (q Query) driver() (name, dsn string, err error) {
	if file, ok := strings.CutPrefix(q.DSN, "sqlite:"); ok {
		file = strings.TrimPrefix(file, "//")
		if _, err := os.Stat(file); err != nil { // the driver would make an empty one
			return "", "", err
		}
		u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: "mode=ro&_pragma=busy_timeout(10000)"}
		return "sqlite", u.String(), nil
	}
	u, err := url.Parse(q.DSN)
	if err != nil {
		return "", "", errors.New("the address of the database is no URL, such as postgres://user:password@host/name")
	}
	switch u.Scheme {
	case "postgres", "postgresql":
		return "pgx", q.DSN, nil
	case "mysql", "mariadb":
		c := mysql.NewConfig()
		c.User = u.User.Username()
		c.Passwd, _ = u.User.Password()
		c.Net, c.Addr, c.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
		if u.Port() == "" {
			c.Addr = u.Host + ":3306"
		}
		if socket := u.Query().Get("socket"); socket != "" {
			c.Net, c.Addr = "unix", socket
		}
		if u.Query().Get("tls") != "" {
			c.TLSConfig = u.Query().Get("tls")
		}
		for name := range u.Query() {
			if name != "socket" && name != "tls" {
				return "", "", fmt.Errorf("the address of the database has the parameter %q; only socket and tls are known", name)
			}
		}
		// Times come as text: the driver would make another day of 2026-01-00. TIMESTAMP is an instant, shown in UTC.
		c.Params = map[string]string{"charset": "utf8mb4", "time_zone": "'+00:00'"}
		return "mysql", c.FormatDSN(), nil
	case "sqlserver":
		return "sqlserver", q.DSN, nil
	case "oracle":
		return "oracle", q.DSN, nil
	}
	return "", "", fmt.Errorf("no kind of database %q: postgres, mysql, sqlite, sqlserver or oracle", u.Scheme)
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
	for _, cause := range []error{ErrDatabase, ErrQuery} {
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

// A batch of the file ends at this many rows or bytes of values, whichever is reached first.
const (
	queryBatch = 8192
	queryBytes = 32 << 20
)

// Spool runs the query and writes its result to a file, from which OpenSpool reads. The file appears whole or not at all and is
// readable by its owner alone. The result goes through memory a batch at a time. It gives the number of rows.
func (q Query) Spool(ctx context.Context, path string) (rows int64, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", q.Name, q.hide(err))
		}
	}()
	name, dsn, err := q.driver()
	if err != nil {
		return 0, err
	}
	db, err := sql.Open(name, dsn)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var options *sql.TxOptions
	if name == "pgx" || name == "mysql" { // one snapshot, and nothing is changed
		options = &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	}
	tx, err := db.BeginTx(ctx, options)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrDatabase, err)
	}
	defer tx.Rollback()
	result, err := tx.QueryContext(ctx, q.SQL)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	defer result.Close()
	types, err := result.ColumnTypes()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrDatabase, err)
	}
	columns := make([]queryColumn, len(types))
	fields := make([]arrow.Field, len(types))
	for i, t := range types {
		columns[i] = newQueryColumn(name, t)
		fields[i] = arrow.Field{Name: t.Name(), Type: columns[i].typ, Nullable: true}
	}
	return writeSpool(path, arrow.NewSchema(fields, nil), func(b *array.RecordBuilder) (int, error) {
		if !result.Next() {
			if err := result.Err(); err != nil {
				return 0, fmt.Errorf("%w: %w", ErrDatabase, err)
			}
			return 0, nil
		}
		values := make([]any, len(columns))
		places := make([]any, len(columns))
		for i := range values {
			places[i] = &values[i]
		}
		if err := result.Scan(places...); err != nil {
			return 0, fmt.Errorf("%w: %w", ErrDatabase, err)
		}
		for i, v := range values {
			if err := columns[i].append(b.Field(i), v); err != nil {
				return 0, fmt.Errorf("column %s: %w", types[i].Name(), err)
			}
		}
		return sizeOf(values), nil
	})
}

// sizeOf is about how many bytes a row takes; at least one.
func sizeOf(values []any) int {
	n := 1
	for _, v := range values {
		switch v := v.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		default:
			n += 16
		}
	}
	return n
}

// writeSpool writes rows until next has no more; next appends one and gives its size. Beside the file stands an index: the
// number of rows of each batch, 4 bytes each.
func writeSpool(path string, schema *arrow.Schema, next func(*array.RecordBuilder) (int, error)) (rows int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w, err := ipc.NewFileWriter(f, ipc.WithSchema(schema))
	if err != nil {
		return 0, err
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	var index []byte
	in, bytes := uint32(0), 0
	for more := true; more; {
		size, err := next(b)
		if err != nil {
			return rows, fmt.Errorf("row %d: %w", rows+1, err)
		}
		if more = size > 0; more {
			rows++
			in++
			bytes += size
		}
		if in == queryBatch || bytes >= queryBytes || !more && in > 0 {
			batch := b.NewRecordBatch()
			err := w.Write(batch)
			batch.Release()
			if err != nil {
				return rows, err
			}
			index = binary.LittleEndian.AppendUint32(index, in)
			in, bytes = 0, 0
		}
	}
	if err := os.WriteFile(path+indexSuffix, index, 0o600); err != nil {
		return rows, err
	}
	if err := w.Close(); err != nil {
		return rows, err
	}
	if err := f.Sync(); err != nil {
		return rows, err
	}
	if err := f.Close(); err != nil {
		return rows, err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return rows, err
	}
	return rows, syncFolder(filepath.Dir(path))
}

// indexSuffix stands behind the name of a spooled result for its index.
const indexSuffix = ".index"
