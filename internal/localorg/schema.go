package localorg

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

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
