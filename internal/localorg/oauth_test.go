package localorg

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"testing"
	"time"
)

// sign makes an assertion as a client would.
func sign(t *testing.T, key *rsa.PrivateKey, header, claims string) string {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func (c *client) login(form url.Values) (answer, map[string]string) {
	c.t.Helper()
	a := c.do("POST", "/services/oauth2/token", "application/x-www-form-urlencoded", form.Encode())
	var body map[string]string
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		c.t.Fatalf("token answer %s: %v", a.body, err)
	}
	return a, body
}

func TestTokens(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	clk := newClock()
	c := open(t, Config{ClientID: "app", ClientSecret: "s3cret", JWTKey: &key.PublicKey, Now: clk.now})
	c.token = ""
	const rs256 = `{"alg":"RS256"}`
	claims := func(iss, sub, aud string, exp int64) string {
		return fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":%q,"exp":%d}`, iss, sub, aud, exp)
	}
	soon := clk.now().Add(3 * time.Minute).Unix()
	jwt := func(assertion string) url.Values {
		return url.Values{"grant_type": {grantJWT}, "assertion": {assertion}}
	}
	good := claims("app", people[1].username, "https://login.salesforce.com", soon)
	tests := []struct {
		name        string
		form        url.Values
		code, texts string // "" is a token
	}{
		{"client credentials", url.Values{"grant_type": {"client_credentials"}, "client_id": {"app"}, "client_secret": {"s3cret"}}, "", ""},
		{"wrong secret", url.Values{"grant_type": {"client_credentials"}, "client_id": {"app"}, "client_secret": {"x"}}, "invalid_client", "invalid client credentials"},
		{"wrong client", url.Values{"grant_type": {"client_credentials"}, "client_id": {"x"}, "client_secret": {"s3cret"}}, "invalid_client_id", "client identifier invalid"},
		{"no grant type", url.Values{}, "invalid_request", "missing required parameter: grant_type"},
		{"device", url.Values{"grant_type": {"device"}}, "unsupported_grant_type", "grant type not supported"},
		{"jwt", jwt(sign(t, key, rs256, good)), "", ""},
		{"jwt for this host", jwt(sign(t, key, rs256, claims("app", people[1].username, "http://org.example.com", soon))), "", ""},
		{"jwt with a list of audiences", jwt(sign(t, key, rs256, fmt.Sprintf(`{"iss":"app","sub":%q,"aud":["x","https://test.salesforce.com"],"exp":%d}`, people[1].username, soon))), "", ""},
		{"jwt with prn", jwt(sign(t, key, rs256, fmt.Sprintf(`{"iss":"app","prn":%q,"aud":"https://login.salesforce.com","exp":%d}`, people[1].username, soon))), "", ""},
		{"jwt in milliseconds", jwt(sign(t, key, rs256, claims("app", people[1].username, "https://login.salesforce.com", soon*1000))), "", ""},
		{"jwt just past, within skew", jwt(sign(t, key, rs256, claims("app", people[1].username, "https://login.salesforce.com", clk.now().Add(-2*time.Minute).Unix()))), "", ""},
		{"jwt past", jwt(sign(t, key, rs256, claims("app", people[1].username, "https://login.salesforce.com", clk.now().Add(-4*time.Minute).Unix()))), "invalid_grant", "invalid assertion"},
		{"jwt of another key", jwt(sign(t, other, rs256, good)), "invalid_grant", "invalid assertion"},
		{"jwt without signature", jwt(sign(t, key, `{"alg":"none"}`, good)), "invalid_grant", "invalid assertion"},
		{"jwt audience", jwt(sign(t, key, rs256, claims("app", people[1].username, "https://evil.example.com", soon))), "invalid_grant", "Audience validation failed"},
		{"jwt issuer", jwt(sign(t, key, rs256, claims("x", people[1].username, "https://login.salesforce.com", soon))), "invalid_client_id", "client identifier invalid"},
		{"jwt user", jwt(sign(t, key, rs256, claims("app", "nobody@example.com", "https://login.salesforce.com", soon))), "invalid_grant", "user hasn't approved this consumer"},
		{"jwt nonsense", jwt("a.b"), "invalid_grant", "invalid assertion"},
		{"jwt changed", jwt(sign(t, key, rs256, good)[1:]), "invalid_grant", "invalid assertion"},
	}
	for _, test := range tests {
		a, body := c.login(test.form)
		if test.code != "" {
			if a.status != 400 || body["error"] != test.code || body["error_description"] != test.texts {
				t.Errorf("%s: %d %s", test.name, a.status, a.body)
			}
			continue
		}
		if a.status != 200 || body["token_type"] != "Bearer" || body["instance_url"] != "http://org.example.com" ||
			!regexp.MustCompile(`^00D5g0000000001!AQ[\w-]{64}$`).MatchString(body["access_token"]) || body["issued_at"] != fmt.Sprint(clk.now().UnixMilli()) {
			t.Errorf("%s: %d %s", test.name, a.status, a.body)
			continue
		}
		c.token = body["access_token"]
		if a := c.get("limits"); a.status != 200 {
			t.Errorf("%s: token is refused: %s", test.name, a.body)
		}
		c.token = ""
	}
	// who logs in owns what he makes, and only he closes his jobs
	_, body := c.login(jwt(sign(t, key, rs256, good)))
	c.token = body["access_token"]
	j := c.create(spec{"object": "Account", "operation": "insert"})
	c.upload(j.ID, "Name\nx\n")
	mine := c.token
	c.token = testToken
	c.do("PATCH", "jobs/ingest/"+j.ID, "application/json", `{"state":"UploadComplete"}`).want(t, "closed by another", 403, "INSUFFICIENT_ACCESS", "insufficient access rights on object id")
	c.token = mine
	clk.add(2*time.Hour - time.Second)
	c.patch(j.ID, "UploadComplete")
	clk.add(time.Second)
	c.get("limits").want(t, "after two hours", 401, "INVALID_SESSION_ID", "Session expired or invalid")
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	for _, path := range []string{"", "limits", "sobjects", "sobjects/Account/describe", "query?q=x", "jobs/ingest", "jobs/ingest/x", "nonsense"} {
		for _, token := range []string{"", "00D5g0000000001!other", testToken + "x"} {
			c.token = token
			c.get(path).want(t, path, 401, "INVALID_SESSION_ID", "Session expired or invalid")
		}
	}
	c.token = ""
	if a := c.get("/services/data/"); a.status != 200 {
		t.Errorf("versions need no token: %+v", a)
	}
	_, body := c.login(url.Values{"grant_type": {"client_credentials"}, "client_id": {""}, "client_secret": {""}})
	if body["error"] != "invalid_client_id" {
		t.Errorf("an org without a client id let somebody in: %v", body)
	}
	_, body = c.login(url.Values{"grant_type": {grantJWT}, "assertion": {"a.b.c"}})
	if body["error"] != "invalid_grant" {
		t.Errorf("an org without a key let somebody in: %v", body)
	}
}
