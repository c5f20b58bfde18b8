package localorg

import (
	"bytes"
	"encoding/binary"
)

// change is a record as it was before a row changed it; nil where there was none.
type change struct {
	table *table
	ord   uint32
	old   record
}

// op is what a row does to a table.
type op byte

const (
	opFail op = iota
	opInsert
	opReplace
	opErase
	opOther // a change of another record that a row brings with it
)

// apply changes the row's own record and notes the change for the journal.
func (s *saver) apply(op op, ord uint32, r record) {
	if s.named {
		s.applyOther(s.plan.table, op, ord, r)
		return
	}
	s.change(s.plan.table, op, ord, r)
	if s.org.journal != nil {
		s.frame = appendChange(s.frame, op, ord, r)
	}
}

// applyOther changes the record of another row.
func (s *saver) applyOther(t *table, op op, ord uint32, r record) {
	s.change(t, op, ord, r)
	if s.org.journal != nil {
		s.frame = append(s.frame, byte(opOther))
		s.frame = binary.AppendUvarint(s.frame, uint64(t.obj.index))
		s.frame = appendChange(s.frame, op, ord, r)
	}
}

func (s *saver) change(t *table, op op, ord uint32, r record) {
	if s.undo != nil {
		c := change{table: t, ord: ord}
		if op != opInsert {
			c.old = bytes.Clone(t.record(ord))
		}
		*s.undo = append(*s.undo, c)
	}
	t.apply(op, ord, r)
}

// takeBack makes all changes undone, the last one first. Records that were made are gone for good; their ids are not
// used again.
func (s *saver) takeBack() {
	list := *s.undo
	s.undo = nil
	for i := len(list) - 1; i >= 0; i-- {
		switch c := list[i]; {
		case c.table.places[c.ord] == 0: // somebody else has deleted it for good meanwhile
		case c.old == nil:
			s.applyOther(c.table, opErase, c.ord, nil)
		default:
			s.applyOther(c.table, opReplace, c.ord, c.old)
		}
	}
}

func (s *saver) logFailure(id, text string) {
	if s.org.journal != nil {
		s.frame = appendFailure(s.frame, id, text)
	}
}

func (t *table) apply(op op, ord uint32, r record) {
	switch op {
	case opInsert:
		t.insert(r)
	case opReplace:
		t.replace(ord, r)
	case opErase:
		t.erase(ord)
	}
}
