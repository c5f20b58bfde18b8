package salesforce_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"migrate/internal/localorg"
	"migrate/pkg/salesforce"
)

const soapUser = "integration@local.example.com"

func TestSOAPLogin(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"p", `a<b>&"c'`, "]]>", "pass word", "línea 日本", "tab\tand\nline", "{}\\n%s"} {
		o := startOrg(t, localorg.Config{Password: password, SecurityToken: "tOkEn&1"})
		c, err := o.login(t, salesforce.SOAPLogin{LoginURL: o.URL, Username: soapUser, Password: password, SecurityToken: "tOkEn&1"})
		if err != nil {
			t.Errorf("password %q: %v", password, err)
			continue
		}
		if c.InstanceURL() != o.URL || c.OrgID() != "00D5g0000000001" {
			t.Errorf("got instance %s, org %s", c.InstanceURL(), c.OrgID())
		}
		if u, err := c.User(t.Context()); err != nil || u.Username != soapUser {
			t.Errorf("got %+v, %v", u, err)
		}
	}
}

func TestSOAPLoginRefused(t *testing.T) {
	t.Parallel()
	o := startOrg(t, localorg.Config{Password: "hush-pass", SecurityToken: "hush-token"})
	good := salesforce.SOAPLogin{LoginURL: o.URL, Username: soapUser, Password: "hush-pass", SecurityToken: "hush-token"}
	for _, tt := range []struct {
		name   string
		change func(*salesforce.SOAPLogin)
		want   string
		say    string
	}{
		{"wrong password", func(s *salesforce.SOAPLogin) { s.Password = "hush-wrong" }, "500, authentication refused", "INVALID_LOGIN: Invalid username, password, security token; or user locked out.; check user name"},
		{"no security token", func(s *salesforce.SOAPLogin) { s.SecurityToken = "" }, "500, authentication refused", "give the security token, too"},
		{"wrong user", func(s *salesforce.SOAPLogin) { s.Username = "nobody@example.com" }, "500, authentication refused", "INVALID_LOGIN"},
		{"no password", func(s *salesforce.SOAPLogin) { s.Password = "" }, "authentication refused", "needs a user name and a password"},
		{"control character", func(s *salesforce.SOAPLogin) { s.Password = "hush\x01" }, "error", "the password has control characters"},
		{"not UTF-8", func(s *salesforce.SOAPLogin) { s.Username = "jo\xff" }, "error", "the user name has control characters or is not UTF-8"},
		{"too long", func(s *salesforce.SOAPLogin) { s.Password = "hush" + strings.Repeat("<", 5000) }, "error", "Salesforce takes 10240"},
		{"plain http", func(s *salesforce.SOAPLogin) { s.LoginURL = "http://acme.my.salesforce.com" }, "error", "plain http"},
	} {
		s := good
		tt.change(&s)
		_, err := o.login(t, s)
		if outcome(err) != tt.want || !strings.Contains(err.Error(), tt.say) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: got %s: %v", tt.name, outcome(err), err)
		}
		if n := o.Audit().Calls["POST services/Soap/u/64.0"]; tt.want[0] == '5' && n == 0 {
			t.Errorf("%s: the org was not asked; calls: %v", tt.name, o.Audit().Calls)
		}
	}
	if n := o.Audit().Calls["POST services/Soap/u/64.0"]; n != 3 {
		t.Errorf("%d logins were sent, want one for each refusal, as more lock the user out", n)
	}
	o.deactivate(t)
	good.Username = "admin@local.example.com"
	if _, err := o.login(t, good); outcome(err) != "500, authentication refused" || !strings.Contains(err.Error(), "that the user is active") {
		t.Errorf("inactive user: %v", err)
	}
}

// TestSOAPAnswers: answers that the local org does not give.
func TestSOAPAnswers(t *testing.T) {
	t.Parallel()
	const head = `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns="urn:partner.soap.sforce.com"><soapenv:Body>`
	const tail = `</soapenv:Body></soapenv:Envelope>`
	fault := func(code, text string) string {
		return head + `<soapenv:Fault><faultcode>` + code + `</faultcode><faultstring>` + text + `</faultstring></soapenv:Fault>` + tail
	}
	result := func(inner string) string {
		return head + `<loginResponse><result>` + inner + `</result></loginResponse>` + tail
	}
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   string
		say    string
		sent   int
	}{
		{"prefix", 500, fault("sf:INVALID_LOGIN", "INVALID_LOGIN: Invalid username"), "500, authentication refused", "500 INVALID_LOGIN: Invalid username; check", 1},
		{"version", 500, fault("UNSUPPORTED_API_VERSION", "UNSUPPORTED_API_VERSION: Invalid Api version"), "500, authentication refused", "no SOAP login any more", 1},
		{"client fault", 500, fault("soapenv:Client", "no login request"), "500, authentication refused", "500 Client: no login request", 1},
		{"secret echoed", 500, fault("INVALID_LOGIN", "bad hush-passhush-token and hush-pass"), "500, authentication refused", "bad [secret] and [secret]", 1},
		{"limit", 500, fault("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded"), "500, daily API limit reached", "24 hours", 1},
		{"out of service", 500, fault("SERVER_UNAVAILABLE", "later"), "500, temporary failure", "gave up at attempt 6", 6},
		{"gateway", 503, htmlPage, "503, temporary failure", "Error 500", 6},
		{"redirect", 302, "", "302, authentication refused", "302", 1},
		{"HTML with 200", 200, htmlPage, "temporary failure", "not that of a SOAP login", 6},
		{"cut", 200, head + "<loginResp", "temporary failure", "not that of a SOAP login", 6},
		{"expired password", 200, result(`<passwordExpired>true</passwordExpired><serverUrl>https://acme.my.salesforce.com/services/Soap/u/64.0/00D</serverUrl><sessionId>a!b</sessionId>`), "authentication refused", "has expired", 1},
		{"no session", 200, result(`<serverUrl>https://acme.my.salesforce.com/x</serverUrl>`), "authentication refused", "no access token", 1},
		{"plain http", 200, result(`<serverUrl>http://evil.example/x</serverUrl><sessionId>a!b</sessionId>`), "error", "plain http", 1},
		{"no server", 200, result(`<sessionId>a!b</sessionId>`), "error", "instance URL is missing", 1},
		{"session", 200, result(`<serverUrl>https://acme.my.salesforce.com/services/Soap/u/64.0/00D</serverUrl><sessionId>a!b</sessionId>`), "ok", "", 1},
	} {
		sent := 0
		c, err := salesforce.Open(t.Context(), salesforce.Config{Sleep: noSleep, Auth: salesforce.SOAPLogin{Username: "jo", Password: "hush-pass", SecurityToken: "hush-token"},
			Transport: wire(func(r *http.Request) (*http.Response, error) {
				sent++
				body, err := io.ReadAll(r.Body)
				if r.URL.String() != "https://login.salesforce.com/services/Soap/u/64.0" || r.Header.Get("SOAPAction") != "login" || r.Header.Get("Content-Type") != "text/xml; charset=UTF-8" || err != nil || int64(len(body)) != r.ContentLength {
					t.Errorf("sent %s %v", r.URL, r.Header)
				}
				return reply(tt.status, tt.body, "Content-Type", "text/xml"), nil
			})})
		if outcome(err) != tt.want || sent != tt.sent || !strings.Contains(fmt.Sprint(err), tt.say) || strings.Contains(fmt.Sprint(err), "hush") {
			t.Errorf("%s: got %s after %d calls: %v", tt.name, outcome(err), sent, err)
		}
		if err == nil && c.InstanceURL() != "https://acme.my.salesforce.com" {
			t.Errorf("%s: got instance %s", tt.name, c.InstanceURL())
		}
	}
	_, err := salesforce.SOAPLogin{Username: "jo", Password: "p"}.Token(t.Context(), wire(func(*http.Request) (*http.Response, error) { return nil, reset() }))
	if !errors.Is(err, salesforce.ErrTemporary) {
		t.Errorf("reset: %v", err)
	}
}
