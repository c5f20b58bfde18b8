package transform

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fault is why a value is rejected.
type fault struct{ rule, message string }

// step changes one value that is not empty. out is scratch that it may append to; what it returns may lie there, in text, or
// anywhere that stays as it is.
type step func(out, text []byte) ([]byte, *fault)

// steps makes the steps of a field, in their order. text says that its values come as text.
func (f *Field) steps(zone string, text bool) ([]step, []string) {
	var list []step
	var problems []string
	add := func(s step, err error) {
		if err != nil {
			problems = append(problems, err.Error())
			return
		}
		list = append(list, s)
	}
	if f.Trim {
		add(func(_, text []byte) ([]byte, *fault) { return bytes.TrimSpace(text), nil }, nil)
	}
	if f.Blank && !f.Trim {
		add(func(_, text []byte) ([]byte, *fault) {
			if len(bytes.TrimSpace(text)) == 0 {
				return nil, nil
			}
			return text, nil
		}, nil)
	}
	if f.Case != "" {
		add(caseStep(f.Case))
	}
	for _, r := range f.Replace {
		add(replaceStep(r))
	}
	if f.Split != nil {
		add(splitStep(*f.Split))
	}
	if f.Number != nil {
		add(numberStep(*f.Number))
	}
	if f.Boolean != nil {
		add(booleanStep(*f.Boolean))
	}
	switch {
	case f.Time != nil && len(f.Time.Formats) > 0:
		add(timeStep(*f.Time, f.Kind, zone))
	case text && f.Kind == KindDatetime && zone != "":
		add(isoStep(zone))
	}
	switch {
	case f.List != nil:
		add(listStep(*f.List, f.Map))
	case f.Map != nil:
		add(mapStep(*f.Map))
	}
	if f.Hash != nil {
		add(hashStep(*f.Hash))
	}
	if f.Mask != nil {
		add(maskStep(*f.Mask))
	}
	if f.Truncate < 0 {
		problems = append(problems, fmt.Sprintf("truncate is %d; it is a number of characters", f.Truncate))
	}
	return list, problems
}

func caseStep(c Case) (step, error) {
	switch c {
	case CaseUpper:
		return func(_, text []byte) ([]byte, *fault) { return bytes.ToUpper(text), nil }, nil
	case CaseLower:
		return func(_, text []byte) ([]byte, *fault) { return bytes.ToLower(text), nil }, nil
	case CaseTitle:
		return func(out, text []byte) ([]byte, *fault) {
			inWord := false
			for _, r := range string(text) {
				letter := unicode.IsLetter(r) || unicode.IsDigit(r) || r == '\'' || r == '’'
				switch {
				case letter && !inWord:
					r = unicode.ToTitle(r)
				case letter:
					r = unicode.ToLower(r)
				}
				inWord = letter
				out = utf8.AppendRune(out, r)
			}
			return out, nil
		}, nil
	}
	return nil, fmt.Errorf("unknown case %q: upper, lower or title", c)
}

func replaceStep(r Replace) (step, error) {
	re, err := regexp.Compile(r.Find)
	if err != nil {
		return nil, fmt.Errorf("replace: %w", err)
	}
	if r.Find == "" {
		return nil, fmt.Errorf("replace: find is empty")
	}
	with := []byte(r.With)
	return func(_, text []byte) ([]byte, *fault) { return re.ReplaceAll(text, with), nil }, nil
}

func splitStep(s Split) (step, error) {
	if s.By == "" || s.Part == 0 {
		return nil, fmt.Errorf("split needs what stands between the parts, and the number of a part, from 1 or from -1 backwards")
	}
	by := []byte(s.By)
	return func(_, text []byte) ([]byte, *fault) {
		parts := bytes.Split(text, by)
		i := s.Part - 1
		if s.Part < 0 {
			i = len(parts) + s.Part
		}
		if i < 0 || i >= len(parts) {
			return nil, nil
		}
		return parts[i], nil
	}, nil
}

// numberStep reads digits with marks: [+-] groups [decimal digits] [exponent]. Groups after the first have three digits.
func numberStep(n Number) (step, error) {
	decimal, thousands := n.Decimal, n.Thousands
	if decimal == "" {
		decimal = "."
	}
	switch {
	case decimal == thousands:
		return nil, fmt.Errorf("number: the marks for decimals and thousands are the same")
	case strings.ContainsAny(decimal+thousands, "0123456789+-eE"):
		return nil, fmt.Errorf("number: a mark is no digit, sign or e")
	}
	bad := func(text []byte) *fault {
		return &fault{RuleNumber, fmt.Sprintf("%s is not a number with the decimal mark %q%s", show(text), decimal, marks(thousands))}
	}
	return func(out, text []byte) ([]byte, *fault) {
		rest := string(bytes.TrimSpace(text))
		if rest != "" && (rest[0] == '-' || rest[0] == '+') {
			if rest[0] == '-' {
				out = append(out, '-')
			}
			rest = rest[1:]
		}
		whole, fraction, hasFraction := strings.Cut(rest, decimal)
		exponent := ""
		last := &whole
		if hasFraction {
			last = &fraction
		}
		if i := strings.IndexAny(*last, "eE"); i >= 0 {
			exponent, *last = (*last)[i+1:], (*last)[:i]
			sign := strings.TrimLeft(exponent, "+-")
			if len(exponent)-len(sign) > 1 || !isDigits(sign) {
				return nil, bad(text)
			}
		}
		if thousands != "" && strings.Contains(whole, thousands) {
			groups := strings.Split(whole, thousands)
			for i, g := range groups {
				if !isDigits(g) || i > 0 && len(g) != 3 || len(g) > 3 {
					return nil, bad(text)
				}
			}
			whole = strings.Join(groups, "")
		}
		if whole == "" && fraction == "" || whole != "" && !isDigits(whole) || hasFraction && fraction != "" && !isDigits(fraction) {
			return nil, bad(text)
		}
		if whole == "" {
			whole = "0"
		}
		out = append(out, whole...)
		if fraction != "" {
			out = append(append(out, '.'), fraction...)
		}
		if exponent != "" {
			out = append(append(out, 'e'), exponent...)
		}
		return out, nil
	}, nil
}

func marks(thousands string) string {
	if thousands == "" {
		return " and none for thousands"
	}
	return fmt.Sprintf(" and %q for thousands", thousands)
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return s != ""
}

func booleanStep(b Boolean) (step, error) {
	words := map[string][]byte{}
	for _, set := range []struct {
		words []string
		value string
	}{{b.True, "true"}, {b.False, "false"}} {
		for _, w := range set.words {
			w = strings.ToLower(w)
			if old, ok := words[w]; ok && string(old) != set.value {
				return nil, fmt.Errorf("boolean: %q means true and false", w)
			}
			words[w] = []byte(set.value)
		}
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("boolean: no words are given")
	}
	return func(_, text []byte) ([]byte, *fault) {
		v, ok := words[string(text)]
		if !ok { // in another case
			v, ok = words[strings.ToLower(string(text))]
		}
		if ok {
			return v, nil
		}
		return nil, &fault{RuleBoolean, fmt.Sprintf("%s means neither true (%s) nor false (%s)", show(text), strings.Join(b.True, ", "), strings.Join(b.False, ", "))}
	}, nil
}

func mapStep(m Map) (step, error) {
	look, err := m.lookup()
	if err != nil {
		return nil, err
	}
	return func(_, text []byte) ([]byte, *fault) { return look(text) }, nil
}

// lookup gives the value for a value.
func (m Map) lookup() (func([]byte) ([]byte, *fault), error) {
	if len(m.Values) == 0 {
		return nil, fmt.Errorf("map: it holds no values")
	}
	if !slices.Contains([]Missing{MissingError, MissingKeep, MissingEmpty}, m.Missing) {
		return nil, fmt.Errorf("map: unknown way for missing values %q: error, keep or empty", m.Missing)
	}
	values := map[string][]byte{}
	for k, v := range m.Values {
		if m.Fold {
			if old, ok := values[Fold(k)]; ok && string(old) != v {
				return nil, fmt.Errorf("map: %q stands for %q and for %q when case does not matter", k, old, v)
			}
			k = Fold(k)
		}
		values[k] = []byte(v)
	}
	where := "the map"
	if m.From != "" {
		where = m.From
	}
	return func(text []byte) ([]byte, *fault) {
		v, ok := values[string(text)]
		if m.Fold {
			v, ok = values[Fold(string(text))]
		}
		switch {
		case ok:
			return v, nil
		case m.Missing == MissingKeep:
			return text, nil
		case m.Missing == MissingEmpty:
			return nil, nil
		}
		return nil, &fault{RuleMap, fmt.Sprintf("%s is not in %s", show(text), where)}
	}, nil
}

func listStep(l List, m *Map) (step, error) {
	if l.Split == "" {
		return nil, fmt.Errorf("list: say what stands between the values, as in split: \",\"")
	}
	look := func(text []byte) ([]byte, *fault) { return text, nil }
	if m != nil {
		var err error
		if look, err = m.lookup(); err != nil {
			return nil, err
		}
	}
	return func(out, text []byte) ([]byte, *fault) {
		var seen []string
		for item := range bytes.SplitSeq(text, []byte(l.Split)) {
			if item = bytes.TrimSpace(item); len(item) == 0 {
				continue
			}
			v, bad := look(item)
			switch {
			case bad != nil:
				return nil, bad
			case bytes.IndexByte(v, ';') >= 0:
				return nil, &fault{RuleMap, fmt.Sprintf("%s holds a semicolon, which parts the values of a multi-select picklist", show(v))}
			case len(v) == 0 || slices.Contains(seen, string(v)):
				continue
			}
			if len(seen) > 0 {
				out = append(out, ';')
			}
			out = append(out, v...)
			seen = append(seen, string(v))
		}
		return out, nil
	}, nil
}

func hashStep(h Hash) (step, error) {
	switch {
	case h.Key == "":
		return nil, fmt.Errorf("hash: the key is empty; set the environment variable %s", h.KeyEnv)
	case h.Length < 0 || h.Length > 64:
		return nil, fmt.Errorf("hash: length is %d; it is from 1 to 64 hex digits", h.Length)
	}
	length := h.Length
	if length == 0 {
		length = 64
	}
	key := []byte(h.Key)
	return func(out, text []byte) ([]byte, *fault) {
		var mac hash.Hash = hmac.New(sha256.New, key)
		mac.Write(text)
		return hex.AppendEncode(out, mac.Sum(nil))[:len(out)+length], nil
	}, nil
}

func maskStep(m Mask) (step, error) {
	if m.Keep < 0 {
		return nil, fmt.Errorf("mask: keep is %d; it is a number of characters", m.Keep)
	}
	with := m.With
	if with == "" {
		with = "*"
	}
	return func(out, text []byte) ([]byte, *fault) {
		hide := utf8.RuneCount(text) - m.Keep
		for i := range string(text) {
			if hide <= 0 {
				return append(out, text[i:]...), nil
			}
			hide--
			out = append(out, with...)
		}
		return out, nil
	}, nil
}

// truncate cuts a text to a number of UTF-16 units, never inside a character.
func truncate(text []byte, most int) ([]byte, bool) {
	if len(text) <= most {
		return text, false
	}
	units := 0
	for i, r := range string(text) {
		n := 1
		if r > 0xFFFF {
			n = 2
		}
		if units += n; units > most {
			return text[:i], true
		}
	}
	return text, false
}

// show quotes a value for a message; a long one is cut.
func show(text []byte) string {
	const most = 60
	if r := []rune(string(text)); len(r) > most {
		return fmt.Sprintf("%q…", string(r[:most]))
	}
	return fmt.Sprintf("%q", text)
}
