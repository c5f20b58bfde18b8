package localorg

import (
	"unicode"
	"unicode/utf8"
)

// pattern is what stands behind LIKE: characters in lower case, and the two wildcards.
type pattern []rune

const (
	anyOne  = -1 // _
	anyMany = -2 // %
)

// newPattern reads a pattern in which \ makes the next character a plain one.
func newPattern(text string) pattern {
	var p pattern
	plain := false
	for _, r := range text {
		switch {
		case r == '\\' && !plain:
			plain = true
			continue
		case r == '_' && !plain:
			r = anyOne
		case r == '%' && !plain:
			r = anyMany
		default:
			r = unicode.ToLower(r)
		}
		p = append(p, r)
		plain = false
	}
	return p
}

// fits is true when the pattern covers the whole text. A later % is tried anew from where the last one stood, never an
// earlier one, so that the time is bounded by the product of the lengths.
func (p pattern) fits(text []byte) bool {
	i, at := 0, 0
	many, from := -1, 0 // the last % and where the text went on behind it
	for i < len(text) {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case at < len(p) && p[at] == anyMany:
			many, from = at, i
			at++
		case at < len(p) && (p[at] == anyOne || p[at] == unicode.ToLower(r)):
			i += size
			at++
		case many >= 0:
			_, size = utf8.DecodeRune(text[from:])
			from += size
			i, at = from, many+1
		default:
			return false
		}
	}
	for at < len(p) && p[at] == anyMany {
		at++
	}
	return at == len(p)
}
