package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"migrate/internal/localorg"
)

// copies are exports of an org that are run again and again into one database.
type copies struct {
	*testing.T
	org  *localorg.Org
	url  string
	dir  string
	db   *sql.DB
	now  time.Time
	hide string // a condition that only queries without the recycle bin have
}

func newCopies(t *testing.T, plan string) *copies {
	c := &copies{T: t, dir: t.TempDir(), now: time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)}
	var err error
	if c.org, err = localorg.Open(localorg.Config{AccessToken: "t", Now: func() time.Time { return c.now }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.org.Close() })
	server := httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(server.Close)
	c.url = server.URL
	c.write(plan)
	if c.db, err = sql.Open("sqlite", filepath.Join(c.dir, "dwh.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.db.Close() })
	return c
}

// serve hides records as an org hides archived ones: from query jobs that do not ask for all rows.
func (c *copies) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", c.now.Format(http.TimeFormat))
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/jobs/query") && c.hide != "" {
		var job map[string]any
		if err := json.NewDecoder(r.Body).Decode(&job); err != nil {
			c.Error(err)
		}
		if job["operation"] == "query" {
			q := job["query"].(string)
			if strings.Contains(q, " WHERE ") {
				q = strings.Replace(q, " WHERE ", " WHERE "+c.hide+" AND ", 1)
			} else {
				q += " WHERE " + c.hide
			}
			job["query"] = q
		}
		text, err := json.Marshal(job)
		if err != nil {
			c.Error(err)
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	}
	c.org.ServeHTTP(w, r)
}

func (c *copies) write(plan string) {
	if err := os.WriteFile(filepath.Join(c.dir, "plan.yaml"), []byte(plan), 0o600); err != nil {
		c.Fatal(err)
	}
}

func (c *copies) save(values map[string]string) string {
	c.Helper()
	id, err := c.org.Save("Account", values, c.now)
	if err != nil {
		c.Fatal(err)
	}
	c.now = c.now.Add(time.Second)
	return id
}

// night runs the plan a day later.
func (c *copies) night(want int, args ...string) string {
	c.Helper()
	c.now = c.now.Add(24 * time.Hour)
	var out bytes.Buffer
	env := func(name string) (string, bool) {
		if name == "MIGRATE_ACCESS_TOKEN" {
			return "t", true
		}
		return os.LookupEnv(name)
	}
	code := run(c.Context(), append(args, filepath.Join(c.dir, "plan.yaml"), "--instance-url", c.url), env, strings.NewReader(""), &out, &out)
	if code != want {
		c.Fatalf("exit code %d, want %d\n%s", code, want, out.String())
	}
	return out.String()
}

func (c *copies) count(condition string) (n int) {
	c.Helper()
	if err := c.db.QueryRow("SELECT count(*) FROM account WHERE " + condition).Scan(&n); err != nil {
		c.Fatal(err)
	}
	return n
}

const copiesPlan = `version: 1
jobs:
  copy:
    export: Account
    fields: [Id, Name]
    to: { sqlite: "sqlite:%s/dwh.db" }
    watermark: true
    deletes: { compare: 1d }
`

// TestArchivedStay: archived activities are in the copy since the recycle bin is asked, too. They have not vanished because other queries do not
// show them.
func TestArchivedStay(t *testing.T) {
	t.Parallel()
	c := newCopies(t, "")
	c.write(fmt.Sprintf(copiesPlan, c.dir))
	c.hide = "(Name != 'archived')"
	c.save(map[string]string{"Name": "archived"})
	gone := c.save(map[string]string{"Name": "gone"})
	c.save(map[string]string{"Name": "new"})
	for range 3 {
		c.night(codeOK, "run")
		if n := c.count("Name = 'archived'"); n != 1 {
			t.Fatalf("%d archived records are in the copy", n)
		}
	}
	if err := c.org.Delete("Account", gone, false, c.now.Add(-time.Hour)); err != nil { // before the overlap: nobody sees it but the comparison
		t.Fatal(err)
	}
	c.night(codeOK, "run")
	if n := c.count("true"); n != 2 {
		t.Errorf("%d records are in the copy", n)
	}
}

// TestTableIsGone: changes do not go into a table that lacks all that was exported before.
func TestTableIsGone(t *testing.T) {
	t.Parallel()
	c := newCopies(t, "")
	c.write(fmt.Sprintf(copiesPlan, c.dir))
	for range 5 {
		c.save(map[string]string{"Name": "a"})
	}
	c.night(codeOK, "run")
	if _, err := c.db.Exec("DROP TABLE account"); err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(time.Hour)
	c.save(map[string]string{"Name": "b"})
	if out := c.night(codeOK, "plan"); !strings.Contains(out, "all rows: the table is not there any more") {
		t.Error(out)
	}
	if out := c.night(codeOK, "run"); !strings.Contains(out, "all rows: the table is not there any more") {
		t.Error(out)
	}
	if n := c.count("true"); n != 6 {
		t.Errorf("%d of 6 records are in the copy", n)
	}
}

// TestOnePlace: two exports of a run that go to one place would leave the rows of the last one only.
func TestOnePlace(t *testing.T) {
	t.Parallel()
	for _, to := range []string{
		`{ csv: out/, overwrite: true }`,
		`{ sqlite: "sqlite:%s/dwh.db", table: both }`,
	} {
		c := newCopies(t, "")
		if strings.Contains(to, "%s") {
			to = fmt.Sprintf(to, c.dir)
		}
		c.save(map[string]string{"Name": "a"})
		c.write("version: 1\njobs:\n  one: { export: Account, fields: [Id, Name], to: " + to + " }\n  two: { export: Contact, fields: [Id, Name], to: " + strings.Replace(to, "both", "BOTH", 1) + " }\n")
		for _, command := range []string{"plan", "run"} {
			if out := c.night(codeInvalid, command); !strings.Contains(out, "plan.yaml:4: job two: it goes to the same place as job one") {
				t.Error(out)
			}
		}
	}
	c := newCopies(t, "") // but those that merge
	id := c.save(map[string]string{"Name": "a"})
	c.save(map[string]string{"Name": "b"})
	to := fmt.Sprintf(`{ sqlite: "sqlite:%s/dwh.db", table: account, merge: true }`, c.dir)
	c.write("version: 1\njobs:\n  one: { export: Account, fields: [Id, Name], where: \"Id = '" + id + "'\", to: " + to + " }\n  two: { export: Account, fields: [Id, Name], where: \"Id != '" + id + "'\", to: " + to + " }\n")
	c.night(codeOK, "run")
	if n := c.count("true"); n != 2 {
		t.Errorf("%d records", n)
	}
}

// TestAsked: what is behind the condition says, too, which records there are.
func TestAsked(t *testing.T) {
	x := exportSpec{}
	x.Extract.Object = "Account"
	before := x.asked()
	x.Extract.Query.Tail = "WITH DATA CATEGORY Geography__c AT usa__c"
	if x.asked() == before {
		t.Error("another query is taken for the same")
	}
}

// TestOtherDatabase: a variable that holds the address of another database is another place, also where that has an older copy; another password is not.
func TestOtherDatabase(t *testing.T) {
	c := newCopies(t, "version: 1\njobs:\n  copy: { export: Account, fields: [Id, Name], to: { sqlite: \"${COPIES_DB}\" }, watermark: true }\n")
	now, old := filepath.Join(c.dir, "dwh.db"), filepath.Join(c.dir, "old.db")
	t.Setenv("COPIES_DB", now)
	c.save(map[string]string{"Name": "a"})
	c.night(codeOK, "run")
	text, err := os.ReadFile(now)
	if err := errors.Join(err, os.WriteFile(old, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(time.Hour)
	c.save(map[string]string{"Name": "b"})
	if out := c.night(codeOK, "run"); !strings.Contains(out, "brings  changes") {
		t.Error(out)
	}
	t.Setenv("COPIES_DB", old)
	if out := c.night(codeOK, "run"); !strings.Contains(out, "all rows: it goes to another place than the last time") {
		t.Error(out)
	}
	c.db.Close()
	if c.db, err = sql.Open("sqlite", old); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.db.Close() })
	if n := c.count("true"); n != 2 {
		t.Errorf("%d of 2 records are in the copy", n)
	}
}
