package localorg

import (
	"encoding/binary"
	"time"
)

// record is one packed record, the form in which tables and the journal hold it:
//
//	flags(1) created(8) modified(8) stamp(8) { field(uvarint) length(uvarint) value }*
//
// Times are Unix seconds. Fields are in ascending order; a field without a value is left out, and so are owner and
// authors where they are the org's own user, and booleans that are false.
type record []byte

const (
	recordHead   = 25
	flagDeleted  = 1
	secondsField = 8
)

// inHead are the fields that a record has in its head, and Id, which follows from its place.
var inHead = map[string]bool{"Id": true, "IsDeleted": true, "CreatedDate": true, "LastModifiedDate": true, "SystemModstamp": true}

// stamps are the times of a record in Unix seconds.
type stamps struct{ created, modified, stamp int64 }

func appendRecordHead(dst []byte, flags byte, s stamps) []byte {
	dst = append(dst, flags)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.created))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.modified))
	return binary.LittleEndian.AppendUint64(dst, uint64(s.stamp))
}

func appendRecordField(dst []byte, index int, value []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(index))
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}

func (r record) deleted() bool { return r[0]&flagDeleted != 0 }

func (r record) stamps() stamps {
	at := func(i int) int64 { return int64(binary.LittleEndian.Uint64(r[1+secondsField*i:])) }
	return stamps{at(0), at(1), at(2)}
}

// fields walks over what is set.
func (r record) fields(yield func(index int, value []byte) bool) {
	for rest := []byte(r[recordHead:]); len(rest) > 0; {
		i, n := binary.Uvarint(rest)
		rest = rest[n:]
		l, n := binary.Uvarint(rest)
		rest = rest[n:]
		if !yield(int(i), rest[:l]) {
			return
		}
		rest = rest[l:]
	}
}

// raw gives the stored value of a field; nil when there is none.
func (r record) raw(index int) []byte {
	for i, v := range r.fields {
		if i == index {
			return v
		}
		if i > index {
			break
		}
	}
	return nil
}

// wellFormed checks what was read from a file before anything walks over it.
func (r record) wellFormed() bool {
	if len(r) < recordHead {
		return false
	}
	for rest := []byte(r[recordHead:]); len(rest) > 0; {
		_, n := binary.Uvarint(rest)
		if n <= 0 {
			return false
		}
		rest = rest[n:]
		l, n := binary.Uvarint(rest)
		if n <= 0 || l > uint64(len(rest)-n) {
			return false
		}
		rest = rest[n+int(l):]
	}
	return true
}

func unixText(seconds int64) []byte {
	return time.Unix(seconds, 0).UTC().AppendFormat(nil, datetimeForm)
}
