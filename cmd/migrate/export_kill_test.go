package main

import (
	"database/sql"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"migrate/internal/testdb"
)

// TestExportKilled kills the command again and again while it exports, at moments of every phase, and resumes it until it comes to its end. Then all
// records are where they belong, once; before, nothing was. It stands in KILLS of the Makefile, since the race detector sees nothing of the processes and makes
// the org slow.
func TestExportKilled(t *testing.T) {
	t.Parallel()
	testExportKilled(t, 30_000, 3, "out.parquet", "out.csv.zst", "out.db")
}

// TestTortureExportKilled does the same with a million records and 120 kills. It takes a quarter of an hour.
func TestTortureExportKilled(t *testing.T) {
	if os.Getenv("MIGRATE_TORTURE") == "" {
		t.Skip("long: set MIGRATE_TORTURE=1, or use make torture")
	}
	testExportKilled(t, 1_000_000, 30, "out.parquet", "out.csv.zst", "postgres", "out.db")
}

// testExportKilled exports to each outlet until so many processes were killed.
func testExportKilled(t *testing.T, rows, kills int, outlets ...string) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("MIGRATE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("MIGRATE_SEED: %v", err)
		}
	}
	t.Logf("MIGRATE_SEED=%d", seed)
	bin := filepath.Join(t.TempDir(), "migrate")
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for i, name := range outlets {
		t.Run(name, func(t *testing.T) {
			phase, most, all := 0, 7, kills > 7 // an export goes through all phases
			if !all {                           // each outlet has its share of them
				phase, most = (6-kills)*i/(len(outlets)-1), kills
				t.Parallel() // with more rows they would disturb each other's measure of time
			}
			x := &killedExports{bin: bin, witness: newWitness(t, rows), rng: rand.New(rand.NewPCG(seed, uint64(i))), phases: map[string]int{}}
			x.open(t, name)
			x.measure(t)
			exports := 0
			for ; x.kills < kills || all && x.missed() != "" && exports < kills; exports++ {
				x.export(t, exports%2 == 0, phase, most)
			}
			for _, v := range x.Audit().Violations {
				t.Errorf("the org complains: %s, job %s: %s", v.Kind, v.Job, v.Text)
			}
			t.Logf("%d processes of %d exports were killed; undisturbed, one takes %v, %v of them behind the last page; %d query jobs were made and not recorded; %d of %d pages were fetched again; kills: %v",
				x.kills, exports, x.whole.Round(time.Millisecond), x.tail.Round(time.Millisecond), x.orphans, x.again, 100*exports, x.phases)
			if phase := x.missed(); all && phase != "" {
				t.Errorf("no process was killed %s", phase)
			}
		})
	}
}

// killedExports are exports of one org to one outlet.
type killedExports struct {
	*witness
	outlet
	bin string
	env []string
	rng *rand.Rand

	// How an export goes that nobody kills.
	whole   time.Duration
	startup time.Duration // to the query job
	wait    time.Duration // from there to the first page
	tail    time.Duration // behind the last page
	publish time.Duration // at its end, since the outlet was touched

	kills, orphans, again int
	phases                map[string]int // kills, by what they fell into
}

var killedQuery = "SELECT " + strings.Join(killedColumns, ", ") + " FROM Account"

func (x *killedExports) open(t *testing.T, name string) {
	t.Helper()
	x.env = append(os.Environ(), "MIGRATE_INSTANCE_URL="+x.server.URL, "MIGRATE_ACCESS_TOKEN="+scriptToken)
	want := digestOfOrg(x.Org)
	path := filepath.Join(t.TempDir(), name)
	if name == "out.parquet" || name == "out.csv.zst" {
		x.outlet = &killedFile{path: path, want: want}
		return
	}
	k := &killedTable{want: want, dsn: "sqlite:" + path, journal: path + "-journal"}
	driver, address := "sqlite", "file:"+path+"?_pragma=busy_timeout(60000)"
	if name == "postgres" {
		k.dsn, k.journal = testdb.Postgres(t), ""
		driver, address = "pgx", k.dsn
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		db.Exec("DROP TABLE IF EXISTS killed")
		db.Close()
	})
	k.db = db
	x.outlet = k
	x.env = append(x.env, "KILLED_DB="+k.dsn)
}

// missed is a phase in which no process was killed, "" when there is none. The time between two steps is too short to count on.
func (x *killedExports) missed() string {
	for _, phase := range []string{"before the query job", "while the org works on it", "while pages come", "while they are decoded", "while they are published"} {
		if x.phases[phase] == 0 {
			return phase
		}
	}
	return ""
}

// moment is when a process is killed. The zero value is never.
type moment struct {
	create  bool          // when it asks for a query job
	request int           // at this call of the process; 0 = none
	pages   int           // when so many pages were answered; 0 = never
	touch   bool          // when it begins to publish
	after   time.Duration // so much later; behind the start of the process where nothing else is said
}

// measure exports undisturbed.
func (x *killedExports) measure(t *testing.T) {
	t.Helper()
	x.prepare(t, true)
	state := t.TempDir()
	p := x.run(t, moment{}, append([]string{"export", killedQuery, "--state-dir", state}, x.args()...)...)
	end := p.begun.Add(p.took)
	x.whole, x.startup, x.wait, x.tail, x.publish = p.took, p.create.Sub(p.begun), p.first.Sub(p.create), end.Sub(p.last), 50*time.Millisecond
	if !p.touch.IsZero() {
		x.publish = end.Sub(p.touch)
	}
	now := x.look(t, state)
	if x.standing(t) != "new" || len(now.pages) != 100 || p.creates != 1 || len(p.pages) != 100 {
		t.Fatalf("%s is standing, %d pages are recorded; %+v", x.standing(t), len(now.pages), p)
	}
	x.check(t, now.run, killedQuery)
}

// moment draws when the process behind the n-th kill of an export is killed. The first kills go for the first phases, since the later ones never come
// back to them; a third of the moments are any.
func (x *killedExports) moment(n int, now record) moment {
	upTo := func(d time.Duration) time.Duration { return 1 + time.Duration(x.rng.Int64N(int64(max(d, 0))+1)) }
	missing := 100 - len(now.pages)
	switch n += x.rng.IntN(3) / 2 * 100; {
	case n == 0 && now.run == "":
		return moment{after: upTo(x.startup)}
	case n == 1 && len(now.jobs) == 0:
		return moment{create: true, after: upTo(5 * time.Millisecond)}
	case n == 2 && !now.complete:
		return moment{after: x.startup + upTo(x.wait)}
	case n == 3 && missing > 1:
		if x.rng.IntN(2) == 0 {
			return moment{request: 1 + x.rng.IntN(missing), after: upTo(20 * time.Millisecond)}
		}
		return moment{pages: 1 + x.rng.IntN(missing-1), after: upTo(20 * time.Millisecond)}
	case n == 4 && missing > 0:
		return moment{pages: missing, after: upTo(x.tail - x.publish)}
	case n == 4:
		return moment{after: x.startup + upTo(x.tail-x.publish)}
	case n == 5 || n == 6:
		return moment{touch: true, after: upTo(x.publish / []time.Duration{1, 10, 100}[x.rng.IntN(3)])}
	case missing == 0:
		return moment{after: upTo(x.startup + x.tail)}
	}
	return moment{after: upTo(x.whole)}
}

// export exports once, over so many kills at most, the first of which goes for a phase.
func (x *killedExports) export(t *testing.T, old bool, phase, most int) {
	t.Helper()
	x.prepare(t, old)
	before := "nothing"
	if old {
		before = "old"
	}
	state := t.TempDir()
	begin := append([]string{"export", killedQuery, "--state-dir", state}, x.args()...)
	var now record
	stands := before
	fetched, creates, orphans := 0, 0, 0
	for kills := 0; ; kills++ {
		args := begin
		if now.run != "" {
			args = []string{"resume", now.run, "--state-dir", state}
		}
		var m moment
		if kills < most {
			m = x.moment(kills+phase, now)
		}
		p := x.run(t, m, args...)
		was := now
		now = x.look(t, state)
		for page, n := range p.pages {
			fetched += n
			if was.pages[page] {
				t.Fatalf("page %q was recorded by a process that was killed, and fetched again", page)
			}
			if n > 1 {
				t.Errorf("page %q was fetched %d times by one process", page, n)
			}
		}
		creates += p.creates
		lost := p.creates - (len(now.jobs) - len(was.jobs)) // made and not recorded
		orphans += lost
		if lost < 0 || lost > 1 || lost == 1 && (!p.killed || len(now.jobs) > 0 || p.looks > 0) {
			t.Fatalf("%d query jobs were made and %d recorded before %d calls for them, killed %v", p.creates, len(now.jobs)-len(was.jobs), p.looks, p.killed)
		}
		for job := range was.jobs {
			if !now.jobs[job] {
				t.Fatalf("query job %s was recorded and is not any more", job)
			}
		}
		stood := stands
		stands = x.standing(t)
		if now.done && stands != "new" || !now.read && stands != before || now.read && stands != before && stands != "new" {
			t.Fatalf("%s is standing where %s was before; %+v", stands, before, now)
		}
		if !p.killed || now.finished {
			break
		}
		x.kills++
		x.phases[phaseOf(p, now, stands != stood)]++
	}
	x.orphans += orphans
	x.again += fetched - 100
	if creates != 1+orphans {
		t.Errorf("%d query jobs were made, %d of them not recorded", creates, orphans)
	}
	if x.standing(t) != "new" || !now.finished || len(now.pages) != 100 {
		t.Fatalf("%s is standing at the end; %+v", x.standing(t), now)
	}
	x.check(t, now.run, killedQuery)
	if left, _ := filepath.Glob(filepath.Join(state, "runs", now.run, "pages", "*", "*")); len(left) > 0 {
		t.Errorf("%d pages are left in the run folder of an export that is over", len(left))
	}
}

// phaseOf says what a kill fell into.
func phaseOf(p process, now record, changed bool) string {
	switch {
	case len(now.jobs) == 0 && p.creates > 0:
		return "between the query job and its record"
	case len(now.jobs) == 0:
		return "before the query job"
	case !now.complete:
		return "while the org works on it"
	case !now.read:
		return "while pages come"
	case now.done:
		return "behind the record of it"
	case !p.touch.IsZero() || changed:
		return "while they are published"
	}
	return "while they are decoded"
}
