package localorg

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A sink counts the rows of whatever has the shape of CSV, and keeps nothing, also not across a restart.
func TestSink(t *testing.T) {
	t.Parallel()
	cfg := Config{Sink: true, Dir: t.TempDir(), DailyRecords: 1, DailyBatches: 1}
	c := open(t, cfg)
	const rows = 20_001
	body := "Nonsense,Name\n" + strings.Repeat("a,\"b\nc\"\n", rows)
	good := c.load(insertAccounts, body)
	bad := c.load(insertAccounts, "Name\na\"b\n")
	empty := c.load(spec{"object": "Contact", "operation": "update", "columnDelimiter": "PIPE", "lineEnding": "CRLF"}, "Id|LastName\r\n")
	check := func(c *client) {
		t.Helper()
		if j := c.job(good.ID); j.State != "JobComplete" || j.Processed != rows || j.Failed != 0 {
			t.Errorf("%+v", j)
		}
		if j := c.job(bad.ID); j.State != "Failed" || j.Processed != 0 || !strings.HasPrefix(j.ErrorMessage, "InvalidBatch : Failed to parse CSV. Found unescaped quote.") {
			t.Errorf("%+v", j)
		}
		if j := c.job(empty.ID); j.State != "JobComplete" || j.Processed != 0 {
			t.Errorf("%+v", j)
		}
		for path, want := range map[string]string{
			good.ID + "/successfulResults":   "\"sf__Id\",\"sf__Created\",Nonsense,Name\n",
			good.ID + "/failedResults":       "\"sf__Id\",\"sf__Error\",Nonsense,Name\n",
			good.ID + "/unprocessedrecords":  "Nonsense,Name\n",
			bad.ID + "/failedResults":        "\"sf__Id\",\"sf__Error\"\n",
			empty.ID + "/successfulResults":  "\"sf__Id\"|\"sf__Created\"|Id|LastName\r\n",
			empty.ID + "/unprocessedrecords": "Id|LastName\r\n",
		} {
			if a := c.get("jobs/ingest/" + path); a.status != 200 || a.body != want {
				t.Errorf("%s: %d %q, want %q", path, a.status, a.body, want)
			}
		}
		if n := len(c.files()); n != 0 || c.org.Count("Account") != 0 {
			t.Errorf("%d files and %d records", n, c.org.Count("Account"))
		}
	}
	check(c)
	if diff := cmp.Diff(map[string]IngestAudit{"Account": {Rows: rows}, "Contact": {}}, c.org.Audit().Ingested); diff != "" {
		t.Errorf("audit (-want +got)\n%s", diff)
	}
	open_ := c.create(insertAccounts).ID
	c.upload(open_, body)
	if err := c.org.Close(); err != nil {
		t.Fatal(err)
	}
	c = open(t, cfg)
	check(c)
	c.patch(open_, "UploadComplete")
	if j := c.wait(open_); j.State != "JobComplete" || j.Processed != rows {
		t.Errorf("after the restart: %+v", j)
	}
	j := c.create(insertAccounts)
	c.do("PUT", "jobs/ingest/"+j.ID+"/batches", "text/csv", strings.Repeat("x", 112_500_001)).want(t, "too long", 413, "REQUEST_ENTITY_TOO_LARGE",
		"The upload of job "+j.ID[:15]+" exceeds the limit of 150000000 bytes after base64")
}
