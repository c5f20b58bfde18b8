package pipeline_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/salesforce"
)

// TestTortureCrash kills processes at random moments, over inserts of parents and their children, updates, upserts and deletes, while calls
// fail at random too, rows are locked, tokens die, and jobs fail or are aborted in the middle: 100 kills, and 1,000 with MIGRATE_TORTURE=1, which
// takes minutes.
func TestTortureCrash(t *testing.T) {
	t.Parallel()
	kills := 100
	if os.Getenv("MIGRATE_TORTURE") != "" {
		kills = 1000
	}
	var total atomic.Int64
	t.Cleanup(func() {
		if !t.Failed() {
			t.Logf("%d processes were killed; no row is lost, and none is twice", total.Load())
		}
	})
	for _, op := range []bulk2.Operation{bulk2.Insert, bulk2.Update, bulk2.Upsert, bulk2.Delete} {
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			rng, _ := random(t)
			slow := localorg.Config{StartDelay: 5 * time.Millisecond, BatchTime: 400 * time.Millisecond}
			r := newRig(t, slow)
			r.prepare(t, op)
			p := r.pace(t)
			var last tally
			runs, stops := 0, 0
			for n := 0; n < kills/4; runs++ {
				t.Run(fmt.Sprint(runs), func(t *testing.T) { // so that its folders go when it is over
					r := newRig(t, slow)
					r.prepare(t, op)
					r.faults(t, rng)
					killed, stopped := r.killUntilDone(t, rng, p, &last)
					n, stops = n+killed, stops+stopped
					total.Add(int64(killed))
					r.check(t)
				})
				if t.Failed() {
					return
				}
			}
			t.Logf("%d runs, %d stops by faults; last steps before the kills: %v", runs, stops, &last)
		})
	}
}

// prepare makes a run of one operation: 600 rows in 3 chunks, some of which the org refuses, over records that the org holds; behind inserts their
// children.
func (r *rig) prepare(t testing.TB, op bulk2.Operation) {
	t.Helper()
	dir := t.TempDir()
	if op == bulk2.Insert {
		parents := accountLoad(t, dir, 1, 600)
		r.load(t, parents, childLoad(t, dir, parents, 200))
		return
	}
	const rows, here = 600, 420 // rows, and records that are there before
	ids := r.seed(t, here)
	l := &load{Name: "accounts", Object: "Account", Operation: op, Remember: true, before: here}
	key := "Id"
	if op == bulk2.Upsert {
		key, l.ExternalID = "Legacy_Id__c", "Legacy_Id__c"
		l.Unique = []string{"_no"} // every row finds that it is the first; with the race detector that is most of the time
	}
	header := "_no," + key
	if op != bulk2.Delete {
		header += ",Name,Description,Tier__c"
	}
	w := l.writer(dir, header)
	for i := range rows {
		row := loadRow{mark: fmt.Sprintf("row %d", i)}
		legacy, tier := fmt.Sprintf("K-%d", i), "Gold"
		value := legacy
		if op != bulk2.Upsert {
			value = ids[legacy]
		} else {
			row.new = i >= here
		}
		if value == "" { // beyond the records that are there
			value, row.fate = "x", "MALFORMED_ID"
		}
		if op != bulk2.Delete && i%9 == 2 && row.fate == "" {
			tier, row.fate = "Platinum", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
		}
		if op != bulk2.Delete {
			value += ",Acme," + row.mark + "," + tier
		}
		w.row(value, row)
	}
	w.end(t)
	r.load(t, l)
}

// seed puts n accounts into the org and returns their ids by legacy id.
func (r *rig) seed(t testing.TB, n int) map[string]string {
	t.Helper()
	sf, err := salesforce.Open(t.Context(), salesforce.Config{InstanceURL: "http://localhost", Auth: salesforce.AccessToken("t"), Transport: r.org.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	client := bulk2.New(sf)
	body := bulk2.AppendRecord(nil, "Legacy_Id__c", "Name", "Description")
	for i := range n {
		body = bulk2.AppendRecord(body, fmt.Sprintf("K-%d", i), "Acme", "old")
	}
	job, err := client.Create(t.Context(), bulk2.Spec{Object: "Account", Operation: bulk2.Insert})
	if err != nil {
		t.Fatal(err)
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	if err := client.Upload(t.Context(), job.ID, open, int64(len(body))); err != nil {
		t.Fatal(err)
	}
	for job, err = client.Close(t.Context(), job.ID); err == nil && !job.State.Terminal(); job, err = client.Job(t.Context(), job.ID) {
		time.Sleep(time.Millisecond)
	}
	ids := map[string]string{}
	for rec := range r.org.Records("Account", "Legacy_Id__c", "Id") {
		ids[rec[0]] = rec[1]
	}
	if err != nil || len(ids) != n {
		t.Fatalf("%d accounts, %+v, %v", len(ids), job, err)
	}
	return ids
}

// faults lets some of the calls to come fail, some of the rows, and some of the jobs.
func (r *rig) faults(t testing.TB, rng *rand.Rand) {
	t.Helper()
	r.lock(t, localorg.Rule{Every: 1 + rng.IntN(5), Times: 1 + rng.IntN(250)})
	fault := func(f localorg.Fault) {
		if err := r.org.Fault(f); err != nil {
			t.Fatal(err)
		}
	}
	kinds := []localorg.Fault{{Kind: localorg.FaultReset}, {Kind: localorg.FaultLoseReply}, {Kind: localorg.FaultLoseReply}, {Kind: localorg.FaultStatus},
		{Kind: localorg.FaultStatus, Status: 429, RetryAfter: "0"}, {Kind: localorg.FaultCut, Bytes: rng.Int64N(3000)}, {Kind: localorg.FaultShort, Bytes: rng.Int64N(3000)},
		{Kind: localorg.FaultCutRequest, Bytes: rng.Int64N(3000)}, {Kind: localorg.FaultExpire},
		{Kind: localorg.FaultStatus, Status: 403, ContentType: "application/json", Body: `[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]`}}
	calls := []string{"POST jobs/ingest", "PUT jobs/ingest/{}/batches", "PATCH jobs/ingest/{}", "GET jobs/ingest/{}", "GET jobs/ingest/{}/successfulResults",
		"GET jobs/ingest/{}/failedResults", "GET jobs/ingest/{}/unprocessedrecords", "* *"}
	for range rng.IntN(10) {
		f := kinds[rng.IntN(len(kinds))]
		f.Endpoint = calls[rng.IntN(len(calls))]
		f.Skip, f.Times = rng.IntN(8), 1+rng.IntN(3)
		fault(f)
	}
	// A job of which the org has done nothing is offered again, but not for ever: so there are few of these.
	if rng.IntN(2) == 0 {
		why := []string{"", "TooManyLockFailure : Too many lock failure 200 Trying again later."}[rng.IntN(2)]
		fault(localorg.Fault{Endpoint: "POST jobs/ingest", Kind: localorg.FaultFailJob, Text: why, Skip: rng.IntN(4), Rows: 1 + rng.IntN(220)})
	}
	if rng.IntN(2) == 0 {
		r.abortOne(t, rng.IntN(4))
	}
}

// abortOne aborts a job from outside while the org works on it, after some others were left alone.
func (r *rig) abortOne(t testing.TB, skip int) {
	t.Helper()
	sf, err := salesforce.Open(t.Context(), salesforce.Config{InstanceURL: "http://localhost", Auth: salesforce.AccessToken("t"), Transport: r.org.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	client, seen := bulk2.New(sf), map[string]bool{}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	t.Cleanup(func() {
		stop()
		<-done
	})
	go func() {
		defer close(done)
		for ; ctx.Err() == nil; time.Sleep(3 * time.Millisecond) {
			for job, err := range client.List(ctx, bulk2.IngestJobs) {
				if err != nil || job.State != bulk2.StateInProgress || seen[job.ID] {
					continue
				}
				seen[job.ID] = true
				if len(seen) > skip {
					if _, err := client.Abort(ctx, job.ID); err == nil {
						return
					}
				}
			}
		}
	}()
}
