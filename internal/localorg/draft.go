package localorg

import (
	"bytes"
	"fmt"
	"slices"
)

// mark says what a cell does to its field.
type mark uint8

const (
	leave mark = iota // an empty cell leaves the field alone
	set
	clear_ // #N/A
)

// value is a cell that was read: for a plain column the stored form of the value, for a relationship column the
// parent's key.
type value struct {
	mark mark
	data []byte
}

// draft is a row that was read but not yet saved. Its values are columns of the plan, in that order.
type draft struct {
	values []value
	id     []byte    // the Id cell, "" when empty or missing
	key    []byte    // the external id of an upsert in stored form
	folded string    // the same as it is compared
	meant  string    // id of the record that is meant, where a fault was found with it at hand
	fault  *rowFault // nil when all is well so far
}

// drafter reads the rows of a chunk. It needs no lock. What it makes lies in the chunk's bytes and in its own memory
// until the next chunk.
type drafter struct {
	cfg    *Config
	plan   *plan
	op     string
	delim  byte
	utf8   bool // the upload is UTF-8 throughout
	rec    csvRecord
	values []value
	drafts []draft
	keys   map[string]int // how many rows of the chunk have an external id
}

var notAvailable = []byte("#N/A")

func (d *drafter) read(data []byte, rows int) error {
	d.drafts = d.drafts[:0]
	d.values = slices.Grow(d.values[:0], rows*len(d.plan.columns))
	clear(d.keys)
	for len(d.drafts) < rows {
		if err := d.rec.read(data, d.delim, true); err != nil {
			return fmt.Errorf("read row again: %w", err)
		}
		data = data[d.rec.size:]
		if len(d.rec.cells) > 0 {
			d.drafts = append(d.drafts, d.row())
		}
	}
	return nil
}

func (d *drafter) row() draft {
	var row draft
	p := d.plan
	switch {
	case d.rec.blank: // code and text are a guess, as are the next two
		row.fault = rowError("INVALID_FIELD", "Failed to parse CSV. Found a blank between a delimiter and a quote")
		return row
	case len(d.rec.cells) != p.width:
		row.fault = rowError("INVALID_FIELD", fmt.Sprintf("Number of columns in the row is %d, the header has %d", len(d.rec.cells), p.width))
		return row
	case d.rec.end > maxRecord && d.characters() > maxRecord:
		row.fault = rowError("INVALID_FIELD", fmt.Sprintf("The row is longer than %d characters", maxRecord))
		return row
	}
	if p.id >= 0 {
		row.id = d.text(p.id)
	}
	start := len(d.values)
	wrong := -1 // place of the first cell that is not of its field's type; it outdoes every other fault
	for i := range p.columns {
		col := &p.columns[i]
		v, fault, ok := d.value(col)
		d.values = append(d.values, v)
		switch {
		case !ok && (wrong < 0 || col.place < wrong):
			wrong, row.fault = col.place, fault
		case fault != nil && wrong < 0 && row.fault == nil:
			row.fault = fault
		}
		if col.place == p.key && v.mark == set {
			row.key = v.data
		}
	}
	row.values = d.values[start:len(d.values):len(d.values)]
	if row.key != nil && d.op == "upsert" {
		x := index{field: p.keyField} // the table's own needs the lock
		row.folded = string(x.fold(nil, row.key))
		d.keys[row.folded]++
	}
	return row
}

func (d *drafter) text(place int) []byte {
	text := d.rec.cells[place].text()
	if !d.utf8 {
		text = bytes.ToValidUTF8(text, []byte("\ufffd"))
	}
	return text
}

func (d *drafter) characters() int {
	n := 0
	for i := range d.rec.cells {
		n += utf16Len(d.rec.cells[i].raw)
	}
	return n
}

// value reads one cell. ok is false when the text is not of the field's type at all.
func (d *drafter) value(col *column) (v value, fault *rowFault, ok bool) {
	text := d.text(col.place)
	f := col.field
	switch {
	case len(text) == 0:
		return value{}, nil, true
	case bytes.Equal(text, notAvailable):
		if f.kind == kindBool {
			return value{}, errNull(f), true
		}
		return value{mark: clear_}, nil, true
	case col.by != nil && col.by.kind != kindID:
		key, fault, ok := col.by.parse(text)
		if !ok || fault != nil { // no parent can have such a key
			return value{}, errParentNotFound(text, col.by, col.parent.obj.Name), true
		}
		return value{set, key}, nil, true
	}
	data, fault, ok := f.parse(text)
	switch {
	case !ok:
		place := col.place
		if d.cfg.ColumnsFromOne {
			place++
		}
		return value{}, errDeserialize(place, text, f.kind.xsdType(), f), false
	case fault != nil:
		return value{}, fault, true
	case f.kind == kindReference && !slices.Contains(col.accept, string(data[:3])):
		return value{}, errIDType(f, text), true
	}
	return value{set, data}, nil, true
}
