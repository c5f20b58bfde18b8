package localorg

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"reflect"
	"strings"
)

var recordRoutes = []route{
	{pattern: "sobjects/{}", methods: map[string]handler{"POST": (*Org).createRecord}},
	{pattern: "sobjects/{}/{}", methods: map[string]handler{"GET": (*Org).getRecord, "PATCH": (*Org).updateRecord, "DELETE": (*Org).deleteRecord}},
	{pattern: "sobjects/{}/{}/{}", methods: map[string]handler{"GET": (*Org).getByKey, "PATCH": (*Org).upsertByKey, "DELETE": (*Org).deleteByKey}},
}

// faultBody is a fault in an answer of the REST API; single records say errorCode, collections statusCode.
type faultBody struct {
	StatusCode string   `json:"statusCode,omitempty"`
	ErrorCode  string   `json:"errorCode,omitempty"`
	Message    string   `json:"message"`
	Fields     []string `json:"fields"`
}

// body is the fault as an element of a collection's answer.
func (e *rowFault) body() faultBody {
	return faultBody{StatusCode: e.code, Message: e.message, Fields: append([]string{}, e.fields...)}
}

// objectOf finds the sObject that an address names.
func (o *Org) objectOf(name string) (*object, error) {
	obj := o.schema.object(name)
	if obj == nil {
		return nil, errNotFound
	}
	return obj, nil
}

// maxBody is how many bytes a body of a REST call has at most, which is about 37 MB of a file in base64.
const maxBody = 50 << 20

// readBody reads a JSON body of any shape.
func (c *call) readBody(in any) error {
	if mt, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || mt != "application/json" {
		return errMedia
	}
	d := json.NewDecoder(io.LimitReader(c.r.Body, maxBody))
	if err := d.Decode(in); err != nil {
		return refuseJSON(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return refuse(400, "JSON_PARSER_ERROR", "Unexpected character behind the end of the body at [line:1, column:%d]", d.InputOffset())
	}
	return nil
}

// refuseJSON tells a client what is wrong with its JSON, in words that do not show how the org reads it.
func refuseJSON(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return refuse(400, "JSON_PARSER_ERROR", "%v", err)
	}
	kind := map[string]string{"array": "START_ARRAY", "object": "START_OBJECT", "string": "VALUE_STRING", "bool": "VALUE_TRUE"}[wrong.Value]
	if kind == "" {
		kind = "VALUE_NUMBER_INT"
	}
	want := map[reflect.Kind]string{reflect.Slice: "list", reflect.String: "string", reflect.Bool: "boolean"}[wrong.Type.Kind()]
	if want == "" {
		want = "object"
	}
	return refuse(400, "JSON_PARSER_ERROR", "Cannot deserialize instance of %s from %s value or request may be missing a required field at [line:1, column:%d]", want, kind, wrong.Offset)
}

// save saves one entry; a fault becomes the answer.
func (o *Org) save(c *call, e entry) (saved, error) {
	list, err := o.saveEntries([]entry{e}, false, c.undo)
	if err != nil {
		return saved{}, err
	}
	if f := list[0].fault; f != nil {
		status := 400
		switch {
		case f == errCrossReference && list[0].id == "" && (e.op == "update" || e.op == "delete"): // there is no such record
			return saved{}, errNotFound
		case f == errDeleted:
			status = 404
		}
		return saved{}, &apiError{status: status, Code: f.code, Message: f.message, Fields: f.fields}
	}
	return list[0], nil
}

// errInsert refuses records of an object that takes none; nil where it does. The text is a guess.
func errInsert(obj *object) *rowFault {
	if obj.Createable {
		return nil
	}
	return rowError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "entity type cannot be inserted: "+obj.Label)
}

// errDelete refuses to delete records of an object that lets none go; nil where it does. The text is a guess.
func errDelete(obj *object) *rowFault {
	if obj.Deletable {
		return nil
	}
	return rowError("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
}

func (o *Org) createRecord(c *call) error {
	obj, err := o.objectOf(c.args[0])
	if err != nil {
		return err
	}
	e := entry{obj: obj, op: "insert", fault: errInsert(obj)}
	if err := c.readBody(&e.values); err != nil {
		return err
	}
	s, err := o.save(c, e)
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", "/services/data/v"+c.version+"/sobjects/"+obj.Name+"/"+s.id)
	return c.reply(201, map[string]any{"id": s.id, "success": true, "errors": []any{}})
}

func (o *Org) updateRecord(c *call) error {
	obj, err := o.objectOf(c.args[0])
	if err != nil {
		return err
	}
	e := entry{obj: obj, op: "update", id: c.args[1]}
	if err := c.readBody(&e.values); err != nil {
		return err
	}
	for name := range e.values {
		if strings.EqualFold(name, "Id") {
			return &apiError{status: 400, Code: "INVALID_FIELD", Message: "The Id field should not be specified in the sobject data."}
		}
	}
	if _, err := o.save(c, e); err != nil {
		return err
	}
	c.w.WriteHeader(204)
	return nil
}

func (o *Org) deleteRecord(c *call) error {
	obj, err := o.objectOf(c.args[0])
	if err != nil {
		return err
	}
	if _, err := o.save(c, entry{obj: obj, op: "delete", id: c.args[1], fault: errDelete(obj)}); err != nil {
		return err
	}
	c.w.WriteHeader(204)
	return nil
}

func (o *Org) getRecord(c *call) error {
	obj, err := o.objectOf(c.args[0])
	if err != nil {
		return err
	}
	id, ok := parseID([]byte(c.args[1]))
	if !ok || id.prefix() != obj.KeyPrefix {
		return refuse(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: %s", c.args[1])
	}
	o.mu.RLock()
	ord, ok := o.table(obj).ordinal(id)
	o.mu.RUnlock()
	if !ok {
		return errNotFound
	}
	return o.showRecord(c, obj, ord)
}

// showRecord answers with the fields that the call asks for, or all of them.
func (o *Org) showRecord(c *call, obj *object, ord uint32) error {
	paths, err := o.paths(obj, c.r.URL.Query().Get("fields"))
	if err != nil {
		return err
	}
	o.mu.RLock()
	t := o.table(obj)
	if t.places[ord] == 0 || t.record(ord).deleted() {
		o.mu.RUnlock()
		return errNotFound
	}
	b := o.appendRecord(nil, c.version, paths, 0, t, ord, t.record(ord))
	o.mu.RUnlock()
	return c.send(200, "application/json;charset=UTF-8", b)
}

// paths reads a list of fields; "" is all.
func (o *Org) paths(obj *object, list string) ([]path, error) {
	var paths []path
	if list == "" {
		for _, f := range obj.shape().Fields {
			paths = append(paths, path{name: f.Name, field: f})
		}
		return paths, nil
	}
	p := parser{soqlReader: soqlReader{schema: o.schema}, from: obj}
	for name := range strings.SplitSeq(list, ",") {
		found, err := p.path(token{kind: tokenWord, text: strings.TrimSpace(name)})
		if err != nil {
			return nil, err
		}
		paths = append(paths, found)
	}
	return paths, nil
}

// keyOf reads object, external id field and value of an address such as sobjects/Account/Legacy_Id__c/A-1.
func (o *Org) keyOf(c *call) (*object, *field, string, error) {
	obj, err := o.objectOf(c.args[0])
	if err != nil {
		return nil, nil, "", err
	}
	f := obj.field(c.args[1])
	if f == nil || f.kind != kindID && !f.ExternalID && !f.IDLookup {
		return nil, nil, "", refuse(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: %s", c.args[1])
	}
	return obj, f, c.args[2], nil
}

// several is the answer when a key stands for more than one record: their addresses.
func (o *Org) several(c *call, obj *object, ords []uint32) error {
	list := []string{}
	for _, ord := range ords {
		list = append(list, "/services/data/v"+c.version+"/sobjects/"+obj.Name+"/"+o.table(obj).id(ord).String())
	}
	return c.reply(300, list)
}

// byKey finds the records with a key.
func (o *Org) byKey(obj *object, f *field, value string) []uint32 {
	o.mu.RLock()
	defer o.mu.RUnlock()
	t := o.table(obj)
	if f.kind == kindID {
		id, _ := parseID([]byte(value))
		if ord, ok := t.ordinal(id); ok && id.prefix() == obj.KeyPrefix && !t.record(ord).deleted() {
			return []uint32{ord}
		}
		return nil
	}
	stored, fault, ok := f.parse([]byte(value))
	if !ok || fault != nil {
		return nil
	}
	var list []uint32
	x := t.index(f)
	for ord := range x.ordinals(t, x.fold(nil, stored)) {
		list = append(list, ord)
	}
	return list
}

func (o *Org) getByKey(c *call) error {
	if obj := o.schema.object(c.args[0]); obj != nil && obj.field(c.args[1]) == nil { // sobjects/Object/id/Field
		if f := obj.field(c.args[2]); f != nil && f.kind == kindFile {
			return o.content(c, obj.Name, c.args[1], f.Name)
		}
	}
	obj, f, value, err := o.keyOf(c)
	if err != nil {
		return err
	}
	switch found := o.byKey(obj, f, value); len(found) {
	case 0:
		return errNotFound
	case 1:
		return o.showRecord(c, obj, found[0])
	default:
		return o.several(c, obj, found)
	}
}

func (o *Org) deleteByKey(c *call) error {
	obj, f, value, err := o.keyOf(c)
	if err != nil {
		return err
	}
	found := o.byKey(obj, f, value)
	switch len(found) {
	case 0:
		return errNotFound
	case 1:
		c.args = []string{obj.Name, o.table(obj).id(found[0]).String()}
		return o.deleteRecord(c)
	}
	return o.several(c, obj, found)
}

func (o *Org) upsertByKey(c *call) error {
	obj, f, value, err := o.keyOf(c)
	if err != nil {
		return err
	}
	e := entry{obj: obj, op: "upsert", key: f, keyed: value}
	if err := c.readBody(&e.values); err != nil {
		return err
	}
	for name := range e.values {
		if strings.EqualFold(name, f.Name) || strings.EqualFold(name, "Id") {
			return &apiError{status: 400, Code: "INVALID_FIELD", Message: "The " + name + " field should not be specified in the sobject data."}
		}
	}
	found := o.byKey(obj, f, value)
	switch {
	case len(found) > 1:
		return o.several(c, obj, found)
	case len(found) == 0 && (f.kind == kindID || c.r.URL.Query().Get("updateOnly") == "true"):
		return errNotFound
	case f.kind == kindID:
		e = entry{obj: obj, op: "update", id: value, values: e.values}
	}
	s, err := o.save(c, e)
	var refused *apiError
	if errors.As(err, &refused) && refused.Code == "DUPLICATE_EXTERNAL_ID" {
		return o.several(c, obj, o.byKey(obj, f, value))
	}
	if err != nil {
		return err
	}
	if !s.created && c.major < 46 {
		c.w.WriteHeader(204)
		return nil
	}
	status := 200
	if s.created {
		status = 201
	}
	return c.reply(status, map[string]any{"id": s.id, "success": true, "errors": []any{}, "created": s.created})
}
