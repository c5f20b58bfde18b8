package salesforce

import "strings"

// hint says what to do about an answer, or nothing where that is not known.
func (e *APIError) hint() string {
	if e.login {
		if h := e.loginHint(); h != "" {
			return h
		}
	}
	switch {
	case e.overConcurrent():
		return "too many long requests at once; use fewer at a time"
	case e.overDailyLimit():
		return "the API calls of the last 24 hours are used up; go on when the window has moved"
	case e.overJobs():
		return "what the org allows in 24 hours is used up; go on when the window has moved"
	}
	if h, ok := codeHints[e.Code]; ok {
		return h
	}
	switch e.Status {
	case 301, 302, 303, 307, 308:
		if e.Location == "" {
			return "redirects are not followed; check the instance URL"
		}
		return "redirects are not followed; if the org has moved, use " + e.Location + " as the instance URL"
	case 401:
		return "log in again"
	case 407:
		return "the proxy wants credentials; put them into the proxy's URL in HTTPS_PROXY"
	case 410:
		return codeHints["GONE"]
	case 414, 431:
		return "URL and headers may have 16,384 bytes together; shorten the query"
	case 420:
		return "no route to this host; check the instance URL, the org may have moved or been deleted"
	}
	return ""
}

var codeHints = map[string]string{
	"INVALID_SESSION_ID":   "log in again",
	"API_DISABLED_FOR_ORG": `this org or user has no API access; an administrator must give the permission "API Enabled"`,
	"API_CURRENTLY_DISABLED": `this org or user has no API access; an administrator must give the permission ` +
		`"API Enabled"`,
	"INSUFFICIENT_ACCESS":      "the user lacks a permission; an administrator must give it",
	"GONE":                     "this API version is retired; use a newer one",
	"UNSUPPORTED_API_VERSION":  "this API version is retired; use a newer one",
	"INVALID_QUERY_LOCATOR":    "the query's cursor has expired; start the query again",
	"INVALID_FIELD":            "check the field's name and that the user may see it",
	"STORAGE_LIMIT_EXCEEDED":   "the org's data storage is full; free some or buy more",
	"REQUEST_RUNNING_TOO_LONG": "the org cuts requests after 10 minutes; ask for less at a time",
}

// loginHints are tried in this order against the text and then the code of a refused login.
var loginHints = []struct{ in, hint string }{
	{"request not supported on this domain", "client credentials need the org's My Domain host as the login URL"},
	{"no client credentials user enabled", `set a "run as" user in the app's client credentials settings`},
	{"user hasn't approved this consumer", "let an administrator pre-authorise the user in the app's policies"},
	{"not admin approved", "let an administrator pre-authorise the user in the app's policies"},
	{"audience", "the audience must be https://login.salesforce.com, https://test.salesforce.com (sandboxes) or the My Domain URL"},
	{"invalid assertion", "check the client id, that the key belongs to the app's certificate, and this machine's clock"},
	{"expired access/refresh token", "the refresh token was revoked, not used for too long, or spent by a process that ended before it could keep the next one; log in anew"},
	{"expired", "log in anew; for JWT check this machine's clock"},
	{"invalid_client_id", "check the client id and the login URL"},
	{"invalid_client", "check the client id and the client secret"},
	{"unsupported_grant_type", "this login flow is switched off; enable it in the app's settings"},
	{"inactive user", "an administrator must activate the user"},
	{"redirect_uri_mismatch", "the app must list the redirect address, port included, as a callback URL"},
	{"access_denied", "the login was refused in the browser"},
	{"LOGIN_MUST_USE_SECURITY_TOKEN", "give the security token, too; the user gets a new one in the personal settings"},
	{"INVALID_LOGIN", "check user name, password and security token, and that the user is active and not locked; sandboxes log in at https://test.salesforce.com"},
	{"UNSUPPORTED_API_VERSION", "this org has no SOAP login any more; use another way to log in"},
	{"INVALID_OPERATION", "SOAP login may be switched off in this org; use another way to log in"},
	{"invalid_grant", "check the user name, the app's policies and the login URL"},
}

func (e *APIError) loginHint() string {
	for _, text := range []string{strings.ToLower(e.Message), e.Code} {
		for _, h := range loginHints {
			if strings.Contains(text, h.in) {
				return h.hint
			}
		}
	}
	return ""
}
