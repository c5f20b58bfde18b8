package localorg

import "strings"

// An id has 15 characters in base 62: the key prefix of its object (3), the place of the org (3), and a number (9).
// The 18-character form adds three that hold the case of the other 15, for tools that ignore case.
// Ids are compared case by case in their 15-character form.
type id15 [15]byte

const (
	idPod      = "5g0"
	base62     = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	caseDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
)

// makeID makes the id number n of the object with the key prefix.
func makeID(prefix string, n uint64) id15 {
	var id id15
	copy(id[:], prefix)
	copy(id[3:], idPod)
	for i := len(id) - 1; i >= 6; i-- {
		id[i] = base62[n%62]
		n /= 62
	}
	return id
}

// number gives back n of makeID; false when the id is not from this org.
func (id id15) number() (uint64, bool) {
	if string(id[3:6]) != idPod {
		return 0, false
	}
	var n uint64
	for _, c := range id[6:] {
		n = n*62 + uint64(strings.IndexByte(base62, c))
	}
	return n, true
}

func (id id15) prefix() string { return string(id[:3]) }

// String gives the 18-character form.
func (id id15) String() string { return string(id.append(nil)) }

// short gives the 15-character form that error texts use.
func (id id15) short() string { return string(id[:]) }

func (id id15) append(dst []byte) []byte {
	dst = append(dst, id[:]...)
	return append(dst, id.check(0), id.check(1), id.check(2))
}

func (id id15) check(group int) byte {
	bits := 0
	for i, c := range id[5*group : 5*group+5] {
		if 'A' <= c && c <= 'Z' {
			bits |= 1 << i
		}
	}
	return caseDigits[bits]
}

// parseID reads an id of 15 or 18 characters. It is false for other lengths, characters outside base 62, and
// last three characters that do not fit.
func parseID(text []byte) (id15, bool) {
	var id id15
	if len(text) != 15 && len(text) != 18 {
		return id, false
	}
	for _, c := range text {
		if c-'0' > 9 && c|0x20-'a' > 'z'-'a' {
			return id, false
		}
	}
	copy(id[:], text)
	if len(text) == 18 {
		for g := range 3 {
			if upper(text[15+g]) != id.check(g) {
				return id, false
			}
		}
	}
	return id, true
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 32
	}
	return c
}
