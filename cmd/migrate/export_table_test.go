package main

import (
	"database/sql"
	"os"
	"strings"
	"testing"
	"time"
)

// killedTable is a table as an outlet.
type killedTable struct {
	dsn     string
	db      *sql.DB
	want    digest
	journal string // file that SQLite has while it publishes; "" = PostgreSQL
}

func (k *killedTable) args() []string { return []string{"--to", "${KILLED_DB}", "--table", "killed"} }

func (k *killedTable) prepare(t *testing.T, old bool) {
	t.Helper()
	statements := []string{`DROP TABLE IF EXISTS killed`}
	if old { // a row of its own
		statements = append(statements, `CREATE TABLE killed ("Id" text, "Name" text, "Legacy_Id__c" text, "AnnualRevenue" double precision, "NumberOfEmployees" bigint, "Active__c" boolean,
			"CreatedDate" timestamp with time zone, "Description" text)`, `INSERT INTO killed ("Id") VALUES ('old')`)
	}
	if k.journal != "" {
		for i, s := range statements {
			statements[i] = strings.ReplaceAll(s, "timestamp with time zone", "timestamp")
		}
	}
	for _, s := range statements {
		if _, err := k.db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

func (k *killedTable) watch() func() bool {
	if k.journal != "" {
		return func() bool {
			_, err := os.Stat(k.journal)
			return err == nil
		}
	}
	var next time.Time // a look costs the server something
	return func() bool {
		if time.Now().Before(next) {
			return false
		}
		next = time.Now().Add(10 * time.Millisecond)
		var n int // the lock on the table that is there, or the rows of the one that was not
		err := k.db.QueryRow(`SELECT count(*) FROM pg_locks WHERE relation = to_regclass('killed') AND mode = 'ShareRowExclusiveLock'
			OR locktype = 'transactionid' AND pid IN (SELECT pid FROM pg_stat_activity WHERE application_name = 'migrate' AND query LIKE 'INSERT%')`).Scan(&n)
		return err == nil && n > 0
	}
}

func (k *killedTable) standing(t *testing.T) string {
	t.Helper()
	rows, err := k.db.QueryContext(t.Context(), `SELECT "`+strings.Join(killedColumns, `", "`)+`" FROM killed`)
	if err != nil && (strings.Contains(err.Error(), "no such table") || strings.Contains(err.Error(), "does not exist")) {
		return "nothing"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var d digest
	row, to := make([]any, len(killedColumns)), make([]any, len(killedColumns))
	for i := range row {
		to[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		d.add(row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	switch {
	case d == k.want:
		return "new"
	case d.rows == 1 && row[0] == "old":
		return "old"
	}
	t.Fatalf("the table holds %+v, the org %+v", d, k.want)
	return ""
}

func (k *killedTable) check(*testing.T, string, string) {} // there is no manifest
