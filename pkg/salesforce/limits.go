package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// Calls is the number of requests sent through this client that count towards the org's daily API limit, repetitions
// included. Logins and Versions do not count.
func (c *Client) Calls() int64 { return c.calls.Load() }

type usage struct{ used, limit int64 }

// Usage is what the last answer said about the org's API calls of the last 24 hours, by all its clients together. ok is
// false until an answer has said it.
func (c *Client) Usage() (used, limit int64, ok bool) {
	u := c.usage.Load()
	if u == nil {
		return 0, 0, false
	}
	return u.used, u.limit, true
}

// note keeps what an answer says about limits.
func (c *Client) note(resp *http.Response) {
	if u, ok := parseUsage(resp.Header.Get("Sforce-Limit-Info")); ok {
		c.usage.Store(&u)
	}
}

// parseUsage reads "api-usage=10018/100000", which may stand beside "per-app-api-usage=17/250(appName=MyApp)".
func parseUsage(header string) (usage, bool) {
	for part := range strings.FieldsFuncSeq(header, func(r rune) bool { return r == ' ' || r == ',' || r == ';' }) {
		value, ok := strings.CutPrefix(part, "api-usage=")
		if !ok {
			continue
		}
		used, limit, ok := strings.Cut(value, "/")
		u, err1 := strconv.ParseInt(used, 10, 64)
		l, err2 := strconv.ParseInt(limit, 10, 64)
		if ok && err1 == nil && err2 == nil && u >= 0 && l > 0 {
			return usage{u, l}, true
		}
	}
	return usage{}, false
}

// Limit is one of the org's allocations. Its unit follows from its name: calls, jobs, or MB where the name ends so.
type Limit struct {
	Max       int64
	Remaining int64
}

// Limits reads the org's allocations by name, such as DailyApiRequests, DailyBulkApiBatches, DailyBulkV2QueryJobs and
// DataStorageMB. The user needs the permission to view the setup; figures lag by up to five minutes, and which names
// are there depends on the user and the API version. Entries of another form are left out. (REST API guide, "Limits".)
func (c *Client) Limits(ctx context.Context) (map[string]Limit, error) {
	var raw map[string]json.RawMessage
	if err := c.JSON(ctx, http.MethodGet, "/limits", Repeat, nil, &raw); err != nil {
		return nil, err
	}
	limits := make(map[string]Limit, len(raw))
	for name, value := range raw {
		var l struct{ Max, Remaining *float64 }
		if json.Unmarshal(value, &l) == nil && l.Max != nil && l.Remaining != nil {
			limits[name] = Limit{Max: int64(*l.Max), Remaining: int64(*l.Remaining)}
		}
	}
	return limits, nil
}

// Version is an API version that the org offers.
type Version struct {
	Label   string `json:"label"`   // such as Spring '26
	URL     string `json:"url"`     // path, such as /services/data/v66.0
	Version string `json:"version"` // such as 66.0
}

// Versions lists the API versions of the org, oldest first.
func (c *Client) Versions(ctx context.Context) ([]Version, error) {
	var v []Version
	err := c.JSON(ctx, http.MethodGet, "/services/data/", Repeat, nil, &v)
	return v, err
}
