package localorg

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// prepare runs the queries inside a condition. Callers hold the lock.
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
		t := o.table(c.query.from)
		c.found = map[string]bool{}
		for _, ord := range o.eval(c.query, false) {
			if v := o.follow(&c.query.fields[0], t, ord, t.record(ord)); v != nil {
				c.found[string(v)] = true
			}
		}
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

// eval finds the records that a query means and gives their ordinals in order. Callers hold the lock.
func (o *Org) eval(q *soql, deleted bool) []uint32 {
	t := o.table(q.from)
	deleted = deleted || q.allRows
	o.prepare(q.where)
	var found []uint32
	stop := -1 // how many are enough
	if q.limit >= 0 && len(q.orderBy) == 0 {
		stop = q.offset + q.limit
	}
	candidates := o.candidates(q, t)
	try := func(ord uint32) bool {
		if o.selects(q, t, ord, deleted) {
			found = append(found, ord)
		}
		return len(found) != stop
	}
	switch {
	case stop == 0:
	case candidates != nil && !deleted:
		for _, ord := range candidates {
			if !try(ord) {
				break
			}
		}
	default:
		for ord := range t.places {
			if !try(uint32(ord)) {
				break
			}
		}
	}
	o.sort(q, t, found)
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
		if !ok || c.op != "=" && c.op != "IN" || slices.ContainsFunc(c.literals, func(l literal) bool { return l.until != "" }) || len(c.path.steps) > 0 || slices.Contains(c.literals, literal{null: true}) {
			continue
		}
		x := t.index(c.path.field)
		if x == nil && c.path.field.kind != kindID {
			continue
		}
		list := []uint32{}
		for _, l := range c.literals {
			if x == nil {
				id, _ := parseID([]byte(l.text))
				if ord, ok := t.ordinal(id); ok && id.prefix() == t.obj.KeyPrefix {
					list = append(list, ord)
				}
				continue
			}
			for ord := range x.ordinals(t, x.fold(nil, []byte(l.text))) {
				list = append(list, ord)
			}
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
		if !ok || parent.obj != p.refs[i] {
			return nil
		}
		t, ord, r = parent, at, parent.record(at)
	}
	return o.value(t, ord, r, p.field)
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
		return v != nil && like(strings.ToLower(string(v)), strings.ToLower(c.literals[0].text))
	}
	if v == nil || c.literals[0].null {
		return false
	}
	with := c.literals[0].text
	if until := c.literals[0].until; until != "" && (c.op == "<=" || c.op == ">") { // after the span, not after its start
		return (compareValues(c.path.field.kind, v, []byte(until)) < 0) == (c.op == "<=")
	}
	n := compareValues(c.path.field.kind, v, []byte(with))
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
	if f := c.path.field; f.kind <= kindMulti && !f.CaseSensitive {
		return strings.EqualFold(string(v), l.text)
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

// compareValues orders two stored values; text without regard to case.
func compareValues(k kind, a, b []byte) int {
	switch k {
	case kindInt, kindDouble:
		x, _ := strconv.ParseFloat(string(a), 64)
		y, _ := strconv.ParseFloat(string(b), 64)
		return cmp.Compare(x, y)
	case kindText, kindEmail, kindPicklist, kindMulti:
		if n := bytes.Compare(bytes.ToLower(a), bytes.ToLower(b)); n != 0 {
			return n
		}
	}
	return bytes.Compare(a, b)
}

// like matches % (any characters) and _ (one); \% and \_ are plain.
func like(s, pattern string) bool {
	for pattern != "" {
		switch pattern[0] {
		case '%':
			for i := 0; i <= len(s); i++ {
				if like(s[i:], pattern[1:]) {
					return true
				}
			}
			return false
		case '_':
			if s == "" {
				return false
			}
			_, size := utf8.DecodeRuneInString(s)
			s, pattern = s[size:], pattern[1:]
			continue
		case '\\':
			if len(pattern) > 1 {
				pattern = pattern[1:]
			}
		}
		if s == "" || s[0] != pattern[0] {
			return false
		}
		s, pattern = s[1:], pattern[1:]
	}
	return s == ""
}

// sort orders the found records. Without ORDER BY they stay in the order of their creation.
func (o *Org) sort(q *soql, t *table, found []uint32) {
	if len(q.orderBy) == 0 {
		return
	}
	keys := make(map[uint32][][]byte, len(found))
	for _, ord := range found {
		r := t.record(ord)
		row := make([][]byte, len(q.orderBy))
		for i := range q.orderBy {
			row[i] = o.follow(&q.orderBy[i].path, t, ord, r)
		}
		keys[ord] = row
	}
	slices.SortStableFunc(found, func(a, b uint32) int {
		for i, by := range q.orderBy {
			x, y := keys[a][i], keys[b][i]
			n := 0
			switch {
			case x == nil && y == nil:
			case x == nil || y == nil:
				n = 1
				if (x == nil) != by.nullsLast {
					n = -1
				}
				return n
			default:
				if n = compareValues(by.path.field.kind, x, y); by.desc {
					n = -n
				}
			}
			if n != 0 {
				return n
			}
		}
		return 0
	})
}
