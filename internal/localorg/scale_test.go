package localorg

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
)

// Five million narrow rows fit into 2 GiB, with their jobs and results.
func TestTortureScale(t *testing.T) {
	rows, jobs := 20_000, 2 // per job
	if os.Getenv("MIGRATE_TORTURE") != "" {
		rows, jobs = 1_000_000, 5
	}
	const most = 2 << 30
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(most * 9 / 10))
	c := open(t, Config{DailyAPI: 1 << 40})
	var peak uint64
	for n := range jobs {
		j := c.create(spec{"object": "Account", "operation": "insert"})
		body := &narrowRows{from: n * rows, to: (n + 1) * rows}
		r, err := http.NewRequest("PUT", "http://org/services/data/v66.0/jobs/ingest/"+j.ID+"/batches", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "text/csv")
		r.Header.Set("Authorization", "Bearer "+testToken)
		res, err := c.rt.RoundTrip(r)
		if err != nil || res.StatusCode != 201 {
			t.Fatal(res, err)
		}
		res.Body.Close()
		c.patch(j.ID, "UploadComplete")
		if got := c.wait(j.ID); got.Processed != rows || got.Failed != 0 {
			t.Fatalf("%+v", got)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.Sys)
	}
	k, err := c.org.Keys("Account", "Legacy_Id__c")
	if want := (KeyAudit{Rows: rows * jobs, Distinct: rows * jobs}); err != nil || k != want {
		t.Errorf("keys %+v, want %+v; %v", k, want, err)
	}
	if peak > most {
		t.Errorf("%d MiB taken from the system, %d allowed", peak>>20, most>>20)
	}
	t.Logf("%d rows, %d MiB taken from the system", rows*jobs, peak>>20)
}

// narrowRows writes an upload as it is read.
type narrowRows struct {
	from, to int
	begun    bool
	buf      bytes.Buffer
}

func (r *narrowRows) Read(p []byte) (int, error) {
	if !r.begun {
		r.begun = true
		r.buf.WriteString("Name,Legacy_Id__c,NumberOfEmployees\n")
	}
	for r.buf.Len() < len(p) && r.from < r.to {
		fmt.Fprintf(&r.buf, "Name %d,L-%d,%d\n", r.from, r.from, r.from%100_000)
		r.from++
	}
	if r.buf.Len() == 0 {
		return 0, io.EOF
	}
	return r.buf.Read(p)
}
