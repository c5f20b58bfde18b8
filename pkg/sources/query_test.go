package sources_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	_ "github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"migrate/internal/testdb"
	"migrate/pkg/cell"
	"migrate/pkg/sources"
	"migrate/pkg/sources/sourcetest"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

// database is one kind of database under test.
type database struct {
	dsn string
	db  *sql.DB
}

func sqlite(t testing.TB) database {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db #1.sqlite")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	d := database{"sqlite:" + path, db}
	d.run(t, "PRAGMA user_version = 1") // makes the file
	return d
}

func postgres(t testing.TB) database {
	t.Helper()
	dsn := testdb.Postgres(t)
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return database{dsn, db}
}

func mariadb(t testing.TB) database {
	t.Helper()
	dsn := testdb.MariaDB(t)
	at := strings.TrimPrefix(dsn, "mysql://")
	who, where, _ := strings.Cut(at, "@")
	host, name, _ := strings.Cut(where, "/")
	db, err := sql.Open("mysql", who+"@tcp("+host+")/"+name+"?multiStatements=true")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return database{dsn, db}
}

func (d database) run(t testing.TB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := d.db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// spool runs a query into a file.
func (d database) spool(t testing.TB, query string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "q.arrow")
	if _, err := (sources.Query{DSN: d.dsn, SQL: query, Name: "q"}).Spool(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	return path
}

// read gives all rows as text, and the types of the columns.
func read(t testing.TB, path string) (types []string, rows [][]string) {
	t.Helper()
	s, err := sources.OpenSpool(path, sources.SpoolOptions{Name: "q"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Schema().Fields() {
		types = append(types, f.Type.String())
	}
	r, err := s.Open(t.Context(), s.Splits()[0], sources.Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		b, err := r.Next(t.Context())
		if err != nil {
			break
		}
		for i := range int(b.Rows.NumRows()) {
			var row []string
			for _, c := range b.Rows.Columns() {
				text := string(cell.AppendText(nil, c, i))
				if c.IsNull(i) {
					text = "NULL"
				}
				row = append(row, text)
			}
			rows = append(rows, row)
		}
		b.Rows.Release()
	}
	return types, rows
}

// TestQuerySuite holds the result of a query to the contract of sources, over more than one batch of its file.
func TestQuerySuite(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	d.run(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO t SELECT i, CASE i % 3 WHEN 0 THEN NULL ELSE 'name ' || i END FROM n")
	path := d.spool(t, "SELECT * FROM t ORDER BY id")
	sourcetest.Run(t, func(rows int, mem memory.Allocator) (sources.Source, error) {
		return sources.OpenSpool(path, sources.SpoolOptions{Name: "q", BatchRows: rows, Allocator: mem})
	})
	empty := d.spool(t, "SELECT * FROM t WHERE false")
	if _, rows := read(t, empty); len(rows) != 0 {
		t.Errorf("%d rows of nothing", len(rows))
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
}

// TestQueryAtAnyRow opens a file of several batches at rows around their borders.
func TestQueryAtAnyRow(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	path := d.spool(t, "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19999) SELECT i FROM n")
	s, err := sources.OpenSpool(path, sources.SpoolOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []int64{0, 1, 8191, 8192, 8193, 16383, 16384, 19999, 20000} {
		got, err := sourcetest.ReadSplit(s, s.Splits()[0], sources.Position{Row: row, Offset: row, Line: row + 1})
		if err != nil || len(got.Records) != int(20000-row) || row < 20000 && got.Records[0].Fields[0] != fmt.Sprint(row) {
			t.Errorf("at row %d: %d records, %v", row, len(got.Records), err)
		}
	}
}

// typed is one column of a table that has a column of each type.
type typed struct{ declared, value, want, typ string }

func checkTypes(t *testing.T, d database, table string, columns []typed) {
	t.Helper()
	var declared, values, nulls, names, want, wantNull, types []string
	for i, c := range columns {
		name := fmt.Sprintf("c%d", i)
		names = append(names, name)
		declared = append(declared, name+" "+c.declared)
		values = append(values, c.value)
		nulls = append(nulls, "NULL")
		want = append(want, c.want)
		wantNull = append(wantNull, "NULL")
		types = append(types, c.typ)
	}
	d.run(t, "DROP TABLE IF EXISTS "+table, "CREATE TABLE "+table+" ("+strings.Join(declared, ", ")+")",
		"INSERT INTO "+table+" VALUES ("+strings.Join(values, ", ")+")", "INSERT INTO "+table+" VALUES ("+strings.Join(nulls, ", ")+")")
	gotTypes, rows := read(t, d.spool(t, "SELECT "+strings.Join(names, ", ")+" FROM "+table))
	if diff := cmp.Diff(types, gotTypes); diff != "" {
		t.Errorf("types (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([][]string{want, wantNull}, rows); diff != "" {
		t.Errorf("rows (-want +got)\n%s", diff)
	}
}

func TestSQLiteTypes(t *testing.T) {
	t.Parallel()
	checkTypes(t, sqlite(t), "types", []typed{
		{"INTEGER", "9223372036854775807", "9223372036854775807", "int64"},
		{"REAL", "0.1", "0.1", "float64"},
		{"REAL", "5", "5", "float64"},
		{"NUMERIC(10,2)", "12.5", "12.5", "utf8"},
		{"TEXT", "'Zürich ''x'''", "Zürich 'x'", "utf8"},
		{"NVARCHAR(40)", "'é'", "é", "utf8"},
		{"BOOLEAN", "1", "true", "bool"},
		{"DATE", "'2026-01-31'", "2026-01-31", "date32"},
		{"DATETIME", "'2026-01-31 12:00:00'", "2026-01-31T12:00:00", "timestamp[us]"},
		{"BLOB", "x'00ff'", "AP8=", "binary"},
		{"", "'free'", "free", "utf8"},
	})
}

func TestPostgresTypes(t *testing.T) {
	d := postgres(t)
	checkTypes(t, d, "types", []typed{
		{"smallint", "-5", "-5", "int64"},
		{"integer", "7", "7", "int64"},
		{"bigint", "9223372036854775807", "9223372036854775807", "int64"},
		{"real", "0.1", "0.1", "float64"},
		{"double precision", "1e300", "1e+300", "float64"},
		{"numeric(12,2)", "-1234567.80", "-1234567.80", "decimal(12, 2)"},
		{"numeric", "1234567890123456789012345678901234567890.5", "1234567890123456789012345678901234567890.5", "utf8"},
		{"boolean", "true", "true", "bool"},
		{"text", "'Zürich \U0001F3F0'", "Zürich \U0001F3F0", "utf8"},
		{"varchar(10)", "''", "", "utf8"},
		{"char(4)", "'ab'", "ab  ", "utf8"},
		{"date", "'2026-01-31'", "2026-01-31", "date32"},
		{"timestamp", "'2026-01-31 12:00:00.25'", "2026-01-31T12:00:00.25", "timestamp[us]"},
		{"timestamptz", "'2026-01-31 12:00:00+02'", "2026-01-31T10:00:00Z", "timestamp[us, tz=UTC]"},
		{"time", "'13:05:00'", "13:05:00", "utf8"},
		{"bytea", `'\x00ff'`, "AP8=", "binary"},
		{"uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "utf8"},
		{"jsonb", `'{"a": 1}'`, `{"a": 1}`, "utf8"},
		{"text[]", "'{a,b}'", "{a,b}", "utf8"},
	})
	// the server's own idea of each value as text
	d.run(t, "DROP TABLE IF EXISTS many", "CREATE TABLE many AS SELECT i, (i * 1234567.891)::numeric(20,3) AS n, 'x' || i AS s, '2026-01-01'::date + i AS d FROM generate_series(1, 9000) i")
	_, rows := read(t, d.spool(t, "SELECT i, n, s, d, i::text AS ti, n::text AS tn, s AS ts, d::text AS td FROM many ORDER BY many.i"))
	if len(rows) != 9000 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows {
		if diff := cmp.Diff(r[4:], r[:4]); diff != "" {
			t.Fatalf("row (-server +ours)\n%s", diff)
		}
	}
}

func TestMariaDBTypes(t *testing.T) {
	d := mariadb(t)
	checkTypes(t, d, "types", []typed{
		{"tinyint(1)", "1", "1", "int64"},
		{"int unsigned", "4294967295", "4294967295", "int64"},
		{"bigint", "-9223372036854775808", "-9223372036854775808", "int64"},
		{"bigint unsigned", "18446744073709551615", "18446744073709551615", "uint64"},
		{"float", "0.1", "0.1", "float64"},
		{"double", "0.1", "0.1", "float64"},
		{"decimal(12,2)", "-1234567.80", "-1234567.80", "decimal(12, 2)"},
		{"varchar(20) character set utf8mb4", "'Zürich \U0001F3F0'", "Zürich \U0001F3F0", "utf8"},
		{"text", "'long'", "long", "utf8"},
		{"enum('a','b')", "'b'", "b", "utf8"},
		{"set('a','b')", "'a,b'", "a,b", "utf8"},
		{"date", "'2026-01-31'", "2026-01-31", "date32"},
		{"datetime(6)", "'2026-01-31 12:00:00.25'", "2026-01-31T12:00:00.25", "timestamp[us]"},
		{"timestamp null", "'2026-01-31 12:00:00'", "2026-01-31T12:00:00Z", "timestamp[us, tz=UTC]"},
		{"time", "'13:05:00'", "13:05:00", "utf8"},
		{"blob", "x'00ff'", "AP8=", "binary"},
	})
	d.run(t, "DROP TABLE IF EXISTS zero", "SET sql_mode=''; CREATE TABLE zero (d date); INSERT INTO zero VALUES ('0000-00-00')")
	_, err := sources.Query{DSN: d.dsn, SQL: "SELECT d FROM zero", Name: "old crm"}.Spool(t.Context(), filepath.Join(t.TempDir(), "q"))
	if err == nil || !strings.Contains(err.Error(), "old crm: row 1: column d: it holds the date 0000-00-00; make it null in the query") {
		t.Errorf("a zero date: %v", err)
	}
}

// TestQueryErrors: what is wrong, where, and no password.
func TestQueryErrors(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	d.run(t, "CREATE TABLE t (n INTEGER, b BOOLEAN)", "INSERT INTO t VALUES (1, 1), ('many', 1)", "CREATE TABLE u (b BOOLEAN)", "INSERT INTO u VALUES (7)")
	for _, test := range []struct{ dsn, query, want string }{
		{d.dsn, "SELECT n FROM t", `q: row 2: column n: it holds "many" where a whole number should be; convert it in the query`},
		{d.dsn, "SELECT missing FROM t", "no such column: missing"},
		{d.dsn, "SELEC", "syntax error"},
		{"sqlite:/nowhere/x.db", "SELECT 1", "no such file"},
		{"postgres://me:hunter2@127.0.0.1:1/db", "SELECT 1", "the database did not answer as it should"},
		{"mysql://me:hunter2@127.0.0.1:1/db", "SELECT 1", "the database did not answer as it should"},
		{"mongodb://me:hunter2@127.0.0.1/db", "SELECT 1", `no kind of database "mongodb": postgres, mysql, sqlite, sqlserver or oracle`},
		{"postgres://me:hunt%er2@127.0.0.1:x/db", "SELECT 1", "is no URL"},
	} {
		path := filepath.Join(t.TempDir(), "q")
		_, err := sources.Query{DSN: test.dsn, SQL: test.query, Name: "q"}.Spool(t.Context(), path)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "hunt%er2") {
			t.Errorf("%s %s: %v, want %q", test.dsn, test.query, err, test.want)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) > 0 {
			t.Errorf("%s: a failed query leaves %v", test.query, left)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (sources.Query{DSN: d.dsn, SQL: "SELECT 1", Name: "q"}).Spool(ctx, filepath.Join(t.TempDir(), "q")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	path := d.spool(t, "SELECT 1 AS one")
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := sources.OpenSpool(path, sources.SpoolOptions{Name: "q"}); err == nil {
		t.Error("a file that was cut opens")
	}
}

// TestQueryLogin: a database that does not know who asks is told from one that is not there, and from an address that leads nowhere.
func TestQueryLogin(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(mariadb(t).dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("nobody", "hunter2")
	for dsn, want := range map[string]error{
		u.String():                              sources.ErrLogin,
		"mysql://me:hunter2@127.0.0.1:1/db":     sources.ErrDatabase,
		"mongodb://me:hunter2@127.0.0.1/db":     sources.ErrAddress,
		"postgres://me:hunt%er2@127.0.0.1:x/db": sources.ErrAddress,
	} {
		_, err := sources.Query{DSN: dsn, SQL: "SELECT 1", Name: "q"}.Spool(t.Context(), filepath.Join(t.TempDir(), "q"))
		if !errors.Is(err, want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %v", dsn, err, want)
		}
	}
}

// TestQueryMemory: a result of 300,000 rows goes through bounded memory.
func TestQueryMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	d := postgres(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	path := d.spool(t, "SELECT i, 'name of row ' || i AS name, i * 1.5::float8 AS x FROM generate_series(1, 300000) i")
	runtime.ReadMemStats(&after)
	if info, err := os.Stat(path); err != nil || info.Size() < 10<<20 {
		t.Fatalf("%v %v", info, err)
	}
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 96<<20 {
		t.Errorf("the heap has grown by %d MiB", grown>>20)
	}
}

func BenchmarkQuery(b *testing.B) {
	const rows = 100_000
	for _, kind := range []struct {
		name string
		open func(testing.TB) database
		sql  string
	}{
		{"sqlite", sqlite, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i, 'name of row ' || i AS name, i * 1.5 AS x FROM n"},
		{"postgres", postgres, "SELECT i, 'name of row ' || i AS name, i * 1.5::float8 AS x FROM generate_series(1, 100000) i"},
		{"mariadb", mariadb, "SELECT seq AS i, concat('name of row ', seq) AS name, seq * 1.5e0 AS x FROM seq_1_to_100000"},
	} {
		b.Run(kind.name, func(b *testing.B) {
			d := kind.open(b)
			for b.Loop() {
				d.spool(b, kind.sql)
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
