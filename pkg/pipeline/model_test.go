package pipeline_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
)

// TestModel plays random scripts: a small load, faults of every call, jobs that fail, are aborted or vanish, rows that fail for a while or
// for good, interrupts and crashes, one process after another until the run is at its end, on virtual time. After each step that changes
// the books, and at the end of each process, they are held against an org that knows the truth: no row is saved twice, none is in two
// reports, each is what the reports say, and a row is unaccounted only if its job has vanished. The org also notes what a client must not do.
//
// A crash is a moment from which on the org refuses every call and the checkpoint every write. Goroutines may still come as far
// as their next call or write, as if they had been quicker; what they leave in files behind the recorded lengths does not count.
//
// A failure is shrunk by rapid and comes with its seed. Time is virtual but processors are not, so that with several chunks at once the
// order of what happens at the same moment is not the seed's alone, and a failure may not come back at once: then play the fail file a few
// times.
func TestModel(t *testing.T) { testModel(t, modelRuns()) }

// TestTortureModel is the same with more.
func TestTortureModel(t *testing.T) {
	if os.Getenv("MIGRATE_TORTURE") == "" {
		t.Skip("long: set MIGRATE_TORTURE=1, or use make torture")
	}
	testModel(t, 10*modelRuns())
}

func testModel(t *testing.T, runs int) {
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() == "100" { // nobody wants another number
		defer checks.Value.Set("100")
		if err := checks.Value.Set(strconv.Itoa(runs)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.MkdirTemp("/dev/shm", "migrate-model-") // in memory: the checkpoint syncs after each write
	if err != nil {
		root = t.TempDir()
	} else {
		defer os.RemoveAll(root)
	}
	templates := modelTemplates(t, root)
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // a spool's buffer is garbage at once, and larger than all else
	begun := time.Now()
	modelSeen = &modelTally{}
	rapid.Check(t, func(rt *rapid.T) {
		m := &modelRun{script: modelDraw.Draw(rt, "script"), dir: filepath.Join(root, "run"), templates: templates}
		m.play(t)
		if len(m.org.wrong) > 0 {
			rt.Fatalf("%s\ncalls:\n\t%s", strings.Join(m.org.wrong, "\n"), strings.Join(m.org.log, "\n\t"))
		}
		modelSeen.add("runs", 1)
	})
	n := modelSeen.n["runs"]
	t.Logf("%d runs, %.0f a second:%v", n, float64(n)/time.Since(begun).Seconds(), modelSeen)
	if n >= 10_000 {
		modelSeen.complete(t)
	}
}

// TestModelFound plays what TestModel has found once.
func TestModelFound(t *testing.T) {
	root := t.TempDir()
	templates := modelTemplates(t, root)
	four := [][]modelRow{{{}, {}, {}, {}}}
	options := pipeline.Options{ChunkRows: 4, Concurrency: 1, Uploads: 1, Readers: 1}
	for name, s := range map[string]modelScript{
		// Rows that no set names were taken for those beyond the allocation, and sent again, although they were saved and only their set was
		// not whole.
		"quota, and sets that end early": {Operation: bulk2.Insert, Options: options, Splits: four, Batch: 4, Events: []modelEvent{
			{At: "process", Do: "quota, silent", Nth: 1}, {At: "results", Do: "short", Nth: 1}, {At: "results", Do: "short", Nth: 2}, {At: "results", Do: "short", Nth: 3}}},
	} {
		t.Run(name, func(t *testing.T) {
			m := &modelRun{script: s, dir: filepath.Join(root, "run"), templates: templates}
			m.play(t)
			if len(m.org.wrong) > 0 {
				t.Fatalf("%s\ncalls:\n\t%s", strings.Join(m.org.wrong, "\n"), strings.Join(m.org.log, "\n\t"))
			}
		})
	}
}

// modelRuns is how many runs there are in a usual test. With the race detector SQLite takes ten times as long, so that make test has
// another 3,000 without it.
func modelRuns() int {
	info, _ := debug.ReadBuildInfo()
	if slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return 100
	}
	return 3_000
}

// modelTemplates makes a checkpoint for each number of splits, since a copy takes less time.
func modelTemplates(t *testing.T, root string) [][]byte {
	list := [][]byte{nil}
	for n := 1; n <= 3; n++ {
		dir := filepath.Join(root, "template"+strconv.Itoa(n))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		var splits []checkpoint.Split
		for _, s := range modelSplits(n) {
			spec, _ := json.Marshal(s)
			next, _ := json.Marshal(s.Start)
			splits = append(splits, checkpoint.Split{Job: "model", ID: s.ID, Spec: string(spec), Next: string(next)})
		}
		store, err := checkpoint.Create(t.Context(), dir, checkpoint.Run{ID: "r", Created: time.Now(), Plan: "{}", Org: "{}"},
			[]checkpoint.Job{{Name: "model", Object: "Account", Operation: "insert", Spec: "{}"}}, splits)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(filepath.Join(dir, checkpoint.FileName))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, file)
	}
	return list
}

// modelTally counts what the runs have met.
type modelTally struct {
	mu sync.Mutex
	n  map[string]int
}

var modelSeen = &modelTally{}

func (c *modelTally) add(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[what] += n
}

func (c *modelTally) String() string {
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(c.n)) {
		fmt.Fprintf(&b, "\n%7d  %s", c.n[what], what)
	}
	return b.String()
}

// complete complains of what has never happened: a test that does not come there proves nothing.
func (c *modelTally) complete(t *testing.T) {
	want := slices.Clone(modelEvents)
	for _, s := range modelSteps {
		want = append(want, "steps: "+string(s), "crash at: "+string(s))
	}
	for _, file := range append([]string{pipeline.SuccessFile}, pipeline.ReportFiles...) {
		want = append(want, "rows: "+file)
	}
	for _, what := range want {
		if c.n[what] == 0 {
			t.Errorf("%q has never happened", what)
		}
	}
}
