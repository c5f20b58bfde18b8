package salesforce_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/salesforce"
)

func TestRefreshToken(t *testing.T) {
	t.Parallel()
	for _, rotate := range []bool{false, true} {
		o := startOrg(t, localorg.Config{ClientID: "app", ClientSecret: "s3cret&", RotateRefresh: rotate})
		store := salesforce.HoldToken(o.refreshToken(t))
		first := held(t, store)
		for _, secret := range []string{"", "s3cret&"} {
			if _, err := o.login(t, salesforce.RefreshToken{LoginURL: o.URL, ClientID: "app", ClientSecret: secret, Store: store}); err != nil {
				t.Fatalf("rotation %v, secret %q: %v", rotate, secret, err)
			}
		}
		if got := held(t, store); got == "" || (got != first) != rotate {
			t.Errorf("rotation %v: the store has changed: %v", rotate, got != first)
		}
		before := held(t, store)
		for name, bad := range map[string]salesforce.RefreshToken{
			"wrong secret": {LoginURL: o.URL, ClientID: "app", ClientSecret: "wrong-one", Store: store},
			"other app":    {LoginURL: o.URL, ClientID: salesforce.CLIClient, Store: store},
			"no token":     {LoginURL: o.URL, ClientID: "app", Store: salesforce.HoldToken("")},
			"no store":     {LoginURL: o.URL, ClientID: "app"},
			"wrong token":  {LoginURL: o.URL, ClientID: "app", Store: salesforce.HoldToken("5Aep-wrong-one")},
		} {
			_, err := o.login(t, bad)
			if !errors.Is(err, salesforce.ErrAuth) || strings.Contains(err.Error(), before) || strings.Contains(err.Error(), "wrong-one") {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if held(t, store) != before {
			t.Error("a refused login has changed the store")
		}
		o.deactivate(t)
		_, err := o.login(t, salesforce.RefreshToken{LoginURL: o.URL, ClientID: "app", Store: store})
		if !errors.Is(err, salesforce.ErrAuth) || !strings.Contains(err.Error(), "inactive user; an administrator must activate") {
			t.Errorf("inactive user: %v", err)
		}
	}
}

// TestRotationUnderLoad: for half an hour 30 goroutines of two clients use an org whose access tokens live for a minute and whose refresh tokens
// work once. Every call succeeds, and each expiry costs about one exchange, not one for each goroutine.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		org, err := localorg.Open(localorg.Config{ClientID: "app", ClientSecret: "s", RotateRefresh: true, TokenLife: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer org.Close()
		store := salesforce.HoldToken(webToken(t, org))
		var inside atomic.Bool
		auth := salesforce.RefreshToken{LoginURL: "http://localhost", ClientID: "app", Store: renewing(func(ctx context.Context, use func(string) (string, error)) error {
			return store.Renew(ctx, func(h string) (string, error) {
				if !inside.CompareAndSwap(false, true) {
					t.Error("two exchanges at once")
				}
				defer inside.Store(false)
				time.Sleep(100 * time.Millisecond) // an exchange takes a while
				return use(h)
			})
		})}
		var wg sync.WaitGroup
		for range 2 {
			c, err := salesforce.Open(t.Context(), salesforce.Config{Auth: auth, Transport: org.Transport()})
			if err != nil {
				t.Fatal(err)
			}
			for range 15 {
				wg.Go(func() {
					for end := time.Now().Add(30 * time.Minute); time.Now().Before(end); time.Sleep(rand.N(20 * time.Second)) {
						if err := c.JSON(t.Context(), "GET", "/limits", salesforce.Repeat, nil, nil); err != nil {
							t.Errorf("%v: %v", time.Now(), err)
							return
						}
					}
				})
			}
		}
		wg.Wait()
		calls := org.Audit().Calls
		t.Logf("%d calls, %d exchanges", calls["GET limits"], calls["POST services/oauth2/token"])
		if n := calls["POST services/oauth2/token"]; n < 30 || n > 70 { // one for each minute and client, and the login itself
			t.Errorf("%d exchanges in 30 lives of a token", n)
		}
	})
}

// renewing is a RefreshStore made of its only method.
type renewing func(context.Context, func(string) (string, error)) error

func (r renewing) Renew(ctx context.Context, use func(string) (string, error)) error {
	return r(ctx, use)
}

// TestRotationLost: the process dies between the answer and the store. The old token is tried, and the refusal says what may have happened.
func TestRotationLost(t *testing.T) {
	t.Parallel()
	o := startOrg(t, localorg.Config{ClientID: "app", RotateRefresh: true})
	disk := o.refreshToken(t)
	crash := errors.New("no space left on the device")
	_, err := o.login(t, salesforce.RefreshToken{LoginURL: o.URL, ClientID: "app", Store: renewing(func(ctx context.Context, use func(string) (string, error)) error {
		next, err := use(disk)
		if err != nil || next == disk {
			t.Errorf("got the same token %v, %v", next == disk, err)
		}
		return crash
	})})
	if !errors.Is(err, crash) {
		t.Fatalf("a token that cannot be kept: %v", err)
	}
	_, err = o.login(t, salesforce.RefreshToken{LoginURL: o.URL, ClientID: "app", Store: salesforce.HoldToken(disk)})
	if outcome(err) != "400, authentication refused" || !strings.Contains(err.Error(), "ended before it could keep the next one") {
		t.Errorf("got %v", err)
	}
	if n := o.Audit().Calls["POST services/oauth2/token"]; n != 3 {
		t.Errorf("%d exchanges, want the web login, the lost one and one try of the old token", n)
	}
}

// TestRotationKeepsTheNextTokenWhateverElse is wrong with the answer.
func TestRotationKeepsTheNextTokenWhateverElse(t *testing.T) {
	t.Parallel()
	store := salesforce.HoldToken("5Aep-first")
	auth := salesforce.RefreshToken{LoginURL: "https://acme.my.salesforce.com", ClientID: "app", Store: store}
	_, err := auth.Token(t.Context(), wire(func(*http.Request) (*http.Response, error) {
		return reply(200, `{"access_token":"a token with blanks","refresh_token":"5Aep-second","instance_url":"https://acme.my.salesforce.com"}`, "Content-Type", "application/json"), nil
	}))
	if !errors.Is(err, salesforce.ErrAuth) || held(t, store) != "5Aep-second" {
		t.Errorf("got %v, and the store keeps the old token", err)
	}
	for name, answer := range map[string]func(*http.Request) (*http.Response, error){
		"refused":   func(*http.Request) (*http.Response, error) { return reply(400, `{"error":"invalid_grant"}`), nil },
		"cut":       func(*http.Request) (*http.Response, error) { return reply(200, `{"access_token":"a!b","refr`), nil },
		"reset":     func(*http.Request) (*http.Response, error) { return nil, reset() },
		"not there": func(*http.Request) (*http.Response, error) { return reply(503, htmlPage), nil },
	} {
		if _, err := auth.Token(t.Context(), wire(answer)); err == nil || held(t, store) != "5Aep-second" {
			t.Errorf("%s: got %v, or the store has changed", name, err)
		}
	}
}

// TestInterruptedExchange: Ctrl-C during an exchange does not lose the answer that is on its way, and does not wait for ever.
func TestInterruptedExchange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		answerAfter time.Duration
		want        string
	}{{3 * time.Second, "5Aep-second"}, {time.Hour, "5Aep-first"}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			store := salesforce.HoldToken("5Aep-first")
			start := time.Now()
			_, err := salesforce.RefreshToken{LoginURL: "https://acme.my.salesforce.com", Store: store}.Token(ctx, wire(func(r *http.Request) (*http.Response, error) {
				cancel()
				select {
				case <-time.After(tt.answerAfter):
					return reply(200, `{"access_token":"a!b","refresh_token":"5Aep-second","instance_url":"https://acme.my.salesforce.com"}`, "Content-Type", "application/json"), nil
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
			}))
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("an answer after %v: it took %v", tt.answerAfter, took)
			}
			if got := held(t, store); got != tt.want || tt.want == "5Aep-first" && !errors.Is(err, context.Canceled) {
				t.Errorf("an answer after %v: the store holds %s, error %v", tt.answerAfter, got, err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := salesforce.RefreshToken{Store: salesforce.HoldToken("5Aep")}.Token(ctx, wire(func(*http.Request) (*http.Response, error) {
		t.Error("an exchange began after the interrupt")
		return nil, reset()
	}))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// webToken gets a refresh token in process.
func webToken(t *testing.T, org *localorg.Org) string {
	t.Helper()
	token, err := browseOrg(t.Context(), org.Transport())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestParseSFDXURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, login, client, secret, token string }{
		{"force://PlatformCLI::5AepABC@acme.my.salesforce.com", "https://acme.my.salesforce.com", "PlatformCLI", "", "5AepABC"},
		{" force://3MVG.x_y:s3cret!:5Aep861.x@acme.my.salesforce.com:8443\n", "https://acme.my.salesforce.com:8443", "3MVG.x_y", "s3cret!", "5Aep861.x"},
		{"force://a:b@c:d@https://acme.my.salesforce.com/", "https://acme.my.salesforce.com", "a", "b@c", "d"},
		{`{"status":0,"result":{"sfdxAuthUrl":"force://a::b@acme.example"}}`, "https://acme.example", "a", "", "b"},
		{`{"sfdxAuthUrl":"force://a::b@acme.example"}`, "https://acme.example", "a", "", "b"},
	} {
		got, err := salesforce.ParseSFDXURL(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if got.LoginURL != tt.login || got.ClientID != tt.client || got.ClientSecret != tt.secret || held(t, got.Store) != tt.token {
			t.Errorf("%s: got %s %s %s", tt.in, got.LoginURL, got.ClientID, got.ClientSecret)
		}
	}
	for _, bad := range []string{
		"", "force://", "https://hush", "force://hush@acme.example", "force://a:hush@acme.example", "force://::hush@acme.example", "force://a::@acme.example",
		"force://a::hush@", "force://a::hush@acme.example/path", "force://a::hush", "force://a::hu sh@acme.example", "force://a:b:c:hush@acme.example", `{"result":`,
		`{"result":{"sfdxAuthUrl":"[REDACTED] use sf org auth show-sfdx-auth-url"}}`, `{"result":{}}`, "force://a::b@acme.example\nforce://a::hush@acme.example",
	} {
		got, err := salesforce.ParseSFDXURL(bad)
		if err == nil || strings.Contains(err.Error(), "hush") || got != (salesforce.RefreshToken{}) {
			t.Errorf("%q: got %v, %v", bad, fmt.Sprint(got), err)
		}
	}
}

func TestSFDXURLLogsIn(t *testing.T) {
	t.Parallel()
	org, err := localorg.Open(localorg.Config{ClientID: "app", ClientSecret: "s3cret", RotateRefresh: true})
	if err != nil {
		t.Fatal(err)
	}
	defer org.Close()
	auth, err := salesforce.ParseSFDXURL("force://app:s3cret:" + webToken(t, org) + "@localhost")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second with the rotated token
		if _, err := auth.Token(t.Context(), org.Transport()); err != nil {
			t.Fatal(err)
		}
	}
}
