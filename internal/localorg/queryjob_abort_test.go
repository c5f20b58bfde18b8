package localorg

import (
	"testing"
	"time"
)

// What an aborted query job had done stays known when the org is opened again.
func TestAbortedQueryJobIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := open(t, Config{Dir: dir, BatchTime: 100 * time.Millisecond})
	tab := c.org.table(c.org.schema.object("Account"))
	c.org.mu.Lock()
	for range 60_000 {
		tab.insert(appendRecordHead(nil, 0, stamps{1, 1, 1}))
	}
	c.org.mu.Unlock()
	var j jobAnswer
	c.json("POST", "jobs/query", spec{"operation": "query", "query": "SELECT Id FROM Account"}, 200, &j)
	for range 10_000 {
		if c.json("GET", "jobs/query/"+j.ID, nil, 200, &j); j.Processed > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	c.json("PATCH", "jobs/query/"+j.ID, spec{"state": "Aborted"}, 200, nil)
	before := c.get("jobs/query/" + j.ID).body
	if err := c.org.Close(); err != nil {
		t.Fatal(err)
	}
	c = open(t, Config{Dir: dir})
	c.json("GET", "jobs/query/"+j.ID, nil, 200, &j)
	if after := c.get("jobs/query/" + j.ID).body; after != before || j.Processed == 0 {
		t.Errorf("before %s\nafter  %s", before, after)
	}
}
