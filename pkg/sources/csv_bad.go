package sources

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxRaw is how much of a bad record is kept, in bytes.
const maxRaw = 64 << 10

// judge says whether the record just scanned is a row, and if not, why.
func (r *csvReader) judge() (BadRow, bool) {
	w, rec := r.win, &r.rec
	want := r.cols.schema.NumFields()
	switch {
	case int64(rec.end-w.pos) > r.split.Dialect.MaxRecord:
		return r.bad(RuleRecordTooLong, w.pos, r.columnAt(w.pos+int(r.split.Dialect.MaxRecord)), r.longMessage()), false
	case rec.badAt != none:
		c, _ := utf8.DecodeRune(w.buf[rec.badAt:])
		return r.bad(RuleBadQuote, rec.badAt, rec.count, fmt.Sprintf("%q after a closing quote, where %s or the end of the line belongs", c, r.delimiter())), false
	case w.bad < rec.next:
		rule, what := RuleInvalidEncoding, r.badByte(w.bad)
		if w.buf[w.bad] == 0 {
			rule, what = RuleNULByte, "a NUL byte"
		}
		return r.bad(rule, w.bad, r.columnAt(w.bad), what), false
	case rec.count < want:
		return r.bad(RuleTooFewColumns, rec.end, rec.count+1, fmt.Sprintf("%s, the table has %d", plural(rec.count, "column"), want)), false
	case rec.count > want:
		return r.bad(RuleTooManyColumns, rec.fields[want].start, want+1, fmt.Sprintf("%s, the table has %d", plural(rec.count, "column"), want)), false
	}
	return BadRow{}, true
}

// bad describes the record just scanned, which broke a rule at w.buf[at] in a column.
func (r *csvReader) bad(rule string, at, column int, what string) BadRow {
	w, rec := r.win, &r.rec
	line, _ := r.place(at)
	b := BadRow{Pos: r.at, Rule: rule, Column: column}
	raw := w.buf[w.pos:max(rec.end, w.pos)]
	note := ""
	if len(raw) > maxRaw {
		raw = raw[:maxRaw-partialRune(raw[:maxRaw])]
		note = " (record cut at 64 KiB here)"
	}
	b.Raw = strings.ToValidUTF8(string(raw), "\uFFFD")
	var v []byte
	for _, s := range rec.fields {
		if rule == RuleRecordTooLong && s.end > w.pos+len(raw) {
			break
		}
		v = r.g.value(v[:0], w.buf, s)
		b.Fields = append(b.Fields, strings.ToValidUTF8(string(v), "\uFFFD"))
	}
	name := ""
	if h := r.split.Dialect.Header; column <= len(h) {
		name = fmt.Sprintf(" (%s)", h[column-1])
	}
	b.Message = fmt.Sprintf("line %d, column %d%s: %s%s", line, column, name, what, note)
	return b
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (r *csvReader) delimiter() string {
	if r.g.delim == 0 {
		return "nothing"
	}
	return "the delimiter"
}

func (r *csvReader) longMessage() string {
	return fmt.Sprintf("the record is longer than %d bytes", r.split.Dialect.MaxRecord)
}

// badByte names what is not text, as the file has it.
func (r *csvReader) badByte(at int) string {
	b := r.win.buf[at:r.win.end]
	switch {
	case r.win.codec.name == encUTF8:
		return fmt.Sprintf("byte 0x%02X is not valid UTF-8; if all such rows are wrong, the file has another encoding", b[0])
	case r.win.codec.name == encWindows1252:
		return "a byte that Windows-1252 does not define"
	case b[0] == noChar:
		return "the file ends in the middle of a UTF-16 character"
	case len(b) >= 3:
		return fmt.Sprintf("0x%04X is half of a UTF-16 surrogate pair", uint(b[0]&0x0F)<<12|uint(b[1]&0x3F)<<6|uint(b[2]&0x3F))
	}
	return "not a character"
}

// columnAt is the number of the column, from 1, that w.buf[at] is in.
func (r *csvReader) columnAt(at int) int {
	n := 1
	for _, s := range r.rec.fields {
		if at <= s.end {
			break
		}
		n++
	}
	return n
}

// place is the line and the character in it, both from 1, of w.buf[at] in the record at w.pos.
func (r *csvReader) place(at int) (line, column int64) {
	down, column := r.g.place(r.win.buf[r.win.pos:at])
	return r.at.Line + down, column
}

// open is the error of a quote that is not closed within the view.
func (r *csvReader) open(view []byte) error {
	line, column := r.place(r.rec.openAt)
	limit := "the end of the file"
	if len(view) < r.win.end || !r.win.eof {
		limit = fmt.Sprintf("%d bytes, the longest record allowed", r.split.Dialect.MaxRecord)
	}
	return &SyntaxError{Path: r.split.Path, Line: line, Column: column,
		Err: fmt.Errorf("%w before %s; close it, or read with --quote none if quotes are ordinary characters in this file, or with --escape '\\' if quotes inside values are written \\%c", ErrQuoteOpen, limit, r.g.quote)}
}

// tooLong reports a record longer than allowed and moves on to the next line. When it cannot get
// there, the reader is at its end, before that record.
func (r *csvReader) tooLong(ctx context.Context) error {
	w, rec, before := r.win, &r.rec, r.at
	stood := rec.end
	rec.end = w.pos + int(r.split.Dialect.MaxRecord)
	b := r.bad(RuleRecordTooLong, w.pos, rec.count+1, r.longMessage())
	r.step(stood, rec.lines-1)
	for {
		if _, next, ok := r.g.line(w.buf[:w.end], w.pos, w.eof); ok {
			r.step(next, 1)
			break
		}
		if w.end-w.pos > 1 {
			r.step(w.end-1, 0) // the last byte may be a CR with its LF still to come
		}
		if err := w.fill(ctx); err != nil {
			r.at = before
			r.err = fmt.Errorf("read %s: %s, and its end was not reached: %w", r.split.Path, b.Message, err)
			return r.err
		}
	}
	r.special = -1
	w.passed()
	r.batch.Bad = append(r.batch.Bad, b)
	r.at.Row++
	return nil
}
