package localorg

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// files lists what lies in the folder for uploads.
func (c *client) files() []string {
	c.t.Helper()
	list, err := filepath.Glob(filepath.Join(c.org.dir, "*"))
	if err != nil {
		c.t.Fatal(err)
	}
	return list
}

func TestOpenJobsExpire(t *testing.T) {
	t.Parallel()
	clk := newClock()
	c := open(t, Config{Now: clk.now})
	s := spec{"object": "Account", "operation": "insert"}
	empty, loaded, aborted := c.create(s).ID, c.create(s).ID, c.create(s).ID
	c.upload(loaded, "Name\nx\n")
	put := func(id string) answer { return c.do("PUT", "jobs/ingest/"+id+"/batches", "text/csv", "Name\nx\n") }
	closing := func(id string) answer {
		return c.do("PATCH", "jobs/ingest/"+id, "application/json", `{"state":"UploadComplete"}`)
	}
	const text = "InvalidJobState : Job was open for more than 24 hours and can no longer be used"
	clk.add(24*time.Hour - time.Second)
	if a := put(aborted); a.status != 201 {
		t.Errorf("a second before: %+v", a)
	}
	clk.add(time.Second)
	put(empty).want(t, "upload", 400, "INVALIDJOBSTATE", text)
	closing(loaded).want(t, "close", 400, "INVALIDJOBSTATE", text)
	if j := c.job(loaded); j.State != "Open" {
		t.Errorf("state %s", j.State)
	}
	if j := c.patch(aborted, "Aborted"); j.State != "Aborted" {
		t.Errorf("aborted: %+v", j)
	}
	clk.add(7 * 24 * time.Hour)
	c.get("jobs/ingest/"+empty).want(t, "a week later", 404, "NOT_FOUND", "The requested resource does not exist")
	c.create(s)
	if list := c.files(); len(list) != 0 {
		t.Errorf("left: %v", list)
	}
}

// A job and its results go a week after its end, in the running process and in one that is started later.
func TestEndedJobsExpire(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		clk := newClock()
		cfg := Config{Now: clk.now}
		if restart {
			cfg.Dir = t.TempDir()
		}
		c := open(t, cfg)
		old := c.load(spec{"object": "Account", "operation": "insert"}, "Name\nx\n")
		var q jobAnswer
		c.json("POST", "jobs/query", spec{"operation": "query", "query": "SELECT Id FROM Account"}, 200, &q)
		c.waitEnd(q.ID)
		clk.add(24 * time.Hour)
		young := c.load(spec{"object": "Account", "operation": "insert"}, "Name\ny\n")
		clk.add(6*24*time.Hour - time.Second)
		paths := []string{"jobs/ingest/" + old.ID, "jobs/ingest/" + old.ID + "/successfulResults", "jobs/query/" + q.ID, "jobs/query/" + q.ID + "/results"}
		for _, path := range paths {
			if a := c.get(path); a.status != 200 {
				t.Errorf("a second before its end: %s: %d %s", path, a.status, a.body)
			}
		}
		if n := len(c.files()); n != 3 {
			t.Errorf("%d files", n)
		}
		clk.add(time.Second)
		if restart {
			if err := c.org.Close(); err != nil {
				t.Fatal(err)
			}
			c = open(t, cfg)
		}
		for _, path := range paths {
			c.get(path).want(t, path, 404, "NOT_FOUND", "The requested resource does not exist")
		}
		var list struct{ Records []jobAnswer }
		c.json("GET", "jobs/ingest", nil, 200, &list)
		if len(list.Records) != 1 || list.Records[0].ID != young.ID {
			t.Errorf("listed: %+v", list)
		}
		c.create(spec{"object": "Account", "operation": "insert"})
		if list := c.files(); len(list) != 1 {
			t.Errorf("files left: %v", list)
		}
		if c.org.Count("Account") != 2 {
			t.Error("records must stay")
		}
		if restart { // and the folder is still sound
			if err := c.org.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(c.org.uploadPath(c.org.jobs[2])); err != nil {
				t.Error(err)
			}
			c = open(t, cfg)
			if j := c.job(young.ID); j.Processed != 1 {
				t.Errorf("%+v", j)
			}
		}
	}
}
