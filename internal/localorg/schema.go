package localorg

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/zeebo/xxh3"
)

//go:embed schema/*.json
var builtIn embed.FS

// builtInSchema is the set of snapshots that ships with the package.
func builtInSchema() fs.FS {
	sub, err := fs.Sub(builtIn, "schema")
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	return sub
}

// kind is what a field's value is to the org; several describe types share one.
type kind uint8

const (
	kindText kind = iota // string, textarea, phone, url, combobox, encryptedstring
	kindEmail
	kindPicklist
	kindMulti
	kindInt
	kindDouble // double, currency, percent
	kindBool
	kindDate
	kindDatetime
	kindTime
	kindID
	kindReference
	kindCompound // address, location, and other values that only have parts
	kindFile     // base64; the kinds from kindCompound on are no values that can be compared
)

var kinds = map[string]kind{
	"string": kindText, "textarea": kindText, "phone": kindText, "url": kindText, "combobox": kindText, "encryptedstring": kindText,
	"email": kindEmail, "picklist": kindPicklist, "multipicklist": kindMulti, "int": kindInt, "long": kindInt,
	"double": kindDouble, "currency": kindDouble, "percent": kindDouble, "boolean": kindBool,
	"date": kindDate, "datetime": kindDatetime, "time": kindTime, "id": kindID, "reference": kindReference, "base64": kindFile,
}

// xsdType is the type name in the org's "not a valid value" texts.
func (k kind) xsdType() string {
	switch k {
	case kindInt:
		return "xsd:int"
	case kindDouble:
		return "xsd:double"
	case kindBool:
		return "xsd:boolean"
	case kindDate:
		return "xsd:date"
	case kindDatetime:
		return "xsd:dateTime"
	case kindTime:
		return "xsd:time"
	}
	return "xsd:string"
}

// field is one field of an object, from its describe.
type field struct {
	Name              string     `json:"name"`
	Label             string     `json:"label"`
	Type              string     `json:"type"`
	Length            int        `json:"length"`
	Precision         int        `json:"precision"`
	Scale             int        `json:"scale"`
	Digits            int        `json:"digits"`
	Nillable          bool       `json:"nillable"`
	DefaultedOnCreate bool       `json:"defaultedOnCreate"`
	DefaultValue      any        `json:"defaultValue"`
	Createable        bool       `json:"createable"`
	Updateable        bool       `json:"updateable"`
	Calculated        bool       `json:"calculated"`
	AutoNumber        bool       `json:"autoNumber"`
	ExternalID        bool       `json:"externalId"`
	IDLookup          bool       `json:"idLookup"`
	Unique            bool       `json:"unique"`
	CaseSensitive     bool       `json:"caseSensitive"`
	NameField         bool       `json:"nameField"`
	Restricted        bool       `json:"restrictedPicklist"`
	Picklist          []pickItem `json:"picklistValues"`
	ReferenceTo       []string   `json:"referenceTo"`
	CascadeDelete     bool       `json:"cascadeDelete"`
	RestrictedDelete  bool       `json:"restrictedDelete"`
	RelationshipName  string     `json:"relationshipName"`
	CompoundFieldName string     `json:"compoundFieldName"`
	Filterable        *bool      `json:"filterable"`
	Sortable          *bool      `json:"sortable"`

	index  int
	kind   kind
	values map[string]bool // active picklist values, only when restricted
}

type pickItem struct {
	Value  string `json:"value"`
	Active bool   `json:"active"`
}

// required is true when an insert must bring a value.
func (f *field) required() bool {
	return f.Createable && !f.Nillable && !f.DefaultedOnCreate && f.kind != kindBool
}

// filterable is true when WHERE may name the field, sortable when ORDER BY may; a snapshot that does not tell allows it.
func (f *field) filterable() bool { return f.Filterable == nil || *f.Filterable }
func (f *field) sortable() bool   { return f.Sortable == nil || *f.Sortable }

// indexed is true when records can be found by the field's value.
func (f *field) indexed() bool {
	return f.kind != kindID && (f.ExternalID || f.IDLookup || f.Unique)
}

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

// schema is all objects of an org, sorted by name.
type schema struct {
	objects []*object
	byName  map[string]*object // by lower-case name
	sum     uint64             // of the layout that stored records depend on

	recordTypes []recordType // that the snapshots name, by object and then as they stand there
}

// clone is a schema whose objects may change.
func (s *schema) clone() *schema {
	c := &schema{byName: map[string]*object{}, sum: s.sum, recordTypes: s.recordTypes}
	for _, o := range s.objects {
		own := &object{objectHead: o.objectHead, index: o.index}
		own.current.Store(o.shape())
		c.objects, c.byName[strings.ToLower(o.Name)] = append(c.objects, own), own
	}
	return c
}

func (s *schema) object(name string) *object { return s.byName[strings.ToLower(name)] }

var auditFields = map[string]bool{"CreatedDate": true, "CreatedById": true, "LastModifiedDate": true, "LastModifiedById": true}

// always are the objects that every org has: those who own records, and what tells records of one object apart. Where no
// snapshot describes them, the built-in one does.
var always = []string{"User", "RecordType"}

// The built-in schema is read once for each setting of audit; nothing changes a schema that is loaded.
var (
	builtInWithAudit    = sync.OnceValues(func() (*schema, error) { return loadSchema(builtInSchema(), nil) })
	builtInWithoutAudit = sync.OnceValues(func() (*schema, error) { return loadSchema(builtInSchema(), new(bool)) })
)

func (c *Config) schema() (*schema, error) {
	switch {
	case c.Schema != nil:
		return loadSchema(c.Schema, c.AuditFields)
	case c.AuditFields == nil || *c.AuditFields:
		return builtInWithAudit()
	}
	return builtInWithoutAudit()
}

// loadSchema reads all snapshots. audit says whether the audit fields may be set on insert, nil that the snapshots know; the
// describe that is served tells the same.
func loadSchema(files fs.FS, audit *bool) (*schema, error) {
	names, err := fs.Glob(files, "*.json")
	if err != nil {
		return nil, fmt.Errorf("list describe snapshots: %w", err)
	}
	if len(names) == 0 {
		return nil, errors.New("the schema folder is not there or holds no describe snapshot (OBJECT.json)")
	}
	s := &schema{byName: map[string]*object{}}
	from := map[string]string{} // file by key prefix and by object
	for _, name := range names {
		o, err := s.load(files, name, audit)
		if err != nil {
			return nil, fmt.Errorf("describe snapshot %s: %w", name, err)
		}
		if other := from[o.Name]; other != "" {
			return nil, fmt.Errorf("describe snapshot %s: %s describes object %s, too; remove one of them", name, other, o.Name)
		}
		if other := from[o.KeyPrefix]; other != "" {
			return nil, fmt.Errorf("describe snapshot %s: %s has the key prefix %s, too; are they of one org?", name, other, o.KeyPrefix)
		}
		from[o.Name], from[o.KeyPrefix] = name, name
	}
	for _, name := range always {
		if s.object(name) == nil {
			if _, err := s.load(builtInSchema(), name+".json", audit); err != nil {
				return nil, fmt.Errorf("built-in describe of %s: %w", name, err)
			}
		}
	}
	slices.SortFunc(s.objects, func(a, b *object) int { return strings.Compare(a.Name, b.Name) })
	for _, o := range s.objects {
		if err := s.addRecordTypes(o); err != nil {
			return nil, fmt.Errorf("describe snapshot %s: %w", from[o.Name], err)
		}
	}
	var layout strings.Builder
	for i, o := range s.objects {
		o.index = i
		fmt.Fprintf(&layout, "%s %s\n", o.Name, o.KeyPrefix)
		for _, f := range o.shape().Fields {
			fmt.Fprintf(&layout, " %s %s\n", f.Name, f.Type)
		}
	}
	for _, r := range s.recordTypes {
		fmt.Fprintf(&layout, "%s %s\n", r.object, r.id)
	}
	s.sum = xxh3.HashString(layout.String())
	return s, nil
}

// load reads one snapshot.
func (s *schema) load(files fs.FS, name string, audit *bool) (*object, error) {
	data, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	o, err := loadObject(data, audit)
	if err != nil {
		return nil, err
	}
	if s.object(o.Name) == nil {
		s.byName[strings.ToLower(o.Name)] = o
		s.objects = append(s.objects, o)
	}
	return o, nil
}

// dangling lists the lookups that may be set and point to no object of the schema, as Object.Field.
func (s *schema) dangling() []string {
	var list []string
	for _, o := range s.objects {
		for _, f := range o.shape().Fields {
			if f.kind == kindReference && (f.Createable || f.Updateable) && !slices.ContainsFunc(f.ReferenceTo, func(to string) bool { return s.object(to) != nil }) {
				list = append(list, o.Name+"."+f.Name)
			}
		}
	}
	return list
}

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
