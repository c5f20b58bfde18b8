package salesforce_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/salesforce"
)

// browse is a Show that does what a browser does, and logs in at once.
func browse(ctx context.Context, address string) error {
	go visit(ctx, address)
	return nil
}

// visit opens an address, follows where it leads and gives the last page.
func visit(ctx context.Context, address string) (status int, page string) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: soon}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err.Error()
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// browseOrg makes a web login by hand and in process, and gives the refresh token.
func browseOrg(ctx context.Context, rt http.RoundTripper) (string, error) {
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // of RFC 7636
	const back = "http://localhost:1717/OauthRedirect"
	send := func(method, path string, form url.Values) (*http.Response, error) {
		req, err := http.NewRequestWithContext(ctx, method, "http://localhost/services/oauth2/"+path, strings.NewReader(form.Encode()))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return rt.RoundTrip(req)
	}
	resp, err := send("GET", "authorize?"+url.Values{"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {back}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}}.Encode(), nil)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	at, err := resp.Location()
	if err != nil {
		return "", err
	}
	resp, err = send("POST", "token", url.Values{"grant_type": {"authorization_code"}, "code": {at.Query().Get("code")}, "client_id": {"app"}, "redirect_uri": {back}, "code_verifier": {verifier}})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct{ Refresh_token string }
	err = json.NewDecoder(resp.Body).Decode(&answer)
	return answer.Refresh_token, err
}

func TestWebLogin(t *testing.T) {
	t.Parallel()
	o := startOrg(t, localorg.Config{ClientID: "app", ClientSecret: "s3cret", RotateRefresh: true})
	type visited struct {
		status int
		page   string
	}
	pages := make(chan visited, 1)
	var address *url.URL
	store := salesforce.HoldToken("")
	c, err := o.login(t, salesforce.WebLogin{LoginURL: o.URL, ClientID: "app", ClientSecret: "s3cret", Username: "integration@local.example.com", Store: store,
		Show: func(ctx context.Context, a string) (err error) {
			address, err = url.Parse(a)
			go func() {
				status, page := visit(t.Context(), a)
				pages <- visited{status, page}
			}()
			return err
		}})
	if err != nil {
		t.Fatal(err)
	}
	if p := <-pages; p.status != 200 || !strings.Contains(p.page, "You are logged in") {
		t.Errorf("the browser shows %d %s", p.status, p.page)
	}
	if u, err := c.User(t.Context()); err != nil || u.Username != "integration@local.example.com" {
		t.Errorf("got %+v, %v", u, err)
	}
	q := address.Query()
	if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("state")) < 26 || q.Get("code_verifier") != "" ||
		strings.Contains(address.String(), "s3cret") {
		t.Errorf("the address is %v", address)
	}
	if _, err := o.login(t, salesforce.RefreshToken{LoginURL: o.URL, ClientID: "app", Store: store}); err != nil {
		t.Errorf("the refresh token: %v", err)
	}
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", "127.0.0.1:"+back.Port()); err == nil {
		conn.Close()
		t.Error("the port is still open after the login")
	}
}

// TestWebLoginListensOnLoopbackOnly: no other address of the machine leads to the port.
func TestWebLoginListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	o := startOrg(t, localorg.Config{ClientID: "app"})
	others, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	_, err = o.login(t, salesforce.WebLogin{LoginURL: o.URL, ClientID: "app", Show: func(ctx context.Context, address string) error {
		port := portOf(t, address)
		if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err != nil {
			t.Errorf("loopback itself: %v", err)
		} else {
			conn.Close()
		}
		for _, a := range others {
			ip, _, err := net.ParseCIDR(a.String())
			if err != nil || ip.Equal(net.IPv4(127, 0, 0, 1)) || ip.IsLinkLocalUnicast() {
				continue
			}
			tried++
			if conn, err := net.DialTimeout("tcp", net.JoinHostPort(ip.String(), port), time.Second); err == nil {
				conn.Close()
				t.Errorf("the port answers at %v", ip)
			}
		}
		return browse(ctx, address)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if tried == 0 {
		t.Log("this machine has no other address than 127.0.0.1 to try")
	}
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	back, err := url.Parse(u.Query().Get("redirect_uri"))
	if err != nil {
		t.Fatal(err)
	}
	return back.Port()
}

// TestWebLoginRefused: what can go wrong between the address and the token, what the error says and what the browser shows.
func TestWebLoginRefused(t *testing.T) {
	t.Parallel()
	replace := func(name, value string) func(string) string { // in the address that is shown
		return func(address string) string {
			u, _ := url.Parse(address)
			q := u.Query()
			q.Set(name, value)
			u.RawQuery = q.Encode()
			return u.String()
		}
	}
	answer := func(query func(state string) string) func(string) string { // instead of the org's
		return func(address string) string {
			u, _ := url.Parse(address)
			return u.Query().Get("redirect_uri") + "?" + query(u.Query().Get("state"))
		}
	}
	for _, tt := range []struct {
		name    string
		cfg     localorg.Config
		off     bool // the user is inactive
		address func(string) string
		want    string // outcome
		say     string
		shown   string // in the browser
	}{
		{"denied consent", localorg.Config{}, false, replace("login_hint", "nobody@example.com"), "302, authentication refused", "access_denied: end-user denied authorization; the login was refused in the browser", "did not work"},
		{"wrong code", localorg.Config{}, false, answer(func(s string) string { return "code=hush-made-up&state=" + s }), "400, authentication refused", "invalid authorization code", "did not work"},
		{"neither code nor error", localorg.Config{}, false, answer(func(s string) string { return "state=" + s }), "302, authentication refused", "no code", "did not work"},
		{"code of another verifier", localorg.Config{}, false, replace("code_challenge", strings.Repeat("x", 43)), "400, authentication refused", "invalid code verifier", "did not work"},
		{"inactive user", localorg.Config{}, true, func(a string) string { return a }, "400, authentication refused", "an administrator must activate the user", "did not work"},
		{"wrong state", localorg.Config{}, false, replace("state", "another"), "authentication refused", "(1 answers did not belong to this login)", "does not belong to the login"},
		{"no state", localorg.Config{}, false, answer(func(string) string { return "code=x" }), "authentication refused", "did not belong", "does not belong to the login"},
		{"error without the state", localorg.Config{}, false, answer(func(string) string { return "error=access_denied" }), "authentication refused", "no answer from the browser", "does not belong to the login"},
		{"other path", localorg.Config{}, false, func(a string) string {
			return strings.TrimSuffix(answer(func(string) string { return "" })(a), "?") + "/x"
		}, "authentication refused", "no answer from the browser", "nothing here"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.cfg.ClientID = "app"
			o := startOrg(t, tt.cfg)
			if tt.off {
				o.deactivate(t)
			}
			pages := make(chan string, 1)
			timeout := time.Minute
			if !strings.Contains(tt.want, "0") {
				timeout = time.Second // nothing else ends it
			}
			store := salesforce.HoldToken("before")
			_, err := o.login(t, salesforce.WebLogin{LoginURL: o.URL, ClientID: "app", Timeout: timeout, Store: store, Show: func(ctx context.Context, a string) error {
				go func() {
					_, page := visit(t.Context(), tt.address(a))
					pages <- page
				}()
				return nil
			}})
			if outcome(err) != tt.want || !strings.Contains(err.Error(), tt.say) || strings.Contains(err.Error(), "hush") {
				t.Errorf("got %s: %v", outcome(err), err)
			}
			if page := <-pages; !strings.Contains(page, tt.shown) {
				t.Errorf("the browser shows %s", page)
			}
			if held(t, store) != "before" {
				t.Error("the store has changed")
			}
		})
	}
}

// TestWebLoginIsNotEndedByStrangers: wrong states, other methods and paths come in first; the login goes on.
func TestWebLoginIsNotEndedByStrangers(t *testing.T) {
	t.Parallel()
	o := startOrg(t, localorg.Config{ClientID: "app"})
	_, err := o.login(t, salesforce.WebLogin{LoginURL: o.URL, ClientID: "app", Show: func(ctx context.Context, address string) error {
		base := "http://127.0.0.1:" + portOf(t, address)
		for _, p := range []string{"/", "/favicon.ico", "/OauthRedirect", "/OauthRedirect?code=x&state=y", "/OauthRedirect?error=access_denied"} {
			if status, _ := visit(ctx, base+p); status != 400 && status != 404 {
				t.Errorf("%s: %d", p, status)
			}
		}
		u, _ := url.Parse(address)
		resp, err := http.Head(base + "/OauthRedirect?code=x&state=" + u.Query().Get("state"))
		if err != nil || resp.StatusCode != 405 {
			t.Errorf("HEAD: %v, %v", resp, err)
		}
		return browse(ctx, address)
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWebLoginEnds(t *testing.T) {
	t.Parallel()
	o := startOrg(t, localorg.Config{ClientID: "app"})
	ctx, cancel := context.WithCancel(t.Context())
	auth := salesforce.WebLogin{LoginURL: o.URL, ClientID: "app", Show: func(context.Context, string) error { cancel(); return nil }}
	if _, err := auth.Token(ctx, http.DefaultTransport); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	auth.Show = func(context.Context, string) error { return errors.New("no browser here") }
	if _, err := auth.Token(t.Context(), http.DefaultTransport); err == nil || !strings.Contains(err.Error(), "no browser here") {
		t.Errorf("no browser: %v", err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	auth.Port = taken.Addr().(*net.TCPAddr).Port
	if _, err := auth.Token(t.Context(), http.DefaultTransport); !errors.Is(err, salesforce.ErrConfig) || !strings.Contains(err.Error(), fmt.Sprintf("port %d", auth.Port)) {
		t.Errorf("a port that is taken: %v", err)
	}
	for _, bad := range []salesforce.WebLogin{{}, {Show: browse, Port: 70000}, {Show: browse, Timeout: -1}, {Show: browse, LoginURL: "http://acme.example.com"}} {
		if _, err := bad.Token(t.Context(), http.DefaultTransport); !errors.Is(err, salesforce.ErrConfig) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	// An app without the scope brings no refresh token, a code whose exchange fails is not tried again.
	for _, tt := range []struct{ body, want, say string }{
		{`{"access_token":"a!b","instance_url":"https://acme.my.salesforce.com"}`, "authentication refused", "let the app have the scope refresh_token"},
		{`{"access_token":`, "error", "works once, so log in again"},
	} {
		calls := 0
		_, err := salesforce.Open(t.Context(), salesforce.Config{Sleep: noSleep, Auth: salesforce.WebLogin{ClientID: "app", Store: salesforce.HoldToken(""), Show: func(ctx context.Context, address string) error {
			u, _ := url.Parse(address)
			return browse(ctx, u.Query().Get("redirect_uri")+"?code=c&state="+u.Query().Get("state"))
		}}, Transport: wire(func(*http.Request) (*http.Response, error) {
			calls++
			return reply(200, tt.body, "Content-Type", "application/json"), nil
		})})
		if outcome(err) != tt.want || !strings.Contains(err.Error(), tt.say) || calls != 1 {
			t.Errorf("%s: after %d calls %v", tt.body, calls, err)
		}
	}
}
