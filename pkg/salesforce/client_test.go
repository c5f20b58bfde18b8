package salesforce_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"migrate/pkg/salesforce"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testToken = "00D5g0000000001!AQ.secret_one"

// wire is a transport made of a function.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	return w(r)
}

// reply makes an answer; header pairs follow the body.
func reply(status int, body string, header ...string) *http.Response {
	resp := &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Add(header[i], header[i+1])
	}
	return resp
}

// drained reads the request's body as an org does, then answers.
func drained(answer func(*http.Request) (*http.Response, error)) wire {
	return func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return nil, err
			}
		}
		return answer(r)
	}
}

// open opens a client; the zero fields of cfg get values that suit tests.
func open(t *testing.T, cfg salesforce.Config) *salesforce.Client {
	t.Helper()
	cfg.InstanceURL = cmp.Or(cfg.InstanceURL, "https://acme.my.salesforce.com")
	if cfg.Auth == nil {
		cfg.Auth = salesforce.AccessToken(testToken)
	}
	c, err := salesforce.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// serve starts a server on loopback and a client of it with the real transport and no pauses.
func serve(t *testing.T, h http.HandlerFunc) *salesforce.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return open(t, salesforce.Config{InstanceURL: s.URL, Sleep: noSleep})
}

var quiet = log.New(io.Discard, "", 0)

func noSleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func text(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func TestDoSendsWhatTheOrgExpects(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body string
	c := open(t, salesforce.Config{UserAgent: "tester/1", Transport: wire(func(r *http.Request) (*http.Response, error) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
		return reply(201, "", "Sforce-Limit-Info", "api-usage=18/5000"), nil
	})})
	resp, err := c.Do(t.Context(), &salesforce.Request{
		Method: "PUT", Path: "/jobs/ingest/750x/batches?a=1", Query: map[string][]string{"b": {"2 3"}},
		Header: http.Header{"content-type": {"text/csv"}, "Authorization": {"Bearer other"}},
		Body:   text("Name\nAcme\n"), Size: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	want := "https://acme.my.salesforce.com/services/data/v66.0/jobs/ingest/750x/batches?a=1&b=2+3"
	if got.URL.String() != want {
		t.Errorf("got URL %s, want %s", got.URL, want)
	}
	for k, want := range map[string]string{
		"Authorization": "Bearer " + testToken, "Content-Type": "text/csv", "User-Agent": "tester/1",
		"Accept": "application/json", "Accept-Encoding": "gzip",
	} {
		if diff := gocmp.Diff([]string{want}, got.Header[k]); diff != "" {
			t.Errorf("header %s (-want +got):\n%s", k, diff)
		}
	}
	if got.ContentLength != 10 || body != "Name\nAcme\n" {
		t.Errorf("got length %d and body %q", got.ContentLength, body)
	}
	if used, limit, ok := c.Usage(); used != 18 || limit != 5000 || !ok {
		t.Errorf("got usage %d of %d, %v", used, limit, ok)
	}
	if c.Calls() != 1 || c.OrgID() != "00D5g0000000001" || c.APIVersion() != "66.0" {
		t.Errorf("got %d calls, org %q, version %q", c.Calls(), c.OrgID(), c.APIVersion())
	}
}

func TestDoRefusesImpossibleRequests(t *testing.T) {
	t.Parallel()
	c := open(t, salesforce.Config{Transport: wire(func(*http.Request) (*http.Response, error) {
		t.Error("sent")
		return reply(200, ""), nil
	})})
	for name, r := range map[string]*salesforce.Request{
		"no method":          {Path: "/limits"},
		"relative path":      {Method: "GET", Path: "limits"},
		"other host":         {Method: "GET", Path: "https://evil.example/limits"},
		"bad escape":         {Method: "GET", Path: "/sobjects/%zz"},
		"fragment":           {Method: "GET", Path: "/limits#x"},
		"size without body":  {Method: "PUT", Path: "/x", Size: 3},
		"negative size":      {Method: "PUT", Path: "/x", Body: text(""), Size: -1},
		"body but size zero": {Method: "PUT", Path: "/x", Body: text("abc")},
		"body not there": {Method: "PUT", Path: "/x", Size: 3, Body: func() (io.ReadCloser, error) {
			return nil, errors.New("file is gone")
		}},
	} {
		if _, err := c.Do(t.Context(), r); err == nil || errors.Is(err, salesforce.ErrOutcomeUnknown) || errors.Is(err, salesforce.ErrTemporary) {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	fixed := salesforce.AccessToken(testToken)
	for _, tt := range []struct {
		name string
		cfg  salesforce.Config
		want string // part of the error; empty: opens
	}{
		{"https", salesforce.Config{InstanceURL: "https://acme.my.salesforce.com/", Auth: fixed}, ""},
		{"port", salesforce.Config{InstanceURL: "https://acme.my.salesforce.com:8443", Auth: fixed}, ""},
		{"http localhost", salesforce.Config{InstanceURL: "http://localhost:8080", Auth: fixed}, ""},
		{"http 127.0.0.9", salesforce.Config{InstanceURL: "http://127.0.0.9", Auth: fixed}, ""},
		{"http ::1", salesforce.Config{InstanceURL: "http://[::1]:80", Auth: fixed}, ""},
		{"http elsewhere", salesforce.Config{InstanceURL: "http://acme.my.salesforce.com", Auth: fixed}, "plain http is allowed to this machine only"},
		{"http like loopback", salesforce.Config{InstanceURL: "http://127.0.0.1.evil.example", Auth: fixed}, "plain http"},
		{"http any address", salesforce.Config{InstanceURL: "http://0.0.0.0:80", Auth: fixed}, "plain http"},
		{"no scheme", salesforce.Config{InstanceURL: "acme.my.salesforce.com", Auth: fixed}, "no host"},
		{"other scheme", salesforce.Config{InstanceURL: "ftp://acme.my.salesforce.com", Auth: fixed}, "https://"},
		{"path", salesforce.Config{InstanceURL: "https://acme.my.salesforce.com/services", Auth: fixed}, "scheme and host only"},
		{"password", salesforce.Config{InstanceURL: "https://me:pw@acme.my.salesforce.com", Auth: fixed}, "must not contain a user"},
		{"nothing", salesforce.Config{Auth: fixed}, "instance URL is missing"},
		{"no auth", salesforce.Config{InstanceURL: "https://acme.my.salesforce.com"}, "no way to log in"},
		{"no token", salesforce.Config{InstanceURL: "https://acme.my.salesforce.com", Auth: salesforce.AccessToken(" ")}, "no access token"},
		{"cut token", salesforce.Config{InstanceURL: "https://acme.my.salesforce.com", Auth: salesforce.AccessToken("a\nb")}, "cannot be sent"},
		{"version 58.0", salesforce.Config{InstanceURL: "https://a.example", APIVersion: "58.0", Auth: fixed}, ""},
		{"version v58.0", salesforce.Config{InstanceURL: "https://a.example", APIVersion: "v58.0", Auth: fixed}, "must look like"},
		{"version 58", salesforce.Config{InstanceURL: "https://a.example", APIVersion: "58", Auth: fixed}, "must look like"},
		{"version 58.5", salesforce.Config{InstanceURL: "https://a.example", APIVersion: "58.5", Auth: fixed}, "must look like"},
		{"version with path", salesforce.Config{InstanceURL: "https://a.example", APIVersion: "58.0/x", Auth: fixed}, "must look like"},
		{"login elsewhere", salesforce.Config{Auth: salesforce.ClientCredentials{LoginURL: "http://acme.my.salesforce.com", ClientID: "c", ClientSecret: "pw"}}, "login URL"},
		{"jwt elsewhere", salesforce.Config{Auth: salesforce.JWTBearer{LoginURL: "acme"}}, "login URL"},
		{"negative", salesforce.Config{InstanceURL: "https://a.example", Attempts: -1, Auth: fixed}, "negative"},
	} {
		c, err := salesforce.Open(t.Context(), tt.cfg)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: got error %v, want one with %q", tt.name, err, tt.want)
		case tt.want != "" && tt.name != "nothing" && !strings.Contains(tt.name, "token") && !errors.Is(err, salesforce.ErrConfig):
			t.Errorf("%s: %v is no ErrConfig", tt.name, err)
		case err != nil && strings.Contains(err.Error(), "pw"):
			t.Errorf("%s: the error shows the password: %v", tt.name, err)
		case tt.want == "" && strings.HasSuffix(c.InstanceURL(), "/"):
			t.Errorf("%s: got instance URL %s", tt.name, c.InstanceURL())
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/services/data/v66.0/echo":
			w.Header().Set("X-Type", r.Header.Get("Content-Type"))
			w.WriteHeader(201)
			w.Write(body)
		case "/services/data/v66.0/none":
			w.WriteHeader(204)
		case "/services/data/v66.0/other":
			io.WriteString(w, `{"n":"text"}`)
		}
	})
	type value struct {
		N int `json:"n"`
	}
	var out value
	if err := c.JSON(t.Context(), "POST", "/echo?x=1", salesforce.Ask, value{7}, &out); err != nil || out.N != 7 {
		t.Errorf("echo: got %v, %v", out, err)
	}
	if err := c.JSON(t.Context(), "DELETE", "/none", salesforce.Repeat, nil, &out); err != nil || out.N != 7 {
		t.Errorf("204: got %v, %v", out, err)
	}
	if err := c.JSON(t.Context(), "GET", "/other", salesforce.Repeat, nil, nil); err != nil {
		t.Errorf("no out: %v", err)
	}
	calls := c.Calls()
	err := c.JSON(t.Context(), "GET", "/other", salesforce.Repeat, nil, &out)
	if err == nil || errors.Is(err, salesforce.ErrTemporary) || c.Calls() != calls+1 {
		t.Errorf("other form: got %v after %d calls, want a final error after one", err, c.Calls()-calls)
	}
	if err := c.JSON(t.Context(), "POST", "/other", salesforce.Ask, nil, &out); !errors.Is(err, salesforce.ErrOutcomeUnknown) {
		t.Errorf("other form of an Ask: got %v, want ErrOutcomeUnknown", err)
	}
	if err := c.JSON(t.Context(), "POST", "/echo", salesforce.Ask, make(chan int), nil); err == nil || c.Calls() != calls+2 {
		t.Errorf("what cannot be encoded: got %v", err)
	}
}

func TestCallsAreCounted(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	c := open(t, salesforce.Config{Sleep: noSleep, Transport: wire(func(r *http.Request) (*http.Response, error) {
		if n.Add(1)%2 == 1 {
			return reply(503, "busy"), nil
		}
		return reply(200, "[]"), nil
	})})
	if _, err := c.Versions(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.Calls(); got != 0 {
		t.Errorf("got %d calls after Versions, want 0: the org does not count them", got)
	}
	if err := c.JSON(t.Context(), "GET", "/x", salesforce.Repeat, nil, nil); err != nil {
		t.Fatal(err)
	}
	if got := c.Calls(); got != 2 {
		t.Errorf("got %d calls after one repetition, want 2", got)
	}
}
