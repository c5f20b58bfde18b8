package plan_test

import (
	"strings"
	"testing"

	"migrate/pkg/plan"
	"migrate/pkg/salesforce"
)

var extracted = &salesforce.SObject{Name: "Account", Queryable: true, Fields: []salesforce.Field{{Name: "Id", Type: "id"}, {Name: "Name", Type: "string"}, {Name: "IsDeleted", Type: "boolean"},
	{Name: "CreatedDate", Type: "datetime"}, {Name: "SystemModstamp", Type: "datetime"}}}

// TestExtractQuery: what is made of a query is the query, and what cannot be one is refused.
func TestExtractQuery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		query, where    string
		soql, by, wrong string
	}{
		{query: "SELECT id,name FROM account", soql: "SELECT Id, Name FROM Account", by: "CreatedDate"},
		{query: "select Id\nfrom Account\twhere Name='a FROM b WHERE c LIMIT 3'limit 5", soql: "SELECT Id FROM Account WHERE (Name='a FROM b WHERE c LIMIT 3') limit 5"},
		{query: `SELECT Id FROM Account WHERE Name = 'it\'s ORDER BY' OR Name = '\\' ORDER BY Name`, soql: `SELECT Id FROM Account WHERE (Name = 'it\'s ORDER BY' OR Name = '\\') ORDER BY Name`},
		{query: "SELECT Id FROM Account WHERE Name = 'x' OR Name = 'ÿ'", where: "Name != 'y' OR Name = null", by: "CreatedDate",
			soql: "SELECT Id FROM Account WHERE (Name = 'x' OR Name = 'ÿ') AND (Name != 'y' OR Name = null)"},
		{query: "SELECT Id FROM Account WHERE(Name = 'x')ORDER BY Name", soql: "SELECT Id FROM Account WHERE ((Name = 'x')) ORDER BY Name"},
		{query: "SELECT Id FROM Account where NOT(Name LIKE 'x%')", soql: "SELECT Id FROM Account WHERE (NOT(Name LIKE 'x%'))", by: "CreatedDate"},
		{query: "SELECT Id FROM Account WHERE Name = 'x' WITH SECURITY_ENFORCED", soql: "SELECT Id FROM Account WHERE (Name = 'x') WITH SECURITY_ENFORCED", by: "CreatedDate"},
		{query: "SELECT Id FROM Account USING SCOPE mine", soql: "SELECT Id FROM Account USING SCOPE mine"},
		{query: "SELECT Id FROM Account USING SCOPE mine", where: "Name = 'x'", wrong: "USING SCOPE"},
		{query: "SELECT Id FROM Account USING SCOPE mine WHERE Name = 'x'", soql: "SELECT Id FROM Account USING SCOPE mine WHERE Name = 'x'"},
		{query: "SELECT Id FROM Account WHERE", wrong: "WHERE"},
		{query: "SELECT Id FROM Account WHERE LIMIT 5", wrong: "WHERE"},
		{query: "SELECT Id FROM Account WHERE   ", wrong: "WHERE"},
		{query: "SELECT Id, id FROM Account", wrong: "Id is there twice"},
		{query: "SELECT Id, COUNT(Name) FROM Account", wrong: "no functions"},
		{query: "SELECT Id FROM Account a", wrong: "no alias"},
		{query: "SELECT Id FROM Account, Contact", wrong: "behind FROM"},
		{query: "SELECT Id", wrong: "no FROM"},
		{query: "SELECT Id, FROM Account", wrong: "empty item"},
	}
	for _, tt := range tests {
		t.Run(tt.query+" "+tt.where, func(t *testing.T) {
			x, err := plan.Export{Name: "x", Query: tt.query, Where: tt.where, To: plan.Target{Path: "x.csv"}}.Compile(func(string) (*salesforce.SObject, error) { return extracted, nil })
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wrong) {
					t.Fatalf("%v\n%s", err, x.Query.SOQL())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if x.Query.SOQL() != tt.soql || x.Query.By != tt.by {
				t.Errorf("%s\n%s\nby %q", x.Query.SOQL(), tt.soql, x.Query.By)
			}
		})
	}
}

// TestWatermarkTarget: what a watermark does to its target is said before it is done.
func TestWatermarkTarget(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		to          plan.Target
		note, wrong string
	}{
		{to: plan.Target{Path: "lake/{run_time}/", Format: "csv"}},
		{to: plan.Target{Path: "sqlite:dwh.db"}},
		{to: plan.Target{Path: "sqlite:dwh.db", Merge: true}, wrong: "take merge out"},
		{to: plan.Target{Path: "lake/", Format: "csv", Overwrite: true}, note: "overwrite"},
		{to: plan.Target{Path: "lake/{run_date}/", Format: "csv", Overwrite: true}, note: "overwrite"},
		{to: plan.Target{Path: "lake/{run_time}/", Format: "csv", Overwrite: true}},
		{to: plan.Target{Path: "lake/{run}.csv", Overwrite: true}},
	} {
		x, err := plan.Export{Name: "x", Query: "Account", To: tt.to, Watermark: &plan.Watermark{}}.Compile(func(string) (*salesforce.SObject, error) { return extracted, nil })
		switch {
		case tt.wrong != "":
			if err == nil || !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("%v: %v", tt.to, err)
			}
		case err != nil:
			t.Errorf("%v: %v", tt.to, err)
		default:
			if notes := strings.Join(x.Notes, "\n"); strings.Contains(notes, "overwrite") != (tt.note != "") {
				t.Errorf("%v: %s", tt.to, notes)
			}
		}
	}
}
