package localorg

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
)

var compositeRoutes = []route{
	{pattern: "composite", methods: map[string]handler{"POST": (*Org).composite}},
	{pattern: "composite/graph", methods: map[string]handler{"POST": (*Org).graphs}},
	{pattern: "composite/tree/{}", methods: map[string]handler{"POST": (*Org).createTree}},
}

const (
	maxSubrequests = 25 // of a composite call
	maxHeavy       = 5  // of them queries and collections
)

// subrequest is one of the calls inside a composite call.
type subrequest struct {
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	ReferenceID string            `json:"referenceId"`
	Headers     map[string]string `json:"httpHeaders"`
	Body        json.RawMessage   `json:"body"`
}

// subanswer is its answer.
type subanswer struct {
	Body        json.RawMessage   `json:"body"`
	Headers     map[string]string `json:"httpHeaders"`
	Status      int               `json:"httpStatusCode"`
	ReferenceID string            `json:"referenceId"`
}

var referenceName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

const haltedBody = `[{"errorCode":"PROCESSING_HALTED","message":"The transaction was rolled back since another operation in the same transaction failed."}]`

func (o *Org) composite(c *call) error {
	var in struct {
		AllOrNone bool         `json:"allOrNone"`
		Requests  []subrequest `json:"compositeRequest"`
	}
	if err := c.readBody(&in); err != nil {
		return err
	}
	if len(in.Requests) > maxSubrequests { // the texts are a guess
		return refuse(400, "LIMIT_EXCEEDED", "The request contains %d subrequests, %d are allowed", len(in.Requests), maxSubrequests)
	}
	if err := checkSubrequests(in.Requests); err != nil {
		return err
	}
	heavy := 0
	for _, r := range in.Requests {
		if strings.Contains(r.URL, "/composite/sobjects") || strings.Contains(r.URL, "/query") {
			heavy++
		}
	}
	if heavy > maxHeavy {
		return refuse(400, "LIMIT_EXCEEDED", "The request contains %d queries and collections, %d are allowed", heavy, maxHeavy)
	}
	answers, _, err := o.runSubrequests(c, in.Requests, in.AllOrNone)
	if err != nil {
		return err
	}
	return c.reply(200, map[string]any{"compositeResponse": answers})
}

func checkSubrequests(list []subrequest) error {
	seen := map[string]bool{}
	for _, r := range list {
		switch {
		case !referenceName.MatchString(r.ReferenceID):
			return refuse(400, "INVALID_INPUT", "referenceId %q must be of letters, digits and underscores", r.ReferenceID)
		case seen[r.ReferenceID]:
			return refuse(400, "INVALID_INPUT", "referenceId %q is there twice", r.ReferenceID)
		}
		seen[r.ReferenceID] = true
	}
	if len(list) == 0 {
		return refuse(400, "INVALID_INPUT", "no subrequests given")
	}
	return nil
}

// runSubrequests carries out calls one after another. With allOrNone a failure takes back what the others saved.
func (o *Org) runSubrequests(c *call, list []subrequest, allOrNone bool) ([]subanswer, bool, error) {
	var undo []change
	answers := []subanswer{}
	bodies := map[string]any{}
	good := true
	for _, r := range list {
		a := o.runSubrequest(c, r, bodies, &undo, allOrNone)
		if a.Status < 300 || a.Status == 304 {
			body, _ := decodeAny(a.Body) // an empty one gives nothing to refer to
			bodies[r.ReferenceID] = body
		} else {
			good = false
		}
		answers = append(answers, a)
		if !good && allOrNone {
			break
		}
	}
	if good || !allOrNone {
		return answers, good, nil
	}
	failed := len(answers) - 1
	for i, r := range list {
		if i >= len(answers) {
			answers = append(answers, subanswer{Headers: map[string]string{}, ReferenceID: r.ReferenceID})
		}
		if i != failed {
			answers[i].Body, answers[i].Status, answers[i].Headers = json.RawMessage(haltedBody), 400, map[string]string{}
		}
	}
	return answers, false, o.undo(undo)
}

// runSubrequest carries out one call by the same routes as one from outside.
func (o *Org) runSubrequest(c *call, sub subrequest, bodies map[string]any, undo *[]change, allOrNone bool) subanswer {
	rec := httptest.NewRecorder()
	fail := func(err error) subanswer {
		refused, ok := err.(*apiError)
		if !ok {
			o.cfg.Logger.Error("local org: subrequest failed", "url", sub.URL, "error", err)
			refused = &apiError{status: 500, Code: "UNKNOWN_EXCEPTION", Message: "An unexpected error occurred."}
		}
		writeError(rec, &http.Request{}, refused) // JSON, whatever the outer call accepts
		return subanswer{Body: rec.Body.Bytes(), Headers: map[string]string{}, Status: rec.Code, ReferenceID: sub.ReferenceID}
	}
	address, err := fillAddress(sub.URL, bodies)
	if err != nil {
		return fail(err)
	}
	body, err := fillBody(sub.Body, bodies)
	if err != nil {
		return fail(err)
	}
	if !strings.HasPrefix(address, "/") || sub.Method == "" { // the text is a guess
		return fail(refuse(400, "INVALID_INPUT", "a subrequest needs a method and an address such as /services/data/v66.0/sobjects/Account"))
	}
	r, err := http.NewRequestWithContext(c.r.Context(), sub.Method, address, bytes.NewReader(body))
	if err != nil {
		return fail(refuse(400, "INVALID_INPUT", "%v", err))
	}
	r.Host = c.r.Host
	r.Header.Set("Content-Type", "application/json")
	for k, v := range sub.Headers {
		r.Header.Set(k, v)
	}
	parts := urlParts(r.URL)
	if len(parts) < 4 || parts[0] != "services" || parts[1] != "data" || parts[3] != "sobjects" && parts[3] != "query" && parts[3] != "queryAll" &&
		!(parts[3] == "composite" && len(parts) > 4 && parts[4] == "sobjects") { // the text is a guess
		return fail(refuse(400, "INVALID_INPUT", "the address %q cannot be a subrequest", sub.URL))
	}
	major, err := parseVersion(parts[2])
	if err != nil {
		return fail(err)
	}
	inner := &call{w: rec, r: r, version: parts[2][1:], major: major, user: c.user, plain: true, undo: undo, allOrNone: allOrNone}
	if err := o.dispatch(inner, parts[3:]); err != nil {
		return fail(err)
	}
	a := subanswer{Body: bytes.TrimSpace(rec.Body.Bytes()), Headers: map[string]string{}, Status: rec.Code, ReferenceID: sub.ReferenceID}
	if len(a.Body) == 0 {
		a.Body = json.RawMessage("null")
	}
	if l := rec.Header().Get("Location"); l != "" {
		a.Headers["Location"] = l
	}
	return a
}
