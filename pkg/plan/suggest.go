package plan

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// longestWord is the length in characters of the longest word for which a better one is looked for.
const longestWord = 80

// didYouMean ends a message with the candidate that was probably meant, if there is one.
func didYouMean(word string, candidates []string) string {
	if best := closest(word, candidates); best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return ""
}

// closest returns the candidate that word most resembles, "" when none does. Case, blanks, underscores, hyphens and the
// ending of custom names do not count.
func closest(word string, candidates []string) string {
	w := bare(word)
	if len(w) == 0 || len(w) > longestWord {
		return ""
	}
	best, least := "", len(w)/3+1 // one edit in three characters is still a slip
	for _, c := range candidates {
		if utf8.RuneCountInString(c) > longestWord {
			continue
		}
		if d := distance(w, bare(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

var dividers = strings.NewReplacer("_", "", "-", "", " ", "")

func bare(s string) []rune {
	s = strings.ToLower(strings.TrimSpace(s))
	s = strings.TrimSuffix(strings.TrimSuffix(s, "__c"), "__r")
	return []rune(dividers.Replace(s))
}

// distance is the number of characters to insert, delete, replace or swap with their neighbour.
func distance(a, b []rune) int {
	before, last, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range a {
		next[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(last[j]+cost, last[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, last, next = last, next, before
	}
	return last[len(b)]
}
