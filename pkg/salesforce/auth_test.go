package salesforce_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"migrate/pkg/salesforce"
)

// loginHost answers token requests with one answer after the other and keeps the forms it got.
type loginHost struct {
	*httptest.Server
	forms []map[string][]string
}

func newLoginHost(t *testing.T, answers ...func(http.ResponseWriter)) *loginHost {
	h := new(loginHost)
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		if r.Method != "POST" || r.URL.Path != "/services/oauth2/token" {
			t.Errorf("got %s %s", r.Method, r.URL.Path)
		}
		n := len(h.forms)
		h.forms = append(h.forms, r.PostForm)
		answers[min(n, len(answers)-1)](w)
	}))
	t.Cleanup(h.Close)
	return h
}

func answerJSON(status int, body string, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}

const granted = `{"access_token":"` + testToken + `","scope":"api","instance_url":"https://acme.my.salesforce.com",
	"id":"https://login.salesforce.com/id/00D5g0000000001EAA/0055g000001XyZAAA0","token_type":"Bearer","issued_at":"1767389623000","signature":"k3="}`

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	h := newLoginHost(t, answerJSON(200, granted))
	c, err := salesforce.Open(t.Context(), salesforce.Config{
		Auth: salesforce.ClientCredentials{LoginURL: h.URL, ClientID: "my-app", ClientSecret: "my secret&"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	want := []map[string][]string{{
		"grant_type": {"client_credentials"}, "client_id": {"my-app"}, "client_secret": {"my secret&"},
	}}
	if diff := gocmp.Diff(want, h.forms); diff != "" {
		t.Errorf("forms (-want +got):\n%s", diff)
	}
	if c.InstanceURL() != "https://acme.my.salesforce.com" || c.OrgID() != "00D5g0000000001" {
		t.Errorf("got instance %q and org %q", c.InstanceURL(), c.OrgID())
	}
}

func TestJWTBearer(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, audience := range []string{"", "https://test.salesforce.com"} {
		h := newLoginHost(t, answerJSON(200, granted))
		c, err := salesforce.Open(t.Context(), salesforce.Config{
			Auth: salesforce.JWTBearer{LoginURL: h.URL, ClientID: "my-app", Username: "jo@acme.example", Audience: audience, Key: key},
		})
		if err != nil {
			t.Fatal(err)
		}
		c.CloseIdleConnections()
		if got := h.forms[0]["grant_type"]; len(got) != 1 || got[0] != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
			t.Errorf("got grant type %q", got)
		}
		part := strings.Split(h.forms[0]["assertion"][0], ".")
		if len(part) != 3 {
			t.Fatalf("got an assertion of %d parts", len(part))
		}
		var head, claims map[string]any
		for i, into := range []*map[string]any{&head, &claims} {
			raw, err := base64.RawURLEncoding.DecodeString(part[i])
			if err != nil || json.Unmarshal(raw, into) != nil {
				t.Fatalf("part %d: %q, %v", i, raw, err)
			}
		}
		signature, err := base64.RawURLEncoding.DecodeString(part[2])
		digest := sha256.Sum256([]byte(part[0] + "." + part[1]))
		if err != nil || rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature) != nil {
			t.Errorf("the signature does not fit (%v)", err)
		}
		wantAudience := audience
		if audience == "" {
			wantAudience = h.URL
		}
		if head["alg"] != "RS256" || claims["iss"] != "my-app" || claims["sub"] != "jo@acme.example" || claims["aud"] != wantAudience {
			t.Errorf("got head %v and claims %v", head, claims)
		}
		life := time.Until(time.Unix(int64(claims["exp"].(float64)), 0))
		if life < 2*time.Minute || life > 3*time.Minute {
			t.Errorf("the assertion lives for %v, want about three minutes", life)
		}
	}
}

// TestLoginFailures: what a login host may answer, and what the error says.
func TestLoginFailures(t *testing.T) {
	t.Parallel()
	refuse := func(status int, code, text string) func(http.ResponseWriter) {
		return answerJSON(status, fmt.Sprintf(`{"error":%q,"error_description":%q}`, code, text))
	}
	for _, tt := range []struct {
		name    string
		answers []func(http.ResponseWriter)
		want    string // outcome
		say     string // part of the error
		logins  int
	}{
		{"refused", []func(http.ResponseWriter){refuse(400, "invalid_grant", "user hasn't approved this consumer")}, "400, authentication refused", "pre-authorise", 1},
		{"wrong secret", []func(http.ResponseWriter){refuse(401, "invalid_client", "invalid client credentials")}, "401, authentication refused", "check the client id and the client secret", 1},
		{"wrong host", []func(http.ResponseWriter){refuse(400, "invalid_grant", "request not supported on this domain")}, "400, authentication refused", "My Domain", 1},
		{"secret echoed", []func(http.ResponseWriter){refuse(400, "invalid_client", "bad secret 'hush-hush'")}, "400, authentication refused", "bad secret '[secret]'", 1},
		{"error with 200", []func(http.ResponseWriter){refuse(200, "invalid_grant", "authentication failure")}, "200, authentication refused", "authentication failure", 1},
		{"redirect", []func(http.ResponseWriter){answerJSON(302, "", "Location", "https://evil.example/login")}, "302, authentication refused", "https://evil.example", 1},
		{"empty token", []func(http.ResponseWriter){answerJSON(200, `{"access_token":"","instance_url":"https://a.example"}`)}, "temporary failure", "not a token", 6},
		{"HTML with 200", []func(http.ResponseWriter){answerJSON(200, htmlPage)}, "temporary failure", "not a token", 6},
		{"503 once", []func(http.ResponseWriter){answerJSON(503, htmlPage), answerJSON(200, granted)}, "ok", "", 2},
		{"503 for ever", []func(http.ResponseWriter){answerJSON(503, htmlPage)}, "503, temporary failure", "gave up at attempt 6", 6},
		{"429 once", []func(http.ResponseWriter){answerJSON(429, ""), answerJSON(200, granted)}, "ok", "", 2},
		{"too many at once", []func(http.ResponseWriter){answerJSON(403, `[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"ConcurrentRequests (Concurrent API Requests) Limit exceeded."}]`), answerJSON(200, granted)}, "ok", "", 2},
		{"calls used up", []func(http.ResponseWriter){answerJSON(403, `[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]`)}, "403, daily API limit reached", "when the window has moved", 1},
		{"cut once", []func(http.ResponseWriter){answerJSON(200, granted[:50], "Content-Length", "500"), answerJSON(200, granted)}, "ok", "", 2},
		{"token for plain http", []func(http.ResponseWriter){answerJSON(200, `{"access_token":"a!b","instance_url":"http://evil.example"}`)}, "error", "plain http", 1},
		{"no instance", []func(http.ResponseWriter){answerJSON(200, `{"access_token":"a!b"}`)}, "error", "instance URL is missing", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newLoginHost(t, tt.answers...)
			tr := salesforce.NewTransport()
			t.Cleanup(tr.CloseIdleConnections)
			c, err := salesforce.Open(t.Context(), salesforce.Config{
				Transport: tr, Sleep: noSleep,
				Auth: salesforce.ClientCredentials{LoginURL: h.URL, ClientID: "my-app", ClientSecret: "hush-hush"},
			})
			if got := outcome(err); got != tt.want || len(h.forms) != tt.logins {
				t.Fatalf("got %s after %d logins, want %s after %d: %v", got, len(h.forms), tt.want, tt.logins, err)
			}
			if err == nil {
				c.CloseIdleConnections()
				return
			}
			if !strings.Contains(err.Error(), tt.say) || strings.Contains(err.Error(), "hush") {
				t.Errorf("got error %v, want it to say %q and no secret", err, tt.say)
			}
		})
	}
}

func TestLoginNeedsWhatItNeeds(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]salesforce.Auth{
		"no host":         salesforce.ClientCredentials{ClientID: "a", ClientSecret: "b"},
		"plain http":      salesforce.ClientCredentials{LoginURL: "http://acme.my.salesforce.com", ClientID: "a", ClientSecret: "b"},
		"login host":      salesforce.ClientCredentials{LoginURL: "https://login.salesforce.com", ClientID: "a", ClientSecret: "b"},
		"no secret":       salesforce.ClientCredentials{LoginURL: "https://acme.my.salesforce.com", ClientID: "a"},
		"no key":          salesforce.JWTBearer{ClientID: "a", Username: "b"},
		"JWT, plain http": salesforce.JWTBearer{LoginURL: "http://login.salesforce.com"},
	} {
		_, err := auth.Token(t.Context(), wire(func(*http.Request) (*http.Response, error) {
			t.Errorf("%s: a request was sent", name)
			return nil, errors.New("no")
		}))
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestLoginNetworkErrors(t *testing.T) {
	t.Parallel()
	auth := salesforce.ClientCredentials{LoginURL: "https://acme.my.salesforce.com", ClientID: "a", ClientSecret: "b"}
	_, err := auth.Token(t.Context(), wire(func(*http.Request) (*http.Response, error) { return nil, reset() }))
	if got := outcome(err); got != "temporary failure" {
		t.Errorf("reset: got %s: %v", got, err)
	}
	_, err = auth.Token(t.Context(), wire(func(*http.Request) (*http.Response, error) { return nil, x509.UnknownAuthorityError{} }))
	if got := outcome(err); got != "error" {
		t.Errorf("certificate: got %s: %v", got, err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, auth := range []salesforce.Auth{auth, salesforce.JWTBearer{ClientID: "a", Username: "b", Key: key}} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := auth.Token(ctx, wire(func(r *http.Request) (*http.Response, error) {
			cancel()
			if r.Context().Err() == nil {
				t.Errorf("%v: the context did not come through", auth)
			}
			return nil, context.Canceled
		}))
		if got := outcome(err); got != "context canceled" {
			t.Errorf("%v, cancel: got %s: %v", auth, got, err)
		}
	}
}

func TestParseRSAKey(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	pkcs1 := x509.MarshalPKCS1PrivateKey(key)
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(key)
	ec8, _ := x509.MarshalPKCS8PrivateKey(ec)
	for _, tt := range []struct{ name, in, want string }{
		{"PKCS#1", block("RSA PRIVATE KEY", pkcs1), ""},
		{"PKCS#8", block("PRIVATE KEY", pkcs8), ""},
		{"after a certificate", block("CERTIFICATE", []byte("x")) + block("PRIVATE KEY", pkcs8), ""},
		{"empty", "", "no private key"},
		{"only a certificate", block("CERTIFICATE", []byte("x")), "no private key"},
		{"damaged PKCS#1", block("RSA PRIVATE KEY", pkcs1[:100]), "damaged"},
		{"damaged PKCS#8", block("PRIVATE KEY", pkcs8[:100]), "damaged"},
		{"encrypted PKCS#8", block("ENCRYPTED PRIVATE KEY", pkcs8), "encrypted"},
		{"encrypted PKCS#1", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AA\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", "encrypted"},
		{"elliptic curve", block("PRIVATE KEY", ec8), "RSA (RS256) only"},
		{"SEC1", block("EC PRIVATE KEY", []byte("x")), "RSA (RS256) only"},
	} {
		got, err := salesforce.ParseRSAKey([]byte(tt.in))
		switch {
		case tt.want == "" && (err != nil || !got.Equal(key)):
			t.Errorf("%s: got %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}
