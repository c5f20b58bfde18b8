package localorg

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var seed = flag.Uint64("seed", 0, "seed of the random tests; 0 takes one from the clock")

// random gives a generator whose seed a failing test prints.
func random(t *testing.T) *rand.Rand {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("run again with -seed %d", s)
		}
	})
	return rand.New(rand.NewPCG(s, 0))
}

// jobBody makes rows with names that no other job has; every 13th has a bad value.
func jobBody(job, rows int) string {
	var b strings.Builder
	b.WriteString("Name,NumberOfEmployees\n")
	for i := range rows {
		n := "1"
		if i%13 == 5 {
			n = "many"
		}
		fmt.Fprintf(&b, "job %d row %d,%s\n", job, i, n)
	}
	return b.String()
}

// checkRows checks that every row of the jobs is in the org once or failed, that there are no others, and that each job's
// result files tell the same and give the right ids.
func checkRows(t *testing.T, c *client, rows int, ids map[int]string) {
	t.Helper()
	for _, id := range ids {
		c.wait(id)
	}
	saved := map[string]string{} // name to id
	for row := range c.org.Records("Account", "Name", "Id") {
		if other, ok := saved[row[0]]; ok {
			t.Fatalf("%s is in the org twice, as %s and %s", row[0], other, row[1])
		}
		saved[row[0]] = row[1]
	}
	total := 0
	for n, id := range ids {
		j := c.wait(id)
		if j.State != "JobComplete" || j.Processed != rows {
			t.Fatalf("job %d: %+v", n, j)
		}
		good := c.table(id, "successfulResults")
		for _, row := range good {
			if saved[row[2]] != row[0] {
				t.Fatalf("job %d: result says %s is %s, the org says %q", n, row[2], row[0], saved[row[2]])
			}
		}
		bad := c.table(id, "failedResults")
		for _, row := range bad {
			if row[3] != "many" || !strings.Contains(row[1], "Failed to deserialize field at col 1.") {
				t.Fatalf("job %d: failed row %q", n, row)
			}
		}
		total += len(good)
		if want := (rows + 7) / 13; len(bad) != want || len(good) != rows-want || j.Failed != want {
			t.Fatalf("job %d: %d rows failed and %d went in, want %d and %d", n, len(bad), len(good), want, rows-want)
		}
	}
	if len(saved) != total {
		t.Fatalf("%d rows in the org, %d in the results", len(saved), total)
	}
}

func (c *client) table(id, set string) [][]string {
	c.t.Helper()
	rows, err := csv.NewReader(strings.NewReader(c.get("jobs/ingest/" + id + "/" + set).body)).ReadAll()
	if err != nil {
		c.t.Fatal(err)
	}
	return rows[1:]
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	clk := newClock()
	cfg := Config{Dir: dir, Seed: 7, Now: clk.now}
	c := open(t, cfg)
	ids := c.insert("Account", "Phone,Legacy_Id__c,Name", "1,A-1,Acme", "2,A-2,Beta", "3,A-3,Gamma", "4,A-4,Delta")
	upsert := spec{"object": "Account", "operation": "upsert", "externalIdFieldName": "Legacy_Id__c"}
	clk.add(time.Hour)
	jobs := []string{
		c.load(spec{"object": "Account", "operation": "update"}, "Id,Phone\n"+ids[0]+",#N/A\nx,1\n").ID,
		c.load(upsert, "Name,Legacy_Id__c\nBeta 2,a-2\nNew,A-9\n,A-10\n").ID,
		c.load(spec{"object": "Account", "operation": "delete"}, "Id\n"+ids[2]+"\n"+ids[2]+"\n").ID,
		c.load(spec{"object": "Account", "operation": "hardDelete"}, "Id\n"+ids[3]+"\n").ID,
		c.load(spec{"object": "Account", "operation": "insert"}, "Nonsense\nx\n").ID,
		c.create(spec{"object": "Contact", "operation": "insert", "columnDelimiter": "TAB"}).ID,
	}
	gone := c.load(upsert, "Name,Legacy_Id__c\nz,A-2\n").ID
	c.do("DELETE", "jobs/ingest/"+gone, "", "")
	uploaded := c.create(spec{"object": "Account", "operation": "insert"}).ID
	c.upload(uploaded, "Name\nLate\n")
	aborted := c.create(spec{"object": "Account", "operation": "insert"}).ID
	c.upload(aborted, "Name\nNever\n")
	c.patch(aborted, "Aborted")
	jobs = append(jobs, uploaded, aborted)

	everything := func(c *client) map[string]string {
		all := map[string]string{"records": fmt.Sprint(c.values("Account", "Id", "Name", "Phone", "Legacy_Id__c", "CreatedDate", "SystemModstamp"))}
		for _, id := range jobs {
			all[id] = c.get("jobs/ingest/" + id).body
			for _, set := range []string{"successfulResults", "failedResults", "unprocessedrecords"} {
				all[id+" "+set] = c.get("jobs/ingest/" + id + "/" + set).body
			}
		}
		a := c.org.Audit()
		all["objects"], all["jobs"] = fmt.Sprint(a.Objects), fmt.Sprint(a.Jobs)
		all["batches"] = fmt.Sprint(c.org.batches.sum(clk.now()), c.org.records.sum(clk.now()))
		return all
	}
	want := everything(c)
	if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("opened twice: %v", err)
	}
	if err := c.org.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Seed = 99 // what was made with 7 goes on with 7
	c = open(t, cfg)
	if diff := cmp.Diff(want, everything(c)); diff != "" {
		t.Errorf("after reopening (-want +got)\n%s", diff)
	}
	c.get("jobs/ingest/"+gone).want(t, "deleted job", 404, "NOT_FOUND", "The requested resource does not exist")
	c.patch(uploaded, "UploadComplete")
	if j := c.wait(uploaded); j.State != "JobComplete" || j.Processed != 1 {
		t.Errorf("job closed after reopening: %+v", j)
	}
	if _, got := c.faults(upsert, "Name,Legacy_Id__c\nBeta 3,A-2\n"); got[0] != "" || c.org.Count("Account") != 4 {
		t.Errorf("key lookup after reopening: %q, %d rows", got, c.org.Count("Account"))
	}
}

// Wherever the journal is cut, the org opens, goes on, and has every row once.
func TestTornJournal(t *testing.T) {
	t.Parallel()
	const rows = 2_500
	rng := random(t)
	dir := t.TempDir()
	c := open(t, Config{Dir: dir})
	ids := map[int]string{}
	for n := range 3 {
		ids[n] = c.create(spec{"object": "Account", "operation": "insert"}).ID
		c.upload(ids[n], jobBody(n, rows))
	}
	for _, id := range ids {
		c.patch(id, "UploadComplete")
	}
	checkRows(t, c, rows, ids)
	if err := c.org.Close(); err != nil {
		t.Fatal(err)
	}
	journal, err := os.ReadFile(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	cuts := []int{0, 1, frameHead, len(journal) - 1, len(journal)}
	for range 20 {
		cuts = append(cuts, rng.IntN(len(journal)))
	}
	for _, cut := range cuts {
		part := t.TempDir()
		if err := os.CopyFS(part, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(part, "journal"), journal[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		c := open(t, Config{Dir: part})
		kept := map[int]string{}
		for n, id := range ids {
			c.org.mu.Lock()
			j, err := c.org.job(id)
			switch {
			case err != nil:
			case j.state == stateOpen && !j.uploaded:
				// the client would see an open job without data and abort it
			case j.state == stateOpen:
				if err := c.org.closeJob(j, string(j.user)); err != nil {
					t.Fatal(err)
				}
				kept[n] = id
			default:
				kept[n] = id
			}
			c.org.mu.Unlock()
		}
		checkRows(t, c, rows, kept)
		if err := c.org.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			t.Fatalf("journal cut at %d of %d", cut, len(journal))
		}
	}
}

// Damage before the end is told, not passed over; and so is an upload that is not what it was.
func TestDamage(t *testing.T) {
	t.Parallel()
	rng := random(t)
	dir := t.TempDir()
	c := open(t, Config{Dir: dir})
	id := c.create(spec{"object": "Account", "operation": "insert"}).ID
	c.upload(id, jobBody(0, 1000))
	c.patch(id, "UploadComplete")
	c.wait(id)
	if err := c.org.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "journal")
	journal, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := len(journal) / 2
	for range 50 {
		bad := bytes.Clone(journal)
		at := rng.IntN(last)
		bad[at] ^= 1 << rng.IntN(8)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		good, err := readFrames(f, func(byte, []byte) error { return nil })
		f.Close()
		if err == nil && good > int64(at) {
			t.Fatalf("a changed bit at %d went unseen", at)
		}
	}
	bad := slices.Concat(journal[:frameHead+5], []byte{journal[frameHead+5] ^ 1}, journal[frameHead+6:])
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "journal is damaged at byte 0") {
		t.Errorf("damaged first frame: %v", err)
	}
	if err := os.WriteFile(path, journal, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "uploads", id+".csv"), 10); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "the upload of job "+id+" is not as it was") {
		t.Errorf("cut upload: %v", err)
	}
	schema := os.DirFS(t.TempDir())
	if _, err := Open(Config{Dir: dir, Schema: schema}); err == nil || !strings.Contains(err.Error(), "no describe snapshot") {
		t.Errorf("empty schema: %v", err)
	}
	one := t.TempDir()
	data, err := builtIn.ReadFile("schema/Account.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(one, "Account.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir, Schema: os.DirFS(one)}); err == nil || !strings.Contains(err.Error(), "made with another schema") {
		t.Errorf("another schema: %v", err)
	}
}

// Frames made of anything at all are refused or replayed, but never make the org panic.
func FuzzReplay(f *testing.F) {
	s, err := loadSchema(builtInSchema(), nil)
	if err != nil {
		f.Fatal(err)
	}
	spec := []byte(`{"job":0,"spec":{"object":"Account","operation":"insert"},"version":"66.0"}`)
	chunk := appendChunkHead(nil, chunkHead{job: 0, chunk: 0, at: 1, rows: 2})
	rec := appendRecordField(appendRecordHead(nil, 0, stamps{1, 2, 3}), 7, []byte("x"))
	chunk = appendChange(chunk, opInsert, 0, rec)
	chunk = appendFailure(chunk, "", "CODE:text:--")
	f.Add(byte(eventChunk), chunk)
	f.Add(byte(eventCreated), spec)
	f.Add(byte(eventStarted), []byte(`{"job":0,"rows":10}`))
	f.Fuzz(func(t *testing.T, kind byte, payload []byte) {
		cfg := Config{}.withDefaults()
		o := &Org{cfg: cfg, schema: s, prefixes: map[string]*table{}, jobs: map[uint32]*job{}}
		o.build(1)
		if err := o.replay(eventCreated, spec); err != nil {
			t.Fatal(err)
		}
		if err := o.replay(eventStarted, []byte(`{"job":0,"rows":2}`)); err != nil {
			t.Fatal(err)
		}
		if kind == eventStarted && bytes.Contains(payload, []byte("rows")) {
			return // any number of rows is right there
		}
		_ = o.replay(kind, payload)
	})
}
