package pipeline_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/pipeline"
)

// rig is a run in a folder of its own and an org of its own, reached over a port.
type rig struct {
	child
	org *localorg.Org
}

func newRig(t testing.TB, cfg localorg.Config) *rig {
	t.Helper()
	cfg.Schema = schemaWithout(t)
	cfg.AccessToken, cfg.ClientID, cfg.ClientSecret = "t", "client", "secret" // the token is the test's own, children log in
	org, err := localorg.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(org)
	t.Cleanup(func() {
		server.Close()
		org.Close()
	})
	return &rig{org: org, child: child{URL: server.URL, Dir: t.TempDir(), IDs: filepath.Join(t.TempDir(), "ids.db"),
		Options: pipeline.Options{ChunkRows: 250, Concurrency: 3, RowRetries: 50}}}
}

// load prepares the run.
func (r *rig) load(t testing.TB, loads ...*load) {
	t.Helper()
	r.Loads = loads
	newRun(t, r.Dir, loads...).Close()
}

// standard is the run of most tests: 1,200 accounts from two files, and 600 contacts beside them, 8 chunks in all.
func (r *rig) standard(t testing.TB) {
	t.Helper()
	dir := t.TempDir()
	r.load(t, accountLoad(t, dir, 2, 600), contactLoad(t, dir, 600))
}

// run lets one child work until it ends.
func (r *rig) run(t testing.TB, crash pipeline.Step, nth int, hold bool) end {
	t.Helper()
	c := r.child
	c.Crash, c.Nth, c.Hold = string(crash), nth, hold
	return c.start(t, nil).wait(t)
}

// finish resumes the run until it is complete.
func (r *rig) finish(t testing.TB) {
	t.Helper()
	if e := r.run(t, "", 0, false); e.killed || e.code != childDone {
		t.Fatalf("the run ended with %d: %s", e.code, e.stderr)
	}
	r.check(t)
}

// check fails when a row is lost, or is twice in the org or in the reports, or has another parent than it names.
func (r *rig) check(t testing.TB) {
	t.Helper()
	checkExact(t, r.org, r.Dir, r.Loads...)
	for _, l := range r.Loads {
		for _, parents := range r.Loads {
			if l.Parents == parents.Name {
				checkParents(t, r.org, r.Dir, parents, l)
			}
		}
	}
}

// tally counts steps, for the record.
type tally struct {
	mu sync.Mutex
	n  map[pipeline.Step]int
}

func (c *tally) add(s pipeline.Step) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[pipeline.Step]int{}
	}
	c.n[s]++
}

func (c *tally) String() string {
	var b strings.Builder
	total := 0
	for _, s := range slices.Sorted(maps.Keys(c.n)) {
		fmt.Fprintf(&b, "\n%6d  %s", c.n[s], s)
		total += c.n[s]
	}
	return fmt.Sprintf("%d in all%s", total, &b)
}

// random gives the generator of a test, whose seed MIGRATE_SEED sets.
func random(t testing.TB) (*rand.Rand, uint64) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("MIGRATE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("MIGRATE_SEED: %v", err)
		}
	}
	t.Logf("MIGRATE_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1)), seed
}

// crash is where a process is killed.
type crash struct {
	step pipeline.Step
	nth  int
	hold bool
}

// kinds are the runs that are killed at each step.
var kinds = map[string]func(*rig, testing.TB){
	"side_by_side": (*rig).standard,
	"insert":       func(r *rig, t testing.TB) { r.prepare(t, bulk2.Insert) },
	"update":       func(r *rig, t testing.TB) { r.prepare(t, bulk2.Update) },
	"upsert":       func(r *rig, t testing.TB) { r.prepare(t, bulk2.Upsert) },
	"delete":       func(r *rig, t testing.TB) { r.prepare(t, bulk2.Delete) },
}

// TestCrashAtEachStep kills the process at every step of every kind of run, while rows fail for want of a lock, then its successor at some
// other step, and lets a third one end the run.
func TestCrashAtEachStep(t *testing.T) {
	t.Parallel()
	var first, second tally
	t.Cleanup(func() { t.Logf("crashes at a chosen step: %v\nsecond crashes: %v", &first, &second) })
	rng, _ := random(t)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		for _, step := range pipeline.Steps {
			if step == pipeline.StepWriteIDs && kind == "side_by_side" || step == pipeline.StepWriteClaims && (kind == "update" || kind == "delete") {
				continue // its rows are in no id map, or claim nothing
			}
			nth := 1 + rng.IntN(3)
			script := []crash{{step, nth, false}}
			switch step {
			case pipeline.StepCallState, pipeline.StepCallAbort, pipeline.StepWriteReplaced:
				// Met when a job is found whose upload may have come or not.
				before := []crash{{pipeline.StepCallUpload, 1, false}, {pipeline.StepWriteUploaded, 1, false}, {pipeline.StepWriteUploaded, 2, true}}[rng.IntN(3)]
				script = []crash{before, {step, 1, false}}
			case pipeline.StepWriteJobDone, pipeline.StepWriteSplit, pipeline.StepRest:
				script[0].nth = 1
			case pipeline.StepWriteRun:
				script[0].nth = 1 + nth%2
			}
			again := crash{pipeline.Steps[rng.IntN(len(pipeline.Steps))], 1 + rng.IntN(3), false}
			t.Run(fmt.Sprintf("%s/%s", kind, strings.ReplaceAll(string(step), " ", "_")), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, localorg.Config{})
				kinds[kind](r, t)
				r.lock(t, localorg.Rule{Every: 5, Times: 60})
				r.crash(t, script, again, &first, &second)
				r.finish(t)
			})
		}
	}
}

// crash kills the process at each crash of a script, and its successor at another step if it comes to it.
func (r *rig) crash(t testing.TB, script []crash, again crash, first, second *tally) {
	t.Helper()
	for _, c := range script {
		if e := r.run(t, c.step, c.nth, c.hold); !e.killed {
			t.Fatalf("never came to %q for the %d. time, ended with %d: %s", c.step, c.nth, e.code, e.stderr)
		}
		first.add(c.step)
	}
	switch e := r.run(t, again.step, again.nth, false); {
	case e.killed:
		second.add(again.step)
	case e.code != childDone:
		t.Fatalf("resumed run ended with %d: %s", e.code, e.stderr)
	}
}

// TestCrashInRetries kills the process at each step that a chunk meets again when its rows are sent again: when the outcome of the first job
// is recorded with the jobs that take the rest of its rows, and at the steps of the second and third job. All rows are locked in the first job, and a
// third of them later on, until 150 were; there is one chunk of 600 rows, so that every round has two jobs at first.
func TestCrashInRetries(t *testing.T) {
	t.Parallel()
	var first, second tally
	t.Cleanup(func() { t.Logf("crashes at a chosen step: %v\nsecond crashes: %v", &first, &second) })
	rng, _ := random(t)
	for _, step := range pipeline.Steps {
		scripts := [][]crash{{{step, 2 + rng.IntN(2), false}}}
		switch step {
		case pipeline.StepWriteRun, pipeline.StepWriteClaims, pipeline.StepWriteCut, pipeline.StepDoneCut, pipeline.StepWriteIDs, pipeline.StepWriteSplit, pipeline.StepWriteJobDone:
			continue // a chunk meets them once, or not here
		case pipeline.StepCallState, pipeline.StepCallAbort, pipeline.StepWriteReplaced:
			scripts = [][]crash{
				{{pipeline.StepCallUpload, 2, false}, {step, 1, false}},
				{{pipeline.StepWriteUploaded, 3, false}, {step, 1, false}},
			}
		case pipeline.StepWriteReports, pipeline.StepWriteSettled, pipeline.StepDoneSettled, pipeline.StepRest:
			scripts = append(scripts, []crash{{step, 1, false}})
		}
		for i, script := range scripts {
			again := crash{pipeline.Steps[rng.IntN(len(pipeline.Steps))], 1 + rng.IntN(3), false}
			t.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(string(step), " ", "_"), i+1), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, localorg.Config{})
				r.Options.ChunkRows, r.Options.Concurrency = 600, 1
				r.load(t, accountLoad(t, t.TempDir(), 1, 600))
				r.lock(t, localorg.Rule{Every: 3, Times: 150})
				if err := r.org.Fault(localorg.Fault{Endpoint: "POST jobs/ingest", Kind: localorg.FaultLockRows}); err != nil {
					t.Fatal(err)
				}
				r.crash(t, script, again, &first, &second)
				r.finish(t)
			})
		}
	}
}

// lock lets rows fail for want of a lock.
func (r *rig) lock(t testing.TB, rule localorg.Rule) {
	t.Helper()
	rule.Code, rule.Message = "UNABLE_TO_LOCK_ROW", lockText
	if err := r.org.Rule(rule); err != nil {
		t.Fatal(err)
	}
}

// TestCrashAtRandom kills the process at random moments, again and again until the run is complete, and begins another run
// until enough have been killed.
func TestCrashAtRandom(t *testing.T) {
	t.Parallel()
	const kills = 25
	rng, _ := random(t)
	var last tally
	slow := localorg.Config{StartDelay: 5 * time.Millisecond, BatchTime: 400 * time.Millisecond} // a chunk takes 15 ms
	r := newRig(t, slow)
	r.standard(t)
	p := r.pace(t)
	runs := 0
	for n := 0; n < kills; runs++ {
		r := newRig(t, slow)
		r.standard(t)
		killed, stopped := r.killUntilDone(t, rng, p, &last)
		if n += killed; stopped > 0 {
			t.Errorf("%d processes stopped with an error, although nothing failed", stopped)
		}
		r.check(t)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d runs; last steps before the kills: %v", runs, &last)
}

// pace is how a run goes that nobody kills: how many steps, and how long after one the next comes.
type pace struct {
	steps int
	pause time.Duration
}

func (r *rig) pace(t testing.TB) pace {
	t.Helper()
	began := time.Now()
	e := r.child.start(t, nil).wait(t)
	if e.code != childDone {
		t.Fatalf("the run ended with %d: %s", e.code, e.stderr)
	}
	r.check(t)
	return pace{steps: len(e.steps), pause: time.Since(began) / time.Duration(len(e.steps))}
}

// killUntilDone lets one process after another work on the run until one comes to its end. Each is killed a random while
// after a random step, so that the kills fall everywhere, however fast the machine is. It returns how many were killed
// and how many stopped with an error before that.
func (r *rig) killUntilDone(t testing.TB, rng *rand.Rand, p pace, last *tally) (killed, stopped int) {
	t.Helper()
	for range 200 {
		left, pause := rng.IntN(p.steps/2), time.Duration(rng.Int64N(int64(2*p.pause)))
		moment := make(chan struct{})
		run := r.child.start(t, func(string) {
			if left--; left == -1 { // "begun" is a step here
				close(moment)
			}
		})
		go func() {
			select {
			case <-moment:
				time.Sleep(pause)
				run.cmd.Process.Kill()
			case <-run.read:
			}
		}()
		e := run.wait(t)
		switch {
		case e.killed:
			killed++
			last.add(e.last())
		case e.code == childDone:
			return killed, stopped
		default:
			stopped++
			t.Log(e.stderr)
		}
	}
	t.Fatal("200 processes did not end the run")
	return killed, stopped
}
