package salesforce_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"crypto/rsa"

	"migrate/pkg/salesforce"
)

// TestOneRefreshForAll: 50 goroutines find their token refused, some of them late; one login happens.
func TestOneRefreshForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		auth := &slowAuth{pause: time.Second}
		var good, refused atomic.Int64
		c := open(t, salesforce.Config{Auth: auth, Transport: drained(func(r *http.Request) (*http.Response, error) {
			// The answer takes a while, another one for each, so that some 401 come after the login is over.
			var n int
			fmt.Sscanf(r.URL.Path, "/services/data/v66.0/%d", &n)
			held := r.Header.Get("Authorization")
			time.Sleep(time.Duration(n) * 100 * time.Millisecond)
			if held == "Bearer secret-0" {
				refused.Add(1)
				return reply(401, sessionGone), nil
			}
			good.Add(1)
			return reply(200, "1"), nil
		})})
		var wg sync.WaitGroup
		for n := range 50 {
			wg.Go(func() {
				class := salesforce.Class(n % 2)
				if err := c.JSON(t.Context(), "POST", fmt.Sprintf("/%d", n), class, n, nil); err != nil {
					t.Errorf("call %d: %v", n, err)
				}
			})
		}
		wg.Wait()
		if got := auth.logins.Load(); got != 2 || good.Load() != 50 || refused.Load() != 50 {
			t.Errorf("got %d logins, %d good and %d refused calls, want 2, 50, 50", got, good.Load(), refused.Load())
		}
		if auth.overlap.Load() {
			t.Error("two logins at the same time")
		}
	})
}

// slowAuth takes a while and can fail.
type slowAuth struct {
	renewable
	pause   time.Duration
	fail    func(n int64) error
	busy    atomic.Int64
	overlap atomic.Bool
}

func (a *slowAuth) Token(ctx context.Context, rt http.RoundTripper) (salesforce.Token, error) {
	if a.busy.Add(1) > 1 {
		a.overlap.Store(true)
	}
	defer a.busy.Add(-1)
	token, _ := a.renewable.Token(ctx, rt)
	if a.logins.Load() > 1 {
		select {
		case <-time.After(a.pause):
		case <-ctx.Done():
			return salesforce.Token{}, ctx.Err()
		}
	}
	if a.fail != nil {
		if err := a.fail(a.logins.Load()); err != nil {
			return salesforce.Token{}, err
		}
	}
	return token, nil
}

// TestRefusedLoginIsSharedByThoseWhoWait, so that 50 goroutines do not lock the user out with 50 bad logins; who comes
// later tries anew.
func TestRefusedLoginIsSharedByThoseWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		auth := &slowAuth{pause: time.Second, fail: func(n int64) error {
			if n == 2 {
				return fmt.Errorf("user is locked: %w", salesforce.ErrAuth)
			}
			return nil
		}}
		c := open(t, salesforce.Config{Auth: auth, Transport: drained(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Authorization") == "Bearer secret-0" {
				return reply(401, sessionGone), nil
			}
			return reply(200, "1"), nil
		})})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				err := c.JSON(t.Context(), "GET", "/x", salesforce.Repeat, nil, nil)
				if got := outcome(err); got != "401, authentication refused" || !strings.Contains(err.Error(), "user is locked") {
					t.Errorf("got %s: %v", got, err)
				}
			})
		}
		wg.Wait()
		if got := auth.logins.Load(); got != 2 {
			t.Errorf("got %d logins, want 2", got)
		}
		if err := c.JSON(t.Context(), "GET", "/x", salesforce.Repeat, nil, nil); err != nil || auth.logins.Load() != 3 {
			t.Errorf("later: got %v after %d logins", err, auth.logins.Load())
		}
	})
}

// TestCancelledLoginIsTakenOver: the goroutine that logs in for all is cancelled; the others must not suffer.
func TestCancelledLoginIsTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		auth := &slowAuth{pause: time.Minute}
		c := open(t, salesforce.Config{Auth: auth, Transport: drained(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Authorization") == "Bearer secret-0" {
				return reply(401, sessionGone), nil
			}
			return reply(200, "1"), nil
		})})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			err := c.JSON(ctx, "POST", "/x", salesforce.Ask, nil, nil)
			if got := outcome(err); got != "context deadline exceeded" {
				t.Errorf("the cancelled one: got %s: %v", got, err)
			}
		})
		synctest.Wait()
		for range 10 {
			wg.Go(func() {
				if err := c.JSON(t.Context(), "POST", "/x", salesforce.Ask, nil, nil); err != nil {
					t.Errorf("the others: %v", err)
				}
			})
		}
		wg.Wait()
		if got := auth.logins.Load(); got != 3 {
			t.Errorf("got %d logins, want 3", got)
		}
	})
}

// TestTokenReplacedAndRefusedAgain: a call that was away for so long that the token was replaced, and the new one refused
// too, still gets its one login.
func TestTokenReplacedAndRefusedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		auth := new(renewable)
		var dead atomic.Int64 // tokens below this number are refused
		c := open(t, salesforce.Config{Auth: auth, Transport: wire(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/services/data/v66.0/slow" && r.Header.Get("Authorization") == "Bearer secret-0" {
				time.Sleep(time.Minute)
			}
			var n int64
			fmt.Sscanf(r.Header.Get("Authorization"), "Bearer secret-%d", &n)
			if n < dead.Load() {
				return reply(401, sessionGone), nil
			}
			return reply(200, "1"), nil
		})})
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := c.JSON(t.Context(), "POST", "/slow", salesforce.Ask, nil, nil); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		dead.Store(1)
		if err := c.JSON(t.Context(), "POST", "/quick", salesforce.Ask, nil, nil); err != nil {
			t.Error(err)
		}
		dead.Store(2)
		wg.Wait()
		if got := auth.logins.Load(); got != 3 {
			t.Errorf("got %d logins, want 3", got)
		}
	})
}

// TestTemporaryLoginFailureIsNoRefusal: the run may be resumed, so the 401 that led to the login must not count.
func TestTemporaryLoginFailureIsNoRefusal(t *testing.T) {
	t.Parallel()
	auth := &slowAuth{fail: func(n int64) error {
		if n > 1 {
			return fmt.Errorf("login host is down: %w", salesforce.ErrTemporary)
		}
		return nil
	}}
	c := open(t, salesforce.Config{Auth: auth, Sleep: noSleep, Transport: wire(func(*http.Request) (*http.Response, error) {
		return reply(401, sessionGone), nil
	})})
	err := c.JSON(t.Context(), "POST", "/x", salesforce.Ask, nil, nil)
	if got := outcome(err); got != "temporary failure" || auth.logins.Load() != 7 {
		t.Errorf("got %s after %d logins: %v", got, auth.logins.Load(), err)
	}
}

func TestFixedTokenRefused(t *testing.T) {
	t.Parallel()
	c := open(t, salesforce.Config{Transport: wire(func(*http.Request) (*http.Response, error) {
		return reply(401, sessionGone), nil
	})})
	err := c.JSON(t.Context(), "GET", "/limits", salesforce.Repeat, nil, nil)
	if !errors.Is(err, salesforce.ErrAuth) || c.Calls() != 1 || !strings.Contains(err.Error(), "get a new one") {
		t.Errorf("got %v after %d calls", err, c.Calls())
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error shows the token: %v", err)
	}
}

// TestSecretsStayHidden sends secrets through everything that could show them.
func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	token := salesforce.Token{AccessToken: testToken, InstanceURL: "https://acme.my.salesforce.com"}
	key := &rsa.PrivateKey{D: big.NewInt(4242424242), PublicKey: rsa.PublicKey{N: big.NewInt(1), E: 3}}
	cc := salesforce.ClientCredentials{LoginURL: "https://a.example", ClientID: "app", ClientSecret: "secret_two"}
	var out bytes.Buffer
	logs := []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))}
	for _, v := range []any{
		token, &token, cc, &cc, salesforce.AccessToken(testToken), salesforce.JWTBearer{Key: key},
		salesforce.Config{Auth: cc}, salesforce.Config{Auth: salesforce.AccessToken(testToken)}, salesforce.Config{Auth: salesforce.JWTBearer{Key: key}},
		struct{ T salesforce.Token }{token}, []salesforce.Auth{cc, salesforce.AccessToken(testToken)},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		for _, l := range logs {
			l.Info("x", "value", v)
		}
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
	}
	if got := token.String(); got != "token of org 00D5g0000000001 at https://acme.my.salesforce.com" {
		t.Errorf("got %q", got)
	}

	logged, logger := debugLog()
	c := open(t, salesforce.Config{Logger: logger, Sleep: noSleep, Transport: wire(func(r *http.Request) (*http.Response, error) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/echo"): // a gateway that shows the request's headers
			return reply(502, fmt.Sprintf("<html><body>bad gateway: %v</body></html>", r.Header)), nil
		case strings.HasSuffix(r.URL.Path, "/json"):
			return reply(400, fmt.Sprintf(`[{"errorCode":"X","message":%q}]`, r.Header.Get("Authorization"))), nil
		}
		return reply(200, "1", "X-Request-Id", "request-17"), nil
	})})
	for _, path := range []string{"/echo", "/json", "/ok"} {
		if err := c.JSON(t.Context(), "GET", path+"?q=secret_three", salesforce.Repeat, nil, nil); err != nil {
			fmt.Fprintln(&out, err)
		}
	}
	for _, text := range []string{out.String(), logged.String()} {
		for _, secret := range []string{"secret_", testToken, fmt.Sprintf("%x", testToken), "4242424242"} {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%q shows in …%s…", secret, text[max(0, i-80):min(len(text), i+80)])
			}
		}
	}
	for _, want := range []string{"request_id=request-17", "path=/services/data/v66.0/ok", "status=502", "pause before another attempt"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, logged)
		}
	}
}

// buffer is a log that several goroutines write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func debugLog() (*buffer, *slog.Logger) {
	b := new(buffer)
	return b, slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
