package localorg

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	firstVersion = 31 // older ones are retired
	lastVersion  = 67
	maxHead      = 16_384 // bytes of address and headers together
)

// call is one request below /services/data/vNN.0 on its way to a handler.
type call struct {
	w         http.ResponseWriter
	r         *http.Request
	version   string // such as "66.0"
	major     int
	user      []byte // who asks
	args      []string
	plain     bool      // no gzip
	undo      *[]change // of a composite call: where what is saved is noted, to be taken back
	allOrNone bool      // of a composite call: outdoes that of a collection
}

// handler answers a call; an *apiError that it returns becomes the answer.
type handler func(o *Org, c *call) error

// route is one address pattern with its handlers. Words match in any case; {} matches one part.
type route struct {
	pattern string
	parts   []string
	methods map[string]handler
}

// routes lists all addresses; each file names its own.
func routes() []route {
	list := slices.Concat(describeRoutes, replicationRoutes, fileRoutes, recordRoutes, collectionRoutes, compositeRoutes, queryRoutes, queryJobRoutes, ingestRoutes)
	for i := range list {
		list[i].parts = pathParts(list[i].pattern)
	}
	return list
}

// urlParts gives the parts of an address; a slash that was escaped does not part.
func urlParts(u *url.URL) []string {
	parts := pathParts(u.EscapedPath())
	for i, p := range parts {
		if plain, err := url.PathUnescape(p); err == nil {
			parts[i] = plain
		}
	}
	return parts
}

func pathParts(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

func (rt *route) match(parts []string) ([]string, bool) {
	if len(parts) != len(rt.parts) {
		return nil, false
	}
	var args []string
	for i, p := range rt.parts {
		if p == "{}" {
			args = append(args, parts[i])
		} else if !strings.EqualFold(p, parts[i]) {
			return nil, false
		}
	}
	return args, true
}

// ServeHTTP answers one request: the OAuth endpoints and the list of versions without a token, /local/… for tests and
// operators, and everything below /services/data/vNN.0 with one.
func (o *Org) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := urlParts(r.URL)
	endpoint := o.endpoint(r.Method, parts)
	answer := func(w http.ResponseWriter, r *http.Request) { o.answer(w, r, parts, endpoint) }
	if f, ok := o.takeFault(endpoint, false); ok {
		o.cfg.Logger.Debug("local org: fault", "endpoint", endpoint, "kind", f.Kind)
		o.fail(f, w, r, answer)
		return
	}
	answer(w, r)
}

func (o *Org) answer(w http.ResponseWriter, r *http.Request, parts []string, endpoint string) {
	err := o.serve(w, r, parts, endpoint)
	var refused *apiError
	switch {
	case err == nil:
	case errors.As(err, &refused):
		writeError(w, r, refused)
	default:
		o.cfg.Logger.Error("local org: request failed", "endpoint", endpoint, "error", err)
		writeError(w, r, &apiError{status: 500, Code: "UNKNOWN_EXCEPTION",
			Message: "An unexpected error occurred. Please include this ErrorId if you contact support: 1-1 (1)"})
	}
}

// endpoint names a request by method and pattern, such as "PUT jobs/ingest/{}/batches", for the audit and for faults.
func (o *Org) endpoint(method string, parts []string) string {
	path := strings.Join(parts, "/")
	if len(parts) == 3 && parts[0] == "id" {
		path = "id/{}/{}"
	}
	if len(parts) >= 3 && parts[0] == "services" && parts[1] == "data" {
		path = strings.Join(parts[3:], "/")
		for i := range o.routes {
			if _, ok := o.routes[i].match(parts[3:]); ok {
				path = o.routes[i].pattern
				break
			}
		}
	}
	return method + " " + path
}

func (o *Org) serve(w http.ResponseWriter, r *http.Request, parts []string, endpoint string) error {
	if err := checkHead(r); err != nil {
		return err
	}
	if len(parts) > 0 && parts[0] == "local" {
		return o.serveLocal(w, r, parts[1:])
	}
	o.mu.Lock()
	o.audit.count(endpoint)
	broken := o.broken
	o.mu.Unlock()
	if broken != nil {
		return fmt.Errorf("the journal cannot be written: %w", broken)
	}
	if len(parts) == 3 && parts[0] == "id" {
		return o.serveIdentity(w, r, parts[1], parts[2])
	}
	if len(parts) < 2 || parts[0] != "services" {
		return errNotFound
	}
	switch {
	case parts[1] == "oauth2" && len(parts) == 3:
		return o.serveOAuth(w, r, parts[2])
	case strings.EqualFold(parts[1], "Soap") && (len(parts) == 4 || len(parts) == 5) && parts[2] == "u":
		return o.serveSOAP(w, r, parts[3])
	case parts[1] != "data":
		return errNotFound
	case len(parts) == 2:
		return versions(w, r)
	}
	return o.serveData(w, r, parts[2], parts[3:])
}

func (o *Org) serveData(w http.ResponseWriter, r *http.Request, version string, parts []string) error {
	major, err := parseVersion(version)
	if err != nil {
		return err
	}
	if major < o.cfg.DeprecatedBelow { // the text is a guess
		w.Header().Set("Warning", fmt.Sprintf(`299 - "API version %d.0 is deprecated and will be retired. Use a later version."`, major))
	}
	user, err := o.authorize(r)
	if err != nil {
		return err
	}
	now := o.now()
	o.mu.Lock()
	used := o.calls.sum(now)
	over := used >= o.cfg.DailyAPI
	crowded := !over && o.longCalls(now) >= o.cfg.LongCalls
	if !over {
		o.calls.add(now, 1)
		used++
		o.inFlight[r] = now
		defer func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			delete(o.inFlight, r)
		}()
	}
	o.mu.Unlock()
	w.Header().Set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/%d", used, o.cfg.DailyAPI))
	if over {
		return refuse(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
	}
	if crowded {
		return refuse(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.")
	}
	return o.dispatch(&call{w: w, r: r, version: version[1:], major: major, user: user, plain: o.cfg.NoGzip}, parts)
}

// dispatch finds the handler of a call.
func (o *Org) dispatch(c *call, parts []string) error {
	for i := range o.routes {
		rt := &o.routes[i]
		args, ok := rt.match(parts)
		if !ok {
			continue
		}
		h := rt.methods[c.r.Method]
		if h == nil {
			return refuse(405, "METHOD_NOT_ALLOWED", "HTTP Method '%s' not allowed. Allowed are %s", c.r.Method, rt.allowed())
		}
		c.args = args
		return h(o, c)
	}
	return errNotFound
}

func (rt *route) allowed() string {
	var list []string
	for _, m := range []string{"DELETE", "GET", "PATCH", "POST", "PUT"} {
		if rt.methods[m] != nil {
			list = append(list, m)
		}
	}
	return strings.Join(list, ",")
}

func checkHead(r *http.Request) error {
	size := len(r.URL.RequestURI())
	if size > maxHead {
		return refuse(414, "URI_TOO_LONG", "The URI is too long")
	}
	for k, vs := range r.Header {
		for _, v := range vs {
			size += len(k) + len(v)
		}
	}
	if size > maxHead {
		return refuse(431, "REQUEST_HEADER_FIELDS_TOO_LARGE", "The URI and headers are too long")
	}
	return nil
}

// parseVersion reads "v66.0".
func parseVersion(s string) (int, error) {
	digits, ok := strings.CutSuffix(strings.TrimPrefix(s, "v"), ".0")
	major, err := strconv.Atoi(digits)
	switch {
	case !ok || err != nil || s[0] != 'v' || major < 7 || major > lastVersion:
		return 0, errNotFound
	case major < firstVersion:
		return 0, refuse(410, "GONE", "API version %d.0 is retired. Use a supported version.", major)
	}
	return major, nil
}

// decode reads a JSON body; a property that in has no place for is refused.
func (c *call) decode(in any) error {
	if mt, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || mt != "application/json" {
		return errMedia
	}
	return decodeJSON(c.r.Body, in)
}

func decodeJSON(body io.Reader, in any) error {
	d := json.NewDecoder(io.LimitReader(body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			return refuse(400, "JSON_PARSER_ERROR", "Unrecognized field %s", name)
		}
		return refuseJSON(err)
	}
	return nil
}

func (c *call) reply(status int, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.send(status, "application/json;charset=UTF-8", data)
}

func (c *call) send(status int, contentType string, data []byte) error {
	c.w.Header().Set("Content-Type", contentType)
	if len(data) < 1024 || !c.gzip() {
		c.w.Header().Set("Content-Length", itoa(len(data)))
		c.w.WriteHeader(status)
		c.w.Write(data)
		return nil
	}
	w := c.stream(status, contentType)
	w.Write(data)
	return w.Close()
}

// gzip is true when the client accepts gzip; any other encoding is ignored.
func (c *call) gzip() bool {
	return !c.plain && strings.Contains(c.r.Header.Get("Accept-Encoding"), "gzip")
}

// stream starts an answer whose length is not known. The caller closes the writer.
func (c *call) stream(status int, contentType string) io.WriteCloser {
	c.w.Header().Set("Content-Type", contentType)
	if !c.gzip() {
		c.w.WriteHeader(status)
		return plainWriter{c.w}
	}
	c.w.Header().Set("Content-Encoding", "gzip")
	c.w.WriteHeader(status)
	z, _ := gzip.NewWriterLevel(c.w, gzip.BestSpeed)
	return z
}

type plainWriter struct{ io.Writer }

func (plainWriter) Close() error { return nil }

// baseURL is the scheme and host that the client used.
func baseURL(r *http.Request) string {
	u := url.URL{Scheme: "http", Host: r.Host}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return u.String()
}
