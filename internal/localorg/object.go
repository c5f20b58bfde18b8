package localorg

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
)

// childRelation is a lookup of another object that points here.
type childRelation struct {
	Object string `json:"childSObject"`
	Field  string `json:"field"`
	Name   string `json:"relationshipName"`
}

// object is one sObject, from its describe. What it is stays as it is; its fields are a shape.
type object struct {
	objectHead
	index   int
	current atomic.Pointer[shape]
}

// shape is the fields of an object and what follows from them. A change of the schema makes a new one; whoever reads one may go on with it.
type shape struct {
	Fields   []*field        `json:"fields"` // by index, ascending
	Children []childRelation `json:"childRelationships"`

	describe []byte            // the describe answer as served
	width    int               // the index of the next field that is made; those of removed fields are not used again
	byName   map[string]*field // by lower-case name
	byRel    map[string]*field // lookups by lower-case relationship name
	file     *field            // the first of type base64; nil: none
}

// objectHead is the part of a describe that stays.
type objectHead struct {
	Name        string `json:"name"`
	Label       string `json:"label"`
	LabelPlural string `json:"labelPlural"`
	KeyPrefix   string `json:"keyPrefix"`
	Createable  bool   `json:"createable"`
	Updateable  bool   `json:"updateable"`
	Deletable   bool   `json:"deletable"`
	Queryable   bool   `json:"queryable"`
	RecordTypes []struct {
		ID            string `json:"recordTypeId"`
		Name          string `json:"name"`
		DeveloperName string `json:"developerName"`
		Active        bool   `json:"active"`
		Available     bool   `json:"available"`
		Master        bool   `json:"master"`
	} `json:"recordTypeInfos"`
}

func (o *object) shape() *shape { return o.current.Load() }

// field finds a field by its name in any case, relation a lookup by the name of its relationship; nil: none.
func (o *object) field(name string) *field    { return o.shape().byName[strings.ToLower(name)] }
func (o *object) relation(name string) *field { return o.shape().byRel[strings.ToLower(name)] }

// loadObject reads a describe. audit is as with loadSchema.
func loadObject(data []byte, audit *bool) (*object, error) {
	o, s := &object{}, &shape{}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if err := cmp.Or(json.Unmarshal(data, &o.objectHead), json.Unmarshal(data, s)); err != nil {
		return nil, fmt.Errorf("it is no describe of an object: %w; write it again with migrate describe OBJECT --snapshot", err)
	}
	switch {
	case o.Name == "" || len(s.Fields) == 0:
		return nil, errors.New("it is no describe of an object: it has no name or no fields; write it again with migrate describe OBJECT --snapshot")
	case len(o.KeyPrefix) != 3 || strings.Trim(o.KeyPrefix, base62) != "":
		return nil, fmt.Errorf("object %s has the key prefix %q; records of an object without one cannot be kept; remove the file", o.Name, o.KeyPrefix)
	}
	patched := false
	for i, f := range s.Fields {
		if f == nil || f.Name == "" {
			return nil, fmt.Errorf("field %d of object %s has no name", i+1, o.Name)
		}
		f.index = i
		f.prepare()
		if auditFields[f.Name] && audit != nil && f.Createable != *audit {
			f.Createable, patched = *audit, true
		}
	}
	s.describe, s.width = data, len(s.Fields)
	if twice := s.enter(); twice != nil {
		return nil, fmt.Errorf("field %s is there twice", twice.Name)
	}
	o.current.Store(s)
	if o.field("Id") == nil {
		return nil, fmt.Errorf("object %s has no field Id", o.Name)
	}
	if patched {
		return o, s.patchDescribe(*audit)
	}
	return o, nil
}

// prepare works out what the describe of a field implies.
func (f *field) prepare() {
	k, ok := kinds[f.Type]
	if !ok {
		k = kindCompound
	}
	f.kind = k
	if f.Restricted && (k == kindPicklist || k == kindMulti) {
		f.values = map[string]bool{}
		for _, v := range f.Picklist {
			if v.Active {
				f.values[v.Value] = true
			}
		}
	}
}

// enter fills the maps of names, and gives the first field whose name another one has; nil: none.
func (s *shape) enter() (twice *field) {
	s.byName, s.byRel, s.file = map[string]*field{}, map[string]*field{}, nil
	for _, f := range s.Fields {
		name := strings.ToLower(f.Name)
		if s.byName[name] != nil && twice == nil {
			twice = f
		}
		s.byName[name] = f
		if f.kind == kindFile && s.file == nil {
			s.file = f
		}
		if f.kind == kindReference && f.RelationshipName != "" {
			s.byRel[strings.ToLower(f.RelationshipName)] = f
		}
	}
	return twice
}

// patchDescribe rewrites the served describe so that it tells the same about audit fields as the org's setting.
func (s *shape) patchDescribe(audit bool) error {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(s.describe, &top); err != nil {
		return err
	}
	var fields []map[string]json.RawMessage
	if err := json.Unmarshal(top["fields"], &fields); err != nil {
		return err
	}
	createable, _ := json.Marshal(audit)
	for i, f := range s.Fields {
		if auditFields[f.Name] {
			fields[i]["createable"] = createable
		}
	}
	var err error
	if top["fields"], err = json.Marshal(fields); err != nil {
		return err
	}
	s.describe, err = json.Marshal(top)
	return err
}
