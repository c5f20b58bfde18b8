package localorg

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A job that is larger than what the day allows saves what fits, whatever the number of slots, and the rest is unprocessed; a
// day later there is room again.
func TestQuotaInsideAJob(t *testing.T) {
	t.Parallel()
	const rows = 45_000
	for _, test := range []struct {
		name  string
		cfg   Config
		saved int
		text  string
	}{
		{"records", Config{DailyRecords: 25_100}, 25_000, "ExceededQuota : ApiBatchItems Limit exceeded for records"},
		{"fewer records than a batch", Config{DailyRecords: 999}, 800, "ExceededQuota : ApiBatchItems Limit exceeded for records"},
		{"no records", Config{DailyRecords: 100}, 0, "ExceededQuota : ApiBatchItems Limit exceeded for records"},
		{"batches", Config{DailyBatches: 4}, 30_000, "ExceededQuota : ApiBatchItems Limit exceeded"},
		{"all", Config{DailyRecords: rows, DailyBatches: 6}, rows, ""},
	} {
		for _, slots := range []int{1, 4} {
			for _, lose := range []bool{false, true} {
				t.Run(fmt.Sprint(test.name, slots, lose), func(t *testing.T) {
					t.Parallel()
					clk := newClock()
					cfg := test.cfg
					cfg.Now, cfg.Slots, cfg.LoseOverQuota = clk.now, slots, lose
					inBubble(t, cfg, func(t *testing.T, c *client) {
						c.org.cfg.BatchTime = time.Minute // all batches that may run do so at the same time
						j := c.waitLong(c.begin(insertAccounts, accountRows(rows)))
						state, left := "Failed", rows-test.saved
						if left == 0 {
							state = "JobComplete"
						}
						if lose {
							left = 0
						}
						if j.State != state || j.ErrorMessage != test.text || j.Processed != test.saved || j.Failed != 0 || c.org.Count("Account") != test.saved {
							t.Errorf("%d in the org, %+v", c.org.Count("Account"), j)
						}
						if n := len(c.table(j.ID, "unprocessedrecords")); n != left {
							t.Errorf("%d unprocessed, want %d", n, left)
						}
						if n := len(c.table(j.ID, "successfulResults")); n != test.saved {
							t.Errorf("%d saved, want %d", n, test.saved)
						}
						if test.saved == 0 {
							return
						}
						if j := c.waitLong(c.begin(insertAccounts, accountRows(10_000))); j.State != "Failed" || j.Processed > 300 {
							t.Errorf("second job %+v", j)
						}
						clk.add(25 * time.Hour)
						if j := c.waitLong(c.begin(insertAccounts, accountRows(600))); j.State != "JobComplete" || j.Processed != 600 {
							t.Errorf("a day later %+v", j)
						}
						if c.org.reserved != 0 {
							t.Errorf("%d rows are still reserved", c.org.reserved)
						}
					})
				})
			}
		}
	}
}

func TestStorageLimit(t *testing.T) {
	t.Parallel()
	c := open(t, Config{DataStorage: 1_000_000}) // 488 records
	left := func() string {
		_, rest, _ := strings.Cut(c.get("limits").body, `"DataStorageMB":`)
		limit, _, _ := strings.Cut(rest, "}")
		return limit
	}
	if got := left(); got != `{"Max":1,"Remaining":1` {
		t.Errorf("limit %s", got)
	}
	j := c.load(insertAccounts, accountRows(1_000))
	if j.State != "JobComplete" || j.Failed != 512 || c.org.Count("Account") != 488 {
		t.Errorf("%d in the org, %+v", c.org.Count("Account"), j)
	}
	for _, row := range c.table(j.ID, "failedResults") {
		if row[0] != "" || row[1] != "STORAGE_LIMIT_EXCEEDED:storage limit exceeded:--" {
			t.Fatalf("row %q", row)
		}
	}
	if got := left(); got != `{"Max":1,"Remaining":0` {
		t.Errorf("limit %s", got)
	}
	c.do("POST", "sobjects/Account", "application/json", `{"Name":"x"}`).want(t, "one more", 400, "STORAGE_LIMIT_EXCEEDED", "storage limit exceeded")
	id := c.values("Account", "Id")[0][0]
	if j := c.load(spec{"object": "Account", "operation": "update"}, "Id,Name\n"+id+",new\n"); j.Failed != 0 {
		t.Errorf("update: %+v", j)
	}
	c.load(spec{"object": "Account", "operation": "delete"}, "Id\n"+id+"\n")
	if j := c.load(insertAccounts, accountRows(2)); j.Failed != 1 {
		t.Errorf("after a delete: %+v", j)
	}
}

// While too many calls take long, others are refused.
func TestLongCalls(t *testing.T) {
	t.Parallel()
	inBubble(t, Config{LongCalls: 2}, func(t *testing.T, c *client) {
		var slow []*io.PipeWriter
		done := make(chan int, 2)
		for range 2 {
			r, w := io.Pipe()
			id := c.create(insertAccounts).ID
			slow = append(slow, w)
			go func() {
				req, err := http.NewRequest("PUT", "http://org.example.com/services/data/v66.0/jobs/ingest/"+id+"/batches", r)
				if err != nil {
					t.Error(err)
				}
				req.Header.Set("Authorization", "Bearer "+testToken)
				req.Header.Set("Content-Type", "text/csv")
				res, err := c.rt.RoundTrip(req)
				if err != nil {
					t.Error(err)
					return
				}
				res.Body.Close()
				done <- res.StatusCode
			}()
		}
		time.Sleep(20 * time.Second)
		if a := c.get("limits"); a.status != 200 {
			t.Errorf("after 20 s: %+v", a)
		}
		time.Sleep(time.Second)
		c.get("limits").want(t, "two long ones", 403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.")
		slow[0].Close()
		if got := <-done; got != 201 {
			t.Errorf("upload: %d", got)
		}
		if a := c.get("limits"); a.status != 200 {
			t.Errorf("one long one: %+v", a)
		}
		slow[1].Close()
		<-done
		if n := len(c.org.inFlight); n != 0 {
			t.Errorf("%d calls are left", n)
		}
	})
}
