package checkpoint

import (
	"encoding/binary"
	"errors"
)

// Selection names rows of a chunk by their number among the rows sent (0-based), strictly ascending. nil means all.
type Selection []int64

// pack writes the gaps between the numbers as varints: a run of neighbours costs a byte a row.
func (s Selection) pack() []byte {
	if s == nil {
		return nil
	}
	buf := make([]byte, 0, len(s)+8)
	last := int64(-1)
	for _, n := range s {
		buf = binary.AppendUvarint(buf, uint64(n-last))
		last = n
	}
	return buf
}

func unpackSelection(buf []byte) (Selection, error) {
	if buf == nil {
		return nil, nil
	}
	s := make(Selection, 0, len(buf))
	last := int64(-1)
	for len(buf) > 0 {
		gap, n := binary.Uvarint(buf)
		if n <= 0 || gap == 0 || int64(gap) < 0 || last+int64(gap) < last {
			return nil, errors.New("row selection of a bulk job is unreadable")
		}
		last += int64(gap)
		s = append(s, last)
		buf = buf[n:]
	}
	return s, nil
}
