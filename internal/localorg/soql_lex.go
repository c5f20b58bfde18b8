package localorg

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
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
	kind    tokenKind
	text    string
	pattern string // of a quoted string: what it means behind LIKE, where \ makes the next character a plain one
	at      int    // byte in the query
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
			list = append(list, token{kind: tokenWord, text: q[start:i], at: start})
		case isDigit(c) || (c == '-' || c == '+') && i+1 < len(q) && isDigit(q[i+1]):
			for i++; i < len(q) && (isDigit(q[i]) || isWordByte(q[i]) || strings.IndexByte(".:+-", q[i]) >= 0); i++ {
			}
			list = append(list, token{kind: tokenNumber, text: q[start:i], at: start})
		case c == '\'':
			t, n, err := unquote(q[i:], start)
			if err != nil {
				return nil, err
			}
			i += n
			list = append(list, t)
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
			list = append(list, token{kind: tokenSign, text: sign, at: start})
		case strings.IndexByte("(),=", c) >= 0:
			i++
			list = append(list, token{kind: tokenSign, text: q[start:i], at: start})
		default:
			r, _ := utf8.DecodeRuneInString(q[i:])
			return nil, malformed(start, "unexpected token: '%c'", r)
		}
	}
	return append(list, token{kind: tokenEnd, at: len(q)}), nil
}

func isWordByte(c byte) bool {
	return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// plainEscapes are what a backslash and a letter stand for.
var plainEscapes = map[rune]string{'\'': "'", '"': `"`, '\\': `\`, 'n': "\n", 'r': "\r", 't': "\t", 'b': "\b", 'f': "\f", '_': "_", '%': "%"}

// unquote reads a string literal with its escapes: \' \" \\ \n \r \t \b \f \uXXXX, and \_ \% which LIKE takes as plain
// characters. Any other backslash is an error. size is how much of s it is.
func unquote(s string, at int) (t token, size int, err error) {
	var text, pattern strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\'':
			return token{kind: tokenText, text: text.String(), pattern: pattern.String(), at: at}, i + 1, nil
		case '\\':
			i++
			if i == len(s) {
				return t, 0, malformed(at, "a string is not closed")
			}
			r, w := utf8.DecodeRuneInString(s[i:])
			if r == 'u' || r == 'U' {
				plain, n, ok := unescape(s[i-1:])
				if !ok {
					return t, 0, malformed(at, "invalid unicode escape in a string")
				}
				text.WriteRune(plain)
				pattern.WriteRune(plain)
				i += n - 2
				continue
			}
			plain, ok := plainEscapes[unicode.ToLower(r)]
			if !ok {
				return t, 0, malformed(at, "invalid string escape '\\%c'", r)
			}
			text.WriteString(plain)
			if plain == "_" || plain == "%" || plain == `\` {
				pattern.WriteByte('\\')
			}
			pattern.WriteString(plain)
			i += w - 1
		default:
			text.WriteByte(s[i])
			pattern.WriteByte(s[i])
		}
	}
	return t, 0, malformed(at, "a string is not closed")
}

// unescape reads \uXXXX, or two of them that make one character beyond the first 65,536. n is how much of s it is.
func unescape(s string) (r rune, n int, ok bool) {
	unit := func(s string) rune {
		if len(s) < 6 || s[0] != '\\' || s[1]|0x20 != 'u' {
			return -1
		}
		x, err := strconv.ParseUint(s[2:6], 16, 16)
		if err != nil {
			return -1
		}
		return rune(x)
	}
	first := unit(s)
	if !utf16.IsSurrogate(first) {
		return first, 6, first >= 0
	}
	r = utf16.DecodeRune(first, unit(s[6:]))
	return r, 12, r != utf8.RuneError
}

func malformed(at int, format string, args ...any) error {
	return refuse(400, "MALFORMED_QUERY", "%s at position %d", fmt.Sprintf(format, args...), at+1)
}
