package main

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"modernc.org/sqlite"
)

// part is a table of a database and the records that a plan makes of it.
type part struct {
	name, table, object string
	// want is a query of the tables of the database, in the schema src. It has the fields of the object for columns, a lookup
	// holding the Legacy_Id__c of the parent. Numbers go through decimal().
	want string
}

// lookups are the fields that lead to another record, with its object.
var lookups = map[string]string{"AccountId": "Account", "ReportsToId": "Contact", "Account__c": "Account", "Opportunity__c": "Opportunity", "Invoice__c": "Invoice__c"}

// judge is an SQLite database in memory. It holds a source in the schema src, for each part a table want_NAME of what must be in the
// org, and for each object a table of what is there. A value of the org is the text of its JSON.
type judge struct{ db *sql.DB }

// finding is one difference: a part, or an object, the Legacy_Id__c of a record, a field.
type finding struct{ Part, Row, What, Want, Got string }

func init() {
	// decimal(x) is a number in its shortest form.
	sqlite.MustRegisterDeterministicScalarFunction("decimal", 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		return decimal(args[0])
	})
	// units(text, n) is the beginning of a text, of at most n units of UTF-16 and without half a character.
	sqlite.MustRegisterDeterministicScalarFunction("units", 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		text, n := args[0].(string), int(args[1].(int64))
		all := utf16.Encode([]rune(text))
		if len(all) <= n {
			return text, nil
		}
		if utf16.IsSurrogate(rune(all[n])) && all[n] >= 0xdc00 { // its second half comes next
			n--
		}
		return string(utf16.Decode(all[:n])), nil
	})
}

func decimal(v driver.Value) (driver.Value, error) {
	var text string
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		text = v
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, fmt.Errorf("%v is no number", v)
	}
	places, exact := r.FloatPrec()
	if !exact {
		return nil, fmt.Errorf("%v has no end", v)
	}
	return r.FloatString(places), nil
}

func newJudge(t *testing.T) *judge {
	t.Helper()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // memory and attached files belong to one connection
	t.Cleanup(func() { db.Close() })
	return &judge{db}
}

func (j *judge) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := j.db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// rows gives the rows of a query as text, null as "".
func (j *judge) rows(t *testing.T, query string, args ...any) [][]string {
	t.Helper()
	var all [][]string
	for _, row := range queryAll(t, j.db, query, args...) {
		texts := make([]string, len(row))
		for i, v := range row {
			if v != nil {
				texts[i] = fmt.Sprint(v)
			}
		}
		all = append(all, texts)
	}
	return all
}

// text gives the first value of a query.
func (j *judge) text(t *testing.T, query string, args ...any) string {
	t.Helper()
	rows := j.rows(t, query, args...)
	if len(rows) == 0 {
		t.Fatalf("%s: no rows", query)
	}
	return rows[0][0]
}

// want makes the tables of what must be in the org. What the program may do to a value unasked is done here: an empty text is
// null, and a line ends with LF.
func (j *judge) want(t *testing.T, parts []part) {
	t.Helper()
	for _, p := range parts {
		var columns []string
		for _, c := range columnsOf(t, j.db, p.want) {
			columns = append(columns, fmt.Sprintf("nullif(replace(cast(%[1]s AS text), char(13, 10), char(10)), '') AS %[1]s", c))
		}
		j.exec(t, fmt.Sprintf("CREATE TABLE want_%s AS SELECT %s FROM (%s)", p.name, strings.Join(columns, ", "), p.want))
		j.exec(t, fmt.Sprintf("CREATE UNIQUE INDEX want_%[1]s_id ON want_%[1]s (Legacy_Id__c)", p.name))
	}
}

func (j *judge) fields(t *testing.T, p part) []string {
	return columnsOf(t, j.db, "SELECT * FROM want_"+p.name)
}

// differences compares the org with the source, and logs what was compared.
func (j *judge) differences(t *testing.T, parts []part) []finding {
	t.Helper()
	var found []finding
	add := func(part, what, query string) {
		for _, r := range j.rows(t, query) {
			found = append(found, finding{part, r[0], what, r[1], r[2]})
		}
	}
	known := map[string][]string{}
	for _, p := range parts {
		want, o := "want_"+p.name, p.object
		read, asked := j.text(t, fmt.Sprintf(`SELECT count(*) FROM src."%s"`, p.table)), j.text(t, "SELECT count(*) FROM "+want)
		got := j.text(t, fmt.Sprintf("SELECT count(*) FROM %s WHERE Legacy_Id__c IN (SELECT Legacy_Id__c FROM %s)", o, want))
		if read != asked || read == "0" {
			found = append(found, finding{p.name, "", "rows of " + p.table, read, asked})
		}
		add(p.name, "records", fmt.Sprintf("SELECT w.Legacy_Id__c, 1, count(g.Id) FROM %s w LEFT JOIN %s g USING (Legacy_Id__c) GROUP BY 1 HAVING count(g.Id) <> 1", want, o))
		values, links := 0, ""
		for _, f := range j.fields(t, p) {
			parent := lookups[f]
			if parent == "" || f == "Legacy_Id__c" {
				values++
				add(p.name, f, fmt.Sprintf("SELECT w.Legacy_Id__c, w.%[1]s, g.%[1]s FROM %[2]s w JOIN %[3]s g USING (Legacy_Id__c) WHERE w.%[1]s IS NOT g.%[1]s", f, want, o))
				continue
			}
			// Each row of the source with the record that it became: does that one lead to what the foreign key's row became?
			add(p.name, f, fmt.Sprintf("SELECT w.Legacy_Id__c, w.%[1]s, iif(g.%[1]s IS NULL, NULL, coalesce(p.Legacy_Id__c, 'no such record')) AS leads_to "+
				"FROM %[2]s w JOIN %[3]s g USING (Legacy_Id__c) LEFT JOIN %[4]s p ON p.Id = g.%[1]s WHERE w.%[1]s IS NOT leads_to", f, want, o, parent))
			// And the children of each record of the org: has the source's row the same?
			add(p.name, f+", from the parent", fmt.Sprintf("SELECT child, NULL, parent FROM (SELECT g.Legacy_Id__c AS child, p.Legacy_Id__c AS parent FROM %[4]s p JOIN %[3]s g ON g.%[1]s = p.Id "+
				"WHERE g.Legacy_Id__c IN (SELECT Legacy_Id__c FROM %[2]s) EXCEPT SELECT Legacy_Id__c, %[1]s FROM %[2]s)", f, want, o, parent))
			links += fmt.Sprintf("; %s → %s: %s set, %s null", f, parent, j.text(t, fmt.Sprintf("SELECT count(%s) FROM %s", f, want)),
				j.text(t, fmt.Sprintf("SELECT count(*) - count(%s) FROM %s", f, want)))
		}
		known[o] = append(known[o], "SELECT Legacy_Id__c FROM "+want)
		t.Logf("%-15s %5s rows of %-13s = %5s records of %-15s × %2d fields%s", p.name, read, p.table, got, o, values, links)
	}
	for o, wants := range known {
		add(o, "records", fmt.Sprintf("SELECT Legacy_Id__c, 0, count(*) FROM %s WHERE Legacy_Id__c IS NULL OR Legacy_Id__c NOT IN (%s) GROUP BY 1", o, strings.Join(wants, " UNION ALL ")))
	}
	t.Logf("differences found: %d", len(found))
	return found
}
