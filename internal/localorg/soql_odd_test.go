package localorg

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What lies at the edges of the language: escapes, wildcards, case, empty strings, and numbers that are written oddly.
func TestSOQLEdges(t *testing.T) {
	t.Parallel()
	clock := newClock()
	c := open(t, Config{Now: clock.now})
	c.insert("Account", "AnnualRevenue,Phone,Name,Legacy_Id__c",
		`0,,a\_b,1`, `-1,x,a_b,2`, `5,y,axb,3`, `7,z,Acme,4`, `,😀,ſ,5`)
	tests := []struct{ where, want string }{
		{`WHERE Name = 'a\\_b'`, "1"},     // a backslash, then any character that is not special here
		{`WHERE Name = 'a\_b'`, "2"},      // the underscore alone
		{`WHERE Name LIKE 'a\_b'`, "2"},   // plain
		{`WHERE Name LIKE 'a_b'`, "2 3"},  // any one character
		{`WHERE Name LIKE 'a\\_b'`, "1"},  // a backslash and any one character
		{`WHERE Name LIKE 'a\\\\_b'`, ""}, // two backslashes
		{`WHERE Name LIKE 'a\\\_b'`, "1"}, // a backslash and a plain underscore
		{`WHERE Name LIKE 'a%_b'`, "1 2 3"},
		{`WHERE Phone = '\ud83d\ude00'`, "5"},
		{`WHERE Phone LIKE '_'`, "2 3 4 5"},
		{`WHERE Phone = ''`, "1"},
		{`WHERE Phone IN ('', 'x')`, "1 2"},
		{`WHERE Phone != ''`, "2 3 4 5"},
		{`WHERE AnnualRevenue = -0`, "1"},
		{`WHERE AnnualRevenue = -0.0`, "1"},
		{`WHERE AnnualRevenue > -1e400`, "1 2 3 4"},
		{`WHERE Name < 'acme' AND Name > 'ac'`, ""}, // differs in case alone, so it is neither less nor greater
		{`WHERE Name > 'ACMD' AND Name <= 'acme'`, "4"},
		{`WHERE Name >= 'acme' AND Name <= 'ACME'`, "4"},
		{`WHERE Name = 's'`, ""}, // ſ folds to itself, by an index and without
		{`WHERE CreatedDate < NEXT_N_YEARS:10000`, "1 2 3 4 5"},
		{`WHERE CreatedDate > N_YEARS_AGO:10000`, "1 2 3 4 5"},
	}
	for _, test := range tests {
		if got := c.found(test.where); got != test.want {
			t.Errorf("%s: got %q, want %q", test.where, got, test.want)
		}
	}
}

// found gives the Legacy_Id__c of the accounts that a clause finds, one behind the other.
func (c *client) found(where string) string {
	c.t.Helper()
	a := c.soql("SELECT Legacy_Id__c FROM Account " + where)
	var page struct{ Records []map[string]any }
	if err := json.Unmarshal([]byte(a.body), &page); err != nil || a.status != 200 {
		return a.body
	}
	var got []string
	for _, r := range page.Records {
		got = append(got, r["Legacy_Id__c"].(string))
	}
	return strings.Join(got, " ")
}

func TestSOQLRefusals(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	long := strings.Repeat("Parent.", 6) + "Name"
	tests := []struct{ query, code, message string }{
		{"SELECT Id FROM Account WHERE Name '=' 'x'", "MALFORMED_QUERY", "unexpected token: '='"},
		{"SELECT Id FROM Account WHERE Name 'IN' ('x')", "MALFORMED_QUERY", "unexpected token: 'IN'"},
		{`SELECT Id FROM Account WHERE Name = '\u+12f'`, "MALFORMED_QUERY", "invalid unicode escape"},
		{`SELECT Id FROM Account WHERE Name = '\u12 x'`, "MALFORMED_QUERY", "invalid unicode escape"},
		{`SELECT Id FROM Account WHERE Name = '\é'`, "MALFORMED_QUERY", `invalid string escape '\é'`},
		{"SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"},
		{"SELECT Id FROM Account LIMIT +5", "MALFORMED_QUERY", "unexpected token: '+5'"},
		{"SELECT Id FROM Account ORDER BY BillingAddress", "INVALID_FIELD", "field 'BillingAddress' can not be sorted in a query call"},
		{"SELECT Id FROM Account ORDER BY Description", "INVALID_FIELD", "field 'Description' can not be sorted in a query call"},
		{"SELECT Id FROM Account WHERE Description LIKE 'a%'", "INVALID_FIELD", "field 'Description' can not be filtered in a query call"},
		{"SELECT Id FROM Account WHERE CreatedDate = LAST_WEEKS_AGO:3", "INVALID_FIELD", "value of filter criterion"},
		{"SELECT Id FROM Account WHERE CreatedDate = N_N_DAYS_AGO:3", "INVALID_FIELD", "value of filter criterion"},
		{"SELECT Id FROM Account WHERE CreatedDate = THIS_FISCAL_WEEK", "INVALID_FIELD", "value of filter criterion"},
		{"SELECT " + long + " FROM Account", "INVALID_FIELD", "the path " + long + " has more than 5 levels"},
		{"SELECT SUM(Name) FROM Account", "INVALID_FIELD", "field Name does not support aggregate operator SUM"},
		{"SELECT MAX(Active__c) FROM Account", "INVALID_FIELD", "field Active__c does not support aggregate operator MAX"},
		{"SELECT Id FROM Account ALL ROWS", "MALFORMED_QUERY", "ALL ROWS not allowed in this context"},
	}
	for _, test := range tests {
		a := c.soql(test.query)
		code, message := errorOf(t, a)
		if a.status != 400 || code != test.code || !strings.HasPrefix(message, test.message) {
			t.Errorf("%s: got %d %s %q, want %s %q", test.query, a.status, code, message, test.code, test.message)
		}
	}
	if a := c.soql("SELECT FIELDS(ALL) FROM Account WHERE Id IN ('" + makeID("001", 7).String() + "')"); a.status != 200 {
		t.Errorf("FIELDS(ALL) for some ids: %d %s", a.status, a.body)
	}
}

// A pattern of many wildcards takes no more time than the text is long.
func TestLikeIsFast(t *testing.T) {
	t.Parallel()
	began := time.Now()
	if newPattern(strings.Repeat("%a", 200)).fits([]byte(strings.Repeat("a", 150) + strings.Repeat("b", 20_000))) {
		t.Error("it fits although there are too few letters")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A lookup to several types shows what its path names in each of them that has it.
func TestPathsThroughSeveralTypes(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	acc := c.insert("Account", "Phone,Name", "1,Acme")[0]
	opp := c.insert("Opportunity", "Name,StageName,CloseDate", "Deal,Prospecting,2026-01-01")[0]
	cas := c.insert("Case", "Subject", "Trouble")[0]
	c.insert("Task", "WhatId,Subject", acc+",a", opp+",b", cas+",c", ",d")
	var page struct {
		Records []struct {
			What *struct {
				Attributes  struct{ Type string }
				Name, Phone *string
				Owner       *struct{ Alias string }
			}
		}
	}
	a := c.soql("SELECT What.Name, What.Phone, What.Owner.Alias FROM Task ORDER BY Subject")
	if err := json.Unmarshal([]byte(a.body), &page); err != nil || a.status != 200 || len(page.Records) != 4 {
		t.Fatalf("%d %s %v", a.status, a.body, err)
	}
	w := page.Records
	if w[0].What.Attributes.Type != "Account" || *w[0].What.Name != "Acme" || *w[0].What.Phone != "1" || w[0].What.Owner.Alias != "admin" {
		t.Errorf("account: %s", a.body)
	}
	if w[1].What.Attributes.Type != "Opportunity" || *w[1].What.Name != "Deal" || w[1].What.Phone != nil {
		t.Errorf("opportunity: %s", a.body)
	}
	if w[2].What.Attributes.Type != "Case" || w[2].What.Name != nil || w[3].What != nil {
		t.Errorf("case and none: %s", a.body)
	}
	id := c.runQuery(spec{"operation": "query", "query": "SELECT Subject, What.Name FROM Task WHERE What.Name != null ORDER BY What.Name DESC"})
	rows, _ := c.pages(id, 10)
	if diff := cmp.Diff([][]string{{"b", "Deal"}, {"a", "Acme"}}, rows); diff != "" {
		t.Errorf("job (-want +got)\n%s", diff)
	}
}
