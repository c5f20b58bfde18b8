package localorg

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// The methods in this file play what happens to an org without a call of its API, and with any time that a test wants. Each is
// one transaction, which is kept like those of the API; rules, permissions and record locks do not hold it up. They may be called
// while requests are served and jobs run. A time of zero means the org's clock; others are cut to whole seconds, as the org keeps
// them.

// Save makes a record or, where values has an Id, changes that one. Values are text as a CSV file has it; "" is null. All fields may be
// set, also those that no call of the API may write, such as calculated ones; only Id, IsDeleted and the times are the org's, and SaveFile sets
// those of type base64. Else values must be as sound as those of a call: required, unique, of their type. LastModifiedDate and SystemModstamp of
// the record become stamp, and so does CreatedDate of a new one; a new one may name other dates than that for CreatedDate and LastModifiedDate.
//
// A stamp may lie before that of records which were saved earlier: so looks a long transaction that becomes visible late.
func (o *Org) Save(object string, values map[string]string, stamp time.Time) (id string, err error) {
	obj := o.schema.object(object)
	if obj == nil {
		return "", errNoObject(object)
	}
	e := entry{obj: obj, op: "insert", values: map[string]json.RawMessage{}}
	for name, v := range values {
		if strings.EqualFold(name, "Id") {
			e.op, e.id = "update", v
			continue
		}
		e.values[name], _ = json.Marshal(v)
	}
	err = o.play(o.table(obj), stamp, func(s *saver) error {
		done := s.saveEntry(&e)
		if id = done.id; done.fault != nil {
			return fmt.Errorf("save %s: %s", obj.Name, done.fault)
		}
		return nil
	})
	return id, err
}

// Recalculate sets a field of a record without moving any of its times, as it goes with a formula whose inputs lie in another
// record, also of one in the recycle bin. Any field may be set but Id, IsDeleted and the times; "" is null.
func (o *Org) Recalculate(object, id, name, value string) error {
	obj := o.schema.object(object)
	if obj == nil {
		return errNoObject(object)
	}
	text, _ := json.Marshal(value)
	e := entry{obj: obj, op: "update", id: id, values: map[string]json.RawMessage{name: text}}
	t := o.table(obj)
	return o.play(t, time.Time{}, func(s *saver) error {
		ord, err := t.named(id)
		if err != nil {
			return err
		}
		row, fault := s.readEntry(&e)
		if fault == nil && len(row.values) == 0 {
			fault = errNotWriteable([]string{name})
		}
		for _, check := range []func() *rowFault{
			func() *rowFault { return s.checkWriteable(row, func(*field) bool { return false }) },
			func() *rowFault { return s.resolve(row) },
			func() *rowFault { return s.checkUnique(row, int64(ord)) },
		} {
			if fault == nil {
				fault = check()
			}
		}
		if fault != nil {
			return fmt.Errorf("recalculate %s.%s: %s", obj.Name, name, fault)
		}
		old := t.record(ord)
		s.buildUpdate(row, old)
		copy(s.rec, old[:recordHead])
		s.applyOther(t, opReplace, ord, s.rec)
		return nil
	})
}

// Delete takes a record into the recycle bin, or away for good where forGood is true, also out of the bin. What happens to the records that
// point to it is as with a call of the API. queryAll shows what lies in the bin, with stamp as SystemModstamp; of what is gone
// for good only the replication call for deleted records tells.
func (o *Org) Delete(object, id string, forGood bool, stamp time.Time) error {
	obj := o.schema.object(object)
	if obj == nil {
		return errNoObject(object)
	}
	t := o.table(obj)
	o.linkAll(t)
	return o.play(t, stamp, func(s *saver) error {
		ord, err := t.named(id)
		if err != nil {
			return err
		}
		if !forGood && t.record(ord).deleted() {
			return fmt.Errorf("delete %s %s: it is in the recycle bin already", obj.Name, id)
		}
		if fault := s.remove(t, ord, forGood); fault != nil {
			return fmt.Errorf("delete %s %s: %s", obj.Name, id, fault)
		}
		return nil
	})
}

// Undelete brings a record back from the recycle bin, and with it those that went there because of it. The LastModifiedDate and
// SystemModstamp of all become stamp. Lookups that were cleared stay so (guess).
func (o *Org) Undelete(object, id string, stamp time.Time) error {
	obj := o.schema.object(object)
	if obj == nil {
		return errNoObject(object)
	}
	t := o.table(obj)
	return o.play(t, stamp, func(s *saver) error {
		ord, err := t.named(id)
		if err != nil {
			return err
		}
		if !t.record(ord).deleted() {
			return fmt.Errorf("undelete %s %s: it is not in the recycle bin", obj.Name, id)
		}
		back := []place{{t, ord}}
		for i := 0; i < len(back); i++ {
			back = append(back, o.wentWith(back[i])...)
		}
		for _, p := range back {
			if fault := p.table.taken(p.table.record(p.ord)); fault != nil {
				return fmt.Errorf("undelete %s %s: %s", p.table.obj.Name, p.table.id(p.ord), fault)
			}
		}
		for _, p := range back {
			old := p.table.record(p.ord)
			times := old.stamps()
			times.modified, times.stamp = s.now, s.now
			s.rec = append(appendRecordHead(s.rec[:0], 0, times), old[recordHead:]...)
			s.applyOther(p.table, opReplace, p.ord, s.rec)
		}
		return nil
	})
}

// EmptyBin takes away for good the records of an object that went into the recycle bin before the given time, as the org does after
// 15 days, and gives their number. "" is all objects.
func (o *Org) EmptyBin(object string, before time.Time) (n int, err error) {
	tables := o.tables
	if object != "" {
		obj := o.schema.object(object)
		if obj == nil {
			return 0, errNoObject(object)
		}
		tables = []*table{o.table(obj)}
	}
	err = o.play(nil, time.Time{}, func(s *saver) error {
		for _, t := range tables {
			for ord := range t.places {
				if t.inBin(uint32(ord)) && t.record(uint32(ord)).stamps().stamp < before.Unix() {
					s.applyOther(t, opErase, uint32(ord), nil)
					n++
				}
			}
		}
		return nil
	})
	return n, err
}

// play changes records in one transaction at a time of the caller's choice. What was done before an error is kept.
func (o *Org) play(t *table, at time.Time, do func(*saver) error) error {
	if at.IsZero() {
		at = o.now()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return errors.New("the local org is closed")
	}
	s := saver{org: o, named: true, played: true, plan: &plan{table: t}, firstNew: math.MaxUint32, now: at.Unix()}
	err := do(&s)
	if len(s.frame) > 0 {
		err = errors.Join(err, o.logFrame(eventWrite, s.frame))
	}
	return err
}

// named finds a record by its id, also in the recycle bin. Callers hold the lock.
func (t *table) named(text string) (uint32, error) {
	if id, ok := parseID([]byte(text)); ok && id.prefix() == t.obj.KeyPrefix {
		if ord, ok := t.ordinal(id); ok {
			return ord, nil
		}
	}
	return 0, fmt.Errorf("no %s with the id %q in this org", t.obj.Name, text)
}

func (t *table) inBin(ord uint32) bool { return t.places[ord] != 0 && t.record(ord).deleted() }

// taken refuses a record from the recycle bin when one of its unique values stands in another record by now.
func (t *table) taken(r record) *rowFault {
	for _, x := range t.indexes {
		if v := r.raw(x.field.index); v != nil && x.field.Unique {
			if ord, n := t.find(x, v); n > 0 {
				return errDuplicate(x.field, t.id(ord))
			}
		}
	}
	return nil
}

// wentWith lists the records in the recycle bin that went there with the given one: children by a lookup that says cascadeDelete, in
// the same second (guess: the org knows the transaction). Callers hold the lock.
func (o *Org) wentWith(parent place) []place {
	var list []place
	id := parent.table.id(parent.ord).append(nil)
	at := parent.table.record(parent.ord).stamps().stamp
	for _, kids := range o.lookups[parent.table.obj.index] {
		if !kids.field.CascadeDelete {
			continue
		}
		for ord := range kids.table.places {
			kid := place{kids.table, uint32(ord)}
			if kids.table.inBin(kid.ord) && !slices.Contains(list, kid) {
				if r := kids.table.record(kid.ord); r.stamps().stamp == at && string(r.raw(kids.field.index)) == string(id) {
					list = append(list, kid)
				}
			}
		}
	}
	return list
}

func errNoObject(name string) error { return fmt.Errorf("no object %q in this org", name) }
