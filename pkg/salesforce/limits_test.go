package salesforce_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"migrate/pkg/salesforce"
)

// get makes a call and closes its answer.
func get(t *testing.T, c *salesforce.Client, path string) {
	t.Helper()
	resp, err := c.Do(t.Context(), &salesforce.Request{Method: "GET", Path: path, Class: salesforce.Repeat})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// TestLeftCountsWhatNoAnswerSaid: an answer without the header costs a call all the same.
func TestLeftCountsWhatNoAnswerSaid(t *testing.T) {
	t.Parallel()
	var header []string
	c := open(t, salesforce.Config{Transport: wire(func(*http.Request) (*http.Response, error) {
		return reply(200, `{"DailyApiRequests":{"Max":1000,"Remaining":700}}`, header...), nil
	})})
	left := func(want, wantLimit int64, wantOK bool) {
		t.Helper()
		if n, limit, ok := c.Left(); n != want || limit != wantLimit || ok != wantOK {
			t.Errorf("%d of %d left, %v; want %d of %d, %v", n, limit, ok, want, wantLimit, wantOK)
		}
	}
	left(0, 0, false)
	get(t, c, "/x")
	left(0, 0, false)
	if _, err := c.Limits(t.Context()); err != nil {
		t.Fatal(err)
	}
	left(700, 1000, true)
	get(t, c, "/x")
	get(t, c, "/x")
	left(698, 1000, true)
	header = []string{"Sforce-Limit-Info", "api-usage=400/1000"}
	get(t, c, "/x")
	left(600, 1000, true)
	header = nil
	get(t, c, "/x")
	left(599, 1000, true)
	header = []string{"Sforce-Limit-Info", "api-usage=1005/1000"} // orgs may let calls beyond the limit pass
	get(t, c, "/x")
	left(-5, 1000, true)
}

// TestNowIsTheOrgs: an hour passes by this machine's monotonic clock; its wall clock, which is hours off, does not matter.
func TestNowIsTheOrgs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		date := time.Now().Add(-7 * time.Hour).UTC().Truncate(time.Second)
		c := open(t, salesforce.Config{Transport: wire(func(*http.Request) (*http.Response, error) {
			return reply(200, `{}`, "Date", date.Format(http.TimeFormat)), nil
		})})
		if now, ok := c.Now(); ok {
			t.Errorf("%v before any answer", now)
		}
		get(t, c, "/x")
		time.Sleep(time.Hour)
		if now, ok := c.Now(); !ok || !now.Equal(date.Add(time.Hour)) {
			t.Errorf("%v, %v; want %v", now, ok, date.Add(time.Hour))
		}
	})
}

// TestLimitOfJobs: the code stands for a daily allocation where a job is made, and for something else elsewhere.
func TestLimitOfJobs(t *testing.T) {
	t.Parallel()
	c := open(t, salesforce.Config{Transport: wire(func(*http.Request) (*http.Response, error) {
		return reply(400, `[{"errorCode":"LIMIT_EXCEEDED","message":"Max bulk v2 query jobs (10000) per 24 hrs reached"}]`), nil
	})})
	for path, want := range map[string]bool{"/jobs/query": true, "/composite": false} {
		err := c.JSON(t.Context(), "POST", path, salesforce.Repeat, map[string]string{}, nil)
		if err == nil || errors.Is(err, salesforce.ErrLimit) != want {
			t.Errorf("%s: %v, is a limit: want %v", path, err, want)
		}
	}
}

func TestUserID(t *testing.T) {
	t.Parallel()
	body := `{"identity":"https://login.salesforce.com/id/00D5g0000000001EAA/0055g000001XyZAAA0","limits":"/services/data/v66.0/limits"}`
	c := open(t, salesforce.Config{Transport: wire(func(*http.Request) (*http.Response, error) { return reply(200, body), nil })})
	if id, err := c.UserID(t.Context()); id != "0055g000001XyZAAA0" || err != nil {
		t.Errorf("%q, %v", id, err)
	}
	body = `{"limits":"/services/data/v66.0/limits"}`
	if id, err := c.UserID(t.Context()); err == nil {
		t.Errorf("%q of an answer without a user", id)
	}
}
