package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
)

// several makes a run of the bench's job under several names.
func (b *bench) several(t testing.TB, jobs []pipeline.Job) (*checkpoint.Store, []pipeline.Job) {
	t.Helper()
	var rows []checkpoint.Job
	var splits []checkpoint.Split
	for i := range jobs {
		j := b.job
		j.Name, j.First, j.After, j.Writes, j.Reads, j.Reports = jobs[i].Name, jobs[i].First, jobs[i].After, jobs[i].Writes, jobs[i].Reads, jobs[i].Name
		if own := jobs[i].Source; own != nil {
			j.Source, j.Mapping, j.Columns = own, jobs[i].Mapping, jobs[i].Columns
		}
		jobs[i] = j
		rows = append(rows, checkpoint.Job{Name: j.Name, Object: j.Object, Operation: string(j.Operation), Spec: "{}"})
		for _, s := range j.Source.Splits() {
			spec, _ := json.Marshal(s)
			next, _ := json.Marshal(s.Start)
			splits = append(splits, checkpoint.Split{Job: j.Name, ID: s.ID, Spec: string(spec), Next: string(next)})
		}
	}
	b.dir = t.TempDir()
	store, err := checkpoint.Create(t.Context(), b.dir, checkpoint.Run{ID: "r", Created: time.Now(), Plan: "{}", Org: "{}"}, rows, splits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store, jobs
}

// TestTurns draws jobs that wait for and exclude one another, and looks at what runs beside what.
func TestTurns(t *testing.T) {
	b := newBench(t, localorg.Config{}, "Name\na\nb\n", nil)
	rapid.Check(t, func(rt *rapid.T) {
		objects := []string{"A", "B", "C", "D", "E"}
		var jobs []pipeline.Job
		for i := range rapid.IntRange(2, 4).Draw(rt, "jobs") {
			j := pipeline.Job{Name: fmt.Sprintf("j%d", i)}
			j.Writes = rapid.SliceOfNDistinct(rapid.SampledFrom(objects), 1, 2, rapid.ID[string]).Draw(rt, "writes")
			j.Reads = rapid.SliceOfNDistinct(rapid.SampledFrom(objects), 0, 1, rapid.ID[string]).Draw(rt, "reads")
			for k := range i {
				if rapid.IntRange(0, 4).Draw(rt, "after") == 0 {
					j.After = append(j.After, fmt.Sprintf("j%d", k))
				}
			}
			jobs = append(jobs, j)
		}
		store, jobs := b.several(t, jobs)
		var mu sync.Mutex
		running, over := map[string]pipeline.Job{}, map[string]bool{}
		var order []string
		byName := func(name string) pipeline.Job {
			return jobs[slices.IndexFunc(jobs, func(j pipeline.Job) bool { return j.Name == name })]
		}
		sum, err := pipeline.Run(t.Context(), pipeline.Config{Dir: b.dir, Checkpoint: store, Org: b.client, Jobs: jobs, PollEvery: time.Millisecond,
			Options: pipeline.Options{Concurrency: 2},
			Events: pipeline.Events{
				JobStarted: func(name string) {
					mu.Lock()
					defer mu.Unlock()
					j := byName(name)
					for _, a := range j.After {
						if !over[a] {
							rt.Errorf("%s began before %s was done", name, a)
						}
					}
					for _, other := range running {
						for _, o := range objects {
							writes, reads := slices.Contains(j.Writes, o), slices.Contains(j.Reads, o)
							if writes && slices.Contains(append(slices.Clone(other.Writes), other.Reads...), o) || reads && slices.Contains(other.Writes, o) {
								rt.Errorf("%s and %s ran side by side, and one writes %s", name, other.Name, o)
							}
						}
					}
					running[name] = j
					order = append(order, name)
				},
				JobDone: func(name string, _ checkpoint.Ledger) {
					mu.Lock()
					defer mu.Unlock()
					delete(running, name)
					over[name] = true
				},
			}})
		if err != nil {
			rt.Fatal(err)
		}
		if len(over) != len(jobs) || sum.Total.Succeeded != int64(2*len(jobs)) {
			rt.Fatalf("%d of %d jobs done, %d rows in the org; they began as %v", len(over), len(jobs), sum.Total.Succeeded, order)
		}
	})
}

// gate lets a test hold up calls to create a job.
type gate struct {
	pipeline.Org
	create func(ctx context.Context) error
}

func (g *gate) Create(ctx context.Context, s bulk2.Spec) (bulk2.Job, error) {
	if err := g.create(ctx); err != nil {
		return bulk2.Job{}, err
	}
	return g.Org.Create(ctx, s)
}

// Independent jobs are in the org at the same time: each waits in its first call until the other is there too.
func TestJobsAtOnce(t *testing.T) {
	b := newBench(t, localorg.Config{}, "Name\na\nb\n", nil)
	store, jobs := b.several(t, []pipeline.Job{{Name: "a", Writes: []string{"A"}}, {Name: "b", Writes: []string{"B"}}})
	var both sync.WaitGroup
	both.Add(2)
	org := &gate{b.client, func(ctx context.Context) error {
		both.Done()
		met := make(chan struct{})
		go func() { both.Wait(); close(met) }()
		select {
		case <-met:
			return nil
		case <-time.After(20 * time.Second):
			both.Add(-1)
			return errors.New("the other job did not come")
		}
	}}
	sum, err := pipeline.Run(t.Context(), pipeline.Config{Dir: b.dir, Checkpoint: store, Org: org, Jobs: jobs, PollEvery: time.Millisecond})
	if err != nil || sum.Total.Succeeded != 4 {
		t.Fatal(err, sum.Total)
	}
}

// A job that has too many bad rows ends the run: what is in flight is seen through, what has not begun does not begin, and the
// run can be resumed.
func TestStopOfOneStopsAll(t *testing.T) {
	b := newBench(t, localorg.Config{}, "Name\na\nb\n", nil)
	path := filepath.Join(t.TempDir(), "bad.csv")
	if err := os.WriteFile(path, []byte("Name\n"+strings.Repeat("#N/A\n", 50)), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := loadJob(t, path, nil)
	bad.Name = "bad"
	store, jobs := b.several(t, []pipeline.Job{bad, {Name: "good"}, {Name: "later", After: []string{"bad"}}})
	limit, err := pipeline.ParseLimit("10")
	if err != nil {
		t.Fatal(err)
	}
	config := pipeline.Config{Dir: b.dir, Checkpoint: store, Org: b.client, Jobs: jobs, PollEvery: time.Millisecond,
		Options: pipeline.Options{MaxErrors: limit, ChunkRows: 20}}
	sum, err := pipeline.Run(t.Context(), config)
	if !errors.Is(err, pipeline.ErrMaxErrors) || !strings.Contains(err.Error(), "job bad: ") {
		t.Fatalf("the run ended with %v", err)
	}
	if sum.Run.State != checkpoint.RunStopped || sum.Jobs[2].Ledger.Read != 0 || sum.Total.Pending != 0 {
		t.Fatalf("state %s, %+v", sum.Run.State, sum)
	}
	config.MaxErrors = pipeline.Limit{}
	if sum, err = pipeline.Run(t.Context(), config); err != nil || sum.Total.Succeeded != 4 || sum.Total.Rejected != 50 {
		t.Fatal(err, sum.Total)
	}
}

// What stopped the run is told beside what went wrong with the chunks that were seen through then.
func TestStopIsToldBesideErrors(t *testing.T) {
	b := newBench(t, localorg.Config{}, "Name\na\n"+strings.Repeat("#N/A\n", 20), nil)
	away := errors.New("the org is away")
	org := &gate{b.client, func(context.Context) error { return away }}
	run := func(most string) error {
		limit, err := pipeline.ParseLimit(most)
		if err != nil {
			t.Fatal(err)
		}
		_, err = pipeline.Run(t.Context(), pipeline.Config{Dir: b.dir, Checkpoint: b.store, Org: org, Jobs: []pipeline.Job{b.job}, PollEvery: time.Millisecond,
			Options: pipeline.Options{MaxErrors: limit}})
		return err
	}
	if err := run("100"); !errors.Is(err, away) || errors.Is(err, pipeline.ErrMaxErrors) {
		t.Fatal(err)
	}
	if err := run("10"); !errors.Is(err, away) || !errors.Is(err, pipeline.ErrMaxErrors) {
		t.Fatal(err)
	}
}
