package plan

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"migrate/internal/localorg"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
)

// localClient talks to a new local org with the built-in objects.
func localClient(t *testing.T) *salesforce.Client {
	t.Helper()
	org, err := localorg.Open(localorg.Config{AccessToken: "t"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { org.Close() })
	client, err := salesforce.Open(t.Context(), salesforce.Config{InstanceURL: "http://localhost", Auth: salesforce.AccessToken("t"), Transport: org.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// TestTurnsOfJobs: which jobs a job comes behind, and the objects for which it takes turns with others.
func TestTurnsOfJobs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.csv"), []byte("no,name,parent\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	client := localClient(t)
	does := func(operation, name, object string, fields ...string) string {
		return "  " + name + ":\n    load: " + object + "\n    operation: " + operation + "\n    source: { csv: a.csv }\n    id: no\n    fields:\n      " + strings.Join(fields, "\n      ") + "\n"
	}
	job := func(name, object string, fields ...string) string { return does("insert", name, object, fields...) }
	p, err := read(filepath.Join(dir, "p.yaml"), "version: 1\njobs:\n"+
		job("accounts", "Account", "Name: name", "ParentId: { ref: accounts, from: parent, second_pass: true }", "OwnerId: { const: 005000000000001AAA }")+
		job("contacts", "Contact", "LastName: name", "AccountId: { ref: accounts, from: parent }")+
		job("others", "Contact", "LastName: name", "Account.Legacy_Id__c: parent")+
		job("leads", "Lead", "LastName: name", "Company: name", "OwnerId: { lookup: User.Email, from: parent }")+
		job("cases", "Case", "Subject: name", "AccountId: { lookup: Account.Legacy_Id__c, from: parent }")+
		job("tasks", "Task", "Subject: name", "Status: { const: Open }", "Priority: { const: Normal }", "WhoId: { ref: contacts, from: parent }")+
		does("update", "names", "Contact", "Id: no", "LastName: name")+
		does("delete", "chances", "Opportunity", "Id: no"), environment)
	if err != nil {
		t.Fatal(err)
	}
	type turns struct{ After, Writes, Reads string }
	got := map[string]turns{}
	for _, j := range p.Jobs {
		src, _, err := j.Source.Open(os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		compiled, _, err := j.Compile(src, func(object string) (*salesforce.SObject, error) { return client.Describe(context.Background(), object) }, noIDs{})
		if err != nil {
			t.Fatal(err)
		}
		got[j.Name] = turns{strings.Join(compiled.After, " "), strings.Join(compiled.Writes, " "), strings.Join(compiled.Reads, " ")}
	}
	want := map[string]turns{
		"accounts":             {"", "Account", "User"},
		"contacts":             {"accounts", "Account Contact", ""},
		"others":               {"", "Account Contact", ""},
		"leads":                {"", "Lead", "User"},
		"cases":                {"", "Account Case", "Account"},
		"tasks":                {"contacts", "Contact Task", ""},
		"names":                {"", "Account Contact", ""}, // the parents that its records have already
		"chances":              {"", "Account Opportunity", ""},
		"accounts_second_pass": {"accounts", "Account", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("turns (-want +got)\n%s", diff)
	}
}

// noIDs is an id map without an entry.
type noIDs struct{}

func (noIDs) Has(string) (bool, error)                         { return false, nil }
func (noIDs) Find(string, []string) (map[string]string, error) { return nil, nil }
func (noIDs) Check(pipeline.Lookup) error                      { return nil }
func (noIDs) InOrg(pipeline.Lookup, []string) (map[string][]string, error) {
	return nil, nil
}
