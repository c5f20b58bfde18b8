package localorg

import (
	"encoding/json"
	"fmt"
	"strings"
)

var collectionRoutes = []route{
	{pattern: "composite/sobjects", methods: map[string]handler{"POST": (*Org).createCollection, "PATCH": (*Org).updateCollection, "DELETE": (*Org).deleteCollection}},
	{pattern: "composite/sobjects/{}", methods: map[string]handler{"GET": (*Org).getCollection, "POST": (*Org).postedCollection}},
	{pattern: "composite/sobjects/{}/{}", methods: map[string]handler{"PATCH": (*Org).upsertCollection}},
}

const (
	maxCollection = 200   // records of one call
	maxRead       = 2_000 // ids of a call that reads
	maxRuns       = 10    // runs of records of one type
)

var errRolledBack = rowError("ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back because not all records were valid and the request was using AllOrNone header")

// collection is the body of the calls that save.
type collection struct {
	AllOrNone bool                         `json:"allOrNone"`
	Records   []map[string]json.RawMessage `json:"records"`
}

func (c *call) collection() (*collection, error) {
	in := &collection{}
	if err := c.readBody(in); err != nil {
		return nil, err
	}
	switch {
	case len(in.Records) == 0: // the text is a guess
		return nil, refuse(400, "INVALID_FIELD", "The records property is missing or empty")
	case len(in.Records) > maxCollection: // the text is a guess
		return nil, refuse(400, "EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than %d records into this call", maxCollection)
	}
	return in, nil
}

// typeOf reads the type that a record names.
func (o *Org) typeOf(record map[string]json.RawMessage) (*object, error) {
	var attributes struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(record["attributes"], &attributes); err != nil || attributes.Type == "" { // the text is a guess
		return nil, refuse(400, "INVALID_FIELD", "A record has no attributes with a type")
	}
	obj := o.schema.object(attributes.Type)
	if obj == nil {
		return nil, refuse(400, "INVALID_TYPE", "sObject type '%s' is not supported.", attributes.Type)
	}
	return obj, nil
}

// entries reads the records of a collection of mixed types.
func (o *Org) entries(in *collection, op string) ([]entry, error) {
	var list []entry
	runs := 0
	for _, r := range in.Records {
		obj, err := o.typeOf(r)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 || list[len(list)-1].obj != obj {
			runs++
		}
		e := entry{obj: obj, op: op, values: r}
		if op == "insert" {
			e.fault = errInsert(obj)
		} else {
			e.id = idOf(r)
		}
		list = append(list, e)
	}
	if runs > maxRuns { // the text is a guess
		return nil, refuse(400, "INVALID_INPUT", "Cannot have more than %d chunks in a single operation. Please rearrange the data to reduce chunking.", maxRuns)
	}
	return list, nil
}

// idOf reads the id that a record names; what is no string is no id.
func idOf(record map[string]json.RawMessage) (id string) {
	for name, raw := range record {
		if strings.EqualFold(name, "Id") {
			json.Unmarshal(raw, &id)
		}
	}
	return id
}

// savedBody is one element of the answer.
type savedBody struct {
	ID      string      `json:"id,omitempty"`
	Success bool        `json:"success"`
	Errors  []faultBody `json:"errors"`
	Created *bool       `json:"created,omitempty"`
}

// saveCollection saves and answers in the order of the request.
func (o *Org) saveCollection(c *call, list []entry, allOrNone bool) error {
	results, err := o.saveEntries(list, allOrNone || c.allOrNone, c.undo)
	if err != nil {
		return err
	}
	out := []savedBody{}
	for i, s := range results {
		b := savedBody{ID: s.id, Success: s.fault == nil, Errors: []faultBody{}}
		if f := s.fault; f != nil {
			b.ID = ""
			b.Errors = append(b.Errors, f.body())
		}
		if list[i].op == "upsert" && s.fault == nil {
			b.Created = &s.created
		}
		out = append(out, b)
	}
	return c.reply(200, out)
}

func (o *Org) createCollection(c *call) error { return o.saveMixed(c, "insert") }
func (o *Org) updateCollection(c *call) error { return o.saveMixed(c, "update") }

// saveMixed saves records of several types.
func (o *Org) saveMixed(c *call, op string) error {
	in, err := c.collection()
	if err != nil {
		return err
	}
	list, err := o.entries(in, op)
	if err != nil {
		return err
	}
	return o.saveCollection(c, list, in.AllOrNone)
}

func (o *Org) upsertCollection(c *call) error {
	if c.major < 46 {
		return errNotFound
	}
	obj, err := o.objectOf(c.args[0])
	if err != nil {
		return err
	}
	f := obj.field(c.args[1])
	if f == nil || f.kind != kindID && !f.ExternalID && !f.IDLookup {
		return refuse(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: %s", c.args[1])
	}
	in, err := c.collection()
	if err != nil {
		return err
	}
	var list []entry
	for _, r := range in.Records {
		named, err := o.typeOf(r)
		if err != nil {
			return err
		}
		if named != obj { // the text is a guess
			return refuse(400, "INVALID_TYPE", "All records must be of type %s", obj.Name)
		}
		e := entry{obj: obj, op: "upsert", key: f, values: r}
		if f.kind == kindID {
			e.id = idOf(r)
		}
		list = append(list, e)
	}
	o.refuseDuplicates(list, f)
	return o.saveCollection(c, list, in.AllOrNone)
}

// refuseDuplicates marks the entries whose external id another one has, too, as in a chunk of an ingest job.
func (o *Org) refuseDuplicates(list []entry, key *field) {
	if key.kind == kindID {
		return
	}
	x := index{field: key}
	col := column{field: key, accept: o.prefixesOf(key.ReferenceTo)}
	keys, seen := make([]value, len(list)), map[string]int{}
	for i, e := range list {
		for name, raw := range e.values {
			if !strings.EqualFold(name, key.Name) {
				continue
			}
			if v, fault := readJSON(&col, raw); fault == nil && v.mark == set {
				keys[i] = v
				seen[string(x.fold(nil, v.data))]++
			}
		}
	}
	for i, k := range keys {
		folded := string(x.fold(nil, k.data))
		switch {
		case k.mark != set || seen[folded] == 1:
		case seen[folded] > 1 && o.cfg.FirstDuplicateWins:
			seen[folded] = 0 // taken
		default:
			list[i].fault = errDuplicateKey(key, k.data)
		}
	}
}

func (o *Org) deleteCollection(c *call) error {
	q := c.r.URL.Query()
	ids := splitIDs(q.Get("ids"))
	switch {
	case len(ids) == 0: // the text is a guess
		return refuse(400, "INVALID_FIELD", "The ids parameter is missing or empty")
	case len(ids) > maxCollection:
		return refuse(400, "EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than %d records into this call", maxCollection)
	}
	var list []entry
	for _, text := range ids {
		e := entry{op: "delete", id: text}
		id, ok := parseID([]byte(text))
		switch t := o.prefixes[id.prefix()]; {
		case !ok:
			e.fault = errMalformedID([]byte(text))
		case t == nil:
			e.fault = errCrossReference
		default:
			e.obj, e.fault = t.obj, errDelete(t.obj)
		}
		list = append(list, e)
	}
	return o.saveCollection(c, list, q.Get("allOrNone") == "true")
}

func splitIDs(text string) []string {
	var list []string
	for id := range strings.SplitSeq(text, ",") {
		if id = strings.TrimSpace(id); id != "" {
			list = append(list, id)
		}
	}
	return list
}

func (o *Org) getCollection(c *call) error {
	q := c.r.URL.Query()
	return o.readCollection(c, splitIDs(q.Get("ids")), q.Get("fields"))
}

func (o *Org) postedCollection(c *call) error {
	var in struct {
		IDs    []string `json:"ids"`
		Fields []string `json:"fields"`
	}
	if err := c.readBody(&in); err != nil {
		return err
	}
	return o.readCollection(c, in.IDs, strings.Join(in.Fields, ","))
}

// readCollection answers with records in the order of their ids, null where there is none.
func (o *Org) readCollection(c *call, ids []string, fields string) error {
	obj, err := o.objectOf(c.args[0])
	switch {
	case err != nil:
		return err
	case len(ids) == 0 || fields == "": // the text is a guess
		return refuse(400, "INVALID_FIELD", "The ids or fields parameter is missing or empty")
	case len(ids) > maxRead:
		return refuse(400, "EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than %d records into this call", maxRead)
	}
	paths, err := o.paths(obj, fields)
	if err != nil {
		return err
	}
	b := []byte{'['}
	o.mu.RLock()
	t := o.table(obj)
	for i, text := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		id, ok := parseID([]byte(text))
		ord, found := t.ordinal(id)
		if !ok || !found || id.prefix() != obj.KeyPrefix || t.record(ord).deleted() {
			b = append(b, "null"...)
			continue
		}
		b = o.appendRecord(b, c.version, paths, 0, t, ord, t.record(ord))
	}
	o.mu.RUnlock()
	return c.send(200, "application/json;charset=UTF-8", fmt.Append(b, "]"))
}
