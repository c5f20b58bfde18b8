package bulk2_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/salesforce"
)

// listed reads a whole list.
func listed(c *bulk2.Client, kind bulk2.JobKind) (list []bulk2.Listed, err error) {
	for j, err := range c.List(context.Background(), kind) {
		if err != nil {
			return list, err
		}
		list = append(list, j)
	}
	return list, nil
}

func TestListReadsAllPages(t *testing.T) {
	org, err := localorg.Open(localorg.Config{AccessToken: "token", JobsPerPage: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer org.Close()
	client, err := salesforce.Open(t.Context(), salesforce.Config{InstanceURL: "http://localhost", Auth: salesforce.AccessToken("token"), Transport: org.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	user, err := client.UserID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := bulk2.New(client)
	for _, kind := range []bulk2.JobKind{bulk2.IngestJobs, bulk2.QueryJobs} {
		if list, err := listed(c, kind); len(list) != 0 || err != nil {
			t.Fatalf("%s jobs of a new org: %v, %v", kind, list, err)
		}
		want := map[string]bool{}
		for i := range 8 {
			if kind == bulk2.QueryJobs {
				j, err := c.CreateQuery(t.Context(), bulk2.Query{SOQL: "SELECT Id FROM Account"})
				if err != nil {
					t.Fatal(err)
				}
				want[j.ID] = true
				continue
			}
			j, err := c.Create(t.Context(), bulk2.Spec{Object: "Account", Operation: bulk2.Insert})
			if err != nil {
				t.Fatal(err)
			}
			if want[j.ID] = true; i == 5 {
				if _, err := c.Abort(t.Context(), j.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		list, err := listed(c, kind)
		if err != nil {
			t.Fatal(err)
		}
		aborted := 0
		for _, j := range list {
			if !want[j.ID] || j.Kind != kind || j.CreatedBy != user || j.Created.IsZero() {
				t.Errorf("%s jobs: %+v", kind, j)
			}
			delete(want, j.ID)
			if j.State == bulk2.StateAborted {
				aborted++
			}
		}
		if len(want) > 0 || kind == bulk2.IngestJobs && aborted != 1 {
			t.Errorf("%s jobs: %v are missing, %d aborted", kind, want, aborted)
		}
	}
}

// pages answers with bodies by path and query.
type pages map[string]string

func (p pages) RoundTrip(req *http.Request) (*http.Response, error) {
	body, ok := p[req.URL.RequestURI()]
	if !ok {
		return nil, fmt.Errorf("unexpected %s", req.URL.RequestURI())
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
}

func entry(id, kind string) string {
	return `{"id":"` + id + `","object":"Account","operation":"query","state":"Open","createdById":"005","createdDate":"2026-01-02T21:33:43.000+0000","jobType":"` + kind + `"}`
}

// TestListFollowsTheOrg: the documents' own sample of a list of query jobs leads to an address of ingest jobs; further pages have jobs
// that the filter of the first was to keep out.
func TestListFollowsTheOrg(t *testing.T) {
	const first, second, third = "/services/data/v66.0/jobs/query?jobType=V2Query", "/services/data/v66.0/jobs/ingest?queryLocator=01g-2", "/services/data/v66.0/jobs/ingest?queryLocator=01g-4"
	head := func(records ...string) string { return `"records":[` + strings.Join(records, ",") + `]}` }
	good := pages{
		first:  `{"done":false,"nextRecordsUrl":"` + second + `",` + head(entry("750A", "V2Query")),
		second: `{"done":false,"nextRecordUrl":"` + third + `",` + head(entry("750B", "Classic"), entry("750C", "V2Query"), entry("750D", "V2Ingest")),
		third:  `{"done":true,"nextRecordsUrl":null,` + head(),
	}
	for _, tt := range []struct {
		name string
		org  pages
		want string // of the error
	}{
		{"as documented", good, ""},
		{"in a circle", pages{first: good[first], second: `{"done":false,"nextRecordsUrl":"` + second + `",` + head(entry("750C", "V2Query"))}, "a page that was read"},
		{"more, and not where", pages{first: `{"done":false,` + head(entry("750A", "V2Query"), entry("750C", "V2Query"))}, "there are more, and not where"},
		{"to another host", pages{first: `{"done":false,"nextRecordsUrl":"https://evil.example/x",` + head(entry("750A", "V2Query"), entry("750C", "V2Query"))}, "no address of the API"},
	} {
		client, err := salesforce.Open(t.Context(), salesforce.Config{InstanceURL: "http://localhost", Auth: salesforce.AccessToken("token"), Transport: tt.org, Attempts: 1})
		if err != nil {
			t.Fatal(err)
		}
		list, err := listed(bulk2.New(client), bulk2.QueryJobs)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		var ids []string
		for _, j := range list {
			ids = append(ids, j.ID)
		}
		if !slices.Equal(ids, []string{"750A", "750C"}) {
			t.Errorf("%s: %v", tt.name, ids)
		}
	}
}
