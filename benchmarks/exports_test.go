package benchmarks

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet/file"
)

// exportRace brings the rows of an org into files. The org holds them all, and each contestant has it run the query anew.
func exportRace(t *testing.T, p programs, c *clients, d *dataset) race {
	t.Helper()
	o := serveOrg(t, p)
	fill := loader{p, o}.load("fill", d.csv, d.rows, d.maps()...)
	if _, out, err := spend(fill.command(t.TempDir())); err != nil {
		t.Fatal(err, out)
	}
	fields := []string{"Id"}
	for _, k := range d.columns {
		fields = append(fields, k.field)
	}
	query := "SELECT " + strings.Join(fields, ", ") + " FROM Account"
	limit := contestant{name: pageLimit,
		command: func(folder string) *exec.Cmd { return withToken(p.limit, "export", o.url, query, folder) },
		check: func(folder, out string) (string, error) {
			pages, err := filepath.Glob(filepath.Join(folder, "page-*.csv"))
			n := 0
			for _, page := range pages {
				rows, rowsErr := csvRows(page)
				if n += rows; rowsErr != nil {
					err = rowsErr
				}
			}
			if err == nil && n != d.rows {
				err = fmt.Errorf("%d pages have %d rows, want %d", len(pages), n, d.rows)
			}
			return "the org's query takes " + strings.TrimSpace(out) + " s of it", err
		}}
	export := func(title, name string, count func(string) (int, error)) contestant {
		return contestant{name: title,
			command: func(folder string) *exec.Cmd {
				return withToken(p.migrate, "export", query, "--to", filepath.Join(folder, name), "--instance-url", o.url, "--state-dir", filepath.Join(folder, "state"), "--quiet")
			},
			check: func(folder, _ string) (string, error) {
				return "", wantRows(count, filepath.Join(folder, name), d.rows)
			}}
	}
	cli := contestant{name: "sf data export bulk", skipped: c.missing}
	if c.missing == "" {
		home := c.login(t, o)
		cli.command = func(folder string) *exec.Cmd {
			return c.sf(home, "data", "export", "bulk", "--query", query, "--output-file", filepath.Join(folder, "out.csv"), "--result-format", "csv", "--wait", "10", "--target-org", "org")
		}
		cli.check = func(folder, _ string) (string, error) {
			return "", wantRows(csvRows, filepath.Join(folder, "out.csv"), d.rows)
		}
	}
	return race{title: fmt.Sprintf("export, %s rows x %d columns", grouped(d.rows), len(fields)), bytes: d.bytes + int64(19*d.rows), // an Id and its comma
		contestants: []contestant{limit, export(csvExport, "accounts.csv", csvRows), export(parquetExport, "accounts.parquet", rowsOfParquet), cli}}
}

func rowsOfParquet(path string) (int, error) {
	r, err := file.OpenParquetFile(path, false)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return int(r.NumRows()), nil
}
