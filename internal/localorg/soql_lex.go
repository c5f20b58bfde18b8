package localorg

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// tokenKind is what a piece of SOQL is.
type tokenKind byte

const (
	tokenEnd    tokenKind = iota
	tokenWord             // a name, a keyword, or a path with dots
	tokenText             // a quoted string, unescaped
	tokenNumber           // also dates and datetimes, which are not quoted
	tokenSign             // ( ) , = != < <= > >=
)

type token struct {
	kind tokenKind
	text string
	at   int // byte in the query
}

func (t token) is(word string) bool {
	return (t.kind == tokenWord || t.kind == tokenSign) && strings.EqualFold(t.text, word)
}

// lex cuts a query into tokens; the last one is tokenEnd.
func lex(q string) ([]token, error) {
	var list []token
	for i := 0; i < len(q); {
		c := q[i]
		start := i
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case isWordByte(c):
			for i < len(q) && (isWordByte(q[i]) || isDigit(q[i]) || q[i] == '.' || q[i] == ':') {
				i++
			}
			list = append(list, token{tokenWord, q[start:i], start})
		case isDigit(c) || (c == '-' || c == '+') && i+1 < len(q) && isDigit(q[i+1]):
			for i++; i < len(q) && (isDigit(q[i]) || isWordByte(q[i]) || strings.IndexByte(".:+-", q[i]) >= 0); i++ {
			}
			list = append(list, token{tokenNumber, q[start:i], start})
		case c == '\'':
			text, n, err := unquote(q[i:], start)
			if err != nil {
				return nil, err
			}
			i += n
			list = append(list, token{tokenText, text, start})
		case c == '!' || c == '<' || c == '>':
			i++
			if i < len(q) && (q[i] == '=' || c == '<' && q[i] == '>') {
				i++
			}
			sign := q[start:i]
			if sign == "<>" {
				sign = "!="
			}
			if sign == "!" {
				return nil, malformed(start, "unexpected token: '!'")
			}
			list = append(list, token{tokenSign, sign, start})
		case strings.IndexByte("(),=", c) >= 0:
			i++
			list = append(list, token{tokenSign, q[start:i], start})
		default:
			r, _ := utf8.DecodeRuneInString(q[i:])
			return nil, malformed(start, "unexpected token: '%c'", r)
		}
	}
	return append(list, token{tokenEnd, "", len(q)}), nil
}

func isWordByte(c byte) bool {
	return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// unquote reads a string literal with its escapes: \' \" \\ \n \r \t \b \f \uXXXX, and \_ \% which LIKE takes as plain
// characters and which stay as they are here. Any other backslash is an error.
func unquote(s string, at int) (text string, size int, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; c {
		case '\'':
			return b.String(), i + 1, nil
		case '\\':
			i++
			if i == len(s) {
				return "", 0, malformed(at, "a string is not closed")
			}
			switch c := s[i]; c {
			case '\'', '"', '\\':
				b.WriteByte(c)
			case 'n', 'N':
				b.WriteByte('\n')
			case 'r', 'R':
				b.WriteByte('\r')
			case 't', 'T':
				b.WriteByte('\t')
			case 'b', 'B':
				b.WriteByte('\b')
			case 'f', 'F':
				b.WriteByte('\f')
			case '_', '%':
				b.WriteByte('\\')
				b.WriteByte(c)
			case 'u':
				var r rune
				if len(s) < i+5 {
					return "", 0, malformed(at, "invalid unicode escape in a string")
				}
				if _, err := fmt.Sscanf(s[i+1:i+5], "%04x", &r); err != nil {
					return "", 0, malformed(at, "invalid unicode escape in a string")
				}
				b.WriteRune(r)
				i += 4
			default:
				return "", 0, malformed(at, "invalid string escape '\\%c'", c)
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, malformed(at, "a string is not closed")
}

func malformed(at int, format string, args ...any) error {
	return refuse(400, "MALFORMED_QUERY", "%s at position %d", fmt.Sprintf(format, args...), at+1)
}
