package localorg

import "math"

// remove deletes a record as the org does: children whose lookup says cascadeDelete go with it, children whose lookup says
// restrictedDelete keep it from going, and other lookups to it are cleared. forGood leaves nothing in the recycle bin.
func (s *saver) remove(t *table, ord uint32, forGood bool) *rowFault {
	doomed := []place{{t, ord}}
	seen := map[place]bool{doomed[0]: true}
	for i := 0; i < len(doomed); i++ {
		at := doomed[i]
		for _, kids := range s.org.lookups[at.table.obj.index] {
			child, f := kids.table, kids.field
			for _, kid := range s.org.pointing(kids, at.table.id(at.ord)) {
				k := place{child, kid}
				switch {
				case seen[k]:
				case f.CascadeDelete:
					seen[k] = true
					doomed = append(doomed, k)
				case f.RestrictedDelete:
					return errHasChildren(s.org.title(t, ord), child.obj)
				}
			}
		}
	}
	for i := len(doomed) - 1; i >= 0; i-- { // children first
		at := doomed[i]
		for _, kids := range s.org.lookups[at.table.obj.index] {
			child, f := kids.table, kids.field
			if f.CascadeDelete || !f.Nillable {
				continue
			}
			for _, kid := range s.org.pointing(kids, at.table.id(at.ord)) {
				if !seen[place{child, kid}] {
					s.applyOther(child, opReplace, kid, withoutField(child.record(kid), f.index, s.now))
				}
			}
		}
		op, r := opReplace, s.binned(at.table.record(at.ord))
		if forGood {
			if !at.table.inBin(at.ord) { // through the bin, so that its time is known
				s.applyOther(at.table, opReplace, at.ord, r)
			}
			op, r = opErase, nil
		}
		if i == 0 {
			s.apply(op, at.ord, r)
		} else {
			s.applyOther(at.table, op, at.ord, r)
		}
	}
	return nil
}

// place is one record of one table.
type place struct {
	table *table
	ord   uint32
}

// binned is a record as it lies in the recycle bin.
func (s *saver) binned(old record) record {
	times := old.stamps()
	times.modified, times.stamp = s.now, s.now
	s.rec = append(appendRecordHead(s.rec[:0], flagDeleted, times), old[recordHead:]...)
	return s.rec
}

// withoutField is a record with one field set to null. Its times stay: nobody edited it.
func withoutField(old record, index int, now int64) record {
	times := old.stamps()
	times.stamp = now
	r := appendRecordHead(nil, old[0], times)
	for i, v := range old.fields {
		if i != index {
			r = appendRecordField(r, i, v)
		}
	}
	return r
}

// lookup is a field of a table that may point to records of an object.
type lookup struct {
	table *table
	field *field
}

// findLookups lists, for each object, the lookups of all objects that may point to it.
func (o *Org) findLookups() {
	o.lookups = make([][]lookup, len(o.tables))
	for _, t := range o.tables {
		for _, f := range t.obj.shape().Fields {
			if f.kind != kindReference || auditFields[f.Name] || f.Name == "OwnerId" {
				continue
			}
			for _, target := range f.ReferenceTo {
				if obj := o.schema.object(target); obj != nil {
					o.lookups[obj.index] = append(o.lookups[obj.index], lookup{t, f})
				}
			}
		}
	}
}

// pointing lists the records whose lookup holds the id. Where nobody has made the links before, all of them are made now.
func (o *Org) pointing(to lookup, id id15) []uint32 {
	for !o.linkStep(to, math.MaxInt32) {
	}
	return to.table.linksOf(to.field).children(id)
}

// title is what a message calls a record: its name, or its id.
func (o *Org) title(t *table, ord uint32) string {
	for _, f := range t.obj.shape().Fields {
		if f.NameField {
			if v := o.value(t, ord, t.record(ord), f); v != nil {
				return string(v)
			}
		}
	}
	return t.id(ord).String()
}
