package localorg

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	tests := []struct {
		method, path  string
		status        int
		code, message string
	}{
		{"GET", "/services/data/v66.0/limits/", 200, "", ""},
		{"GET", "/services/data/v66.0/SObjects", 200, "", ""},
		{"GET", "/services/data/v31.0/limits", 200, "", ""},
		{"GET", "/services/data/v67.0/limits", 200, "", ""},
		{"GET", "/services/data/v68.0/limits", 404, "NOT_FOUND", "The requested resource does not exist"},
		{"GET", "/services/data/v66/limits", 404, "NOT_FOUND", "The requested resource does not exist"},
		{"GET", "/services/data/66.0/limits", 404, "NOT_FOUND", "The requested resource does not exist"},
		{"GET", "/services/data/v/limits", 404, "NOT_FOUND", "The requested resource does not exist"},
		{"GET", "/services/data/v30.0/limits", 410, "GONE", "API version 30.0 is retired. Use a supported version."},
		{"GET", "/services/data/v66.0/nonsense", 404, "NOT_FOUND", "The requested resource does not exist"},
		{"GET", "/services/data/v66.0/sobjects/Nothing/describe", 404, "NOT_FOUND", "The requested resource does not exist"},
		{"GET", "/services/nonsense", 404, "NOT_FOUND", "The requested resource does not exist"},
		{"PUT", "/services/data/v66.0/jobs/ingest", 405, "METHOD_NOT_ALLOWED", "HTTP Method 'PUT' not allowed. Allowed are GET,POST"},
		{"POST", "/services/data", 405, "METHOD_NOT_ALLOWED", "HTTP Method 'POST' not allowed. Allowed are GET"},
		{"GET", "/services/oauth2/token", 405, "METHOD_NOT_ALLOWED", "HTTP Method 'GET' not allowed. Allowed are POST"},
		{"POST", "/services/oauth2/nonsense", 404, "NOT_FOUND", "The requested resource does not exist"},
		{"GET", "/services/data/v66.0/limits?x=" + strings.Repeat("x", 17_000), 414, "URI_TOO_LONG", "The URI is too long"},
		{"GET", "/local/nonsense", 404, "NOT_FOUND", "The requested resource does not exist"},
	}
	for _, test := range tests {
		a := c.do(test.method, test.path, "", "")
		if test.code == "" {
			if a.status != test.status {
				t.Errorf("%s %s: %d %s", test.method, test.path, a.status, a.body)
			}
			continue
		}
		a.want(t, test.method+" "+test.path, test.status, test.code, test.message)
	}
}

func TestLongHeaders(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	r := httptest.NewRequest("GET", "/services/data/v66.0/limits", nil)
	r.Header.Set("X-Long", strings.Repeat("x", 17_000))
	w := httptest.NewRecorder()
	c.org.ServeHTTP(w, r)
	answer{w.Code, w.Header(), w.Body.String()}.want(t, "headers", 431, "REQUEST_HEADER_FIELDS_TOO_LARGE", "The URI and headers are too long")
}

func TestErrorAsXML(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	r := httptest.NewRequest("GET", "/services/data/v66.0/limits", nil)
	r.Header.Set("Accept", "application/xml")
	w := httptest.NewRecorder()
	c.org.ServeHTTP(w, r)
	want := `<?xml version="1.0" encoding="UTF-8"?><Errors><Error><message>Session expired or invalid</message><errorCode>INVALID_SESSION_ID</errorCode></Error></Errors>`
	if got := w.Body.String(); w.Code != 401 || got != want {
		t.Errorf("%d %s", w.Code, got)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	var list []versionInfo
	c.json("GET", "/services/data/", nil, 200, &list)
	first, last := list[0], list[len(list)-1]
	if first.Version != "31.0" || last != (versionInfo{"Summer '26", "/services/data/v67.0", "67.0"}) || list[35].Label != "Spring '26" || list[34].Label != "Winter '26" || first.Label != "Summer '14" {
		t.Errorf("first %+v, 65 %+v, 66 %+v, last %+v", first, list[34], list[35], last)
	}
	var resources map[string]string
	c.json("GET", "", nil, 200, &resources)
	if resources["query"] != "/services/data/v66.0/query" || !strings.HasPrefix(resources["identity"], "http://org.example.com/id/00D") {
		t.Errorf("resources %v", resources)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	type describe struct {
		Name, KeyPrefix string
		Fields          []struct {
			Name, Type         string
			Length             int
			Createable, Unique bool
			ReferenceTo        []string
		}
	}
	no := false
	for _, audit := range []*bool{nil, &no} {
		c := open(t, Config{AuditFields: audit})
		var list struct {
			Sobjects []struct{ Name, KeyPrefix string }
		}
		c.json("GET", "sobjects", nil, 200, &list)
		if len(list.Sobjects) != 13 {
			t.Fatalf("objects %v", list)
		}
		for _, o := range list.Sobjects {
			var d describe
			c.json("GET", "sobjects/"+strings.ToLower(o.Name)+"/describe", nil, 200, &d)
			if d.Name != o.Name || d.KeyPrefix != o.KeyPrefix || len(d.Fields) < 10 {
				t.Errorf("describe of %s: %+v", o.Name, d)
			}
			for _, f := range d.Fields {
				if want := audit == nil && o.Name != "RecordType" && o.Name != "User"; f.Name == "CreatedDate" && o.Name == "Account" && f.Createable != want {
					t.Errorf("audit %v: %s.CreatedDate createable %v", audit == nil, o.Name, f.Createable)
				}
				if o.Name == "Task" && f.Name == "WhatId" && len(f.ReferenceTo) != 4 {
					t.Errorf("WhatId %+v", f)
				}
				if f.Name == "Legacy_Id__c" && (f.Type != "string" || f.Length != 40 || !f.Unique) {
					t.Errorf("%s.%+v", o.Name, f)
				}
			}
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	clk := newClock()
	c := open(t, Config{DailyAPI: 8, Now: clk.now})
	c.get("/services/data/") // not counted
	c.insert("Account", "Name", "a")
	a := c.get("limits")
	var l map[string]limit
	if err := json.Unmarshal([]byte(a.body), &l); err != nil {
		t.Fatal(err)
	}
	if l["DailyApiRequests"] != (limit{8, 2}) || l["DailyBulkApiBatches"] != (limit{15_000, 14_998}) || a.header.Get("Sforce-Limit-Info") != "api-usage=6/8" {
		t.Errorf("limits %v, header %s", l, a.header.Get("Sforce-Limit-Info"))
	}
	c.get("limits")
	c.get("limits")
	a = c.get("limits")
	a.want(t, "over", 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
	if got := a.header.Get("Sforce-Limit-Info"); got != "api-usage=8/8" {
		t.Errorf("header %s", got)
	}
	clk.add(23 * time.Hour)
	if a := c.get("limits"); a.status != 403 {
		t.Errorf("after 23 hours: %d", a.status)
	}
	clk.add(time.Hour)
	if a := c.get("limits"); a.status != 200 {
		t.Errorf("after a day: %d %s", a.status, a.body)
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	pack := func(text string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		io.WriteString(z, text)
		z.Close()
		return b.Bytes()
	}
	send := func(c *client, method, path string, body []byte, header ...string) *http.Response {
		r, _ := http.NewRequest(method, "http://org/services/data/v66.0/"+path, bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+testToken)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		res, err := c.rt.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	c := open(t, Config{})
	j := c.create(spec{"object": "Account", "operation": "insert"})
	body := "Name\n" + strings.Repeat("some name\n", 500)
	res := send(c, "PUT", "jobs/ingest/"+j.ID+"/batches", pack(body), "Content-Type", "text/csv", "Content-Encoding", "gzip")
	if res.StatusCode != 201 {
		t.Fatalf("upload %d", res.StatusCode)
	}
	bad := c.create(spec{"object": "Account", "operation": "insert"})
	for _, cut := range []int{0, 5, 30} {
		res := send(c, "PUT", "jobs/ingest/"+bad.ID+"/batches", pack(body)[:cut], "Content-Type", "text/csv", "Content-Encoding", "gzip")
		if res.StatusCode != 400 {
			t.Errorf("upload of %d bytes of gzip: %d", cut, res.StatusCode)
		}
	}
	c.patch(j.ID, "UploadComplete")
	c.wait(j.ID)
	for _, path := range []string{"jobs/ingest/" + j.ID + "/successfulResults", "query?q=SELECT+Name+FROM+Account", "sobjects/Account/describe"} {
		want := c.get(path).body
		res := send(c, "GET", path, nil, "Accept-Encoding", "gzip")
		if res.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s is not packed: %v", path, res.Header)
		}
		z, err := gzip.NewReader(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(z)
		if err != nil || string(got) != want {
			t.Errorf("%s: %d bytes unpacked, want %d; %v", path, len(got), len(want), err)
		}
		res = send(c, "GET", path, nil, "Accept-Encoding", "deflate")
		if res.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s is packed although the client cannot unpack it", path)
		}
	}
	plain := open(t, Config{NoGzip: true, RefuseGzipUpload: true})
	if res := send(plain, "GET", "sobjects/Account/describe", nil, "Accept-Encoding", "gzip"); res.Header.Get("Content-Encoding") != "" {
		t.Error("packed although it is switched off")
	}
	j = plain.create(spec{"object": "Account", "operation": "insert"})
	if res := send(plain, "PUT", "jobs/ingest/"+j.ID+"/batches", pack(body), "Content-Type", "text/csv", "Content-Encoding", "gzip"); res.StatusCode != 415 {
		t.Errorf("packed upload: %d", res.StatusCode)
	}
}

// An org whose journal cannot be written stops answering rather than forget.
func TestBrokenJournal(t *testing.T) {
	t.Parallel()
	o, err := Open(Config{Dir: t.TempDir(), AccessToken: testToken})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	c := &client{t: t, org: o, rt: o.Transport(), token: testToken, version: "66.0"}
	o.journal.file.Close()
	for range 2 {
		a := c.do("POST", "jobs/ingest", "application/json", `{"object":"Account","operation":"insert"}`)
		if code, _ := errorOf(t, a); a.status != 500 || code != "UNKNOWN_EXCEPTION" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if len(o.jobs) != 0 {
		t.Errorf("a job was made that is not kept")
	}
}
