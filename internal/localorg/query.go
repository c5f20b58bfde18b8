package localorg

import (
	"encoding/json"
	"fmt"
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
	q, err := parseSOQL(o.schema, text)
	if err != nil {
		return err
	}
	o.mu.RLock()
	found := o.eval(q, deleted)
	o.mu.RUnlock()
	if q.count {
		return c.reply(200, map[string]any{"totalSize": len(found), "done": true, "records": []any{}})
	}
	cur := &cursor{query: q, found: found, made: o.now()}
	locator := ""
	if len(found) > o.cfg.QueryPage {
		locator = o.keep(cur)
	}
	return o.page(c, cur, locator, 0)
}

// keep remembers a cursor and gives its locator.
func (o *Org) keep(cur *cursor) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, old := range o.queries {
		if cur.made.Sub(old.made) > cursorLife || len(o.queries) >= maxCursors {
			delete(o.queries, name)
		}
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

// page answers with the records from a place on.
func (o *Org) page(c *call, cur *cursor, locator string, from int) error {
	end := min(from+o.cfg.QueryPage, len(cur.found))
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
	}
	o.mu.RUnlock()
	b = append(b, "]}"...)
	return c.send(200, "application/json;charset=UTF-8", b)
}

// appendRecord writes a record as JSON with the fields of paths; depth is how many steps of each path lie behind.
func (o *Org) appendRecord(b []byte, version string, paths []path, depth int, t *table, ord uint32, r record) []byte {
	b = fmt.Appendf(b, `{"attributes":{"type":"%s","url":"/services/data/v%s/sobjects/%[1]s/%[3]s"}`, t.obj.Name, version, t.id(ord))
	for i, p := range paths {
		if len(p.steps) == depth {
			b = fmt.Appendf(b, `,"%s":`, p.field.Name)
			b = o.appendJSON(b, t, ord, r, p.field)
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
		if !ok || !found || parent.obj != p.refs[depth] {
			b = append(b, "null"...)
			continue
		}
		b = o.appendRecord(b, version, same, depth+1, parent, at, parent.record(at))
	}
	return append(b, '}')
}

// appendJSON writes one value: numbers and booleans bare, times with +0000, compound addresses as an object.
func (o *Org) appendJSON(b []byte, t *table, ord uint32, r record, f *field) []byte {
	if f.Type == "address" {
		return o.appendAddress(b, t, ord, r, f)
	}
	v := o.value(t, ord, r, f)
	if v == nil {
		return append(b, "null"...)
	}
	switch f.kind {
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
	for _, part := range t.obj.Fields {
		if part.CompoundFieldName != f.Name {
			continue
		}
		key := strings.TrimPrefix(part.Name, strings.TrimSuffix(f.Name, "Address"))
		key = strings.ToLower(key[:1]) + key[1:]
		if v := o.value(t, ord, r, part); v != nil {
			parts[key], any = string(v), true
		} else {
			parts[key] = nil
		}
	}
	if !any {
		return append(b, "null"...)
	}
	text, _ := json.Marshal(parts)
	return append(b, text...)
}
