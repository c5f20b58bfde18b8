package localorg

import (
	"encoding/json"
	"slices"
	"strings"
)

const (
	maxTree      = 200 // records of a tree
	maxTreeTypes = 5
	maxTreeDepth = 5
)

// branch is one record of a tree with the records below it.
type branch struct {
	obj      *object
	ref      string
	parent   int // in the list of all; -1 at the top
	lookup   *field
	values   map[string]json.RawMessage
	children []map[string]json.RawMessage
}

// createTree saves records together with their children, all or none.
func (o *Org) createTree(c *call) error {
	obj, err := o.objectOf(c.args[0])
	if err != nil {
		return err
	}
	var in struct {
		Records []map[string]json.RawMessage `json:"records"`
	}
	if err := c.readBody(&in); err != nil {
		return err
	}
	list, err := o.branches(obj, in.Records, -1, nil, nil, 1)
	if err != nil {
		return err
	}
	types := map[*object]bool{}
	for _, b := range list {
		types[b.obj] = true
	}
	if len(list) == 0 || len(list) > maxTree || len(types) > maxTreeTypes { // the text is a guess
		return refuse(400, "INVALID_INPUT", "The tree has %d records of %d types; at most %d of %d are allowed", len(list), len(types), maxTree, maxTreeTypes)
	}
	type result struct {
		ReferenceID string      `json:"referenceId"`
		ID          string      `json:"id,omitempty"`
		Errors      []faultBody `json:"errors,omitempty"`
	}
	var undo []change
	results, failed := []result{}, []result{}
	ids := make([]string, len(list))
	for i, b := range list {
		if b.parent >= 0 {
			if ids[b.parent] == "" {
				continue // its parent failed
			}
			b.values[b.lookup.Name], _ = json.Marshal(ids[b.parent])
		}
		out, err := o.saveEntries([]entry{{obj: b.obj, op: "insert", values: b.values}}, false, &undo)
		if err != nil {
			return err
		}
		if f := out[0].fault; f != nil {
			failed = append(failed, result{ReferenceID: b.ref, Errors: []faultBody{f.body()}})
			continue
		}
		ids[i] = out[0].id
		results = append(results, result{ReferenceID: b.ref, ID: ids[i]})
	}
	if len(failed) > 0 {
		if err := o.undo(undo); err != nil {
			return err
		}
		return c.reply(400, map[string]any{"hasErrors": true, "results": failed})
	}
	if c.undo != nil {
		*c.undo = append(*c.undo, undo...)
	}
	return c.reply(201, map[string]any{"hasErrors": false, "results": results})
}

// branches flattens a tree, parents before children.
func (o *Org) branches(obj *object, records []map[string]json.RawMessage, parent int, lookup *field, list []branch, depth int) ([]branch, error) {
	if depth > maxTreeDepth { // the text is a guess
		return nil, refuse(400, "INVALID_INPUT", "The tree has more than %d levels", maxTreeDepth)
	}
	for _, r := range records {
		var attributes struct {
			Type string `json:"type"`
			Ref  string `json:"referenceId"`
		}
		if err := json.Unmarshal(r["attributes"], &attributes); err != nil || attributes.Ref == "" || o.schema.object(attributes.Type) != obj { // the text is a guess
			return nil, refuse(400, "INVALID_INPUT", "Each record needs attributes with a referenceId and the type %s", obj.Name)
		}
		if slices.ContainsFunc(list, func(b branch) bool { return b.ref == attributes.Ref }) {
			return nil, refuse(400, "INVALID_INPUT", "Duplicate ReferenceId provided in the request: %s", attributes.Ref)
		}
		at := len(list)
		list = append(list, branch{obj: obj, ref: attributes.Ref, parent: parent, lookup: lookup, values: r})
		for name, raw := range r {
			i := slices.IndexFunc(obj.Children, func(rel childRelation) bool { return rel.Name != "" && strings.EqualFold(rel.Name, name) })
			if i < 0 {
				continue
			}
			delete(r, name)
			kids := o.schema.object(obj.Children[i].Object)
			var below struct {
				Records []map[string]json.RawMessage `json:"records"`
			}
			if err := json.Unmarshal(raw, &below); err != nil || kids == nil {
				return nil, refuse(400, "INVALID_INPUT", "%s is no list of records", name)
			}
			var err error
			if list, err = o.branches(kids, below.Records, at, kids.field(obj.Children[i].Field), list, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}
