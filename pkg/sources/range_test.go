package sources_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"migrate/pkg/sources"
	"migrate/pkg/sources/sourcetest"
)

// divide cuts a query into ranges.
func (d database) divide(t testing.TB, query, key string, n int) *sources.Ranges {
	t.Helper()
	q := sources.Query{DSN: d.dsn, SQL: query, Name: "q"}
	path := filepath.Join(t.TempDir(), "q.arrow")
	if err := q.Divide(t.Context(), path, key, n); err != nil {
		t.Fatal(err)
	}
	return openRanges(t, path, q)
}

func openRanges(t testing.TB, path string, q sources.Query) *sources.Ranges {
	t.Helper()
	r, err := sources.OpenRanges(path, sources.RangesOptions{Query: q})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// allRows reads all splits and sorts their rows.
func allRows(t testing.TB, s sources.Source) []string {
	t.Helper()
	var rows []string
	for _, split := range s.Splits() {
		got, err := sourcetest.ReadSplit(s, split, sources.Position{})
		if err != nil {
			t.Fatalf("%s: %v", split.Path, err)
		}
		for _, r := range got.Records {
			rows = append(rows, strings.Join(r.Fields, "|"))
		}
	}
	slices.Sort(rows)
	return rows
}

var databases = map[string]func(testing.TB) database{"sqlite": sqlite, "postgres": postgres, "mariadb": mariadb}

// TestRanges: for each kind of database and many kinds of keys, the ranges hold the rows and have the columns that the whole query has.
func TestRanges(t *testing.T) {
	t.Parallel()
	const lowest, highest = "-9223372036854775808", "9223372036854775807"
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			for i, test := range []struct {
				name   string
				typ    string
				keys   string // of rows
				n      int
				ranges int
				not    string // databases without such keys
			}{
				{"spread", "bigint", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20", 4, 4, ""},
				{"one for all", "bigint", "1,2,3", 0, 1, ""},
				{"nulls", "integer", "null,5,null,6,9,null", 3, 3, ""},
				{"only nulls", "integer", "null,null", 3, 1, ""},
				{"no rows", "bigint", "", 3, 1, ""},
				{"one row", "bigint", "7", 5, 1, ""},
				{"one key", "bigint", "7,7,7,7", 5, 1, ""},
				{"negative", "integer", "-10,-9,-3,-1,0,1,4", 5, 5, ""},
				{"borders of int64", "bigint", lowest + "," + lowest + ",-1,0,1," + highest + "," + highest, 7, 7, ""},
				{"lowest alone", "bigint", lowest, 3, 1, ""},
				{"highest two", "bigint", "9223372036854775806," + highest, 256, 2, ""},
				{"skewed", "bigint", "1,1,1,1,1,1,1,1,1,1,2,2,2,1000000000000", 8, 8, ""},
				{"unsigned", "bigint unsigned", "0,1,9223372036854775808,18446744073709551615", 3, 3, "sqlite postgres"},
				{"decimal", "numeric(20,0)", "-99999999999999999999,0,5,99999999999999999999", 3, 3, "sqlite"},
				{"dates", "date", "'1969-12-30','2026-01-31','2026-02-01','2026-02-01',null", 6, 6, "sqlite"},
				{"two days", "date", "'2026-01-31','2026-02-01'", 6, 2, "sqlite"},
				{"times", "timestamp(6)", "'1985-12-31 23:59:59.999999','2026-01-31 12:00:00','2026-01-31 12:00:00.5','2026-01-31 12:00:01'", 6, 6, "sqlite"},
				{"local times", "datetime(6)", "'1000-12-31 23:59:59.999999','2026-01-31 12:00:00','9999-12-31 12:00:00.5'", 6, 6, "sqlite postgres"},
				{"instants", "timestamptz", "'2026-01-31 12:00:00+02','2026-01-31 09:59:59.9+00','2026-01-31 10:00:01+00'", 2, 2, "sqlite mariadb"},
			} {
				t.Run(test.name, func(t *testing.T) {
					if strings.Contains(test.not, name) {
						return
					}
					table := fmt.Sprintf("ranges_%d", i)
					d.run(t, "drop table if exists "+table, "create table "+table+" (id "+strings.Replace(test.typ, "timestamp(6)", map[string]string{"mariadb": "timestamp(6) null", "postgres": "timestamp"}[name], 1)+", note varchar(20))")
					for i, key := range strings.Split(test.keys, ",") {
						if key != "" {
							d.run(t, fmt.Sprintf("insert into %s values (%s, 'row %d')", table, key, i))
						}
					}
					query := "select * from " + table + " -- all of it\n;"
					r := d.divide(t, query, "id", test.n)
					if got := len(r.Splits()); got != test.ranges {
						t.Errorf("%d ranges, want %d: %+v", got, test.ranges, r.Splits())
					}
					whole, err := sources.OpenSpool(d.spool(t, query), sources.SpoolOptions{Name: "q"})
					if err != nil {
						t.Fatal(err)
					}
					if !whole.Schema().Equal(r.Schema()) {
						t.Errorf("columns %v, want %v", r.Schema(), whole.Schema())
					}
					want := allRows(t, whole)
					if diff := cmp.Diff(want, allRows(t, r)); diff != "" {
						t.Errorf("rows (-whole +ranges)\n%s", diff)
					}
					if r.Rows() != int64(len(want)) {
						t.Errorf("%d rows were counted, there are %d", r.Rows(), len(want))
					}
					if diff := cmp.Diff(r.Splits(), d.divide(t, query, "ID", test.n).Splits(), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".File" }, cmp.Ignore())); diff != "" {
						t.Errorf("another time other ranges\n%s", diff)
					}
				})
			}
		})
	}
}

// TestRangesTypes: a range has the types that the whole query has, for every type, also where SQLite only knows them by the declaration.
func TestRangesTypes(t *testing.T) {
	t.Parallel()
	for name, columns := range map[string]string{
		"sqlite":   "id integer primary key, r real, n numeric(10,2), t text, v nvarchar(40), b boolean, d date, dt datetime, bl blob, x",
		"postgres": "id bigserial, s smallint, r real, f double precision, n numeric(12,2), nn numeric, b boolean, t text, c char(4), d date, ts timestamp, tz timestamptz, by bytea, u uuid, j jsonb, a text[]",
		"mariadb":  "id bigint unsigned, t tinyint(1), f float, d double, n numeric(12,2), v varchar(20), e enum('a','b'), dd date, dt datetime(6), ts timestamp null, b blob, bi bit(3)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := databases[name](t)
			d.run(t, "drop table if exists ranges_types", "create table ranges_types ("+columns+")")
			for i, query := range []string{"select * from ranges_types", "select a.*, 1 as one, b.id as other from ranges_types a left join ranges_types b on a.id = b.id",
				"with c as (select * from ranges_types) select * from c", "select * from ranges_types union all select * from ranges_types order by id limit 10"} {
				whole, err := sources.OpenSpool(d.spool(t, query), sources.SpoolOptions{})
				if err != nil {
					t.Fatal(err)
				}
				r := d.divide(t, query, "id", 3)
				if !whole.Schema().Equal(r.Schema()) {
					t.Errorf("query %d: columns %v, want %v", i, r.Schema(), whole.Schema())
				}
				allRows(t, r) // refused if a range has other columns
			}
		})
	}
}

// TestRangesSuite holds ranges to the contract of sources: in one of several batches of its file.
func TestRangesSuite(t *testing.T) {
	t.Parallel()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.run(t, "drop table if exists ranges_suite", "create table ranges_suite (id integer, name varchar(20))")
			for i := range 60 {
				d.run(t, fmt.Sprintf("insert into ranges_suite values (%d, 'name %d')", i, i))
			}
			q := sources.Query{DSN: d.dsn, SQL: "select * from ranges_suite", Name: "q"}
			path := filepath.Join(t.TempDir(), "q.arrow")
			if err := q.Divide(t.Context(), path, "id", 3); err != nil {
				t.Fatal(err)
			}
			sourcetest.Run(t, func(rows int, mem memory.Allocator) (sources.Source, error) {
				return sources.OpenRanges(path, sources.RangesOptions{Query: q, BatchRows: rows, Allocator: mem})
			})
			files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
			if len(files) != 8 { // four files with an index each
				t.Errorf("there are %v", files)
			}
			for _, f := range files {
				if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s has mode %v, %v", f, info.Mode(), err)
				}
			}
		})
	}
}

// TestRangesRefused: what is no key, and what is wrong later on.
func TestRangesRefused(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	d.run(t, "create table t (id integer, n numeric, name text, x, made datetime, Twin integer, twin2 integer)", "insert into t values (1, 1.5, 'a', 1, '2026-01-01', 1, 1)",
		"create table mixed (id integer)", "insert into mixed values (1), ('many')")
	pg := postgres(t)
	pg.run(t, "drop table if exists ranges_refused", "create table ranges_refused (id int, n numeric(10,2), nn numeric, t text, d date, ts timestamp)",
		"insert into ranges_refused values (1, 1, 1, '1', 'infinity', '0044-03-15 12:00 BC')")
	for _, test := range []struct {
		d          database
		query, key string
		n          int
		want       string
		cause      error
	}{
		{d, "select * from t", "n", 2, "q: the database refuses the query: split_by: column n is of the type utf8 here; name a column of whole numbers, as it stands in a table", sources.ErrQuery},
		{d, "select * from t", "name", 2, "column name is of the type utf8", sources.ErrQuery},
		{d, "select * from t", "x", 2, "column x is of the type utf8", sources.ErrQuery},
		{d, "select * from t", "made", 2, "column made is of the type timestamp[us]", sources.ErrQuery},
		{d, "select id + 0 as id from t", "id", 2, "column id is of the type utf8", sources.ErrQuery},
		{d, "select * from t", "other", 2, "split_by: there is no column other; there are id, n, name, x, made, Twin, twin2", sources.ErrQuery},
		{pg, `select id, id as "ID" from ranges_refused`, "Id", 2, "there are 2 columns Id; give them different names", sources.ErrQuery},
		{d, "select * from missing", "id", 2, "no such table: missing", sources.ErrQuery},
		{d, "select * from mixed", "id", 2, `column id: it holds "many" where a whole number should be`, nil},
		{d, "select * from t", "id", 257, "257 ranges; from 1 to 256", nil},
		{pg, "select * from ranges_refused", "n", 2, "column n is of the type decimal(10, 2)", sources.ErrQuery},
		{pg, "select * from ranges_refused", "nn", 2, "column nn is of the type utf8", sources.ErrQuery},
		{pg, "select * from ranges_refused", "t", 2, "name a column of whole numbers, dates or times", sources.ErrQuery},
		{pg, "select * from ranges_refused", "d", 2, "column d: it holds", nil},
		{pg, "select * from ranges_refused", "ts", 2, "times before the year 1", nil},
	} {
		path := filepath.Join(t.TempDir(), "q.arrow")
		err := sources.Query{DSN: test.d.dsn, SQL: test.query, Name: "q"}.Divide(t.Context(), path, test.key, test.n)
		if err == nil || !strings.Contains(err.Error(), test.want) || test.cause != nil && !errors.Is(err, test.cause) {
			t.Errorf("%s by %s: %v, want %q", test.query, test.key, err, test.want)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) > 0 {
			t.Errorf("%s by %s leaves %v", test.query, test.key, left)
		}
	}
}

// TestRangesOfAnalteredTable: a range with other columns is refused, in every way that a column can change.
func TestRangesOfAnAlteredTable(t *testing.T) {
	t.Parallel()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.run(t, "drop table if exists ranges_altered", "create table ranges_altered (id integer, name varchar(20))", "insert into ranges_altered values (1, 'a'), (2, 'b')")
			r := d.divide(t, "select * from ranges_altered", "id", 2)
			s := r.Splits()
			if got, err := sourcetest.ReadSplit(r, s[0], sources.Position{}); err != nil || len(got.Records) != 1 {
				t.Fatal(got, err)
			}
			d.run(t, "drop table ranges_altered", "create table ranges_altered (id integer, name double precision)", "insert into ranges_altered values (1, 1.5), (2, 2.5)")
			_, err := r.Open(t.Context(), s[1], sources.Position{})
			if !errors.Is(err, sources.ErrChanged) || !strings.Contains(err.Error(), `"name", is utf8 in the query as it was and float64 in q (id >= 2); `) {
				t.Errorf("other columns: %v", err)
			}
			if got, err := sourcetest.ReadSplit(r, s[0], sources.Position{}); err != nil || len(got.Records) != 1 {
				t.Errorf("the range that was read before: %v %v", got, err)
			}
			d.run(t, "drop table ranges_altered")
			if _, err := r.Open(t.Context(), s[1], sources.Position{}); !errors.Is(err, sources.ErrQuery) {
				t.Errorf("no table: %v", err)
			}
		})
	}
}

// TestRangesOnce: a range is asked for once, whoever reads it, and never again once it was read.
func TestRangesOnce(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	d.run(t, "create table t (id integer, name text)", "insert into t values (1, 'a'), (2, 'b'), (30, 'c')")
	q := sources.Query{DSN: d.dsn, SQL: "select * from t", Name: "q"}
	path := filepath.Join(t.TempDir(), "q.arrow")
	if err := q.Divide(t.Context(), path, "id", 3); err != nil {
		t.Fatal(err)
	}
	first := openRanges(t, path, q)
	s := first.Splits()
	if first.Spooled() {
		t.Error("nothing was read, but all is there")
	}
	// what has been read stays as it was read; what has not is read as it is now
	if _, err := sourcetest.ReadSplit(first, s[0], sources.Position{}); err != nil {
		t.Fatal(err)
	}
	d.run(t, "update t set name = 'new'", "insert into t values (-5, 'low'), (99, 'high'), (null, 'none')")
	if diff := cmp.Diff([]string{"1|a", "2|b", "30|new", "99|new"}, strings.Split(strings.ReplaceAll(strings.Join(allRows(t, first), " "), "99|high", "99|new"), " ")); diff != "" {
		t.Error(diff)
	}
	// without the database
	d.db.Close()
	if err := os.Remove(strings.TrimPrefix(d.dsn, "sqlite:")); err != nil {
		t.Fatal(err)
	}
	second := openRanges(t, path, sources.Query{Name: "q"})
	if !second.Spooled() {
		t.Error("all was read, but is not there")
	}
	if got := allRows(t, second); len(got) != 4 {
		t.Errorf("from the files: %v", got)
	}
	// a file that is gone
	if err := os.Remove(s[0].File); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*sources.Ranges{first, second} {
		if _, err := r.Open(t.Context(), s[0], sources.Position{}); !errors.Is(err, sources.ErrChanged) || !strings.Contains(err.Error(), "q (id < 11 or id is null): rows of it were read already, and "+s[0].File) {
			t.Errorf("read before in this process: %v", err)
		}
	}
	third := openRanges(t, path, q)
	if _, err := third.Open(t.Context(), s[0], sources.Position{Row: 1, Offset: 1, Line: 2}); !errors.Is(err, sources.ErrChanged) {
		t.Errorf("read before, in part: %v", err)
	}
	if _, err := third.Open(t.Context(), s[0], sources.Position{}); err == nil || errors.Is(err, sources.ErrChanged) {
		t.Errorf("a database that is gone: %v", err)
	}
	// files that are damaged, or of another query
	if err := os.Truncate(s[1].File, 300); err != nil {
		t.Fatal(err)
	}
	if _, err := third.Open(t.Context(), s[1], sources.Position{}); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("a file that was cut: %v", err)
	}
	if _, err := third.Open(t.Context(), s[2], sources.Position{Row: 3}); err == nil || !strings.Contains(err.Error(), "outside its file") {
		t.Errorf("a row that is not there: %v", err)
	}
	if _, err := sources.OpenRanges(s[2].File, sources.RangesOptions{}); err == nil || !strings.Contains(err.Error(), "holds no ranges") {
		t.Errorf("not ranges: %v", err)
	}
	if _, err := third.Open(t.Context(), sources.Split{ID: "x"}, sources.Position{}); err == nil {
		t.Error("a split of something else opens")
	}
}

// TestRangesTogether: many readers of two sources over the same files, all at once, see the same rows although the table changes all the while.
func TestRangesTogether(t *testing.T) {
	t.Parallel()
	d := postgres(t)
	d.run(t, "drop table if exists ranges_together", "create table ranges_together as select i as id, 0 as version from generate_series(1, 2000) i")
	q := sources.Query{DSN: d.dsn, SQL: "select * from ranges_together", Name: "q"}
	path := filepath.Join(t.TempDir(), "q.arrow")
	if err := q.Divide(t.Context(), path, "id", 4); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var writer, readers sync.WaitGroup
	writer.Go(func() {
		for ctx.Err() == nil {
			d.db.ExecContext(ctx, "update ranges_together set version = version + 1")
		}
	})
	sets := []*sources.Ranges{openRanges(t, path, q), openRanges(t, path, q)}
	got := make([][]string, 16)
	for i := range got {
		readers.Go(func() {
			s := sets[i%2]
			r, err := sourcetest.ReadSplit(s, s.Splits()[i/4], sources.Position{})
			if err != nil {
				t.Error(err)
			}
			for _, rec := range r.Records {
				got[i] = append(got[i], strings.Join(rec.Fields, "|"))
			}
		})
	}
	readers.Wait()
	stop()
	writer.Wait()
	for i, rows := range got {
		if first := got[i/4*4]; len(rows) != 500 || !slices.Equal(rows, first) {
			t.Errorf("reader %d has %d rows, that of the same range %d", i, len(rows), len(first))
		}
	}
}

// TestRangesCancelled: who waits for a range that another one has given up asks for it.
func TestRangesCancelled(t *testing.T) {
	t.Parallel()
	d := postgres(t)
	d.run(t, "drop table if exists ranges_cancelled", "create table ranges_cancelled as select i as id from generate_series(1, 10) i")
	r := d.divide(t, "select id, pg_sleep(0.1)::text as slept, repeat('x', 20000) as wide from ranges_cancelled", "id", 1)
	ctx, cancel := context.WithCancel(t.Context())
	var both sync.WaitGroup
	both.Go(func() {
		if _, err := r.Open(ctx, r.Splits()[0], sources.Position{}); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
	})
	writing := func() []string {
		left, _ := filepath.Glob(filepath.Join(filepath.Dir(r.Splits()[0].File), ".*"))
		return left
	}
	for deadline := time.Now().Add(time.Minute); len(writing()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the file is never written")
		}
	}
	both.Go(func() {
		got, err := sourcetest.ReadSplit(r, r.Splits()[0], sources.Position{})
		if err != nil || len(got.Records) != 10 {
			t.Errorf("the other reader: %d rows, %v", len(got.Records), err)
		}
	})
	time.Sleep(50 * time.Millisecond) // it waits now, or asks anew: both must do
	cancel()
	both.Wait()
	if left := writing(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestRangesBroken: a connection that breaks in the middle of a range leaves nothing, and the range is read when it is opened again.
func TestRangesBroken(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]string{
		"postgres": "select pg_terminate_backend(pid) from pg_stat_activity where query like '%ranges_broken%' and pid <> pg_backend_pid() and state = 'active'",
		"mariadb":  "begin not atomic declare n bigint; select max(id) into n from information_schema.processlist where info like '%ranges_broken%' and id <> connection_id(); kill n; end",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := databases[name](t)
			wait := map[string]string{"postgres": "pg_sleep(0.05)::text", "mariadb": "sleep(0.05)"}[name]
			d.run(t, "drop table if exists ranges_broken", "create table ranges_broken (id integer)")
			for i := range 20 {
				d.run(t, fmt.Sprintf("insert into ranges_broken values (%d)", i))
			}
			r := d.divide(t, "select id, "+wait+" as slept, repeat('x', 20000) as wide from ranges_broken", "id", 1)
			s := r.Splits()[0]
			broken := make(chan error)
			go func() {
				_, err := r.Open(t.Context(), s, sources.Position{})
				broken <- err
			}()
			var err error
			for waiting := true; waiting; {
				select {
				case err = <-broken:
					waiting = false
				case <-time.After(200 * time.Millisecond):
					d.db.ExecContext(t.Context(), kill) // an error: it has not begun, or has ended
				}
			}
			if !errors.Is(err, sources.ErrDatabase) {
				t.Errorf("broken: %v, want ErrDatabase", err)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(s.File), "*.001*")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if got, err := sourcetest.ReadSplit(r, s, sources.Position{}); err != nil || len(got.Records) != 20 {
				t.Errorf("again: %d rows, %v", len(got.Records), err)
			}
		})
	}
}
