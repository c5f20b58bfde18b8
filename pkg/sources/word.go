package sources

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Text is searched eight bytes at a time where what is sought is near: in fields of a few bytes a call of
// bytes.IndexByte costs more than it finds.

// word is b[i:i+8], the first byte lowest; bytes beyond the end are zero.
func word(b []byte, i int) uint64 {
	if i+8 <= len(b) {
		return binary.LittleEndian.Uint64(b[i:])
	}
	var w uint64
	for j, c := range b[i:] {
		w |= uint64(c) << (8 * j)
	}
	return w
}

// matches has the high bit set of each byte of w that is c. It is exact for every byte.
func matches(w uint64, c byte) uint64 {
	const ones, low7 = 0x0101010101010101, 0x7F7F7F7F7F7F7F7F
	w ^= ones * uint64(c)
	return ^((w&low7 + low7) | w | low7)
}

// firstMatch is the number of the first byte that matches.
func firstMatch(hits uint64) int { return bits.TrailingZeros64(hits) >> 3 }

// indexFrom is the first place of c at or after b[i], or -1.
func indexFrom(b []byte, i int, c byte) int {
	for end := i + 24; i < end && i+8 <= len(b); i += 8 {
		if hits := matches(binary.LittleEndian.Uint64(b[i:]), c); hits != 0 {
			return i + firstMatch(hits)
		}
	}
	if j := bytes.IndexByte(b[i:], c); j >= 0 {
		return i + j
	}
	return -1
}
