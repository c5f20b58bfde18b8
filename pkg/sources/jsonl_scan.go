package sources

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The kinds of JSON values.
const (
	jsonNull   = 'n'
	jsonString = 's'
	jsonPlain  = 'p' // a number, true or false: as written
	jsonArray  = '['
	jsonObject = '{'
)

// deepest is how far objects and arrays may lie in each other.
const deepest = 500

// jsonScan reads one line that holds an object, by RFC 8259. It calls value for every key, with the path to it; the value of
// a string is its text, of an array its JSON, of an object nothing, since its keys follow. What is handed to value holds until
// the next line.
type jsonScan struct {
	b     []byte
	p     int
	path  []byte
	text  []byte // of strings with escapes
	value func(path []byte, kind byte, text []byte, at int)
	// flaw is called for a string that is right as JSON but no proper text.
	flaw func(rule, what string, at int)
}

// jsonError is where a line stops being JSON.
type jsonError struct {
	at   int
	rule string
	what string
}

func (e *jsonError) Error() string { return e.what }

func (s *jsonScan) wrong(what string, args ...any) error {
	return &jsonError{s.p, RuleNotJSON, fmt.Sprintf(what, args...)}
}

// line scans b, which is valid UTF-8.
func (s *jsonScan) line(b []byte) error {
	s.b, s.p, s.path, s.text = b, 0, s.path[:0], s.text[:0]
	s.space()
	if s.p < len(b) && b[s.p] != '{' {
		start := s.p
		if err := s.skip(0); err != nil {
			return err
		}
		if s.space(); s.p < len(b) {
			return s.wrong("%s after the end of the value", s.here())
		}
		return &jsonError{start, RuleNotObject, fmt.Sprintf("the line is %s, not an object", kindName(b[start]))}
	}
	if err := s.object(0); err != nil {
		return err
	}
	if s.space(); s.p < len(b) {
		return s.wrong("%s after the end of the object", s.here())
	}
	return nil
}

func kindName(c byte) string {
	switch c {
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

func (s *jsonScan) here() string {
	if s.p >= len(s.b) {
		return "the end of the line"
	}
	c, _ := utf8.DecodeRune(s.b[s.p:])
	return fmt.Sprintf("%q", c)
}

func (s *jsonScan) space() {
	for s.p < len(s.b) {
		switch s.b[s.p] {
		case ' ', '\t', '\r', '\n':
			s.p++
		default:
			return
		}
	}
}

// next passes over one of the given characters and blanks around it.
func (s *jsonScan) next(what string, chars string) (byte, error) {
	s.space()
	if s.p < len(s.b) && strings.IndexByte(chars, s.b[s.p]) >= 0 {
		c := s.b[s.p]
		s.p++
		s.space()
		return c, nil
	}
	return 0, s.wrong("%s where %s belongs", s.here(), what)
}

// object scans an object whose keys are columns.
func (s *jsonScan) object(depth int) error {
	if depth > deepest {
		return s.wrong("objects lie in each other more than %d deep", deepest)
	}
	if _, err := s.next("an object", "{"); err != nil {
		return err
	}
	if s.p < len(s.b) && s.b[s.p] == '}' {
		s.p++
		return nil
	}
	stem := len(s.path)
	for {
		at := s.p
		if s.p >= len(s.b) || s.b[s.p] != '"' {
			return s.wrong("%s where a key in double quotes belongs", s.here())
		}
		key, err := s.string()
		if err != nil {
			return err
		}
		if _, err := s.next("a colon", ":"); err != nil {
			return err
		}
		if depth > 0 {
			s.path = append(s.path, '.')
		}
		s.path = append(s.path, key...)
		if err := s.member(at, depth); err != nil {
			return err
		}
		s.path = s.path[:stem]
		c, err := s.next("a comma or }", ",}")
		if err != nil {
			return err
		}
		if c == '}' {
			return nil
		}
	}
}

// member scans the value of a key.
func (s *jsonScan) member(at, depth int) error {
	start := s.p
	var c byte
	if s.p < len(s.b) {
		c = s.b[s.p]
	}
	switch c {
	case '"':
		text, err := s.string()
		if err != nil {
			return err
		}
		s.value(s.path, jsonString, text, at)
		return nil
	case '{':
		s.value(s.path, jsonObject, nil, at)
		return s.object(depth + 1)
	}
	if err := s.skip(depth + 1); err != nil {
		return err
	}
	switch text := s.b[start:s.p]; c {
	case '[':
		s.value(s.path, jsonArray, bytes.TrimRight(text, " \t\r\n"), at)
	case 'n':
		s.value(s.path, jsonNull, nil, at)
	default:
		s.value(s.path, jsonPlain, text, at)
	}
	return nil
}

// skip passes over any value.
func (s *jsonScan) skip(depth int) error {
	if depth > deepest {
		return s.wrong("values lie in each other more than %d deep", deepest)
	}
	if s.p >= len(s.b) {
		return s.wrong("the line ends where a value belongs")
	}
	switch c := s.b[s.p]; {
	case c == '"':
		_, _, err := s.raw()
		return err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	case c == '[' || c == '{':
		end := c + 2 // ] or }
		s.p++
		s.space()
		if s.p < len(s.b) && s.b[s.p] == end {
			s.p++
			return nil
		}
		for {
			if c == '{' {
				if s.p >= len(s.b) || s.b[s.p] != '"' {
					return s.wrong("%s where a key in double quotes belongs", s.here())
				}
				if _, _, err := s.raw(); err != nil {
					return err
				}
				if _, err := s.next("a colon", ":"); err != nil {
					return err
				}
			}
			if err := s.skip(depth + 1); err != nil {
				return err
			}
			got, err := s.next("a comma or "+string(end), ","+string(end))
			if err != nil {
				return err
			}
			if got == end {
				return nil
			}
		}
	}
	return s.wrong("%s where a value belongs", s.here())
}

func (s *jsonScan) word(w string) error {
	if !bytes.HasPrefix(s.b[s.p:], []byte(w)) {
		return s.wrong("%s where a value belongs", s.here())
	}
	s.p += len(w)
	return nil
}

func (s *jsonScan) digits() bool {
	start := s.p
	for s.p < len(s.b) && s.b[s.p] >= '0' && s.b[s.p] <= '9' {
		s.p++
	}
	return s.p > start
}

func (s *jsonScan) number() error {
	if s.b[s.p] == '-' {
		s.p++
	}
	if s.p < len(s.b) && s.b[s.p] == '0' {
		s.p++
	} else if !s.digits() {
		return s.wrong("%s in a number", s.here())
	}
	if s.p < len(s.b) && s.b[s.p] == '.' {
		s.p++
		if !s.digits() {
			return s.wrong("%s in a number", s.here())
		}
	}
	if s.p < len(s.b) && (s.b[s.p] == 'e' || s.b[s.p] == 'E') {
		s.p++
		if s.p < len(s.b) && (s.b[s.p] == '+' || s.b[s.p] == '-') {
			s.p++
		}
		if !s.digits() {
			return s.wrong("%s in a number", s.here())
		}
	}
	return nil
}

// raw passes over a string and returns what is between the quotes, and whether there are escapes in it.
func (s *jsonScan) raw() (text []byte, escapes bool, err error) {
	start := s.p + 1
	for s.p++; s.p < len(s.b); s.p++ {
		switch c := s.b[s.p]; {
		case c == '"':
			text = s.b[start:s.p]
			s.p++
			return text, escapes, nil
		case c == '\\':
			escapes = true
			if s.p+1 >= len(s.b) {
				continue
			}
			s.p++
			if s.b[s.p] == 'u' {
				if _, ok := hex4(s.b[s.p+1:]); !ok {
					return nil, false, s.wrong("\\u without four hexadecimal digits")
				}
			} else if strings.IndexByte(`"\/bfnrt`, s.b[s.p]) < 0 {
				return nil, false, s.wrong("the escape \\%s, which JSON does not have", s.here())
			}
		case c < 0x20:
			return nil, false, s.wrong("the control character %s in a string", s.here())
		}
	}
	s.p = start - 1
	return nil, false, s.wrong("a string is not closed")
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// string passes over a string and returns its text.
func (s *jsonScan) string() ([]byte, error) {
	at := s.p
	raw, escapes, err := s.raw()
	if err != nil || !escapes {
		return raw, err
	}
	start := len(s.text)
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' {
			s.text = append(s.text, c)
			continue
		}
		i++
		switch c := raw[i]; c {
		case 'b':
			s.text = append(s.text, '\b')
		case 'f':
			s.text = append(s.text, '\f')
		case 'n':
			s.text = append(s.text, '\n')
		case 'r':
			s.text = append(s.text, '\r')
		case 't':
			s.text = append(s.text, '\t')
		case 'u':
			r, _ := hex4(raw[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if i+2 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u' {
					low, _ := hex4(raw[i+3:])
					pair = utf16.DecodeRune(r, low)
				}
				if pair == utf8.RuneError {
					s.flaw(RuleInvalidEncoding, fmt.Sprintf("\\u%04x is half of a surrogate pair", r), at)
				} else {
					i += 6
				}
				r = pair
			}
			if r == 0 {
				s.flaw(RuleNULByte, "a NUL character (\\u0000)", at)
			}
			s.text = utf8.AppendRune(s.text, r)
		default:
			s.text = append(s.text, c)
		}
	}
	return s.text[start:len(s.text):len(s.text)], nil
}
