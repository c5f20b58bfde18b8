package localorg

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

const (
	maxTree      = 200 // records of a tree
	maxTreeTypes = 5
	maxTreeDepth = 5
)

// branch is one record of a tree.
type branch struct {
	entry
	ref string
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
	list, err := o.branches(obj, in.Records, branch{entry: entry{obj: obj, op: "insert"}}, nil, 1)
	if err != nil {
		return err
	}
	types := map[*object]bool{}
	entries := make([]entry, len(list))
	for i, b := range list {
		types[b.obj] = true
		entries[i] = b.entry
	}
	if len(list) == 0 || len(types) > maxTreeTypes { // the text is a guess
		return refuse(400, "INVALID_INPUT", "The tree has %d records of %d types; at most %d types are allowed", len(list), len(types), maxTreeTypes)
	}
	all, err := o.saveEntries(entries, true, c.undo)
	if err != nil {
		return err
	}
	type result struct {
		ReferenceID string      `json:"referenceId"`
		ID          string      `json:"id,omitempty"`
		Errors      []faultBody `json:"errors,omitempty"`
	}
	results, failed := []result{}, []result{}
	for i, s := range all {
		switch {
		case s.fault == nil:
			results = append(results, result{ReferenceID: list[i].ref, ID: s.id})
		case s.fault != errRolledBack:
			failed = append(failed, result{ReferenceID: list[i].ref, Errors: []faultBody{s.fault.body()}})
		}
	}
	if len(failed) > 0 {
		return c.reply(400, map[string]any{"hasErrors": true, "results": failed})
	}
	return c.reply(201, map[string]any{"hasErrors": false, "results": results})
}

// branches flattens a tree, parents before children; what the records of one list have in common is given.
func (o *Org) branches(obj *object, records []map[string]json.RawMessage, common branch, list []branch, depth int) ([]branch, error) {
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
		if len(list) == maxTree { // the text is a guess
			return nil, refuse(400, "INVALID_INPUT", "The tree has more than %d records", maxTree)
		}
		b := common
		b.ref, b.values, b.fault = attributes.Ref, r, errInsert(obj)
		list = append(list, b)
		at := len(list)
		for _, name := range slices.Sorted(maps.Keys(r)) {
			i := slices.IndexFunc(obj.shape().Children, func(rel childRelation) bool { return rel.Name != "" && strings.EqualFold(rel.Name, name) })
			if i < 0 {
				continue
			}
			kids := o.schema.object(obj.shape().Children[i].Object)
			var below struct {
				Records []map[string]json.RawMessage `json:"records"`
			}
			if err := json.Unmarshal(r[name], &below); err != nil || kids == nil || kids.field(obj.shape().Children[i].Field) == nil {
				return nil, refuse(400, "INVALID_INPUT", "%s is no list of records", name)
			}
			delete(r, name)
			child := branch{entry: entry{obj: kids, op: "insert", above: at, lookup: kids.field(obj.shape().Children[i].Field)}}
			var err error
			if list, err = o.branches(kids, below.Records, child, list, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}
