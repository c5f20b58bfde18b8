package plan

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// soqlQuery is what an export must know of a SOQL query; the rest is the org's affair.
type soqlQuery struct {
	object string
	items  []string // of the SELECT list, as they are written
	where  string   // the condition
	tail   string   // what else follows the object: ORDER BY and so on
}

// parseQuery takes a SOQL query apart as far as its object. What no query job answers is refused here, with a reason, where that can be told
// without the org (Bulk API 2.0 guide, SOQL Considerations).
func parseQuery(soql string) (soqlQuery, error) {
	var q soqlQuery
	rest, ok := cutWord(soql, "select")
	if !ok {
		return q, fmt.Errorf("a query begins with SELECT, and an object is one word")
	}
	depth := 0
	item := strings.Builder{}
	end := func() error {
		text := strings.Join(strings.Fields(item.String()), " ")
		item.Reset()
		switch {
		case text == "":
			return fmt.Errorf("SELECT has an empty item")
		case strings.HasPrefix(text, "("):
			return fmt.Errorf("%s: a query job gives no child records; export the child object by itself", text)
		case strings.HasPrefix(strings.ToLower(text), "typeof "):
			return fmt.Errorf("%s: a query job knows no TYPEOF", text)
		case strings.HasPrefix(strings.ToLower(text), "fields("):
			return fmt.Errorf("%s: name the object alone for all of its fields", text)
		case strings.ContainsAny(text, "( "):
			return fmt.Errorf("%s: a query job gives fields, no functions and aliases", text)
		}
		q.items = append(q.items, text)
		return nil
	}
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		if depth == 0 && (i == 0 || isBlank(rest[i-1]) || rest[i-1] == ')') {
			if after, ok := cutWord(rest[i:], "from"); ok {
				if err := end(); err != nil {
					return q, err
				}
				return q, q.from(after)
			}
		}
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			if err := end(); err != nil {
				return q, err
			}
			continue
		}
		item.WriteByte(c)
	}
	return q, fmt.Errorf("the query has no FROM")
}

// from takes the object off what follows FROM.
func (q *soqlQuery) from(text string) error {
	text = strings.TrimSpace(text)
	n := strings.IndexFunc(text, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if n < 0 {
		n = len(text)
	}
	q.object = text[:n]
	rest := strings.TrimSpace(text[n:])
	if !objectName.MatchString(q.object) {
		return fmt.Errorf("FROM %s: one object is to be named", text)
	}
	if len(rest) > 5 && rest[5] == '(' && strings.EqualFold(rest[:5], "where") {
		rest = rest[:5] + " " + rest[5:]
	}
	word := rest
	if i := strings.IndexFunc(word, unicode.IsSpace); i >= 0 {
		word = word[:i]
	}
	if word != "" && !slices.Contains([]string{"where", "order", "limit", "with", "using"}, strings.ToLower(word)) {
		return fmt.Errorf("%s behind FROM %s: a query job knows WHERE, ORDER BY and LIMIT, and no alias", word, q.object)
	}
	if after, ok := cutWord(rest, "where"); ok {
		end := whereEnd(after)
		if q.where, rest = strings.TrimSpace(after[:end]), after[end:]; q.where == "" {
			return fmt.Errorf("WHERE has no condition; write one, or leave it out for all records")
		}
	}
	q.tail = strings.TrimSpace(rest)
	return nil
}

// whereEnd is where a condition ends: at a word that begins another clause, outside of texts and parentheses.
func whereEnd(text string) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case depth == 0 && (i == 0 || isBlank(text[i-1]) || text[i-1] == ')' || text[i-1] == '\''):
			for _, word := range []string{"with", "order", "limit", "offset", "for", "group", "update"} {
				if _, ok := cutWord(text[i:], word); ok && !isBlank(c) {
					return i
				}
			}
		}
	}
	return len(text)
}

// bounded says whether the org must see all rows of the query at once: it then does not divide it by itself, and neither do we.
func (q soqlQuery) bounded() bool {
	for _, word := range strings.Fields(strings.ToLower(q.tail)) {
		if word == "order" || word == "limit" || word == "offset" {
			return true
		}
	}
	return false
}

// scoped says whether something stands between the object and the condition, which is then part of the tail, so that no other can be added.
func (q soqlQuery) scoped() bool {
	_, ok := cutWord(q.tail, "using")
	return ok
}

// cutWord takes a word off the beginning of a text, in any case.
func cutWord(text, word string) (after string, ok bool) {
	text = strings.TrimLeftFunc(text, unicode.IsSpace)
	if len(text) < len(word) || !strings.EqualFold(text[:len(word)], word) {
		return "", false
	}
	after = text[len(word):]
	return after, after == "" || isBlank(after[0])
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
