package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"migrate/internal/localorg"
)

// dump copies the objects of an org, through its REST interface and without the product's own client.
func (j *judge) dump(t *testing.T, org *localorg.Org, parts []part) {
	t.Helper()
	fields := map[string][]string{}
	for _, p := range parts {
		if fields[p.object] == nil {
			fields[p.object] = []string{"Id"}
		}
		for _, f := range j.fields(t, p) {
			if !slices.Contains(fields[p.object], f) {
				fields[p.object] = append(fields[p.object], f)
			}
		}
	}
	for object, list := range fields {
		j.exec(t, fmt.Sprintf("CREATE TABLE %s (%s)", object, strings.Join(list, ", ")))
		j.insert(t, object, records(t, org, object, list))
		j.exec(t, fmt.Sprintf("CREATE INDEX %[1]s_legacy ON %[1]s (Legacy_Id__c)", object))
		j.exec(t, fmt.Sprintf("CREATE UNIQUE INDEX %[1]s_id ON %[1]s (Id)", object))
	}
}

// records gives all records of an object.
func records(t *testing.T, org *localorg.Org, object string, fields []string) [][]any {
	t.Helper()
	client := http.Client{Transport: org.Transport()}
	var all [][]any
	next := "/services/data/v66.0/query?q=" + url.QueryEscape("SELECT "+strings.Join(fields, ", ")+" FROM "+object)
	for next != "" {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+next, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+scriptToken)
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			TotalSize      int
			NextRecordsURL string `json:"nextRecordsUrl"`
			Records        []map[string]any
		}
		d := json.NewDecoder(res.Body)
		d.UseNumber()
		err = d.Decode(&page)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", next, res.Status, err)
		}
		for _, r := range page.Records {
			row := make([]any, len(fields))
			for i, f := range fields {
				switch v := r[f].(type) {
				case json.Number:
					if row[i], err = decimal(v.String()); err != nil {
						t.Fatal(err)
					}
				case bool:
					row[i] = strconv.FormatBool(v)
				default:
					row[i] = v
				}
			}
			all = append(all, row)
		}
		if next = page.NextRecordsURL; next == "" && len(all) != page.TotalSize {
			t.Fatalf("%d records of %s, %d were promised", len(all), object, page.TotalSize)
		}
	}
	return all
}

// copySource copies all tables of a server into src. Names become those that SQLite has, such as InvoiceLine.
func (j *judge) copySource(t *testing.T, kind string, db *sql.DB) {
	t.Helper()
	j.exec(t, "ATTACH ':memory:' AS src")
	here, quote := "current_schema()", `"`
	if kind == "mysql" {
		here, quote = "database()", "`"
	}
	for _, r := range queryAll(t, db, "SELECT table_name FROM information_schema.tables WHERE table_schema = "+here) {
		table := fmt.Sprint(r[0])
		rows := queryAll(t, db, "SELECT * FROM "+quote+table+quote)
		var columns []string
		for _, c := range columnsOf(t, db, "SELECT * FROM "+quote+table+quote) {
			columns = append(columns, `"`+camel(c)+`"`)
		}
		j.exec(t, fmt.Sprintf(`CREATE TABLE src."%s" (%s)`, camel(table), strings.Join(columns, ", ")))
		j.insert(t, fmt.Sprintf(`src."%s"`, camel(table)), rows)
	}
}

func (j *judge) insert(t *testing.T, table string, rows [][]any) {
	t.Helper()
	j.exec(t, "BEGIN")
	for _, row := range rows {
		j.exec(t, fmt.Sprintf("INSERT INTO %s VALUES (?%s)", table, strings.Repeat(", ?", len(row)-1)), row...)
	}
	j.exec(t, "COMMIT")
}

// camel makes InvoiceLine of invoice_line.
func camel(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "_") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

func queryAll(t *testing.T, db *sql.DB, query string, args ...any) [][]any {
	t.Helper()
	rows, err := db.QueryContext(context.WithoutCancel(t.Context()), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]any
	for rows.Next() {
		row, places := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			places[i] = &row[i]
		}
		if err := rows.Scan(places...); err != nil {
			t.Fatal(err)
		}
		for i, v := range row {
			switch v := v.(type) {
			case time.Time:
				row[i] = v.Format(time.DateTime)
			case []byte:
				row[i] = string(v)
			}
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return all
}

func columnsOf(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	return columns
}
