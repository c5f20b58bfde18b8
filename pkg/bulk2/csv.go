package bulk2

import (
	"bytes"
	"strings"
)

// AppendValue appends a value as one CSV field of an upload. It is quoted only where it must be. Line breaks inside it
// become LF, since the org refuses a whole LF job for one CRLF inside a quoted value; changed reports that this happened.
func AppendValue(dst []byte, v string) (out []byte, changed bool) {
	special := false
	for i := 0; i < len(v); i++ {
		if c := v[i]; c == ',' || c == '"' || c == '\n' || c == '\r' {
			special = true
			break
		}
	}
	if !special {
		return append(dst, v...), false
	}
	dst = append(dst, '"')
	for {
		i := strings.IndexAny(v, "\"\r")
		if i < 0 {
			dst = append(dst, v...)
			return append(dst, '"'), changed
		}
		dst = append(dst, v[:i]...)
		if v[i] == '"' {
			dst = append(dst, '"', '"')
		} else {
			changed = true
			dst = append(dst, '\n')
			if i+1 < len(v) && v[i+1] == '\n' {
				i++
			}
		}
		v = v[i+1:]
	}
}

// AppendRecord appends values as one record with its line end. Values stand as they are, line breaks too: it is meant for
// headers and reports.
func AppendRecord[T string | []byte](dst []byte, values ...T) []byte {
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendExact(dst, v)
	}
	if len(values) == 1 && len(values[0]) == 0 {
		dst = append(dst, '"', '"') // a lone empty field would be read as a blank line
	}
	return append(dst, '\n')
}

func appendExact[T string | []byte](dst []byte, v T) []byte {
	quote := false
	for i := 0; i < len(v); i++ {
		if c := v[i]; c == ',' || c == '"' || c == '\n' || c == '\r' {
			quote = true
			break
		}
	}
	if !quote {
		return append(dst, v...)
	}
	dst = append(dst, '"')
	for i := 0; i < len(v); i++ {
		if v[i] == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, v[i])
	}
	return append(dst, '"')
}

// recordEnd finds the end of the record that starts buf: the index after its line feed, or -1 when it is not all there.
// seen is how much of buf an earlier call has looked at and open whether that part ended inside quotes.
func recordEnd(buf []byte, seen int, open bool) (end, nowSeen int, nowOpen bool) {
	for {
		i := bytes.IndexByte(buf[seen:], '\n')
		if i < 0 {
			open = open != (bytes.Count(buf[seen:], quote)%2 == 1)
			return -1, len(buf), open
		}
		open = open != (bytes.Count(buf[seen:seen+i], quote)%2 == 1)
		seen += i + 1
		if !open {
			return seen, seen, false
		}
	}
}

var quote = []byte{'"'}

// parseRecord splits one record, without its line end, into fields, which are parts of rec: quoted ones are undone in place.
// It reports false when the quoting is broken.
func parseRecord(rec []byte, delim byte, fields [][]byte) ([][]byte, bool) {
	for {
		if len(rec) == 0 || rec[0] != '"' {
			i := bytes.IndexByte(rec, delim)
			if i < 0 {
				return append(fields, rec), true
			}
			fields = append(fields, rec[:i])
			rec = rec[i+1:]
			continue
		}
		rec = rec[1:]
		n := 0 // length of the value so far; it stands at the start of rec
		at := 0
		for {
			i := bytes.IndexByte(rec[at:], '"')
			if i < 0 {
				return fields, false
			}
			if n != at {
				copy(rec[n:], rec[at:at+i])
			}
			n += i
			at += i + 1
			if at < len(rec) && rec[at] == '"' {
				rec[n] = '"'
				n++
				at++
				continue
			}
			break
		}
		fields = append(fields, rec[:n:n])
		if at == len(rec) {
			return fields, true
		}
		if rec[at] != delim {
			return fields, false
		}
		rec = rec[at+1:]
	}
}
