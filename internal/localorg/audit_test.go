package localorg

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAudit(t *testing.T) {
	t.Parallel()
	clk := newClock()
	c := open(t, Config{StartDelay: time.Hour, Now: clk.now})
	j := c.create(spec{"object": "Account", "operation": "insert"})
	path := "jobs/ingest/" + j.ID
	c.do("PATCH", path, "application/json", `{"state":"UploadComplete"}`)
	c.upload(j.ID, "Name\nx\n")
	c.do("PUT", path+"/batches", "text/csv", "Name\nx\n")
	for range 3 {
		c.job(j.ID) // an open job may be asked for at any time
	}
	c.patch(j.ID, "UploadComplete")
	for _, pause := range []time.Duration{0, 500 * time.Millisecond, 950 * time.Millisecond, time.Second} {
		clk.add(pause)
		c.job(j.ID)
	}
	c.patch(j.ID, "Aborted")
	c.job(j.ID)
	c.version = "65.0"
	c.get(path + "/successfulResults")
	want := Audit{
		Objects: map[string]ObjectAudit{"User": {Rows: 2}, "RecordType": {Rows: 2}},
		Calls: map[string]int{"POST jobs/ingest": 1, "PATCH jobs/ingest/{}": 3, "PUT jobs/ingest/{}/batches": 2, "GET jobs/ingest/{}": 8,
			"GET jobs/ingest/{}/successfulResults": 1},
		Violations: []Violation{
			{Job: j.ID, Kind: ViolationCloseEmpty}, {Job: j.ID, Kind: ViolationSecondUpload}, {Job: j.ID, Kind: ViolationFastPoll}, {Job: j.ID, Kind: ViolationVersion},
		},
		Faults: map[string]int{}, Jobs: map[string]int{"Aborted": 1}, QueryJobs: map[string]int{}, Ingested: map[string]IngestAudit{}, Peak: PeakAudit{Jobs: 1},
	}
	var served Audit
	c.json("GET", "/local/audit", nil, 200, &served)
	for name, got := range map[string]Audit{"method": c.org.Audit(), "endpoint": served} {
		for i := range got.Violations {
			if got.Violations[i].Text == "" || got.Violations[i].Time.IsZero() {
				t.Errorf("%s: violation %+v says nothing", name, got.Violations[i])
			}
			got.Violations[i].Text, got.Violations[i].Time = "", time.Time{}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	c.insert("Account", "Phone,Name", "1,a", "1,b", "1,c", "2,d", "2,e", "3,f", ",g", "9,h")
	c.load(spec{"object": "Account", "operation": "delete"}, "Id\n"+c.values("Account", "Id")[7][0]+"\n")
	var got KeyAudit
	c.json("GET", "/local/audit?object=Account&key=Phone", nil, 200, &got)
	if want := (KeyAudit{Rows: 7, Empty: 1, Distinct: 3, Twice: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	c.get("/local/audit?object=Foo&key=Phone").want(t, "object", 400, "INVALID_FIELD", `no object "Foo" in this org`)
	c.get("/local/audit?object=Account&key=Foo").want(t, "field", 400, "INVALID_FIELD", `no field "Foo" in object Account`)
}
