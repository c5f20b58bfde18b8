package sources

import (
	"bytes"
	"fmt"
)

// Detection reads the complete records of the head with every grammar that could be meant and keeps
// the one under which they agree best on the number of columns. A grammar that was told is not
// questioned. Where another would do as well, a note says so.

// candidates are the delimiters looked for, the more telling first: of two that fit equally well, the
// one that is rarer in ordinary text is meant.
const candidates = "\t|;^`,"

// trial is the outcome of reading the head with one grammar.
type trial struct {
	g            grammar
	header       int // fields of the first record
	columns      int // fields of most records
	records      int // after the header
	agree        int // records that have that many
	bad          int // records with text after a closing quote
	quoted       int // fields that were in quotes, of good records
	open         bool
	lf, crlf, cr int // line endings of records
}

// score goes from 0 to 1: how far the records agree with each other and with the header.
func (t trial) score() float64 {
	if t.header+t.records == 0 {
		return 0
	}
	s := 1.0
	if t.records > 0 {
		s = float64(t.agree) / float64(t.records)
		if t.header != t.columns {
			s /= 2
		}
	}
	if t.open {
		s /= 2
	}
	return s
}

// wrong counts what does not fit.
func (t trial) wrong() int {
	n := t.records - t.agree + t.bad
	if t.header != t.columns && t.records > 0 {
		n++
	}
	if t.open {
		n += t.records/10 + 1
	}
	return n
}

// try reads text, the head of a file, with a grammar. With last, the file ends there.
func try(g grammar, text []byte, last, header bool) trial {
	t := trial{g: g}
	counts := map[int]int{}
	var rec record
	for p := 0; p < len(text); p = rec.next {
		if !g.scan(&rec, text, p, last, 0) {
			// A quote open at the end of the head is no fault unless it has been for long.
			t.open = rec.openAt != none && (last || len(text)-rec.openAt > len(text)/2)
			if t.header == 0 && header {
				t.header = rec.count + 1
			}
			break
		}
		switch ending := text[rec.end:rec.next]; {
		case len(ending) == 2:
			t.crlf++
		case len(ending) == 0:
		case ending[0] == '\n':
			t.lf++
		default:
			t.cr++
		}
		if rec.end == p {
			continue
		}
		if rec.badAt != none {
			t.bad++
		} else {
			t.quoted += rec.quoted
		}
		if t.header == 0 && header {
			t.header = rec.count
			continue
		}
		if rec.badAt != none {
			t.records++
			continue
		}
		t.records++
		counts[rec.count]++
	}
	for n, k := range counts {
		if k > t.agree || k == t.agree && (n == t.header || n < t.columns && t.columns != t.header) {
			t.columns, t.agree = n, k
		}
	}
	if t.records == 0 || t.agree == 0 {
		t.columns = t.header
	}
	if !header {
		t.header = t.columns
	}
	return t
}

// detect decides on the grammar for a head of text.
func detect(text []byte, last bool, opt CSVOptions) (trial, []string, error) {
	var told grammar
	var err error
	if opt.Delimiter != "" {
		if told.delim, err = delimiterByte(opt.Delimiter); err != nil {
			return trial{}, nil, err
		}
	}
	run := func(g grammar) trial {
		g.anyEOL = false
		t := try(g, text, last, !opt.NoHeader)
		if i := bytes.IndexByte(text, '\r'); i < 0 || loneCR(text) == 0 {
			return t
		}
		g.anyEOL = true
		u := try(g, text, last, !opt.NoHeader)
		if u.cr > u.lf+u.crlf || u.cr > 0 && u.score() > t.score() {
			return u
		}
		return t
	}
	best := func(delim byte) trial { return bestQuotes(delim, text, opt, run) }
	if opt.Delimiter != "" {
		t := best(told.delim)
		return t, quoteNotes(t, opt), nil
	}

	single := best(0)
	var first, second trial
	for i := range len(candidates) {
		if bytes.IndexByte(text, candidates[i]) < 0 {
			continue
		}
		t := best(candidates[i])
		switch {
		case t.columns < 2:
		case t.score() > first.score():
			first, second = t, first
		case t.score() > second.score():
			second = t
		}
	}
	var notes []string
	pick := first
	switch {
	case first.columns < 2:
		pick = single
	case first.header < 2:
		pick = single
		notes = append(notes, fmt.Sprintf("the first line is one column, though delimiter '%s' would give %s in %s of the head; if the header stands further down, use --skip-lines, and if '%s' separates, --delimiter",
			delimiterName(first.g.delim), plural(first.columns, "column"), share(first), delimiterName(first.g.delim)))
	case second.columns >= 2 && second.header >= 2 && second.score() >= 0.9*first.score():
		notes = append(notes, fmt.Sprintf("delimiter '%s' would fit nearly as well, with %s; use --delimiter to tell",
			delimiterName(second.g.delim), plural(second.columns, "column")))
	}
	notes = append(notes, quoteNotes(pick, opt)...)
	return pick, notes, nil
}

func share(t trial) string {
	return fmt.Sprintf("%d of %s", t.agree, plural(t.records, "record"))
}

// bestQuotes finds the quote and escape that fit a delimiter. Doubled " is the rule; anything else
// needs evidence.
func bestQuotes(delim byte, text []byte, opt CSVOptions, run func(grammar) trial) trial {
	with := func(quote byte, escape bool) (trial, bool) {
		if quote == delim && quote != 0 {
			return trial{}, false
		}
		if opt.Quote != "" && opt.Quote != quoteName(quote) {
			return trial{}, false
		}
		if opt.Escape != "" && escape != (opt.Escape == `\`) {
			return trial{}, false
		}
		return run(grammar{delim: delim, quote: quote, escape: escape}), true
	}
	either := func(quote byte) (trial, bool) {
		t, ok := with(quote, false)
		if ok && quote != 0 && bytes.Contains(text, []byte{'\\', quote}) || !ok {
			if e, can := with(quote, true); can && (!ok || e.wrong() < t.wrong()) {
				return e, true
			}
		}
		return t, ok
	}
	t, ok := either('"')
	if !ok || t.quoted == 0 {
		if u, can := either('\''); can && (!ok || u.bad == 0 && !u.open && u.score() >= t.score() && 2*u.quoted >= u.records+1) {
			t, ok = u, true
		}
	}
	if !ok || t.bad > 0 || t.open {
		if u, can := either(0); can && (!ok || t.quoted == 0 && t.bad >= 3 && u.score() > t.score()) {
			t = u
		}
	}
	return t
}

func quoteNotes(t trial, opt CSVOptions) []string {
	var notes []string
	switch {
	case opt.Quote != "":
	case t.g.quote == '\'':
		notes = append(notes, "values in '…' are taken as quoted; use --quote to tell")
	case t.g.quote == 0:
		notes = append(notes, `the characters " in it do not pair up as quotes, so they are taken as ordinary text; use --quote to tell`)
	}
	if t.g.escape && opt.Escape == "" {
		notes = append(notes, `quotes inside values are written \" here; use --escape to tell`)
	}
	if t.bad > 0 {
		notes = append(notes, fmt.Sprintf("%s of the head have text after a closing quote and will be rejected", plural(t.bad, "record")))
	}
	return notes
}

// loneCR counts the CRs that no LF follows.
func loneCR(text []byte) int {
	return bytes.Count(text, []byte{'\r'}) - bytes.Count(text, []byte("\r\n"))
}

func (t trial) lineEnding() string {
	switch {
	case t.cr > 0 && t.lf+t.crlf > 0 && t.g.anyEOL:
		return endMixed
	case t.g.anyEOL:
		return endCR
	case t.crlf > 0 && t.lf > 0:
		return endBoth
	case t.crlf > 0:
		return endCRLF
	}
	return endLF
}
