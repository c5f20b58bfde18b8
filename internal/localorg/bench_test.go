package localorg

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"migrate/internal/datagen"
)

// BenchmarkLoad loads 200,000 account rows of 12 columns and reads the results.
func BenchmarkLoad(b *testing.B) {
	const rows = 200_000
	var data bytes.Buffer
	if err := datagen.Accounts(&data, 1, rows); err != nil {
		b.Fatal(err)
	}
	for _, kind := range []string{"memory", "dir", "sink"} {
		b.Run(kind, func(b *testing.B) {
			b.SetBytes(int64(data.Len()))
			for b.Loop() {
				cfg := Config{MaxUpload: 1 << 40, Sink: kind == "sink"}
				if kind == "dir" {
					cfg.Dir = b.TempDir()
				}
				loadOnce(b, cfg, data.Bytes(), rows)
			}
		})
	}
}

func loadOnce(b *testing.B, cfg Config, data []byte, rows int) {
	cfg.AccessToken = testToken
	o, err := Open(cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer o.Close()
	c := bench{b, o.Transport()}
	id := strings.Split(c.call("POST", "jobs/ingest", "application/json", []byte(`{"object":"Account","operation":"insert"}`)), `"`)[3]
	c.call("PUT", "jobs/ingest/"+id+"/batches", "text/csv", data)
	c.call("PATCH", "jobs/ingest/"+id, "application/json", []byte(`{"state":"UploadComplete"}`))
	for {
		info := c.call("GET", "jobs/ingest/"+id, "", nil)
		if strings.Contains(info, "JobComplete") {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if got := o.Audit().Ingested["Account"]; got != (IngestAudit{Rows: rows}) {
		b.Fatalf("%+v of %d", got, rows)
	}
	c.discard("jobs/ingest/" + id + "/successfulResults")
}

type bench struct {
	b  *testing.B
	rt http.RoundTripper
}

func (c bench) send(method, path, contentType string, body []byte) *http.Response {
	r, err := http.NewRequest(method, "http://org/services/data/v66.0/"+path, bytes.NewReader(body))
	if err != nil {
		c.b.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Authorization", "Bearer "+testToken)
	res, err := c.rt.RoundTrip(r)
	if err != nil || res.StatusCode > 299 {
		c.b.Fatal(res, err)
	}
	return res
}

func (c bench) call(method, path, contentType string, body []byte) string {
	res := c.send(method, path, contentType, body)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.b.Fatal(err)
	}
	return string(text)
}

func (c bench) discard(path string) {
	res := c.send("GET", path, "", nil)
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		c.b.Fatal(err)
	}
}

// BenchmarkNarrowRows loads rows of three columns and reports what a row costs in memory.
func BenchmarkNarrowRows(b *testing.B) {
	const rows = 500_000
	var data bytes.Buffer
	data.WriteString("Name,Legacy_Id__c,AnnualRevenue\n")
	for i := range rows {
		n := strconv.Itoa(i)
		data.WriteString("Name " + n + ",L-" + n + "," + n + "\n")
	}
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		o, err := Open(Config{AccessToken: testToken, MaxUpload: 1 << 40})
		if err != nil {
			b.Fatal(err)
		}
		c := bench{b, o.Transport()}
		id := strings.Split(c.call("POST", "jobs/ingest", "application/json", []byte(`{"object":"Account","operation":"insert"}`)), `"`)[3]
		c.call("PUT", "jobs/ingest/"+id+"/batches", "text/csv", data.Bytes())
		c.call("PATCH", "jobs/ingest/"+id, "application/json", []byte(`{"state":"UploadComplete"}`))
		for o.Count("Account") < rows {
			time.Sleep(5 * time.Millisecond)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/rows, "heapB/row")
		o.Close()
	}
}
