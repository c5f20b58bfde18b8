package localorg

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A browser is sent to web addresses only, whatever host an address names.
func TestRedirectScheme(t *testing.T) {
	t.Parallel()
	c := open(t, Config{ClientID: "app", RedirectURIs: []string{"myapp://back"}})
	for address, want := range map[string]int{"javascript://localhost/%0aalert(1)": 400, "file://127.0.0.1/x": 400, "//localhost/x": 400, "http://localhost.example.com/": 400,
		"https://localhost:1/x": 302, "http://[::1]:1717/": 302, "myapp://back": 302} {
		q := url.Values{"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {address}}
		if a := c.get("/services/oauth2/authorize?" + q.Encode()); a.status != want {
			t.Errorf("%s: %d %s, want %d", address, a.status, a.body, want)
		}
	}
}

// A client that proves who it is in its header needs no secret in the form.
func TestWebFlowWithBasicAuth(t *testing.T) {
	t.Parallel()
	c := open(t, Config{ClientID: "app", ClientSecret: "s3cret"})
	start := url.Values{"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {loopback}}
	to, err := url.Parse(c.get("/services/oauth2/authorize?" + start.Encode()).header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {loopback}}
	r, err := http.NewRequest("POST", "http://org.example.com/services/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("app", "s3cret")
	res, err := c.rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("status %d", res.StatusCode)
	}
}

// A user who is not active cannot log in by any way, and what was granted before renews nothing.
func TestInactiveUser(t *testing.T) {
	t.Parallel()
	c := open(t, loginConfig)
	ina := people[1].username
	verifier := strings.Repeat("v", 43)
	query := map[string]string{"response_type": "code", "client_id": "app", "redirect_uri": loopback, "code_challenge": challenge(verifier), "login_hint": ina}
	form := []string{"client_id", "app", "redirect_uri", loopback, "code_verifier", verifier}
	_, _, body := c.webLogin(query, form...)
	refresh := body["refresh_token"].(string)
	id := c.values("User", "Username", "Id")[1]
	if id[0] != ina {
		t.Fatalf("users are %v", id)
	}
	if a := c.do("PATCH", "sobjects/User/"+id[1], "application/json", `{"IsActive":false}`); a.status != 204 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	inactive := func(name string, a answer, body map[string]any) {
		t.Helper()
		if a.status != 400 || body["error"] != "invalid_grant" || body["access_token"] != nil {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	_, a, body := c.webLogin(query, form...)
	inactive("web flow", a, body)
	a, body = c.form("token", "grant_type", "refresh_token", "client_id", "app", "refresh_token", refresh)
	inactive("refresh", a, body)
	a, body = c.form("token", "grant_type", "password", "client_id", "app", "client_secret", "s3cret", "username", ina, "password", "pwST")
	inactive("password", a, body)
	soap("64.0", ina, "pwST", 500, loginFault("INVALID_LOGIN", wrongLogin)).run(c, map[string]string{})
}

func TestOddLogins(t *testing.T) {
	t.Parallel()
	c := open(t, loginConfig)
	for _, version := range []string{"NaN", "0x1p5", "60", "60.5", "-60.0"} {
		soap(version, adminName, "pwST", 500, fault("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL", "")).run(c, map[string]string{})
	}
	c.do("POS", "/services/oauth2/token", "application/x-www-form-urlencoded", "").want(t, "part of a method", 405, "METHOD_NOT_ALLOWED", "HTTP Method 'POS' not allowed. Allowed are POST")
	c.do("ET", "/services/oauth2/userinfo", "", "").want(t, "part of a method", 405, "METHOD_NOT_ALLOWED", "HTTP Method 'ET' not allowed. Allowed are GET,POST")
	// a token of another app is told to be that app's
	verifier := strings.Repeat("v", 43)
	_, _, body := c.webLogin(map[string]string{"response_type": "code", "client_id": publicClient, "redirect_uri": loopback, "code_challenge": challenge(verifier)},
		"client_id", publicClient, "redirect_uri", loopback, "code_verifier", verifier)
	for _, token := range []string{"access_token", "refresh_token"} {
		if _, got := c.form("introspect", "token", body[token].(string), "client_id", "app", "client_secret", "s3cret"); got["client_id"] != publicClient {
			t.Errorf("%s: %v", token, got)
		}
	}
}
