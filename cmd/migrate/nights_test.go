package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"migrate/internal/localorg"
	"migrate/pkg/export"
)

// The nights of an org: between two of them its records are made, changed and deleted in every way that an export may miss, and each night the copies
// in a lake of Parquet files and in a table of PostgreSQL are held against the org.
const nightsPlan = `version: 1
jobs:
  lake:
    export: Account
    fields: all
    where: Tier__c != 'Bronze'
    to: { parquet: "lake/account/dt={run_time}/", part_rows: 40 }
    watermark: { overlap: 15m }
    deletes: { compare: 1d }
    refresh: 4d
  copy:
    export: Account
    fields: [Id, Name, AnnualRevenue, Active__c, CreatedDate, Grade__c, Tier__c, Parent.Name]
    to: { postgres: "${NIGHTS_DB}", table: account }
    watermark: true
    deletes: { compare: 3d }
    refresh: 6d
`

const nightsGrade = `{"name":"Grade__c","type":"string","length":20,"calculated":true}`

func TestNights(t *testing.T) {
	t.Parallel()
	playNights(t, 8, 7)
}

func TestTortureNights(t *testing.T) {
	if os.Getenv("MIGRATE_TORTURE") == "" {
		t.Skip("long: set MIGRATE_TORTURE=1, or use make torture")
	}
	playNights(t, 100, uint64(time.Now().UnixNano()))
}

func playNights(t *testing.T, nights int, seed uint64) {
	t.Logf("seed %d", seed)
	w := newNightWatch(t, seed)
	w.fill(120)
	for n := range nights {
		w.night = n
		w.next = w.now().Truncate(24 * time.Hour).Add(27*time.Hour + time.Duration(w.IntN(600))*time.Second) // at three, more or less
		w.day()
		w.clock.Store(w.next.Unix())
		w.export()
	}
	t.Logf("%d nights: %d exports were interrupted, %d of them resumed, %d overtaken; lake %v, copy %v", nights, w.interrupted, w.resumed, w.overtaken, w.copies[0].seen, w.copies[1].seen)
	if w.resumed == 0 || w.overtaken == 0 {
		t.Error("no export was interrupted and resumed, or none was overtaken")
	}
	for _, c := range w.copies {
		for _, what := range []string{"whole", "increment", "compared", "filtered"} {
			if c.seen[what] == 0 && !(what == "increment" && c.job == "lake") { // which compares each night
				t.Errorf("%s: no night was %s", c.job, what)
			}
		}
	}
}

type nightWatch struct {
	*testing.T
	*rand.Rand
	org    *localorg.Org
	url    string
	dir    string
	dsn    string
	db     *sql.DB
	clock  atomic.Int64
	night  int
	next   time.Time // when the next export begins
	until  time.Time // of the last night that came to its end
	ids    []string  // that are in the org
	binned []string
	extra  bool // the field that comes and goes is there
	copies []*nightCopy

	requests atomic.Int64
	stopAt   atomic.Int64 // request at which the run is interrupted
	mu       sync.Mutex
	stop     func()

	interrupted, resumed, overtaken int
	left                            string // a run that was interrupted and left
}

// nightCopy is a copy, and what it cannot know yet.
type nightCopy struct {
	job string
	// How often all rows are exported, and ids compared.
	refresh, compare int
	since            int // nights since all rows were
	unmatched        int // nights since ids were compared
	read             func() map[string]map[string]string
	gone             map[string]bool // records that went without a trace since ids were last compared
	odd              map[string]bool // records whose Grade__c has changed without a trace since all rows were last exported
	name             map[string]bool // the same of Parent.Name
	was              map[string]map[string]string
	mark             export.Mark    // after the last night
	seen             map[string]int // what kinds of nights it had
}

func newNightWatch(t *testing.T, seed uint64) *nightWatch {
	w := &nightWatch{T: t, Rand: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir(), dsn: newDatabase(t, "postgres")}
	w.db = openDatabase(t, "postgres", w.dsn)
	w.clock.Store(time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC).Unix())
	var err error
	if w.org, err = localorg.Open(localorg.Config{AccessToken: "t", Now: w.now, ResultPage: 50, Seed: seed}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.org.Close() })
	if err := w.org.AddField("Account", nightsGrade); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Date", w.now().UTC().Format(http.TimeFormat))
		if w.requests.Add(1) == w.stopAt.Load() {
			w.mu.Lock()
			w.stop()
			w.mu.Unlock()
		}
		w.org.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	variable := fmt.Sprintf("NIGHTS_DB_%d", seed) // a plan is read with the environment of the process
	w.must(os.Setenv(variable, w.dsn))
	t.Cleanup(func() { os.Unsetenv(variable) })
	w.write("plan.yaml", strings.ReplaceAll(nightsPlan, "NIGHTS_DB", variable))
	w.copies = []*nightCopy{{job: "lake", refresh: 4, compare: 1, read: w.readLake}, {job: "copy", refresh: 6, compare: 3, read: w.readTable}}
	for _, c := range w.copies {
		c.gone, c.odd, c.name, c.seen = map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]int{}
	}
	return w
}

func (w *nightWatch) now() time.Time { return time.Unix(w.clock.Load(), 0).UTC() }

func (w *nightWatch) write(name, text string) {
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
}

func (w *nightWatch) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *nightWatch) fill(n int) {
	for range n {
		w.insert(w.now().Add(-time.Duration(w.IntN(90*24*3600)) * time.Second))
	}
}

// values are those of some fields.
func (w *nightWatch) values() map[string]string {
	v := map[string]string{"Name": fmt.Sprintf("Account \"%d\",\nand more ünïcode", w.IntN(1000)), "AnnualRevenue": strconv.Itoa(w.IntN(1e9) * 13), "Active__c": strconv.FormatBool(w.IntN(2) == 0),
		"Tier__c": "", "Grade__c": strconv.Itoa(w.IntN(5))}
	if w.IntN(3) == 0 {
		v["AnnualRevenue"] = ""
	}
	if len(w.ids) > 0 && w.IntN(2) == 0 {
		v["ParentId"] = w.ids[w.IntN(len(w.ids))]
	}
	if w.extra {
		v["Extra__c"] = strconv.Itoa(w.IntN(100))
	}
	return v
}

func (w *nightWatch) insert(stamp time.Time) {
	id, err := w.org.Save("Account", w.values(), stamp)
	w.must(err)
	w.ids = append(w.ids, id)
}

func (w *nightWatch) update(stamp time.Time) {
	v := w.values()
	v["Id"] = w.ids[w.IntN(len(w.ids))]
	delete(v, "Grade__c")
	delete(v, "ParentId") // a circle is refused
	_, err := w.org.Save("Account", v, stamp)
	w.must(err)
	for _, c := range w.copies {
		c.name[v["Id"]] = true // that of its children
	}
}

func (w *nightWatch) take(list *[]string) string {
	i := w.IntN(len(*list))
	id := (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	return id
}

// day is what happens between two nights.
func (w *nightWatch) day() {
	begin := w.now()
	between := func() time.Time {
		if w.IntN(3) == 0 { // in the overlap of the night after the next
			return w.next.Add(-time.Duration(1+w.IntN(14*60)) * time.Second)
		}
		return begin.Add(time.Second + time.Duration(w.IntN(20*3600))*time.Second)
	}
	tie := w.until // a change in the very second at which the last export ended
	if tie.IsZero() {
		tie = begin
	}
	late := func() time.Time { return tie.Add(-time.Duration(1+w.IntN(14*60)) * time.Second) }
	for range 3 + w.IntN(12) {
		switch k := w.IntN(20); {
		case k < 4:
			w.insert(between())
		case k < 9:
			w.update(between())
		case k == 9:
			w.insert(tie)
		case k == 10:
			w.update(tie)
		case k == 11:
			w.insert(late())
		case k == 12:
			w.update(late())
		case k == 13 && len(w.ids) > 60:
			id := w.take(&w.ids)
			w.must(w.org.Delete("Account", id, false, between()))
			w.binned = append(w.binned, id)
			w.orphans()
		case k == 14 && len(w.ids) > 60: // in the second of the watermark, too
			id := w.take(&w.ids)
			w.must(w.org.Delete("Account", id, false, tie))
			w.binned = append(w.binned, id)
			w.orphans()
		case k == 15 && len(w.ids) > 60:
			w.vanish(w.take(&w.ids))
		case k == 16 && len(w.binned) > 0: // it may have been exported as deleted, or not
			w.vanish(w.take(&w.binned))
		case k == 17 && len(w.binned) > 0:
			id := w.take(&w.binned)
			w.must(w.org.Undelete("Account", id, between()))
			w.ids = append(w.ids, id)
		case k == 18:
			id := w.ids[w.IntN(len(w.ids))]
			w.must(w.org.Recalculate("Account", id, "Grade__c", strconv.Itoa(100+w.IntN(900))))
			for _, c := range w.copies {
				c.odd[id] = true
			}
		case k == 19: // it no longer fits the condition of the lake, as if it were gone
			id := w.take(&w.ids)
			_, err := w.org.Save("Account", map[string]string{"Id": id, "Tier__c": "Bronze"}, between())
			w.must(err)
			w.copies[0].gone[id] = true
		}
	}
	switch w.night {
	case 3, 40:
		w.must(w.org.AddField("Account", `{"name":"Extra__c","type":"double","precision":10,"scale":0}`))
		w.extra = true
		for _, id := range w.ids[:20] { // as a default fills it in
			w.must(w.org.Recalculate("Account", id, "Extra__c", "7"))
		}
	case 7, 60:
		w.must(w.org.RemoveField("Account", "Extra__c"))
		w.extra = false
	}
}

// orphans: children of a record that is gone lose their parent, and may do so without a time moving.
func (w *nightWatch) orphans() {
	for _, c := range w.copies {
		for id := range c.was {
			c.name[id] = true
		}
	}
}

func (w *nightWatch) vanish(id string) {
	w.must(w.org.Delete("Account", id, true, time.Time{}))
	for _, c := range w.copies {
		c.gone[id] = true
	}
	w.orphans()
}

func (w *nightWatch) run(interruptAt int64, args ...string) (code int, text string) {
	ctx, cancel := context.WithCancelCause(w.Context())
	defer cancel(nil)
	w.mu.Lock()
	w.stop = func() { cancel(errInterrupted) }
	w.mu.Unlock()
	w.requests.Store(0)
	w.stopAt.Store(interruptAt)
	var out bytes.Buffer
	lookup := func(name string) (string, bool) {
		if name == "MIGRATE_ACCESS_TOKEN" {
			return "t", true
		}
		return os.LookupEnv(name)
	}
	code = run(ctx, args, lookup, strings.NewReader(""), &out, &out)
	return code, out.String()
}

// export is a night: a run, that may be interrupted, and then goes on, or is left behind by the next one.
func (w *nightWatch) export() {
	args := []string{"run", filepath.Join(w.dir, "plan.yaml"), "--instance-url", w.url, "--lock"}
	at := int64(-1)
	if n := int64(3 + w.IntN(25)); w.IntN(3) == 0 {
		at = n
	}
	resume := w.IntN(2) == 0
	switch w.night { // so that each has been there
	case 2, 5:
		at, resume = 8, w.night == 2
	}
	code, text := w.run(at, args...)
	if code == codeInterrupted {
		w.interrupted++
		if resume && strings.Contains(text, "go on with") {
			w.resumed++
			code, text = w.run(-1, "resume", "--state-dir", filepath.Join(w.dir, ".migrate"))
		} else {
			w.left = w.newest()
			w.clock.Add(60)
			code, text = w.run(-1, args...) // the next one comes sooner
		}
	}
	if code != codeOK {
		w.Fatalf("night %d: exit code %d\n%s", w.night, code, text)
	}
	if w.left != "" {
		if code, text := w.run(-1, "resume", w.left); code != codeUsage && code != codeOK || code == codeUsage && !strings.Contains(text, "later run") && !strings.Contains(text, "is finished") && !strings.Contains(text, "no run") {
			w.Fatalf("night %d: a run that was overtaken: exit code %d\n%s", w.night, code, text)
		} else if strings.Contains(text, "later run") {
			w.overtaken++
		}
		w.left = ""
	}
	for _, c := range w.copies {
		if strings.Contains(w.ledger(text, c.job), "filtered") {
			c.seen["filtered"]++
		}
		mark, err := export.ReadMark(filepath.Join(w.dir, ".migrate", "exports", c.job))
		w.must(err)
		w.until = mark.Until
		c.since++
		c.unmatched++
		switch {
		case !mark.Whole.Equal(c.mark.Whole): // perhaps by a run that was interrupted behind it
			c.seen["whole"]++
			c.since, c.unmatched = 0, 0
			clear(c.gone)
			clear(c.odd)
			clear(c.name)
		case !mark.Compared.Equal(c.mark.Compared):
			c.seen["compared"]++
			c.unmatched = 0
			clear(c.gone)
		default:
			c.seen["increment"]++
		}
		c.mark = *mark
		if c.since > c.refresh || c.unmatched > c.compare {
			w.Fatalf("night %d, %s: all rows were exported %d nights ago and ids compared %d nights ago; it must be %d and %d", w.night, c.job, c.since, c.unmatched, c.refresh, c.compare)
		}
		w.judge(c)
	}
}

// ledger tells whether rows of a job were filtered.
func (w *nightWatch) ledger(text, job string) string {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 5 && f[0] == job && f[2] == exportOperation && f[4] != "0" {
			return "filtered"
		}
	}
	return ""
}

func (w *nightWatch) newest() string {
	list, err := os.ReadDir(filepath.Join(w.dir, ".migrate", "runs"))
	w.must(err)
	var newest string
	var at time.Time
	for _, e := range list {
		if info, err := os.Stat(filepath.Join(w.dir, ".migrate", "runs", e.Name(), "checkpoint.db")); err == nil && info.ModTime().After(at) {
			newest, at = filepath.Join(w.dir, ".migrate", "runs", e.Name()), info.ModTime()
		}
	}
	return newest
}

// judge holds a copy against the org.
func (w *nightWatch) judge(c *nightCopy) {
	fields := []string{"Id", "Name", "AnnualRevenue", "Active__c", "CreatedDate", "SystemModstamp", "Grade__c", "Tier__c", "ParentId"}
	if w.extra && c.job == "lake" {
		fields = append(fields, "Extra__c")
	}
	want := map[string]map[string]string{}
	names := map[string]string{}
	for row := range w.org.Records("Account", fields...) {
		m := map[string]string{}
		for i, f := range fields {
			m[f] = plainValue(row[i])
		}
		names[m["Id"]] = m["Name"]
		if c.job == "lake" && m["Tier__c"] == "Bronze" {
			continue
		}
		want[m["Id"]] = m
	}
	if c.job == "copy" {
		for _, m := range want {
			if name, ok := names[m["ParentId"]]; ok || m["ParentId"] == "" { // else it is in the recycle bin, and queries that see that give its name
				m["Parent.Name"] = name
			}
			delete(m, "ParentId")
		}
	}
	got := c.read()
	c.was = got
	var faults []string
	for _, id := range slices.Sorted(maps.Keys(got)) {
		if want[id] == nil && !c.gone[id] {
			faults = append(faults, fmt.Sprintf("%s is in the copy and not in the org", id))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if got[id] == nil {
			faults = append(faults, fmt.Sprintf("%s, changed %s, is not in the copy", id, want[id]["SystemModstamp"]))
			continue
		}
		for f, v := range want[id] {
			free := f == "Grade__c" && c.odd[id] || f == "Parent.Name" && len(c.name) > 0 || f == "ParentId" && c.name[id]
			if g := got[id][f]; g != v && !free {
				faults = append(faults, fmt.Sprintf("%s.%s is %q in the copy and %q in the org", id, f, g, v))
			}
		}
	}
	if len(faults) > 0 {
		w.Fatalf("night %d, %s: %d differences\n%s", w.night, c.job, len(faults), strings.Join(faults[:min(10, len(faults))], "\n"))
	}
}

// plainValue gives times and numbers one form.
func plainValue(v string) string {
	if at, err := time.Parse(time.RFC3339, v); err == nil {
		return at.UTC().Format(time.RFC3339)
	}
	if n, err := strconv.ParseFloat(v, 64); err == nil {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return v
}

// readLake reads the partitions as a user of the lake does: the newest row of a record counts, and the deletes of a partition behind its rows.
func (w *nightWatch) readLake() map[string]map[string]string {
	state := map[string]map[string]string{}
	parts, err := filepath.Glob(filepath.Join(w.dir, "lake", "account", "dt=*"))
	w.must(err)
	slices.Sort(parts)
	for _, p := range parts {
		if _, err := os.Stat(filepath.Join(p, "manifest.json")); errors.Is(err, fs.ErrNotExist) {
			w.Fatalf("%s has no manifest", p)
		}
		files, err := filepath.Glob(filepath.Join(p, "*.parquet"))
		w.must(err)
		for _, f := range files {
			w.readParquet(f, state)
		}
		text, err := os.ReadFile(filepath.Join(p, "deletes.csv"))
		w.must(err)
		for line := range strings.Lines(string(text)) {
			id, _, _ := strings.Cut(strings.TrimSpace(line), ",")
			delete(state, id)
		}
	}
	return state
}

func (w *nightWatch) readParquet(path string, state map[string]map[string]string) {
	r, err := file.OpenParquetFile(path, false)
	w.must(err)
	defer r.Close()
	ar, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	w.must(err)
	table, err := ar.ReadTable(w.Context())
	w.must(err)
	defer table.Release()
	rows := array.NewTableReader(table, 0)
	defer rows.Release()
	for rows.Next() {
		b := rows.RecordBatch()
		for i := range int(b.NumRows()) {
			m := map[string]string{}
			for k, c := range b.Columns() {
				if c.IsNull(i) {
					continue
				}
				v := c.ValueStr(i)
				if at, ok := c.(*array.Timestamp); ok {
					v = at.Value(i).ToTime(arrow.Millisecond).UTC().Format(time.RFC3339)
				}
				m[b.ColumnName(k)] = plainValue(v)
			}
			state[m["Id"]] = m
		}
	}
	w.must(rows.Err())
}

func (w *nightWatch) readTable() map[string]map[string]string {
	rows, err := w.db.QueryContext(w.Context(), `select * from account`)
	w.must(err)
	defer rows.Close()
	names, err := rows.Columns()
	w.must(err)
	state := map[string]map[string]string{}
	for rows.Next() {
		values := make([]any, len(names))
		for i := range values {
			values[i] = new(any)
		}
		w.must(rows.Scan(values...))
		m := map[string]string{}
		for i, name := range names {
			switch v := (*values[i].(*any)).(type) {
			case nil:
			case time.Time:
				m[name] = v.UTC().Format(time.RFC3339)
			case []byte:
				m[name] = plainValue(string(v))
			default:
				m[name] = plainValue(fmt.Sprint(v))
			}
		}
		state[m["Id"]] = m
	}
	w.must(rows.Err())
	return state
}
