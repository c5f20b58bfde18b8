package localorg

import (
	"bytes"
	"fmt"
	"slices"
)

// recordType is a record type that is there from the start.
type recordType struct {
	id            id15 // zero: the next id of the table
	name          string
	developerName string
	object        string
	active        bool
}

// addRecordTypes takes the record types of an object from its snapshot, with the ids that they have in the org the snapshot
// was taken from, so that rows with such ids can be checked. The master type stands for none.
func (s *schema) addRecordTypes(o *object) error {
	prefix := s.object("RecordType").KeyPrefix
	for _, r := range o.RecordTypes {
		if r.Master {
			continue
		}
		id, ok := parseID([]byte(r.ID))
		if !ok || id.prefix() != prefix {
			return fmt.Errorf("record type %q has the id %q", r.Name, r.ID)
		}
		if slices.ContainsFunc(s.recordTypes, func(t recordType) bool { return t.id == id }) {
			return fmt.Errorf("record type %q has an id that another one has, %s", r.Name, r.ID)
		}
		s.recordTypes = append(s.recordTypes, recordType{id: id, name: r.Name, developerName: r.DeveloperName, object: o.Name, active: r.Active && r.Available})
	}
	return nil
}

// ofObject is true for a record type of the object. Callers hold the lock.
func (o *Org) ofObject(ord uint32, obj *object) bool {
	types := o.table(o.schema.object("RecordType"))
	f := types.obj.field("SobjectType")
	return f == nil || string(types.record(ord).raw(f.index)) == obj.Name
}

// checkRecordType refuses a record type of another object and one that is not active.
func (s *saver) checkRecordType(f *field, text []byte) *rowFault {
	id, _ := parseID(text)
	t, ord, ok := s.org.locate(id)
	if !ok || t.obj.Name != "RecordType" {
		return errCrossReference
	}
	active := t.obj.field("IsActive")
	if s.org.ofObject(ord, s.plan.table.obj) && (active == nil || bytes.Equal(t.record(ord).raw(active.index), valueTrue)) {
		return nil
	}
	return rowError("INVALID_CROSS_REFERENCE_KEY", f.Label+": this ID value isn't valid for the user: "+string(text), f.Name)
}

// Dangling lists the lookups, as Object.Field, that may be set and point to objects of which the org has none: no value fits
// them. Snapshots of those objects mend it.
func (o *Org) Dangling() []string { return o.schema.dangling() }
