package sources

import "bytes"

// grammar says how characters make up records and fields. Text given to it is UTF-8.
type grammar struct {
	delim  byte // 0: one column, nothing separates
	quote  byte // 0: none
	escape bool // a backslash takes the meaning from the delimiter, quote, backslash or line break after it
	anyEOL bool // a lone CR ends a line, too; otherwise LF does, and a CR before it belongs to it
}

// span is a field within the text, without its quotes.
type span struct {
	start, end int
	quoted     bool
	undo       bool // holds doubled quotes or escapes
}

// record is what scan found. It is used again for the next one.
type record struct {
	fields []span
	quoted int // fields in quotes
	count  int // fields, also those beyond the limit, which are not kept
	end    int // end of the text, line ending left out; where scan stood if it did not find the end
	next   int // start of the next line
	lines  int // physical lines it takes
	badAt  int // text after a closing quote, or none
	openAt int // a quote that is not closed, or none
}

func (r *record) add(s span, limit int) {
	if r.count < limit {
		r.fields = append(r.fields, s)
	}
	r.count++
	if s.quoted {
		r.quoted++
	}
}

// scan reads the record that begins at b[p]. With last, b ends where the split ends. It returns
// false when b does not hold the end of the record; openAt then tells whether it ends inside
// quotes. At most limit fields are kept. A record with badAt set ends with the line of that place.
func (g *grammar) scan(rec *record, b []byte, p int, last bool, limit int) bool {
	rec.fields = rec.fields[:0]
	rec.count, rec.quoted, rec.lines, rec.badAt, rec.openAt, rec.next = 0, 0, 1, none, none, 0
	eol, next, ok := g.line(b, p, last)
	for {
		rec.end = p
		if g.quote != 0 && p < len(b) && b[p] == g.quote {
			s, closed := g.quotedField(b, p, last)
			if !closed {
				rec.openAt = p
				return false
			}
			if ok && s.end > eol { // else there is no line break in it
				rec.lines += g.breaks(b[s.start:s.end])
				eol, next, ok = g.line(b, s.end+1, last)
			}
			rec.add(s, limit)
			p = s.end + 1
			rec.end = p
			separated := p < len(b) && b[p] == g.delim && g.delim != 0
			switch {
			case !ok && !separated:
				return false
			case ok && !separated && p < eol:
				rec.badAt = p
				p = eol
			}
		} else if !ok {
			return false
		} else if g.escape {
			var s span
			if s, eol, next, ok = g.escapedField(rec, b, p, eol, next, last); !ok {
				return false
			}
			rec.add(s, limit)
			p = s.end
		} else {
			p = g.plainFields(rec, b, p, eol, limit)
		}
		if ok && p >= eol {
			rec.end, rec.next = eol, next
			return true
		}
		p++ // the delimiter
	}
}

// plainFields adds the fields from p on until one in quotes or the end of the line follows, and returns
// where the last of them ends.
func (g *grammar) plainFields(rec *record, b []byte, p, eol, limit int) int {
	start := p
	if g.delim != 0 {
		for i := p; i < eol; i += 8 {
			for hits := matches(word(b, i), g.delim); hits != 0; hits &= hits - 1 {
				at := i + firstMatch(hits)
				if at >= eol {
					break
				}
				rec.add(span{start: start, end: at}, limit)
				start = at + 1
				if start < eol && b[start] == g.quote && g.quote != 0 {
					return at
				}
			}
		}
	}
	rec.add(span{start: start, end: eol}, limit)
	return eol
}

// quotedField finds the end of the field whose opening quote is at b[p].
func (g *grammar) quotedField(b []byte, p int, last bool) (s span, closed bool) {
	s.start, s.quoted = p+1, true
	for i := s.start; ; {
		if g.escape {
			for i < len(b) && b[i] != g.quote {
				if b[i] == '\\' {
					s.undo = true
					i++
				}
				i++
			}
			if i >= len(b) {
				return s, false
			}
		} else {
			if i = indexFrom(b, i, g.quote); i < 0 {
				return s, false
			}
		}
		switch {
		case i+1 < len(b) && b[i+1] == g.quote:
			s.undo = true
			i += 2
		case i+1 == len(b) && !last: // it may be doubled
			return s, false
		default:
			s.end = i
			return s, true
		}
	}
}

// escapedField reads an unquoted field in which a backslash may hide the delimiter or a line break.
func (g *grammar) escapedField(rec *record, b []byte, p, eol, next int, last bool) (s span, e, n int, ok bool) {
	s.start = p
	for p < eol {
		switch c := b[p]; {
		case c == g.delim && g.delim != 0:
			s.end = p
			return s, eol, next, true
		case c == '\\' && p+1 < eol:
			s.undo = true
			p += 2
		case c == '\\' && next > eol: // the line goes on
			s.undo = true
			rec.lines++
			p = next
			if eol, next, ok = g.line(b, p, last); !ok {
				rec.end = p
				return s, eol, next, false
			}
		default:
			p++
		}
	}
	s.end = eol
	return s, eol, next, true
}

// line finds the end of the line that p is in, and the start of the next.
func (g *grammar) line(b []byte, p int, last bool) (end, next int, ok bool) {
	var i int
	if g.anyEOL {
		i = bytes.IndexAny(b[p:], "\r\n")
	} else {
		i = bytes.IndexByte(b[p:], '\n')
	}
	end = p + i
	switch {
	case i < 0 && !last:
		return 0, 0, false
	case i < 0:
		end, next = len(b), len(b)
		if !g.anyEOL && end > p && b[end-1] == '\r' {
			end-- // a CRLF that was cut off
		}
	case b[end] == '\n':
		next = end + 1
		if !g.anyEOL && i > 0 && b[end-1] == '\r' {
			end--
		}
	case end+1 < len(b) && b[end+1] == '\n':
		next = end + 2
	case end+1 == len(b) && !last:
		return 0, 0, false
	default:
		next = end + 1
	}
	return end, next, true
}

// breaks counts the line breaks in text.
func (g *grammar) breaks(text []byte) int {
	n := bytes.Count(text, []byte{'\n'})
	if g.anyEOL {
		n += bytes.Count(text, []byte{'\r'}) - bytes.Count(text, []byte("\r\n"))
	}
	return n
}

// place is where text ends: how many lines below its beginning, and at which character of that
// line, counted from 1. The text begins at the start of a line.
func (g *grammar) place(text []byte) (down, column int64) {
	down = int64(g.breaks(text))
	start := bytes.LastIndexByte(text, '\n') + 1
	if g.anyEOL {
		start = bytes.LastIndexAny(text, "\r\n") + 1
	}
	return down, 1 + int64(countLeads(text[start:]))
}

// value appends the field to dst with doubled quotes and escapes undone. A backslash before any
// other character than those it can hide stands for itself.
func (g *grammar) value(dst, b []byte, s span) []byte {
	text := b[s.start:s.end]
	if !s.undo {
		return append(dst, text...)
	}
	if !g.escape {
		for {
			i := bytes.IndexByte(text, g.quote)
			if i < 0 {
				return append(dst, text...)
			}
			dst = append(dst, text[:i+1]...)
			text = text[i+2:]
		}
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if i+1 < len(text) && (c == '\\' && g.hideable(text[i+1]) || s.quoted && c == g.quote) {
			i++
			c = text[i]
			if c == '\r' && i+1 < len(text) && text[i+1] == '\n' {
				dst = append(dst, c)
				i++
				c = '\n'
			}
		}
		dst = append(dst, c)
	}
	return dst
}

func (g *grammar) hideable(c byte) bool {
	return c == '\\' || c == '\r' || c == '\n' || c == g.quote && g.quote != 0 || c == g.delim && g.delim != 0
}
