package salesforce_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/salesforce"
)

// orgToken opens the local org without a login.
const orgToken = "the-token-of-the-test"

// loginOrg is a local org on a loopback port.
type loginOrg struct {
	*localorg.Org
	URL string
}

func startOrg(t *testing.T, cfg localorg.Config) loginOrg {
	t.Helper()
	cfg.AccessToken = orgToken
	org, err := localorg.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(org)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		if err := org.Close(); err != nil {
			t.Error(err)
		}
	})
	return loginOrg{Org: org, URL: server.URL}
}

// login opens a client and makes sure that its token works.
func (o loginOrg) login(t *testing.T, auth salesforce.Auth) (*salesforce.Client, error) {
	t.Helper()
	tr := salesforce.NewTransport()
	t.Cleanup(tr.CloseIdleConnections)
	c, err := salesforce.Open(t.Context(), salesforce.Config{Auth: auth, Transport: tr, Sleep: noSleep})
	if err != nil {
		return nil, err
	}
	if _, err := c.Limits(t.Context()); err != nil {
		t.Fatalf("the token of %v does not work: %v", auth, err)
	}
	return c, nil
}

// deactivate switches the first user of the org off, who logs in unless another is named.
func (o loginOrg) deactivate(t *testing.T) {
	t.Helper()
	c := open(t, salesforce.Config{InstanceURL: o.URL, Auth: salesforce.AccessToken(orgToken)})
	u, err := c.User(t.Context())
	if err == nil {
		err = c.JSON(t.Context(), "PATCH", "/sobjects/User/"+u.UserID, salesforce.Ask, map[string]bool{"IsActive": false}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// exchange is a token request made by hand.
func (o loginOrg) exchange(t *testing.T, form url.Values) (token, refresh string) {
	t.Helper()
	resp, err := http.PostForm(o.URL+"/services/oauth2/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Access_token, Refresh_token string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Access_token, answer.Refresh_token
}

// refreshToken gets one by a web login.
func (o loginOrg) refreshToken(t *testing.T) string {
	t.Helper()
	store := salesforce.HoldToken("")
	if _, err := o.login(t, salesforce.WebLogin{LoginURL: o.URL, ClientID: "app", Show: browse, Store: store}); err != nil {
		t.Fatal(err)
	}
	return held(t, store)
}

// held reads a store.
func held(t *testing.T, s salesforce.RefreshStore) (token string) {
	t.Helper()
	if err := s.Renew(t.Context(), func(h string) (string, error) { token = h; return "", nil }); err != nil {
		t.Fatal(err)
	}
	return token
}

// TestLoginsHideTheirSecrets in every way that Go has to show a value.
func TestLoginsHideTheirSecrets(t *testing.T) {
	t.Parallel()
	const secret = "5Aep-hush-hush"
	for _, auth := range []salesforce.Auth{
		salesforce.AccessToken(secret),
		salesforce.ClientCredentials{ClientSecret: secret},
		salesforce.RefreshToken{ClientSecret: secret, Store: salesforce.HoldToken(secret)},
		&salesforce.RefreshToken{ClientSecret: secret, Store: salesforce.HoldToken(secret)},
		salesforce.WebLogin{ClientSecret: secret, Store: salesforce.HoldToken(secret)},
		salesforce.SOAPLogin{Username: "jo", Password: secret, SecurityToken: secret},
		salesforce.SalesforceCLI{Org: "dev"},
	} {
		var b bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&b, verb+"\n", auth)
			fmt.Fprintf(&b, verb+"\n", []any{auth, map[string]any{"a": auth}})
		}
		slog.New(slog.NewTextHandler(&b, nil)).Info("login", "auth", auth)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("login", "auth", auth)
		text, err := json.Marshal(auth)
		if err != nil {
			t.Errorf("%T: %v", auth, err)
		}
		b.Write(text)
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), "hush"} {
			if strings.Contains(b.String(), form) {
				t.Errorf("%T shows its secret:\n%s", auth, b.String())
			}
		}
	}
	var b bytes.Buffer
	store := salesforce.HoldToken(secret)
	fmt.Fprintf(&b, "%v %+v %#v %s", store, store, store, *store)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("store", "store", store)
	text, err := json.Marshal(store)
	if b.Write(text); err != nil || strings.Contains(b.String(), "hush") {
		t.Errorf("the store shows its token: %v\n%s", err, b.String())
	}
}

// TestUser: who a token belongs to; a dead one is refused.
func TestUser(t *testing.T) {
	t.Parallel()
	o := startOrg(t, localorg.Config{ClientID: "app", ClientSecret: "s"})
	c, err := o.login(t, salesforce.ClientCredentials{LoginURL: o.URL, ClientID: "app", ClientSecret: "s"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := c.User(t.Context())
	if err != nil || u.Username != "admin@local.example.com" || len(u.UserID) != 18 || !strings.HasPrefix(u.OrgID, c.OrgID()) {
		t.Errorf("got %+v, %v", u, err)
	}
	dead := open(t, salesforce.Config{InstanceURL: o.URL, Auth: salesforce.AccessToken("dead")})
	if _, err := dead.User(t.Context()); outcome(err) != "403" {
		t.Errorf("a dead token: %v", err)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	o := startOrg(t, localorg.Config{ClientID: "app"})
	tr := salesforce.NewTransport()
	t.Cleanup(tr.CloseIdleConnections)
	refresh := o.refreshToken(t)
	access, _ := o.exchange(t, url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {refresh}})
	if access == "" {
		t.Fatal("no token to try")
	}
	if was, err := salesforce.Revoke(t.Context(), tr, o.URL, refresh); !was || err != nil {
		t.Fatalf("got %v, %v", was, err)
	}
	_, err := o.login(t, salesforce.RefreshToken{LoginURL: o.URL, ClientID: "app", Store: salesforce.HoldToken(refresh)})
	if outcome(err) != "400, authentication refused" || !strings.Contains(err.Error(), "log in anew") {
		t.Errorf("the refresh token after it was revoked: %v", err)
	}
	c := open(t, salesforce.Config{InstanceURL: o.URL, Auth: salesforce.AccessToken(access)})
	if _, err := c.Limits(t.Context()); outcome(err) != "401, authentication refused" {
		t.Errorf("the access token after its refresh token was revoked: %v", err)
	}
	for _, tt := range []struct {
		status     int
		body, want string
		was        bool
	}{
		{400, `{"error":"unsupported_token_type","error_description":"this token is not supported"}`, "ok", false},
		{400, `{"error":"invalid_token","error_description":"invalid token: ` + refresh + `"}`, "ok", false},
		{400, `{"error":"invalid_request","error_description":"bad token ` + refresh + `"}`, "400", false},
		{503, htmlPage, "503, temporary failure", false},
	} {
		was, err := salesforce.Revoke(t.Context(), wire(func(r *http.Request) (*http.Response, error) {
			if strings.Contains(r.URL.String(), refresh) {
				t.Error("the token is in the address")
			}
			return reply(tt.status, tt.body), nil
		}), "", refresh)
		if was != tt.was || outcome(err) != tt.want || strings.Contains(fmt.Sprint(err), refresh) {
			t.Errorf("%d %s: got %v, %v", tt.status, tt.body, was, err)
		}
	}
	if _, err := salesforce.Revoke(t.Context(), wire(func(*http.Request) (*http.Response, error) { return nil, reset() }), "", refresh); outcome(err) != "temporary failure" {
		t.Errorf("reset: %v", err)
	}
	if _, err := salesforce.Revoke(t.Context(), tr, "http://acme.example.com", refresh); outcome(err) != "error" {
		t.Errorf("plain http: %v", err)
	}
}

// soon is how long a test waits for what takes milliseconds.
const soon = 20 * time.Second
