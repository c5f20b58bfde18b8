package transform

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

const (
	dateForm     = time.DateOnly
	datetimeForm = "2006-01-02T15:04:05.000Z"
	timeForm     = "15:04:05.000Z"
)

// timeStep reads a date or time.
func timeStep(t Time, kind Kind, zone string) (step, error) {
	var layouts []layout
	zoned := true // every format names the zone
	for _, f := range t.Formats {
		l, err := parseLayout(f)
		if err != nil {
			return nil, err
		}
		layouts = append(layouts, l)
		zoned = zoned && l.zone
	}
	if t.Timezone != "" {
		zone = t.Timezone
	}
	if zone == "" && !zoned && kind == KindDatetime {
		return nil, fmt.Errorf("the times name no timezone; say timezone: Europe/Berlin, or whose they are")
	}
	into := t.Into
	if into == "" {
		into = zone
	}
	from, err := location(zone)
	if err != nil {
		return nil, err
	}
	to, err := location(into)
	if err != nil {
		return nil, err
	}
	days, shift, err := parseShift(t.Shift)
	if err != nil {
		return nil, err
	}
	if t.Ambiguous != "" && t.Ambiguous != "first" && t.Ambiguous != "last" {
		return nil, fmt.Errorf("unknown way for times that come twice %q: first or last", t.Ambiguous)
	}
	return func(out, text []byte) ([]byte, *fault) {
		for _, l := range layouts {
			at, err := time.Parse(l.text, string(text)) // what names no zone is read as if in UTC: a wall clock
			if err != nil {
				continue
			}
			moved := l.clock && (l.zone || into != zone)
			if !l.zone && (kind == KindDatetime || kind == KindDate && moved) {
				var bad *fault
				if at, bad = settle(at, from, t.Ambiguous, text); bad != nil {
					return nil, bad
				}
			}
			if days != 0 { // by the calendar; it would also choose anew between two times
				at = at.AddDate(0, 0, days)
			}
			at = at.Add(shift)
			if kind != KindTime && (at.Year() < 1700 || at.Year() > 4000) { // Salesforce's calendar
				return nil, &fault{RuleTime, fmt.Sprintf("%s lies outside the years 1700 to 4000", show(text))}
			}
			return appendTime(out, at, kind, moved, to), nil
		}
		return nil, &fault{RuleTime, fmt.Sprintf("%s does not fit %s", show(text), strings.Join(t.Formats, " or "))}
	}, nil
}

// isoStep gives times that are written as 2026-01-31T12:00:00 or 2026-01-31 12:00:00 the zone in which they are meant. Everything
// else stays as it is, for the org to judge.
func isoStep(zone string) (step, error) {
	loc, err := location(zone)
	if err != nil {
		return nil, err
	}
	return func(out, text []byte) ([]byte, *fault) {
		for _, form := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
			at, err := time.Parse(form, string(text))
			if err != nil {
				continue
			}
			at, bad := settle(at, loc, "", text)
			if bad != nil {
				return nil, bad
			}
			return at.UTC().AppendFormat(out, datetimeForm), nil
		}
		return text, nil
	}, nil
}

// appendTime writes a time as the kind of the target has it. moved says that a date is that of the clock in another zone.
func appendTime(out []byte, at time.Time, kind Kind, moved bool, to *time.Location) []byte {
	switch kind {
	case KindDatetime:
		return at.UTC().AppendFormat(out, datetimeForm)
	case KindTime:
		return at.AppendFormat(out, timeForm)
	}
	if moved {
		at = at.In(to)
	}
	return at.AppendFormat(out, dateForm)
}

func location(zone string) (*time.Location, error) {
	if zone == "" {
		return time.UTC, nil
	}
	l, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return nil, fmt.Errorf("unknown timezone %q; write it as in Europe/Berlin or UTC", zone)
	}
	return l, nil
}

// settle finds the instant that a wall clock means: none when the clock was set forward over it, two when it was set back.
func settle(at time.Time, zone *time.Location, ambiguous string, text []byte) (time.Time, *fault) {
	if zone == time.UTC {
		return at, nil
	}
	wall := time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
	var found [2]time.Time
	n := 0
	_, before := wall.Add(-24 * time.Hour).In(zone).Zone()
	_, after := wall.Add(24 * time.Hour).In(zone).Zone()
	for i, offset := range [...]int{max(before, after), min(before, after)} { // the larger offset is the earlier instant
		if i > 0 && before == after {
			break
		}
		t := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		if _, is := t.Zone(); is == offset {
			found[n] = t
			n++
		}
	}
	switch {
	case n == 1 || n > 1 && ambiguous == "first":
		return found[0], nil
	case n > 1 && ambiguous == "last":
		return found[1], nil
	case n > 1:
		return at, &fault{RuleAmbiguous, fmt.Sprintf("%s came twice in %s, when clocks were set back; say ambiguous: first or last", show(text), zone)}
	}
	return at, &fault{RuleNoSuchTime, fmt.Sprintf("%s was never shown by a clock in %s, since clocks were set forward", show(text), zone)}
}

// parseShift reads 1h30m, -2d or 1d12h.
func parseShift(s string) (days int, rest time.Duration, err error) {
	if s == "" {
		return 0, 0, nil
	}
	sign, text := 1, s
	if t, ok := strings.CutPrefix(s, "-"); ok {
		sign, text = -1, t
	}
	if before, after, ok := strings.Cut(text, "d"); ok {
		if _, err := fmt.Sscanf(before, "%d", &days); err != nil || !isDigits(before) || days > 1_000_000 {
			return 0, 0, fmt.Errorf("shift %q is not a length of time such as 1h30m or -2d", s)
		}
		text = after
	}
	if text != "" {
		if rest, err = time.ParseDuration(text); err != nil || rest < 0 {
			return 0, 0, fmt.Errorf("shift %q is not a length of time such as 1h30m or -2d", s)
		}
	}
	return sign * days, time.Duration(sign) * rest, nil
}

// layout is a format of dates and times, in Go's own terms.
type layout struct {
	text        string
	zone, clock bool
}

// tokens of formats, longest first where one begins another.
var layoutTokens = []struct{ pattern, layout string }{
	{"yyyy", "2006"}, {"yy", "06"}, {"MMMM", "January"}, {"MMM", "Jan"}, {"MM", "01"}, {"M", "1"}, {"dd", "02"}, {"d", "2"},
	{"EEEE", "Monday"}, {"EEE", "Mon"}, {"HH", "15"}, {"H", "15"}, {"hh", "03"}, {"h", "3"}, {"mm", "04"}, {"ss", "05"}, {"a", "PM"},
	{"XXX", "Z07:00"}, {"XX", "Z0700"}, {"X", "Z07"},
}

func parseLayout(format string) (layout, error) {
	var l layout
	var b strings.Builder
	bad := func(what string) (layout, error) {
		return layout{}, fmt.Errorf("format %q: %s; there can be yyyy yy MMMM MMM MM M dd d EEEE EEE HH H hh h mm ss SSS a XXX XX X, and text in '…'", format, what)
	}
	literal := func(text string) error {
		for _, r := range text {
			if unicode.IsDigit(r) || r == '_' { // Go's layouts would read it as a part of a date
				return fmt.Errorf("the text %q holds a digit or _", text)
			}
		}
		b.WriteString(text)
		return nil
	}
	has := map[byte]bool{}
next:
	for rest := format; rest != ""; {
		if rest[0] == '\'' {
			text, after, ok := strings.Cut(rest[1:], "'")
			if !ok {
				return bad("a ' is not closed")
			}
			if text == "" {
				text = "'"
			}
			if text == "Z" && after == "" { // UTC, which is a zone, not a letter
				b.WriteString("Z07:00")
				has['X'] = true
				break
			}
			if isLayoutWord(text) {
				return bad(fmt.Sprintf("the text %q reads like a part of a date", text))
			}
			if err := literal(text); err != nil {
				return bad(err.Error())
			}
			rest = after
			continue
		}
		if n := len(rest) - len(strings.TrimLeft(rest, "S")); n > 0 {
			s := b.String()
			if n > 9 || s == "" || s[len(s)-1] != '.' && s[len(s)-1] != ',' {
				return bad("SSS stands behind a point, as in ss.SSS")
			}
			b.WriteString(strings.Repeat("0", n))
			rest = rest[n:]
			continue
		}
		for _, t := range layoutTokens {
			if after, ok := strings.CutPrefix(rest, t.pattern); ok {
				b.WriteString(t.layout)
				has[t.pattern[0]] = true
				rest = after
				continue next
			}
		}
		r := []rune(rest)[0]
		if unicode.IsLetter(r) {
			return bad(fmt.Sprintf("%q is not known", string(r)))
		}
		if err := literal(string(r)); err != nil {
			return bad(err.Error())
		}
		rest = rest[len(string(r)):]
	}
	l.text, l.zone, l.clock = b.String(), has['X'], has['H'] || has['h']
	switch {
	case has['h'] != has['a']:
		return bad("hh and a go together")
	case !l.clock && (!has['y'] || !has['M'] || !has['d']):
		return bad("it names neither a whole date nor a time")
	}
	return l, nil
}

// isLayoutWord is true for words that mean something in Go's layouts.
func isLayoutWord(text string) bool {
	for _, w := range []string{"Jan", "Mon", "MST", "PM", "pm", "Z"} {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}
