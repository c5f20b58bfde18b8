package bulk2

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"migrate/pkg/salesforce"
)

// Operation is what an ingest job does with its rows.
type Operation string

// The operations, spelled as on the wire.
const (
	Insert     Operation = "insert"
	Update     Operation = "update"
	Upsert     Operation = "upsert"
	Delete     Operation = "delete"
	HardDelete Operation = "hardDelete"
)

// Operations lists all of them.
var Operations = []Operation{Insert, Update, Upsert, Delete, HardDelete}

// State is the state of a job in the org.
type State string

// The states of a job; see the package comment.
const (
	StateOpen           State = "Open"
	StateUploadComplete State = "UploadComplete"
	StateInProgress     State = "InProgress"
	StateJobComplete    State = "JobComplete"
	StateFailed         State = "Failed"
	StateAborted        State = "Aborted"
)

// Terminal reports whether the job has come to an end.
func (s State) Terminal() bool {
	return s == StateJobComplete || s == StateFailed || s == StateAborted
}

// MaxUpload is the largest body that Salesforce documents as safe, in bytes: 150 MB after base64, at most 100 MB before
// (Bulk API 2.0 guide, Limits).
const MaxUpload = 100_000_000

// Spec says what job to create. Its CSV is always comma-separated with LF line ends.
type Spec struct {
	Object     string
	Operation  Operation
	ExternalID string // field of an upsert, else empty
}

// Job is what the org says of an ingest job.
type Job struct {
	ID        string
	Object    string
	Operation Operation
	State     State
	Processed int64 // rows so far, failed ones included
	Failed    int64
	Retries   int64         // save attempts that the org repeated, lock contention for example
	Active    time.Duration // processing time without the queue
	Total     time.Duration // may lag while the job runs
	Message   string        // why it is Failed
}

// jobInfo is the answer as it comes. apiVersion, a number or a string, is not needed.
type jobInfo struct {
	ID        string    `json:"id"`
	Object    string    `json:"object"`
	Operation Operation `json:"operation"`
	State     State     `json:"state"`
	Processed int64     `json:"numberRecordsProcessed"`
	Failed    int64     `json:"numberRecordsFailed"`
	Retries   int64     `json:"retries"`
	Active    int64     `json:"apiActiveProcessingTime"`
	Total     int64     `json:"totalProcessingTime"`
	Message   string    `json:"errorMessage"`
}

func (i jobInfo) job() Job {
	return Job{ID: i.ID, Object: i.Object, Operation: i.Operation, State: i.State, Processed: i.Processed, Failed: i.Failed,
		Retries: i.Retries, Active: time.Duration(i.Active) * time.Millisecond, Total: time.Duration(i.Total) * time.Millisecond,
		Message: i.Message}
}

// Client makes and follows ingest jobs in one org.
type Client struct{ org *salesforce.Client }

// New returns a client that talks through org.
func New(org *salesforce.Client) *Client { return &Client{org: org} }

// Create makes a job in state Open. It may be repeated: see the package comment.
func (c *Client) Create(ctx context.Context, s Spec) (Job, error) {
	in := map[string]string{"object": s.Object, "operation": string(s.Operation), "contentType": "CSV",
		"lineEnding": "LF", "columnDelimiter": "COMMA"}
	if s.ExternalID != "" {
		in["externalIdFieldName"] = s.ExternalID
	}
	var out jobInfo
	if err := c.org.JSON(ctx, http.MethodPost, "/jobs/ingest", salesforce.Repeat, in, &out); err != nil {
		return Job{}, fmt.Errorf("create ingest job for %s: %w", s.Object, err)
	}
	if out.ID == "" {
		return Job{}, fmt.Errorf("create ingest job for %s: the answer has no job id", s.Object)
	}
	return out.job(), nil
}

// Upload puts the whole CSV into an Open job, once. body is opened again only when surely nothing arrived; size is its
// exact length in bytes.
func (c *Client) Upload(ctx context.Context, id string, body func() (io.ReadCloser, error), size int64) error {
	resp, err := c.org.Do(ctx, &salesforce.Request{
		Method: http.MethodPut, Path: jobPath(id) + "/batches", Header: http.Header{"Content-Type": {"text/csv; charset=UTF-8"}},
		Body: body, Size: size, Class: salesforce.Ask, Job: id,
	})
	if err != nil {
		return fmt.Errorf("upload %d bytes to job %s: %w", size, id, err)
	}
	return resp.Body.Close()
}

// Close tells the org that the data is complete; it starts to process the job.
func (c *Client) Close(ctx context.Context, id string) (Job, error) {
	return c.patch(ctx, id, StateUploadComplete, salesforce.Ask)
}

// Abort stops a job that is not at its end. Rows that were saved stay saved.
func (c *Client) Abort(ctx context.Context, id string) (Job, error) {
	return c.patch(ctx, id, StateAborted, salesforce.Repeat)
}

func (c *Client) patch(ctx context.Context, id string, to State, class salesforce.Class) (Job, error) {
	body, err := json.Marshal(map[string]State{"state": to})
	if err != nil {
		return Job{}, err
	}
	var out jobInfo
	if err := c.org.JSON(ctx, http.MethodPatch, jobPath(id), class, json.RawMessage(body), &out); err != nil {
		return Job{}, fmt.Errorf("set job %s to %s: %w", id, to, err)
	}
	return out.job(), nil
}

// Job reads the state of a job.
func (c *Client) Job(ctx context.Context, id string) (Job, error) {
	var out jobInfo
	if err := c.org.JSON(ctx, http.MethodGet, jobPath(id), salesforce.Repeat, nil, &out); err != nil {
		return Job{}, fmt.Errorf("read job %s: %w", id, err)
	}
	return out.job(), nil
}

// Results opens one result set of a job that has come to its end. The caller closes it. A body that ends early gives an
// error to the reader, never a short file.
func (c *Client) Results(ctx context.Context, id string, kind Kind) (io.ReadCloser, error) {
	resp, err := c.org.Do(ctx, &salesforce.Request{
		Method: http.MethodGet, Path: jobPath(id) + "/" + string(kind), Header: http.Header{"Accept": {"text/csv"}},
		Class: salesforce.Repeat, Job: id,
	})
	if err != nil {
		return nil, fmt.Errorf("read %s of job %s: %w", kind, id, err)
	}
	return resp.Body, nil
}

func jobPath(id string) string { return "/jobs/ingest/" + id }
