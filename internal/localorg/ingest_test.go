package localorg

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	j := c.create(spec{"object": "Account", "operation": "insert"})
	if j.State != "Open" || j.APIVersion != 66 || j.ContentURL != "services/data/v66.0/jobs/ingest/"+j.ID+"/batches" {
		t.Errorf("created: %+v", j)
	}
	const header = "Name,AnnualRevenue,NumberOfEmployees,Description,Legacy_Id__c"
	c.upload(j.ID, header+"\nAcme,912260000,2676,\"a \"\"b\"\"\nc\",A-1\nBeta,,,,A-2\n,1,,,A-3\n")
	if got := c.patch(j.ID, "UploadComplete").State; got != "UploadComplete" {
		t.Errorf("closed: %s", got)
	}
	got := c.wait(j.ID)
	if got.State != "JobComplete" || got.Processed != 3 || got.Failed != 1 || got.JobType != "V2Ingest" || got.ContentURL != "" {
		t.Errorf("ended: %+v", got)
	}
	good := c.rows(j.ID, "successfulResults", `"sf__Id","sf__Created",`+header)
	if len(good) != 2 {
		t.Fatalf("successful: %q", good)
	}
	if diff := cmp.Diff([]string{"true", "Acme", "9.1226E8", "2676", "a \"b\"\nc", "A-1"}, good[0][1:]); diff != "" {
		t.Errorf("first row (-want +got)\n%s", diff)
	}
	want := [][]string{{"", "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --", "", "1.0", "", "", "A-3"}}
	if diff := cmp.Diff(want, c.rows(j.ID, "failedResults", `"sf__Id","sf__Error",`+header)); diff != "" {
		t.Errorf("failed (-want +got)\n%s", diff)
	}
	if got := c.rows(j.ID, "unprocessedrecords", header); len(got) != 0 {
		t.Errorf("unprocessed: %q", got)
	}
	if got := c.org.Count("Account"); got != 2 {
		t.Errorf("count %d", got)
	}
	wantRows := [][]string{{good[0][0], "Acme", "912260000", "2676"}, {good[1][0], "Beta", "", ""}}
	if diff := cmp.Diff(wantRows, c.values("Account", "Id", "Name", "AnnualRevenue", "NumberOfEmployees")); diff != "" {
		t.Errorf("records (-want +got)\n%s", diff)
	}
}

func TestResultsAreShuffled(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("Name\n")
	const rows = 25_000
	for i := range rows {
		fmt.Fprintf(&b, "n%05d\n", i)
	}
	for _, keep := range []bool{false, true} {
		c := open(t, Config{KeepOrder: keep})
		j := c.load(spec{"object": "Account", "operation": "insert"}, b.String())
		if j.Processed != rows || j.Failed != 0 {
			t.Fatalf("%+v", j)
		}
		body := c.get("jobs/ingest/" + j.ID + "/successfulResults").body
		inPlace, i := 0, 0
		seen := map[string]bool{}
		for line := range strings.Lines(body) {
			if i > 0 {
				name := strings.Split(line, `"`)[5]
				seen[name] = true
				if name == fmt.Sprintf("n%05d", i-1) {
					inPlace++
				}
			}
			i++
		}
		if len(seen) != rows {
			t.Errorf("keep %v: %d rows of %d", keep, len(seen), rows)
		}
		if keep && inPlace != rows || !keep && inPlace > 20 {
			t.Errorf("keep %v: %d rows in place", keep, inPlace)
		}
	}
}
