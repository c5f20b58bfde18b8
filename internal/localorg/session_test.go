package localorg

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/url"
	"strings"
	"testing"
)

// TestFamilies: what a second use of a refresh token ends, and what it does not.
func TestFamilies(t *testing.T) {
	t.Parallel()
	c := open(t, Config{ClientID: "app", ClientSecret: "s3cret", RotateRefresh: true})
	works := func(token any) bool {
		c.token, _ = token.(string)
		return c.get("limits").status == 200
	}
	use := func(token any) map[string]any {
		_, body := c.form("token", "grant_type", "refresh_token", "client_id", "app", "refresh_token", token.(string))
		return body
	}
	first := c.refreshToken()
	other := use(c.refreshToken())
	second := use(first)
	third := use(second["refresh_token"])
	if !works(second["access_token"]) || !works(third["access_token"]) || !works(other["access_token"]) {
		t.Fatal("a token does not work")
	}
	if body := use(first); body["error"] != "invalid_grant" {
		t.Errorf("second use: %v", body)
	}
	if works(second["access_token"]) || works(third["access_token"]) || use(third["refresh_token"])["error"] != "invalid_grant" {
		t.Error("the family goes on after a second use")
	}
	if !works(other["access_token"]) {
		t.Error("another login ended with the family")
	}
	// the end of all sessions is not the end of a grant
	c.org.ExpireTokens()
	if works(other["access_token"]) || !works(use(other["refresh_token"])["access_token"]) {
		t.Error("after the end of all sessions a refresh token should bring a new one")
	}
}

// TestSecretsStayInside looks for secrets where an operator reads.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := open(t, Config{ClientID: "app", ClientSecret: "s3cret-of-the-app", Password: "s3cret-password", SecurityToken: "s3cret-token",
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	secrets := []string{"s3cret", c.refreshToken()}
	for _, form := range []string{"grant_type=client_credentials&client_id=app&client_secret=s3cret-of-the-app", "grant_type=client_credentials&client_id=app&client_secret=s3cret-wrong",
		"grant_type=password&client_id=app&client_secret=s3cret-of-the-app&username=" + people[0].username + "&password=s3cret-passwords3cret-token",
		"grant_type=password&client_id=app&client_secret=s3cret-of-the-app&username=s3cret&password=s3cret", "grant_type=refresh_token&client_id=app&refresh_token=s3cret",
		"grant_type=s3cret", "grant_type=" + url.QueryEscape(grantJWT) + "&assertion=s3cret.s3cret.s3cret"} {
		a := c.do("POST", "/services/oauth2/token", "application/x-www-form-urlencoded", form)
		var body map[string]string
		if err := json.Unmarshal([]byte(a.body), &body); err != nil {
			t.Fatal(err)
		}
		if token := body["access_token"]; token != "" {
			secrets = append(secrets, token)
		}
		if strings.Contains(a.body, "s3cret") {
			t.Errorf("%s: the answer shows it: %s", form, a.body)
		}
	}
	c.do("POST", "/services/Soap/u/64.0", "text/xml", soap("64.0", people[0].username, "s3cret-password", 0, "").body)
	audit := c.do("GET", "/local/audit", "", "").body
	for _, s := range secrets {
		if s == "" {
			t.Error("a login failed")
			continue
		}
		if strings.Contains(log.String(), s) || strings.Contains(audit, s) {
			t.Errorf("%s is in the log or the audit", s)
		}
	}
}
