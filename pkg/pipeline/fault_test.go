package pipeline_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
)

// trial is one run in process, with the waiting times of a real one: its test runs in a bubble, where time is free.
type trial struct {
	t       *testing.T
	org     *localorg.Org
	sf      *salesforce.Client
	client  pipeline.Org
	dir     string
	loads   []*load
	store   *checkpoint.Store
	options pipeline.Options
	events  pipeline.Events
}

// newTrial prepares a load of 300 accounts in 3 chunks. A chunk takes the org 4 seconds.
func newTrial(t *testing.T, cfg localorg.Config) *trial {
	t.Helper()
	if cfg.BatchTime == 0 {
		cfg.BatchTime = 400 * time.Second
	}
	if cfg.Schema == nil {
		cfg.Schema = schemaWithout(t)
	}
	cfg.ClientID, cfg.ClientSecret = "client", "secret"
	org, err := localorg.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { org.Close() })
	r := &trial{t: t, org: org, dir: t.TempDir(), options: pipeline.Options{ChunkRows: 100, Concurrency: 2}}
	r.sf, err = salesforce.Open(t.Context(), salesforce.Config{Transport: org.Transport(),
		Auth: salesforce.ClientCredentials{LoginURL: "http://localhost", ClientID: "client", ClientSecret: "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	r.client = bulk2.New(r.sf)
	r.loads = []*load{accountLoad(t, t.TempDir(), 1, 300)}
	r.store = newRun(t, r.dir, r.loads...)
	t.Cleanup(func() { r.store.Close() })
	return r
}

func (r *trial) run() (pipeline.Summary, error) {
	r.t.Helper()
	jobs, err := jobsOf(r.loads)
	if err != nil {
		r.t.Fatal(err)
	}
	return pipeline.Run(r.t.Context(), pipeline.Config{Dir: r.dir, Checkpoint: r.store, Org: r.client, Jobs: jobs, Options: r.options, Events: r.events})
}

// faultAt names a class of calls.
type faultAt struct {
	name, endpoint string
	prepare        func(*trial) // brings a run to make such a call, where it does not make it by itself
}

var endpoints = []faultAt{
	{name: "create", endpoint: "POST jobs/ingest"},
	{name: "upload", endpoint: "PUT jobs/ingest/{}/batches"},
	{name: "close", endpoint: "PATCH jobs/ingest/{}"},
	{name: "abort", endpoint: "PATCH jobs/ingest/{}", prepare: (*trial).loseUpload},
	{name: "state", endpoint: "GET jobs/ingest/{}"},
	{name: "successful", endpoint: "GET jobs/ingest/{}/successfulResults"},
	{name: "failed", endpoint: "GET jobs/ingest/{}/failedResults"},
	{name: "unprocessed", endpoint: "GET jobs/ingest/{}/unprocessedrecords", prepare: (*trial).abortOne},
	{name: "any", endpoint: "* *"},
}

// loseUpload makes the first job one that must be aborted: whether its data has arrived is not known.
func (r *trial) loseUpload() {
	r.options.Concurrency = 1
	r.fault(localorg.Fault{Endpoint: "PUT jobs/ingest/{}/batches", Kind: localorg.FaultLoseReply})
}

// abortOne aborts the first job that the org works on, from outside.
func (r *trial) abortOne() {
	var done atomic.Bool
	r.meddle().job = func(job bulk2.Job, err error) (bulk2.Job, error) {
		if err == nil && job.State == bulk2.StateInProgress && !done.Swap(true) {
			if _, err := bulk2.New(r.sf).Abort(r.t.Context(), job.ID); err != nil {
				r.t.Error(err)
			}
		}
		return job, err
	}
}

func apiFault(status int, code, message string) localorg.Fault {
	return localorg.Fault{Kind: localorg.FaultStatus, Status: status, ContentType: "application/json;charset=UTF-8",
		Body: fmt.Sprintf(`[{"errorCode":%q,"message":%q}]`, code, message)}
}

var faults = map[string]localorg.Fault{
	"reset":            {Kind: localorg.FaultReset},
	"cut request":      {Kind: localorg.FaultCutRequest, Bytes: 10},
	"lose reply":       {Kind: localorg.FaultLoseReply},
	"cut":              {Kind: localorg.FaultCut, Bytes: 40},
	"short":            {Kind: localorg.FaultShort, Bytes: 40},
	"500":              {Kind: localorg.FaultStatus, Status: 500},
	"502":              {Kind: localorg.FaultStatus, Status: 502},
	"503":              {Kind: localorg.FaultStatus, Status: 503},
	"429":              {Kind: localorg.FaultStatus, Status: 429, RetryAfter: "0"},
	"expired token":    {Kind: localorg.FaultExpire},
	"concurrent limit": apiFault(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
	"daily limit":      apiFault(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
}

// TestFaults: whatever fails at whatever call, once, until somebody mends it, or (MIGRATE_TORTURE=1) three times, the run comes to its end or
// stops with an error that says it may be resumed, and then comes to its end.
func TestFaults(t *testing.T) {
	for _, at := range endpoints {
		for name, fault := range faults {
			often := []int{1, -1}
			if os.Getenv("MIGRATE_TORTURE") != "" {
				often = []int{1, 3, -1}
			}
			for _, times := range often {
				if times != 1 && (name == "500" || name == "502") {
					continue // as 503
				}
				t.Run(fmt.Sprintf("%s/%s/%d", at.name, strings.ReplaceAll(name, " ", "_"), times), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						r := newTrial(t, localorg.Config{})
						if at.prepare != nil {
							at.prepare(r)
						}
						f := fault
						f.Endpoint, f.Times = at.endpoint, times
						r.fault(f)
						r.resume(times < 0)
						if n := r.org.Audit().Calls[at.endpoint]; n == 0 && at.name != "any" {
							t.Error("no such call was made")
						}
						checkExact(t, r.org, r.dir, r.loads...)
						if at.name != "state" && at.name != "any" { // where the client may repeat a look soon
							for _, v := range r.org.Audit().Violations {
								t.Errorf("the org complains: %s, job %s: %s", v.Kind, v.Job, v.Text)
							}
						}
					})
				})
			}
		}
	}
}

func (r *trial) fault(f localorg.Fault) {
	r.t.Helper()
	if err := r.org.Fault(f); err != nil {
		r.t.Fatal(err)
	}
}

// resume runs until the run is complete. Each stop must be one that resuming can mend, and must come before long: within
// hours, and after not very many calls. With mend, the faults end at the first stop.
func (r *trial) resume(mend bool) {
	r.t.Helper()
	for try := 1; ; try++ {
		began, calls := time.Now(), r.sf.Calls()
		_, err := r.run()
		if n := r.sf.Calls() - calls; n > 300 || time.Since(began) > 3*time.Hour {
			r.t.Errorf("%d calls in %v", n, time.Since(began))
		}
		if err == nil {
			return
		}
		if !errors.Is(err, salesforce.ErrTemporary) && !errors.Is(err, salesforce.ErrLimit) && !errors.Is(err, salesforce.ErrAuth) {
			r.t.Fatalf("run %d stopped with %v", try, err)
		}
		if try == 4 {
			r.t.Fatalf("still not complete: %v", err)
		}
		if mend {
			r.org.ClearFaults()
		}
		time.Sleep(time.Minute)
	}
}
