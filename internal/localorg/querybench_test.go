//go:build linux

package localorg

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fillAccounts saves narrow accounts without a job: Name, Legacy_Id__c, AnnualRevenue.
func fillAccounts(o *Org, rows int) {
	t := o.table(o.schema.object("Account"))
	name, key, revenue := t.obj.field("Name"), t.obj.field("Legacy_Id__c"), t.obj.field("AnnualRevenue")
	now := o.now().Unix()
	o.mu.Lock()
	defer o.mu.Unlock()
	var r record
	for i := range rows {
		n := strconv.Itoa(i * 7919 % rows)
		values := map[int]string{name.index: "Name " + n, key.index: "L-" + n, revenue.index: n}
		r = appendRecordHead(r[:0], 0, stamps{now, now, now})
		for _, f := range t.obj.shape().Fields {
			if v := values[f.index]; v != "" {
				r = appendRecordField(r, f.index, []byte(v))
			}
		}
		t.insert(r)
	}
}

var benchQueries = []struct{ name, query string }{
	{"plain", "SELECT Id, Name, Legacy_Id__c, AnnualRevenue FROM Account"},
	{"filtered", "SELECT Id, Name FROM Account WHERE AnnualRevenue > 500000 AND Name LIKE '%99%'"},
	{"sorted", "SELECT Id, Name FROM Account ORDER BY Name DESC"},
}

// BenchmarkQueryJob runs query jobs over a million accounts and reads their results.
func BenchmarkQueryJob(b *testing.B) {
	const rows = 1_000_000
	o, err := Open(Config{AccessToken: testToken})
	if err != nil {
		b.Fatal(err)
	}
	defer o.Close()
	fillAccounts(o, rows)
	for _, q := range benchQueries {
		b.Run(q.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bench{b, o.Transport()}.queryJob(q.query)
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// queryJob runs a job to its end and reads all pages.
func (c bench) queryJob(query string) {
	id := strings.Split(c.call("POST", "jobs/query", "application/json", fmt.Appendf(nil, `{"operation":"query","query":%q}`, query)), `"`)[3]
	for !strings.Contains(c.call("GET", "jobs/query/"+id, "", nil), "JobComplete") {
		time.Sleep(5 * time.Millisecond)
	}
	for locator := ""; locator != "null"; {
		res := c.send("GET", "jobs/query/"+id+"/results?locator="+locator, "", nil)
		locator = res.Header.Get("Sforce-Locator")
		res.Body.Close()
	}
}

// TestQueryScale measures a query of each kind over very many accounts: its time, the most memory that the process took, and the longest that
// another had to wait for the org's lock. MIGRATE_TORTURE makes them five million.
func TestQueryScale(t *testing.T) {
	rows, most := 50_000, 500*time.Millisecond
	if os.Getenv("MIGRATE_TORTURE") != "" {
		rows = 5_000_000
	}
	c := open(t, Config{})
	fillAccounts(c.org, rows)
	for _, q := range benchQueries {
		for _, kind := range []string{"job", "call"} {
			began := time.Now()
			longest := c.longestWait(func() {
				if kind == "call" {
					c.soql(q.query)
					return
				}
				var j jobAnswer
				c.json("POST", "jobs/query", spec{"operation": "query", "query": q.query}, 200, &j)
				for !c.ended(j.ID) {
					time.Sleep(time.Millisecond)
				}
			})
			t.Logf("%s %s: %d rows in %v, longest wait for the lock %v", kind, q.name, rows, time.Since(began).Round(time.Millisecond), longest)
			if longest > most {
				t.Errorf("%s %s held the lock for %v", kind, q.name, longest)
			}
		}
	}
	id := c.values("Account", "Id")[0][0]
	longest := c.longestWait(func() { c.do("DELETE", "sobjects/Account/"+id, "", "") })
	t.Logf("first delete of a parent: longest wait for the lock %v", longest)
	if longest > most {
		t.Errorf("the first delete held the lock for %v", longest)
	}
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	t.Logf("most memory of the process: %d MiB", use.Maxrss>>10)
}

func (c *client) ended(id string) bool {
	c.org.mu.RLock()
	defer c.org.mu.RUnlock()
	j, err := c.org.queryJob(id)
	return err == nil && j.state.final()
}

// longestWait takes the lock again and again while do runs and gives the longest wait for it.
func (c *client) longestWait(do func()) (longest time.Duration) {
	end, done := make(chan struct{}), make(chan time.Duration)
	go func() {
		for {
			select {
			case <-end:
				done <- longest
				return
			default:
			}
			began := time.Now()
			c.org.mu.Lock()
			longest = max(longest, time.Since(began))
			c.org.mu.Unlock()
			time.Sleep(200 * time.Microsecond)
		}
	}()
	do()
	close(end)
	return <-done
}
