package localorg

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestFaultShare(t *testing.T) {
	t.Parallel()
	draw := func(seed uint64) (failed string) {
		c := open(t, Config{})
		if err := c.org.Fault(Fault{Endpoint: "GET limits", Kind: FaultStatus, Times: -1, Share: 0.3, Seed: seed}); err != nil {
			t.Fatal(err)
		}
		for range 500 {
			failed += map[int]string{200: ".", 503: "x"}[c.get("limits").status]
		}
		if n := c.org.Audit().Faults["GET limits: status"]; n != strings.Count(failed, "x") {
			t.Errorf("%d calls failed, the audit says %d", strings.Count(failed, "x"), n)
		}
		return failed
	}
	one, two := draw(1), draw(2)
	if n := strings.Count(one, "x"); len(one) != 500 || n < 100 || n > 200 || one == two || one != draw(1) {
		t.Errorf("%d of 500 failed, want about 150, by seed\n%s\n%s", n, one, two)
	}
	c := open(t, Config{})
	for _, f := range []Fault{{Kind: FaultReset, Share: 1.1}, {Kind: FaultReset, Share: -0.1}, {Kind: FaultFailJob, Share: 0.3}, {Kind: FaultReset, Within: -1}} {
		if c.org.Fault(f) == nil {
			t.Errorf("%+v was taken", f)
		}
	}
}

func TestFaultWithin(t *testing.T) {
	t.Parallel()
	onBoth(t, Config{NoGzip: true}, func(t *testing.T, c *client) {
		whole := c.get("sobjects/Account/describe").body
		if err := c.org.Fault(Fault{Endpoint: "GET sobjects/{}/describe", Kind: FaultCut, Times: -1, Within: int64(len(whole))}); err != nil {
			t.Fatal(err)
		}
		at := map[int]bool{}
		for range 30 {
			a, err := c.try("GET", "sobjects/Account/describe", "", "")
			if err == nil || !strings.HasPrefix(whole, a.body) {
				t.Fatalf("%q, %v", a.body, err)
			}
			at[len(a.body)] = true
		}
		if len(at) < 15 {
			t.Errorf("30 answers ended at %d places", len(at))
		}
	})
}

func TestFaultRefuse(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	if err := c.org.Fault(Fault{Endpoint: "POST jobs/ingest", Kind: FaultRefuse}); err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequest("GET", "http://org/services/data/v66.0/limits", nil)
	if c.get("limits").status != 200 || c.org.Refuses(r) {
		t.Error("another call was refused")
	}
	_, err := c.try("POST", "jobs/ingest", "application/json", `{"object":"Account","operation":"insert"}`)
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "dial" || len(c.org.Audit().Jobs) > 0 || c.org.Audit().Calls["POST jobs/ingest"] > 0 {
		t.Errorf("%v, %+v", err, c.org.Audit())
	}
	c.create(insertAccounts)
}

// TestFaultSlow: the kinds that take their time, for a client that waits and for one that does not.
func TestFaultSlow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind  string
		after time.Duration // the client goes
		acts  bool
		took  time.Duration // the answer has come; 0 = the client has gone
	}{
		{FaultDelay, time.Hour, true, time.Minute}, {FaultDelay, time.Second, false, 0},
		{FaultLate, time.Hour, true, time.Minute}, {FaultLate, time.Second, true, 0},
		{FaultSlowReply, time.Hour, true, time.Minute}, {FaultSlowReply, time.Second, true, 0},
		{FaultTrickle, time.Hour, true, 15 * time.Minute}, {FaultTrickle, 2 * time.Minute, true, 0},
	} {
		inBubble(t, Config{}, func(t *testing.T, c *client) {
			if err := c.org.Fault(Fault{Endpoint: "POST jobs/ingest", Kind: test.kind, Delay: time.Minute}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), test.after)
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, "POST", "http://org/services/data/v66.0/jobs/ingest", strings.NewReader(`{"object":"Account","operation":"insert"}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Header = http.Header{"Authorization": {"Bearer " + c.token}, "Content-Type": {"application/json"}}
			began := time.Now()
			resp, err := c.org.Transport().RoundTrip(r)
			if err == nil {
				var body []byte
				body, err = io.ReadAll(resp.Body)
				resp.Body.Close()
				if err == nil && (resp.StatusCode != 200 || !strings.HasSuffix(string(body), "}")) {
					t.Errorf("%s: %d %s", test.kind, resp.StatusCode, body)
				}
			}
			if took := time.Since(began); (err == nil) != (test.took > 0) || err == nil && took != test.took {
				t.Errorf("%s, client goes after %v: %v after %v", test.kind, test.after, err, took)
			}
			time.Sleep(time.Hour)
			if acted := c.org.Audit().Jobs["Open"] == 1; acted != test.acts {
				t.Errorf("%s, client goes after %v: acted is %t", test.kind, test.after, acted)
			}
		})
	}
}
