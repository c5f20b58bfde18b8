package localorg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"
)

// table holds the records of one object, packed end to end in pages that hold no pointers, so that millions of
// records cost little more than their values and nothing in garbage collection. A record's number in the order of
// creation is its ordinal; its id follows from that, and ordinals are not used twice. Changing a record writes it anew;
// the old place is dead space until compact. The org's lock guards a table.
type table struct {
	obj     *object
	first   uint64 // number of the id of ordinal 0
	fixed   []id15 // ids of the first records, where a snapshot names them
	pages   [][]byte
	places  []uint64 // by ordinal: page << 32 | offset, plus 1; 0 is a record that is gone for good
	live    int      // records that are there
	deleted int      // records in the recycle bin
	gone    []gone   // records that were deleted and are gone for good
	bytes   int      // all of pages
	dead    int      // of them
	indexes []*index
	links   []*links
	autos   []autoNumber
}

const pageSize = 1 << 20

func newTable(obj *object, seed uint64, formats map[string]string) *table {
	t := &table{obj: obj, first: firstID(obj.KeyPrefix, seed)}
	for _, f := range obj.shape().Fields {
		if f.indexed() && f.kind < kindCompound {
			t.indexes = append(t.indexes, &index{field: f})
		}
		if f.AutoNumber {
			t.autos = append(t.autos, parseAutoNumber(f, formats[obj.Name+"."+f.Name]))
		}
	}
	return t
}

// index gives the index on a field, nil when it has none.
func (t *table) index(f *field) *index {
	for _, x := range t.indexes {
		if x.field == f {
			return x
		}
	}
	return nil
}

func (t *table) id(ordinal uint32) id15 {
	if int(ordinal) < len(t.fixed) {
		return t.fixed[ordinal]
	}
	return makeID(t.obj.KeyPrefix, t.first+uint64(ordinal))
}

// ordinal finds the record with the id, also in the recycle bin; false when there is none.
func (t *table) ordinal(id id15) (uint32, bool) {
	if i := slices.Index(t.fixed, id); i >= 0 {
		return uint32(i), true
	}
	n, ok := id.number()
	if !ok || n < t.first+uint64(len(t.fixed)) || n-t.first >= uint64(len(t.places)) {
		return 0, false
	}
	ord := uint32(n - t.first)
	return ord, t.places[ord] != 0
}

func (t *table) record(ordinal uint32) record {
	at := t.places[ordinal] - 1
	page := t.pages[at>>32][uint32(at):]
	n, w := binary.Uvarint(page)
	return record(page[w : w+int(n)])
}

// find gives the first live record with the key and how many there are, counting no further than two.
func (t *table) find(x *index, value []byte) (ordinal uint32, n int) {
	var buf [64]byte
	key := x.fold(buf[:0], value)
	for ord := range x.ordinals(t, key) {
		if n == 0 {
			ordinal = ord
		}
		if n++; n == 2 {
			break
		}
	}
	return ordinal, n
}

func (x *index) ordinals(t *table, key []byte) func(func(uint32) bool) {
	return func(yield func(uint32) bool) { x.lookup(t, key, yield) }
}

// insert adds a record and gives its ordinal.
func (t *table) insert(r record) uint32 {
	ord := uint32(len(t.places))
	t.places = append(t.places, t.write(r))
	if r.deleted() {
		t.deleted++
	} else {
		t.live++
		t.enter(r, ord)
	}
	return ord
}

// replace writes a record anew; r may be in the recycle bin or come back from there.
func (t *table) replace(ordinal uint32, r record) {
	t.drop(ordinal)
	t.places[ordinal] = t.write(r)
	if r.deleted() {
		t.deleted++
	} else {
		t.live++
		t.enter(r, ordinal)
	}
	if t.dead > 64*pageSize && t.dead > t.bytes/2 {
		t.compact()
	}
}

// gone is what is left of a record that was deleted: when that was, in Unix seconds.
type gone struct {
	ord uint32
	at  int64
}

// erase takes a record away for good. One that comes from the recycle bin was deleted; any other was never there for anybody else.
func (t *table) erase(ordinal uint32) {
	if r := t.record(ordinal); r.deleted() {
		t.gone = append(t.gone, gone{ordinal, r.stamps().stamp})
	}
	t.drop(ordinal)
	t.places[ordinal] = 0
}

// drop takes the present form of a record out of counts and indexes.
func (t *table) drop(ordinal uint32) {
	old := t.record(ordinal)
	t.dead += len(old)
	if old.deleted() {
		t.deleted--
		return
	}
	t.live--
	for _, x := range t.indexes {
		if v := old.raw(x.field.index); v != nil {
			x.remove(v, ordinal)
		}
	}
	for _, l := range t.links {
		l.remove(old, ordinal)
	}
}

func (t *table) enter(r record, ordinal uint32) {
	for _, x := range t.indexes {
		if v := r.raw(x.field.index); v != nil {
			x.add(v, ordinal)
		}
	}
	for _, l := range t.links {
		l.add(r, ordinal)
	}
}

// write appends a record to the last page that has room.
func (t *table) write(r record) uint64 {
	need := len(r) + binary.MaxVarintLen32
	last := len(t.pages) - 1
	if last < 0 || cap(t.pages[last])-len(t.pages[last]) < need {
		t.pages = append(t.pages, make([]byte, 0, max(pageSize, need)))
		last++
	}
	at := uint64(last)<<32 | uint64(len(t.pages[last]))
	page := binary.AppendUvarint(t.pages[last], uint64(len(r)))
	t.pages[last] = append(page, r...)
	t.bytes += len(r)
	return at + 1
}

// compact writes the records that are there into new pages.
func (t *table) compact() {
	old := *t
	t.pages, t.bytes, t.dead = nil, 0, 0
	for ord, at := range t.places {
		if at != 0 {
			t.places[ord] = t.write(old.record(uint32(ord)))
		}
		// old.places is the same array; each place is read before it is written
	}
}

// value gives a field as the org shows it, with what is implied filled in; nil when it is null.
func (o *Org) value(t *table, ordinal uint32, r record, f *field) []byte {
	switch f.Name {
	case "Id":
		return t.id(ordinal).append(nil)
	case "IsDeleted":
		if r.deleted() {
			return valueTrue
		}
		return valueFalse
	case "CreatedDate":
		return unixText(r.stamps().created)
	case "LastModifiedDate":
		return unixText(r.stamps().modified)
	case "SystemModstamp":
		return unixText(r.stamps().stamp)
	}
	if v := r.raw(f.index); v != nil {
		return v
	}
	if v := ofFile(t.obj.shape(), r, f.Name); v != nil {
		return v
	}
	switch {
	case f.kind == kindBool:
		return valueFalse
	case impliedUser(f):
		return o.user
	case f.Name == "Name" && f.NameField && !f.Createable && !f.AutoNumber:
		return personName(t.obj, r)
	}
	return nil
}

// personName is the compound Name of Contact, Lead and User.
func personName(obj *object, r record) []byte {
	var parts [][]byte
	for _, name := range []string{"FirstName", "LastName"} {
		if f := obj.field(name); f != nil {
			if v := r.raw(f.index); v != nil {
				parts = append(parts, v)
			}
		}
	}
	return bytes.Join(parts, []byte{' '})
}

// autoNumber is a display format such as INV-{000000}.
type autoNumber struct {
	field         *field
	before, after string
	width         int
}

func parseAutoNumber(f *field, format string) autoNumber {
	if format == "" {
		format = "{00000000}"
	}
	before, rest, _ := strings.Cut(format, "{")
	zeros, after, _ := strings.Cut(rest, "}")
	return autoNumber{field: f, before: before, after: after, width: len(zeros)}
}

func (a autoNumber) value(ordinal uint32) []byte {
	return fmt.Appendf(nil, "%s%0*d%s", a.before, a.width, uint64(ordinal)+1, a.after)
}

// firstID spreads the ids of objects over the number space, so that they hold digits and letters of both cases.
func firstID(prefix string, seed uint64) uint64 {
	h := xxh3.HashStringSeed(prefix, seed)
	const step = 62 * 62 * 62 * 62
	return step*(10+h%40) + h/64%step
}
