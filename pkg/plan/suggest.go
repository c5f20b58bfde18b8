package plan

import (
	"fmt"
	"slices"
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

// closest returns the candidate that word most resembles, "" when none does.
func closest(word string, candidates []string) string {
	if near := nearest(word, candidates); len(near) > 0 {
		return near[0]
	}
	return ""
}

// nearest returns the candidates that word resembles, the most alike first. What bare leaves out does not count.
func nearest(word string, candidates []string) []string {
	w := bare(word)
	if len(w) == 0 || len(w) > longestWord {
		return nil
	}
	far := map[string]int{}
	var near []string
	for _, c := range candidates {
		if _, known := far[c]; known || utf8.RuneCountInString(c) > longestWord {
			continue
		}
		if d := distance(w, bare(c)); d <= len(w)/3 { // one edit in three characters is still a slip
			far[c] = d
			near = append(near, c)
		}
	}
	slices.SortStableFunc(near, func(a, b string) int { return far[a] - far[b] })
	return near
}

var dividers = strings.NewReplacer("_", "", "-", "", " ", "")

// bare is the form of a name without case, blanks, underscores, hyphens, and the ending and the namespace of custom names.
func bare(s string) []rune {
	s = strings.ToLower(strings.TrimSpace(s))
	for _, ending := range []string{"__c", "__r", "__pc"} {
		if name, custom := strings.CutSuffix(s, ending); custom {
			if _, own, spaced := strings.Cut(name, "__"); spaced {
				name = own
			}
			s = name
			break
		}
	}
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
