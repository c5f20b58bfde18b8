package localorg

import (
	"bytes"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

func itoa(n int) string { return strconv.Itoa(n) }

// A value is stored as text in one form per kind, so that equal values are equal bytes:
//
//	text, picklist    as it came
//	int               digits, "-" when negative
//	double            shortest decimal without exponent, cut to the field's scale
//	boolean           true or false
//	date              2006-01-02
//	datetime          2006-01-02T15:04:05Z, in UTC; whole seconds
//	time              15:04:05.000Z
//	id, reference     18 characters
//	base64            MD5 and size of the file, see file.go
//
// parse reads a cell of a CSV file in the forms that Salesforce documents. ok is false when the text is not of the
// field's type at all ("Failed to deserialize"). problem is the row error of a value of the right type that the
// field does not take. References are not looked up here. The value may share memory with text.
func (f *field) parse(text []byte) (value []byte, problem *rowFault, ok bool) {
	switch f.kind {
	case kindBool:
		v, ok := parseBool(text)
		return v, nil, ok
	case kindInt, kindDouble:
		return f.parseNumber(text)
	case kindDate:
		d := text
		if len(d) == 11 && d[10] == 'Z' { // the guide's sample file has it
			d = d[:10]
		}
		y, ok := parseDate(d)
		if ok && (y < 1700 || y > 4000) {
			return nil, errDate(f, text), true
		}
		return d, nil, ok
	case kindDatetime:
		t, ok := parseDatetime(text)
		if ok && (t.Year() < 1700 || t.Year() > 4000) {
			return nil, errDate(f, text), true
		}
		if !ok {
			return nil, nil, false
		}
		return t.AppendFormat(make([]byte, 0, 20), datetimeForm), nil, true
	case kindTime:
		t, err := time.Parse("15:04:05.999Z", string(text))
		return t.AppendFormat(nil, "15:04:05.000Z"), nil, err == nil
	case kindFile:
		return text, nil, fileMark.Match(text)
	case kindPicklist:
		if f.values != nil && !f.values[string(text)] {
			return nil, errPicklist(f, text), true
		}
	case kindMulti:
		if f.values != nil {
			for v := range bytes.SplitSeq(text, []byte{';'}) {
				if !f.values[string(v)] {
					return nil, errPicklist(f, v), true
				}
			}
		}
	case kindEmail:
		if !isEmail(text) {
			return nil, errEmail(f, text), true
		}
	case kindID, kindReference:
		id, ok := parseID(text)
		if !ok {
			return nil, errIDType(f, text), true
		}
		return id.append(make([]byte, 0, 18)), nil, true
	}
	if f.Length > 0 && len(text) > f.Length && utf16Len(text) > f.Length {
		return nil, errTooLong(f, text), true
	}
	return text, nil, true
}

const datetimeForm = "2006-01-02T15:04:05Z"

// utf16Len is the length in UTF-16 units, in which Salesforce counts.
func utf16Len(s []byte) int {
	n := 0
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			i++
			n++
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		if r > 0xFFFF {
			n++
		}
		n++
		i += size
	}
	return n
}

var valueTrue, valueFalse = []byte("true"), []byte("false")

func parseBool(text []byte) ([]byte, bool) {
	switch len(text) {
	case 1:
		switch text[0] {
		case '1':
			return valueTrue, true
		case '0':
			return valueFalse, true
		}
	case 4:
		return valueTrue, bytes.EqualFold(text, valueTrue)
	case 5:
		return valueFalse, bytes.EqualFold(text, valueFalse)
	}
	return nil, false
}

// isDecimal is true for plain or scientific notation: no grouping, no blanks, no hexadecimal, no infinity.
func isDecimal(text []byte) bool {
	i, digits := 0, 0
	if i < len(text) && (text[i] == '-' || text[i] == '+') {
		i++
	}
	for ; i < len(text) && text[i]-'0' <= 9; i++ {
		digits++
	}
	if i < len(text) && text[i] == '.' {
		for i++; i < len(text) && text[i]-'0' <= 9; i++ {
			digits++
		}
	}
	if digits == 0 {
		return false
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		i++
		if i < len(text) && (text[i] == '-' || text[i] == '+') {
			i++
		}
		start := i
		for ; i < len(text) && text[i]-'0' <= 9; i++ {
		}
		if i == start {
			return false
		}
	}
	return i == len(text)
}

func (f *field) parseNumber(text []byte) (value []byte, problem *rowFault, ok bool) {
	if !isDecimal(text) {
		return nil, nil, false
	}
	x, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsInf(x, 0) {
		return nil, errRange(f, string(text)), true
	}
	s := strconv.AppendFloat(make([]byte, 0, 24), x, 'f', -1, 64)
	scale := f.Scale
	if f.kind == kindInt {
		scale = 0
	}
	// Digits beyond the scale are dropped, not rounded.
	if dot := bytes.IndexByte(s, '.'); dot >= 0 && len(s)-dot-1 > scale {
		s = s[:dot+1+scale]
		s = bytes.TrimRight(s, "0")
		s = bytes.TrimSuffix(s, []byte{'.'})
	}
	if string(s) == "-0" {
		s = s[1:]
	}
	room := f.Precision - f.Scale
	if f.kind == kindInt {
		room = f.Digits
	}
	whole := len(s)
	if dot := bytes.IndexByte(s, '.'); dot >= 0 {
		whole = dot
	}
	if s[0] == '-' {
		whole--
	}
	if room > 0 && whole > room {
		return nil, errRange(f, string(s)), true
	}
	return s, nil, true
}

// parseDate checks yyyy-MM-dd and gives the year.
func parseDate(s []byte) (year int, ok bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	y, ok1 := digits(s[:4])
	m, ok2 := digits(s[5:7])
	d, ok3 := digits(s[8:])
	if !ok1 || !ok2 || !ok3 || m < 1 || m > 12 || d < 1 || d > 31 {
		return 0, false
	}
	if d > 28 && d > time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return 0, false
	}
	return y, true
}

// parseDatetime reads yyyy-MM-ddTHH:mm:ss[.SSS](Z or ±HH:mm) and cuts it to whole seconds in UTC.
func parseDatetime(s []byte) (time.Time, bool) {
	t, err := time.Parse("2006-01-02T15:04:05.999999999Z07:00", string(s))
	if err != nil || bytes.IndexByte(s, ',') >= 0 {
		return time.Time{}, false
	}
	return t.UTC().Truncate(time.Second), true
}

func digits(s []byte) (n int, ok bool) {
	for _, c := range s {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// isEmail is true for local@domain.tld with the characters that mail addresses are made of. The org's own rule is not
// documented; this one is close to RFC 5322 without comments and quotes.
func isEmail(s []byte) bool {
	at := bytes.LastIndexByte(s, '@')
	if at <= 0 || at == len(s)-1 || bytes.IndexByte(s[:at], '@') >= 0 {
		return false
	}
	local, domain := s[:at], s[at+1:]
	for i, c := range local {
		switch {
		case c <= ' ' || c == 0x7f || bytes.IndexByte([]byte(`()<>[]:;,\"`), c) >= 0:
			return false
		case c == '.' && (i == 0 || i == len(local)-1 || local[i-1] == '.'):
			return false
		}
	}
	labels := 0
	for label := range bytes.SplitSeq(domain, []byte{'.'}) {
		labels++
		if len(label) == 0 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range label {
			if c < utf8.RuneSelf && c != '-' && c-'0' > 9 && (c|0x20)-'a' > 'z'-'a' {
				return false
			}
		}
	}
	return labels >= 2
}
