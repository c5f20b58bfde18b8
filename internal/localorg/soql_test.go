package localorg

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestSOQL(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	ids := c.insert("Account", "Name,AnnualRevenue,Active__c,Phone,CreatedDate,Industry,Legacy_Id__c",
		"Acme,100,true,1,2020-01-01T00:00:00Z,Retail,A-1", "beta,20,false,,2021-01-01T00:00:00Z,Media,A-2", "O'Neil,3,1,3,2022-01-01T00:00:00Z,,A-3", "Zürich,,0,4,2023-01-01T00:00:00Z,Retail,A-4")
	c.insert("Contact", "Account.Legacy_Id__c,Birthdate,LastName", "A-1,1980-01-01,a", "A-2,1990-01-01,b", ",,c")
	tests := []struct{ where, want string }{
		{"", "A-1 A-2 A-3 A-4"},
		{"WHERE Name = 'acme'", "A-1"},
		{"where name = 'O\\'Neil'", "A-3"},
		{"WHERE Name != 'Acme'", "A-2 A-3 A-4"},
		{"WHERE Phone = null", "A-2"},
		{"WHERE Phone != null AND Active__c = true", "A-1 A-3"},
		{"WHERE Phone != '1'", "A-2 A-3 A-4"},
		{"WHERE AnnualRevenue > 3", "A-1 A-2"},
		{"WHERE AnnualRevenue >= 3.0 AND AnnualRevenue <= 2e1", "A-2 A-3"},
		{"WHERE AnnualRevenue = 100.0", "A-1"},
		{"WHERE Legacy_Id__c IN ('a-1','A-4','nope')", "A-1 A-4"},
		{"WHERE Legacy_Id__c = 'a-3' AND Active__c = false", ""},
		{"WHERE Legacy_Id__c NOT IN ('A-1','A-4')", "A-2 A-3"},
		{"WHERE Legacy_Id__c = 'none'", ""},
		{"WHERE Id = '" + ids[1] + "'", "A-2"},
		{"WHERE Id IN ('" + ids[2][:15] + "','" + ids[0] + "')", "A-1 A-3"},
		{"WHERE NOT Name = 'Acme'", "A-2 A-3 A-4"},
		{"WHERE (Name = 'Acme' OR Name = 'beta') AND Active__c = false", "A-2"},
		{"WHERE Name = 'Acme' OR (Name = 'beta' AND Active__c = true)", "A-1"},
		{"WHERE CreatedDate > 2021-06-01T00:00:00Z", "A-3 A-4"},
		{"WHERE CreatedDate = 2021-01-01T01:00:00+01:00", "A-2"},
		{"WHERE Name LIKE '%E%'", "A-1 A-2 A-3"},
		{"WHERE Name LIKE 'z_rich'", "A-4"},
		{"WHERE Name LIKE 'a\\_me'", ""},
		{"ORDER BY Name DESC", "A-4 A-3 A-2 A-1"},
		{"ORDER BY AnnualRevenue", "A-4 A-3 A-2 A-1"},
		{"ORDER BY AnnualRevenue ASC NULLS LAST", "A-3 A-2 A-1 A-4"},
		{"ORDER BY AnnualRevenue DESC NULLS LAST LIMIT 2", "A-1 A-2"},
		{"ORDER BY Industry, Name DESC", "A-3 A-2 A-4 A-1"},
		{"LIMIT 2", "A-1 A-2"},
		{"LIMIT 2 OFFSET 3", "A-4"},
		{"LIMIT 0", ""},
		{"WHERE Owner.Username = 'ADMIN@local.example.com' LIMIT 1", "A-1"},
	}
	for _, test := range tests {
		a := c.soql("SELECT Legacy_Id__c FROM Account " + test.where)
		var page struct {
			TotalSize int
			Done      bool
			Records   []map[string]any
		}
		if err := json.Unmarshal([]byte(a.body), &page); err != nil || a.status != 200 {
			t.Errorf("%s: %d %s", test.where, a.status, a.body)
			continue
		}
		var got []string
		for _, r := range page.Records {
			got = append(got, r["Legacy_Id__c"].(string))
		}
		if s := strings.Join(got, " "); s != test.want || page.TotalSize != len(got) || !page.Done {
			t.Errorf("%s: got %q, want %q", test.where, s, test.want)
		}
		count := c.soql("SELECT COUNT() FROM Account " + test.where)
		if want := fmt.Sprintf(`{"done":true,"records":[],"totalSize":%d}`, len(got)); count.body != want {
			t.Errorf("count %s: got %s, want %s", test.where, count.body, want)
		}
	}
	a := c.soql("SELECT Id, LastName, Birthdate, Account.Name, account.AnnualRevenue, Account.Owner.Name, Account.Active__c FROM Contact WHERE Account.Active__c = true OR AccountId = null")
	contact := func(i int) string { return c.values("Contact", "Id")[i][0] }
	attributes := func(object, id string) string {
		return `"attributes":{"type":"` + object + `","url":"/services/data/v66.0/sobjects/` + object + `/` + id + `"}`
	}
	want := `{"totalSize":2,"done":true,"records":[{` + attributes("Contact", contact(0)) + `,"Id":"` + contact(0) + `","LastName":"a","Birthdate":"1980-01-01",` +
		`"Account":{` + attributes("Account", ids[0]) + `,"Name":"Acme","AnnualRevenue":100,"Owner":{` + attributes("User", string(c.org.user)) + `,"Name":"Ada Admin"},"Active__c":true}},` +
		`{` + attributes("Contact", contact(2)) + `,"Id":"` + contact(2) + `","LastName":"c","Birthdate":null,"Account":null}]}`
	if diff := cmp.Diff(want, a.body); diff != "" {
		t.Errorf("paths (-want +got)\n%s", diff)
	}
	c.insert("Account", "BillingCity,CreatedDate,Name", "Ulm,2001-02-03T04:05:06Z,Address")
	a = c.soql("SELECT BillingAddress, CreatedDate, Name FROM Account WHERE BillingCity = 'Ulm'")
	if want := `"BillingAddress":{"city":"Ulm","country":null,"postalCode":null,"state":null,"street":null},"CreatedDate":"2001-02-03T04:05:06.000+0000","Name":"Address"`; !strings.Contains(a.body, want) {
		t.Errorf("got %s, want %s in it", a.body, want)
	}
}

func TestQueryPages(t *testing.T) {
	t.Parallel()
	c := open(t, Config{QueryPage: 3})
	c.insert("Account", "Name", "a", "b", "c", "d", "e", "f", "g")
	gone := c.values("Account", "Id")[6][0]
	c.load(spec{"object": "Account", "operation": "delete"}, "Id\n"+gone+"\n")
	var names []string
	pages := 0
	for path := "queryAll?q=" + url.QueryEscape("SELECT Name, IsDeleted FROM Account"); path != ""; pages++ {
		var page struct {
			TotalSize int
			Done      bool
			Records   []struct{ Name string }
			Next      string `json:"nextRecordsUrl"`
		}
		c.json("GET", path, nil, 200, &page)
		for _, r := range page.Records {
			names = append(names, r.Name)
		}
		if page.TotalSize != 7 || page.Done != (page.Next == "") || page.Next != "" && !strings.HasPrefix(page.Next, "/services/data/v66.0/query/01g") {
			t.Errorf("page %+v", page)
		}
		path = page.Next
	}
	if got := strings.Join(names, ""); got != "abcdefg" || pages != 3 {
		t.Errorf("%q in %d pages", got, pages)
	}
	if a := c.soql("SELECT COUNT() FROM Account"); !strings.Contains(a.body, `"totalSize":6`) {
		t.Errorf("query without the recycle bin: %s", a.body)
	}
	c.get("query/01g5g0000000ABCAA2-2000").want(t, "unknown cursor", 404, "INVALID_QUERY_LOCATOR", "invalid query locator")
	c.get("query/nonsense").want(t, "no cursor", 404, "INVALID_QUERY_LOCATOR", "invalid query locator")
}

func TestSOQLErrors(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	tests := []struct{ query, code, message string }{
		{"", "MALFORMED_QUERY", "A query string has to be specified"},
		{"SELECT", "MALFORMED_QUERY", "unexpected token: '' at position 7"},
		{"SELECT Id", "MALFORMED_QUERY", "unexpected end of query at position 10"},
		{"DELETE FROM Account", "MALFORMED_QUERY", "unexpected token: 'DELETE' at position 1"},
		{"SELECT Id FROM Foo", "INVALID_TYPE", "sObject type 'Foo' is not supported."},
		{"SELECT Id, Foo__c FROM Account", "INVALID_FIELD", "No such column 'Foo__c' on entity 'Account'."},
		{"SELECT Foo.Name FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Foo' in field path."},
		{"SELECT Id FROM Account WHERE", "MALFORMED_QUERY", "unexpected token: '' at position 29"},
		{"SELECT Id FROM Account WHERE Name", "MALFORMED_QUERY", "unexpected token: ''"},
		{"SELECT Id FROM Account WHERE Name = Acme", "INVALID_FIELD", "value of filter criterion for field 'Name' must be of type string"},
		{"SELECT Id FROM Account WHERE AnnualRevenue = '1'", "INVALID_FIELD", "value of filter criterion for field 'AnnualRevenue' must be of type double and should not be enclosed in quotes"},
		{"SELECT Id FROM Account WHERE CreatedDate > '2020-01-01T00:00:00Z'", "INVALID_FIELD", "value of filter criterion for field 'CreatedDate' must be of type dateTime and should not be enclosed in quotes"},
		{"SELECT Id FROM Account WHERE CreatedDate > 2020-01-01", "INVALID_FIELD", "value of filter criterion for field 'CreatedDate' must be of type dateTime"},
		{"SELECT Id FROM Account WHERE Active__c = 1", "INVALID_FIELD", "value of filter criterion for field 'Active__c' must be of type boolean"},
		{"SELECT Id FROM Account WHERE Id = 'x'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: x"},
		{"SELECT Id FROM Account WHERE Name = 'a", "MALFORMED_QUERY", "a string is not closed"},
		{`SELECT Id FROM Account WHERE Name = 'a\q'`, "MALFORMED_QUERY", `invalid string escape '\q'`},
		{"SELECT Id FROM Account WHERE (Name = 'a'", "MALFORMED_QUERY", "unexpected end of query"},
		{"SELECT Id FROM Account WHERE Name IN 'a'", "MALFORMED_QUERY", "unexpected token: 'a'"},
		{"SELECT Id FROM Account LIMIT x", "MALFORMED_QUERY", "unexpected token: 'x'"},
		{"SELECT Id FROM Account GROUP BY Name", "MALFORMED_QUERY", "GROUP BY is not built into the local org"},
		{"SELECT Id FROM Account; DROP", "MALFORMED_QUERY", "unexpected token: ';'"},
	}
	for _, test := range tests {
		a := c.soql(test.query)
		code, message := errorOf(t, a)
		if a.status != 400 || code != test.code || !strings.HasPrefix(message, test.message) {
			t.Errorf("%s: got %d %s %q, want %s %q", test.query, a.status, code, message, test.code, test.message)
		}
	}
}

// Whatever a query says, it is answered or refused, as a call and as a query job.
func FuzzSOQL(f *testing.F) {
	o, err := Open(Config{AccessToken: testToken, DailyAPI: 1 << 40, DailyQueryJobs: 1 << 40})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { o.Close() })
	for _, body := range []string{`{"attributes":{"type":"Account"},"Name":"a","AnnualRevenue":1.5,"Active__c":true}`, `{"attributes":{"type":"Account"},"Name":"b","Phone":"x"}`} {
		c := &call{r: httptest.NewRequest("POST", "/", strings.NewReader(`{"records":[`+body+`]}`)), w: httptest.NewRecorder(), user: o.user}
		c.r.Header.Set("Content-Type", "application/json")
		if err := o.createCollection(c); err != nil {
			f.Fatal(err)
		}
	}
	f.Add("SELECT Id, Account.Name FROM Contact WHERE (LastName LIKE 'a%' OR NOT Birthdate = null) AND Email IN ('a','b') ORDER BY Name DESC NULLS LAST LIMIT 10 OFFSET 2")
	f.Add(`SELECT COUNT() FROM Account WHERE CreatedDate >= 2026-01-01T00:00:00Z AND Name = 'a\'b\u00e9'`)
	f.Add("SELECT Name, (SELECT Id FROM Contacts WHERE LastName != '' ORDER BY LastName LIMIT 1) FROM Account a WHERE a.Id IN (SELECT AccountId FROM Contact) FOR VIEW")
	f.Add("SELECT COUNT(Id) n, MAX(Name), AVG(AnnualRevenue), COUNT_DISTINCT(Phone) FROM Account WHERE CreatedDate = LAST_N_DAYS:3 OR Active__c = true")
	f.Add("SELECT FIELDS(ALL), Owner.Name, BillingAddress FROM Account WHERE Name LIKE '%\\_\\%' LIMIT 200")
	f.Add("SELECT Id FROM Account WHERE " + strings.Repeat("NOT (", 500) + "Name = 'a'" + strings.Repeat(")", 500))
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4000 || !utf8.ValidString(text) { // longer ones do not fit into an address
			return
		}
		c := &client{t: t, org: o, rt: o.Transport(), token: testToken, version: "66.0"}
		if a := c.soql(text); a.status >= 500 || !json.Valid([]byte(a.body)) {
			t.Errorf("%q: %d %s", text, a.status, a.body)
		}
		body, err := json.Marshal(spec{"operation": "query", "query": text})
		if err != nil {
			t.Fatal(err)
		}
		a := c.do("POST", "jobs/query", "application/json", string(body))
		if a.status >= 500 || !json.Valid([]byte(a.body)) {
			t.Errorf("job of %q: %d %s", text, a.status, a.body)
		}
		if a.status != 200 {
			return
		}
		var j jobAnswer
		if err := json.Unmarshal([]byte(a.body), &j); err != nil {
			t.Fatal(err)
		}
		c.waitEnd(j.ID)
		if r := c.get("jobs/query/" + j.ID + "/results"); r.status != 200 {
			t.Errorf("result of %q: %d %s", text, r.status, r.body)
		}
		c.do("DELETE", "jobs/query/"+j.ID, "", "")
	})
}
