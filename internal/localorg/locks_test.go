package localorg

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// inBubble runs a test in virtual time with an org that ends with it.
func inBubble(t *testing.T, cfg Config, test func(t *testing.T, c *client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.AccessToken = testToken
		o, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		test(t, &client{t: t, org: o, rt: o.Transport(), token: testToken, version: "66.0"})
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
}

// begin starts a job and does not wait for its end.
func (c *client) begin(s spec, body string) string {
	c.t.Helper()
	id := c.create(s).ID
	c.upload(id, body)
	c.patch(id, "UploadComplete")
	return id
}

// waitLong is wait for jobs that take hours.
func (c *client) waitLong(id string) jobAnswer {
	c.t.Helper()
	for !c.stateOf(id).final() {
		time.Sleep(time.Second)
	}
	return c.job(id)
}

// children makes contacts of many accounts, as many of each, in the order of their parents.
func children(rows, parents int) []string {
	list := make([]string, rows)
	for i := range list {
		list[i] = fmt.Sprintf("c%d,P-%d\n", i, i*parents/rows)
	}
	return list
}

func (c *client) parents(n int) {
	c.t.Helper()
	var b strings.Builder
	b.WriteString("Name,Legacy_Id__c\n")
	for i := range n {
		fmt.Fprintf(&b, "p%d,P-%d\n", i, i)
	}
	if j := c.waitLong(c.begin(spec{"object": "Account", "operation": "insert"}, b.String())); j.Failed > 0 {
		c.t.Fatalf("%+v", j)
	}
}

// Children in the order of their parents collide at the borders of batches only; shuffled ones everywhere.
func TestLocksBySortOrder(t *testing.T) {
	t.Parallel()
	const rows, parents = 40_000, 4_000
	sorted := children(rows, parents)
	shuffled := append([]string(nil), sorted...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(rows, func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
	cfg := Config{BatchTime: 5 * time.Minute, LockWait: 10 * time.Second, LockRetries: 1000, DailyAPI: 1 << 40}
	type result struct {
		Failed, Retries int
		Took            time.Duration
	}
	load := func(list []string) (got result) {
		inBubble(t, cfg, func(t *testing.T, c *client) {
			c.parents(parents)
			began := time.Now()
			j := c.waitLong(c.begin(spec{"object": "Contact", "operation": "insert"}, "LastName,Account.Legacy_Id__c\n"+strings.Join(list, "")))
			got = result{j.Failed, j.Retries, time.Since(began).Truncate(time.Second)}
			if j.State != "JobComplete" || j.Processed != rows {
				t.Errorf("%+v", j)
			}
			for _, row := range c.table(j.ID, "failedResults") {
				if !strings.HasPrefix(row[1], "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records: 001") || !strings.HasSuffix(row[1], ":--") {
					t.Fatalf("failed row %q", row)
				}
			}
		})
		return got
	}
	s, r := load(sorted), load(shuffled)
	t.Logf("sorted: %+v; shuffled: %+v", s, r)
	if s.Failed > 0 || s.Retries > 0 || s.Took > 6*time.Minute {
		t.Errorf("sorted: %+v", s)
	}
	if r.Failed < 100 || r.Took < 2*s.Took {
		t.Errorf("shuffled: %+v, sorted: %+v", r, s)
	}
	if again := load(shuffled); again != r {
		t.Errorf("once %+v, then %+v", r, again)
	}
}

func TestLockTable(t *testing.T) {
	t.Parallel()
	at := func(n int) time.Time { return time.Unix(0, int64(n)) }
	tab := &table{}
	keys := func(ords ...uint32) (list []place) {
		for _, o := range ords {
			list = append(list, place{tab, o})
		}
		return list
	}
	var l lockTable
	ask := func(since, job int, ords ...uint32) *lockRequest {
		r := &lockRequest{since: at(since), until: at(since + 10), job: uint32(job), keys: keys(ords...), done: make(chan struct{})}
		l.enter(r)
		return r
	}
	has := func(r *lockRequest) bool {
		select {
		case <-r.done:
			return true
		default:
			return false
		}
	}
	check := func(name string, want []bool, list ...*lockRequest) {
		t.Helper()
		var got []bool
		for _, r := range list {
			got = append(got, has(r))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	a := ask(0, 1, 1, 2)
	l.serve(at(0))
	check("the instant of asking", []bool{false}, a)
	l.serve(at(1))
	check("free", []bool{true}, a)
	d := ask(2, 4, 3, 4)
	c := ask(2, 3, 3)
	b := ask(2, 2, 2, 3)
	l.serve(at(3))
	check("b waits for a, c behind b, d behind both", []bool{false, false, false}, b, c, d)
	l.release(a, at(4))
	check("a is done", []bool{true, false, false}, b, c, d)
	l.release(b, at(5))
	check("b is done", []bool{true, false}, c, d)
	l.serve(at(12))
	check("d's last instant", []bool{false}, d)
	l.release(c, at(13)) // too late for d
	check("d's wait is over", []bool{true}, d)
	if diff := cmp.Diff(map[uint32]bool{3: true}, map[uint32]bool{3: d.denied[place{tab, 3}]}); diff != "" || len(d.denied) != 1 || len(d.keys) != 1 || d.keys[0].ord != 4 {
		t.Errorf("d got %v, denied %v", d.keys, d.denied)
	}
	l.release(d, at(14))
	if len(l.held) != 0 || len(l.queue) != 0 {
		t.Errorf("left: %v, %v", l.held, l.queue)
	}
}

// Jobs that change the same records, or give children to the same parents, wait for each other, and what waits too long fails.
func TestLocksBetweenJobs(t *testing.T) {
	t.Parallel()
	ids := func(c *client, object string) []string {
		var list []string
		for row := range c.org.Records(object, "Id") {
			list = append(list, row[0])
		}
		return list
	}
	tests := []struct {
		name   string
		cfg    Config
		object string
		op     string
		body   func(c *client) string
		want   func(c *client) []string // id and error of the rows that fail, {a} the first account, {c} the first contact
	}{
		{name: "insert by key", object: "Contact", op: "insert", body: func(*client) string { return "LastName,Account.Legacy_Id__c\nx,P-0\ny,P-1\nz,\n" },
			want: func(c *client) []string {
				return []string{"", "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records: " + ids(c, "Account")[0][:15] + ":--"}
			}},
		{name: "insert by id", object: "Contact", op: "insert", body: func(c *client) string { return "LastName,AccountId\nx," + ids(c, "Account")[0] + "\n" },
			want: func(c *client) []string {
				return []string{"", "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records: " + ids(c, "Account")[0][:15] + ":--"}
			}},
		{name: "update of the parent", object: "Account", op: "update", body: func(c *client) string { return "Id,Name\n" + ids(c, "Account")[0] + ",new\n" },
			want: func(c *client) []string {
				return []string{ids(c, "Account")[0], "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record:--"}
			}},
		{name: "upsert of the parent", object: "Account", op: "upsert", body: func(c *client) string { return "Legacy_Id__c,Name\nP-0,new\nP-9,other\n" },
			want: func(c *client) []string {
				return []string{ids(c, "Account")[0], "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record:--"}
			}},
		{name: "delete of a sister", object: "Contact", op: "delete", body: func(c *client) string { return "Id\n" + ids(c, "Contact")[0] + "\n" },
			want: func(c *client) []string {
				return []string{ids(c, "Contact")[0], "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records: " + ids(c, "Account")[0][:15] + ":--"}
			}},
		{name: "another parent", object: "Contact", op: "insert", body: func(*client) string { return "LastName,Account.Legacy_Id__c\nx,P-1\n" }},
		{name: "no lookup locks", cfg: Config{LockParents: []string{}}, object: "Contact", op: "insert",
			body: func(*client) string { return "LastName,Account.Legacy_Id__c\nx,P-0\n" }},
		{name: "another lookup locks", cfg: Config{LockParents: []string{"Contact.ReportsToId", "Case.*"}}, object: "Contact", op: "insert",
			body: func(*client) string { return "LastName,Account.Legacy_Id__c\nx,P-0\n" }},
		{name: "long patience", cfg: Config{LockWait: time.Hour}, object: "Contact", op: "insert",
			body: func(*client) string { return "LastName,Account.Legacy_Id__c\nx,P-0\n" }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.cfg.BatchTime = 50 * time.Hour // 18 s for a row
			inBubble(t, test.cfg, func(t *testing.T, c *client) {
				c.parents(2)
				c.waitLong(c.begin(spec{"object": "Contact", "operation": "insert"}, "LastName,Account.Legacy_Id__c\nfirst,P-0\n"))
				s := spec{"object": test.object, "operation": test.op}
				if test.op == "upsert" {
					s["externalIdFieldName"] = "Legacy_Id__c"
				}
				first := c.begin(spec{"object": "Contact", "operation": "insert"}, "LastName,Account.Legacy_Id__c\nsecond,P-0\n")
				time.Sleep(time.Second)
				j := c.waitLong(c.begin(s, test.body(c)))
				if got := c.waitLong(first); got.Failed != 0 {
					t.Errorf("first job %+v", got)
				}
				var want [][]string
				if test.want != nil {
					want = [][]string{test.want(c)}
				}
				var got [][]string
				for _, row := range c.table(j.ID, "failedResults") {
					got = append(got, row[:2])
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		})
	}
	if _, err := Open(Config{LockParents: []string{"Contact.Nothing"}}); err == nil || !strings.Contains(err.Error(), `no lookup is like "Contact.Nothing"`) {
		t.Errorf("unknown lookup: %v", err)
	}
}

// A batch with too many lock failures goes back into the queue, and after too many times the job fails.
func TestPutBack(t *testing.T) {
	t.Parallel()
	for _, retries := range []int{2, 100} {
		cfg := Config{BatchTime: 25 * time.Hour, LockRetries: retries, LockFailures: 150, DailyAPI: 1 << 40} // half an hour for a chunk
		inBubble(t, cfg, func(t *testing.T, c *client) {
			c.parents(1)
			holder := "LastName,Account.Legacy_Id__c\n" + strings.Repeat("h,P-0\n", 2_000) // ten chunks, five hours
			first := c.begin(spec{"object": "Contact", "operation": "insert"}, holder)
			time.Sleep(time.Second)
			second := c.begin(spec{"object": "Contact", "operation": "insert"}, holder)
			a, b := c.waitLong(first), c.waitLong(second)
			if a.State != "JobComplete" || a.Failed != 0 || a.Retries != 0 {
				t.Errorf("first job %+v", a)
			}
			left := len(c.table(second, "unprocessedrecords"))
			if retries == 100 {
				if b.State != "JobComplete" || b.Retries == 0 || left != 0 || b.Processed != 2_000 {
					t.Errorf("%d left of %+v", left, b)
				}
				return
			}
			if b.State != "Failed" || b.ErrorMessage != "TooManyLockFailure : Too many lock failure 200 Trying again later." || b.Retries != 2 {
				t.Errorf("%+v", b)
			}
			if failed := len(c.table(second, "failedResults")); failed != b.Failed || left != 2_000-b.Processed || left == 0 {
				t.Errorf("%d failed and %d left of %+v", failed, left, b)
			}
		})
	}
}

// How often a batch went back into the queue outlives the process.
func TestPutBackOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: t.TempDir(), BatchTime: 25 * time.Hour, LockRetries: 3, DailyAPI: 1 << 40}
	var first, second string
	before := 0
	inBubble(t, cfg, func(t *testing.T, c *client) {
		c.parents(1)
		children := "LastName,Account.Legacy_Id__c\n" + strings.Repeat("h,P-0\n", 2_000)
		first = c.begin(spec{"object": "Contact", "operation": "insert"}, children)
		time.Sleep(time.Second)
		second = c.begin(spec{"object": "Contact", "operation": "insert"}, children)
		for before = 0; before < 2; before = c.job(second).Retries {
			time.Sleep(time.Minute)
		}
	})
	inBubble(t, cfg, func(t *testing.T, c *client) {
		if got := c.job(second).Retries; got != before {
			t.Errorf("%d retries, %d before", got, before)
		}
		if j := c.waitLong(first); j.State != "JobComplete" || j.Failed != 0 {
			t.Errorf("first %+v", j)
		}
		if j := c.waitLong(second); j.State != "Failed" || j.Retries != 3 || !strings.HasPrefix(j.ErrorMessage, "TooManyLockFailure : ") {
			t.Errorf("second %+v", j)
		}
	})
}

// A chunk with failed rows takes its time twice where Config says so.
func TestSlowRetries(t *testing.T) {
	t.Parallel()
	body := "Name,NumberOfEmployees\n" + strings.Repeat("a,1\n", 399) + "b,many\n" // the second chunk of two
	for slow, want := range map[bool]time.Duration{false: 2 * time.Minute, true: 3 * time.Minute} {
		inBubble(t, Config{BatchTime: 50 * time.Minute, SlowRetries: slow}, func(t *testing.T, c *client) {
			began := time.Now()
			j := c.waitLong(c.begin(insertAccounts, body))
			if took := time.Since(began).Truncate(5 * time.Second); j.Failed != 1 || took != want {
				t.Errorf("slow %v: took %v, want %v; %+v", slow, took, want, j)
			}
		})
	}
}

// What a call saves waits for chunks that have the same records.
func TestLocksOfCalls(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration]int{10 * time.Second: 400, 20 * time.Second: 204} { // a row takes 18 s
		inBubble(t, Config{BatchTime: 50 * time.Hour, LockWait: wait}, func(t *testing.T, c *client) {
			c.parents(2)
			ids := c.values("Account", "Id")
			id := c.begin(spec{"object": "Contact", "operation": "insert"}, "LastName,Account.Legacy_Id__c\nx,P-0\n")
			time.Sleep(time.Second)
			began := time.Now()
			if a := c.do("PATCH", "sobjects/Account/"+ids[1][0], "application/json", `{"Name":"free"}`); a.status != 204 || time.Since(began) > time.Second {
				t.Errorf("another record: %+v after %v", a, time.Since(began))
			}
			a := c.do("PATCH", "sobjects/Account/"+ids[0][0], "application/json", `{"Name":"taken"}`)
			if a.status != want {
				t.Errorf("wait %v: %+v, want %d", wait, a, want)
			}
			if want == 400 {
				a.want(t, "update", 400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
			}
			if j := c.waitLong(id); j.Failed != 0 {
				t.Errorf("%+v", j)
			}
			if len(c.org.locks.held) != 0 {
				t.Errorf("held: %v", c.org.locks.held)
			}
		})
	}
}
