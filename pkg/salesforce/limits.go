package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Calls is the number of requests sent through this client that count towards the org's daily API limit, repetitions
// included. Logins and Versions do not count.
func (c *Client) Calls() int64 { return c.calls.Load() }

// PutOff is the number of answers that said that too many requests are on their way: 429, and 403 for concurrent requests that run long.
func (c *Client) PutOff() int64 { return c.putOff.Load() }

type usage struct {
	used, limit int64
	calls       int64 // of this client when it was said
}

// Usage is what the last answer said about the org's API calls of the last 24 hours, by all its clients together. ok is
// false until an answer has said it.
func (c *Client) Usage() (used, limit int64, ok bool) {
	u := c.usage.Load()
	if u == nil {
		return 0, 0, false
	}
	return u.used, u.limit, true
}

// Left is how many API calls the org has left of its daily limit: as the last answer that spoke of it said, less the calls that
// this client has made since, as not every answer must speak of it. It may be negative, since orgs let some calls beyond the limit
// pass. ok is false until an answer, or Limits, has said it.
func (c *Client) Left() (left, limit int64, ok bool) {
	u := c.usage.Load()
	if u == nil {
		return 0, 0, false
	}
	return u.limit - u.used - (c.Calls() - u.calls), u.limit, true
}

// clock is what the org's clock showed, and when.
type clock struct{ shown, at time.Time }

// Now is the time by the org's own clock, which stamps its jobs and records; this machine's may go wrong. ok is false until an answer
// had a date.
func (c *Client) Now() (now time.Time, ok bool) {
	k := c.clock.Load()
	if k == nil {
		return time.Time{}, false
	}
	return k.shown.Add(time.Since(k.at)), true
}

// note keeps what an answer says about limits and the time.
func (c *Client) note(resp *http.Response) {
	if u, ok := parseUsage(resp.Header.Get("Sforce-Limit-Info")); ok {
		u.calls = c.Calls()
		c.usage.Store(&u)
	}
	if shown, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.clock.Store(&clock{shown, time.Now()})
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
			return usage{used: u, limit: l}, true
		}
	}
	return usage{}, false
}

// Limit is one of the org's allocations. Its unit follows from its name: calls, jobs, or MB where the name ends so.
type Limit struct {
	Max       int64
	Remaining int64
}

// Names of allocations that matter to a load.
const (
	DailyAPIRequests     = "DailyApiRequests"     // calls of all clients in 24 hours
	DailyBulkAPIBatches  = "DailyBulkApiBatches"  // internal batches of ingest jobs in 24 hours; API version 49 and later
	DailyBulkV2QueryJobs = "DailyBulkV2QueryJobs" // query jobs in 24 hours
	DailyBulkV2QueryMB   = "DailyBulkV2QueryFileStorageMB"
	DataStorageMB        = "DataStorageMB"
	FileStorageMB        = "FileStorageMB"
)

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
	if l, ok := limits[DailyAPIRequests]; ok && l.Max > 0 { // where no answer bears the header
		c.usage.CompareAndSwap(nil, &usage{used: l.Max - l.Remaining, limit: l.Max, calls: c.Calls()})
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

// overJobs tells the refusal of a bulk job for a daily allocation of jobs or batches. LIMIT_EXCEEDED is documented for query jobs, and
// means other things elsewhere; the second code is how REST would write the documented ExceededQuota.
func (e *APIError) overJobs() bool {
	return strings.Contains(e.Path, "/jobs/") && (e.Code == "LIMIT_EXCEEDED" || e.Code == "EXCEEDEDQUOTA")
}
