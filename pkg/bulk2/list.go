package bulk2

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"

	"migrate/pkg/salesforce"
)

// JobKind tells ingest jobs from query jobs.
type JobKind string

// The kinds of jobs, as they stand in addresses.
const (
	IngestJobs JobKind = "ingest"
	QueryJobs  JobKind = "query"
)

// jobType is what the org calls the jobs of a kind that Bulk API 2.0 made; its lists have those of the older API too.
func (k JobKind) jobType() string {
	if k == QueryJobs {
		return "V2Query"
	}
	return "V2Ingest"
}

// Listed is a job as a list shows it, without counts.
type Listed struct {
	Kind      JobKind
	ID        string
	Object    string // may be empty for a query job
	Operation Operation
	State     State
	CreatedBy string // Id of the user, 18 characters
	Created   time.Time
}

type listedInfo struct {
	ID        string    `json:"id"`
	Object    string    `json:"object"`
	Operation Operation `json:"operation"`
	State     State     `json:"state"`
	CreatedBy string    `json:"createdById"`
	Created   string    `json:"createdDate"`
	Type      string    `json:"jobType"`
}

// createdForm is how the org writes createdDate: 2026-01-02T21:33:43.000+0000.
const createdForm = "2006-01-02T15:04:05.000-0700"

// List reads the jobs of a kind that the org still keeps (7 days), of all users, in an order that is not promised. It asks for a page
// when the one before it is used up; after an error it ends.
func (c *Client) List(ctx context.Context, kind JobKind) iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		path := "/jobs/" + string(kind) + "?jobType=" + kind.jobType()
		seen := map[string]bool{}
		for path != "" {
			if seen[path] {
				yield(Listed{}, fmt.Errorf("list %s jobs: the org leads back to a page that was read", kind))
				return
			}
			seen[path] = true
			// The documents have the address of the next page under both names.
			var page struct {
				Done    *bool             `json:"done"`
				Records []json.RawMessage `json:"records"`
				Next    string            `json:"nextRecordsUrl"`
				NextOld string            `json:"nextRecordUrl"`
			}
			if err := c.org.JSON(ctx, http.MethodGet, path, salesforce.Repeat, nil, &page); err != nil {
				yield(Listed{}, fmt.Errorf("list %s jobs: %w", kind, err))
				return
			}
			for _, text := range page.Records {
				job, mine, err := readListed(text, kind)
				if err != nil {
					yield(Listed{}, fmt.Errorf("list %s jobs: %w", kind, err))
					return
				}
				if mine && !yield(job, nil) {
					return
				}
			}
			if path = page.Next; path == "" {
				path = page.NextOld
			}
			if path == "" && (page.Done == nil || !*page.Done) {
				yield(Listed{}, fmt.Errorf("list %s jobs: the org says that there are more, and not where", kind))
				return
			}
			if path != "" && !strings.HasPrefix(path, "/services/") {
				yield(Listed{}, fmt.Errorf("list %s jobs: the next page is at %q, which is no address of the API", kind, path))
				return
			}
		}
	}
}

// readListed reads an entry of a list. mine is false for a job of another kind or of the older API: addresses of further pages
// do not carry the filter.
func readListed(text json.RawMessage, kind JobKind) (job Listed, mine bool, err error) {
	var in listedInfo
	if err := json.Unmarshal(text, &in); err != nil {
		return Listed{}, false, err
	}
	if in.Type != kind.jobType() {
		return Listed{}, false, nil
	}
	created, err := time.Parse(createdForm, in.Created)
	if err != nil {
		return Listed{}, false, fmt.Errorf("job %s: createdDate %q is no time", in.ID, in.Created)
	}
	if in.ID == "" {
		return Listed{}, false, fmt.Errorf("a job without an id")
	}
	return Listed{Kind: kind, ID: in.ID, Object: in.Object, Operation: in.Operation, State: in.State, CreatedBy: in.CreatedBy, Created: created}, true, nil
}
