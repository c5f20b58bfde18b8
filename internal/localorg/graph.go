package localorg

import (
	"encoding/json"
	"strings"
)

const (
	maxGraphs = 75  // of a graph call
	maxNodes  = 500 // of all its graphs
	maxKinds  = 15  // version, method and object of a node make its kind
	maxDepth  = 15  // nodes that wait for one another
	maxFailed = 14  // graphs that may fail before the rest is given up
)

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
