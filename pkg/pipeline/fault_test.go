package pipeline_test

import (
	"errors"
	"fmt"
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

// outside is the token of those who do something in the org beside the run.
const outside = "outside"

// newTrial prepares a load of 300 accounts in 3 chunks. A chunk takes the org 4 seconds.
func newTrial(t *testing.T, cfg localorg.Config) *trial {
	t.Helper()
	return newTrialOf(t, cfg, accountLoad(t, t.TempDir(), 1, 300))
}

// newTrialOf is newTrial with another load.
func newTrialOf(t *testing.T, cfg localorg.Config, l *load) *trial {
	t.Helper()
	if cfg.BatchTime == 0 {
		cfg.BatchTime = 400 * time.Second
	}
	if cfg.Schema == nil {
		cfg.Schema = schemaWithout(t)
	}
	cfg.ClientID, cfg.ClientSecret, cfg.AccessToken = "client", "secret", outside
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
	r.loads = []*load{l}
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
	size           int64        // of an answer in bytes, roughly
	calls          int          // that a run makes at least
	does           string       // what the engine does when such a call fails
}

// endpoints are the calls that a run makes about its jobs.
var endpoints = []faultAt{
	{name: "create", endpoint: "POST jobs/ingest", size: 500, calls: 3,
		does: "sent again: a job whose name is lost stays open, has no data and is never processed"},
	{name: "upload", endpoint: "PUT jobs/ingest/{}/batches", size: 1, calls: 3,
		does: "never sent again after doubt: the job is aborted, seen aborted, and the same rows go into another"},
	{name: "close", endpoint: "PATCH jobs/ingest/{}", size: 500, calls: 3,
		does: "never sent again after doubt: the state of the job is read; a job that is still open is closed, any other was"},
	{name: "abort", endpoint: "PATCH jobs/ingest/{}", size: 500, calls: 1, prepare: (*trial).loseUpload,
		does: "sent again; the rows go into another job only when this one is seen aborted"},
	{name: "state", endpoint: "GET jobs/ingest/{}", size: 600, calls: 3, does: "sent again"},
	{name: "successful", endpoint: "GET jobs/ingest/{}/successfulResults", size: 5000, calls: 3,
		does: "sent again; a set that is not whole, or has other rows than the job counts, is read anew"},
	{name: "failed", endpoint: "GET jobs/ingest/{}/failedResults", size: 3000, calls: 3, does: "as the successful results"},
	{name: "unprocessed", endpoint: "GET jobs/ingest/{}/unprocessedrecords", size: 5000, calls: 1, prepare: (*trial).abortOne,
		does: "as the successful results"},
	{name: "any", endpoint: "* *", size: 2000, calls: 10, does: "each as above"},
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
			if _, err := r.stranger().Abort(r.t.Context(), job.ID); err != nil {
				r.t.Error(err)
			}
		}
		return job, err
	}
}

// stranger is somebody else's client.
func (r *trial) stranger() *bulk2.Client {
	r.t.Helper()
	sf, err := salesforce.Open(r.t.Context(), salesforce.Config{InstanceURL: "http://localhost", Transport: r.org.Transport(), Auth: salesforce.AccessToken(outside)})
	if err != nil {
		r.t.Fatal(err)
	}
	return bulk2.New(sf)
}

// faultKind is a way in which a call fails.
type faultKind struct {
	name, what string
	fault      localorg.Fault
}

func status(code int, contentType, body string) localorg.Fault {
	return localorg.Fault{Kind: localorg.FaultStatus, Status: code, ContentType: contentType, Body: body}
}

func apiFault(code int, name, message string) localorg.Fault {
	return status(code, "application/json;charset=UTF-8", fmt.Sprintf(`[{"errorCode":%q,"message":%q}]`, name, message))
}

var faultKinds = []faultKind{
	{"refused", "no connection is made", localorg.Fault{Kind: localorg.FaultRefuse}},
	{"reset", "the connection ends before an answer, and the org has not acted", localorg.Fault{Kind: localorg.FaultReset}},
	{"cut request", "the connection ends somewhere in the request, and the org has not acted", localorg.Fault{Kind: localorg.FaultCutRequest, Within: 4000}},
	{"lost reply", "the org acts, and the connection ends before the answer", localorg.Fault{Kind: localorg.FaultLoseReply}},
	{"cut", "the org acts, and the connection ends somewhere in the answer", localorg.Fault{Kind: localorg.FaultCut}},
	{"short", "the org acts; the answer ends somewhere, but cleanly, with a length that fits", localorg.Fault{Kind: localorg.FaultShort}},
	{"short chunks", "the same in chunks, with a last one that says that it is the last", localorg.Fault{Kind: localorg.FaultShortChunks}},
	{"silent", "the org acts, and answers after 15 minutes, when the client has given up", localorg.Fault{Kind: localorg.FaultSlowReply, Delay: 15 * time.Minute}},
	{"late", "the org acts after 15 minutes, when the client has given up", localorg.Fault{Kind: localorg.FaultLate, Delay: 15 * time.Minute}},
	{"slow", "the answer comes after 9 minutes, when the client still waits", localorg.Fault{Kind: localorg.FaultSlowReply, Delay: 9 * time.Minute}},
	{"trickle", "the answer comes in 16 pieces, a minute apart: longer than the client waits for one, but alive", localorg.Fault{Kind: localorg.FaultTrickle, Delay: time.Minute}},
	{"stalled", "the answer begins at once, and goes on after 12 minutes, when the client has given up", localorg.Fault{Kind: localorg.FaultTrickle, Delay: 12 * time.Minute}},
	{"500 page", "with a page of HTML, as gateways write it; the org has not acted", status(500, "", "")},
	{"502 page", "", status(502, "", "")},
	{"503 page", "", status(503, "", "")},
	{"429 page", "with a page of HTML, and Retry-After: 7", localorg.Fault{Kind: localorg.FaultStatus, Status: 429, RetryAfter: "7"}},
	{"500 JSON", "UNKNOWN_EXCEPTION, in the org's own form", apiFault(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred.")},
	{"502 bare", "with no text to speak of", status(502, "text/plain", " ")},
	{"503 JSON", "SERVER_UNAVAILABLE, in the org's own form", apiFault(503, "SERVER_UNAVAILABLE", "Server is too busy.")},
	{"429 bare", "with no text to speak of, and no Retry-After", status(429, "text/plain", " ")},
	{"401", "INVALID_SESSION_ID; the token is good, but this call is refused", apiFault(401, "INVALID_SESSION_ID", "Session expired or invalid")},
	{"expired token", "all tokens are dead from this call on", localorg.Fault{Kind: localorg.FaultExpire}},
	{"concurrent limit", "403 REQUEST_LIMIT_EXCEEDED: too many long calls at once", apiFault(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.")},
	{"daily limit", "403 REQUEST_LIMIT_EXCEEDED: the calls of 24 hours are used up", apiFault(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")},
}

func (r *trial) fault(f localorg.Fault) {
	r.t.Helper()
	if err := r.org.Fault(f); err != nil {
		r.t.Fatal(err)
	}
}

// TestResultsAlwaysShort: a result set that never comes whole stops the run for now, and resuming mends it.
func TestResultsAlwaysShort(t *testing.T) {
	for _, set := range []bulk2.Kind{bulk2.Successful, bulk2.Failed} {
		for _, bytes := range []int64{0, 1, 30, 700} {
			t.Run(fmt.Sprint(set, bytes), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newTrial(t, localorg.Config{NoGzip: true})
					r.fault(localorg.Fault{Endpoint: "GET jobs/ingest/{}/" + string(set), Kind: localorg.FaultShort, Bytes: bytes, Times: -1})
					if _, err := r.run(); !errors.Is(err, salesforce.ErrTemporary) {
						t.Fatalf("run ended with %v", err)
					}
					r.org.ClearFaults()
					if _, err := r.run(); err != nil {
						t.Fatal(err)
					}
					checkExact(t, r.org, r.dir, r.loads...)
				})
			})
		}
	}
}
