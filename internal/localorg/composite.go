package localorg

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var compositeRoutes = []route{
	{pattern: "composite", methods: map[string]handler{"POST": (*Org).composite}},
	{pattern: "composite/graph", methods: map[string]handler{"POST": (*Org).graphs}},
	{pattern: "composite/tree/{}", methods: map[string]handler{"POST": (*Org).createTree}},
}

const (
	maxSubrequests = 25  // of a composite call
	maxHeavy       = 5   // of them queries and collections
	maxGraphs      = 75  // of a graph call
	maxNodes       = 500 // of all its graphs
	maxKinds       = 15  // version, method and object of a node make its kind
	maxDepth       = 15  // nodes that wait for one another
	maxFailed      = 14  // graphs that may fail before the rest is given up
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

var (
	referenceName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	reference     = regexp.MustCompile(`@\{([A-Za-z0-9_]+)([.\[][^}]*)?\}`)
)

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

// fillReferences puts values of earlier answers in place of @{name.path} and @{name[0].path}.
func fillReferences(text string, bodies map[string]any, escape func(string) string) (string, error) {
	var missing error
	out := reference.ReplaceAllStringFunc(text, func(ref string) string {
		m := reference.FindStringSubmatch(ref)
		v, ok := pick(bodies[m[1]], strings.TrimPrefix(m[2], "."))
		if !ok && missing == nil { // the text is a guess
			missing = refuse(400, "PROCESSING_HALTED", "Invalid reference specified. No value for %s found in %s", strings.TrimPrefix(m[2], "."), m[1])
		}
		return escape(v)
	})
	return out, missing
}

func fillAddress(address string, bodies map[string]any) (string, error) {
	path, query, asks := strings.Cut(address, "?")
	path, err := fillReferences(path, bodies, url.PathEscape)
	if err != nil || !asks {
		return path, err
	}
	query, err = fillReferences(query, bodies, url.QueryEscape)
	return path + "?" + query, err
}

// fillBody fills the references in the texts of a body, at any depth.
func fillBody(body json.RawMessage, bodies map[string]any) ([]byte, error) {
	if !bytes.Contains(body, []byte("@{")) {
		return body, nil
	}
	all, err := decodeAny(body)
	if err != nil {
		return nil, refuseJSON(err)
	}
	var fill func(v any) (any, error)
	fill = func(v any) (out any, err error) {
		switch v := v.(type) {
		case string:
			return fillReferences(v, bodies, func(s string) string { return s })
		case []any:
			for i := range v {
				if v[i], err = fill(v[i]); err != nil {
					return nil, err
				}
			}
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				if v[k], err = fill(v[k]); err != nil {
					return nil, err
				}
			}
		}
		return v, nil
	}
	if all, err = fill(all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// decodeAny reads JSON and keeps its numbers as they are written.
func decodeAny(data []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// pick follows a path such as records[0].Id into an answer.
func pick(v any, path string) (string, bool) {
	path = strings.TrimPrefix(strings.NewReplacer("[", ".", "]", "").Replace(path), ".")
	for part := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = at[part]; !ok {
				return "", false
			}
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(at) {
				return "", false
			}
			v = at[i]
		default:
			return "", false
		}
	}
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// graphs carries out several composites, each of which is saved as a whole or not at all.
func (o *Org) graphs(c *call) error {
	if c.major < 50 {
		return errNotFound
	}
	var in struct {
		Graphs []struct {
			ID       string       `json:"graphId"`
			Requests []subrequest `json:"compositeRequest"`
		} `json:"graphs"`
	}
	if err := c.readBody(&in); err != nil {
		return err
	}
	nodes := 0
	kinds, ids := map[string]bool{}, map[string]bool{}
	for _, g := range in.Graphs {
		if err := checkSubrequests(g.Requests); err != nil {
			return err
		}
		if g.ID == "" || ids[g.ID] { // the texts are a guess
			return refuse(400, "INVALID_INPUT", "graphId %q is missing or there twice", g.ID)
		}
		ids[g.ID] = true
		if d := depthOf(g.Requests); d > maxDepth {
			return refuse(400, "LIMIT_EXCEEDED", "Graph %s has a depth of %d, %d are allowed", g.ID, d, maxDepth)
		}
		nodes += len(g.Requests)
		for _, r := range g.Requests {
			kinds[r.kind()] = true
		}
	}
	if len(kinds) > maxKinds {
		return refuse(400, "LIMIT_EXCEEDED", "The request has %d kinds of nodes, %d are allowed", len(kinds), maxKinds)
	}
	if len(in.Graphs) == 0 || len(in.Graphs) > maxGraphs || nodes > maxNodes { // the text is a guess
		return refuse(400, "LIMIT_EXCEEDED", "The request has %d graphs with %d nodes; from 1 to %d graphs with %d nodes in all are allowed", len(in.Graphs), nodes, maxGraphs, maxNodes)
	}
	out := []map[string]any{}
	failed := 0
	for _, g := range in.Graphs {
		var answers []subanswer
		good := false
		if failed > maxFailed {
			for _, r := range g.Requests {
				answers = append(answers, subanswer{Body: json.RawMessage(haltedBody), Headers: map[string]string{}, Status: 400, ReferenceID: r.ReferenceID})
			}
		} else {
			var err error
			if answers, good, err = o.runSubrequests(c, g.Requests, true); err != nil {
				return err
			}
		}
		if !good {
			failed++
		}
		out = append(out, map[string]any{"graphId": g.ID, "graphResponse": map[string]any{"compositeResponse": answers}, "isSuccessful": good})
	}
	return c.reply(200, map[string]any{"graphs": out})
}

// kind is what tells nodes of graphs apart: version, method and object.
func (r *subrequest) kind() string {
	parts := pathParts(r.URL)
	if len(parts) > 5 {
		parts = parts[:5] // services/data/vNN.0/sobjects/OBJECT
	}
	return r.Method + " " + strings.ToLower(strings.Join(parts, "/"))
}

// depthOf is the length of the longest chain of nodes each of which refers to the one before.
func depthOf(list []subrequest) int {
	depth := map[string]int{} // by referenceId
	deepest := 0
	for _, r := range list {
		d := 1
		for _, m := range reference.FindAllStringSubmatch(r.URL+string(r.Body), -1) {
			d = max(d, depth[m[1]]+1)
		}
		depth[r.ReferenceID] = d
		deepest = max(deepest, d)
	}
	return deepest
}
