package salesforce

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// ErrGone says that the org has no such content, since the record was deleted or has none, or no such answer to a query any more.
var ErrGone = errors.New("the org does not have it")

// Blob opens the content of a field of type base64, such as VersionData of a ContentVersion (REST API guide, sObject Blob Get). The caller reads and
// closes it. It comes as bytes, unpacked, of any length; one that ends early is an error of the reader that matches ErrTemporary, as far as HTTP shows
// it: compare the length. Repeating is safe. A content that is not there is an ErrGone.
func (c *Client) Blob(ctx context.Context, object, id, field string) (io.ReadCloser, error) {
	r := &Request{Method: http.MethodGet, Path: "/sobjects/" + url.PathEscape(object) + "/" + url.PathEscape(id) + "/" + url.PathEscape(field), Class: Repeat,
		// Most files are compressed already, and a body as it is shows its length, so that a cut is noticed at once.
		Header: http.Header{"Accept": {"*/*"}, "Accept-Encoding": {"identity"}}}
	resp, err := c.Do(ctx, r)
	var api *APIError
	if errors.As(err, &api) && api.Status == http.StatusNotFound && api.Code != "" { // a page of a gateway has no code
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}
