package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
)

// Query runs a SOQL query through the REST API and yields its records as JSON objects, one page of up to 2,000 after
// the other. It is for small answers; large ones belong into a query job, or are asked page by page. After an error nothing follows. Unless the
// loop is left early, as many records come as the org counted, or an error says that it was not so. A cursor lives two
// days at most.
func (c *Client) Query(ctx context.Context, soql string) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		r := &Request{Method: http.MethodGet, Path: "/query", Query: url.Values{"q": {soql}}, Class: Repeat}
		got, seen := int64(0), map[string]bool{}
		for {
			p, err := c.page(ctx, r)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, record := range p.Records {
				got++
				if !yield(record, nil) {
					return
				}
			}
			switch {
			case *p.Done && got != *p.TotalSize:
				yield(nil, fmt.Errorf("query: the org counted %d records and sent %d; run it again", *p.TotalSize, got))
				return
			case *p.Done:
				return
			case p.Next == "" || seen[p.Next]:
				yield(nil, fmt.Errorf("query: %d of %d records came, and no address for the next page; run it again", got, *p.TotalSize))
				return
			}
			seen[p.Next] = true
			r = &Request{Method: http.MethodGet, Path: p.Next, Class: Repeat}
		}
	}
}

// QueryPage is one page of the answer to a query over REST, of up to 2,000 records, fewer where they are wide.
type QueryPage struct {
	Total   int64             // records of the whole answer, as the org counted them
	Records []json.RawMessage // objects, with null where a field is empty
	Next    string            // where the next page is, for QueryNext; "" = this is the last
}

// QueryPage asks a query and gives the first page of its answer; all brings deleted and archived records, too.
func (c *Client) QueryPage(ctx context.Context, soql string, all bool) (QueryPage, error) {
	path := "/query"
	if all {
		path = "/queryAll"
	}
	return c.queryPage(ctx, &Request{Method: http.MethodGet, Path: path, Query: url.Values{"q": {soql}}, Class: Repeat})
}

// QueryNext gives the page that the Next of another one leads to, any number of times. The org forgets where that is after two days at
// most, or when a user has many such answers open; then, and only then, the error matches ErrGone.
func (c *Client) QueryNext(ctx context.Context, next string) (QueryPage, error) {
	p, err := c.queryPage(ctx, &Request{Method: http.MethodGet, Path: next, Class: Repeat})
	var api *APIError
	if errors.As(err, &api) && (api.Code == "INVALID_QUERY_LOCATOR" || api.Status == http.StatusNotFound && api.Code != "") {
		return QueryPage{}, fmt.Errorf("%w: %w", ErrGone, err)
	}
	return p, err
}

func (c *Client) queryPage(ctx context.Context, r *Request) (QueryPage, error) {
	p, err := c.page(ctx, r)
	switch {
	case err != nil:
		return QueryPage{}, err
	case *p.Done:
		p.Next = ""
	case !strings.HasPrefix(p.Next, "/services/"):
		return QueryPage{}, fmt.Errorf("%s: the org has more records, and %q is no address of the API to get them from", r, p.Next)
	}
	return QueryPage{Total: *p.TotalSize, Records: p.Records, Next: p.Next}, nil
}

// Count runs a "SELECT COUNT() FROM …" and returns the number. Other queries are an error.
func (c *Client) Count(ctx context.Context, soql string) (int64, error) {
	p, err := c.page(ctx, &Request{Method: http.MethodGet, Path: "/query", Query: url.Values{"q": {soql}}, Class: Repeat})
	if err != nil {
		return 0, err
	}
	if len(p.Records) > 0 || !*p.Done {
		return 0, errors.New("count: the query returned records; it must be SELECT COUNT() FROM an object")
	}
	return *p.TotalSize, nil
}

type page struct {
	TotalSize *int64            `json:"totalSize"`
	Done      *bool             `json:"done"`
	Next      string            `json:"nextRecordsUrl"`
	Records   []json.RawMessage `json:"records"`
}

func (c *Client) page(ctx context.Context, r *Request) (page, error) {
	var p page
	if err := c.json(ctx, r, &p); err != nil {
		return page{}, err
	}
	if p.TotalSize == nil || p.Done == nil {
		return page{}, fmt.Errorf("%s: the answer is not a query result: totalSize or done is missing", r)
	}
	return p, nil
}
