package localorg

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestQueryJobOddities(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	c.insert("Account", "Name", "a", "b", "c")
	id := c.runQuery(spec{"operation": "query", "query": "SELECT Name FROM Account"})
	a := c.get("jobs/query/" + id + "/results?maxRecords=9223372036854775807&locator=" + makeLocator(1))
	if a.status != 200 || a.body != "\"Name\"\n\"b\"\n\"c\"\n" {
		t.Errorf("as many as there can be: %d %q", a.status, a.body)
	}
	for _, locator := range []string{"x", "LTE", makeLocator(4), "MQ==", makeLocator(1) + "A"} {
		c.get("jobs/query/"+id+"/results?locator="+url.QueryEscape(locator)).want(t, locator, 400, "INVALID_QUERY_LOCATOR", "invalid query locator")
	}
	for _, most := range []string{"0", "-1", "x", "9223372036854775808"} {
		c.get("jobs/query/"+id+"/results?maxRecords="+most).want(t, most, 400, "API_ERROR", "Invalid value: '"+most+"' supplied for property: 'maxRecords'")
	}
}

// A job that is asked for while the org closes starts nothing that Close would have to wait for.
func TestQueryJobAfterClose(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	if err := c.org.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/services/data/v66.0/jobs/query", strings.NewReader(`{"operation":"query","query":"SELECT Id FROM Account"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+testToken)
	w := httptest.NewRecorder() // a server of its own may still have calls when the org closes
	c.org.ServeHTTP(w, r)
	if !strings.Contains(w.Body.String(), `"state":"UploadComplete"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
