package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"migrate/internal/datagen"
	"migrate/internal/localorg"
	"migrate/internal/testdb"
)

// samplePlan is a plan of testdata/plans with what it must bring about.
type samplePlan struct {
	name, file string
	kind       string                                                        // of the database; another than the file's own is put in its place
	env        string                                                        // the plan's name for the database
	real       string                                                        // names a database that is there, in the test's own environment
	fill       func(context.Context, *sql.DB, datagen.Dialect, uint64) error // makes up one in the same shape
	parts      []part
}

var samplePlans = []samplePlan{
	{"Chinook from SQLite", "chinook-sqlite.yaml", "sqlite", "CHINOOK", "MIGRATE_CHINOOK_SQLITE", datagen.Shop, chinookParts},
	{"Chinook from PostgreSQL", "chinook-postgres.yaml", "postgres", "CHINOOK", "MIGRATE_CHINOOK_POSTGRES", datagen.Shop, chinookParts},
	{"Chinook from MySQL", "chinook-sqlite.yaml", "mysql", "CHINOOK", "MIGRATE_CHINOOK_MYSQL", datagen.Shop, chinookParts},
	{"Northwind from SQLite", "northwind.yaml", "sqlite", "NORTHWIND", "MIGRATE_NORTHWIND", datagen.Trader, northwindParts},
}

// TestSamplePlans runs each plan on a database that was made up in the same shape, and on the real one where the environment names
// it. Then every record, value and relationship of the org is compared with the database, by SQL.
func TestSamplePlans(t *testing.T) {
	t.Parallel()
	for _, p := range samplePlans {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			t.Run("made up", func(t *testing.T) {
				t.Parallel()
				address := newDatabase(t, p.kind)
				db := openDatabase(t, p.kind, address)
				dialect := map[string]datagen.Dialect{"sqlite": datagen.SQLite, "postgres": datagen.Postgres, "mysql": datagen.MariaDB}[p.kind]
				if err := p.fill(t.Context(), db, dialect, 20261124); err != nil {
					t.Fatal(err)
				}
				p.check(t, address)
			})
			t.Run("real", func(t *testing.T) {
				t.Parallel()
				address := os.Getenv(p.real)
				if address == "" {
					t.Skipf("NOT TESTED: set %s to the real database, a path or a DSN", p.real)
				}
				p.check(t, address)
			})
		})
	}
}

// check runs the plan and judges what is in the org.
func (p samplePlan) check(t *testing.T, address string) {
	j := p.judge(t, address)
	for _, f := range j.differences(t, p.parts) {
		t.Errorf("%+v", f)
	}
}

// judge runs the plan, and opens a judge that has the database and the org before it.
func (p samplePlan) judge(t *testing.T, address string) *judge {
	t.Helper()
	state := t.TempDir()
	out := p.run(t, address, state)
	t.Log("\n" + out)
	noPassword(t, address, out, state)
	org, err := localorg.Open(localorg.Config{Dir: filepath.Join(onlyRun(t, state), localDirName), AccessToken: scriptToken})
	if err != nil {
		t.Fatal(err)
	}
	defer org.Close()
	j := newJudge(t)
	if p.kind == "sqlite" {
		j.exec(t, "ATTACH ? AS src", "file:"+(&url.URL{Path: address}).EscapedPath()+"?mode=ro")
	} else {
		j.copySource(t, p.kind, openDatabase(t, p.kind, address))
	}
	j.want(t, p.parts)
	j.dump(t, org, p.parts)
	return j
}

// noPassword fails when the password of a database stands in the output of a run or in a file of it.
func noPassword(t *testing.T, address, out, state string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return // a path
	}
	password, _ := u.User.Password()
	secrets := []string{u.User.String(), "password=" + password}
	if secret := holds([]byte(out), secrets); secret != "" {
		t.Errorf("%q stands in the output", secret)
	}
	err = filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if secret := holds(data, secrets); secret != "" {
			t.Errorf("%q stands in %s", secret, path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// run runs the plan as a program of its own, and gives its output.
func (p samplePlan) run(t *testing.T, address, state string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "plans", p.file))
	if err != nil {
		t.Fatal(err)
	}
	if p.kind == "mysql" {
		text = bytes.Replace(text, []byte("{ sqlite:"), []byte("{ mysql:"), 1)
	}
	file := filepath.Join(t.TempDir(), p.file)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Args = []string{"migrate", "run", file, "--org", "local", "--state-dir", state} // the name tells TestMain what to be
	cmd.Env = append(os.Environ(), p.env+"="+address)
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("the ledger balances")) {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

// TestJudgeOfPlans spoils the dump of an org in one place after another; the judge must find just that place.
func TestJudgeOfPlans(t *testing.T) {
	t.Parallel()
	p := samplePlans[0]
	address := newDatabase(t, p.kind)
	if err := p.fill(t.Context(), openDatabase(t, p.kind, address), datagen.SQLite, 1); err != nil {
		t.Fatal(err)
	}
	j := p.judge(t, address)
	if got := j.differences(t, p.parts); got != nil {
		t.Fatalf("before anything is spoilt: %v", got)
	}
	withoutBoss := j.text(t, "SELECT Legacy_Id__c FROM want_employees WHERE ReportsToId IS NULL ORDER BY 1")
	withBoss := j.text(t, "SELECT Legacy_Id__c FROM want_employees WHERE ReportsToId <> 'E-2' ORDER BY 1")
	boss := j.text(t, "SELECT ReportsToId FROM want_employees WHERE Legacy_Id__c = ?", withBoss)
	customer := j.text(t, "SELECT Account__c FROM want_invoices WHERE Legacy_Id__c = 'I-5'")
	track := j.text(t, "SELECT Product__c FROM want_lines WHERE Legacy_Id__c = 'L-9'")
	amount := j.text(t, "SELECT Amount FROM want_sales WHERE Legacy_Id__c = 'I-5'")
	for _, tt := range []struct {
		name, spoil string
		args        []any
		want        []finding
	}{
		{"another parent", "UPDATE Contact SET ReportsToId = (SELECT Id FROM Contact WHERE Legacy_Id__c = 'E-2') WHERE Legacy_Id__c = ?", []any{withBoss},
			[]finding{{"employees", withBoss, "ReportsToId", boss, "E-2"}, {"employees", withBoss, "ReportsToId, from the parent", "", "E-2"}}},
		{"no parent", "UPDATE Contact SET ReportsToId = NULL WHERE Legacy_Id__c = ?", []any{withBoss},
			[]finding{{"employees", withBoss, "ReportsToId", boss, ""}}},
		{"a parent too many", "UPDATE Contact SET ReportsToId = (SELECT Id FROM Contact WHERE Legacy_Id__c = 'E-2') WHERE Legacy_Id__c = ?", []any{withoutBoss},
			[]finding{{"employees", withoutBoss, "ReportsToId", "", "E-2"}, {"employees", withoutBoss, "ReportsToId, from the parent", "", "E-2"}}},
		{"a parent of another kind", "UPDATE Invoice__c SET Account__c = (SELECT Id FROM Contact WHERE Legacy_Id__c = 'E-2') WHERE Legacy_Id__c = 'I-5'", nil,
			[]finding{{"invoices", "I-5", "Account__c", customer, "no such record"}}},
		{"a cent", "UPDATE Opportunity SET Amount = Amount || '1' WHERE Legacy_Id__c = 'I-5'", nil,
			[]finding{{"sales", "I-5", "Amount", amount, amount + "1"}}},
		{"a lost record", "DELETE FROM Invoice_Line__c WHERE Legacy_Id__c = 'L-9'", nil,
			[]finding{{"lines", "L-9", "records", "1", "0"}}},
		{"a record twice", "INSERT INTO Invoice_Line__c SELECT 'another', Legacy_Id__c, Product__c, Quantity__c, Price__c, Invoice__c FROM Invoice_Line__c WHERE Legacy_Id__c = 'L-9'", nil,
			[]finding{{"lines", "L-9", "records", "1", "2"}}},
		{"a stranger", "UPDATE Invoice_Line__c SET Legacy_Id__c = NULL WHERE Legacy_Id__c = 'L-9'", nil,
			[]finding{{"lines", "L-9", "records", "1", "0"}, {"Invoice_Line__c", "", "records", "0", "1"}}},
		{"a blank", "UPDATE Invoice_Line__c SET Product__c = Product__c || ' ' WHERE Legacy_Id__c = 'L-9'", nil,
			[]finding{{"lines", "L-9", "Product__c", track, track + " "}}},
	} {
		j.exec(t, "SAVEPOINT before")
		j.exec(t, tt.spoil, tt.args...)
		if diff := cmp.Diff(tt.want, j.differences(t, p.parts)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		j.exec(t, "ROLLBACK TO before")
	}
}

// newDatabase makes an empty database and gives its address.
func newDatabase(t *testing.T, kind string) string {
	t.Helper()
	if kind == "sqlite" {
		return filepath.Join(t.TempDir(), "sample.db")
	}
	server := map[string]func(testing.TB) string{"postgres": testdb.Postgres, "mysql": testdb.MariaDB}[kind](t)
	name := "sample_" + strings.ToLower(rand.Text())
	db := openDatabase(t, kind, server)
	create := "CREATE DATABASE " + name
	if kind == "mysql" {
		create += " CHARACTER SET utf8mb4"
	}
	if _, err := db.ExecContext(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := openDatabase(t, kind, server).Exec("DROP DATABASE " + name); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func openDatabase(t *testing.T, kind, address string) *sql.DB {
	t.Helper()
	driver := map[string]string{"sqlite": "sqlite", "postgres": "pgx", "mysql": "mysql"}[kind]
	if kind == "mysql" {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		address = fmt.Sprintf("%s@tcp(%s)%s", u.User, u.Host, u.Path)
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
