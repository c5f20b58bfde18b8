package plan

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"migrate/pkg/salesforce"
	"migrate/pkg/sources"
)

// TestGrouping: by which lookup rows are grouped, and what cannot be.
func TestGrouping(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.csv"), []byte("no,name,parent,other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	client := localClient(t)
	for _, test := range []struct {
		name, object, keys, fields string
		want                       Grouping
		finding                    string
	}{
		{"no lookup", "Account", "", "Name: name", Grouping{}, ""},
		{"the first lookup", "Account", "", "Name: name, Parent.Legacy_Id__c: other", Grouping{Field: "Parent.Legacy_Id__c", Columns: []string{"other"}}, ""},
		{"a parent with whom children go before others", "Contact", "", "LastName: name, ReportsTo.Legacy_Id__c: other, Account.Legacy_Id__c: parent", Grouping{Field: "Account.Legacy_Id__c", Columns: []string{"parent"}}, ""},
		{"not by the owner", "Contact", "", "LastName: name, OwnerId: other, AccountId: parent", Grouping{Field: "AccountId", Columns: []string{"parent"}}, ""},
		{"master-detail", "Invoice_Line__c", "", "Product__c: name, Quantity__c: no, Invoice__c: parent", Grouping{Field: "Invoice__c", Columns: []string{"parent"}}, ""},
		{"several columns", "Contact", "", "LastName: name, AccountId: { from: [parent, other] }", Grouping{Field: "AccountId", Columns: []string{"parent", "other"}}, ""},
		{"off", "Contact", "group_by_parent: off", "LastName: name, AccountId: parent", Grouping{}, ""},
		{"one that is named", "Contact", "group_by_parent: accountid", "LastName: name, ReportsToId: other, AccountId: parent", Grouping{Field: "AccountId", Columns: []string{"parent"}, Asked: true}, ""},
		{"not with unique", "Contact", "unique: no", "LastName: name, AccountId: parent", Grouping{}, ""},
		{"named with unique", "Contact", "unique: no, group_by_parent: AccountId", "LastName: name, AccountId: parent", Grouping{}, "group_by_parent and unique exclude one another"},
		{"no lookup of that name", "Contact", "group_by_parent: LastName", "LastName: name, AccountId: parent", Grouping{}, "group_by_parent: LastName is no lookup that the job sets; name one, or write auto or off"},
		{"from no column", "Contact", "group_by_parent: AccountId", `LastName: name, AccountId: { const: 001000000000001AAA }`, Grouping{}, "group_by_parent: AccountId comes from no source column"},
	} {
		keys := ""
		for k := range strings.SplitSeq(test.keys, ", ") {
			keys += "    " + k + "\n"
		}
		p, err := read(filepath.Join(dir, "p.yaml"), fmt.Sprintf("version: 1\njobs:\n  j:\n    load: %s\n    operation: insert\n    source: { csv: a.csv }\n%s    fields: { %s }\n", test.object, keys, test.fields), environment)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		src, _, err := p.Jobs[0].Source.Open(environment)
		if err != nil {
			t.Fatal(err)
		}
		_, d, err := p.Jobs[0].Compile(src, func(object string) (*salesforce.SObject, error) { return client.Describe(t.Context(), object) }, noIDs{})
		var found *Error
		if errors.As(err, &found) != (test.finding != "") || test.finding != "" && !strings.Contains(err.Error(), test.finding) {
			t.Errorf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff(test.want, d.Group); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.name, diff)
		}
	}
}

// TestGroupingWorth: auto groups where rows do not fit into one batch and parents come back.
func TestGroupingWorth(t *testing.T) {
	t.Parallel()
	file := func(rows, parents int) string {
		var s strings.Builder
		s.WriteString("no,parent\n")
		for i := range rows {
			fmt.Fprintf(&s, "%d,p%d\n", i, i%parents)
		}
		path := filepath.Join(t.TempDir(), "a.csv")
		if err := os.WriteFile(path, []byte(s.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct {
		name        string
		files       []string
		asked       bool
		least, most int64
		worth       bool
	}{
		{"few", []string{file(9_000, 10)}, false, 9_000, 9_000, false},
		{"few, but asked for", []string{file(10, 10)}, true, 10, 10, true},
		{"more than a batch", []string{file(12_000, 10)}, false, 12_000, 12_000, true},
		{"in several files", []string{file(6_000, 10), file(6_000, 10)}, false, 12_000, 12_000, true},
		{"each parent once", []string{file(12_000, 12_000)}, false, 12_000, 12_000, false},
		{"many", []string{file(100_000, 50), file(50_000, 50)}, false, 130_000, 180_000, true},
	} {
		src, err := sources.OpenCSV(test.files, sources.CSVOptions{})
		if err != nil {
			t.Fatal(err)
		}
		rows, worth, err := Grouping{Field: "AccountId", Columns: []string{"parent"}, Asked: test.asked}.Worth(t.Context(), src)
		if err != nil || rows < test.least || rows > test.most || worth != test.worth {
			t.Errorf("%s: %d rows, worth %v, %v", test.name, rows, worth, err)
		}
	}
}
