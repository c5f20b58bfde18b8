package localorg

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// described gives the fields of an object by name, and the Last-Modified of the answer.
func (c *client) described(object string) (map[string]map[string]any, string) {
	c.t.Helper()
	a := c.get("sobjects/" + object + "/describe")
	var d struct {
		Fields []map[string]any `json:"fields"`
	}
	if err := json.Unmarshal([]byte(a.body), &d); err != nil {
		c.t.Fatal(err)
	}
	fields := map[string]map[string]any{}
	for _, f := range d.Fields {
		fields[f["name"].(string)] = f
	}
	return fields, a.header.Get("Last-Modified")
}

// notModified is true when the org says that a describe is as it was.
func (c *client) notModified(since string) bool {
	c.t.Helper()
	r, err := http.NewRequest("GET", "http://org.example.com"+address("sobjects/Account/describe", c.version), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("If-Modified-Since", since)
	res, err := c.rt.RoundTrip(r)
	if err != nil {
		c.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode == http.StatusNotModified
}

// must ends a test at an error.
func (c *client) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// A field comes, takes values by every way in, changes its type, goes, and comes again as another one; what reads the org agrees all the time,
// and so does the org that is opened again.
func TestFieldComesAndGoes(t *testing.T) {
	t.Parallel()
	clk := newClock()
	dir := t.TempDir()
	c := open(t, Config{Dir: dir, Now: clk.now})
	old := clk.now().Add(-time.Hour)
	a, err := c.org.Save("Account", map[string]string{"Name": "a"}, old)
	c.must(err)
	_, before := c.described("Account")
	if !c.notModified(before) {
		t.Error("a describe that did not change is sent again")
	}
	c.must(c.org.AddField("Account", `{"name":"Lot__c","type":"string","length":20,"externalId":true,"unique":true,"label":"Lot"}`))
	c.must(c.org.AddField("Account", `{"name":"Points__c","type":"double","precision":5,"scale":1}`))
	c.must(c.org.AddField("Account", `{"name":"Rank__c","type":"string","calculated":true}`))
	c.must(c.org.AddField("Account", `{"name":"Seen__c","type":"boolean"}`))
	if c.notModified(before) {
		t.Error("a describe that changed is not sent again")
	}
	fields, _ := c.described("Account")
	legacy := fields["Legacy_Id__c"]
	for _, name := range []string{"Lot__c", "Points__c", "Rank__c", "Seen__c"} {
		for key := range legacy {
			if _, ok := fields[name][key]; !ok {
				t.Errorf("the describe of %s does not tell %s", name, key)
			}
		}
	}
	query := "SELECT Name, Lot__c, Points__c, Rank__c, Seen__c, SystemModstamp FROM Account ORDER BY Name"
	then, now := "2026-01-02T02:04:05.000Z", "2026-01-02T03:04:05.000Z"
	check := func(want ...[]string) {
		t.Helper()
		if diff := cmp.Diff(want, c.queryJob("queryAll", query)); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
		again := open(t, Config{Dir: copyDir(t, dir), Now: clk.now})
		if diff := cmp.Diff(want, again.queryJob("queryAll", query)); diff != "" {
			t.Fatalf("opened again (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(dump(c.org), dump(again.org)); diff != "" {
			t.Fatalf("records differ after the org is opened again (-before +after)\n%s", diff)
		}
		one, stamp := c.described("Account")
		two, stampAgain := again.described("Account")
		if diff := cmp.Diff(one, two); diff != "" || stamp != stampAgain {
			t.Fatalf("describe differs after the org is opened again: %s, %s (-before +after)\n%s", stamp, stampAgain, diff)
		}
	}
	check([]string{"a", "", "", "", "false", then})

	// ingest finds records by the new key, and writes no calculated field
	s := spec{"object": "Account", "operation": "upsert", "externalIdFieldName": "Lot__c"}
	if j := c.load(s, "Name,Lot__c,Points__c,Seen__c\nb,B,12.34,true\n"); j.State != "JobComplete" || j.Failed > 0 {
		t.Fatalf("%+v", j)
	}
	if j := c.load(s, "Lot__c,Points__c\nb,7\n"); j.State != "JobComplete" || j.Failed > 0 {
		t.Fatalf("%+v", j)
	}
	j := c.load(spec{"object": "Account", "operation": "update"}, "Id,Rank__c\n"+a+",A\n")
	if a := c.get("jobs/ingest/" + j.ID + "/failedResults"); j.Failed != 1 || !strings.Contains(a.body, "INVALID_FIELD_FOR_INSERT_UPDATE") {
		t.Errorf("ingest of a calculated field: %+v %s", j, a.body)
	}
	c.do("PATCH", "sobjects/Account/"+a, "application/json", `{"Rank__c":"A"}`).want(t, "REST", 400, "INVALID_FIELD_FOR_INSERT_UPDATE",
		"Unable to create/update fields: Rank__c. Please check the security settings of this field and verify that it is read/write for your profile or permission set.")
	c.must(c.org.Recalculate("Account", a, "Rank__c", "A+"))
	check([]string{"a", "", "", "A+", "false", then}, []string{"b", "b", "7.0", "", "true", now})

	// another type: what fits stays
	c.must(c.org.ChangeField("Account", `{"name":"Points__c","type":"string","length":40}`))
	_, err = c.org.Save("Account", map[string]string{"Id": a, "Points__c": "high"}, old)
	c.must(err)
	check([]string{"a", "", "high", "A+", "false", then}, []string{"b", "b", "7", "", "true", now})
	c.must(c.org.ChangeField("Account", `{"name":"Points__c","type":"int"}`))
	check([]string{"a", "", "", "A+", "false", then}, []string{"b", "b", "7", "", "true", now})

	// gone, and again
	c.must(c.org.RemoveField("Account", "rank__C"))
	if fields, _ := c.described("Account"); fields["Rank__c"] != nil {
		t.Error("a removed field is still described")
	}
	if a := c.soql(query); a.status != 400 || !strings.Contains(a.body, "INVALID_FIELD") {
		t.Errorf("query of a removed field: %+v", a)
	}
	c.must(c.org.AddField("Account", `{"name":"Rank__c","type":"int"}`))
	check([]string{"a", "", "", "", "false", then}, []string{"b", "b", "7", "", "true", now})

	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"object":  {c.org.AddField("Nothing", `{"name":"A__c","type":"string"}`), "no object"},
		"twice":   {c.org.AddField("Account", `{"name":"LOT__C","type":"string"}`), "has a field Lot__c already"},
		"type":    {c.org.AddField("Account", `{"name":"A__c","type":"colour"}`), `has the type "colour"`},
		"no name": {c.org.AddField("Account", `{"type":"string"}`), "it has no name"},
		"no JSON": {c.org.AddField("Account", `A__c`), "describe of a field of Account"},
		"unknown": {c.org.RemoveField("Account", "A__c"), `no field "A__c" in object Account`},
		"id":      {c.org.RemoveField("Account", "id"), "is one that every record has"},
		"change":  {c.org.ChangeField("Account", `{"name":"A__c","type":"string"}`), `no field "A__c"`},
	} {
		if tc.err == nil || !strings.Contains(tc.err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", name, tc.err, tc.want)
		}
	}
	other := open(t, Config{})
	if fields, _ := other.described("Account"); fields["Lot__c"] != nil {
		t.Error("another org has the field, too")
	}
}

// A lookup that is added clears and deletes as the others do, and a removed one does not any more.
func TestLookupComesAndGoes(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	c.must(c.org.AddField("Contact", `{"name":"Buyer__c","type":"reference","referenceTo":["Account"],"relationshipName":"Buyer__r"}`))
	c.must(c.org.AddField("Case", `{"name":"Owner_Account__c","type":"reference","referenceTo":["Account"],"relationshipName":"Owner_Account__r","cascadeDelete":true}`))
	c.must(c.org.RemoveField("Account", "ParentId"))
	at := time.Now()
	account, err := c.org.Save("Account", map[string]string{"Name": "a"}, at)
	c.must(err)
	_, err = c.org.Save("Contact", map[string]string{"LastName": "c", "Buyer__c": account}, at)
	c.must(err)
	_, err = c.org.Save("Case", map[string]string{"Subject": "s", "Owner_Account__c": account}, at)
	c.must(err)
	if got := c.queryJob("query", "SELECT LastName, Buyer__r.Name FROM Contact"); len(got) != 1 || got[0][1] != "a" {
		t.Errorf("path through the new lookup: %v", got)
	}
	c.must(c.org.Delete("Account", account, false, at))
	if got := c.values("Contact", "Buyer__c"); len(got) != 1 || got[0][0] != "" {
		t.Errorf("the lookup was not cleared: %v", got)
	}
	if n := c.org.Count("Case"); n != 0 {
		t.Errorf("%d cases are left", n)
	}
}

// A job whose key or column goes while it waits, in a process that dies, does not keep the org from being opened again.
func TestFieldGoesUnderJobs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := open(t, Config{Dir: dir, StartDelay: time.Hour})
	j := c.create(spec{"object": "Account", "operation": "upsert", "externalIdFieldName": "Legacy_Id__c"})
	c.upload(j.ID, "Legacy_Id__c,Name\n1,a\n")
	c.patch(j.ID, "UploadComplete")
	var q jobAnswer
	c.json("POST", "jobs/query", spec{"operation": "query", "query": "SELECT Legacy_Id__c FROM Account"}, 200, &q)
	c.must(c.org.RemoveField("Account", "Legacy_Id__c"))
	again := open(t, Config{Dir: copyDir(t, dir)})
	if got := again.wait(j.ID); got.State != "Failed" || got.ErrorMessage != "InvalidBatch : Field name not found : Legacy_Id__c" {
		t.Errorf("%+v", got)
	}
	again.waitEnd(q.ID)
}

// Fields come and go while others read and write; nothing breaks, and an answer is whole.
func TestReshapeWhileRequestsRun(t *testing.T) {
	t.Parallel()
	c := open(t, Config{Dir: t.TempDir(), BatchTime: time.Millisecond})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, do := range []func(i int){
		func(i int) { c.get("sobjects/Account/describe") },
		func(i int) { c.soql("SELECT FIELDS(ALL) FROM Account LIMIT 20") },
		func(i int) {
			c.do("POST", "sobjects/Account", "application/json", fmt.Sprintf(`{"Name":"n%d","Moving__c":"%d"}`, i, i))
		},
		func(i int) {
			c.load(spec{"object": "Account", "operation": "upsert", "externalIdFieldName": "Legacy_Id__c"}, fmt.Sprintf("Legacy_Id__c,Name,Contact__r.Email\n%d,a,\n", i))
		},
		func(i int) { c.queryJob("queryAll", "SELECT FIELDS(STANDARD) FROM Account") },
		func(i int) {
			c.org.Save("Account", map[string]string{"Name": "s", "Moving__c": fmt.Sprint(i)}, time.Now())
		},
	} {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					do(i)
				}
			}
		})
	}
	for range 60 {
		c.must(c.org.AddField("Account", `{"name":"Moving__c","type":"string","externalId":true}`))
		c.must(c.org.AddField("Account", `{"name":"Contact__c","type":"reference","referenceTo":["Contact"],"relationshipName":"Contact__r"}`))
		time.Sleep(time.Millisecond)
		c.must(c.org.ChangeField("Account", `{"name":"Moving__c","type":"int"}`))
		time.Sleep(time.Millisecond)
		c.must(c.org.RemoveField("Account", "Moving__c"))
		c.must(c.org.RemoveField("Account", "Contact__c"))
	}
	close(stop)
	wg.Wait()
	again := open(t, Config{Dir: copyDir(t, c.org.cfg.Dir)})
	if diff := cmp.Diff(dump(c.org), dump(again.org)); diff != "" {
		t.Errorf("records differ after the org is opened again (-before +after)\n%s", diff)
	}
}
