package localorg

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// prepare runs the queries inside a condition. It changes the condition, so that it comes before others may read that. Callers do not
// hold the lock.
func (o *Org) prepare(c condition) {
	switch c := c.(type) {
	case andCondition:
		for _, part := range c.list {
			o.prepare(part)
		}
	case orCondition:
		for _, part := range c.list {
			o.prepare(part)
		}
	case notCondition:
		o.prepare(c.of)
	case *semiJoin:
		c.found = map[string]bool{}
		t := o.table(c.query.from)
		o.visit(o.find(c.query, false), t, func(ord uint32, r record) {
			if v := o.follow(&c.query.fields[0], t, ord, r); v != nil {
				c.found[string(v)] = true
			}
		})
	}
}

// selects is true when a query means the record. Callers hold the lock.
func (o *Org) selects(q *soql, t *table, ord uint32, deleted bool) bool {
	if t.places[ord] == 0 {
		return false
	}
	r := t.record(ord)
	if r.deleted() && !deleted {
		return false
	}
	return q.where == nil || o.matches(q.where, t, ord, r)
}

// scanStep is how many records are looked at under one hold of the lock.
const scanStep = 10_000

// steps calls visit with 0, 1, … up to n, under the lock for some thousand calls at a time, and between after each hold of it. Each may end
// all with false.
func (o *Org) steps(n int, visit func(i int) bool, between func() bool) {
	for from := 0; from < n; from += scanStep {
		more := true
		o.mu.RLock()
		for i := from; i < min(from+scanStep, n) && more; i++ {
			more = visit(i)
		}
		o.mu.RUnlock()
		if !between() || !more {
			return
		}
	}
}

// scan visits the records that a query means, without regard to ORDER BY, LIMIT and OFFSET, in the order of their creation. Records that are
// saved meanwhile may or may not be seen. Its condition is prepared.
func (o *Org) scan(q *soql, deleted bool, visit func(ord uint32, r record) bool, between func() bool) {
	t := o.table(q.from)
	o.mu.RLock()
	n := len(t.places)
	var list []uint32
	if !deleted { // what is deleted is in no index
		list = o.candidates(q, t)
	}
	o.mu.RUnlock()
	if list != nil {
		n = len(list)
	}
	o.steps(n, func(i int) bool {
		ord := uint32(i)
		if list != nil {
			ord = list[i]
		}
		return !o.selects(q, t, ord, deleted) || visit(ord, t.record(ord))
	}, between)
}

// visit calls do for those of the records that are still there.
func (o *Org) visit(list []uint32, t *table, do func(ord uint32, r record)) {
	o.steps(len(list), func(i int) bool {
		if t.places[list[i]] != 0 {
			do(list[i], t.record(list[i]))
		}
		return true
	}, goOn)
}

func goOn() bool { return true }

// find gives the ordinals of the records that a query means, in its order. Callers do not hold the lock.
func (o *Org) find(q *soql, deleted bool) []uint32 {
	o.prepare(q.where)
	t := o.table(q.from)
	var found []uint32
	switch {
	case q.limit == 0:
	case len(q.orderBy) > 0:
		s := sorter{by: q.orderBy}
		o.scan(q, deleted, func(ord uint32, r record) bool {
			s.add(o, t, ord, r)
			return true
		}, s.reserve)
		found = s.sorted()
	default:
		o.scan(q, deleted, func(ord uint32, _ record) bool {
			found = append(found, ord)
			return q.limit < 0 || len(found)-q.offset < q.limit
		}, goOn)
	}
	return q.cut(found)
}

// cut applies OFFSET and LIMIT.
func (q *soql) cut(found []uint32) []uint32 {
	found = found[min(q.offset, len(found)):]
	if q.limit >= 0 {
		found = found[:min(q.limit, len(found))]
	}
	return found
}

// candidates narrows a query by an index or by ids where its WHERE allows that; nil means all records. It is
// not nil when no record can match.
func (o *Org) candidates(q *soql, t *table) []uint32 {
	conds := []condition{q.where}
	if and, ok := q.where.(andCondition); ok {
		conds = and.list
	}
	for _, cond := range conds {
		c, ok := cond.(compare)
		if !ok || c.op != "=" && c.op != "IN" || len(c.path.steps) > 0 || slices.ContainsFunc(c.literals, func(l literal) bool { return l.null || l.until != "" }) {
			continue
		}
		x, kids := t.index(c.path.field), t.linksOf(c.path.field)
		if x == nil && c.path.field.kind != kindID && (kids == nil || kids.built != linked) {
			continue
		}
		list := []uint32{}
		for _, l := range c.literals {
			if x == nil {
				id, _ := parseID([]byte(l.text))
				if kids != nil {
					list = append(list, kids.children(id)...)
				} else if ord, ok := t.ordinal(id); ok && id.prefix() == t.obj.KeyPrefix {
					list = append(list, ord)
				}
				continue
			}
			list = slices.AppendSeq(list, x.ordinals(t, x.fold(nil, []byte(l.text))))
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	return nil
}

// follow gives the value at the end of a path; nil is null.
func (o *Org) follow(p *path, t *table, ord uint32, r record) []byte {
	for i, step := range p.steps {
		ref := o.value(t, ord, r, step)
		id, ok := parseID(ref)
		if !ok {
			return nil
		}
		parent, at, ok := o.locate(id)
		if !ok || parent.obj != p.refs[i] && i < len(p.steps)-1 {
			return nil
		}
		t, ord, r = parent, at, parent.record(at)
	}
	if f := p.in(t.obj); f != nil {
		return o.value(t, ord, r, f)
	}
	return nil
}

func (o *Org) matches(c condition, t *table, ord uint32, r record) bool {
	switch c := c.(type) {
	case andCondition:
		for _, part := range c.list {
			if !o.matches(part, t, ord, r) {
				return false
			}
		}
		return true
	case orCondition:
		for _, part := range c.list {
			if o.matches(part, t, ord, r) {
				return true
			}
		}
		return false
	case notCondition:
		return !o.matches(c.of, t, ord, r)
	case *semiJoin:
		v := o.follow(&c.path, t, ord, r)
		return v != nil && c.found[string(v)] != c.not
	case compare:
		return c.holds(o.follow(&c.path, t, ord, r))
	}
	return false
}

// holds compares a value; null equals null only, is different from everything else, and is neither less nor greater.
func (c *compare) holds(v []byte) bool {
	switch c.op {
	case "IN", "NOT IN":
		in := slices.ContainsFunc(c.literals, func(l literal) bool { return c.equal(v, l) })
		return in == (c.op == "IN")
	case "=":
		return c.equal(v, c.literals[0])
	case "!=":
		return !c.equal(v, c.literals[0])
	case "INCLUDES", "EXCLUDES":
		in := slices.ContainsFunc(c.literals, func(l literal) bool { return includes(v, l.text) })
		return in == (c.op == "INCLUDES")
	case "LIKE":
		return v != nil && c.literals[0].pattern.fits(v)
	}
	if v == nil || c.literals[0].null {
		return false
	}
	with := c.literals[0].text
	if until := c.literals[0].until; until != "" && (c.op == "<=" || c.op == ">") { // after the span, not after its start
		return (compareValues(c.path.field, v, []byte(until)) < 0) == (c.op == "<=")
	}
	n := compareValues(c.path.field, v, []byte(with))
	switch c.op {
	case "<":
		return n < 0
	case "<=":
		return n <= 0
	case ">":
		return n > 0
	}
	return n >= 0
}

func (c *compare) equal(v []byte, l literal) bool {
	if v == nil || l.null {
		return v == nil && l.null
	}
	if l.until != "" {
		return l.text <= string(v) && string(v) < l.until
	}
	if c.path.field.kind <= kindMulti {
		var buf [64]byte
		x := index{field: c.path.field}
		v = x.fold(buf[:0], v)
	}
	return string(v) == l.text
}

// includes is true when a multi-select value holds all the values that want lists.
func includes(v []byte, want string) bool {
	have := strings.Split(strings.ToLower(string(v)), ";")
	for part := range strings.SplitSeq(strings.ToLower(want), ";") {
		if !slices.Contains(have, part) {
			return false
		}
	}
	return true
}

// compareValues orders two stored values; text without regard to case, unless its field minds it.
func compareValues(f *field, a, b []byte) int {
	switch {
	case f.kind == kindInt || f.kind == kindDouble:
		x, _ := strconv.ParseFloat(string(a), 64)
		y, _ := strconv.ParseFloat(string(b), 64)
		return cmp.Compare(x, y)
	case f.kind <= kindMulti:
		var one, two [64]byte
		x := index{field: f}
		return bytes.Compare(x.fold(one[:0], a), x.fold(two[:0], b))
	}
	return bytes.Compare(a, b)
}
