package localorg

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// onBoth runs a test in process and over sockets.
func onBoth(t *testing.T, cfg Config, f func(t *testing.T, c *client)) {
	t.Run("in process", func(t *testing.T) {
		t.Parallel()
		f(t, open(t, cfg))
	})
	t.Run("over sockets", func(t *testing.T) {
		t.Parallel()
		c := open(t, cfg)
		s := httptest.NewServer(c.org)
		t.Cleanup(s.Close)
		rt := &http.Transport{DisableCompression: true}
		t.Cleanup(rt.CloseIdleConnections)
		c.rt = rebase{rt, s.URL}
		f(t, c)
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	onBoth(t, Config{}, func(t *testing.T, c *client) {
		fault := func(f Fault) {
			t.Helper()
			if err := c.org.Fault(f); err != nil {
				t.Fatal(err)
			}
		}
		post := func() (answer, error) {
			return c.try("POST", "jobs/ingest", "application/json", `{"object":"Account","operation":"insert"}`)
		}
		jobs := func() int {
			c.org.mu.RLock()
			defer c.org.mu.RUnlock()
			return len(c.org.jobs)
		}

		fault(Fault{Endpoint: "POST jobs/ingest", Skip: 1, Times: 2, Kind: FaultStatus})
		var got []int
		for range 4 {
			a, err := post()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, a.status)
		}
		if got[0] != 200 || got[1] != 503 || got[2] != 503 || got[3] != 200 || jobs() != 2 {
			t.Errorf("status: %v, %d jobs", got, jobs())
		}
		fault(Fault{Kind: FaultStatus, Status: 429, RetryAfter: "7", ContentType: "application/json", Body: "[]"})
		if a := c.get("limits"); a.status != 429 || a.header.Get("Retry-After") != "7" || a.body != "[]" {
			t.Errorf("429: %+v", a)
		}

		fault(Fault{Endpoint: "POST *", Kind: FaultReset})
		if _, err := post(); err == nil || jobs() != 2 {
			t.Errorf("reset: error %v, %d jobs", err, jobs())
		}
		fault(Fault{Endpoint: "* jobs/ingest", Kind: FaultLoseReply})
		if _, err := post(); err == nil || jobs() != 3 {
			t.Errorf("lost reply: error %v, %d jobs", err, jobs())
		}

		j := c.create(spec{"object": "Account", "operation": "insert"})
		fault(Fault{Endpoint: "PUT jobs/ingest/{}/batches", Kind: FaultCutRequest, Bytes: 100})
		if _, err := c.try("PUT", "jobs/ingest/"+j.ID+"/batches", "text/csv", "Name\n"+strings.Repeat("x\n", 1<<20)); err == nil {
			t.Error("cut request: no error")
		}
		fault(Fault{Endpoint: "PUT jobs/ingest/{}/batches", Kind: FaultLoseReply})
		if _, err := c.try("PUT", "jobs/ingest/"+j.ID+"/batches", "text/csv", "Name\nx\ny\n"); err == nil {
			t.Error("lost upload: no error")
		}
		if a := c.do("PUT", "jobs/ingest/"+j.ID+"/batches", "text/csv", "Name\nx\n"); a.status != 400 {
			t.Errorf("second upload: %+v", a)
		}
		c.patch(j.ID, "UploadComplete")
		c.wait(j.ID)

		whole := c.get("jobs/ingest/" + j.ID + "/successfulResults").body
		fault(Fault{Endpoint: "GET jobs/ingest/{}/successfulResults", Kind: FaultCut, Bytes: 40})
		a, err := c.try("GET", "jobs/ingest/"+j.ID+"/successfulResults", "", "")
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(whole, a.body) {
			t.Errorf("cut: %q, error %v", a.body, err)
		}
		fault(Fault{Endpoint: "GET jobs/ingest/{}/successfulResults", Kind: FaultShort, Bytes: 40})
		if a := c.get("jobs/ingest/" + j.ID + "/successfulResults"); a.body != whole[:40] {
			t.Errorf("short: %q", a.body)
		}
		fault(Fault{Endpoint: "GET sobjects/{}/describe", Kind: FaultShort, Bytes: 40})
		if a := c.get("sobjects/Account/describe"); len(a.body) != 40 {
			t.Errorf("short with a length: %q", a.body)
		}
		fault(Fault{Endpoint: "GET limits", Kind: FaultDelay, Delay: 20 * time.Millisecond})
		began := time.Now()
		if a := c.get("limits"); a.status != 200 || time.Since(began) < 20*time.Millisecond {
			t.Errorf("delay: %d after %v", a.status, time.Since(began))
		}

		if a := c.do("POST", "/local/faults", "application/json", `{"kind":"status","status":500,"times":-1}`); a.status != 200 {
			t.Errorf("control: %+v", a)
		}
		for range 3 {
			if a := c.get("limits"); a.status != 500 || !strings.Contains(a.body, "<html>") {
				t.Errorf("endless fault: %+v", a)
			}
		}
		c.do("DELETE", "/local/faults", "", "")
		if a := c.get("limits"); a.status != 200 {
			t.Errorf("cleared: %+v", a)
		}
		c.do("POST", "/local/faults", "application/json", `{"kind":"x"}`).want(t, "unknown kind", 400, "INVALID_FAULT", `no kind of fault "x"`)
		c.do("POST", "/local/faults", "application/json", `{"kind":"reset","endpoint":"limits"}`).want(t, "endpoint", 400, "INVALID_FAULT", `endpoint "limits" is not a method and a pattern`)
	})
}

func TestFaultExpire(t *testing.T) {
	t.Parallel()
	c := open(t, Config{ClientID: "app", ClientSecret: "x"})
	_, body := c.login(map[string][]string{"grant_type": {"client_credentials"}, "client_id": {"app"}, "client_secret": {"x"}})
	c.token = body["access_token"]
	if err := c.org.Fault(Fault{Endpoint: "GET limits", Skip: 1, Kind: FaultExpire}); err != nil {
		t.Fatal(err)
	}
	if a := c.get("limits"); a.status != 200 {
		t.Errorf("%+v", a)
	}
	c.get("limits").want(t, "expired", 401, "INVALID_SESSION_ID", "Session expired or invalid")
}

// A client that ends a call, or sends less or more than it said, leaves the job as it was.
func TestBrokenUploads(t *testing.T) {
	t.Parallel()
	onBoth(t, Config{}, func(t *testing.T, c *client) {
		j := c.create(spec{"object": "Account", "operation": "insert"})
		long := c.create(spec{"object": "Account", "operation": "insert"})
		send := func(ctx context.Context, id string, body io.Reader, length int64) error {
			r, err := http.NewRequestWithContext(ctx, "PUT", "http://org/services/data/v66.0/jobs/ingest/"+id+"/batches", body)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "text/csv")
			r.Header.Set("Authorization", "Bearer "+testToken)
			r.ContentLength = length
			res, err := c.rt.RoundTrip(r)
			if err == nil {
				res.Body.Close()
				t.Errorf("answer %d", res.StatusCode)
			}
			return err
		}
		send(t.Context(), j.ID, io.MultiReader(strings.NewReader("Name\nx\n")), 100)
		if err := send(t.Context(), long.ID, io.MultiReader(strings.NewReader("Name\nx\n")), 5); err == nil {
			t.Error("a body longer than announced went through")
		}
		broken := errors.New("disk gone")
		if err := send(t.Context(), j.ID, io.MultiReader(strings.NewReader("Name\nx\n"), failing{broken}), -1); err == nil {
			t.Error("a body that cannot be read went through")
		}
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe()
		go func() {
			w.Write([]byte("Name\nx\n"))
			cancel()
			w.CloseWithError(context.Canceled)
		}()
		if err := send(ctx, j.ID, r, -1); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		var last answer
		for range 1000 { // until the org has noticed; it may not even have begun to read the cancelled call
			if last = c.do("PUT", "jobs/ingest/"+j.ID+"/batches", "text/csv", "Name\nx\n"); last.status == 201 {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Errorf("upload after broken ones: %d %s", last.status, last.body)
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A call that hangs ends with its context, and one on a closed org fails at once.
func TestTransportEnds(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	if err := c.org.Fault(Fault{Kind: FaultDelay, Delay: time.Hour, Times: 2}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", "http://org/services/data/", nil)
	if _, err := c.rt.RoundTrip(r); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("timeout: %v", err)
	}
	hung := make(chan error)
	go func() {
		_, err := c.try("GET", "/services/data/", "", "")
		hung <- err
	}()
	for { // until it hangs
		c.org.mu.RLock()
		left := c.org.faults[0].Times
		c.org.mu.RUnlock()
		if left == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := c.org.Close(); err != nil {
		t.Fatal(err)
	}
	<-hung
	if _, err := c.try("GET", "/services/data/", "", ""); err == nil {
		t.Error("a closed org answers")
	}
}

// The answer streams: its first part is there before its last is written.
func TestTransportStreams(t *testing.T) {
	t.Parallel()
	c := open(t, Config{KeepOrder: true})
	j := c.load(spec{"object": "Account", "operation": "insert"}, "Name\n"+strings.Repeat("some name\n", 50_000))
	r, _ := http.NewRequest("GET", "http://org/services/data/v66.0/jobs/ingest/"+j.ID+"/successfulResults", nil)
	r.Header.Set("Authorization", "Bearer "+testToken)
	res, err := c.rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(res.Body, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil { // the org's side ends too, or the test does not
		t.Fatal(err)
	}
}

// Inside a bubble hours of processing pass at once, and at the right pace.
func TestVirtualTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, err := Open(Config{AccessToken: testToken, StartDelay: time.Minute, BatchTime: time.Hour, Slots: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		c := &client{t: t, org: o, rt: o.Transport(), token: testToken, version: "66.0"}
		j := c.create(spec{"object": "Account", "operation": "insert"})
		c.upload(j.ID, "Name\n"+strings.Repeat("x\n", 40_000)) // four batches on two slots
		began := time.Now()
		c.patch(j.ID, "UploadComplete")
		seen := map[string]bool{}
		for {
			got := c.job(j.ID)
			seen[got.State] = true
			if got.State == "JobComplete" {
				break
			}
			time.Sleep(10 * time.Second)
		}
		if took := time.Since(began); took < 2*time.Hour+time.Minute || took > 2*time.Hour+2*time.Minute {
			t.Errorf("took %v, want two hours and a minute", took)
		}
		if !seen["UploadComplete"] || !seen["InProgress"] {
			t.Errorf("states seen: %v", seen)
		}
		if got := o.Audit().Violations; len(got) != 0 {
			t.Errorf("violations: %v", got)
		}
	})
}
