package bulk2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"migrate/pkg/salesforce"
)

// QueryJob is what the org says of a query job.
type QueryJob struct {
	ID      string
	Object  string
	State   State  // never Open
	Rows    int64  // found so far; of a job that is complete, all
	Message string // why it is Failed; not documented for query jobs, and often empty
}

type queryInfo struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	State   State  `json:"state"`
	Rows    int64  `json:"numberRecordsProcessed"`
	Message string `json:"errorMessage"`
}

// Query is what a query job asks.
type Query struct {
	SOQL string
	All  bool // deleted and archived records, too (queryAll)
}

// CreateQuery begins a query job. A query that the org refuses is an *salesforce.APIError. It may be repeated: a job whose answer is
// lost runs for nobody and ends by itself.
func (c *Client) CreateQuery(ctx context.Context, q Query) (QueryJob, error) {
	operation := "query"
	if q.All {
		operation = "queryAll"
	}
	in := map[string]string{"operation": operation, "query": q.SOQL, "contentType": "CSV", "columnDelimiter": "COMMA", "lineEnding": "LF"}
	var out queryInfo
	if err := c.org.JSON(ctx, http.MethodPost, "/jobs/query", salesforce.Repeat, in, &out); err != nil {
		return QueryJob{}, fmt.Errorf("create query job: %w", err)
	}
	if out.ID == "" {
		return QueryJob{}, errors.New("create query job: the answer has no job id")
	}
	return QueryJob(out), nil
}

// QueryJob reads the state of a query job.
func (c *Client) QueryJob(ctx context.Context, id string) (QueryJob, error) {
	var out queryInfo
	if err := c.org.JSON(ctx, http.MethodGet, queryPath(id), salesforce.Repeat, nil, &out); err != nil {
		return QueryJob{}, fmt.Errorf("read query job %s: %w", id, err)
	}
	return QueryJob(out), nil
}

// AbortQuery ends a query job that runs. One that has ended is refused, see IsRefused.
func (c *Client) AbortQuery(ctx context.Context, id string) error {
	err := c.org.JSON(ctx, http.MethodPatch, queryPath(id), salesforce.Repeat, map[string]string{"state": string(StateAborted)}, nil)
	if err != nil {
		return fmt.Errorf("abort query job %s: %w", id, err)
	}
	return nil
}

// ErrNoPages says that this version of the API has no list of pages (58.0 is the first); the locators lead from page to page there.
var ErrNoPages = errors.New("this version of the API lists no result pages")

// Pages lists some pages of a query job that is complete, by their locators, and what more is to be given to the next call; "" behind the last
// ones and, in a call, before the first ones. They may be fetched in any order, several at once (Bulk API 2.0 guide, Get Parallel Results).
// Whether they cut the rows in the same places as Page.Next does is not documented: use one of the two.
func (c *Client) Pages(ctx context.Context, id, more string) (locators []string, next string, err error) {
	path := more
	if path == "" {
		path = queryPath(id) + "/resultPages"
	}
	var out struct {
		Pages []struct {
			URL string `json:"resultUrl"`
		} `json:"resultPages"`
		Done    *bool  `json:"done"`
		Next    string `json:"nextRecordsUrl"`
		NextOld string `json:"nextRecordUrl"` // the documents have both
	}
	err = c.org.JSON(ctx, http.MethodGet, path, salesforce.Repeat, nil, &out)
	switch {
	case IsGone(err) && c.knows(ctx, id):
		return nil, "", ErrNoPages
	case err != nil:
		return nil, "", fmt.Errorf("list result pages of query job %s: %w", id, err)
	}
	for _, p := range out.Pages {
		u, err := url.Parse(p.URL)
		if err != nil || !strings.HasSuffix(u.Path, queryPath(id)+"/results") {
			return nil, "", fmt.Errorf("list result pages of query job %s: %q is no address of a page", id, p.URL)
		}
		locators = append(locators, u.Query().Get("locator"))
	}
	if next = out.Next; next == "" {
		next = out.NextOld
	}
	switch {
	case next == "" && (out.Done == nil || !*out.Done):
		return nil, "", fmt.Errorf("list result pages of query job %s: the org says that there are more, and not where", id)
	case next != "" && !strings.HasPrefix(next, "/services/"):
		return nil, "", fmt.Errorf("list result pages of query job %s: more of them are at %q, which is no address of the API", id, next)
	}
	return locators, next, nil
}

// knows reports whether the org has the query job.
func (c *Client) knows(ctx context.Context, id string) bool {
	_, err := c.QueryJob(ctx, id)
	return err == nil
}

// Page is one page of the results of a query job, CSV with a header.
type Page struct {
	Body io.ReadCloser // closed by the caller; one that ends early gives an error, never fewer rows
	Rows int64         // that the org says it has (Sforce-NumberOfRecords)
	Next string        // locator of the page behind it; "" = it is the last
}

// Page opens a page of a query job that is complete, by its locator; "" is the first. It may be repeated as long as the org keeps the
// job. most is how many rows it has at most; 0 leaves that to the org.
func (c *Client) Page(ctx context.Context, id, locator string, most int) (Page, error) {
	q := url.Values{}
	if most > 0 {
		q.Set("maxRecords", strconv.Itoa(most))
	}
	if locator != "" {
		q.Set("locator", locator)
	}
	resp, err := c.org.Do(ctx, &salesforce.Request{Method: http.MethodGet, Path: queryPath(id) + "/results", Query: q,
		Header: http.Header{"Accept": {"text/csv"}}, Class: salesforce.Repeat, Job: id})
	if err != nil {
		return Page{}, fmt.Errorf("read results of query job %s: %w", id, err)
	}
	p := Page{Body: resp.Body, Next: resp.Header.Get("Sforce-Locator")}
	if p.Next == "null" { // so the last page says
		p.Next = ""
	}
	count := resp.Header.Get("Sforce-NumberOfRecords")
	if p.Rows, err = strconv.ParseInt(count, 10, 64); err != nil || p.Rows < 0 {
		resp.Body.Close()
		return Page{}, fmt.Errorf("read results of query job %s: Sforce-NumberOfRecords is %q, no number of rows", id, count)
	}
	return p, nil
}

func queryPath(id string) string { return "/jobs/query/" + id }

// PageReader reads the rows of a page.
type PageReader struct {
	recordReader
	fields [][]byte
	width  int
}

// NewPageReader reads the header of a page. It must be the one that is expected, in any case of its letters; an empty body is a page
// without rows.
func NewPageReader(body io.Reader, columns []string) (*PageReader, error) {
	r := &PageReader{recordReader: newRecordReader(body), width: len(columns)}
	rec, err := r.record()
	if err == io.EOF {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("query results: header: %w", err)
	}
	header, ok := parseRecord(rec, ',', nil)
	same := func(name []byte, want string) bool { return strings.EqualFold(string(name), want) }
	if !ok || !slices.EqualFunc(header, columns, same) {
		return nil, fmt.Errorf("query results: the header is %q instead of %q", rec, columns)
	}
	return r, nil
}

// Next returns the values of the next row, or io.EOF behind the last one. They are valid until the next call.
func (r *PageReader) Next() ([][]byte, error) {
	offset := r.offset
	rec, err := r.record()
	if err == io.EOF {
		return nil, io.EOF
	}
	if err != nil {
		return nil, fmt.Errorf("query results: byte %d: %w", offset, err)
	}
	var ok bool
	if r.fields, ok = parseRecord(rec, ',', r.fields[:0]); !ok || len(r.fields) != r.width {
		return nil, fmt.Errorf("query results: byte %d: %d fields, the header has %d", offset, len(r.fields), r.width)
	}
	return r.fields, nil
}

// CheckPage reads a page to its end and counts its rows. One that ends early is an error wherever that is: the org ends every line,
// and a text that was cut inside its last value may look whole but for that.
func CheckPage(body io.Reader, columns []string) (rows int64, err error) {
	r, err := NewPageReader(body, columns)
	for ; err == nil; rows++ {
		if _, err = r.Next(); err == io.EOF {
			if r.torn {
				return 0, fmt.Errorf("query results: the last line has no end: %w", io.ErrUnexpectedEOF)
			}
			return rows, nil
		}
	}
	return 0, err
}
