package sinks_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"migrate/internal/testdb"
	"migrate/pkg/sinks"
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(childVariable); spec != "" {
		os.Exit(runChild(spec))
	}
	os.Exit(testdb.Main(m))
}

// server is one kind of database under test, looked at with its own driver.
type server struct {
	kind, dsn string
	db        *sql.DB
}

var kinds = map[string]func(t testing.TB) server{
	"postgres": func(t testing.TB) server {
		s := server{kind: "postgres", dsn: testdb.Postgres(t)}
		s.open(t, "pgx", s.dsn)
		return s
	},
	"mysql": func(t testing.TB) server {
		s := server{kind: "mysql", dsn: testdb.MariaDB(t)}
		u, err := url.Parse(s.dsn)
		if err != nil {
			t.Fatal(err)
		}
		s.open(t, "mysql", fmt.Sprintf("%s@tcp(%s)%s?time_zone='%%2B00:00'&charset=utf8mb4", u.User, u.Host, u.Path))
		return s
	},
	"sqlite": func(t testing.TB) server {
		file := filepath.Join(t.TempDir(), "db #1.sqlite")
		s := server{kind: "sqlite", dsn: "sqlite:" + file}
		s.open(t, "sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?_pragma=busy_timeout(60000)")
		return s
	},
}

func (s *server) open(t testing.TB, driver, dsn string) {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s.db = db
}

// each runs a test with every kind of database.
func each(t *testing.T, f func(t *testing.T, s server)) {
	t.Parallel()
	for kind, start := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f(t, start(t))
		})
	}
}

func (s server) quote(name string) string {
	if s.kind == "mysql" {
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func (s server) run(t testing.TB, statements ...string) {
	t.Helper()
	for _, text := range statements {
		if _, err := s.db.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

var tables atomic.Int64

// table is a name that no other test has.
func (s server) table(t testing.TB) string {
	name := fmt.Sprintf("T%d_%d", os.Getpid(), tables.Add(1))
	t.Cleanup(func() { s.db.Exec("DROP TABLE IF EXISTS " + s.quote(name)) })
	return name
}

// query gives the rows as the driver has them.
func (s server) query(t testing.TB, text string) (rows [][]any) {
	t.Helper()
	r, err := s.db.QueryContext(t.Context(), text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer r.Close()
	columns, _ := r.Columns()
	for r.Next() {
		row, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			to[i] = &row[i]
		}
		if err := r.Scan(to...); err != nil {
			t.Fatal(err)
		}
		for i, v := range row {
			if b, ok := v.([]byte); ok {
				row[i] = string(b)
			}
		}
		rows = append(rows, row)
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// texts are the rows as text, null as <null>.
func (s server) texts(t testing.TB, query string) (rows [][]string) {
	t.Helper()
	for _, row := range s.query(t, query) {
		var texts []string
		for _, v := range row {
			if v == nil {
				v = "<null>"
			}
			texts = append(texts, fmt.Sprint(v))
		}
		rows = append(rows, texts)
	}
	return rows
}

// field makes a field of a schema; length 0 = none.
func field(name string, typ arrow.DataType, length int) arrow.Field {
	f := arrow.Field{Name: name, Type: typ, Nullable: true}
	if length > 0 {
		f.Metadata = arrow.MetadataFrom(map[string]string{sinks.MetaLength: strconv.Itoa(length)})
	}
	return f
}

var (
	timestamp = &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}
	clock     = &arrow.Time32Type{Unit: arrow.Millisecond}
	money     = &arrow.Decimal128Type{Precision: 38, Scale: 4}
	text      = arrow.BinaryTypes.String
)

// everything has all types that come.
var everything = arrow.NewSchema([]arrow.Field{
	field("Id", text, 18), field("Name", text, 0), field("Short", text, 40), field("Long", text, 131072), field("Flag", arrow.FixedWidthTypes.Boolean, 0),
	field("Count", arrow.PrimitiveTypes.Int64, 0), field("Amount", arrow.PrimitiveTypes.Float64, 0), field("Price", money, 0), field("Day", arrow.FixedWidthTypes.Date32, 0),
	field("SystemModstamp", timestamp, 0), field("At", clock, 0), field("Owner.Name", text, 255),
}, nil)

// batch makes a batch of rows of Go values: string, bool, int64, float64, decimal128.Num, arrow.Date32, arrow.Timestamp, arrow.Time32, nil.
func batch(schema *arrow.Schema, rows ...[]any) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for _, row := range rows {
		for i, v := range row {
			switch v := v.(type) {
			case nil:
				b.Field(i).AppendNull()
			case string:
				b.Field(i).(*array.StringBuilder).Append(v)
			case bool:
				b.Field(i).(*array.BooleanBuilder).Append(v)
			case int64:
				b.Field(i).(*array.Int64Builder).Append(v)
			case float64:
				b.Field(i).(*array.Float64Builder).Append(v)
			case decimal128.Num:
				b.Field(i).(*array.Decimal128Builder).Append(v)
			case arrow.Date32:
				b.Field(i).(*array.Date32Builder).Append(v)
			case arrow.Timestamp:
				b.Field(i).(*array.TimestampBuilder).Append(v)
			case arrow.Time32:
				b.Field(i).(*array.Time32Builder).Append(v)
			default:
				panic(fmt.Sprintf("%T", v))
			}
		}
	}
	return b.NewRecordBatch()
}

// exportTable writes batches and publishes them.
func exportTable(ctx context.Context, cfg sinks.TableConfig, deletes []string, batches ...arrow.RecordBatch) error {
	sink, err := sinks.OpenTable(ctx, cfg)
	if err != nil {
		return err
	}
	defer sink.Close()
	for _, b := range batches {
		if err := sink.Write(ctx, b); err != nil {
			return err
		}
	}
	if deletes != nil {
		if err := sink.Delete(ctx, deletes); err != nil {
			return err
		}
	}
	_, err = sink.Publish(ctx)
	return err
}

func mustExportTable(t testing.TB, cfg sinks.TableConfig, deletes []string, batches ...arrow.RecordBatch) {
	t.Helper()
	if err := exportTable(t.Context(), cfg, deletes, batches...); err != nil {
		t.Fatal(err)
	}
}

// odd are texts that have gone wrong somewhere.
var odd = []string{"", " ", "a ", "\t", "a\tb\nc\r\nd", `\N`, `\.`, `\`, `a\`, `\\t`, "'", `"`, "`", "NULL", "null", "0x41", "007", "1e5", "ä", "😀\U0010FFFF", "\u2028",
	"\ufeff", "e\u0301", "$1", "?", "%s", "--", "/*", ";", "\x01\x1a\x7f", "true", "2026-01-31"}

// drawRow makes a row with a value, an odd one or null in each column.
func drawRow(r *rand.Rand, id int, nul bool) []any {
	one := func(v func() any) any {
		if r.IntN(6) == 0 {
			return nil
		}
		return v()
	}
	words := func() any {
		s := odd[r.IntN(len(odd))]
		if nul && r.IntN(10) == 0 {
			s += "\x00"
		}
		return s
	}
	return []any{fmt.Sprintf("001%015d", id), one(words), one(words),
		one(func() any { return strings.Repeat(words().(string)+"😀", 1<<r.IntN(15)) }),
		one(func() any { return r.IntN(2) == 0 }),
		one(func() any { return []int64{0, -1, math.MaxInt64, math.MinInt64, r.Int64()}[r.IntN(5)] }),
		one(func() any {
			return []float64{0, 0.1, -1e21, 1e21, 9.1226e8, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 2.2250738585072014e-308, r.NormFloat64(),
				float64(r.Int64()), 123456789012345678, 1 << 53, r.Float64()}[r.IntN(14)]
		}),
		one(func() any {
			n := decimal128.New(r.Int64()>>3, r.Uint64())
			if !n.FitsInPrecision(38) {
				n = decimal128.FromI64(r.Int64())
			}
			if r.IntN(2) == 0 {
				n = n.Negate()
			}
			return n
		}),
		one(func() any { return arrow.Date32(r.IntN(840_000) - 98_000) }), // 1701 to 4001
		one(func() any { return arrow.Timestamp(r.Int64N(72_000_000_000_000) - 8_000_000_000_000) }),
		one(func() any { return arrow.Time32(r.IntN(86_400_000)) }), one(words)}
}

// plain is a value as text, whoever gives it: the test that made it, or a driver that read it.
func plain(t testing.TB, typ arrow.DataType, v any) string {
	t.Helper()
	if v == nil {
		return "<null>"
	}
	parse := func(form string) string {
		if at, ok := v.(time.Time); ok {
			return at.UTC().Format(form)
		}
		for _, f := range []string{form, strings.TrimRight(strings.Replace(strings.TrimSuffix(form, "Z"), "T", " ", 1), ".0"), time.TimeOnly, time.DateOnly} {
			if at, err := time.Parse(f, fmt.Sprint(v)); err == nil {
				return at.UTC().Format(form)
			}
		}
		t.Fatalf("%T %v is no %s", v, v, form)
		return ""
	}
	switch typ.ID() {
	case arrow.BOOL:
		switch v {
		case true, int64(1), "1":
			return "true"
		case false, int64(0), "0":
			return "false"
		}
		t.Fatalf("%T %v is no truth value", v, v)
	case arrow.FLOAT64:
		x, err := strconv.ParseFloat(fmt.Sprint(v), 64)
		if f, ok := v.(float64); ok {
			x, err = f, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		return strconv.FormatUint(math.Float64bits(x), 16) + " " + strconv.FormatFloat(x, 'g', -1, 64)
	case arrow.DECIMAL128:
		if n, ok := v.(decimal128.Num); ok {
			return n.ToString(typ.(*arrow.Decimal128Type).Scale)
		}
	case arrow.DATE32:
		if d, ok := v.(arrow.Date32); ok {
			v = d.ToTime()
		}
		return parse(time.DateOnly)
	case arrow.TIMESTAMP:
		if at, ok := v.(arrow.Timestamp); ok {
			v = at.ToTime(arrow.Millisecond)
		}
		return parse("2006-01-02T15:04:05.000Z")
	case arrow.TIME32:
		if at, ok := v.(arrow.Time32); ok {
			v = at.ToTime(arrow.Millisecond)
		}
		return parse("15:04:05.000")
	}
	return fmt.Sprint(v)
}

func plains(t testing.TB, schema *arrow.Schema, rows [][]any) (texts [][]string) {
	t.Helper()
	for _, row := range rows {
		var r []string
		for i, v := range row {
			r = append(r, plain(t, schema.Field(i).Type, v))
		}
		texts = append(texts, r)
	}
	return texts
}

// TestTableValues: what every type may hold comes back equal, from a table that was made and from one that was there, replaced or merged.
func TestTableValues(t *testing.T) {
	each(t, testTableValues)
}

// TestTableValuesInserted is the same with a server that forbids LOAD DATA LOCAL. It is not parallel, since that is a setting of the server.
func TestTableValuesInserted(t *testing.T) {
	s := kinds["mysql"](t)
	s.run(t, "SET GLOBAL local_infile = 0")
	defer s.db.Exec("SET GLOBAL local_infile = 1")
	testTableValues(t, s)
	told := ""
	sink, err := sinks.OpenTable(t.Context(), sinks.TableConfig{DSN: s.dsn, Table: s.table(t), Schema: everything, Tell: func(text string) { told = text }})
	if err != nil {
		t.Fatal(err)
	}
	sink.Close()
	if !strings.Contains(told, "local_infile") {
		t.Errorf("told %q", told)
	}
}

func testTableValues(t *testing.T, s server) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	cfg := sinks.TableConfig{DSN: s.dsn, Table: s.table(t), Schema: everything}
	for round, mode := range []sinks.Mode{sinks.Replace, sinks.Replace, sinks.Merge, sinks.Merge} {
		if round == 3 { // a merge into no table
			s.run(t, "DROP TABLE "+s.quote(cfg.Table))
		}
		cfg.Mode = mode
		var rows [][]any
		for i := range 300 {
			rows = append(rows, drawRow(r, i, s.kind != "postgres"))
		}
		mustExportTable(t, cfg, nil, batch(everything, rows[:1]...), batch(everything), batch(everything, rows[1:]...))
		var columns []string
		for _, f := range everything.Fields() {
			columns = append(columns, s.quote(f.Name))
		}
		got := s.query(t, "SELECT "+strings.Join(columns, ", ")+" FROM "+s.quote(cfg.Table)+" ORDER BY 1")
		if diff := cmp.Diff(plains(t, everything, rows), plains(t, everything, got)); diff != "" {
			t.Fatalf("round %d: %.2000s", round, diff)
		}
	}
}

var small = arrow.NewSchema([]arrow.Field{field("Id", text, 18), field("Name", text, 80), field("SystemModstamp", timestamp, 0)}, nil)

// TestTableMerge: new rows come, old ones are overwritten unless they are newer, doubles count once, deletes go.
func TestTableMerge(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		cfg := sinks.TableConfig{DSN: s.dsn, Table: s.table(t), Schema: small, Mode: sinks.Merge, Newer: "SystemModstamp"}
		at := func(n int64) arrow.Timestamp { return arrow.Timestamp(n * 1000) }
		mustExportTable(t, cfg, nil, batch(small, []any{"1", "one", at(5)}, []any{"2", "two", at(5)}, []any{"3", "three", at(5)}, []any{"4", "four", nil}, []any{"5", "five", at(5)}))
		s.run(t, "ALTER TABLE "+s.quote(cfg.Table)+" ADD COLUMN remark varchar(20)", "UPDATE "+s.quote(cfg.Table)+" SET remark = 'mine'")
		mustExportTable(t, cfg, []string{"5", "6", "7", "7"},
			batch(small, []any{"1", "older", at(4)}, []any{"2", nil, at(5)}, []any{"3", "second", at(8)}, []any{"3", "first", at(7)}, []any{"4", "filled", at(1)}),
			batch(small, []any{"6", "in and out", at(9)}, []any{"8", "once", at(9)}, []any{"8", "twice", at(9)}, []any{"A", "upper", at(1)}, []any{"a", "lower", at(1)}))
		want := [][]string{{"1", "one", "mine"}, {"2", "<null>", "mine"}, {"3", "second", "mine"}, {"4", "filled", "mine"}, {"8", "twice", "<null>"},
			{"A", "upper", "<null>"}, {"a", "lower", "<null>"}}
		q := s.quote
		if diff := cmp.Diff(want, s.texts(t, "SELECT "+q("Id")+", "+q("Name")+", remark FROM "+q(cfg.Table)+" ORDER BY 1")); diff != "" {
			t.Error(diff)
		}
		cfg.Newer = ""
		mustExportTable(t, cfg, nil, batch(small, []any{"1", "older", at(4)}))
		if got := s.texts(t, "SELECT "+q("Name")+" FROM "+q(cfg.Table)+" WHERE "+q("Id")+" = '1'"); got[0][0] != "older" {
			t.Errorf("without Newer: %q", got)
		}
	})
}

// TestTableReplace: exactly the rows of the export are there, and columns, indexes, views and grants that others have made stay.
func TestTableReplace(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		q := s.quote
		cfg := sinks.TableConfig{DSN: s.dsn, Table: s.table(t), Schema: small}
		mustExportTable(t, cfg, nil, batch(small, []any{"1", "one", nil}, []any{"2", "two", nil}))
		view := q("V" + cfg.Table)
		s.run(t, "ALTER TABLE "+q(cfg.Table)+" ADD COLUMN remark varchar(20) DEFAULT 'none'", "CREATE VIEW "+view+" AS SELECT * FROM "+q(cfg.Table),
			"CREATE INDEX I"+cfg.Table+" ON "+q(cfg.Table)+" (remark)")
		t.Cleanup(func() { s.db.Exec("DROP VIEW " + view) })
		mustExportTable(t, cfg, nil, batch(small, []any{"2", "zwei", nil}, []any{"3", "drei", nil}))
		want := [][]string{{"2", "zwei", "<null>", "none"}, {"3", "drei", "<null>", "none"}}
		if diff := cmp.Diff(want, s.texts(t, "SELECT * FROM "+view+" ORDER BY 1")); diff != "" {
			t.Error(diff)
		}
		if _, err := s.db.Exec("CREATE INDEX I" + cfg.Table + " ON " + q(cfg.Table) + " (remark)"); err == nil {
			t.Error("the index is gone")
		}
		// two rows with one key
		err := exportTable(t.Context(), cfg, nil, batch(small, []any{"4", "a", nil}, []any{"4", "b", nil}))
		if err == nil || errors.Is(err, sinks.ErrDatabase) {
			t.Errorf("doubles: %v", err)
		}
		if got := s.texts(t, "SELECT count(*) FROM "+view); got[0][0] != "2" {
			t.Errorf("after an error: %v", got)
		}
		mustExportTable(t, cfg, nil)
		if got := s.texts(t, "SELECT count(*) FROM "+view); got[0][0] != "0" {
			t.Errorf("an export of no rows leaves %v", got)
		}
		if left := s.left(t); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
}

// left are the tables of this package that are still there and belong to no test that runs beside.
func (s server) left(t testing.TB) (names []string) {
	q := "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'migrate%'"
	if s.kind == "sqlite" {
		q = "SELECT name FROM sqlite_schema WHERE name LIKE 'migrate%'"
	}
	for _, row := range s.texts(t, q) {
		names = append(names, row[0])
	}
	if s.kind != "sqlite" { // other tests are at work
		names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, t.Name()) })
	}
	return names
}
