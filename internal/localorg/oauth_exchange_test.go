package localorg

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// post is a form sent to an address of the logins; values are as they stand in a form.
func post(to, body string, status int, want string, keep ...string) exchange {
	return exchange{call: "POST /services/oauth2/" + to, header: []string{"Content-Type: application/x-www-form-urlencoded"}, body: body, status: status, want: want, keep: keep}
}

// refusal is the body of a refused token request.
func refusal(code, description string) string {
	return fmt.Sprintf(`{"error":%q,"error_description":%q}`, code, description)
}

// soap is a login over SOAP.
func soap(version, user, password string, status int, want string) exchange {
	return exchange{call: "POST /services/Soap/u/" + version, header: []string{"Content-Type: text/xml; charset=UTF-8", "SOAPAction: login"}, status: status, want: want,
		body: `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="urn:partner.soap.sforce.com"><soapenv:Body><urn:login><urn:username>` +
			user + `</urn:username><urn:password>` + password + `</urn:password></urn:login></soapenv:Body></soapenv:Envelope>`}
}

// fault is the body of a refusal over SOAP, loginFault that of a refused login.
func fault(code, text, detail string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>` +
		`<soapenv:Fault><faultcode>` + code + `</faultcode><faultstring>` + code + `: ` + text + `</faultstring>` + detail + `</soapenv:Fault></soapenv:Body></soapenv:Envelope>`
}

func loginFault(code, text string) string {
	return fault(code, text, `<detail><sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>`+code+`</sf:exceptionCode><sf:exceptionMessage>`+text+`</sf:exceptionMessage></sf:LoginFault></detail>`)
}

const (
	tokenBody   = `{"access_token":"*","scope":"*","instance_url":"http://org.example.com","id":"*","token_type":"Bearer","issued_at":"*","signature":"*"}`
	sessionBody = `[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]`
	badTokenFor = `[{"errorCode":"INVALID_SESSION_ID","message":"Bad_OAuth_Token"}]`
	wrongLogin  = "Invalid username, password, security token; or user locked out."
	adminName   = "admin@local.example.com"
)

var loginConfig = Config{ClientID: "app", ClientSecret: "s3cret", Password: "pw", SecurityToken: "ST"}

var loginScenarios = []scenario{
	{name: "logins", cfg: loginConfig, exchanges: []exchange{
		post("token", "grant_type=client_credentials&client_id=app&client_secret=s3cret", 200, tokenBody, "token=access_token", "admin=/id"),
		{call: "POST /services/oauth2/token", header: []string{"Content-Type: application/x-www-form-urlencoded", "Authorization: Basic YXBwOnMzY3JldA=="},
			body: "grant_type=client_credentials", status: 200, want: tokenBody, wantHeader: []string{"Cache-Control: no-cache, no-store"}},
		{call: "GET limits/recordCount?sObjects=Account", header: []string{"Authorization: OAuth {token}"}, status: 200, want: `{"sObjects":[{"count":0,"name":"Account"}]}`},
		{call: "GET limits", header: []string{"Authorization: Basic {token}"}, status: 401, want: sessionBody},
		{call: "GET /services/oauth2/userinfo", status: 200, want: `{"sub":"http://org.example.com/id/00D5g0000000001EAA/{admin}","user_id":"{admin}","organization_id":"00D5g0000000001EAA",
			"preferred_username":"admin@local.example.com","email":"admin@example.com","active":true,"urls":{"rest":"http://org.example.com/services/data/v{version}/","*":"*"},"*":"*"}`},
		{call: "GET /id/00D5g0000000001EAA/{admin}", status: 200, want: `{"id":"http://org.example.com/id/00D5g0000000001EAA/{admin}","user_id":"{admin}","organization_id":"00D5g0000000001EAA",
			"username":"admin@local.example.com","nick_name":"admin","display_name":"Ada Admin","email":"admin@example.com","active":true,"urls":{"partner":"http://org.example.com/services/Soap/u/{version}/00D5g0000000001","*":"*"},"*":"*"}`},
		{call: "GET /id/00D5g0000000001/{admin}", header: []string{"Authorization: Bearer x"}, status: 403, want: badTokenFor},
		{call: "GET /id/00D5g0000000002/{admin}", status: 404, want: notFoundBody},
		{call: "GET /id/00D5g0000000001EAA/0055g00000zzzzz", status: 404, want: notFoundBody},
		{call: "GET /services/oauth2/userinfo", header: []string{"Authorization: "}, status: 403, want: badTokenFor},
		post("introspect", "token={token}&token_type_hint=access_token&client_id=app&client_secret=s3cret", 200,
			`{"active":true,"scope":"api refresh_token","client_id":"app","username":"admin@local.example.com","sub":"http://org.example.com/id/00D5g0000000001EAA/{admin}","token_type":"access_token","exp":"*","iat":"*","nbf":"*"}`),
		post("introspect", "token=nonsense&client_id=app&client_secret=s3cret", 200, `{"active":false}`),
		post("introspect", "token={token}&client_id=app&client_secret=x", 400, refusal("invalid_client", "invalid client credentials")),
		post("introspect", "token={token}&client_id=app", 400, refusal("invalid_client", "invalid client credentials")),
		post("revoke", "token={token}", 200, ""),
		{call: "GET limits", header: []string{"Authorization: Bearer {token}"}, status: 401, want: sessionBody},
		post("introspect", "token={token}&client_id=app&client_secret=s3cret", 200, `{"active":false}`),
		post("revoke", "token={token}", 200, ""),
		post("token", "grant_type=password&client_id=app&client_secret=s3cret&username=admin@local.example.com&password=pwST", 200, tokenBody),
		{call: "GET /services/oauth2/authorize?response_type=code&client_id=app&redirect_uri=http%3A%2F%2Flocalhost%3A1717%2FOauthRedirect", status: 302, want: "*"},
	}},
	{name: "logins refused", cfg: loginConfig, exchanges: []exchange{
		post("token", "", 400, refusal("invalid_request", "missing required parameter: grant_type")),
		post("token", "grant_type=%zz", 400, refusal("invalid_request", "malformed request body")),
		post("token", "grant_type=device", 400, refusal("unsupported_grant_type", "grant type not supported")),
		post("token", "grant_type=client_credentials&client_id=other&client_secret=s3cret", 400, refusal("invalid_client_id", "client identifier invalid")),
		post("token", "grant_type=client_credentials&client_id=app&client_secret=x", 400, refusal("invalid_client", "invalid client credentials")),
		post("token", "grant_type=client_credentials&client_id=PlatformCLI", 400, refusal("invalid_client_id", "client identifier invalid")),
		{call: "POST /services/oauth2/token", header: []string{"Content-Type: application/x-www-form-urlencoded"}, body: "grant_type=refresh_token&client_id=app&refresh_token=x", status: 400, want: refusal("invalid_grant", "expired access/refresh token")},
		post("token", "grant_type=password&client_id=app&client_secret=s3cret&username=admin@local.example.com&password=pw", 400, refusal("invalid_grant", "authentication failure")),
		post("token", "grant_type=password&client_id=app&client_secret=s3cret&username=nobody&password=pwST", 400, refusal("invalid_grant", "authentication failure")),
		post("token", "grant_type=password&client_id=app&username=admin@local.example.com&password=pwST", 400, refusal("invalid_client", "invalid client credentials")),
		post("token", "grant_type=authorization_code&client_id=app&client_secret=s3cret&code=x&redirect_uri=http://localhost", 400, refusal("invalid_grant", "invalid authorization code")),
		{call: "GET /services/oauth2/token", status: 405, want: `[{"errorCode":"METHOD_NOT_ALLOWED","message":"HTTP Method 'GET' not allowed. Allowed are POST"}]`},
		{call: "GET /services/oauth2/nonsense", status: 404, want: notFoundBody},
		{call: "GET /services/oauth2/authorize?response_type=code&client_id=other&redirect_uri=http://localhost/", status: 400, want: refusal("invalid_client_id", "client identifier invalid")},
		{call: "GET /services/oauth2/authorize?response_type=code&client_id=app&redirect_uri=http://evil.example/", status: 400, want: refusal("redirect_uri_mismatch", "redirect_uri must match configuration")},
		{call: "GET /services/oauth2/authorize?response_type=code&client_id=app", status: 400, want: refusal("redirect_uri_mismatch", "redirect_uri must match configuration")},
	}},
	{name: "no user for the app", cfg: Config{ClientID: "app", ClientSecret: "s3cret", NoRunAs: true, NoIntrospection: true}, exchanges: []exchange{
		post("token", "grant_type=client_credentials&client_id=app&client_secret=s3cret", 400, refusal("invalid_grant", "no client credentials user enabled")),
		post("introspect", "token="+testToken+"&client_id=app&client_secret=s3cret", 200, `{"active":false}`),
		post("token", "grant_type=password&client_id=app&client_secret=s3cret&username=admin@local.example.com&password=", 400, refusal("invalid_grant", "authentication failure")),
	}},
	{name: "login over SOAP", cfg: loginConfig, exchanges: []exchange{
		soap("64.0", adminName, "pwST", 200, "*"),
		soap("64.0/00D5g0000000001", adminName, "pwST", 200, "*"),
		soap("64.0", adminName, "pw", 500, loginFault("LOGIN_MUST_USE_SECURITY_TOKEN", errNoSecurity.message)),
		soap("64.0", adminName, "other", 500, loginFault("INVALID_LOGIN", wrongLogin)),
		soap("64.0", "nobody", "pwST", 500, loginFault("INVALID_LOGIN", wrongLogin)),
		soap("64.0", "", "", 500, loginFault("INVALID_LOGIN", wrongLogin)),
		soap("64.0", "integration@local.example.com", "pwST", 200, "*"),
		{call: "PATCH sobjects/User/Username/integration@local.example.com", body: `{"IsActive":false}`, status: 200, want: "*"},
		soap("64.0", "integration@local.example.com", "pwST", 500, loginFault("INVALID_LOGIN", wrongLogin)),
		soap("65.0", adminName, "pwST", 500, fault("UNSUPPORTED_API_VERSION", "login() is not available from API version 65.0 on", "")),
		soap("x", adminName, "pwST", 500, fault("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL", "")),
		soap("64.0", adminName, strings.Repeat("x", 10<<10), 500, fault("REQUEST_LIMIT_EXCEEDED", "the login request is larger than 10 KB", "")),
		{call: "POST /services/Soap/u/64.0", header: []string{"Content-Type: text/xml"}, body: "<a>", status: 500, want: fault("soapenv:Client", "no login request found in the envelope", "")},
		{call: "POST /services/Soap/u/64.0", body: "{}", status: 415, want: `[{"errorCode":"UNSUPPORTED_MEDIA_TYPE","message":"Unsupported Media Type"}]`},
		{call: "GET /services/Soap/u/64.0", status: 405, want: `[{"errorCode":"METHOD_NOT_ALLOWED","message":"HTTP Method 'GET' not allowed. Allowed are POST"}]`},
		{call: "POST /services/Soap/c/64.0", status: 404, want: notFoundBody},
	}},
	{name: "no password", exchanges: []exchange{soap("64.0", adminName, "", 500, loginFault("INVALID_LOGIN", wrongLogin))}},
}

// TestEveryLoginIsInATable fails when an address of the logins has no exchange that succeeds.
func TestEveryLoginIsInATable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range loginScenarios {
		for _, e := range s.exchanges {
			_, to, _ := strings.Cut(e.call, " ")
			u, err := url.Parse(to)
			if err != nil {
				t.Fatal(err)
			}
			if e.status < 400 {
				seen[u.Path] = true
			}
		}
	}
	for _, path := range []string{"/services/oauth2/token", "/services/oauth2/authorize", "/services/oauth2/introspect", "/services/oauth2/revoke", "/services/oauth2/userinfo",
		"/services/Soap/u/64.0", "/id/00D5g0000000001EAA/{admin}"} {
		if !seen[path] {
			t.Errorf("no exchange for %s", path)
		}
	}
}
