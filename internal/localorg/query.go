package localorg

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

var queryRoutes = []route{
	{pattern: "query", methods: map[string]handler{"GET": (*Org).query}},
	{pattern: "queryAll", methods: map[string]handler{"GET": (*Org).queryAll}},
	{pattern: "query/{}", methods: map[string]handler{"GET": (*Org).queryMore}},
}

// cursor is a query whose answer has more than one page.
type cursor struct {
	query *soql
	found []uint32
	made  time.Time
	size  int // records of a page
}

const (
	cursorLife = 48 * time.Hour
	maxCursors = 1000
)

func (o *Org) query(c *call) error    { return o.runQuery(c, false) }
func (o *Org) queryAll(c *call) error { return o.runQuery(c, true) }

func (o *Org) runQuery(c *call, deleted bool) error {
	text := c.r.URL.Query().Get("q")
	if text == "" {
		return refuse(400, "MALFORMED_QUERY", "A query string has to be specified")
	}
	q, err := parseSOQL(o.schema, text, o.now())
	if err != nil {
		return err
	}
	if c.r.URL.Query().Get("columns") == "true" {
		return o.queryColumns(c, q)
	}
	size, err := o.pageSize(c.r)
	if err != nil {
		return err
	}
	found := o.find(q, deleted)
	bound := o.cfg.QueryRows
	if q.count || len(q.aggregates) > 0 {
		bound = o.cfg.CountRows
	}
	switch {
	case bound > 0 && len(found) > bound:
		return refuse(400, "QUERY_TIMEOUT", "Your query request was running for too long.")
	case len(q.aggregates) > 0:
		return c.send(200, "application/json;charset=UTF-8", o.aggregate(q, found))
	case q.count:
		return c.reply(200, map[string]any{"totalSize": len(found), "done": true, "records": []any{}})
	}
	for i := range q.children {
		child := &q.children[i]
		o.prepare(child.query.where)
		o.link(lookup{o.table(child.query.from), child.lookup})
	}
	cur := &cursor{query: q, found: found, made: o.now(), size: size}
	locator := ""
	if len(found) > size {
		locator = o.keep(cur)
	}
	return o.page(c, cur, locator, 0)
}

// keep remembers a cursor and gives its locator.
func (o *Org) keep(cur *cursor) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	oldest := ""
	for name, old := range o.queries {
		if cur.made.Sub(old.made) > cursorLife {
			delete(o.queries, name)
		} else if oldest == "" || old.made.Before(o.queries[oldest].made) {
			oldest = name
		}
	}
	if len(o.queries) >= maxCursors {
		delete(o.queries, oldest)
	}
	o.nextQuery++
	name := makeID("01g", firstID("01g", o.cfg.Seed)+o.nextQuery).String()
	o.queries[name] = cur
	return name
}

func (o *Org) queryMore(c *call) error {
	name, from, _ := strings.Cut(c.args[0], "-")
	n, err := strconv.Atoi(from)
	o.mu.RLock()
	cur := o.queries[name]
	o.mu.RUnlock()
	if err != nil || cur == nil || n < 0 || n > len(cur.found) || o.now().Sub(cur.made) > cursorLife {
		return refuse(404, "INVALID_QUERY_LOCATOR", "invalid query locator")
	}
	return o.page(c, cur, name, n)
}

// pageSize is how many records the client wants on a page: Sforce-Query-Options: batchSize=200 up to 2000.
func (o *Org) pageSize(r *http.Request) (int, error) {
	for option := range strings.SplitSeq(r.Header.Get("Sforce-Query-Options"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(option), "=")
		if !strings.EqualFold(name, "batchSize") {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil || n < 200 || n > 2000 { // the text is a guess
			return 0, refuse(400, "INVALID_BATCH_SIZE", "batchSize must be from 200 to 2000")
		}
		return min(n, o.cfg.QueryPage), nil
	}
	return o.cfg.QueryPage, nil
}

// page answers with the records from a place on.
func (o *Org) page(c *call, cur *cursor, locator string, from int) error {
	end := min(from+cur.size, len(cur.found))
	b := fmt.Appendf(nil, `{"totalSize":%d,"done":%t,`, len(cur.found), end == len(cur.found))
	if end < len(cur.found) {
		b = fmt.Appendf(b, `"nextRecordsUrl":"/services/data/v%s/query/%s-%d",`, c.version, locator, end)
	}
	b = append(b, `"records":[`...)
	o.mu.RLock()
	t := o.table(cur.query.from)
	comma := false
	for _, ord := range cur.found[from:end] {
		if t.places[ord] == 0 { // gone for good since the query began
			continue
		}
		if comma {
			b = append(b, ',')
		}
		comma = true
		b = o.appendRecord(b, c.version, cur.query.fields, 0, t, ord, t.record(ord))
		if len(cur.query.children) > 0 {
			b = b[:len(b)-1]
			for i := range cur.query.children {
				child := &cur.query.children[i]
				b = o.appendChildren(b, c.version, child, o.childrenOf(child, t.id(ord)))
			}
			b = append(b, '}')
		}
	}
	o.mu.RUnlock()
	b = append(b, "]}"...)
	return c.send(200, "application/json;charset=UTF-8", b)
}

// childrenOf finds the children of a parent. The child query is prepared and its lookup linked; callers hold the lock.
func (o *Org) childrenOf(child *childQuery, parent id15) []uint32 {
	q, t := child.query, o.table(child.query.from)
	kids := o.pointing(lookup{t, child.lookup}, parent)
	kids = slices.DeleteFunc(kids, func(ord uint32) bool { return !o.selects(q, t, ord, false) })
	if slices.Sort(kids); len(q.orderBy) > 0 {
		s := sorter{by: q.orderBy}
		for _, ord := range kids {
			s.add(o, t, ord, t.record(ord))
		}
		kids = s.sorted()
	}
	return q.cut(kids)
}

// appendChildren writes the children of one record as a query answer of their own; null when there are none.
func (o *Org) appendChildren(b []byte, version string, child *childQuery, ords []uint32) []byte {
	b = fmt.Appendf(b, `,"%s":`, child.name)
	if len(ords) == 0 {
		return append(b, "null"...)
	}
	b = fmt.Appendf(b, `{"totalSize":%d,"done":true,"records":[`, len(ords))
	t := o.table(child.query.from)
	for i, ord := range ords {
		if i > 0 {
			b = append(b, ',')
		}
		b = o.appendRecord(b, version, child.query.fields, 0, t, ord, t.record(ord))
	}
	return append(b, "]}"...)
}

// appendRecord writes a record as JSON with the fields of paths; depth is how many steps of each path lie behind.
func (o *Org) appendRecord(b []byte, version string, paths []path, depth int, t *table, ord uint32, r record) []byte {
	b = fmt.Appendf(b, `{"attributes":{"type":"%s","url":"/services/data/v%s/sobjects/%[1]s/%[3]s"}`, t.obj.Name, version, t.id(ord))
	for i, p := range paths {
		if len(p.steps) == depth {
			b = fmt.Appendf(b, `,"%s":`, p.field.Name)
			if f := p.in(t.obj); f != nil {
				b = o.appendJSON(b, version, t, ord, r, f)
			} else {
				b = append(b, "null"...)
			}
			continue
		}
		step := p.steps[depth]
		first := true // a parent is written where it is first named
		var same []path
		for k, other := range paths {
			if len(other.steps) > depth && other.steps[depth] == step {
				first = first && k >= i
				same = append(same, other)
			}
		}
		if !first {
			continue
		}
		b = fmt.Appendf(b, `,"%s":`, step.RelationshipName)
		id, ok := parseID(o.value(t, ord, r, step))
		parent, at, found := o.locate(id)
		if !ok || !found {
			b = append(b, "null"...)
			continue
		}
		if parent.obj != p.refs[depth] { // a type that the path does not lead through any further
			same = slices.DeleteFunc(same, func(p path) bool { return len(p.steps) > depth+1 })
		}
		b = o.appendRecord(b, version, same, depth+1, parent, at, parent.record(at))
	}
	return append(b, '}')
}

// appendJSON writes one value: numbers and booleans bare, times with +0000, compound addresses as an object, files by their address.
func (o *Org) appendJSON(b []byte, version string, t *table, ord uint32, r record, f *field) []byte {
	if f.kind == kindFile && r.raw(f.index) != nil {
		return fmt.Appendf(b, `"/services/data/v%s/sobjects/%s/%s/%s"`, version, t.obj.Name, t.id(ord), f.Name)
	}
	if f.Type == "address" {
		return o.appendAddress(b, t, ord, r, f)
	}
	return appendJSONValue(b, f.kind, o.value(t, ord, r, f))
}

// appendJSONValue writes a stored value; nil is null.
func appendJSONValue(b []byte, k kind, v []byte) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	switch k {
	case kindInt, kindDouble, kindBool:
		return append(b, v...)
	case kindDatetime:
		v = append(v[:len(v)-1:len(v)-1], ".000+0000"...)
	}
	text, _ := json.Marshal(string(v))
	return append(b, text...)
}

func (o *Org) appendAddress(b []byte, t *table, ord uint32, r record, f *field) []byte {
	parts := map[string]any{}
	any := false
	for _, part := range t.obj.shape().Fields {
		if part.CompoundFieldName != f.Name {
			continue
		}
		key := strings.TrimPrefix(part.Name, strings.TrimSuffix(f.Name, "Address"))
		if key == "" {
			continue
		}
		key = strings.ToLower(key[:1]) + key[1:]
		v := o.value(t, ord, r, part)
		parts[key], any = json.RawMessage(appendJSONValue(nil, part.kind, v)), any || v != nil
	}
	if !any {
		return append(b, "null"...)
	}
	text, _ := json.Marshal(parts)
	return append(b, text...)
}
