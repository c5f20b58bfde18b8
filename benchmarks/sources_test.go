package benchmarks

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	parquetcompress "github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"migrate/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

// sourcePlan loads rows of 8 typed columns, with a step for one of them; %s is the source.
const sourcePlan = `version: 1
sources:
  shop: { postgres: "${BENCH_DSN}" }
jobs:
  accounts:
    load: Account
    operation: insert
    source: %s
    fields:
      Legacy_Id__c: no
      Name: name
      BillingCity: { from: city, case: upper }
      Score__c: revenue
      CreatedDate: signed_up
      Active__c: active
      NumberOfEmployees: staff
      Description: notes
`

// TestMemoryOfSources bounds the memory of a load from Parquet and from PostgreSQL.
func TestMemoryOfSources(t *testing.T) { testMemoryOfSources(t, 200_000) }

// TestTortureMemoryOfSources is the same with ten million rows: the bound stays.
func TestTortureMemoryOfSources(t *testing.T) {
	if os.Getenv("MIGRATE_TORTURE") == "" {
		t.Skip("long: set MIGRATE_TORTURE=1, or use make torture")
	}
	testMemoryOfSources(t, 10_000_000)
}

func testMemoryOfSources(t *testing.T, rows int) {
	bin := build(t)
	dsn := testdb.Postgres(t)
	fillTable(t, dsn, rows)
	file := parquetFile(t, rows)
	for _, source := range []struct{ name, text string }{
		{"parquet", "{ parquet: " + file + " }"},
		{"postgres", "{ from: shop, table: bench_accounts }"},
		{"postgres in ranges", "{ from: shop, table: bench_accounts, split_by: no }"},
	} {
		t.Run(source.name, func(t *testing.T) {
			plan := filepath.Join(t.TempDir(), "plan.yaml")
			if err := os.WriteFile(plan, fmt.Appendf(nil, sourcePlan, source.text), 0o600); err != nil {
				t.Fatal(err)
			}
			url := serve(t, bin, "--choice", "sink")
			cmd := withToken(bin, "run", plan, "--instance-url", url, "--no-success", "--quiet")
			cmd.Env = append(cmd.Env, "BENCH_DSN="+dsn)
			took, peak, cpu := measure(t, cmd)
			t.Logf("%d rows in %s, %s of CPU, peak memory %d MiB", rows, took.Round(time.Millisecond), cpu.Round(time.Millisecond), peak>>20)
			if peak > 400<<20 {
				t.Errorf("peak memory %d MiB, at most 400 are allowed", peak>>20)
			}
			if n := counted(t, url); n != rows {
				t.Errorf("the org counted %d rows, want %d", n, rows)
			}
		})
	}
}

// counted asks an org that counts and forgets how many rows came.
func counted(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url + "/local/audit")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var audit struct {
		Ingested map[string]struct {
			Rows int `json:"rows"`
		} `json:"ingested"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&audit); err != nil {
		t.Fatal(err)
	}
	return audit.Ingested["Account"].Rows
}

// fillTable makes the table of the plan in PostgreSQL.
func fillTable(t *testing.T, dsn string, rows int) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.ExecContext(t.Context(), fmt.Sprintf(`create table bench_accounts as select n as no, 'Company ' || n as name, 'City ' || n %% 500 as city, (n %% 1000000) * 1.25::numeric(18,2) as revenue,
		timestamptz '2001-02-03 04:05:06+00' + n * interval '1 minute' as signed_up, n %% 3 = 0 as active, (n %% 5000)::int as staff, repeat('note ', (n %% 12)::int) as notes
		from generate_series(1, %d) n`, rows))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if db, err := sql.Open("pgx", dsn); err == nil {
			db.Exec("drop table bench_accounts")
			db.Close()
		}
	})
}

// parquetFile makes the same rows as a file, in row groups of 128 Ki rows.
func parquetFile(t *testing.T, rows int) string {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "no", Type: arrow.PrimitiveTypes.Int64}, {Name: "name", Type: arrow.BinaryTypes.String}, {Name: "city", Type: arrow.BinaryTypes.String},
		{Name: "revenue", Type: &arrow.Decimal128Type{Precision: 18, Scale: 2}}, {Name: "signed_up", Type: arrow.FixedWidthTypes.Timestamp_us},
		{Name: "active", Type: arrow.FixedWidthTypes.Boolean}, {Name: "staff", Type: arrow.PrimitiveTypes.Int32}, {Name: "notes", Type: arrow.BinaryTypes.String},
	}, nil)
	path := filepath.Join(t.TempDir(), "accounts.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pqarrow.NewFileWriter(schema, f, parquet.NewWriterProperties(parquet.WithCompression(parquetcompress.Codecs.Snappy)), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	signedUp := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	for n := 1; n <= rows; n++ {
		b.Field(0).(*array.Int64Builder).Append(int64(n))
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("Company %d", n))
		b.Field(2).(*array.StringBuilder).Append(fmt.Sprintf("City %d", n%500))
		b.Field(3).(*array.Decimal128Builder).Append(decimal128.FromI64(int64(n%1_000_000) * 125))
		b.Field(4).(*array.TimestampBuilder).Append(arrow.Timestamp(signedUp.Add(time.Duration(n) * time.Minute).UnixMicro()))
		b.Field(5).(*array.BooleanBuilder).Append(n%3 == 0)
		b.Field(6).(*array.Int32Builder).Append(int32(n % 5000))
		b.Field(7).(*array.StringBuilder).Append(strings.Repeat("note ", n%12))
		if n%(128<<10) == 0 || n == rows {
			batch := b.NewRecordBatch()
			if err := w.Write(batch); err != nil {
				t.Fatal(err)
			}
			batch.Release()
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}
