package localorg

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
)

// sorter puts records in the order of ORDER BY. Each record gets a key, made while the record is at hand, whose bytes compare as the
// records do; all keys lie end to end in one piece of memory.
type sorter struct {
	by   []order
	keys []byte
	rows []sortRow
}

type sortRow struct {
	start, end int // in keys
	ord        uint32
}

// add enters a record. Callers hold the lock.
func (s *sorter) add(o *Org, t *table, ord uint32, r record) {
	start := len(s.keys)
	for i := range s.by {
		s.keys = s.by[i].appendKey(s.keys, o.follow(&s.by[i].path, t, ord, r))
	}
	s.rows = append(s.rows, sortRow{start, len(s.keys), ord})
}

// reserve makes room for another step of records, so that add seldom has to under the lock.
func (s *sorter) reserve() bool {
	if n := len(s.rows); n > 0 {
		s.keys = slices.Grow(s.keys, 2*len(s.keys)/n*scanStep)
		s.rows = slices.Grow(s.rows, scanStep)
	}
	return true
}

// sorted gives the ordinals in order; records with equal keys stay in the order of their creation.
func (s *sorter) sorted() []uint32 {
	slices.SortStableFunc(s.rows, func(a, b sortRow) int { return bytes.Compare(s.keys[a.start:a.end], s.keys[b.start:b.end]) })
	list := make([]uint32, len(s.rows))
	for i, r := range s.rows {
		list[i] = r.ord
	}
	return list
}

// appendKey writes one value: a byte that tells null from others, then the value so that its bytes rise with it, and last an end
// below all that could follow. With DESC the value's bytes are turned round; where nulls stand does not change.
func (by *order) appendKey(b []byte, v []byte) []byte {
	if v == nil {
		if by.nullsLast {
			return append(b, 2)
		}
		return append(b, 0)
	}
	b = append(b, 1)
	start := len(b)
	if f := by.path.field; f.kind == kindInt || f.kind == kindDouble {
		x, _ := strconv.ParseFloat(string(v), 64)
		bits := math.Float64bits(x)
		if bits>>63 == 0 {
			bits |= 1 << 63
		} else {
			bits = ^bits
		}
		b = binary.BigEndian.AppendUint64(b, bits)
	} else {
		var buf [64]byte
		x := index{field: f}
		for _, c := range x.fold(buf[:0], v) {
			if b = append(b, c); c == 0 {
				b = append(b, 0xff)
			}
		}
		b = append(b, 0, 0)
	}
	if by.desc {
		for i := start; i < len(b); i++ {
			b[i] = ^b[i]
		}
	}
	return b
}
