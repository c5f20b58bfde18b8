package transform

import (
	"strings"
	"unicode"
)

// Fold gives texts that differ in nothing but case the same form: those that strings.EqualFold takes for equal, and no others. Lower
// case will not do: ς and σ are the same letter, while İ is not i.
func Fold(text string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, text)
}
