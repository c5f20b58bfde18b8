package salesforce_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"migrate/pkg/salesforce"
)

func TestQuery(t *testing.T) {
	t.Parallel()
	const soql = "SELECT Id FROM Account WHERE Name = 'A&B +1'"
	for _, tt := range []struct {
		name  string
		pages []string
		want  []string
		say   string // part of the error, empty: none
	}{
		{"none", []string{`{"totalSize":0,"done":true,"records":[]}`}, nil, ""},
		{"one page", []string{`{"totalSize":2,"done":true,"records":[{"Id":"1"},{"Id":"2"}]}`}, []string{"1", "2"}, ""},
		{"three pages", []string{
			`{"totalSize":3,"done":false,"nextRecordsUrl":"NEXT","records":[{"Id":"1"}]}`,
			`{"totalSize":3,"done":false,"nextRecordsUrl":"NEXT","records":[{"Id":"2"}]}`,
			`{"totalSize":3,"done":true,"records":[{"Id":"3"}]}`}, []string{"1", "2", "3"}, ""},
		{"short", []string{`{"totalSize":3,"done":true,"records":[{"Id":"1"}]}`}, []string{"1"}, "counted 3 records and sent 1"},
		{"too many", []string{`{"totalSize":0,"done":true,"records":[{"Id":"1"}]}`}, []string{"1"}, "counted 0 records and sent 1"},
		{"no next page", []string{`{"totalSize":3,"done":false,"records":[{"Id":"1"}]}`}, []string{"1"}, "no address"},
		{"in a circle", []string{
			`{"totalSize":9,"done":false,"nextRecordsUrl":"/services/data/v66.0/query/01g-1","records":[{"Id":"1"}]}`,
			`{"totalSize":9,"done":false,"nextRecordsUrl":"/services/data/v66.0/query/01g-1","records":[{"Id":"2"}]}`}, []string{"1", "2"}, "no address"},
		{"to another host", []string{`{"totalSize":9,"done":false,"nextRecordsUrl":"https://evil.example/","records":[]}`}, nil, "must begin with /"},
		{"not a query result", []string{`{}`}, nil, "totalSize or done is missing"},
		{"cursor gone", []string{`{"totalSize":3,"done":false,"nextRecordsUrl":"NEXT","records":[{"Id":"1"}]}`, "404"}, []string{"1"}, "start the query again"},
		{"refused", []string{"400"}, nil, "unexpected token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var n int
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if n == 0 && (r.URL.Path != "/services/data/v66.0/query" || r.URL.Query().Get("q") != soql) {
					t.Errorf("got %s", r.URL)
				}
				if n > 0 && !strings.HasPrefix(r.URL.Path, "/services/data/v66.0/query/01g-") {
					t.Errorf("got %s", r.URL)
				}
				p := tt.pages[n]
				n++
				switch p {
				case "400":
					answerJSON(400, `[{"errorCode":"MALFORMED_QUERY","message":"unexpected token: 'FRM'"}]`)(w)
				case "404":
					answerJSON(404, `[{"errorCode":"INVALID_QUERY_LOCATOR","message":"invalid query locator"}]`)(w)
				default:
					w.Write([]byte(strings.Replace(p, "NEXT", fmt.Sprintf("/services/data/v66.0/query/01g-%d", n), 1)))
				}
			})
			var got []string
			var last error
			for record, err := range c.Query(t.Context(), soql) {
				if last != nil {
					t.Error("something follows an error")
				}
				if last = err; err != nil {
					continue
				}
				var r struct{ ID string }
				if err := json.Unmarshal(record, &r); err != nil {
					t.Error(err)
				}
				got = append(got, r.ID)
			}
			if diff := gocmp.Diff(tt.want, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if tt.say == "" && last != nil || tt.say != "" && (last == nil || !strings.Contains(last.Error(), tt.say)) {
				t.Errorf("got error %v, want one with %q", last, tt.say)
			}
			if last != nil && strings.Contains(last.Error(), "A&B") {
				t.Errorf("the error shows the query's values: %v", last)
			}
		})
	}
}

func TestQueryStopsWithTheLoop(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		w.Write([]byte(`{"totalSize":9,"done":false,"nextRecordsUrl":"/services/data/v66.0/query/01g-1","records":[{"Id":"1"},{"Id":"2"}]}`))
	})
	for _, err := range c.Query(t.Context(), "SELECT Id FROM Account") {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if calls.Load() != 1 {
		t.Errorf("got %d calls, want 1", calls.Load())
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		answer string
		want   int64
		good   bool
	}{
		{`{"totalSize":3200,"done":true,"records":[]}`, 3200, true},
		{`{"totalSize":0,"done":true,"records":[]}`, 0, true},
		{`{"totalSize":1,"done":true,"records":[{"expr0":3200}]}`, 0, false},
		{`{"totalSize":9000,"done":false,"records":[]}`, 0, false},
		{`{"records":[]}`, 0, false},
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(tt.answer)) })
		got, err := c.Count(t.Context(), "SELECT COUNT() FROM Account")
		if got != tt.want || (err == nil) != tt.good {
			t.Errorf("%s: got %d, %v", tt.answer, got, err)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`{"DailyApiRequests":{"Max":100000,"Remaining":99873,"Ant Migration Tool":{"Max":0,"Remaining":0}},
			"DataStorageMB":{"Max":1073.0,"Remaining":-5},"Odd":{"Max":"many"},"Half":{"Max":1},"Other":7,"Nothing":null}`))
	})
	got, err := c.Limits(t.Context())
	want := map[string]salesforce.Limit{
		"DailyApiRequests": {Max: 100000, Remaining: 99873},
		"DataStorageMB":    {Max: 1073, Remaining: -5},
	}
	if diff := gocmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestUsageHeader(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		header      string
		used, limit int64
		ok          bool
	}{
		{"api-usage=10018/100000", 10018, 100000, true},
		{"api-usage=25/5000;per-app-api-usage=17/250(appName=My App)", 25, 5000, true},
		{"per-app-api-usage=17/250(appName=MyApp), api-usage=25/5000", 25, 5000, true},
		{"per-app-api-usage=17/250(appName=MyApp)", 0, 0, false},
		{"api-usage=x/5000", 0, 0, false},
		{"api-usage=5", 0, 0, false},
		{"", 0, 0, false},
	} {
		c := open(t, salesforce.Config{Transport: wire(func(*http.Request) (*http.Response, error) {
			return reply(200, "{}", "Sforce-Limit-Info", tt.header), nil
		})})
		if err := c.JSON(t.Context(), "GET", "/x", salesforce.Repeat, nil, nil); err != nil {
			t.Fatal(err)
		}
		if used, limit, ok := c.Usage(); used != tt.used || limit != tt.limit || ok != tt.ok {
			t.Errorf("%q: got %d, %d, %v", tt.header, used, limit, ok)
		}
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/services/data/" {
			t.Errorf("got %s", r.URL)
		}
		w.Write([]byte(`[{"label":"Spring '26","url":"/services/data/v66.0","version":"66.0"}]`))
	})
	got, err := c.Versions(t.Context())
	want := []salesforce.Version{{Label: "Spring '26", URL: "/services/data/v66.0", Version: "66.0"}}
	if diff := gocmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
