package localorg

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
)

// entry is one record that a REST call wants saved or deleted.
type entry struct {
	obj    *object
	op     string // insert, update, upsert or delete
	id     string // of update and delete
	key    *field // of upsert
	keyed  string // and its value, where it stands in the address; otherwise it is among the values
	values map[string]json.RawMessage
	above  int       // in a tree the place of the parent among the entries, plus 1
	lookup *field    // and the field that points to it
	fault  *rowFault // why it is not saved at all, where that is known beforehand
}

// saved is what became of an entry.
type saved struct {
	id      string
	created bool
	fault   *rowFault
}

const jsonFault = "JSON_PARSER_ERROR"

// errNoColumn refuses a property that is no field.
func errNoColumn(name string, obj *object) *rowFault {
	return rowError("INVALID_FIELD", "No such column '"+name+"' on sobject of type "+obj.Name, name)
}

// saveEntries saves records in one transaction, one after another. With allOrNone either all are saved or none is. What changed is
// added to undo, where the caller has one.
func (o *Org) saveEntries(list []entry, allOrNone bool, undo *[]change) ([]saved, error) {
	if err := o.keepContents(list); err != nil {
		return nil, err
	}
	for _, e := range list {
		if e.op == "delete" && e.fault == nil {
			o.linkAll(o.table(e.obj))
		}
	}
	locks, denied := o.lockEntries(list)
	o.mu.Lock()
	defer o.mu.Unlock()
	if locks != nil {
		defer func() { o.locks.release(locks, time.Now()) }()
	}
	s := saver{org: o, named: true, firstNew: math.MaxUint32, now: o.now().Unix(), undo: undo}
	if s.undo == nil {
		s.undo = new([]change)
	}
	before := len(*s.undo)
	out := make([]saved, len(list))
	failed := false
	for i := range list {
		e := &list[i]
		if e.above > 0 && out[e.above-1].fault == nil {
			e.values[e.lookup.Name], _ = json.Marshal(out[e.above-1].id)
		}
		if refused, ok := denied[i]; ok {
			out[i] = refused
		} else if e.above > 0 && out[e.above-1].fault != nil {
			out[i] = saved{fault: errRolledBack}
		} else {
			out[i] = s.saveEntry(e)
		}
		failed = failed || out[i].fault != nil
	}
	if failed && allOrNone {
		mine := slices.Clone((*s.undo)[before:])
		*s.undo = (*s.undo)[:before]
		s.undo = &mine
		s.takeBack()
		for i := range out {
			if out[i].fault == nil {
				out[i] = saved{fault: errRolledBack}
			}
		}
	}
	if o.journal == nil || len(s.frame) == 0 {
		return out, nil
	}
	return out, o.logFrame(eventWrite, s.frame)
}

// undo takes back what was saved by several calls. Callers do not hold the lock.
func (o *Org) undo(list []change) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := saver{org: o, named: true, now: o.now().Unix(), undo: &list}
	s.takeBack()
	if len(s.frame) == 0 {
		return nil
	}
	return o.logFrame(eventWrite, s.frame)
}

// saveEntry saves one record.
func (s *saver) saveEntry(e *entry) saved {
	row, fault := s.readEntry(e)
	if fault == nil && e.op == "update" && e.id == "" {
		fault = errNoID
	}
	if fault != nil {
		return saved{fault: fault}
	}
	s.op = e.op
	result, id, fault := s.save(row)
	if fault != nil {
		return saved{id: id, fault: fault}
	}
	return saved{id: s.plan.table.id(uint32(result &^ outcomeCreated)).String(), created: result&outcomeCreated != 0}
}

// readEntry makes of JSON what a row of an upload is to an ingest job.
func (s *saver) readEntry(e *entry) (*draft, *rowFault) {
	if e.fault != nil {
		return nil, e.fault
	}
	p := &plan{table: s.org.table(e.obj), id: -1, key: -1, keyField: e.key}
	row := &draft{id: []byte(e.id)}
	type cell struct {
		col column
		raw json.RawMessage
	}
	var cells []cell
	for name, raw := range e.values {
		if name == "attributes" {
			continue
		}
		if strings.EqualFold(name, "Id") {
			if e.op == "insert" {
				return nil, errIDOnInsert
			}
			continue // where it is wanted the caller has read it
		}
		if strings.ContainsAny(name, ".:") { // a header of an upload may have these
			return nil, errNoColumn(name, e.obj)
		}
		path := name
		if len(raw) > 0 && raw[0] == '{' {
			var fault *rowFault
			if path, raw, fault = parentKey(e.obj, name, raw); fault != nil {
				return nil, fault
			}
		}
		col, err := s.org.column(e.obj, path)
		if err != nil {
			return nil, errNoColumn(name, e.obj)
		}
		cells = append(cells, cell{col, raw})
	}
	if e.key != nil && e.keyed != "" && e.key.kind != kindID {
		raw, _ := json.Marshal(e.keyed)
		cells = append(cells, cell{column{field: e.key, accept: s.org.prefixesOf(e.key.ReferenceTo)}, raw})
	}
	slices.SortStableFunc(cells, func(a, b cell) int { return a.col.field.index - b.col.field.index })
	var first *rowFault
	for i, c := range cells {
		if i > 0 && cells[i-1].col.field == c.col.field && (cells[i-1].col.parent == nil) == (c.col.parent == nil) { // the text is a guess
			return nil, rowError("INVALID_FIELD", "Duplicate field: "+c.col.field.Name, c.col.field.Name)
		}
		v, fault := readJSON(&c.col, c.raw)
		if fault != nil && (first == nil || fault.code == jsonFault && first.code != jsonFault) { // what is not of its field's type outdoes the rest
			first = fault
		}
		p.columns = append(p.columns, c.col)
		row.values = append(row.values, v)
		if c.col.field == e.key && c.col.parent == nil && v.mark == set {
			row.key = v.data
		}
	}
	if first != nil {
		return nil, first
	}
	p.addRules(e.obj)
	s.plan = p
	if row.key != nil {
		row.folded = string(p.table.index(e.key).fold(nil, row.key))
	}
	return row, nil
}

// parentKey reads "Account":{"Legacy_Id__c":"A-1"}: a parent by one of its keys. Where a lookup has several types the
// parent's attributes name one.
func parentKey(obj *object, name string, raw json.RawMessage) (string, json.RawMessage, *rowFault) {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return "", nil, rowError(jsonFault, err.Error())
	}
	var attributes struct {
		Type string `json:"type"`
	}
	json.Unmarshal(parts["attributes"], &attributes) // without it the type is ""
	delete(parts, "attributes")
	if len(parts) != 1 { // the text is a guess
		return "", nil, rowError("INVALID_FIELD", "Exactly one external id is needed to name the parent: "+name, name)
	}
	if f := obj.relation(name); f != nil && len(f.ReferenceTo) > 1 && attributes.Type != "" {
		name = attributes.Type + ":" + name
	}
	for key, value := range parts {
		name, raw = name+"."+key, value
	}
	return name, raw, nil
}

// readJSON reads one value. null and "" clear the field.
func readJSON(col *column, raw json.RawMessage) (value, *rowFault) {
	f := col.field
	var v any
	var text []byte
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return value{}, rowError(jsonFault, err.Error())
	}
	wrong := func(kind string) (value, *rowFault) { // a real org also tells the place
		message := "Cannot deserialize instance of " + f.Type + " from " + kind + " value"
		if len(text) > 0 {
			message += " " + string(text) + " or request may be missing a required field"
		}
		return value{}, rowError(jsonFault, message)
	}
	switch v := v.(type) {
	case nil:
		if f.kind == kindBool {
			return value{}, errNull(f)
		}
		return value{mark: clear_}, nil
	case string:
		text = []byte(v)
		if v == "" {
			return value{mark: clear_}, nil
		}
		if f.kind == kindDatetime && len(text) > 5 && (text[len(text)-5] == '+' || text[len(text)-5] == '-') { // +0000, as answers have it
			text = append(text[:len(text)-2:len(text)-2], ':', text[len(text)-2], text[len(text)-1])
		}
	case json.Number:
		text = []byte(v)
		if f.kind == kindBool || f.kind == kindDate || f.kind == kindDatetime {
			return wrong("VALUE_NUMBER_INT")
		}
	case bool:
		text = raw
		if f.kind != kindBool {
			return wrong("VALUE_" + strings.ToUpper(string(raw)))
		}
	case []any:
		return wrong("START_ARRAY")
	default:
		return wrong("START_OBJECT")
	}
	if col.by != nil && col.by.kind != kindID {
		key, fault, ok := col.by.parse(text)
		if !ok || fault != nil {
			return value{}, errParentNotFound(text, col.by, col.parent.obj.Name)
		}
		return value{set, key}, nil
	}
	data, fault, ok := f.parse(text)
	switch {
	case !ok:
		return wrong("VALUE_STRING")
	case fault != nil:
		return value{}, fault
	case f.kind == kindReference && !slices.Contains(col.accept, string(data[:3])):
		return value{}, errIDType(f, text)
	}
	return value{set, data}, nil
}
