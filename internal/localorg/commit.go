package localorg

import (
	"bytes"
	"math"
	"time"
)

// commit saves a chunk, row by row: what can be saved is saved, the others fail with their reason. It is one
// transaction: all of it goes into the journal in one frame, and nobody reads the org while it runs. Callers hold
// the lock.
func (o *Org) commit(j *job, chunk int, d *drafter, spent time.Duration) error {
	now := o.now()
	s := saver{org: o, op: j.spec.Operation, firstNew: j.firstNew, plan: d.plan, now: now.Unix(), frame: o.frame[:0], rec: o.scratch[:0]}
	if o.journal != nil {
		s.frame = appendChunkHead(s.frame, chunkHead{job: j.number, chunk: chunk, at: now.UnixNano(), active: spent, rows: len(d.drafts)})
	}
	failed := 0
	for i := range d.drafts {
		row := &d.drafts[i]
		id, fault := row.meant, row.fault
		var result outcome
		if fault == nil && row.key != nil && d.keys[row.folded] != 1 {
			fault = s.duplicateKey(d, row)
		}
		if fault == nil {
			result, id, fault = s.save(row)
		}
		if fault != nil {
			text := fault.String()
			result = j.fail(failure{id, text})
			failed++
			s.logFailure(id, text)
		}
		j.outcomes[chunk*chunkRows+i] = result
	}
	o.frame, o.scratch = s.frame, s.rec
	j.done[chunk] = true
	j.processed += len(d.drafts)
	j.failed += failed
	j.active += spent
	j.stamp = now
	o.records.add(now, int64(len(d.drafts)))
	o.audit.ingest(j.obj, len(d.drafts), failed)
	return o.logFrame(eventChunk, s.frame)
}

// duplicateKey refuses an external id that several rows of the chunk have.
func (s *saver) duplicateKey(d *drafter, row *draft) *rowFault {
	if s.org.cfg.FirstDuplicateWins && d.keys[row.folded] > 1 {
		d.keys[row.folded] = 0 // taken
		return nil
	}
	return errDuplicateKey(d.plan.keyField, row.key)
}

// saver saves the rows of one chunk, or of one call.
type saver struct {
	org      *Org
	op       string // of an ingest job
	plan     *plan
	firstNew uint32 // parents from this ordinal on are not seen, unless Config.SeeSiblings is set
	now      int64  // Unix seconds
	named    bool   // each change names its table in the frame: outside of a chunk nothing else does
	played   bool   // what is saved came over no API: permissions and rules do not count
	frame    []byte // what the journal is to hold
	rec      []byte // scratch for a record
	names    []string
	room     int64 // records for which there is storage, once counted
	counted  bool
	undo     *[]change // what was there before, where a call may have to take all back
}

// save carries out one row. On failure id is that of the record that was meant, where it is known.
func (s *saver) save(row *draft) (result outcome, id string, fault *rowFault) {
	t := s.plan.table
	switch s.op {
	case "insert":
		if len(row.id) > 0 {
			return 0, "", errIDOnInsert
		}
		return s.insert(row)
	case "upsert":
		if s.plan.keyField.kind == kindID {
			if len(row.id) == 0 {
				return s.insert(row)
			}
			break
		}
		if len(row.id) > 0 { // the text is a guess
			return 0, "", rowError("INVALID_FIELD", "The Id field should not be specified in the sobject data.", "Id")
		}
		if row.key == nil {
			return 0, "", rowError("MISSING_ARGUMENT", s.plan.keyField.Name+" not specified")
		}
		ord, n := t.find(t.index(s.plan.keyField), row.key)
		switch n {
		case 0:
			return s.insert(row)
		case 1:
			return s.update(row, ord)
		}
		return 0, "", errAmbiguousKey(s.plan.keyField, s.ids(row.folded))
	}
	ord, fault := s.target(row.id)
	if fault != nil {
		return 0, "", fault
	}
	switch s.op {
	case "delete", "hardDelete":
		id := t.id(ord).String()
		if fault := s.rule(row, ord); fault != nil {
			return 0, id, fault
		}
		if fault := s.remove(t, ord, s.op == "hardDelete"); fault != nil {
			return 0, id, fault
		}
		return outcome(ord), "", nil
	}
	return s.update(row, ord)
}

// ids lists all records with an external id.
func (s *saver) ids(folded string) []string {
	t := s.plan.table
	var list []string
	for ord := range t.index(s.plan.keyField).ordinals(t, []byte(folded)) {
		list = append(list, t.id(ord).String())
	}
	return list
}

// target finds the record that an Id cell means.
func (s *saver) target(text []byte) (uint32, *rowFault) {
	t := s.plan.table
	if len(text) == 0 {
		if s.op == "update" {
			return 0, errNoID
		}
		return 0, errNoIDDelete
	}
	id, ok := parseID(text)
	if !ok {
		return 0, errMalformedID(text)
	}
	if id.prefix() != t.obj.KeyPrefix {
		return 0, errIDType(t.obj.field("Id"), text)
	}
	ord, ok := t.ordinal(id)
	if !ok {
		return 0, errCrossReference
	}
	// hardDelete also takes what is in the recycle bin
	if t.record(ord).deleted() && s.op != "hardDelete" {
		return 0, errDeleted
	}
	return ord, nil
}

func (s *saver) insert(row *draft) (outcome, string, *rowFault) {
	if fault := s.missingOnInsert(row); fault != nil {
		return 0, "", fault
	}
	if fault := s.checkWriteable(row, func(f *field) bool { return f.Createable }); fault != nil {
		return 0, "", fault
	}
	if fault := s.resolve(row); fault != nil {
		return 0, "", fault
	}
	if fault := s.checkUnique(row, -1); fault != nil {
		return 0, "", fault
	}
	t := s.plan.table
	ord := uint32(len(t.places))
	if fault := s.rule(row, ord); fault != nil {
		return 0, "", fault
	}
	if !s.hasRoom() {
		return 0, "", errStorage
	}
	s.buildInsert(row, ord)
	s.apply(opInsert, ord, s.rec)
	s.publish(t, ord)
	return outcomeCreated | outcome(ord), "", nil
}

// hasRoom takes the storage for one more record, if there is any.
func (s *saver) hasRoom() bool {
	if !s.counted {
		s.counted = true
		s.room = (s.org.cfg.DataStorage - s.org.stored()) / recordSize
	}
	s.room--
	return s.room >= 0
}

func (s *saver) update(row *draft, ord uint32) (outcome, string, *rowFault) {
	id := s.plan.table.id(ord).String()
	s.names = s.names[:0]
	for i, v := range row.values {
		if f := s.plan.columns[i].field; v.mark == clear_ && !f.Nillable {
			s.names = append(s.names, f.Name)
		}
	}
	if len(s.names) > 0 {
		return 0, id, errRequired(s.names)
	}
	if fault := s.checkWriteable(row, func(f *field) bool { return f.Updateable }); fault != nil {
		return 0, id, fault
	}
	if fault := s.resolve(row); fault != nil {
		return 0, id, fault
	}
	if fault := s.checkUnique(row, int64(ord)); fault != nil {
		return 0, id, fault
	}
	if fault := s.rule(row, ord); fault != nil {
		return 0, id, fault
	}
	s.buildUpdate(row, s.plan.table.record(ord))
	s.apply(opReplace, ord, s.rec)
	return outcome(ord), "", nil
}

func (s *saver) missingOnInsert(row *draft) *rowFault {
	s.names = s.names[:0]
	for _, r := range s.plan.required {
		if r.column < 0 || row.values[r.column].mark != set {
			s.names = append(s.names, r.field.Name)
		}
	}
	for i, v := range row.values {
		if f := s.plan.columns[i].field; v.mark == clear_ && !f.Nillable && !f.required() {
			s.names = append(s.names, f.Name)
		}
	}
	if len(s.names) == 0 {
		return nil
	}
	return errRequired(s.names)
}

// checkWriteable refuses values for fields that may not be set.
func (s *saver) checkWriteable(row *draft, may func(*field) bool) *rowFault {
	s.names = s.names[:0]
	for i, v := range row.values {
		if f := s.plan.columns[i].field; v.mark != leave && !may(f) && (!s.played || inHead[f.Name]) {
			s.names = append(s.names, f.Name)
		}
	}
	if len(s.names) == 0 {
		return nil
	}
	return errNotWriteable(s.names)
}

// resolve finds the records that references mean, and puts their ids in place of parents' keys.
func (s *saver) resolve(row *draft) *rowFault {
	for i := range row.values {
		v, col := &row.values[i], &s.plan.columns[i]
		if v.mark != set || col.field.kind != kindReference {
			continue
		}
		if i > 0 && row.values[i-1].mark == set && s.plan.columns[i-1].field == col.field {
			return rowError("INVALID_FIELD", "Cannot specify both an external ID reference "+col.field.RelationshipName+
				" and a salesforce id, "+col.field.Name, col.field.Name)
		}
		if col.by != nil && col.by.kind != kindID {
			ord, n := s.parent(col, v.data)
			switch {
			case n == 0:
				return errParentNotFound(v.data, col.by, col.parent.obj.Name)
			case n > 1:
				return errParentAmbiguous(v.data, col.by, col.parent.obj.Name)
			}
			v.data = col.parent.id(ord).append(make([]byte, 0, 18))
		} else if fault := s.checkReference(v.data); fault != nil {
			return fault
		}
		var fault *rowFault
		switch col.field.Name {
		case "OwnerId":
			fault = s.checkOwner(v.data)
		case "RecordTypeId":
			fault = s.checkRecordType(col.field, v.data)
		}
		if fault != nil {
			return fault
		}
	}
	return nil
}

// parent looks a parent up by its key. Parents that the same job made are not seen.
func (s *saver) parent(col *column, key []byte) (ordinal uint32, n int) {
	t := col.parent
	hide := t == s.plan.table && !s.org.cfg.SeeSiblings
	x := t.index(col.by)
	var buf [64]byte
	for ord := range x.ordinals(t, x.fold(buf[:0], key)) {
		if hide && ord >= s.firstNew || col.field.Name == "RecordTypeId" && !s.org.ofObject(ord, s.plan.table.obj) {
			continue
		}
		if n == 0 {
			ordinal = ord
		}
		if n++; n == 2 {
			break
		}
	}
	return ordinal, n
}

func (s *saver) checkReference(text []byte) *rowFault {
	id, _ := parseID(text)
	t, ord, ok := s.org.locate(id)
	switch {
	case !ok:
		return errCrossReference
	case t.record(ord).deleted():
		return errGoneReference
	}
	return nil
}

func (s *saver) checkOwner(text []byte) *rowFault {
	id, _ := parseID(text)
	t, ord, ok := s.org.locate(id)
	if f := t.obj.field("IsActive"); ok && f != nil && !bytes.Equal(t.record(ord).raw(f.index), valueTrue) {
		return errInactiveOwner(id, s.plan.table.obj)
	}
	return nil
}

// checkUnique refuses values that another record has; self is the ordinal of the row's own record, -1 for none.
func (s *saver) checkUnique(row *draft, self int64) *rowFault {
	t := s.plan.table
	for i, v := range row.values {
		f := s.plan.columns[i].field
		if v.mark != set || !f.Unique {
			continue
		}
		if ord, n := t.find(t.index(f), v.data); n > 0 && int64(ord) != self {
			return errDuplicate(f, t.id(ord))
		}
	}
	return nil
}

// buildInsert makes the record of a new row: its cells, the defaults of what it leaves out, auto numbers.
func (s *saver) buildInsert(row *draft, ord uint32) {
	p := s.plan
	times := stamps{s.now, s.now, s.now}
	s.rec = appendRecordHead(s.rec[:0], 0, times)
	fills, autos := p.fills, p.table.autos
	upTo := func(index int) { // what stands before a field and comes by itself
		for {
			switch {
			case len(fills) > 0 && fills[0].index < index && (len(autos) == 0 || fills[0].index < autos[0].field.index):
				s.rec = appendRecordField(s.rec, fills[0].index, fills[0].value)
				fills = fills[1:]
			case len(autos) > 0 && autos[0].field.index < index:
				s.rec = appendRecordField(s.rec, autos[0].field.index, autos[0].value(ord))
				autos = autos[1:]
			default:
				return
			}
		}
	}
	for i, v := range row.values {
		f := p.columns[i].field
		if v.mark == leave || isTime(&times, f, v.data) {
			continue
		}
		upTo(f.index)
		if len(fills) > 0 && fills[0].index == f.index {
			fills = fills[1:]
		}
		if v.mark == set {
			s.rec = appendRecordField(s.rec, f.index, v.data)
		}
	}
	upTo(math.MaxInt)
	copy(s.rec, appendRecordHead(nil, 0, times))
}

// isTime takes a value that belongs into a record's head.
func isTime(times *stamps, f *field, data []byte) bool {
	switch f.Name {
	case "CreatedDate":
		times.created = unixOf(data)
	case "LastModifiedDate":
		times.modified = unixOf(data)
	default:
		return false
	}
	return true
}

func unixOf(datetime []byte) int64 {
	t, _ := parseDatetime(datetime)
	return t.Unix()
}

// buildUpdate makes the new form of a record.
func (s *saver) buildUpdate(row *draft, old record) {
	times := old.stamps()
	times.modified, times.stamp = s.now, s.now
	s.rec = appendRecordHead(s.rec[:0], 0, times)
	cols, values := s.plan.columns, row.values
	put := func(upTo int) {
		for len(values) > 0 && cols[0].field.index < upTo {
			if values[0].mark == set {
				s.rec = appendRecordField(s.rec, cols[0].field.index, values[0].data)
			}
			cols, values = cols[1:], values[1:]
		}
	}
	for index, v := range old.fields {
		put(index)
		kept := true
		for len(values) > 0 && cols[0].field.index == index {
			switch values[0].mark {
			case set:
				s.rec = appendRecordField(s.rec, index, values[0].data)
				kept = false
			case clear_:
				kept = false
			}
			cols, values = cols[1:], values[1:]
		}
		if kept {
			s.rec = appendRecordField(s.rec, index, v)
		}
	}
	put(math.MaxInt)
}
