package salesforce

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestReadError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		code, msg  string
		fields     []string
	}{
		{"REST", `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`, "INVALID_SESSION_ID", "Session expired or invalid", nil},
		{"fields", `[{"message":"id value of incorrect type: 1","errorCode":"MALFORMED_ID","fields":["Id"]}]`, "MALFORMED_ID", "id value of incorrect type: 1", []string{"Id"}},
		{"two", `[{"message":"a","errorCode":"A"},{"message":"b","errorCode":"B"}]`, "A", "a; B: b", nil},
		{"one object", `{"message":"a","errorCode":"A"}`, "A", "a", nil},
		{"composite", `[{"statusCode":"A","message":"a","fields":[]}]`, "A", "a", []string{}},
		{"Bulk API 1", `{"exceptionCode":"InvalidVersion","exceptionMessage":"no"}`, "InvalidVersion", "no", nil},
		{"OAuth", `{"error":"invalid_grant","error_description":"authentication failure"}`, "invalid_grant", "authentication failure", nil},
		{"XML", `<?xml version="1.0" encoding="UTF-8"?><Errors><Error><errorCode>A</errorCode><message>a &lt; b</message></Error></Errors>`, "A", "a < b", nil},
		{"title", "<html><head><title>502 Bad\nGateway</title></head><body>nginx</body></html>", "", "502 Bad Gateway", nil},
		{"no title", "<html><body><h1>Down for maintenance</h1> &amp; back soon</body></html>", "", "Down for maintenance & back soon", nil},
		{"broken HTML", "<html><body <h1>Down", "", "Down", nil},
		{"plain", "upstream connect error\r\n", "", "upstream connect error", nil},
		{"empty", "", "", "Bad Request", nil},
		{"blank", " \n\t", "", "Bad Request", nil},
		{"empty array", "[]", "", "[]", nil},
		{"other JSON", `{"status":"no"}`, "", `{"status":"no"}`, nil},
		{"wrong types", `[{"message":5,"errorCode":{}}]`, "", `[{"message":5,"errorCode":{}}]`, nil},
		{"null", "null", "", "null", nil},
		{"control characters", `[{"message":"a\u0000\u001bb\r\nc","errorCode":"A"}]`, "A", "a b c", nil},
		{"not UTF-8", "caf\xe9", "", "caf\uFFFD", nil},
	} {
		resp := &http.Response{StatusCode: 400, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(tt.body))}
		e := readError(resp, &Request{Method: "POST", Path: "/jobs/ingest?x=1", Job: "750x"})
		if e.Code != tt.code || e.Message != tt.msg || cmp.Diff(tt.fields, e.Fields) != "" {
			t.Errorf("%s: got %q, %q, %q; want %q, %q, %q", tt.name, e.Code, e.Message, e.Fields, tt.code, tt.msg, tt.fields)
		}
		if e.Path != "/jobs/ingest" || e.Method != "POST" || e.Job != "750x" || e.Status != 400 {
			t.Errorf("%s: got %+v", tt.name, e)
		}
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  *APIError
		want string
	}{
		{&APIError{Status: 400, Code: "INVALID_FIELD", Message: "No such column 'Foo'", Fields: []string{"Foo", "Bar"}, Method: "POST", Path: "/jobs/ingest", Job: "750x"},
			"POST /jobs/ingest (job 750x): 400 INVALID_FIELD: No such column 'Foo' (fields Foo, Bar); check the field's name and that the user may see it"},
		{&APIError{Status: 404, Code: "NOT_FOUND", Message: "gone", Method: "GET", Path: "/jobs/ingest/750x", Job: "750x"},
			"GET /jobs/ingest/750x: 404 NOT_FOUND: gone"},
		{&APIError{Status: 403, Code: "REQUEST_LIMIT_EXCEEDED", Message: "TotalRequests Limit exceeded.", Method: "GET", Path: "/limits"},
			"GET /limits: 403 REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded.; the API calls of the last 24 hours are used up; go on when the window has moved"},
		{&APIError{Status: 301, Method: "GET", Path: "/limits", Location: "https://acme2.my.salesforce.com"},
			"GET /limits: 301; redirects are not followed; if the org has moved, use https://acme2.my.salesforce.com as the instance URL"},
		{&APIError{Status: 410, Method: "GET", Path: "/limits"}, "GET /limits: 410; this API version is retired; use a newer one"},
		{&APIError{Status: 431, Method: "GET", Path: "/query"}, "GET /query: 431; URL and headers may have 16,384 bytes together; shorten the query"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestErrorKinds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err         APIError
		auth, limit bool
	}{
		{APIError{Status: 401}, true, false},
		{APIError{Status: 400, login: true}, true, false},
		{APIError{Status: 503, login: true}, false, false},
		{APIError{Status: 403, Code: "INSUFFICIENT_ACCESS"}, false, false},
		{APIError{Status: 403, Code: limitCode, Message: "TotalRequests Limit exceeded."}, false, true},
		{APIError{Status: 403, Code: limitCode, Message: "ConcurrentRequests (Concurrent API Requests) Limit exceeded."}, false, false},
		{APIError{Status: 403, Code: limitCode, Message: "some new text"}, false, true},
	} {
		if errors.Is(&tt.err, ErrAuth) != tt.auth || errors.Is(&tt.err, ErrLimit) != tt.limit {
			t.Errorf("%v: got auth %v, limit %v", &tt.err, !tt.auth, !tt.limit)
		}
		if errors.Is(&tt.err, ErrTemporary) || errors.Is(&tt.err, ErrOutcomeUnknown) {
			t.Errorf("%v: an answer alone must not say what may be repeated", &tt.err)
		}
	}
}

func FuzzReadError(f *testing.F) {
	for _, s := range []string{
		`[{"message":"m","errorCode":"C","fields":["F"]}]`, `{"error":"e","error_description":"d"}`, "<html><title>x</title>",
		"<Errors><Error><errorCode>A</errorCode></Error></Errors>", "<a", "<title>\u0130</title>", "secret", "", "\xff", strings.Repeat("é", 3000),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		resp := &http.Response{StatusCode: 500, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(body)))}
		e := readError(resp, &Request{Method: "GET", Path: "/x"}, "secret")
		text := e.Error()
		if e.Message == "" && e.Code == "" {
			t.Errorf("neither code nor message")
		}
		if strings.Contains(e.Message+e.Code, "secret") && !strings.Contains(e.Message+e.Code, "[secret]") {
			t.Errorf("the secret shows: %q", text)
		}
		if !utf8.ValidString(e.Message) || strings.ContainsAny(e.Message, "\n\r\x00") || utf8.RuneCountInString(e.Message) > maxErrorMessage+2 {
			t.Errorf("message %q", e.Message)
		}
	})
}
