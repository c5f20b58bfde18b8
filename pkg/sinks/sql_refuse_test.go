package sinks_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"migrate/pkg/sinks"
)

// TestTableDrift: a table that is not as the export is refused with all differences at once, or gets the columns that it lacks.
func TestTableDrift(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		q := s.quote
		for _, mode := range []sinks.Mode{sinks.Replace, sinks.Merge} {
			cfg := sinks.TableConfig{DSN: s.dsn, Table: s.table(t), Schema: everything, Mode: mode}
			s.run(t, "CREATE TABLE "+q(cfg.Table)+" (id varchar(10), "+q("Flag")+" real, amount integer, needed integer NOT NULL)")
			_, err := sinks.OpenTable(t.Context(), cfg)
			if !errors.Is(err, sinks.ErrSchema) {
				t.Fatalf("mode %d: %v", mode, err)
			}
			if looked := sinks.LookTable(t.Context(), cfg); looked == nil || looked.Error() != err.Error() {
				t.Errorf("mode %d: looking gives %v, opening %v", mode, looked, err)
			}
			for _, part := range []string{"column Flag is ", "column needed is not in the export", q("SystemModstamp"), q("Owner.Name"), cfg.Table} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("mode %d: %v\nsays nothing of %s", mode, err, part)
				}
			}
			if merge := strings.Contains(err.Error(), "a merge by id needs"); merge != (mode == sinks.Merge) {
				t.Errorf("mode %d: %v", mode, err)
			}
			if s.kind != "sqlite" && !strings.Contains(err.Error(), "column amount is ") {
				t.Errorf("mode %d: %v", mode, err)
			}

			// names in another case are the same, and the table keeps them
			s.run(t, "DROP TABLE "+q(cfg.Table))
			binary := map[string]string{"mysql": "varchar(18) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"}[s.kind]
			if binary == "" {
				binary = "varchar(18)"
			}
			s.run(t, "CREATE TABLE "+q(cfg.Table)+" (id "+binary+" PRIMARY KEY, extra integer)", "INSERT INTO "+q(cfg.Table)+" VALUES ('0', 1)")
			cfg.Schema = small
			rows := batch(small, []any{"1", "one", arrow.Timestamp(0)})
			if err := exportTable(t.Context(), cfg, nil, rows); !errors.Is(err, sinks.ErrSchema) || !strings.Contains(err.Error(), q("Name")) {
				t.Errorf("mode %d: %v", mode, err)
			}
			cfg.Drift = sinks.Add
			if err := sinks.LookTable(t.Context(), cfg); err != nil {
				t.Errorf("mode %d: %v", mode, err)
			}
			for range 2 {
				mustExportTable(t, cfg, nil, rows)
			}
			want := [][]string{{"0", "1", "<null>"}, {"1", "<null>", "one"}}
			if mode == sinks.Replace {
				want = want[1:]
			}
			if diff := cmp.Diff(want, s.texts(t, "SELECT id, extra, "+q("Name")+" FROM "+q(cfg.Table)+" ORDER BY 1")); diff != "" {
				t.Errorf("mode %d: %s", mode, diff)
			}
		}
	})
}

// TestTableValuesRefused: what a database cannot hold is an error that names row and column, and the table stays as it was.
func TestTableValuesRefused(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		schema := arrow.NewSchema([]arrow.Field{field("Id", text, 5), field("Name", text, 3), field("Amount", arrow.PrimitiveTypes.Float64, 0), field("At", timestamp, 0)}, nil)
		cfg := sinks.TableConfig{DSN: s.dsn, Table: s.table(t), Schema: schema}
		good := []any{"1", "abc", 1.0, arrow.Timestamp(1)}
		mustExportTable(t, cfg, nil, batch(schema, good))
		for name, test := range map[string]struct {
			row   []any
			says  string
			kinds string
		}{
			"NUL":       {[]any{"2", "a\x00c", 1.0, nil}, "row 3 of the export (Id \"2\"), column Name", "postgres"},
			"not UTF-8": {[]any{"2", "a\xff", 1.0, nil}, "row 3 of the export (Id \"2\"), column Name", "postgres mysql sqlite"},
			"NaN":       {[]any{"2", "a", math.NaN(), nil}, "row 3 of the export (Id \"2\"), column Amount", "mysql sqlite"},
			"year":      {[]any{"2", "a", 1.0, arrow.Timestamp(math.MaxInt64 / 2000)}, "column At", "postgres mysql sqlite"},
			"no key":    {[]any{nil, "a", 1.0, nil}, "row 3 of the export, column Id", "postgres mysql sqlite"},
			"too long":  {[]any{"2", "abcd", 1.0, nil}, "Name", "mysql"},
			"spaces":    {[]any{"2", "abc ", 1.0, nil}, "Name", "mysql"}, // MySQL would cut it with a note
		} {
			if !strings.Contains(test.kinds, s.kind) {
				continue
			}
			for _, mode := range []sinks.Mode{sinks.Replace, sinks.Merge} {
				cfg.Mode = mode
				err := exportTable(t.Context(), cfg, nil, batch(schema, []any{"3", nil, nil, nil}), batch(schema, []any{"4", nil, nil, nil}, test.row))
				if !errors.Is(err, sinks.ErrValue) || errors.Is(err, sinks.ErrDatabase) || !strings.Contains(err.Error(), test.says) {
					t.Errorf("%s, mode %d: %v", name, mode, err)
				}
			}
		}
		if got := s.texts(t, "SELECT "+s.quote("Id")+" FROM "+s.quote(cfg.Table)); len(got) != 1 || got[0][0] != "1" {
			t.Errorf("the table has %v", got)
		}
	})
}

// TestTableNames: names are names, whatever they hold.
func TestTableNames(t *testing.T) {
	each(t, func(t *testing.T, s server) {
		schema := arrow.NewSchema([]arrow.Field{field("Id", text, 18), field(`a"b`, text, 0), field("a`b", text, 0), field("x); DROP TABLE y; --", text, 0), field("select", text, 0),
			field("Account.Owner.Name", text, 0), field("ä😀", text, 0), field("%s $1 ?", text, 0)}, nil)
		if s.kind == "mysql" { // its names hold no characters beyond the first 65,536
			fields := schema.Fields()
			fields[6].Name = "ä"
			schema = arrow.NewSchema(fields, nil)
		}
		name := s.table(t) + "; drop'`\\."
		t.Cleanup(func() { s.db.Exec("DROP TABLE " + s.quote(name)) })
		cfg := sinks.TableConfig{DSN: s.dsn, Table: `"` + name + `"`, Schema: schema}
		for _, mode := range []sinks.Mode{sinks.Replace, sinks.Replace, sinks.Merge} {
			cfg.Mode = mode
			mustExportTable(t, cfg, nil, batch(schema, []any{"1", "2", "3", "4", "5", "6", "7", "8"}))
		}
		if got := s.texts(t, "SELECT * FROM "+s.quote(name)); len(got) != 1 || strings.Join(got[0], "") != "12345678" {
			t.Errorf("%v", got)
		}
		for table, ok := range map[string]bool{"": false, ".": false, "a.": false, "a.b.c": false, `"a`: false, `"a"b`: false, "a\x00": false, strings.Repeat("x", 2000): s.kind == "sqlite"} {
			cfg.Table = table
			if err := exportTable(t.Context(), cfg, nil); (err == nil) != ok {
				t.Errorf("%.20q: %v", table, err)
			}
		}
		switch s.kind {
		case "postgres":
			s.run(t, `CREATE SCHEMA IF NOT EXISTS "Odd.schema"`)
			cfg.Table = `"Odd.schema".` + s.table(t)
			defer s.db.Exec(`DROP SCHEMA "Odd.schema" CASCADE`)
			mustExportTable(t, cfg, nil)
			cfg.Table = "nowhere.x"
			if err := exportTable(t.Context(), cfg, nil); err == nil || errors.Is(err, sinks.ErrDatabase) || !strings.Contains(err.Error(), "nowhere") {
				t.Errorf("%v", err)
			}
		case "sqlite":
			cfg.Table = "nowhere.x"
			if err := exportTable(t.Context(), cfg, nil); err == nil {
				t.Error("a schema that is not there")
			}
			cfg.Table = "t"
			file := filepath.Join(t.TempDir(), "new.db")
			cfg.DSN = "sqlite:" + file
			mustExportTable(t, cfg, nil)
			if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
				t.Errorf("%v %v", info.Mode(), err)
			}
			cfg.DSN = s.dsn
		}
		s.run(t, "CREATE VIEW "+s.quote(name+"v")+" AS SELECT 1 AS "+s.quote("Id"))
		defer s.db.Exec("DROP VIEW " + s.quote(name+"v"))
		cfg.Table = `"` + name + `v"`
		if err := exportTable(t.Context(), cfg, nil); err == nil || !strings.Contains(err.Error(), "not a table") {
			t.Errorf("a view: %v", err)
		}
	})
}

// TestTableConfig: what cannot work is refused before anything is connected to, and no error tells a secret.
func TestTableConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]sinks.TableConfig{
		"no address":     {Table: "t", Schema: small},
		"no kind":        {DSN: "oracle://u:geheim@h/x", Table: "t", Schema: small},
		"no URL":         {DSN: "postgres://u:geheim@h:x/%zz", Table: "t", Schema: small},
		"no parameter":   {DSN: "mysql://u:geheim@127.0.0.1:1/x?allowAllFiles=true", Table: "t", Schema: small},
		"no server":      {DSN: "postgres://u:geheim@127.0.0.1:1/x", Table: "t", Schema: small},
		"no server, too": {DSN: "mysql://u:geheim@127.0.0.1:1/x", Table: "t", Schema: small},
		"no folder":      {DSN: "sqlite:/nowhere/x/geheim.db", Table: "t", Schema: small},
		"no key":         {DSN: "sqlite:x.db", Table: "t", Schema: small, Mode: sinks.Merge, Key: "Code__c"},
		"no newer":       {DSN: "sqlite:x.db", Table: "t", Schema: small, Newer: "LastModifiedDate"},
		"newer is text":  {DSN: "sqlite:x.db", Table: "t", Schema: small, Newer: "Name"},
		"no columns":     {DSN: "sqlite:x.db", Table: "t", Schema: arrow.NewSchema(nil, nil)},
		"one name":       {DSN: "sqlite:x.db", Table: "t", Schema: arrow.NewSchema([]arrow.Field{field("a", text, 0), field("A", text, 0)}, nil)},
		"nested":         {DSN: "sqlite:x.db", Table: "t", Schema: arrow.NewSchema([]arrow.Field{field("a", arrow.ListOf(text), 0)}, nil)},
	} {
		sink, err := sinks.OpenTable(context.Background(), cfg)
		if err == nil {
			sink.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if temporary := errors.Is(err, sinks.ErrDatabase); temporary != strings.HasPrefix(name, "no server") {
			t.Errorf("%s: temporary %v: %v", name, temporary, err)
		}
		if name != "no folder" && strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: the password is in the error: %v", name, err)
		}
	}
	if _, err := os.Stat("x.db"); err == nil {
		t.Error("a database was made")
	}
}
