package pipeline_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
)

const lockText = "unable to obtain exclusive access to this record or 1 records: {id}"

// rule makes rows of accounts fail.
func (r *trial) rule(rule localorg.Rule) {
	r.t.Helper()
	rule.Object = "Account"
	if err := r.org.Rule(rule); err != nil {
		r.t.Fatal(err)
	}
}

// attempts counts the rows of failed.csv by code and attempt.
func (r *trial) attempts() map[string]int {
	n := map[string]int{}
	for _, row := range r.report(pipeline.FailedFile) {
		n[row["migrate_code"]+" "+row["migrate_attempt"]]++
	}
	return n
}

// uploaded watches how many rows each job of the run has, by the order in which they end.
func (r *trial) uploaded() func() []int64 {
	var rows []int64
	seen := map[string]bool{}
	r.events.Bulk = func(_ string, _ int64, b bulk2.Job) {
		if b.State.Terminal() && !seen[b.ID] {
			seen[b.ID] = true
			rows = append(rows, b.Processed)
		}
	}
	return func() []int64 { return rows }
}

// TestLockedOnce: a fifth of the rows finds its records locked at the first time. All are in at the end, and no report has them.
func TestLockedOnce(t *testing.T) {
	t.Parallel()
	for _, noSuccess := range []bool{false, true} {
		t.Run(fmt.Sprint("no success ", noSuccess), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newTrial(t, localorg.Config{})
				r.fault(localorg.Fault{Endpoint: "POST jobs/ingest", Kind: localorg.FaultLockRows, Every: 5, Times: 3})
				r.options.RowRetries, r.options.NoSuccess = 3, noSuccess
				r.options.MaxErrors = pipeline.Limit{Rows: 98, Set: true} // what fails for good
				began := time.Now()
				sum, err := r.run()
				if err != nil {
					t.Fatal(err)
				}
				if l := sum.Total; l.Failed != r.loads[0].ledger().Failed || l.Resent == 0 || l.Again != 0 || l.Jobs <= l.Chunks {
					t.Errorf("ledger %+v", l)
				}
				if !noSuccess {
					checkExact(t, r.org, r.dir, r.loads...)
				}
				if took := time.Since(began); took < 12*time.Second || took > time.Minute {
					t.Errorf("it took %v: 4 jobs after one another, and a rest", took)
				}
			})
		})
	}
}

// TestLockedForGood: rows that stay locked are tried as often as allowed, in smaller and smaller jobs with rests between them, and are then
// reported with their attempts. Rows that fail for another reason are never sent again.
func TestLockedForGood(t *testing.T) {
	t.Parallel()
	for retries, want := range []struct {
		attempts map[string]int
		jobs     []int64 // rows in each
	}{
		{map[string]int{"UNABLE_TO_LOCK_ROW 1": 800, "STRING_TOO_LONG 1": 100, "UNKNOWN_EXCEPTION 1": 100}, []int64{1000}},
		{map[string]int{"UNABLE_TO_LOCK_ROW 2": 800, "STRING_TOO_LONG 1": 100, "UNKNOWN_EXCEPTION 2": 100}, []int64{1000, 450, 450}},
		{map[string]int{"UNABLE_TO_LOCK_ROW 3": 800, "STRING_TOO_LONG 1": 100, "UNKNOWN_EXCEPTION 2": 100}, []int64{1000, 450, 450, 200, 200, 200, 200}},
		{map[string]int{"UNABLE_TO_LOCK_ROW 4": 800, "STRING_TOO_LONG 1": 100, "UNKNOWN_EXCEPTION 2": 100},
			[]int64{1000, 450, 450, 200, 200, 200, 200, 100, 100, 100, 100, 100, 100, 100, 100}},
	} {
		t.Run(fmt.Sprint(retries, " retries"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newTrial(t, localorg.Config{})
				l := &load{Name: "accounts", Object: "Account", Operation: bulk2.Insert}
				w := l.writer(t.TempDir(), "_no,Name,Description")
				for i := range 1000 {
					row := loadRow{mark: fmt.Sprint("row ", i), fate: "UNABLE_TO_LOCK_ROW"}
					name := "locked"
					switch i % 10 {
					case 3:
						name, row.fate = "long", "STRING_TOO_LONG"
					case 6:
						name, row.fate = "unknown", "UNKNOWN_EXCEPTION"
					}
					w.row(name+","+row.mark, row)
				}
				w.end(t)
				r.loads = []*load{l}
				r.restart()
				r.rule(localorg.Rule{Field: "Name", Value: "locked", Code: "UNABLE_TO_LOCK_ROW", Message: lockText})
				r.rule(localorg.Rule{Field: "Name", Value: "long", Code: "STRING_TOO_LONG", Message: "Name: data value too large"})
				r.rule(localorg.Rule{Field: "Name", Value: "unknown", Code: "UNKNOWN_EXCEPTION", Message: "An unexpected error occurred."})
				r.options.RowRetries, r.options.ChunkRows, r.options.Concurrency = retries, 1000, 1
				jobs := r.uploaded()
				began := time.Now()
				sum, err := r.run()
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want.attempts, r.attempts()); diff != "" {
					t.Errorf("failed rows (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(want.jobs, jobs()); diff != "" {
					t.Errorf("rows of the jobs (-want +got):\n%s", diff)
				}
				checkExact(t, r.org, r.dir, r.loads...)
				var sent int64
				for _, n := range want.jobs[1:] {
					sent += n
				}
				if sum.Total.Resent != sent {
					t.Errorf("%d rows sent again, want %d", sum.Total.Resent, sent)
				}
				inOrg := time.Duration(40*(1000+sent)/1000) * time.Second // what the jobs take there
				rests := time.Duration(5*(1<<retries-1)) * time.Second
				if took := time.Since(began); took < inOrg+rests/2 || took > inOrg+rests*3/2+time.Duration(2*len(want.jobs))*4*time.Second {
					t.Errorf("it took %v: %v in the org, rests of about %v", took, inOrg, rests)
				}
			})
		})
	}
}

// TestLockedAmongOthers: rows that are equal, rows that fail for good and rows that are locked now and then, inserted without any key, in
// several chunks at once. Each ends once.
func TestLockedAmongOthers(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			r := newTrial(t, localorg.Config{Seed: seed})
			r.loads = []*load{accountLoad(t, t.TempDir(), 2, 600)}
			r.restart()
			r.rule(localorg.Rule{Every: 3, Times: 500, Code: "UNABLE_TO_LOCK_ROW", Message: lockText})
			r.options.RowRetries = 100
			sum, err := r.run()
			if err != nil {
				t.Fatal(err)
			}
			if sum.Total.Resent < 300 {
				t.Errorf("only %d rows were sent again", sum.Total.Resent)
			}
			checkExact(t, r.org, r.dir, r.loads...)
		})
	}
}

// TestRestGivesWay: while the rows of one chunk rest, another chunk is loaded, although only one may be in flight.
func TestRestGivesWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTrial(t, localorg.Config{BatchTime: time.Millisecond})
		r.fault(localorg.Fault{Endpoint: "POST jobs/ingest", Kind: localorg.FaultLockRows})
		r.options.RowRetries, r.options.Concurrency = 1, 1
		var steps []pipeline.Step
		r.events.Step = func(s pipeline.Step) {
			if s == pipeline.StepRest || s == pipeline.StepCallCreate {
				steps = append(steps, s)
			}
		}
		if _, err := r.run(); err != nil {
			t.Fatal(err)
		}
		checkExact(t, r.org, r.dir, r.loads...)
		create, rest := pipeline.StepCallCreate, pipeline.StepRest
		if diff := cmp.Diff([]pipeline.Step{create, rest, create, create, create}, steps); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
	})
}

// TestMaxErrorsCountsTheEnd: rows that only failed on the way do not count, those that stay locked do.
func TestMaxErrorsCountsTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTrial(t, localorg.Config{})
		r.rule(localorg.Rule{Code: "UNABLE_TO_LOCK_ROW", Message: lockText})
		r.options.RowRetries, r.options.MaxErrors, r.options.Concurrency = 2, pipeline.Limit{Rows: 50, Set: true}, 1
		most := int64(0)
		r.events.Progress = func(p pipeline.Progress) { most = max(most, p.Ledger.Again) }
		sum, err := r.run()
		if err == nil || !strings.Contains(err.Error(), "max-errors") {
			t.Errorf("run ended with %v", err)
		}
		if got := slices.Sorted(maps.Keys(r.attempts())); len(got) == 0 || got[len(got)-1] != "UNABLE_TO_LOCK_ROW 3" {
			t.Errorf("attempts %v", got)
		}
		if l := sum.Total; !l.Balanced() || l.Pending != 0 || most < 60 {
			t.Errorf("ledger %+v, at most %d rows on their way again", l, most)
		}
	})
}

// TestLedgerInBetween: whenever the books are opened they balance, also while rows are on their way again.
func TestLedgerInBetween(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTrial(t, localorg.Config{})
		r.rule(localorg.Rule{Every: 2, Times: 200, Code: "UNABLE_TO_LOCK_ROW", Message: lockText})
		r.options.RowRetries = 10
		var last checkpoint.Ledger // as the progress says
		r.events.Progress = func(p pipeline.Progress) { last = p.Ledger }
		looks, onTheWay := 0, 0
		var mu sync.Mutex
		r.events.Step = func(s pipeline.Step) {
			mu.Lock()
			defer mu.Unlock()
			l, err := r.store.Ledger(t.Context(), "accounts")
			if err != nil || !l.Balanced() {
				t.Errorf("before %s: %+v, %v", s, l, err)
			}
			if looks++; l.Again > 0 {
				onTheWay++
			}
			if rows := r.report(pipeline.FailedFile); int64(len(rows)) < l.Failed {
				t.Errorf("before %s: %d rows in the report, %d in the ledger", s, len(rows), l.Failed)
			}
		}
		sum, err := r.run()
		if err != nil {
			t.Fatal(err)
		}
		if onTheWay == 0 || onTheWay == looks {
			t.Errorf("rows were on their way again at %d of %d looks", onTheWay, looks)
		}
		last.Blank = sum.Total.Blank // of which the progress knows nothing
		if diff := cmp.Diff(sum.Total, last); diff != "" {
			t.Errorf("progress in the end (-checkpoint +progress):\n%s", diff)
		}
		checkExact(t, r.org, r.dir, r.loads...)
	})
}

// TestResultsGoneOfRetry: the job of a retry vanishes with its results. Its rows are unaccounted, those that wait for their turn are not
// touched by it, and none is sent another time.
func TestResultsGoneOfRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTrial(t, localorg.Config{})
		r.loads = []*load{accountLoad(t, t.TempDir(), 1, 600)}
		r.restart()
		r.fault(localorg.Fault{Endpoint: "POST jobs/ingest", Kind: localorg.FaultLockRows})
		r.options.RowRetries, r.options.ChunkRows = 1, 600
		jobs := 0
		r.meddle().close = func(id string, job bulk2.Job, err error) (bulk2.Job, error) {
			if jobs++; jobs == 2 {
				r.waitInOrg(id)
				r.delete(id)
			}
			return job, err
		}
		sum, err := r.run()
		if err == nil {
			t.Error("nobody noticed")
		}
		l := sum.Total
		if !l.Balanced() || l.Pending != 0 || l.Unaccounted == 0 || l.Succeeded == 0 || r.uploads() != 3 {
			t.Errorf("ledger %+v, %d uploads", l, r.uploads())
		}
		for _, row := range r.report(pipeline.UnaccountedFile) {
			if row["migrate_attempt"] != "2" {
				t.Fatalf("unaccounted row %v", row)
			}
		}
		if _, err := r.run(); err == nil || r.uploads() != 3 {
			t.Errorf("the next run ended with %v, %d uploads", err, r.uploads())
		}
	})
}

// TestTooManyLockFailures: a job that fails for its locks leaves rows untried. They go into smaller jobs, after a rest.
func TestTooManyLockFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTrial(t, localorg.Config{})
		r.loads = []*load{accountLoad(t, t.TempDir(), 1, 1000)}
		r.restart()
		r.fault(localorg.Fault{Endpoint: "POST jobs/ingest", Kind: localorg.FaultFailJob, Rows: 200, Text: "TooManyLockFailure : Too many lock failure 200 Trying again later."})
		r.options.ChunkRows = 1000
		rests := 0
		r.events.Step = func(s pipeline.Step) {
			if s == pipeline.StepRest {
				rests++
			}
		}
		jobs := r.uploaded()
		if _, err := r.run(); err != nil {
			t.Fatal(err)
		}
		checkExact(t, r.org, r.dir, r.loads...)
		if got := jobs(); len(got) != 3 || got[0] != 200 || got[1] > 500 || got[2] > 500 || rests != 1 {
			t.Errorf("jobs of %d rows, %d rests", got, rests)
		}
	})
}
