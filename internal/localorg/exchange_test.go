package localorg

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scenarios are tables of requests and the answers that they must get, by what they are about. Each file has its own.
var scenarios = slices.Concat(ingestScenarios, describeScenarios, queryScenarios, queryJobScenarios, restScenarios, fileScenarios, loginScenarios)

// scenario is a talk with an org of its own.
type scenario struct {
	name      string
	cfg       Config
	exchanges []exchange
}

// exchange is one request and its answer.
type exchange struct {
	// call is the method and the path below the version, or from /services or /local on. {name} in it, in body and in
	// want stands for a value that was kept. "WAIT {job}" sends nothing and waits until the job has ended.
	call   string
	header []string // such as "Accept: text/csv"; Content-Type is JSON or CSV by the look of the body where it is not given
	body   string
	status int
	// want is the whole body, "*" any that is not empty. JSON is compared by value: "*" is any value, and a key "*" lets an object have more keys.
	want       string
	wantHeader []string // such as "Sforce-Locator: null"
	// keep takes values out of the answer: "job=id" keeps the property id under the name job, "cursor=/nextRecordsUrl" what
	// stands behind the last slash of that property, "page=@Sforce-Locator" a header.
	keep []string
}

func TestExchanges(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, s.cfg)
			kept := map[string]string{}
			for _, e := range s.exchanges {
				e.run(c, kept)
			}
		})
	}
}

// TestEveryEndpointIsInATable fails when an address that the org serves has no exchange that succeeds.
func TestEveryEndpointIsInATable(t *testing.T) {
	t.Parallel()
	org := open(t, Config{}).org
	seen := map[string]bool{}
	for _, s := range scenarios {
		for _, e := range s.exchanges {
			method, to, _ := strings.Cut(e.call, " ")
			u, err := url.Parse(address(to, "66.0"))
			if err != nil {
				t.Fatal(err)
			}
			if e.status < 400 {
				seen[org.endpoint(method, pathParts(u.Path))] = true
			}
		}
	}
	for _, rt := range org.routes {
		for method := range rt.methods {
			if name := method + " " + rt.pattern; !seen[name] {
				t.Errorf("no exchange for %s", name)
			}
		}
	}
}

func (e exchange) run(c *client, kept map[string]string) {
	c.t.Helper()
	fill := func(s string) string {
		for name, v := range kept {
			s = strings.ReplaceAll(s, "{"+name+"}", v)
		}
		return s
	}
	method, to, _ := strings.Cut(fill(e.call), " ")
	if method == "WAIT" {
		c.waitEnd(to)
		return
	}
	body := fill(e.body)
	r, err := http.NewRequest(method, "http://org.example.com"+address(to, c.version), strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		r.Header.Set("Content-Type", "text/csv")
		if body[0] == '{' || body[0] == '[' {
			r.Header.Set("Content-Type", "application/json; charset=UTF-8")
		}
	}
	for _, h := range e.header {
		name, value, _ := strings.Cut(fill(h), ": ")
		r.Header.Set(name, value)
		if value == "" {
			r.Header.Del(name)
		}
	}
	res, err := c.rt.RoundTrip(r)
	if err != nil {
		c.t.Fatalf("%s: %v", e.call, err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatalf("%s: %v", e.call, err)
	}
	if res.StatusCode != e.status {
		c.t.Errorf("%s: status %d, want %d; body %s", e.call, res.StatusCode, e.status, data)
	}
	if diff := compareBody(fill(e.want), string(data)); diff != "" {
		c.t.Errorf("%s: body (-want +got)\n%s", e.call, diff)
	}
	for _, h := range e.wantHeader {
		name, value, _ := strings.Cut(fill(h), ": ")
		if got := res.Header.Get(name); got != value {
			c.t.Errorf("%s: header %s %q, want %q", e.call, name, got, value)
		}
	}
	for _, k := range e.keep {
		name, key, _ := strings.Cut(k, "=")
		if header, ok := strings.CutPrefix(key, "@"); ok {
			kept[name] = res.Header.Get(header)
			continue
		}
		var all map[string]any
		if err := json.Unmarshal(data, &all); err != nil {
			c.t.Fatalf("%s: keep %s: %v", e.call, k, err)
		}
		last := strings.HasPrefix(key, "/")
		if kept[name], _ = all[strings.TrimPrefix(key, "/")].(string); last {
			kept[name] = kept[name][strings.LastIndexByte(kept[name], '/')+1:]
		}
	}
}

func address(path, version string) string {
	if strings.HasPrefix(path, "/services") || strings.HasPrefix(path, "/local") || strings.HasPrefix(path, "/id/") {
		return path
	}
	return "/services/data/v" + version + "/" + path
}

// compareBody compares JSON by value and other text as it is.
func compareBody(want, got string) string {
	var w, g any
	if want == "*" && got != "" {
		return ""
	}
	if json.Unmarshal([]byte(want), &w) != nil || json.Unmarshal([]byte(got), &g) != nil {
		return cmp.Diff(want, got)
	}
	return cmp.Diff(w, blank(w, g))
}

// blank puts the wildcards of want in place of what got has there.
func blank(want, got any) any {
	if want == "*" && got != nil {
		return "*"
	}
	switch g := got.(type) {
	case map[string]any:
		w, ok := want.(map[string]any)
		if !ok {
			return got
		}
		out := map[string]any{}
		_, open := w["*"]
		if open {
			out["*"] = w["*"]
		}
		for k, v := range g {
			if part, ok := w[k]; ok {
				out[k] = blank(part, v)
			} else if !open {
				out[k] = v
			}
		}
		return out
	case []any:
		w, ok := want.([]any)
		if !ok || len(w) != len(g) {
			return got
		}
		out := make([]any, len(g))
		for i := range g {
			out[i] = blank(w[i], g[i])
		}
		return out
	}
	return got
}

func TestCompareBody(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		want, got string
		same      bool
	}{
		{`{"a":1}`, `{ "a": 1 }`, true},
		{`{"a":1}`, `{"a":1,"b":2}`, false},
		{`{"a":1,"*":"*"}`, `{"a":1,"b":2}`, true},
		{`{"a":1,"*":"*"}`, `{"b":2}`, false},
		{`{"a":"*"}`, `{"a":{"b":2}}`, true},
		{`{"a":"*"}`, `{"a":null}`, false},
		{`{"a":"*"}`, `{}`, false},
		{`[{"a":"*"}]`, `[{"a":1},{"a":2}]`, false},
		{`[1,"*"]`, `[1,2]`, true},
		{"x", "x", true},
		{"*", "x", true},
		{"*", "", false},
		{"x", "y", false},
		{"", "", true},
		{"", "{}", false},
	} {
		if diff := compareBody(test.want, test.got); (diff == "") != test.same {
			t.Errorf("%s and %s: %q", test.want, test.got, diff)
		}
	}
}
