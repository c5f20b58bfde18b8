package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/idmap"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
)

// outerEndpoints are the calls before those of the jobs: logging in, asking what the org is like, and the query of a lookup.
var outerEndpoints = []faultAt{
	{name: "login", endpoint: "POST services/oauth2/token", size: 400, calls: 1, does: "sent again, unless the login is refused"},
	{name: "versions", endpoint: "GET services/data", size: 2000, calls: 1, does: "sent again"},
	{name: "describe", endpoint: "GET sobjects/{}/describe", size: 5000, calls: 1, does: "sent again"},
	{name: "limits", endpoint: "GET limits", size: 400, calls: 1, does: "sent again"},
	{name: "query", endpoint: "POST jobs/query", size: 400, calls: 1, does: "sent again: a query job whose name is lost runs for nobody"},
	{name: "query state", endpoint: "GET jobs/query/{}", size: 500, calls: 1, does: "sent again"},
	{name: "query page", endpoint: "GET jobs/query/{}/results", size: 250, calls: 6,
		does: "sent again; a page that is not whole, or has other rows than it says, is read anew"},
}

// rate is how often a call fails.
type rate struct {
	name  string
	times int
	share float64
}

var (
	once       = rate{"once", 1, 0}
	threeTimes = rate{"three times", 3, 0}
	tenTimes   = rate{"ten times", 10, 0} // more than a call is sent in one run
	thirtyOf   = rate{"30 % of calls", -1, 0.3}
	untilEnd   = rate{"until mended", -1, 0} // mended when the run has stopped
)

// at makes the fault one of a class of calls. With a share, one of the calls that a run surely makes is among those that fail.
func (k faultKind) at(e faultAt, often rate, rng *rand.Rand) localorg.Fault {
	f := k.fault
	f.Endpoint, f.Times, f.Share, f.Seed = e.endpoint, often.times, often.share, rng.Uint64()
	if f.Kind == localorg.FaultCut || f.Kind == localorg.FaultShort || f.Kind == localorg.FaultShortChunks {
		f.Within = e.size
	}
	for ; f.Share > 0; f.Seed++ {
		draw := rand.New(rand.NewPCG(f.Seed, 0))
		for range e.calls {
			if draw.Float64() < f.Share {
				return f
			}
		}
	}
	return f
}

// matrixTrial is a whole session with an org, over real HTTP: a login, what is asked before a load, the query of a lookup, a load.
type matrixTrial struct {
	*trial
	wire   *wire
	lookup string // file of the lookup; "" = none is wanted
	found  bool   // the lookup is there
	calls  int64  // of all sessions
	spent  time.Duration
	stops  int
}

// lookedUp is how many records the lookup finds; its pages have 7.
const lookedUp = 40

func newMatrixTrial(t *testing.T, rng *rand.Rand, op bulk2.Operation, rows int, lookup bool) *matrixTrial {
	t.Helper()
	cfg := localorg.Config{Seed: rng.Uint64(), NoGzip: rng.IntN(2) == 0}
	m := &matrixTrial{trial: newTrialOf(t, cfg, matrixLoad(t, op, rows))}
	m.options.NoSuccess = false
	if lookup {
		m.lookup = filepath.Join(t.TempDir(), "lookup.db")
		text := bulk2.AppendRecord(nil, "LastName")
		for i := range lookedUp {
			text = bulk2.AppendRecord(text, person(i))
		}
		m.put(bulk2.Spec{Object: "Contact", Operation: bulk2.Insert}, text)
	}
	m.wire = newWire(t, m.org, rng)
	return m
}

func person(i int) string { return fmt.Sprintf("O'Neil \"%d\",\nMüller", i) }

func matrixLoad(t *testing.T, op bulk2.Operation, rows int) *load {
	t.Helper()
	if op == bulk2.Insert {
		return accountLoad(t, t.TempDir(), 1, rows)
	}
	l := &load{Name: "accounts", Object: "Account", Operation: op, ExternalID: "Legacy_Id__c"}
	w := l.writer(t.TempDir(), "_no,Legacy_Id__c,Name,Description,Tier__c")
	for i := range rows {
		r, tier := loadRow{mark: fmt.Sprintf("row %d", i), new: true}, "Gold"
		if i%9 == 2 {
			tier, r.fate = "Platinum", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
		}
		w.row(fmt.Sprintf("K-%d,Acme,%s,%s", i, r.mark, tier), r)
	}
	w.end(t)
	return l
}

// session is what a command does with an org; done again, it goes on.
func (m *matrixTrial) session(ctx context.Context) error {
	sf, err := salesforce.Open(ctx, salesforce.Config{Transport: m.wire,
		Auth: salesforce.ClientCredentials{LoginURL: "http://localhost", ClientID: "client", ClientSecret: "secret"}})
	if err != nil {
		return err
	}
	defer sf.CloseIdleConnections()
	if _, err := sf.Versions(ctx); err != nil {
		return err
	}
	if _, err := sf.Describe(ctx, "Account"); err != nil {
		return err
	}
	if _, err := sf.Limits(ctx); err != nil {
		return err
	}
	client := bulk2.New(sf)
	if m.lookup != "" && !m.found {
		if _, err := (pipeline.Lookup{Object: "Contact", Field: "LastName"}).Write(ctx, &badPages{Querier: client}, m.lookup, 0); err != nil {
			return err
		}
		m.found = true
	}
	if between, ok := m.client.(*meddler); ok {
		between.Org = client
	} else {
		m.client = client
	}
	_, err = m.run()
	return err
}

// complete has sessions until one ends well. Each that stops must say that it may be resumed, and must not take for ever.
func (m *matrixTrial) complete(often rate) {
	m.t.Helper()
	most := 12
	if often.share > 0 {
		most = 500 // where 30 % of all calls stop the run, it seldom gets far
	}
	for {
		before, began := m.callsMade(), time.Now()
		err := m.session(m.t.Context())
		n, took := m.callsMade()-before, time.Since(began)
		m.calls, m.spent = m.calls+n, m.spent+took
		if n > 400 || took > 24*time.Hour {
			m.t.Errorf("a session of %d calls and %v", n, took)
		}
		if err == nil {
			return
		}
		if !errors.Is(err, salesforce.ErrTemporary) && !errors.Is(err, salesforce.ErrLimit) && !errors.Is(err, salesforce.ErrAuth) {
			m.t.Fatalf("session %d stopped with %v", m.stops+1, err)
		}
		if m.stops++; m.stops == most {
			m.t.Fatalf("still not complete after %d stops: %v", m.stops, err)
		}
		if often == untilEnd {
			m.org.ClearFaults()
		}
		time.Sleep(time.Minute)
	}
}

// callsMade is how many calls have reached the org, or should have.
func (m *matrixTrial) callsMade() (n int64) {
	a := m.org.Audit()
	for _, calls := range a.Calls {
		n += int64(calls)
	}
	for name, calls := range a.Faults {
		switch kind := name[strings.LastIndex(name, ": ")+2:]; kind {
		case localorg.FaultRefuse, localorg.FaultReset, localorg.FaultCutRequest, localorg.FaultStatus:
			n += int64(calls)
		}
	}
	return n
}

// check holds what the org has, and what the run says, against what was sent.
func (m *matrixTrial) check(strict bool) {
	m.t.Helper()
	checkExact(m.t, m.org, m.dir, m.loads...)
	if strict { // where no look is repeated, no job is looked at too often
		for _, v := range m.org.Audit().Violations {
			m.t.Errorf("the org complains: %s, job %s: %s", v.Kind, v.Job, v.Text)
		}
	}
	if m.lookup == "" {
		return
	}
	file, err := idmap.OpenLookup(m.t.Context(), m.lookup)
	if err != nil {
		m.t.Fatal(err)
	}
	defer file.Close()
	for r := range m.org.Records("Contact", "LastName", "Id") {
		found, err := file.Find(m.t.Context(), []string{r[0]})
		if err != nil || len(found[r[0]]) != 1 || found[r[0]][0] != r[1] {
			m.t.Errorf("the lookup says of %q: %v, %v; want %s", r[0], found, err, r[1])
		}
	}
}

// struck is how many calls of a class a kind of fault has made fail.
func (m *matrixTrial) struck(e faultAt, k faultKind) (n int) {
	faults := m.org.Audit().Faults
	if e.name != "any" {
		return faults[e.endpoint+": "+k.fault.Kind]
	}
	for name, calls := range faults {
		if strings.HasSuffix(name, ": "+k.fault.Kind) {
			n += calls
		}
	}
	return n
}

// TestFaults: at every class of calls every fault, several at once in one session. It is a sample of what TestTortureFaults does, drawn by
// a seed.
func TestFaults(t *testing.T) {
	for _, group := range []struct {
		name      string
		op        bulk2.Operation
		rows      int
		lookup    bool
		endpoints []faultAt
	}{
		{"insert", bulk2.Insert, 300, true, append(outerEndpoints, named("create", "upload", "close", "state", "successful", "failed")...)},
		{"upsert", bulk2.Upsert, 300, false, named("create", "upload", "close", "state", "successful", "failed")},
		{"abort", bulk2.Insert, 100, false, named("abort")},
		{"unprocessed", bulk2.Insert, 100, false, named("unprocessed")},
	} {
		for i := range faultKinds {
			t.Run(fmt.Sprintf("%s/%d", group.name, i), func(t *testing.T) {
				t.Parallel()
				rng, _ := random(t)
				synctest.Test(t, func(t *testing.T) {
					m := newMatrixTrial(t, rng, group.op, group.rows, group.lookup)
					if p := group.endpoints[0].prepare; p != nil {
						p(m.trial)
					}
					kind := func(n int) faultKind { return faultKinds[(i+n)%len(faultKinds)] }
					for n, e := range group.endpoints {
						often := []rate{once, threeTimes, tenTimes, thirtyOf}[rng.IntN(4)]
						t.Logf("%s: %s, %s", e.name, kind(n).name, often.name)
						m.fault(kind(n).at(e, often, rng))
					}
					m.complete(thirtyOf)
					m.check(false)
					for n, e := range group.endpoints {
						if m.struck(e, kind(n)) == 0 {
							t.Errorf("%s never failed by %q", e.name, kind(n).name)
						}
					}
				})
			})
		}
	}
}

func named(names ...string) (list []faultAt) {
	for _, name := range names {
		for _, e := range append(outerEndpoints, endpoints...) {
			if e.name == name {
				list = append(list, e)
			}
		}
	}
	return list
}

// put loads records from outside the run and waits for them.
func (r *trial) put(spec bulk2.Spec, text []byte) {
	r.t.Helper()
	org := r.stranger()
	job, err := org.Create(r.t.Context(), spec)
	if err != nil {
		r.t.Fatal(err)
	}
	body := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(text))), nil }
	if err := org.Upload(r.t.Context(), job.ID, body, int64(len(text))); err != nil {
		r.t.Fatal(err)
	}
	for job, err = org.Close(r.t.Context(), job.ID); err == nil && !job.State.Terminal(); job, err = org.Job(r.t.Context(), job.ID) {
		time.Sleep(2 * time.Second)
	}
	if err != nil || job.State != bulk2.StateJobComplete || job.Failed > 0 {
		r.t.Fatalf("%+v, %v", job, err)
	}
}

// balance counts the rows that should be in the org and are not, and those that are there once too often.
func (l *load) balance(org *localorg.Org) (lost, twice int) {
	missing := map[string]int{}
	for _, r := range l.rows {
		if r.fate == "" {
			missing[r.mark]++
		}
	}
	for r := range org.Records(l.Object, "Description") {
		missing[r[0]]--
	}
	for _, n := range missing {
		lost += max(n, 0)
		twice += max(-n, 0)
	}
	return lost, twice
}
