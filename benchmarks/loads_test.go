package benchmarks

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"migrate/internal/testdb"
)

// loader makes contestants that load into one org.
type loader struct {
	programs
	org *served
}

func (l loader) contestant(name string, rows int, command func(folder string) *exec.Cmd) contestant {
	return contestant{name: name, command: command, check: l.org.got(rows)}
}

// sends is the limit: a program that sends files as they are.
func (l loader) sends(d *dataset) contestant {
	return l.contestant(sendLimit, d.rows, func(string) *exec.Cmd {
		return withToken(l.limit, append([]string{"load", l.org.url, "Account"}, d.parts...)...)
	})
}

// sendsThrough is the same where the operating system cannot send the files by itself.
func (l loader) sendsThrough(d *dataset) contestant {
	return l.contestant(copyLimit, d.rows, func(string) *exec.Cmd {
		return withToken(l.limit, append([]string{"copy", l.org.url, "Account"}, d.parts...)...)
	})
}

// load is migrate load. Ids are not fetched, as the limit does not either.
func (l loader) load(name, file string, rows int, args ...string) contestant {
	return l.contestant(name, rows, func(folder string) *exec.Cmd {
		return withToken(l.migrate, append([]string{"load", file, "--object", "Account", "--operation", "insert", "--instance-url", l.org.url, "--state-dir", folder,
			"--no-success", "--quiet"}, args...)...)
	})
}

// plan is migrate run.
func (l loader) plan(t *testing.T, name, text string, rows int, env ...string) contestant {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plan.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return l.contestant(name, rows, func(folder string) *exec.Cmd {
		cmd := withToken(l.migrate, "run", path, "--instance-url", l.org.url, "--state-dir", folder, "--no-success", "--quiet")
		cmd.Env = append(cmd.Env, env...)
		return cmd
	})
}

// baseline is the script of an afternoon.
func (l loader) baseline(d *dataset) contestant {
	return l.contestant("encoding/csv, columns renamed", d.rows, func(string) *exec.Cmd {
		args := []string{"csv", l.org.url, "Account", d.csv}
		for _, c := range d.columns {
			args = append(args, c.name+"="+c.field)
		}
		return withToken(l.limit, args...)
	})
}

// duckdb writes the CSV of a Parquet file to a file, and uploads nothing.
func (c *clients) duckdb(d *dataset) contestant {
	var columns []string
	for _, k := range d.columns {
		columns = append(columns, fmt.Sprintf(`"%s" AS "%s"`, k.name, k.field))
	}
	return contestant{name: duckCopy, skipped: c.missing,
		command: func(folder string) *exec.Cmd {
			return c.script(folder, "duckdb.mjs", "FILE="+d.parquet, "TO="+filepath.Join(folder, "out.csv"), "COLUMNS="+strings.Join(columns, ", "))
		},
		check: func(folder, _ string) (string, error) {
			return "", wantRows(csvRows, filepath.Join(folder, "out.csv"), d.rows)
		},
	}
}

func wantRows(count func(string) (int, error), path string, rows int) error {
	n, err := count(path)
	if err == nil && n != rows {
		err = fmt.Errorf("%s has %d rows, want %d", filepath.Base(path), n, rows)
	}
	return err
}

// postgres loads the rows from a table, or says why there is none.
func (l loader) postgres(t *testing.T, d *dataset) contestant {
	t.Helper()
	const name = "migrate run, PostgreSQL"
	dsn := ""
	t.Run("postgres", func(t *testing.T) { dsn = testdb.Postgres(t) }) // skips the test that asks
	if dsn == "" {
		return contestant{name: name, skipped: "no PostgreSQL here, see -v"}
	}
	if err := fillFromCSV(t, dsn, "bench_wide", d); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if db, err := sql.Open("pgx", dsn); err == nil {
			db.Exec("drop table bench_wide")
			db.Close()
		}
	})
	var fields strings.Builder
	for _, c := range d.columns {
		fmt.Fprintf(&fields, "      %s: %s\n", c.field, c.name)
	}
	text := "version: 1\nsources:\n  shop: { postgres: \"${BENCH_DSN}\" }\njobs:\n  accounts:\n    load: Account\n    operation: insert\n" +
		"    source: { from: shop, table: bench_wide }\n    fields:\n" + fields.String()
	return l.plan(t, name, text, d.rows, "BENCH_DSN="+dsn)
}

func fillFromCSV(t *testing.T, dsn, table string, d *dataset) error {
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		return err
	}
	defer conn.Close(t.Context())
	var columns []string
	for _, c := range d.columns {
		kind := " text"
		if c.integer {
			kind = " bigint"
		}
		columns = append(columns, c.name+kind)
	}
	if _, err := conn.Exec(t.Context(), fmt.Sprintf("drop table if exists %s; create table %[1]s (%s)", table, strings.Join(columns, ", "))); err != nil {
		return err
	}
	f, err := os.Open(d.csv)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = conn.PgConn().CopyFrom(t.Context(), f, fmt.Sprintf("copy %s from stdin with (format csv, header)", table))
	return err
}

// others are the clients that Salesforce's users have today. They send a file of one job as it is: none of them renames or splits.
func (l loader) others(t *testing.T, c *clients, file string, rows int) []contestant {
	t.Helper()
	cli := contestant{name: "sf data import bulk", skipped: c.missing}
	js := contestant{name: "jsforce bulk2 load", skipped: c.missing}
	if c.missing == "" {
		home := c.login(t, l.org)
		cli = l.contestant(cli.name, rows, func(string) *exec.Cmd {
			return c.sf(home, "data", "import", "bulk", "--file", file, "--sobject", "Account", "--wait", "10", "--target-org", "org")
		})
		js = l.contestant(js.name, rows, func(folder string) *exec.Cmd {
			return c.script(folder, "jsforce.mjs", "ORG_URL="+l.org.url, "ORG_TOKEN="+token, "FILE="+file)
		})
	}
	return []contestant{cli, js}
}
