package sources_test

import (
	"path/filepath"
	"testing"

	"migrate/pkg/sources"
)

// TestQueryHead reads the first rows of a table from each kind of database that tests have.
func TestQueryHead(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) database{"sqlite": sqlite, "postgres": postgres, "mariadb": mariadb} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.run(t, "create table head_of (n integer, name varchar(10))", "insert into head_of values (1, 'a'), (2, 'b'), (3, 'c')")
			for want := range int64(4) {
				path := filepath.Join(t.TempDir(), "head")
				rows, err := sources.Query{DSN: d.dsn, Name: "head"}.Head("head_of", want).Spool(t.Context(), path)
				if err != nil || rows != want {
					t.Errorf("%d rows, error %v; want %d", rows, err, want)
				}
			}
		})
	}
}
