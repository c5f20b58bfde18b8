package localorg

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// The methods in this file change what fields an object has while the org lives, as its administrator does. Describe and everything that
// begins later show the change at once; jobs and queries that are under way go on with the fields that they began with. No time of
// any record moves.

// AddField gives an object a new field, which is null in the records that are there. describe is what the describe of the object is to say about it, such as
// {"name":"Points__c","type":"double","precision":18,"scale":2}; what it leaves out is as with a custom field that may be null and, unless it is
// calculated, be written. A lookup does not become a child relationship of its parent.
func (o *Org) AddField(object, describe string) error {
	return o.reshape(fieldChange{Kind: fieldAdded, Object: object, Describe: json.RawMessage(describe)})
}

// ChangeField gives the field that describe names another describe, in the manner of AddField. Values that do not fit the new type become null
// (guess: an org refuses some changes of type and cuts values of others).
func (o *Org) ChangeField(object, describe string) error {
	return o.reshape(fieldChange{Kind: fieldChanged, Object: object, Describe: json.RawMessage(describe)})
}

// RemoveField takes a field and its values away. A field of the same name that is added later is another one.
func (o *Org) RemoveField(object, name string) error {
	return o.reshape(fieldChange{Kind: fieldRemoved, Object: object, Name: name})
}

// fieldChange is a change of one field of an object.
type fieldChange struct {
	Kind     string          `json:"kind"`
	Time     time.Time       `json:"time"`
	Object   string          `json:"object"`
	Name     string          `json:"name,omitempty"` // of the field that is removed
	Describe json.RawMessage `json:"describe,omitempty"`
}

const (
	fieldAdded   = "added"
	fieldChanged = "changed"
	fieldRemoved = "removed"
)

func (o *Org) reshape(c fieldChange) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return errors.New("the local org is closed")
	}
	c.Time = o.now()
	done, err := o.planChange(&c)
	if err != nil {
		return err
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := o.logFrame(eventField, payload); err != nil {
		return err
	}
	done()
	return nil
}

func (o *Org) replayField(payload []byte) error {
	var c fieldChange
	if err := json.Unmarshal(payload, &c); err != nil {
		return err
	}
	done, err := o.planChange(&c)
	if err == nil {
		done()
	}
	return err
}

// planChange checks a change and gives what carries it out. Callers hold the lock.
func (o *Org) planChange(c *fieldChange) (func(), error) {
	obj := o.schema.object(c.Object)
	if obj == nil {
		return nil, errNoObject(c.Object)
	}
	next := *obj.shape()
	next.Fields = slices.Clone(next.Fields)
	var added *field
	if c.Kind != fieldRemoved {
		var err error
		if added, c.Describe, err = readField(c.Describe); err != nil {
			return nil, fmt.Errorf("describe of a field of %s: %w", obj.Name, err)
		}
		c.Name = added.Name
	}
	old := obj.field(c.Name)
	switch {
	case c.Kind == fieldAdded && old != nil:
		return nil, fmt.Errorf("object %s has a field %s already", obj.Name, old.Name)
	case c.Kind != fieldAdded && old == nil:
		return nil, fmt.Errorf("no field %q in object %s", c.Name, obj.Name)
	case inHead[c.Name] || old != nil && inHead[old.Name]:
		return nil, fmt.Errorf("field %s is one that every record has", c.Name)
	}
	at := slices.Index(next.Fields, old)
	switch c.Kind {
	case fieldAdded:
		at, added.index = len(next.Fields), next.width
		next.width++
		next.Fields = append(next.Fields, added)
	case fieldChanged:
		added.index, next.Fields[at] = old.index, added
	default:
		next.Fields = slices.Delete(next.Fields, at, at+1)
	}
	next.enter()
	var err error
	if next.describe, err = redescribe(next.describe, at, c); err != nil {
		return nil, fmt.Errorf("describe of %s: %w", obj.Name, err)
	}
	return func() { o.carryOut(c, obj, &next, old, added) }, nil
}

// carryOut puts the new shape of an object in place. What jobs under way find records by stays: indexes of fields that are gone.
func (o *Org) carryOut(c *fieldChange, obj *object, next *shape, old, added *field) {
	t := o.table(obj)
	if old != nil {
		t.convert(old, added)
		t.autos = slices.DeleteFunc(t.autos, func(a autoNumber) bool { return a.field == old })
	}
	obj.current.Store(next)
	if added != nil && added.indexed() && added.kind < kindCompound {
		t.indexes = append(t.indexes, t.buildIndex(added))
	}
	if added != nil && added.AutoNumber {
		t.autos = append(t.autos, parseAutoNumber(added, o.cfg.AutoNumbers[obj.Name+"."+added.Name]))
		slices.SortFunc(t.autos, func(a, b autoNumber) int { return a.field.index - b.field.index })
	}
	o.findLookups()
	o.findLockFields() // a pattern of Config.LockParents that fits nothing any more locks nothing

	// A client that asks whether the describe is newer than a second must get what changed within that second, too.
	at := c.Time.Truncate(time.Second).Add(time.Second)
	if !at.After(o.reshaped) {
		at = o.reshaped.Add(time.Second)
	}
	o.reshaped = at
}

// convert brings the values of a field into the form of its successor; without one, and where they do not fit, they go.
func (t *table) convert(old, to *field) {
	for ord, place := range t.places {
		if place == 0 {
			continue
		}
		r := t.record(uint32(ord))
		v := r.raw(old.index)
		if v == nil {
			continue
		}
		var now []byte
		if to != nil && to.kind != kindCompound {
			if parsed, fault, ok := to.parse(v); ok && fault == nil {
				now = parsed
			}
		}
		if string(now) != string(v) {
			t.replace(uint32(ord), withField(r, old.index, now))
		}
	}
}

// withField is a record with one value put in place of another, or null where that is nil. Its times stay.
func withField(old record, index int, value []byte) record {
	r := slices.Clone(old[:recordHead])
	put := func(upTo int) {
		if value != nil && index <= upTo {
			r, value = appendRecordField(r, index, value), nil
		}
	}
	for i, v := range old.fields {
		put(i)
		if i != index {
			r = appendRecordField(r, i, v)
		}
	}
	put(index)
	return r
}

func (t *table) buildIndex(f *field) *index {
	x := &index{field: f}
	for ord, place := range t.places {
		if place == 0 {
			continue
		}
		if r := t.record(uint32(ord)); !r.deleted() {
			if v := r.raw(f.index); v != nil {
				x.add(v, uint32(ord))
			}
		}
	}
	return x
}

// redescribe is the describe of an object in which the field at a place is added, another, or gone.
func redescribe(describe []byte, at int, c *fieldChange) ([]byte, error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(describe, &top); err != nil {
		return nil, err
	}
	var fields []json.RawMessage
	if err := json.Unmarshal(top["fields"], &fields); err != nil {
		return nil, err
	}
	switch c.Kind {
	case fieldAdded:
		fields = append(fields, c.Describe)
	case fieldChanged:
		fields[at] = c.Describe
	default:
		fields = slices.Delete(fields, at, at+1)
	}
	var err error
	if top["fields"], err = json.Marshal(fields); err != nil {
		return nil, err
	}
	return json.Marshal(top)
}

// customField is what a describe says about a plain custom text field.
const customField = `{"aggregatable":true,"aiPredictionField":false,"autoNumber":false,"byteLength":0,"calculated":false,"calculatedFormula":null,"cascadeDelete":false,"caseSensitive":false,
"compoundFieldName":null,"controllerName":null,"createable":true,"custom":true,"defaultValue":null,"defaultValueFormula":null,"defaultedOnCreate":false,"dependentPicklist":false,
"deprecatedAndHidden":false,"digits":0,"displayLocationInDecimal":false,"encrypted":false,"externalId":false,"extraTypeInfo":null,"filterable":true,"filteredLookupInfo":null,
"formulaTreatNullNumberAsZero":false,"groupable":true,"highScaleNumber":false,"htmlFormatted":false,"idLookup":false,"inlineHelpText":null,"length":0,"mask":null,"maskType":null,
"nameField":false,"namePointing":false,"nillable":true,"permissionable":true,"picklistValues":[],"polymorphicForeignKey":false,"precision":0,"queryByDistance":false,
"referenceTargetField":null,"referenceTo":[],"relationshipName":null,"relationshipOrder":null,"restrictedDelete":false,"restrictedPicklist":false,"scale":0,"searchPrefilterable":false,
"soapType":"xsd:string","sortable":true,"unique":false,"updateable":true,"writeRequiresMasterRead":false}`

// readField reads the describe of a field and gives it back with what it left out.
func readField(describe []byte) (*field, json.RawMessage, error) {
	var given field
	if err := json.Unmarshal(describe, &given); err != nil {
		return nil, nil, err
	}
	switch _, known := kinds[given.Type]; {
	case given.Name == "":
		return nil, nil, errors.New("it has no name")
	case !known:
		return nil, nil, fmt.Errorf("field %s has the type %q, of which no field can be made", given.Name, given.Type)
	}
	given.prepare()
	all := map[string]any{}
	if err := json.Unmarshal([]byte(customField), &all); err != nil {
		return nil, nil, err
	}
	all["label"] = given.Name
	switch given.kind {
	case kindText, kindEmail, kindPicklist, kindMulti:
		all["length"], all["byteLength"] = 255, 765
	case kindInt, kindDouble, kindDate, kindDatetime, kindTime, kindBool:
		all["soapType"] = given.kind.xsdType()
	case kindReference:
		all["length"], all["byteLength"], all["soapType"] = 18, 18, "tns:ID"
	case kindFile:
		all["soapType"], all["filterable"], all["sortable"], all["groupable"] = "xsd:base64Binary", false, false, false
	}
	switch given.kind {
	case kindInt:
		all["digits"] = 9
	case kindDouble:
		all["precision"] = 18
	case kindBool:
		all["nillable"], all["defaultedOnCreate"], all["defaultValue"] = false, true, false
	}
	if given.Calculated || given.AutoNumber {
		all["createable"], all["updateable"] = false, false
	}
	own := map[string]any{}
	if err := json.Unmarshal(describe, &own); err != nil {
		return nil, nil, err
	}
	maps.Copy(all, own)
	full, err := json.Marshal(all)
	if err != nil {
		return nil, nil, err
	}
	f := &field{}
	if err := json.Unmarshal(full, f); err != nil {
		return nil, nil, err
	}
	f.prepare()
	return f, full, nil
}
