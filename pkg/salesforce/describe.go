package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// SObject is what the org tells the logged-in user about an object (REST API guide, "sObject Describe"). Fields that the
// user may not see are missing.
type SObject struct {
	Name        string `json:"name"`
	Label       string `json:"label"`
	LabelPlural string `json:"labelPlural"`
	KeyPrefix   string `json:"keyPrefix"` // first three characters of the object's ids; empty for some objects

	Custom        bool `json:"custom"`
	Createable    bool `json:"createable"`
	Updateable    bool `json:"updateable"`
	Deletable     bool `json:"deletable"`
	Undeletable   bool `json:"undeletable"`
	Queryable     bool `json:"queryable"`
	Retrieveable  bool `json:"retrieveable"`
	Replicateable bool `json:"replicateable"`

	Fields             []Field             `json:"fields"`
	ChildRelationships []ChildRelationship `json:"childRelationships"`
	RecordTypes        []RecordType        `json:"recordTypeInfos"`
}

// Field returns the field with that API name, in any case of letters, or nil.
func (s *SObject) Field(name string) *Field {
	for i := range s.Fields {
		if strings.EqualFold(s.Fields[i].Name, name) {
			return &s.Fields[i]
		}
	}
	return nil
}

// Field describes one field of an object.
type Field struct {
	Name  string `json:"name"` // API name
	Label string `json:"label"`
	// Type is string, boolean, int, long, double, currency, percent, date, datetime, time, id, reference, picklist,
	// multipicklist, combobox, textarea, phone, url, email, encryptedstring, address, location, base64 or anyType.
	Type          string `json:"type"`
	SOAPType      string `json:"soapType"`      // such as xsd:string
	ExtraTypeInfo string `json:"extraTypeInfo"` // such as plaintextarea or richtextarea

	Length     int `json:"length"`     // of texts, in characters; 0 for others
	ByteLength int `json:"byteLength"` // of texts, in bytes
	Precision  int `json:"precision"`  // of decimal numbers: digits in all, so Precision-Scale before the point
	Scale      int `json:"scale"`      // of decimal numbers: digits after the point
	Digits     int `json:"digits"`     // of int fields

	Nillable          bool            `json:"nillable"`
	DefaultedOnCreate bool            `json:"defaultedOnCreate"`
	DefaultValue      json.RawMessage `json:"defaultValue,omitempty"` // as the org sent it, often null
	Createable        bool            `json:"createable"`
	Updateable        bool            `json:"updateable"`
	Calculated        bool            `json:"calculated"` // formula or roll-up, read-only
	AutoNumber        bool            `json:"autoNumber"` // read-only

	Custom              bool `json:"custom"`
	ExternalID          bool `json:"externalId"`
	IDLookup            bool `json:"idLookup"` // may identify a record in an upsert or a relationship header; Id too
	Unique              bool `json:"unique"`
	CaseSensitive       bool `json:"caseSensitive"`
	Encrypted           bool `json:"encrypted"`
	Filterable          bool `json:"filterable"`
	Sortable            bool `json:"sortable"`
	Groupable           bool `json:"groupable"`
	DeprecatedAndHidden bool `json:"deprecatedAndHidden"`
	HTMLFormatted       bool `json:"htmlFormatted"`

	RestrictedPicklist bool            `json:"restrictedPicklist"` // other values than PicklistValues are refused
	PicklistValues     []PicklistValue `json:"picklistValues"`

	ReferenceTo           []string `json:"referenceTo"`      // objects that a lookup may point to
	RelationshipName      string   `json:"relationshipName"` // of a lookup, empty if it has none
	PolymorphicForeignKey bool     `json:"polymorphicForeignKey"`
	NamePointing          bool     `json:"namePointing"`
	CascadeDelete         bool     `json:"cascadeDelete"`
	RestrictedDelete      bool     `json:"restrictedDelete"`
	CompoundFieldName     string   `json:"compoundFieldName"` // the address, name or location of which it is a part
}

// Required says whether an insert must bring a value: the field can be set, may not be empty and gets no default.
func (f *Field) Required() bool { return f.Createable && !f.Nillable && !f.DefaultedOnCreate }

// PicklistValue is one of the values defined for a picklist. Which of them a record type allows, describe does not show.
type PicklistValue struct {
	Value        string `json:"value"` // what the API takes and gives
	Label        string `json:"label"`
	Active       bool   `json:"active"`
	DefaultValue bool   `json:"defaultValue"`
	ValidFor     string `json:"validFor,omitempty"` // base64 bitmap over the values of the controlling field
}

// ChildRelationship is a lookup of another object that points to this one.
type ChildRelationship struct {
	ChildSObject     string `json:"childSObject"`
	Field            string `json:"field"`
	RelationshipName string `json:"relationshipName"`
	CascadeDelete    bool   `json:"cascadeDelete"`
	RestrictedDelete bool   `json:"restrictedDelete"`
}

// RecordType is a record type of an object.
type RecordType struct {
	ID            string `json:"recordTypeId"`
	DeveloperName string `json:"developerName"`
	Name          string `json:"name"`
	Available     bool   `json:"available"` // to the logged-in user
	Active        bool   `json:"active"`
	Master        bool   `json:"master"`
	Default       bool   `json:"defaultRecordTypeMapping"`
}

var objectName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

// Describe reads what the org says about an object, given by its API name. The error for an object that is not there,
// or that the user may not see, is an *APIError with status 404.
func (c *Client) Describe(ctx context.Context, object string) (*SObject, error) {
	s, _, err := c.DescribeRaw(ctx, object)
	return s, err
}

// DescribeRaw is Describe that also gives the answer as the org sent it, byte for byte, for a snapshot.
func (c *Client) DescribeRaw(ctx context.Context, object string) (*SObject, json.RawMessage, error) {
	if !objectName.MatchString(object) {
		return nil, nil, configError{fmt.Errorf("describe: %q is not the API name of an object, such as Account or Invoice__c", object)}
	}
	d := new(describeAnswer)
	err := c.JSON(ctx, http.MethodGet, "/sobjects/"+object+"/describe", Repeat, nil, d)
	s := &d.object
	var api *APIError
	switch {
	case errors.As(err, &api) && api.Status == http.StatusNotFound:
		return nil, nil, fmt.Errorf("describe: the org has no object %s, or the user may not see it: %w", object, err)
	case err != nil:
		return nil, nil, fmt.Errorf("describe %s: %w", object, err)
	case !strings.EqualFold(s.Name, object) || len(s.Fields) == 0:
		return nil, nil, fmt.Errorf("describe %s: the answer describes %q with %d fields", object, s.Name, len(s.Fields))
	}
	return s, d.raw, nil
}

// describeAnswer keeps the text that it was read from.
type describeAnswer struct {
	object SObject
	raw    json.RawMessage
}

func (d *describeAnswer) UnmarshalJSON(data []byte) error {
	d.raw = slices.Clone(data)
	return json.Unmarshal(data, &d.object)
}

// SObjects lists the objects of the org that the user may see, without their fields, relationships and record types.
func (c *Client) SObjects(ctx context.Context) ([]SObject, error) {
	var list struct {
		SObjects []SObject `json:"sobjects"`
	}
	if err := c.JSON(ctx, http.MethodGet, "/sobjects", Repeat, nil, &list); err != nil {
		return nil, fmt.Errorf("list the objects of the org: %w", err)
	}
	return list.SObjects, nil
}
