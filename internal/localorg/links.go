package localorg

import "math"

// links finds the records whose lookup holds the id of a parent. The children of one parent form a chain through two lists by their
// ordinals, so that a parent with a million children costs no more for each of them than one with a few.
//
// Few orgs ever need them: they are made when the first record of a parent is deleted, or a query asks for children. That goes in steps,
// between which other calls get the lock; records from built on are not in yet, and come in with their step.
type links struct {
	field      *field
	none       []byte          // what a record without a value points to; nil is nothing
	heads      map[id15]uint32 // the first child, plus 1
	next, prev []uint32        // by the child's ordinal, plus 1; 0 is none
	built      uint32
}

// linked is what built says once all records are in.
const linked = math.MaxUint32

// linksOf gives the links of a lookup; the field has none before link has made them.
func (t *table) linksOf(f *field) *links {
	for _, l := range t.links {
		if l.field == f {
			return l
		}
	}
	return nil
}

// link makes the links of a lookup, a step under each hold of the lock. Callers do not hold it.
func (o *Org) link(to lookup) {
	o.mu.RLock()
	l := to.table.linksOf(to.field)
	done := l != nil && l.built == linked
	o.mu.RUnlock()
	for !done {
		o.mu.Lock()
		done = o.linkStep(to, scanStep)
		o.mu.Unlock()
	}
}

// linkAll makes the links that the deletion of records of a table, and of what goes with them, asks for.
func (o *Org) linkAll(t *table) {
	seen := map[*table]bool{t: true}
	for list := []*table{t}; len(list) > 0; list = list[1:] {
		o.mu.RLock()
		lookups := o.lookups[list[0].obj.index]
		o.mu.RUnlock()
		for _, kids := range lookups {
			o.link(kids)
			if kids.field.CascadeDelete && !seen[kids.table] {
				seen[kids.table] = true
				list = append(list, kids.table)
			}
		}
	}
}

// linkStep enters the next records and is true when all are in. Callers hold the lock.
func (o *Org) linkStep(to lookup, step int) bool {
	t := to.table
	l := t.linksOf(to.field)
	if l == nil {
		l = &links{field: to.field, heads: map[id15]uint32{}}
		if impliedUser(to.field) {
			l.none = o.user
		}
		t.links = append(t.links, l)
	}
	if l.built == linked {
		return true
	}
	end := min(int(l.built)+step, len(t.places))
	for ord := l.built; int(ord) < end; ord++ {
		l.built = ord + 1
		if t.places[ord] != 0 {
			if r := t.record(ord); !r.deleted() {
				l.add(r, ord)
			}
		}
	}
	if end == len(t.places) {
		l.built = linked
	}
	return l.built == linked
}

// impliedUser is true for lookups that stand for the org's own user where a record has no value.
func impliedUser(f *field) bool {
	return f.Name == "OwnerId" || f.Name == "CreatedById" || f.Name == "LastModifiedById"
}

// parent reads the id that a record points to.
func (l *links) parent(r record) (id15, bool) {
	v := r.raw(l.field.index)
	if v == nil {
		v = l.none
	}
	return parseID(v)
}

// add enters a record.
func (l *links) add(r record, ord uint32) {
	id, ok := l.parent(r)
	if !ok || ord >= l.built {
		return
	}
	for int(ord) >= len(l.next) {
		l.next, l.prev = append(l.next, 0), append(l.prev, 0)
	}
	head := l.heads[id]
	l.next[ord], l.prev[ord] = head, 0
	if head != 0 {
		l.prev[head-1] = ord + 1
	}
	l.heads[id] = ord + 1
}

// remove takes out what add entered.
func (l *links) remove(r record, ord uint32) {
	id, ok := l.parent(r)
	if !ok || ord >= l.built {
		return
	}
	next, prev := l.next[ord], l.prev[ord]
	if next != 0 {
		l.prev[next-1] = prev
	}
	switch {
	case prev != 0:
		l.next[prev-1] = next
	case next != 0:
		l.heads[id] = next
	default:
		delete(l.heads, id)
	}
}

// children lists the records that point to the id; the chain has them in no order.
func (l *links) children(id id15) []uint32 {
	var list []uint32
	for at := l.heads[id]; at != 0; at = l.next[at-1] {
		list = append(list, at-1)
	}
	return list
}
