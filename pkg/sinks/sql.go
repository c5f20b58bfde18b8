package sinks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"migrate/pkg/dsn"
)

// The causes of errors of a table.
var (
	// ErrDatabase may be gone when the same rows are written to a new sink: the connection was lost, the server went down, somebody
	// else held a lock. Nothing half is visible.
	ErrDatabase = errors.New("the database did not answer as it should")
	// ErrSchema is a table into which the rows do not fit. The error names every column.
	ErrSchema = errors.New("the rows do not fit into the table")
	// ErrValue is a value that the database cannot hold. The error names the row and the column.
	ErrValue = errors.New("the database cannot hold the value")
)

// Mode is what becomes of the rows that a table has already.
type Mode int

const (
	// Replace leaves exactly the rows of the export. Two of them with the same key are an error.
	//
	// PostgreSQL and SQLite: the rows are exchanged in one transaction, so that the table keeps its views, indexes, grants and
	// triggers. MySQL: a table made like it takes its name, which keeps all of these but triggers and foreign keys; where there are
	// such, it is refused.
	Replace Mode = iota
	// Merge adds the rows whose key is new and overwrites all columns of the export in those that are there. Of two rows of the
	// export with the same key, the newer one or else the later one counts.
	Merge
)

// Drift is what is done about columns of the export that the table does not have. A type that does not fit is always an error.
type Drift int

const (
	Fail Drift = iota // an error that names all differences, before anything is written
	Add               // they are added; in rows that are there already they are null. On MySQL they stay when the merge then fails
)

// TableConfig says where the rows of an export go.
type TableConfig struct {
	// DSN is the address of the database: postgres://, mysql:// (MariaDB too) or sqlite:FILE, which is made when it is not there. It
	// holds a password and is in no error.
	DSN string
	// Table is its name, as it stands, or schema and name: account, sales.account, "odd.schema"."odd.table".
	// It is made when it is not there.
	Table string
	// Schema is that of the rows: utf8, bool, int64, float64, decimal128, date32, timestamp[ms, UTC], time32[ms]. A text column whose
	// metadata has MetaLength becomes a varchar where that makes a difference.
	Schema *arrow.Schema
	Mode   Mode
	// Key is the column that tells rows apart: the primary key of a table that is made. "" is Id. A merge needs it; a table that
	// is there must then have a unique index on it.
	Key string
	// Newer is a column that grows with each change of a row, such as SystemModstamp. Merge leaves a row as it stands when it is
	// newer than the one of the export. "" overwrites always. On SQLite times are compared as texts, as this package writes them.
	Newer string
	Drift Drift
	// Tell is called with what somebody should know, such as that the server forbids the fast way. nil = nobody.
	Tell func(text string)

	look bool // the table is only looked at, see LookTable
}

// Table is a sink whose rows go into a table of a database. Until Publish they lie in a temporary table that ends with the connection,
// or, when MySQL replaces a table, in one that is named migrate_staging_ and the name of the table, and removed by the next export. Two
// exports to one table may run at the same time, and the one that publishes last has the last word; MySQL takes one at a time.
//
// The rows are loaded batch by batch, so memory does not grow with them. It needs a session of its own from beginning to end: a
// pooler that gives each transaction another one will not do. Columns that the table has and the export does not are left alone; in
// new rows they have their default.
type Table struct {
	cfg     TableConfig
	dsn     dsn.DSN
	name    tableName
	columns []column
	key     *column // nil: the export has no such column
	newer   *column // nil: none
	db      *sql.DB
	conn    *sql.Conn
	way     dialect

	rows, deletes, deleted int64
	failed                 error // set: only Close is left
}

// dialect is what the kinds of databases do differently.
type dialect interface {
	// open makes the connection pool; begin prepares the session, finds the table's schema and makes the staging tables.
	open() (*sql.DB, error)
	begin(ctx context.Context) error
	quote(name string) string
	maxName() int                                 // of a name, in bytes
	stagingName() string                          // quoted
	deletesName() string                          // quoted
	declare(c *column) string                     // the type of a column in a table that is made
	look(ctx context.Context) ([]standing, error) // the columns of the table; none: it is not there
	fits(c *column, s standing) bool              // every value of c can stand there unchanged
	load(ctx context.Context, into staging, rows arrow.RecordBatch) error
	publish(ctx context.Context) error
	end(ctx context.Context)
}

// staging is a table that is loaded before it is published.
type staging struct {
	name    string // quoted
	columns []column
	offset  int64 // rows that were loaded before
}

// OpenTable connects, compares the table with the schema, and makes ready to take rows. Nothing is changed in the table before Publish.
func OpenTable(ctx context.Context, cfg TableConfig) (*Table, error) {
	t := &Table{cfg: cfg}
	err := t.open(ctx)
	if err != nil {
		err = t.explain(ctx, err)
		t.Close()
		return nil, err
	}
	return t, nil
}

func (t *Table) open(ctx context.Context) (err error) {
	if t.dsn, err = dsn.Parse(t.cfg.DSN); err != nil {
		return permanent{err}
	}
	if t.name, err = parseTableName(t.cfg.Table); err != nil {
		return permanent{err}
	}
	switch t.dsn.Kind {
	case dsn.Postgres:
		t.way = &postgres{Table: t}
	case dsn.MySQL:
		t.way = &mySQL{Table: t}
	case dsn.SQLite:
		t.way = &sqLite{Table: t}
	default:
		return permanent{fmt.Errorf("a table of %s is read and not written to; postgres, mysql or sqlite", t.dsn.Kind)}
	}
	if err := t.readSchema(); err != nil {
		return permanent{err}
	}
	if t.db, err = t.way.open(); err != nil {
		return err
	}
	if t.conn, err = t.db.Conn(ctx); err != nil {
		return err
	}
	return t.way.begin(ctx)
}

// Write loads the rows of a batch into the staging table.
func (t *Table) Write(ctx context.Context, rows arrow.RecordBatch) error {
	if t.failed != nil {
		return t.failed
	}
	if !rows.Schema().Equal(t.cfg.Schema) {
		return t.fail(ctx, permanent{errors.New("a batch has another schema than the table was opened with")})
	}
	if rows.NumRows() == 0 {
		return nil
	}
	if err := t.way.load(ctx, staging{t.way.stagingName(), t.columns, t.rows}, rows); err != nil {
		return t.fail(ctx, err)
	}
	t.rows += rows.NumRows()
	return nil
}

// Delete has the rows with these keys removed by Publish, after the rows of the export are in: a key that is in both is gone. Keys that
// the table does not have do not matter. Only Merge with a text key takes deletes.
func (t *Table) Delete(ctx context.Context, keys []string) error {
	switch {
	case t.failed != nil:
		return t.failed
	case t.cfg.Mode != Merge:
		return t.fail(ctx, permanent{errors.New("only a merge takes deletes; a table that is replaced has nothing to delete")})
	case t.key.typ != arrow.STRING:
		return t.fail(ctx, permanent{fmt.Errorf("deletes need a key that is text; %s is none", t.key.name)})
	case len(keys) == 0:
		return nil
	}
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.AppendValues(keys, nil)
	values := b.NewStringArray()
	defer values.Release()
	rows := array.NewRecordBatch(arrow.NewSchema([]arrow.Field{t.key.field}, nil), []arrow.Array{values}, int64(len(keys)))
	defer rows.Release()
	if err := t.way.load(ctx, staging{t.way.deletesName(), []column{*t.key}, t.deletes}, rows); err != nil {
		return t.fail(ctx, err)
	}
	t.deletes += int64(len(keys))
	return nil
}

// Deleted is how many rows Publish has removed because of Delete.
func (t *Table) Deleted() int64 { return t.deleted }

// Publish makes the rows visible in one transaction. When the connection is lost in it, nobody knows whether it was the last thing that
// was done; doing all again comes out the same.
func (t *Table) Publish(ctx context.Context) ([]File, error) {
	if t.failed != nil {
		return nil, t.failed
	}
	if err := t.way.publish(ctx); err != nil {
		return nil, t.fail(ctx, err)
	}
	t.failed = errors.New("the rows are published; a sink publishes once")
	return []File{{Path: t.cfg.Table, Rows: t.rows}}, nil
}

// Close ends the connection and with it what was not published.
func (t *Table) Close() error {
	if t.conn != nil {
		t.way.end(context.Background())
		t.conn.Close()
		t.conn = nil
	}
	if t.db != nil {
		t.db.Close()
		t.db = nil
	}
	if t.failed == nil {
		t.failed = errors.New("the sink is closed")
	}
	return nil
}

// fail ends the sink with an error.
func (t *Table) fail(ctx context.Context, err error) error {
	t.failed = t.explain(ctx, err)
	return t.failed
}

// permanent is an error that would come again.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// explain names the table, gives an error its cause and takes the password out.
func (t *Table) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil { // what a driver makes of it is beside the point
		return fmt.Errorf("table %s: %w", t.cfg.Table, context.Cause(ctx))
	}
	if detail := serverDetail(err); detail != "" {
		err = fmt.Errorf("%w: %s", err, detail)
	}
	if p := (permanent{}); !errors.As(err, &p) && dsn.Temporary(err) {
		err = fmt.Errorf("%w: %w", ErrDatabase, err)
	}
	return fmt.Errorf("table %s: %w", t.cfg.Table, t.dsn.Hide(err))
}

func (t *Table) tell(format string, args ...any) {
	if t.cfg.Tell != nil {
		t.cfg.Tell(fmt.Sprintf(format, args...))
	}
}

// exec runs statements one after another and returns how many rows the last one touched.
func (t *Table) exec(ctx context.Context, statements ...string) (n int64, err error) {
	for _, s := range statements {
		r, err := t.conn.ExecContext(ctx, s)
		if err != nil {
			return 0, err
		}
		if n, err = r.RowsAffected(); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// transact runs f between the statement that begins a transaction and COMMIT.
func (t *Table) transact(ctx context.Context, begin string, f func() error) error {
	if _, err := t.exec(ctx, begin); err != nil {
		return err
	}
	err := f()
	if err == nil {
		if _, err = t.exec(ctx, "COMMIT"); err == nil {
			return nil
		}
	}
	t.exec(context.WithoutCancel(ctx), "ROLLBACK") // when it fails, the connection is gone and the transaction with it
	return err
}

// list joins what f makes of each column.
func list(columns []column, separator string, f func(c *column) string) string {
	var b strings.Builder
	for i := range columns {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(f(&columns[i]))
	}
	return b.String()
}
