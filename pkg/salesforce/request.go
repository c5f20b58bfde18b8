package salesforce

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Request is one call to the org. A Request may be used for several calls at once if its Body may be.
type Request struct {
	Method string
	// Path is escaped already and may carry a query. "/jobs/ingest" stands below /services/data/vXX.X; a path that
	// begins with /services/ is taken as it is.
	Path   string
	Query  url.Values  // added to the query of Path
	Header http.Header // extra; Accept defaults to application/json. Authorization is always the client's own

	// Body opens the body; nil means none. It is called again for every attempt. Each reader is closed, and not touched
	// any more, when the call returns.
	Body func() (io.ReadCloser, error)
	Size int64 // length of the body in bytes, sent as Content-Length; the body must have exactly so many

	Class Class
	Job   string // id of the job the call is about, for messages; may be empty
}

// Class says what may be done when it is not known whether the org acted on a request. See the package comment.
type Class int

const (
	// Ask is for calls that change something: create, upload, close. Such a call is sent again only after failures that
	// surely happened before the org acted; else it fails with ErrOutcomeUnknown and the caller reads the state.
	Ask Class = iota
	// Repeat is for calls that may be sent any number of times: reads, deletes, aborts.
	Repeat
)

func (r *Request) String() string { return where(r.Method, r.Path, r.Job) }

// check finds what would fail at every attempt.
func (r *Request) check() error {
	switch {
	case r.Method == "":
		return fmt.Errorf("request for %q has no method", r.Path)
	case !strings.HasPrefix(r.Path, "/") || strings.Contains(r.Path, "#"):
		return fmt.Errorf("%s: the path must begin with / and have no fragment", r)
	case r.Size < 0:
		return fmt.Errorf("%s: negative body size %d", r, r.Size)
	case r.Body == nil && r.Size > 0:
		return fmt.Errorf("%s: body size %d but no body", r, r.Size)
	}
	return nil
}

// url places the path below base, which is scheme and host.
func (r *Request) url(base, version string) (*url.URL, error) {
	path := r.Path
	if !strings.HasPrefix(path, "/services/") {
		path = "/services/data/v" + version + path
	}
	u, err := url.Parse(base + path)
	if err != nil {
		return nil, fmt.Errorf("%s: the path is not a valid URL path; escape it", r)
	}
	if len(r.Query) > 0 {
		q := u.Query()
		for k, v := range r.Query {
			q[k] = append(q[k], v...)
		}
		u.RawQuery = q.Encode()
	}
	return u, nil
}

// uncounted tells the one resource whose calls do not count towards the org's daily limit.
func uncounted(u *url.URL) bool { return u.Path == "/services/data/" || u.Path == "/services/data" }
