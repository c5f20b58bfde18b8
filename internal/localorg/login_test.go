package localorg

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// form posts to an OAuth address and gives the JSON answer.
func (c *client) form(word string, pairs ...string) (answer, map[string]any) {
	c.t.Helper()
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	a := c.do("POST", "/services/oauth2/"+word, "application/x-www-form-urlencoded", v.Encode())
	var body map[string]any
	if a.body != "" {
		if err := json.Unmarshal([]byte(a.body), &body); err != nil {
			c.t.Fatalf("%s: %v in %s", word, err, a.body)
		}
	}
	return a, body
}

// webLogin goes through the web flow and gives what the token call answered.
func (c *client) webLogin(query map[string]string, form ...string) (location *url.URL, a answer, body map[string]any) {
	c.t.Helper()
	q := url.Values{}
	for k, v := range query {
		q.Set(k, v)
	}
	res := c.get("/services/oauth2/authorize?" + q.Encode())
	if res.status != http.StatusFound {
		c.t.Fatalf("authorize: %d %s", res.status, res.body)
	}
	location, err := url.Parse(res.header.Get("Location"))
	if err != nil {
		c.t.Fatal(err)
	}
	if code := location.Query().Get("code"); code != "" {
		a, body = c.form("token", append([]string{"grant_type", "authorization_code", "code", code}, form...)...)
	}
	return location, a, body
}

const loopback = "http://localhost:1717/OauthRedirect"

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestWebFlow(t *testing.T) {
	t.Parallel()
	clk := newClock()
	c := open(t, Config{ClientID: "app", ClientSecret: "s3cret", Now: clk.now, RedirectURIs: []string{"https://app.example.com/back"}})
	c.token = ""
	verifier := strings.Repeat("v", 43)
	start := func(changes ...string) map[string]string {
		q := map[string]string{"response_type": "code", "client_id": "app", "redirect_uri": loopback, "code_challenge": challenge(verifier), "code_challenge_method": "S256", "state": "s1"}
		for i := 0; i < len(changes); i += 2 {
			if q[changes[i]] = changes[i+1]; changes[i+1] == "" {
				delete(q, changes[i])
			}
		}
		return q
	}
	tests := []struct {
		name              string
		start             map[string]string
		form              []string
		code, description string // "" is a login
	}{
		{"with PKCE, without secret", start(), []string{"client_id", "app", "redirect_uri", loopback, "code_verifier", verifier}, "", ""},
		{"with secret, without PKCE", start("code_challenge", "", "code_challenge_method", ""), []string{"client_id", "app", "client_secret", "s3cret", "redirect_uri", loopback}, "", ""},
		{"the CLI's own app", start("client_id", publicClient), []string{"client_id", publicClient, "redirect_uri", loopback, "code_verifier", verifier}, "", ""},
		{"a listed address", start("redirect_uri", "https://app.example.com/back"), []string{"client_id", "app", "redirect_uri", "https://app.example.com/back", "code_verifier", verifier}, "", ""},
		{"neither secret nor PKCE", start("code_challenge", "", "code_challenge_method", ""), []string{"client_id", "app", "redirect_uri", loopback}, "invalid_client", "invalid client credentials"},
		{"wrong verifier", start(), []string{"client_id", "app", "redirect_uri", loopback, "code_verifier", strings.Repeat("w", 43)}, "invalid_grant", "invalid code verifier"},
		{"short verifier", start("code_challenge", challenge("v")), []string{"client_id", "app", "redirect_uri", loopback, "code_verifier", "v"}, "invalid_grant", "invalid code verifier"},
		{"other address", start(), []string{"client_id", "app", "redirect_uri", loopback + "/x", "code_verifier", verifier}, "redirect_uri_mismatch", "redirect_uri must match configuration"},
		{"other app", start(), []string{"client_id", publicClient, "redirect_uri", loopback, "code_verifier", verifier}, "invalid_grant", "invalid authorization code"},
		{"wrong secret", start(), []string{"client_id", "app", "client_secret", "x", "redirect_uri", loopback, "code_verifier", verifier}, "invalid_client", "invalid client credentials"},
	}
	for _, test := range tests {
		location, a, body := c.webLogin(test.start, test.form...)
		if location.Query().Get("state") != "s1" {
			t.Errorf("%s: state is lost in %s", test.name, location)
		}
		if test.code != "" {
			if a.status != 400 || body["error"] != test.code || body["error_description"] != test.description {
				t.Errorf("%s: %d %s", test.name, a.status, a.body)
			}
			continue
		}
		if a.status != 200 || !strings.HasPrefix(body["refresh_token"].(string), "5Aep861") {
			t.Errorf("%s: %d %s", test.name, a.status, a.body)
			continue
		}
		c.token = body["access_token"].(string)
		if got := c.get("limits"); got.status != 200 {
			t.Errorf("%s: token is refused: %s", test.name, got.body)
		}
		c.token = ""
	}
	for _, test := range []struct {
		name  string
		start map[string]string
		code  string
	}{
		{"response type", start("response_type", "token"), "unsupported_response_type"},
		{"challenge method", start("code_challenge_method", "plain"), "invalid_request"},
		{"public app without PKCE", start("client_id", publicClient, "code_challenge", ""), "invalid_request"},
		{"unknown user", start("login_hint", "nobody@example.com"), "access_denied"},
	} {
		location, _, _ := c.webLogin(test.start)
		if got := location.Query().Get("error"); got != test.code || location.Query().Get("error_description") == "" {
			t.Errorf("%s: %s", test.name, location)
		}
	}
	for name, q := range map[string]map[string]string{"invalid_client_id": start("client_id", "x"), "redirect_uri_mismatch": start("redirect_uri", "https://evil.example.com/")} {
		v := url.Values{}
		for k, s := range q {
			v.Set(k, s)
		}
		if a := c.get("/services/oauth2/authorize?" + v.Encode()); a.status != 400 || !strings.Contains(a.body, `"`+name+`"`) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	// a code works once, and not for long
	res := c.get("/services/oauth2/authorize?" + url.Values{"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {loopback}, "code_challenge": {challenge(verifier)}}.Encode())
	at, _ := url.Parse(res.header.Get("Location"))
	form := []string{"grant_type", "authorization_code", "code", at.Query().Get("code"), "client_id", "app", "redirect_uri", loopback, "code_verifier", verifier}
	if a, _ := c.form("token", form...); a.status != 200 {
		t.Errorf("first use: %s", a.body)
	}
	if _, body := c.form("token", form...); body["error_description"] != "invalid authorization code" {
		t.Errorf("second use: %v", body)
	}
	res = c.get("/services/oauth2/authorize?" + url.Values{"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {loopback}, "code_challenge": {challenge(verifier)}}.Encode())
	at, _ = url.Parse(res.header.Get("Location"))
	form[3] = at.Query().Get("code")
	clk.add(codeLife + time.Second)
	if _, body := c.form("token", form...); body["error_description"] != "expired authorization code" {
		t.Errorf("old code: %v", body)
	}
}

// refreshToken logs in by the web flow.
func (c *client) refreshToken() string {
	c.t.Helper()
	verifier := strings.Repeat("v", 43)
	_, _, body := c.webLogin(map[string]string{"response_type": "code", "client_id": "app", "redirect_uri": loopback, "code_challenge": challenge(verifier)},
		"client_id", "app", "redirect_uri", loopback, "code_verifier", verifier)
	return body["refresh_token"].(string)
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	for _, rotate := range []bool{false, true} {
		c := open(t, Config{ClientID: "app", ClientSecret: "s3cret", RotateRefresh: rotate})
		c.token = ""
		use := func(token string) (answer, map[string]any) {
			return c.form("token", "grant_type", "refresh_token", "refresh_token", token, "client_id", "app")
		}
		first := c.refreshToken()
		a, body := use(first)
		second, renewed := body["refresh_token"].(string)
		if a.status != 200 || renewed != rotate {
			t.Errorf("rotation %v: %d %s", rotate, a.status, a.body)
		}
		c.token = body["access_token"].(string)
		if got := c.get("limits"); got.status != 200 {
			t.Errorf("rotation %v: token is refused", rotate)
		}
		a, body = use(first)
		if !rotate {
			if a.status != 200 {
				t.Errorf("a refresh token works once only: %s", a.body)
			}
			continue
		}
		// the second use of a token that was exchanged ends all that came from the login
		if body["error"] != "invalid_grant" || body["error_description"] != "expired access/refresh token" {
			t.Errorf("second use: %d %s", a.status, a.body)
		}
		if got := c.get("limits"); got.status != 401 {
			t.Errorf("access token after the second use: %d", got.status)
		}
		if _, body := use(second); body["error"] != "invalid_grant" {
			t.Errorf("new token after the second use: %v", body)
		}
	}
	c := open(t, Config{ClientID: "app", ClientSecret: "s3cret"})
	c.token = ""
	var tokens []string
	for range maxGrants + 1 {
		tokens = append(tokens, c.refreshToken())
	}
	for i, token := range tokens {
		_, body := c.form("token", "grant_type", "refresh_token", "refresh_token", token, "client_id", "app")
		if dead := body["error"] == "invalid_grant"; dead != (i == 0) {
			t.Errorf("login %d of %d: %v", i+1, len(tokens), body)
		}
	}
	if _, body := c.form("token", "grant_type", "refresh_token", "refresh_token", tokens[3], "client_id", publicClient); body["error"] != "invalid_grant" {
		t.Errorf("the token of another app: %v", body)
	}
	if a, _ := c.form("revoke", "token", tokens[3]); a.status != 200 || a.body != "" {
		t.Errorf("revoke: %d %q", a.status, a.body)
	}
	if _, body := c.form("token", "grant_type", "refresh_token", "refresh_token", tokens[3], "client_id", "app"); body["error"] != "invalid_grant" {
		t.Errorf("after revoke: %v", body)
	}
}

// TestOAuthErrors: each refusal that a setting of the org brings about.
func TestOAuthErrors(t *testing.T) {
	t.Parallel()
	password := []string{"grant_type", "password", "client_id", "app", "client_secret", "s3cret", "username", people[0].username, "password"}
	tests := []struct {
		name              string
		cfg               Config
		form              []string
		code, description string
	}{
		{"password", Config{Password: "pw", SecurityToken: "tok"}, append(password, "pwtok"), "", ""},
		{"password without token", Config{Password: "pw", SecurityToken: "tok"}, append(password, "pw"), "invalid_grant", "authentication failure"},
		{"wrong password", Config{Password: "pw"}, append(password, "x"), "invalid_grant", "authentication failure"},
		{"no passwords here", Config{}, append(password, ""), "invalid_grant", "authentication failure"},
		{"no run-as user", Config{NoRunAs: true}, []string{"grant_type", "client_credentials", "client_id", "app", "client_secret", "s3cret"}, "invalid_grant", "no client credentials user enabled"},
		{"unknown refresh token", Config{}, []string{"grant_type", "refresh_token", "client_id", "app", "refresh_token", "x"}, "invalid_grant", "expired access/refresh token"},
		{"unknown code", Config{}, []string{"grant_type", "authorization_code", "client_id", "app", "code", "x"}, "invalid_grant", "invalid authorization code"},
		{"unknown app", Config{}, []string{"grant_type", "refresh_token", "client_id", "x", "refresh_token", "x"}, "invalid_client_id", "client identifier invalid"},
	}
	for _, test := range tests {
		test.cfg.ClientID, test.cfg.ClientSecret = "app", "s3cret"
		c := open(t, test.cfg)
		c.token = ""
		a, body := c.form("token", test.form...)
		if test.code == "" {
			if a.status != 200 || body["access_token"] == "" {
				t.Errorf("%s: %d %s", test.name, a.status, a.body)
			}
			continue
		}
		if a.status != 400 || body["error"] != test.code || body["error_description"] != test.description {
			t.Errorf("%s: %d %s", test.name, a.status, a.body)
		}
	}
	c := open(t, Config{ClientID: "app", ClientSecret: "s3cret"})
	r, _ := http.NewRequest("POST", "http://login.example.com/services/oauth2/token", strings.NewReader("grant_type=client_credentials&client_id=app&client_secret=s3cret"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := c.rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body map[string]string
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || body["error_description"] != "request not supported on this domain" {
		t.Errorf("client credentials on a login host: %v %v", body, err)
	}
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	clk := newClock()
	c := open(t, Config{ClientID: "app", ClientSecret: "s3cret", Now: clk.now})
	c.token = ""
	_, login := c.form("token", "grant_type", "client_credentials", "client_id", "app", "client_secret", "s3cret")
	token := login["access_token"].(string)
	ask := func(token string) map[string]any {
		_, body := c.form("introspect", "token", token, "token_type_hint", "access_token", "client_id", "app", "client_secret", "s3cret")
		return body
	}
	if got := ask(token); got["active"] != true || got["username"] != people[0].username || got["client_id"] != "app" || got["exp"].(float64)-got["iat"].(float64) != 7200 || got["token_type"] != "access_token" {
		t.Errorf("active token: %v", got)
	}
	if got := ask(c.refreshToken()); got["active"] != true || got["token_type"] != "refresh_token" {
		t.Errorf("refresh token: %v", got)
	}
	if got := ask("nonsense"); got["active"] != false || len(got) != 1 {
		t.Errorf("unknown token: %v", got)
	}
	if _, body := c.form("introspect", "token", token, "client_id", "app", "client_secret", "x"); body["error"] != "invalid_client" {
		t.Errorf("wrong secret: %v", body)
	}
	if a, _ := c.form("revoke", "token", token); a.status != 200 {
		t.Errorf("revoke: %d", a.status)
	}
	if got := ask(token); got["active"] != false {
		t.Errorf("revoked token: %v", got)
	}
	c = open(t, Config{ClientID: "app", ClientSecret: "s3cret", NoIntrospection: true})
	if got := ask(testToken); got["active"] != false {
		t.Errorf("an app that may not introspect: %v", got)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	var info, id map[string]any
	c.json("GET", "/services/oauth2/userinfo", nil, 200, &info)
	if info["preferred_username"] != people[0].username || info["organization_id"] != "00D5g0000000001EAA" || info["user_id"] != string(c.org.user) {
		t.Errorf("userinfo %v", info)
	}
	at, err := url.Parse(info["sub"].(string))
	if err != nil {
		t.Fatal(err)
	}
	c.json("GET", at.Path, nil, 200, &id)
	if id["username"] != people[0].username || id["id"] != info["sub"] || id["urls"].(map[string]any)["rest"] != "http://org.example.com/services/data/v{version}/" {
		t.Errorf("identity %v", id)
	}
	for _, path := range []string{"/id/00D5g0000000001EAA/0055g0000000000AAA", "/id/00D5g0000000002EAA/" + string(c.org.user), "/id/x/y"} {
		if a := c.get(path); a.status != 404 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	c.token = "nonsense"
	for _, path := range []string{at.Path, "/services/oauth2/userinfo"} {
		if a := c.get(path); a.status != 403 || !strings.Contains(a.body, "Bad_OAuth_Token") {
			t.Errorf("%s without a login: %d %s", path, a.status, a.body)
		}
	}
}

func TestSOAPLogin(t *testing.T) {
	t.Parallel()
	c := open(t, Config{Password: "p<&>w", SecurityToken: "tok"})
	c.token = ""
	envelope := func(user, password string) string {
		return `<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="urn:partner.soap.sforce.com"><soapenv:Body>` +
			`<urn:login><urn:username>` + escapeXML(user) + `</urn:username><urn:password>` + escapeXML(password) + `</urn:password></urn:login></soapenv:Body></soapenv:Envelope>`
	}
	tests := []struct {
		name, version, body string
		status              int
		fault               string
	}{
		{"good", "64.0", envelope(people[1].username, "p<&>wtok"), 200, ""},
		{"without token", "64.0", envelope(people[1].username, "p<&>w"), 500, "LOGIN_MUST_USE_SECURITY_TOKEN"},
		{"wrong password", "64.0", envelope(people[1].username, "x"), 500, "INVALID_LOGIN"},
		{"unknown user", "64.0", envelope("nobody@example.com", "p<&>wtok"), 500, "INVALID_LOGIN"},
		{"too new", "65.0", envelope(people[1].username, "p<&>wtok"), 500, "UNSUPPORTED_API_VERSION"},
		{"too old", "20.0", envelope(people[1].username, "p<&>wtok"), 500, "UNSUPPORTED_API_VERSION"},
		{"not XML", "64.0", "nonsense", 500, "soapenv:Client"},
		{"no login", "64.0", `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body/></soapenv:Envelope>`, 500, "soapenv:Client"},
		{"too long", "64.0", envelope(people[1].username, strings.Repeat("x", 11_000)), 500, "REQUEST_LIMIT_EXCEEDED"},
	}
	for _, test := range tests {
		a := c.do("POST", "/services/Soap/u/"+test.version, "text/xml; charset=UTF-8", test.body)
		if a.status != test.status {
			t.Errorf("%s: %d %s", test.name, a.status, a.body)
			continue
		}
		if test.fault != "" {
			if !strings.Contains(a.body, "<faultcode>"+test.fault+"</faultcode><faultstring>"+test.fault+": ") {
				t.Errorf("%s: %s", test.name, a.body)
			}
			continue
		}
		m := regexp.MustCompile(`<serverUrl>http://org\.example\.com/services/Soap/u/64\.0/00D5g0000000001</serverUrl><sessionId>(00D5g0000000001![^<]+)</sessionId>`).FindStringSubmatch(a.body)
		if m == nil || !strings.Contains(a.body, "<userName>"+people[1].username+"</userName>") {
			t.Errorf("%s: %s", test.name, a.body)
			continue
		}
		c.token = m[1]
		if got := c.get("limits"); got.status != 200 {
			t.Errorf("session id as a token: %d", got.status)
		}
		c.token = ""
	}
	wrong := c.do("POST", "/services/Soap/u/64.0", "text/xml", envelope("nobody@example.com", "x"))
	if want := `<faultstring>INVALID_LOGIN: Invalid username, password, security token; or user locked out.</faultstring><detail><sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode>`; !strings.Contains(wrong.body, want) {
		t.Errorf("fault %s", wrong.body)
	}
	if a := c.do("POST", "/services/Soap/u/64.0", "application/json", "{}"); a.status != 415 {
		t.Errorf("JSON: %d", a.status)
	}
	if a := c.get("/services/Soap/u/64.0"); a.status != 405 {
		t.Errorf("GET: %d", a.status)
	}
}

// TestJWTOfWhoMayNot: an app that nobody approved, and a user that is not active.
func TestJWTOfWhoMayNot(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		cfg               Config
		inactive          bool
		code, description string
	}{
		{Config{NotApproved: true}, false, "invalid_app_access", "user is not admin approved to access this app"},
		{Config{}, true, "invalid_grant", "inactive user"},
	} {
		test.cfg.ClientID, test.cfg.JWTKey = "app", &key.PublicKey
		c := open(t, test.cfg)
		if test.inactive {
			id := c.values("User", "Id")[1][0]
			if a := c.do("PATCH", "sobjects/User/"+id, "application/json", `{"IsActive":false}`); a.status != 204 {
				t.Fatalf("deactivate: %d %s", a.status, a.body)
			}
		}
		claims := fmt.Sprintf(`{"iss":"app","sub":%q,"aud":"https://login.salesforce.com","exp":%d}`, people[1].username, time.Now().Add(time.Minute).Unix())
		_, body := c.form("token", "grant_type", grantJWT, "assertion", sign(t, key, `{"alg":"RS256"}`, claims))
		if body["error"] != test.code || body["error_description"] != test.description {
			t.Errorf("%s: %v", test.code, body)
		}
	}
}
