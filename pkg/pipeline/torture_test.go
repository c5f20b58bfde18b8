package pipeline_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/salesforce"
)

// TestTortureCrash kills processes at 1,000 random moments, over inserts, updates, upserts and deletes, while calls fail at
// random too and rows are locked now and then. It takes minutes, so that it wants to be asked: MIGRATE_TORTURE=1.
func TestTortureCrash(t *testing.T) {
	kills := 1000
	if os.Getenv("MIGRATE_TORTURE") == "" {
		kills = 12 // a taste of it
	}
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
					checkExact(t, r.org, r.Dir, r.Loads...)
				})
				if t.Failed() {
					return
				}
			}
			t.Logf("%d runs, %d stops by faults; last steps before the kills: %v", runs, stops, &last)
		})
	}
}

// prepare makes a run of one operation: 1,000 rows, some of which the org refuses, over records that the org holds.
func (r *rig) prepare(t testing.TB, op bulk2.Operation) {
	t.Helper()
	dir := t.TempDir()
	if op == bulk2.Insert {
		r.load(t, accountLoad(t, dir, 1, 1000))
		return
	}
	const rows, here = 1000, 700 // rows, and records that are there before
	ids := r.seed(t, here)
	l := &load{Name: "accounts", Object: "Account", Operation: op, before: here}
	key := "Id"
	if op == bulk2.Upsert {
		key, l.ExternalID = "Legacy_Id__c", "Legacy_Id__c"
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

// faults lets some of the calls to come fail, and some of the rows.
func (r *rig) faults(t testing.TB, rng *rand.Rand) {
	t.Helper()
	r.lock(t, localorg.Rule{Every: 1 + rng.IntN(5), Times: 1 + rng.IntN(400)})
	kinds := []localorg.Fault{{Kind: localorg.FaultReset}, {Kind: localorg.FaultLoseReply}, {Kind: localorg.FaultLoseReply}, {Kind: localorg.FaultStatus},
		{Kind: localorg.FaultStatus, Status: 429, RetryAfter: "0"}, {Kind: localorg.FaultCut, Bytes: rng.Int64N(3000)}, {Kind: localorg.FaultShort, Bytes: rng.Int64N(3000)},
		{Kind: localorg.FaultCutRequest, Bytes: rng.Int64N(3000)}, faults["daily limit"]}
	for range rng.IntN(8) {
		f := kinds[rng.IntN(len(kinds))]
		f.Endpoint = endpoints[rng.IntN(len(endpoints))].endpoint
		f.Skip, f.Times = rng.IntN(8), 1+rng.IntN(3)
		if err := r.org.Fault(f); err != nil {
			t.Fatal(err)
		}
	}
}
