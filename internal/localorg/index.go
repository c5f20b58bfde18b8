package localorg

import (
	"bytes"

	"github.com/zeebo/xxh3"
)

// index finds records by the value of one field. It keeps 8 bytes per slot, 32 bits of hash and the ordinal, and
// leaves the values in the table; the 32 bits give a slot's place too, so growing does not touch the records. One value
// may stand for several records.
type index struct {
	field *field
	slots []uint64 // hash << 32 | ordinal + 2; 0 is free, 1 was used
	used  int      // slots that are not free
	live  int
}

const (
	slotFree = 0
	slotGone = 1
)

// fold gives the form in which values are compared: lower case unless the field minds it. buf is scratch.
func (x *index) fold(buf, value []byte) []byte {
	if x.field.CaseSensitive {
		return value
	}
	ascii, same := true, true
	for _, c := range value {
		if c >= 0x80 {
			ascii = false
			break
		}
		if 'A' <= c && c <= 'Z' {
			same = false
		}
	}
	switch {
	case !ascii:
		return bytes.ToLower(value)
	case same:
		return value
	}
	buf = append(buf[:0], value...)
	for i, c := range buf {
		if 'A' <= c && c <= 'Z' {
			buf[i] = c + 32
		}
	}
	return buf
}

// lookup yields the ordinals of the records whose value folds to key, which is folded already.
func (x *index) lookup(t *table, key []byte, yield func(ordinal uint32) bool) {
	if len(x.slots) == 0 {
		return
	}
	var buf [64]byte
	h := xxh3.Hash(key) >> 32
	for i := h & uint64(len(x.slots)-1); ; i = (i + 1) & uint64(len(x.slots)-1) {
		s := x.slots[i]
		if s == slotFree {
			return
		}
		if s == slotGone || s>>32 != h {
			continue
		}
		ord := uint32(s) - 2
		if bytes.Equal(x.fold(buf[:0], t.record(ord).raw(x.field.index)), key) && !yield(ord) {
			return
		}
	}
}

// add enters a record under its value.
func (x *index) add(value []byte, ordinal uint32) {
	if 4*(x.used+1) > 3*len(x.slots) {
		x.grow()
	}
	var buf [64]byte
	x.put(xxh3.Hash(x.fold(buf[:0], value))>>32<<32 | uint64(ordinal) + 2)
}

func (x *index) put(slot uint64) {
	i := slot >> 32 & uint64(len(x.slots)-1)
	for x.slots[i] > slotGone {
		i = (i + 1) & uint64(len(x.slots)-1)
	}
	if x.slots[i] == slotFree {
		x.used++
	}
	x.slots[i] = slot
	x.live++
}

// remove takes out what add entered.
func (x *index) remove(value []byte, ordinal uint32) {
	if len(x.slots) == 0 {
		return
	}
	var buf [64]byte
	h := xxh3.Hash(x.fold(buf[:0], value)) >> 32
	want := h<<32 | uint64(ordinal) + 2
	for i := h & uint64(len(x.slots)-1); x.slots[i] != slotFree; i = (i + 1) & uint64(len(x.slots)-1) {
		if x.slots[i] == want {
			x.slots[i] = slotGone
			x.live--
			return
		}
	}
}

func (x *index) grow() {
	size := 1024
	for size < 2*(x.live+1) {
		size *= 2
	}
	old := x.slots
	x.slots, x.used, x.live = make([]uint64, size), 0, 0
	for _, s := range old {
		if s > slotGone {
			x.put(s)
		}
	}
}
