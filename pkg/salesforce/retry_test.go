package salesforce_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"migrate/pkg/salesforce"
)

// outcome is what a caller can tell about an error.
func outcome(err error) string {
	var kinds []string
	var api *salesforce.APIError
	if errors.As(err, &api) {
		kinds = append(kinds, fmt.Sprint(api.Status))
	}
	for _, k := range []error{
		salesforce.ErrAuth, salesforce.ErrLimit, salesforce.ErrTemporary, salesforce.ErrOutcomeUnknown,
		context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, k) {
			kinds = append(kinds, k.Error())
		}
	}
	switch {
	case err == nil:
		return "ok"
	case kinds == nil:
		return "error"
	}
	return strings.Join(kinds, ", ")
}

const (
	sessionGone = `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`
	totalLimit  = `[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]`
	tooMany     = `[{"message":"ConcurrentRequests (Concurrent API Requests) Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]`
	badField    = `[{"message":"No such column 'Foo'","errorCode":"INVALID_FIELD","fields":["Foo"]}]`
	htmlPage    = `<html><head><title>Error 500</title></head><body>Oops &amp; sorry</body></html>`
)

// renewable brings tokens t0!…, t1!… and so on.
type renewable struct{ logins atomic.Int64 }

func (a *renewable) Token(context.Context, http.RoundTripper) (salesforce.Token, error) {
	return salesforce.Token{AccessToken: fmt.Sprintf("secret-%d", a.logins.Add(1)-1)}, nil
}

func reset() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
}

func dialRefused() error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
}

// TestClasses is the table of the package comment, on virtual time: what happens once and then goes well, and what
// happens every time.
func TestClasses(t *testing.T) {
	t.Parallel()
	// cut is an answer whose body ends early.
	cut := func() *http.Response {
		r := reply(200, "")
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"a":`), errReader{io.ErrUnexpectedEOF}))
		r.ContentLength = 100
		return r
	}
	const temporary, unknown = "temporary failure", "outcome unknown"
	type want struct {
		once, ever           string
		onceCalls, everCalls int64
	}
	for _, tt := range []struct {
		name        string
		fault       func() (*http.Response, error)
		repeat, ask want
	}{
		{"dial refused", func() (*http.Response, error) { return nil, dialRefused() },
			want{"ok", temporary, 2, 6}, want{"ok", temporary, 2, 6}},
		{"reset before the answer", func() (*http.Response, error) { return nil, reset() },
			want{"ok", temporary, 2, 6}, want{unknown, unknown, 1, 1}},
		{"500 with HTML", func() (*http.Response, error) { return reply(500, htmlPage, "Content-Type", "text/html"), nil },
			want{"ok", "500, " + temporary, 2, 6}, want{"500, " + unknown, "500, " + unknown, 1, 1}},
		{"502", func() (*http.Response, error) { return reply(502, ""), nil },
			want{"ok", "502, " + temporary, 2, 6}, want{"502, " + unknown, "502, " + unknown, 1, 1}},
		{"503", func() (*http.Response, error) { return reply(503, "", "Retry-After", "3"), nil },
			want{"ok", "503, " + temporary, 2, 6}, want{"503, " + unknown, "503, " + unknown, 1, 1}},
		{"504", func() (*http.Response, error) { return reply(504, ""), nil },
			want{"ok", "504, " + temporary, 2, 6}, want{"504, " + unknown, "504, " + unknown, 1, 1}},
		{"420", func() (*http.Response, error) { return reply(420, ""), nil },
			want{"ok", "420, " + temporary, 2, 6}, want{"420, " + unknown, "420, " + unknown, 1, 1}},
		{"429 with Retry-After", func() (*http.Response, error) { return reply(429, "", "Retry-After", "7"), nil },
			want{"ok", "429, " + temporary, 2, 6}, want{"ok", "429, " + temporary, 2, 6}},
		{"401", func() (*http.Response, error) { return reply(401, sessionGone), nil },
			want{"ok", "401, authentication refused", 2, 2}, want{"ok", "401, authentication refused", 2, 2}},
		{"403 total", func() (*http.Response, error) { return reply(403, totalLimit), nil },
			want{"403, daily API limit reached", "403, daily API limit reached", 1, 1},
			want{"403, daily API limit reached", "403, daily API limit reached", 1, 1}},
		{"503 total", func() (*http.Response, error) { return reply(503, totalLimit), nil },
			want{"503, daily API limit reached", "503, daily API limit reached", 1, 1},
			want{"503, daily API limit reached", "503, daily API limit reached", 1, 1}},
		{"403 concurrent", func() (*http.Response, error) { return reply(403, tooMany), nil },
			want{"ok", "403, " + temporary, 2, 6}, want{"ok", "403, " + temporary, 2, 6}},
		{"403 other", func() (*http.Response, error) {
			return reply(403, `[{"message":"no","errorCode":"INSUFFICIENT_ACCESS"}]`), nil
		}, want{"403", "403", 1, 1}, want{"403", "403", 1, 1}},
		{"400", func() (*http.Response, error) { return reply(400, badField), nil },
			want{"400", "400", 1, 1}, want{"400", "400", 1, 1}},
		{"400 cut", func() (*http.Response, error) { r := cut(); r.StatusCode = 400; return r, nil },
			want{"ok", "400, " + temporary, 2, 6}, want{"400", "400", 1, 1}},
		{"302", func() (*http.Response, error) { return reply(302, "", "Location", "https://evil.example/x"), nil },
			want{"302", "302", 1, 1}, want{"302", "302", 1, 1}},
		{"304 that nobody asked for", func() (*http.Response, error) { return reply(304, ""), nil },
			want{"304", "304", 1, 1}, want{"304", "304", 1, 1}},
		{"answer cut", func() (*http.Response, error) { return cut(), nil },
			want{"ok", temporary, 2, 6}, want{unknown, unknown, 1, 1}},
		{"answer ends early but cleanly", func() (*http.Response, error) { return reply(200, `{"a":`), nil },
			want{"ok", temporary, 2, 6}, want{unknown, unknown, 1, 1}},
		{"login page with 200", func() (*http.Response, error) { return reply(200, htmlPage), nil },
			want{"ok", temporary, 2, 6}, want{unknown, unknown, 1, 1}},
		{"gzip cut", func() (*http.Response, error) {
			return reply(200, "\x1f\x8b\x08\x00", "Content-Encoding", "gzip"), nil
		}, want{"ok", temporary, 2, 6}, want{unknown, unknown, 1, 1}},
		{"neither answer nor error", func() (*http.Response, error) { return nil, nil },
			want{"ok", temporary, 2, 6}, want{unknown, unknown, 1, 1}},
	} {
		for class, w := range map[salesforce.Class]want{salesforce.Repeat: tt.repeat, salesforce.Ask: tt.ask} {
			for _, times := range []int64{1, 1000} {
				name := fmt.Sprintf("%s, class %d, %d times", tt.name, class, times)
				wantOutcome, wantCalls := w.once, w.onceCalls
				if times > 1 {
					wantOutcome, wantCalls = w.ever, w.everCalls
				}
				synctest.Test(t, func(t *testing.T) {
					var calls int64
					c := open(t, salesforce.Config{Auth: new(renewable), Transport: wire(func(r *http.Request) (*http.Response, error) {
						if calls++; calls > times {
							return drained(func(*http.Request) (*http.Response, error) { return reply(200, `{"a":1}`), nil })(r)
						} else if tt.name == "dial refused" {
							return tt.fault() // nobody reads the body then
						}
						return drained(func(*http.Request) (*http.Response, error) { return tt.fault() })(r)
					})})
					var out struct{ A int }
					err := c.JSON(t.Context(), "POST", "/things", class, map[string]int{"a": 1}, &out)
					if got := outcome(err); got != wantOutcome || calls != wantCalls {
						t.Errorf("%s: got %s after %d calls, want %s after %d: %v", name, got, calls, wantOutcome, wantCalls, err)
					}
					if err == nil && out.A != 1 {
						t.Errorf("%s: got %v", name, out)
					}
					if err != nil && !strings.Contains(err.Error(), "POST /things") {
						t.Errorf("%s: the error does not name the call: %v", name, err)
					}
				})
			}
		}
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestPauses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		answer   func() *http.Response
		min, max time.Duration // of the n-th pause, n from 1, where n is 1
		last     time.Duration // most of the fifth
	}{
		{"backoff", func() *http.Response { return reply(503, "") }, 0, time.Second, 10 * time.Second},
		{"Retry-After in seconds", func() *http.Response { return reply(503, "", "Retry-After", "40") }, 40 * time.Second, 41 * time.Second, 41 * time.Second},
		{"Retry-After as a date", func() *http.Response {
			return reply(429, "", "Retry-After", time.Now().Add(90*time.Second).UTC().Format(http.TimeFormat))
		}, 89 * time.Second, 91 * time.Second, 91 * time.Second},
		{"Retry-After as a date, while this machine's clock is hours off", func() *http.Response {
			org := time.Now().Add(-7 * time.Hour).UTC()
			return reply(429, "", "Retry-After", org.Add(90*time.Second).Format(http.TimeFormat), "Date", org.Format(http.TimeFormat))
		}, 90 * time.Second, 91 * time.Second, 91 * time.Second},
		{"Retry-After of a day", func() *http.Response { return reply(503, "", "Retry-After", "86400") }, 5 * time.Minute, 5*time.Minute + time.Second, 5*time.Minute + time.Second},
		{"Retry-After not understood", func() *http.Response { return reply(503, "", "Retry-After", "-5 soon") }, 0, time.Second, 10 * time.Second},
		{"too many at once", func() *http.Response { return reply(403, tooMany) }, time.Second, 2 * time.Second, 11 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			var at []time.Time
			c := open(t, salesforce.Config{MinWait: time.Second, MaxWait: 10 * time.Second,
				Transport: wire(func(*http.Request) (*http.Response, error) {
					at = append(at, time.Now())
					return tt.answer(), nil
				})})
			if _, err := c.Do(t.Context(), &salesforce.Request{Method: "GET", Path: "/x", Class: salesforce.Repeat}); !errors.Is(err, salesforce.ErrTemporary) {
				t.Errorf("%s: got %v", tt.name, err)
			}
			if len(at) != 6 {
				t.Fatalf("%s: got %d attempts, want 6", tt.name, len(at))
			}
			if d := at[1].Sub(at[0]); d < tt.min || d > tt.max {
				t.Errorf("%s: first pause %v, want %v to %v", tt.name, d, tt.min, tt.max)
			}
			if d := at[5].Sub(at[4]); d < tt.min || d > tt.last {
				t.Errorf("%s: last pause %v, want %v to %v", tt.name, d, tt.min, tt.last)
			}
		})
	}
}

func TestContextEndsThePause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, salesforce.Config{Transport: wire(func(*http.Request) (*http.Response, error) {
			return reply(503, "", "Retry-After", "100"), nil
		})})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		_, err := c.Do(ctx, &salesforce.Request{Method: "GET", Path: "/x", Class: salesforce.Repeat})
		if got := outcome(err); got != "context deadline exceeded" || time.Since(start) != 10*time.Second {
			t.Errorf("got %s after %v: %v", got, time.Since(start), err)
		}
		if !strings.Contains(err.Error(), "503") {
			t.Errorf("the error does not say what it was waiting for: %v", err)
		}
	})
}

func TestContextEndsARequest(t *testing.T) {
	t.Parallel()
	for class, want := range map[salesforce.Class]string{
		salesforce.Repeat: "context canceled",
		salesforce.Ask:    "outcome unknown, context canceled",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		_, err := c.Do(ctx, &salesforce.Request{Method: "DELETE", Path: "/x", Class: class})
		if got := outcome(err); got != want {
			t.Errorf("class %d: got %s, want %s: %v", class, got, want, err)
		}
		_, err = c.Do(ctx, &salesforce.Request{Method: "DELETE", Path: "/x", Class: class})
		if got := outcome(err); got != "context canceled" {
			t.Errorf("class %d, context over before the call: got %s: %v", class, got, err)
		}
	}
}

// TestClassesOnSockets proves with real connections what the fake transport of TestClasses takes for granted: which
// errors say that nothing was sent.
func TestClassesOnSockets(t *testing.T) {
	t.Parallel()
	t.Run("dial refused", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		c := open(t, salesforce.Config{InstanceURL: "http://" + l.Addr().String(), Sleep: noSleep})
		err = c.JSON(t.Context(), "POST", "/x", salesforce.Ask, 1, nil)
		if got := outcome(err); got != "temporary failure" || c.Calls() != 0 {
			t.Errorf("got %s and %d calls: %v", got, c.Calls(), err)
		}
	})
	const resetAfterOneByte = "reset"
	// scripted answers each connection with the next piece of script, after it has read the request.
	scripted := func(t *testing.T, script ...string) *salesforce.Client {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for _, answer := range script {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				if answer == resetAfterOneByte {
					conn.Read(make([]byte, 1))
					conn.(*net.TCPConn).SetLinger(0)
				} else {
					if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
						io.Copy(io.Discard, req.Body)
					}
					io.WriteString(conn, answer)
				}
				conn.Close()
			}
			l.Close()
		}()
		t.Cleanup(func() { l.Close(); <-done })
		return open(t, salesforce.Config{InstanceURL: "http://" + l.Addr().String(), Sleep: noSleep, Attempts: 2})
	}
	t.Run("lost in the TLS handshake", func(t *testing.T) {
		t.Parallel()
		c := scripted(t, "not TLS", "not TLS")
		c = open(t, salesforce.Config{InstanceURL: strings.Replace(c.InstanceURL(), "http:", "https:", 1), Sleep: noSleep, Attempts: 2})
		err := c.JSON(t.Context(), "POST", "/x", salesforce.Ask, 1, nil)
		if got := outcome(err); got != "error" && got != "temporary failure" || c.Calls() != 0 {
			t.Errorf("got %s and %d calls, want proof that nothing was sent: %v", got, c.Calls(), err)
		}
	})
	const whole = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n[1]"
	for _, tt := range []struct {
		name, fault string
		repeat, ask string
	}{
		{"closed before the answer", "", "ok", "outcome unknown"},
		{"reset while sending", resetAfterOneByte, "ok", "outcome unknown"},
		{"header cut", "HTTP/1.1 200 OK\r\nContent-Le", "ok", "outcome unknown"},
		{"body cut", "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n[1", "ok", "outcome unknown"},
		{"chunk cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1", "ok", "outcome unknown"},
		{"last chunk missing", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n", "ok", "outcome unknown"},
		{"not HTTP", "SSH-2.0-OpenSSH_9\r\n", "ok", "outcome unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for class, want := range map[salesforce.Class]string{salesforce.Repeat: tt.repeat, salesforce.Ask: tt.ask} {
				c := scripted(t, tt.fault, whole)
				var out []int
				err := c.JSON(t.Context(), "POST", "/x", class, 1, &out)
				if got := outcome(err); got != want {
					t.Errorf("class %d: got %s, want %s: %v", class, got, want, err)
				}
			}
		})
	}
}

func TestCertificateIsNotRetried(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = quiet
	s.StartTLS()
	t.Cleanup(s.Close)
	c := open(t, salesforce.Config{InstanceURL: s.URL, Sleep: func(context.Context, time.Duration) error {
		t.Error("paused before another attempt")
		return nil
	}})
	_, err := c.Do(t.Context(), &salesforce.Request{Method: "GET", Path: "/x", Class: salesforce.Repeat})
	if got := outcome(err); got != "error" || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %s: %v", got, err)
	}
}
