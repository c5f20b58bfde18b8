package localorg

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// runQuery runs a query job to its end and gives its id.
func (c *client) runQuery(s spec) string {
	c.t.Helper()
	var j jobAnswer
	c.json("POST", "jobs/query", s, 200, &j)
	c.waitEnd(j.ID)
	return j.ID
}

// pages reads a result page by page and gives its rows without the header, and how many pages there were.
func (c *client) pages(id string, most int) (rows [][]string, n int) {
	c.t.Helper()
	for locator := ""; locator != "null"; n++ {
		path := fmt.Sprintf("jobs/query/%s/results?maxRecords=%d", id, most)
		if locator != "" {
			path += "&locator=" + locator
		}
		a := c.get(path)
		if a.status != 200 {
			c.t.Fatalf("results: %d %s", a.status, a.body)
		}
		page, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
		if err != nil || itoa(len(page)-1) != a.header.Get("Sforce-NumberOfRecords") {
			c.t.Fatalf("page of %d rows, header says %s, %v", len(page)-1, a.header.Get("Sforce-NumberOfRecords"), err)
		}
		rows = append(rows, page[1:]...)
		locator = a.header.Get("Sforce-Locator")
	}
	return rows, n
}

// TestQueryJobPages: however a result is cut into pages, their rows are those of the whole, and pages that are asked for again are the same.
func TestQueryJobPages(t *testing.T) {
	t.Parallel()
	c := open(t, Config{ResultFile: 60_000, ResultPage: 700})
	var lines []string
	for i := range 2600 {
		lines = append(lines, fmt.Sprintf(`"says ""%d""`+"\n"+`and more",%d,K-%05d`, i, i*i, i))
	}
	c.insert("Account", "Name,AnnualRevenue,Legacy_Id__c", lines...)
	id := c.runQuery(spec{"operation": "query", "query": "SELECT Name, AnnualRevenue, Legacy_Id__c FROM Account"})
	whole, pages := c.pages(id, 5000)
	if len(whole) != 2600 || pages < 2 { // a page also ends by size
		t.Fatalf("%d rows in %d pages", len(whole), pages)
	}
	for i, r := range whole {
		if want := []string{fmt.Sprintf("says \"%d\"\nand more", i), string(appendJavaDouble(nil, float64(i*i))), fmt.Sprintf("K-%05d", i)}; cmp.Diff(want, r) != "" {
			t.Fatalf("row %d is %q", i, r)
		}
	}
	// what happens to the records changes nothing of the result
	c.load(spec{"object": "Account", "operation": "upsert", "externalIdFieldName": "Legacy_Id__c"}, "Name,Legacy_Id__c\nchanged,K-00000\n")
	rapid.Check(t, func(rt *rapid.T) {
		got, _ := c.pages(id, rapid.IntRange(1, 3000).Filter(func(n int) bool { return n > 150 || n == 97 }).Draw(rt, "rows of a page"))
		if !slices.EqualFunc(whole, got, slices.Equal) {
			rt.Fatalf("rows (-want +got)\n%s", cmp.Diff(whole, got))
		}
	})
	var side [][]string
	for next := "jobs/query/" + id + "/resultPages"; next != ""; {
		var list struct {
			ResultPages []struct{ ResultURL string }
			Next        string `json:"nextRecordsUrl"`
			Done        bool
		}
		c.json("GET", next, nil, 200, &list)
		for _, p := range list.ResultPages {
			page, err := csv.NewReader(strings.NewReader(c.get(p.ResultURL).body)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			side = append(side, page[1:]...)
		}
		if next = list.Next; list.Done != (next == "") {
			t.Fatalf("pages %+v", list)
		}
	}
	if diff := cmp.Diff(whole, side); diff != "" {
		t.Errorf("pages side by side (-want +got)\n%s", diff)
	}
}

func TestQueryJobValues(t *testing.T) {
	t.Parallel()
	clk := newClock()
	c := open(t, Config{Now: clk.now})
	c.insert("Account", "Name,AnnualRevenue,NumberOfEmployees,Active__c,Legacy_Id__c", "Acme,16147805824397,7,true,A-1", "Beta,,,,A-2")
	c.insert("Contact", "Account.Legacy_Id__c,Birthdate,LastName", "A-1,1980-01-31,Ng", ",,Orphan")
	gone := c.values("Account", "Id")[1][0]
	c.load(spec{"object": "Account", "operation": "delete"}, "Id\n"+gone+"\n")
	tests := []struct {
		version, operation, query, want string
	}{
		{"66.0", "query", "SELECT name, annualrevenue, NumberOfEmployees, Active__c, CreatedDate FROM account",
			`"Name","AnnualRevenue","NumberOfEmployees","Active__c","CreatedDate"` + "\n" + `"Acme","1.6147805824397E13","7","true","2026-01-02T03:04:05.000Z"` + "\n"},
		{"49.0", "queryAll", "SELECT Name, AnnualRevenue, IsDeleted FROM Account", `"AnnualRevenue","IsDeleted","Name"` + "\n" + `"1.6147805824397E13","false","Acme"` + "\n" + `"","true","Beta"` + "\n"},
		{"66.0", "query", "SELECT LastName, Birthdate, account.name, Account.Owner.Alias FROM Contact WHERE CreatedDate = TODAY", `"LastName","Birthdate","Account.Name","Account.Owner.Alias"` + "\n" +
			`"Ng","1980-01-31","Acme","admin"` + "\n" + `"Orphan","","",""` + "\n"},
		{"66.0", "query", "SELECT LastName FROM Contact WHERE AccountId IN (SELECT Id FROM Account WHERE Name = 'Acme')", `"LastName"` + "\n" + `"Ng"` + "\n"},
		{"66.0", "query", "SELECT Name FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact)", `"Name"` + "\n"},
		{"66.0", "queryAll", "SELECT Name FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact)", `"Name"` + "\n" + `"Beta"` + "\n"},
		{"66.0", "query", "SELECT LastName FROM Contact ORDER BY LastName DESC LIMIT 1", `"LastName"` + "\n" + `"Orphan"` + "\n"},
		{"66.0", "query", "SELECT LastName FROM Contact LIMIT 1", `"LastName"` + "\n" + `"Ng"` + "\n"},
	}
	for _, test := range tests {
		c.version = test.version
		a := c.get("jobs/query/" + c.runQuery(spec{"operation": test.operation, "query": test.query}) + "/results")
		if diff := cmp.Diff(test.want, a.body); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.query, diff)
		}
	}
	c.version = "66.0"
	id := c.runQuery(spec{"operation": "query", "query": "SELECT Id FROM Account"})
	clk.add(7*24*time.Hour - time.Second)
	if a := c.get("jobs/query/" + id + "/results"); a.status != 200 {
		t.Errorf("results within seven days: %d", a.status)
	}
	clk.add(time.Second)
	if a := c.get("jobs/query/" + id + "/results"); a.status != 404 {
		t.Errorf("results after seven days: %d", a.status)
	}
	if a := c.get("jobs/query"); a.body != `{"done":true,"nextRecordsUrl":null,"records":[]}` {
		t.Errorf("list after seven days: %s", a.body)
	}
}

// TestQueryJobRefusals: what query jobs do not take, and that the synchronous query takes some of it.
func TestQueryJobRefusals(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	tests := []struct {
		query, code, message string
		rest                 int // status of the same over REST
	}{
		{"SELECT Name FROM Account GROUP BY Name", "API_ERROR", "GROUP BY is not supported in Bulk Query", 400},
		{"SELECT Name FROM Account LIMIT 5 OFFSET 5", "API_ERROR", "OFFSET is not supported in Bulk Query", 200},
		{"SELECT TYPEOF What WHEN Account THEN Phone END FROM Task", "API_ERROR", "TYPEOF is not supported in Bulk Query", 400},
		{"SELECT COUNT() FROM Account", "API_ERROR", "Aggregate functions are not supported in Bulk Query", 200},
		{"SELECT MAX(CreatedDate) FROM Account", "API_ERROR", "Aggregate functions are not supported in Bulk Query", 200},
		{"SELECT Id, (SELECT LastName FROM Contacts) FROM Account", "API_ERROR", "Aggregate Relationships not supported in Bulk V2 Query with CSV content type", 200},
		{"SELECT BillingAddress FROM Account", "API_ERROR", "Selecting compound data not supported in Bulk Query", 200},
		{"SELECT FIELDS(ALL) FROM Account LIMIT 200", "API_ERROR", "FIELDS(ALL) is not supported in Bulk Query", 200},
		{"SELECT FIELDS(CUSTOM) FROM Account LIMIT 200", "API_ERROR", "FIELDS(CUSTOM) is not supported in Bulk Query", 200},
		{"SELECT Id FROM CaseStatus", "INVALIDENTITY", "Entity 'CaseStatus' is not supported by the Bulk API.", 400},
		{"SELECT Id FROM Nothing__c", "INVALID_TYPE", "sObject type 'Nothing__c' is not supported.", 400},
		{"SELECT Nothing__c FROM Account", "INVALID_FIELD", "No such column 'Nothing__c' on entity 'Account'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.", 400},
		{"SELECT Id FROM Account WHERE", "MALFORMED_QUERY", "unexpected token: '' at position 29", 400},
		{"SELECT Id, id FROM Account", "INVALID_FIELD", "duplicate field selected: id", 400},
	}
	for _, test := range tests {
		body, _ := json.Marshal(spec{"operation": "query", "query": test.query})
		c.do("POST", "jobs/query", "application/json", string(body)).want(t, test.query, 400, test.code, test.message)
		if a := c.soql(test.query); a.status != test.rest {
			t.Errorf("%s over REST: %d %s, want %d", test.query, a.status, a.body, test.rest)
		}
	}
	if a := c.get("jobs/query/" + c.runQuery(spec{"operation": "query", "query": "SELECT FIELDS(STANDARD) FROM Account"}) + "/results"); !strings.HasPrefix(a.body, `"Id",`) || strings.Contains(a.body, "__c") {
		t.Errorf("FIELDS(STANDARD): %s", a.body)
	}
}

// TestQueryJobSurvivesRestart: a finished job keeps its result, one that was under way runs again, deleted ones are gone.
func TestQueryJobSurvivesRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func(delay time.Duration) (*client, func()) {
		o, err := Open(Config{Dir: dir, AccessToken: testToken, StartDelay: delay})
		if err != nil {
			t.Fatal(err)
		}
		return &client{t: t, org: o, rt: o.Transport(), token: testToken, version: "66.0"}, func() {
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	c, end := open(0)
	var lines []string
	for i := range 2345 {
		lines = append(lines, fmt.Sprintf("Company %d,K-%05d", i, i))
	}
	c.insert("Account", "Name,Legacy_Id__c", lines...)
	done := c.runQuery(spec{"operation": "query", "query": "SELECT Name, Legacy_Id__c FROM Account"})
	deleted := c.runQuery(spec{"operation": "query", "query": "SELECT Id FROM Account"})
	c.do("DELETE", "jobs/query/"+deleted, "", "")
	want, _ := c.pages(done, 10_000)
	end()
	c, end = open(time.Hour)
	var waits jobAnswer
	c.json("POST", "jobs/query", spec{"operation": "query", "query": "SELECT Name, Legacy_Id__c FROM Account"}, 200, &waits)
	end()
	c, end = open(0)
	defer end()
	c.waitEnd(waits.ID)
	for _, id := range []string{done, waits.ID} {
		got, _ := c.pages(id, 999)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("job %s (-want +got)\n%s", id, diff)
		}
	}
	if a := c.get("jobs/query/" + deleted); a.status != 404 {
		t.Errorf("deleted job: %d", a.status)
	}
	if j := c.create(spec{"object": "Account", "operation": "insert"}); j.ID == done || j.ID == waits.ID || j.ID == deleted {
		t.Errorf("the id %s is used twice", j.ID)
	}
}

// TestQueryJobDuringLoad runs query jobs while records come in: each result is sound, and the race detector watches.
func TestQueryJobDuringLoad(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	var body strings.Builder
	body.WriteString("Name,Legacy_Id__c\n")
	for i := range 20_000 {
		fmt.Fprintf(&body, "Company %d,K-%05d\n", i, i)
	}
	j := c.create(spec{"object": "Account", "operation": "insert"})
	c.upload(j.ID, body.String())
	c.patch(j.ID, "UploadComplete")
	for range 5 {
		id := c.runQuery(spec{"operation": "query", "query": "SELECT Name, Legacy_Id__c FROM Account"})
		rows, _ := c.pages(id, 100_000)
		for _, r := range rows {
			if strings.TrimLeft(strings.TrimPrefix(r[0], "Company "), "0") != strings.TrimLeft(strings.TrimPrefix(r[1], "K-"), "0") {
				t.Fatalf("row %q", r)
			}
		}
	}
	c.wait(j.ID)
	if rows, _ := c.pages(c.runQuery(spec{"operation": "query", "query": "SELECT Id FROM Account"}), 100_000); len(rows) != 20_000 {
		t.Errorf("%d rows in the end", len(rows))
	}
}

func TestPlaceOfIsInsideTheFile(t *testing.T) {
	t.Parallel()
	r := resultFile{rows: 3, size: 12, places: []int64{0}}
	if _, err := placeOf(strings.NewReader("\"a\"\n"), &r, 2); err == nil {
		t.Error("a row that is not there has a place")
	}
}
