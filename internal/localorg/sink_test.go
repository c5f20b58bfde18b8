package localorg

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

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

// The fast count agrees with the split that takes its time, on texts made of what matters to it.
func TestCountAgreesWithSplit(t *testing.T) {
	t.Parallel()
	rng := random(t)
	good := 0
	for range 20_000 {
		parts := []string{"a", ",", "\n", "\n", "\"", "\"\"", "\"x\"", " ", "bc\n", "d,e\n"}
		d := dialect{delim: ',', crlf: rng.IntN(2) == 0}
		if d.crlf {
			for i := range parts {
				if rng.IntN(50) > 0 {
					parts[i] = strings.ReplaceAll(parts[i], "\n", "\r\n")
				}
			}
		} else if rng.IntN(4) == 0 {
			parts = append(parts, "\r", "\r\n")
		}
		if rng.IntN(2) == 0 { // without quotes that come alone
			parts[4], parts[5] = "f", "\"g\nh\""
		}
		text := parts[8]
		for range rng.IntN(60) {
			text += parts[rng.IntN(len(parts))]
		}
		want, wantErr := split(strings.NewReader(text), d)
		var body io.Reader = strings.NewReader(text)
		if rng.IntN(2) == 0 {
			body = iotest.OneByteReader(body)
		}
		got, size, err := count(body, d)
		var fault, wantFault *jobError
		if errors.As(wantErr, &wantFault) {
			if !errors.As(err, &fault) || *fault != *wantFault {
				t.Fatalf("%q: %v, want %v", text, err, wantErr)
			}
			continue
		}
		if wantErr != nil || err != nil || got.rows != want.rows || size != int64(len(text)) || !bytes.Equal(got.header, want.header) {
			t.Fatalf("%q, crlf %v: %d rows in %d bytes (%v), want %d (%v)", text, d.crlf, got.rows, size, err, want.rows, wantErr)
		}
		if want.rows > 0 {
			good++
		}
	}
	if good < 1_000 {
		t.Errorf("only %d texts were good", good)
	}
}
