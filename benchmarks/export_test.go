package benchmarks

import (
	"bufio"
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/parquet/file"
	_ "modernc.org/sqlite"
)

// exportedQuery asks for 8 columns: an id, texts, numbers, a date, a datetime and a boolean.
const exportedQuery = "SELECT Id, Name, Amount, Probability, CloseDate, CreatedDate, Active__c, NextStep FROM Opportunity"

// TestMemoryOfExports bounds the memory of an export to a file of each kind and to a table.
func TestMemoryOfExports(t *testing.T) { testMemoryOfExports(t, 200_000) }

// TestTortureMemoryOfExports is the same with one million rows and with ten: the bound stays. It takes minutes.
func TestTortureMemoryOfExports(t *testing.T) {
	if os.Getenv("MIGRATE_TORTURE") == "" {
		t.Skip("long: set MIGRATE_TORTURE=1, or use make torture")
	}
	testMemoryOfExports(t, 1_000_000, 10_000_000)
}

// testMemoryOfExports exports from orgs of so many records. An export whose memory grew with the rows, by 27 bytes for each of ten million, would not
// pass.
func testMemoryOfExports(t *testing.T, sizes ...int) {
	const bound = 300 << 20
	bin := build(t)
	schema := schemaWithActive(t)
	for _, rows := range sizes {
		t.Run(fmt.Sprint(rows), func(t *testing.T) { // so that its org and its files go when it is over
			url := serve(t, bin, "--schema", schema)
			begun := time.Now()
			load(t, bin, url, opportunities(t, rows), "--object", "Opportunity", "--no-success")
			t.Logf("%d records are in the org after %s", rows, time.Since(begun).Round(time.Millisecond))
			for _, target := range []struct {
				name  string
				count func(testing.TB, string) int
			}{{"out.parquet", parquetRows}, {"out.csv", lineCount}, {"out.db", tableRows}} {
				t.Run(target.name, func(t *testing.T) {
					path := filepath.Join(t.TempDir(), target.name)
					to := path
					if target.name == "out.db" {
						to = "sqlite:" + path
					}
					cmd := withToken(bin, "export", exportedQuery, "--to", to, "--instance-url", url, "--state-dir", t.TempDir(), "--quiet")
					took, peak, cpu := measure(t, cmd)
					t.Logf("%d rows in %s, %s of CPU, peak memory %d MiB", rows, took.Round(time.Millisecond), cpu.Round(time.Millisecond), peak>>20)
					if peak > bound {
						t.Errorf("peak memory %d MiB, at most %d are allowed", peak>>20, bound>>20)
					}
					if n := target.count(t, path); n != rows {
						t.Errorf("%d rows were published, want %d", n, rows)
					}
				})
			}
		})
	}
}

// schemaWithActive makes a folder of describe snapshots in which opportunities have a field of every type that matters here: Active__c of accounts
// besides their own.
func schemaWithActive(t *testing.T) string {
	t.Helper()
	const built = "../internal/localorg/schema"
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(built)); err != nil {
		t.Fatal(err)
	}
	read := func(name string) (object map[string]any) {
		text, err := os.ReadFile(filepath.Join(built, name))
		if err == nil {
			err = json.Unmarshal(text, &object)
		}
		if err != nil {
			t.Fatal(err)
		}
		return object
	}
	to := read("Opportunity.json")
	fields := to["fields"].([]any)
	for _, f := range read("Account.json")["fields"].([]any) {
		if f.(map[string]any)["name"] == "Active__c" {
			to["fields"] = append(fields, f)
		}
	}
	text, err := json.Marshal(to)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "Opportunity.json"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// opportunities writes the rows that the org is to hold.
func opportunities(t *testing.T, rows int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "opportunities.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	w.WriteString("Name,StageName,Amount,Probability,CloseDate,CreatedDate,Active__c,NextStep\n")
	day := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	var line []byte
	for n := range rows {
		at := day.Add(time.Duration(n) * time.Minute)
		line = append(strconv.AppendInt(append(line[:0], "Deal "...), int64(n), 10), ",Prospecting,"...)
		line = append(strconv.AppendFloat(line, float64(n%1_000_000)*1.25, 'f', 2, 64), ',')
		line = append(strconv.AppendInt(line, int64(n%101), 10), ',')
		line = append(at.AppendFormat(line, time.DateOnly), ',')
		line = append(at.AppendFormat(line, time.RFC3339), ',')
		line = append(strconv.AppendBool(line, n%3 == 0), ',')
		if n%4 > 0 { // the others have none
			line = strconv.AppendInt(append(line, `"call, then write to no. `...), int64(n%5000), 10)
			line = append(line, '"')
		}
		w.Write(append(line, '\n'))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func parquetRows(tb testing.TB, path string) int {
	tb.Helper()
	r, err := file.OpenParquetFile(path, false)
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	return int(r.NumRows())
}

// lineCount counts the lines behind the header. No value holds one.
func lineCount(tb testing.TB, path string) int {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	buf, n := make([]byte, 1<<20), -1
	for {
		got, err := f.Read(buf)
		n += bytes.Count(buf[:got], []byte("\n"))
		if err == io.EOF {
			return n
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// tableRows counts the ids, each once.
func tableRows(tb testing.TB, path string) (n int) {
	tb.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("select count(distinct Id) from opportunity").Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}
