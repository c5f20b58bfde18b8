package conformance

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestJSForce drives an org with jsforce: bulk loads and queries, single records, collections.
func TestJSForce(t *testing.T) {
	c := need(t)
	o := serve(t)
	type row struct {
		Name        string `json:"Name"`
		Key         string `json:"Legacy_Id__c"`
		Revenue     string `json:"AnnualRevenue"`
		Description string `json:"Description"`
	}
	var input []row
	var wantRows []account
	for _, a := range accounts(250) {
		a.City = ""
		input = append(input, row{a.Name, a.Key, a.Revenue, a.Description})
		wantRows = append(wantRows, a)
	}
	input = append(input, row{Key: "Z-bad", Revenue: "5"})
	rows, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	var seen struct {
		Username    string
		Created     [][]string
		Failed      [][]string
		Unprocessed []any
		Queried     []map[string]string
		Upserted    [][]string
		Aborted     string
		Deleted     []string
		Pages       []string
		Contact     []any
		Updated     bool
		Read        []any
		Collection  []any
		Many        []any
		Destroyed   []bool
		Describe    bool
		Nonsense    string
		Limits      int
	}
	c.node(t, []string{"ORG_URL=" + o.url, "ORG_TOKEN=" + token, "ROWS=" + string(rows)}, "jsforce.mjs", &seen)

	ids := map[string]string{}
	for _, r := range seen.Created {
		if len(r[1]) != 18 || r[2] != "true" {
			t.Errorf("created %v", r)
		}
		ids[r[0]] = r[1]
	}
	var queried []account
	for _, r := range seen.Queried {
		if r["Id"] != ids[r["Legacy_Id__c"]] {
			t.Errorf("queried %v, created %s", r, ids[r["Legacy_Id__c"]])
		}
		queried = append(queried, accountOf(t, r))
	}
	want(t, "query job", wantRows, sorted(queried))
	var keys []string
	for _, a := range wantRows {
		keys = append(keys, a.Key)
	}
	slices.SortFunc(seen.Upserted, func(a, b []string) int { return slices.Compare(a, b) })
	check := func(what string, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", what, diff)
		}
	}
	type list = []any
	check("username", "admin@local.example.com", seen.Username)
	check("created", 250, len(ids))
	check("failed", [][]string{{"Z-bad", "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"}}, seen.Failed)
	check("unprocessed", list{}, seen.Unprocessed)
	check("upserted", [][]string{{"K-0000", ids["K-0000"], "false"}, {"K-0001", ids["K-0001"], "false"}}, seen.Upserted)
	check("aborted", "Aborted", seen.Aborted)
	check("deleted job", []string{"NOT_FOUND", "The requested resource does not exist"}, seen.Deleted)
	check("pages", keys, seen.Pages)
	check("create", list{true, 18.0}, seen.Contact)
	check("update", true, seen.Updated)
	check("retrieve", list{"Jo", "Ng", true}, seen.Read)
	check("upsert of a collection", list{list{true, false}, list{true, true}}, seen.Collection)
	check("create of a collection", list{list{true, list{}},
		list{false, list{list{"REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]"}}}, list{true, list{}}}, seen.Many)
	check("destroy of a collection", []bool{true, true}, seen.Destroyed)
	check("describe", true, seen.Describe)
	check("unknown field", "INVALID_FIELD", seen.Nonsense)
	check("limits", 100_000, seen.Limits)
	if a := o.audit(t); len(a.Violations) > 0 {
		t.Errorf("the org says that jsforce broke its rules: %+v", a.Violations)
	}
}
