package localorg

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func accountRows(n int) string {
	var b strings.Builder
	b.WriteString("Name\n")
	for i := range n {
		fmt.Fprintf(&b, "r%05d\n", i)
	}
	return b.String()
}

func (c *client) fault(f Fault) {
	c.t.Helper()
	body, err := json.Marshal(f)
	if err != nil {
		c.t.Fatal(err)
	}
	if a := c.do("POST", "/local/faults", "application/json", string(body)); a.status != 200 {
		c.t.Fatalf("fault: %+v", a)
	}
}

var insertAccounts = spec{"object": "Account", "operation": "insert"}

func TestFaultFailJob(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ after, processed int }{{0, 0}, {1, 200}, {10_000, 10_000}, {10_001, 10_200}, {25_000, 25_000}, {25_001, 25_000}} {
		c := open(t, Config{Slots: 3})
		c.fault(Fault{Kind: FaultFailJob, Rows: test.after, Text: "TXN_SECURITY_METERING_ERROR : try later"})
		j := c.load(insertAccounts, accountRows(25_000))
		state, message := "Failed", "TXN_SECURITY_METERING_ERROR : try later"
		if test.after >= 25_000 {
			state, message = "JobComplete", ""
		}
		left := len(c.table(j.ID, "unprocessedrecords"))
		if j.State != state || j.ErrorMessage != message || j.Processed != test.processed || left != 25_000-j.Processed || c.org.Count("Account") != j.Processed {
			t.Errorf("after %d: %d left, %+v", test.after, left, j)
		}
		if j := c.load(insertAccounts, "Name\nx\n"); j.State != "JobComplete" {
			t.Errorf("second job: %+v", j)
		}
	}
	c := open(t, Config{})
	c.fault(Fault{Kind: FaultFailJob})
	if j := c.load(insertAccounts, "Name\n"); j.State != "Failed" || j.ErrorMessage == "" {
		t.Errorf("job without rows: %+v", j)
	}
}

func TestFaultStuck(t *testing.T) {
	t.Parallel()
	const rows = 25_000
	for _, test := range []struct {
		name      string
		fault     Fault
		state     string
		processed int
		clear     bool
		abort     bool
	}{
		{name: "in the queue, for an hour", fault: Fault{Kind: FaultStuckQueue, Delay: time.Hour}, state: "UploadComplete"},
		{name: "in the queue, until cleared", fault: Fault{Kind: FaultStuckQueue}, state: "UploadComplete", clear: true},
		{name: "in the queue, until aborted", fault: Fault{Kind: FaultStuckQueue}, state: "UploadComplete", abort: true},
		{name: "running, for an hour", fault: Fault{Kind: FaultStuckJob, Delay: time.Hour}, state: "InProgress"},
		{name: "running, until cleared", fault: Fault{Kind: FaultStuckJob, Rows: 12_345}, state: "InProgress", processed: 12_400, clear: true},
		{name: "running, until aborted", fault: Fault{Kind: FaultStuckJob, Rows: 1}, state: "InProgress", processed: 200, abort: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, Config{}, func(t *testing.T, c *client) {
				c.fault(test.fault)
				began := time.Now()
				id := c.begin(insertAccounts, accountRows(rows))
				time.Sleep(59 * time.Minute)
				if j := c.job(id); j.State != test.state || j.Processed != test.processed {
					t.Errorf("stuck: %+v", j)
				}
				other := c.begin(insertAccounts, "Name\nother\n") // is not hindered
				time.Sleep(time.Second)
				if j := c.job(other); j.State != "JobComplete" {
					t.Errorf("other: %+v", j)
				}
				switch {
				case test.abort:
					c.patch(id, "Aborted")
					c.org.ClearFaults()
					time.Sleep(time.Hour)
					if j := c.job(id); j.State != "Aborted" || j.Processed != test.processed {
						t.Errorf("aborted: %+v", j)
					}
					return
				case test.clear:
					if a := c.do("DELETE", "/local/faults", "", ""); a.status != 200 {
						t.Fatal(a)
					}
				}
				j := c.waitLong(id)
				if j.State != "JobComplete" || j.Processed != rows || c.org.Count("Account") != rows+1 {
					t.Errorf("in the end: %+v", j)
				}
				if took := time.Since(began); test.clear != (took < time.Hour) || took > time.Hour+2*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestFaultRows(t *testing.T) {
	t.Parallel()
	const rows = 1_000
	c := open(t, Config{})
	c.fault(Fault{Kind: FaultLockRows, Every: 7, Object: "Account", Times: 2})
	c.fault(Fault{Kind: FaultDropResult, Every: 10, Skip: 1})
	contact := c.load(spec{"object": "Contact", "operation": "insert"}, "LastName\nx\n") // takes the one that drop result skips
	if contact.Failed != 0 || len(c.table(contact.ID, "successfulResults")) != 1 {
		t.Errorf("contact: %+v", contact)
	}
	j := c.load(insertAccounts, accountRows(rows))
	if j.State != "JobComplete" || j.Processed != rows || j.Failed != rows/7 || c.org.Count("Account") != rows-rows/7 {
		t.Errorf("%+v", j)
	}
	seen := map[string]string{}
	for _, set := range []string{"successfulResults", "failedResults"} {
		for _, row := range c.table(j.ID, set) {
			seen[row[2]] = row[1]
		}
	}
	want := map[string]string{}
	for i := range rows {
		switch {
		case (i+1)%10 == 0:
		case (i+1)%7 == 0:
			want[fmt.Sprintf("r%05d", i)] = "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record:--"
		default:
			want[fmt.Sprintf("r%05d", i)] = "true"
		}
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if j := c.load(insertAccounts, accountRows(rows)); j.Failed != rows/7 || len(c.table(j.ID, "failedResults")) != rows/7 {
		t.Errorf("second job: %+v", j)
	}
	if j := c.load(insertAccounts, accountRows(rows)); j.Failed != 0 {
		t.Errorf("third job: %+v", j)
	}
}

func TestFaultLoseJob(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	c.fault(Fault{Kind: FaultLoseJob, Endpoint: "POST jobs/ingest"})
	id := c.begin(insertAccounts, "Name\nx\n")
	c.get("jobs/ingest/"+id).want(t, "lost", 404, "NOT_FOUND", "The requested resource does not exist")
	var list struct{ Records []jobAnswer }
	c.json("GET", "jobs/ingest", nil, 200, &list)
	if len(list.Records) != 0 {
		t.Errorf("listed: %+v", list)
	}
	c.org.ClearFaults()
	if j := c.wait(id); j.State != "JobComplete" {
		t.Errorf("found again: %+v", j)
	}
}

func TestFaultQueryJob(t *testing.T) {
	t.Parallel()
	inBubble(t, Config{}, func(t *testing.T, c *client) {
		state := func(id string) (j jobAnswer) {
			c.json("GET", "jobs/query/"+id, nil, 200, &j)
			return j
		}
		query := func() string {
			var j jobAnswer
			c.json("POST", "jobs/query", spec{"operation": "query", "query": "SELECT Id FROM Account"}, 200, &j)
			time.Sleep(time.Minute)
			return j.ID
		}
		c.fault(Fault{Kind: FaultFailJob, Text: "broken", Endpoint: "POST jobs/query"})
		c.fault(Fault{Kind: FaultStuckJob, Skip: 1, Delay: time.Hour})
		c.fault(Fault{Kind: FaultStuckQueue, Skip: 2, Delay: time.Hour})
		for _, want := range []string{"Failed broken", "InProgress ", "UploadComplete ", "JobComplete "} {
			id := query()
			if got := state(id); got.State+" "+got.ErrorMessage != want {
				t.Errorf("got %+v, want %s", got, want)
			}
			time.Sleep(time.Hour)
			if got := state(id); !strings.HasPrefix(want, "Failed") && got.State != "JobComplete" {
				t.Errorf("an hour later %+v", got)
			}
		}
	})
}

func TestFaultRefused(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	for body, text := range map[string]string{
		`{"kind":"break"}`:                        `no kind of fault "break"`,
		`{"kind":"fail job","rows":-1}`:           "a number of the fault is negative",
		`{"kind":"fail job","object":"Nothing"}`:  `no object "Nothing" in this org`,
		`{"kind":"fail job","endpoint":"ingest"}`: `endpoint "ingest" is not a method and a pattern`,
	} {
		c.do("POST", "/local/faults", "application/json", body).want(t, body, 400, "INVALID_FAULT", text)
	}
}
