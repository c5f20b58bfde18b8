package sources

import (
	"bytes"
	"context"
)

// A RawReader can also hand on records as they stand in the file, without taking them apart: as many as there are whose text is in order as it
// is. The methods of one reader may be called in any order; each goes on where the one before has ended.
type RawReader interface {
	Reader
	// NextRaw returns the next records that can go as they stand, or one that was taken apart. With neither, the next record is for NextOne.
	NextRaw(ctx context.Context, want RawWant) (Raw, error)
	// NextOne is Next for one record.
	NextOne(ctx context.Context) (Batch, error)
}

// RawWant bounds what NextRaw returns.
type RawWant struct {
	Rows    int64
	Bytes   int    // of Text
	Without []byte // a record that has these bytes is left to NextOne; nil = none is
}

// Raw is what NextRaw has found.
type Raw struct {
	// Text are Rows consecutive records, each as it stands in the file, with an LF behind it. Every one has all columns, in quotes only where
	// quotes stand at the ends of a value and doubled in it, no empty quotes and no CR. The bytes are the reader's until its next call.
	Text []byte
	Rows int64
	// Fields are the values of one record that is in order but cannot go as it stands; nil = there is none.
	Fields [][]byte
	At     Position // of the first record
	Next   Position // behind the last
	// Full says that the next record does not fit into the bytes that were wanted.
	Full bool
}

// Raw reports whether the records of a split may go as they stand where their values are wanted unchanged: UTF-8 with commas and double quotes, two
// columns or more.
func (s Split) Raw() bool {
	d := s.Dialect
	g, err := d.grammar()
	return err == nil && s.Parquet == nil && s.JSONL == nil && !s.Spool && g.delim == ',' && g.quote == '"' && !g.escape && !g.anyEOL && d.Encoding == encUTF8 && len(d.Header) > 1
}

// spot is the next place of some bytes in a window, looked for once and not for each record.
type spot struct {
	what []byte
	at   int // none = the window has none
	from int // it was looked for from here on
	fill int // in the text that the window had by then
}

// behind is the first place at or behind pos.
func (s *spot) behind(w *window, pos int) int {
	if s.fill == w.fills && s.from <= pos && s.at >= pos {
		return s.at
	}
	s.from, s.fill, s.at = pos, w.fills, none
	if i := bytes.Index(w.buf[pos:w.end], s.what); i >= 0 && len(s.what) > 0 {
		s.at = pos + i
	}
	return s.at
}

// rawState is what a reader keeps for NextRaw.
type rawState struct {
	quote, cr, without spot
	joined             []byte // text that is not one piece of the window
	values             []byte // of a record that was taken apart
	fields             [][]byte
}

var comma, lineFeed = []byte{','}, []byte{'\n'}

// NextRaw is that of RawReader, for a split that is Raw.
func (r *csvReader) NextRaw(ctx context.Context, want RawWant) (Raw, error) {
	if r.err != nil { // NextOne tells it
		return Raw{At: r.at, Next: r.at}, nil
	}
	s := &r.raw
	s.quote.what, s.cr.what = []byte{r.g.quote}, []byte{'\r'}
	if !bytes.Equal(s.without.what, want.Without) {
		s.without = spot{what: want.Without}
	}
	for {
		if err := ctx.Err(); err != nil {
			return Raw{}, err
		}
		raw, more := r.run(want)
		if !more {
			return raw, nil
		}
		// The last record may lack its line ending, and one without an end may be too long: they are for NextOne, which also says what
		// a fault of the file means.
		if w := r.win; w.eof || int64(w.end-w.pos) > r.split.Dialect.MaxRecord || w.fill(ctx) != nil {
			return Raw{At: r.at, Next: r.at}, ctx.Err()
		}
		r.special = -1
	}
}

// run takes records out of the window. more says that there is none that is all there.
func (r *csvReader) run(want RawWant) (raw Raw, more bool) {
	w, s, columns := r.win, &r.raw, r.cols.schema.NumFields()
	start, pos, lines := w.pos, w.pos, 0
	joined := false
	s.joined = s.joined[:0]
	raw.At = r.at
loop:
	for raw.Rows < want.Rows {
		i := bytes.IndexByte(w.buf[pos:w.end], '\n')
		if i < 0 {
			more = true
			break
		}
		end, next, n := pos+i, pos+i+1, 1
		if i > 0 && w.buf[end-1] == '\r' {
			end--
		}
		if end == pos { // a blank line
			if raw.Rows > 0 {
				break
			}
			r.at.Blank++
			r.step(next, 1)
			raw.At, start, pos = r.at, next, next
			continue
		}
		odd := false
		if s.quote.behind(w, pos) < next {
			if e, x, l, ok := r.inQuotes(pos, end, next, columns); ok {
				end, next, n = e, x, l
			} else if !r.g.scan(&r.rec, w.buf[:w.end], pos, false, columns+1) {
				more = true
				break
			} else {
				end, next, n = r.rec.end, r.rec.next, r.rec.lines
				if r.rec.badAt != none || r.rec.count != columns {
					break
				}
				odd = !r.standing()
			}
		} else if bytes.Count(w.buf[pos:end], comma) != columns-1 {
			break
		}
		if w.bad < next || s.without.behind(w, pos) < end || int64(end-pos) > r.split.Dialect.MaxRecord {
			break
		}
		odd = odd || s.cr.behind(w, pos) < end
		size := pos - start
		if joined {
			size = len(s.joined)
		}
		switch {
		case size+end-pos+1 > want.Bytes:
			raw.Full = true
			break loop
		case odd && raw.Rows > 0:
			break loop
		case odd:
			r.takeApart(&raw, pos, columns)
			lines, pos = n, next
			break loop
		case joined:
			s.joined = append(append(s.joined, w.buf[pos:end]...), '\n')
		case next-end > 1: // CR LF
			s.joined = append(append(append(s.joined, w.buf[start:pos]...), w.buf[pos:end]...), '\n')
			joined = true
		}
		raw.Rows++
		lines += n
		pos = next
	}
	if raw.Fields == nil {
		if raw.Text = w.buf[start:pos]; joined {
			raw.Text = s.joined
		}
	}
	r.at.Row += raw.Rows
	r.step(pos, lines)
	raw.Next = r.at
	return raw, more && raw.Rows == 0
}

// inQuotes follows a record with quotes, whose first line ends at eol. It looks at quotes, line breaks and the number of commas alone, and leaves
// to others what is not as most records are.
func (r *csvReader) inQuotes(pos, eol, after, columns int) (end, next, lines int, ok bool) {
	buf, quote := r.win.buf[:r.win.end], r.g.quote
	commas := 0
	lines = 1
	for p := pos; ; {
		if buf[p] != quote {
			q := bytes.IndexByte(buf[p:eol], quote)
			if q < 0 {
				commas += bytes.Count(buf[p:eol], comma)
				return eol, after, lines, commas == columns-1
			}
			q += p
			if buf[q-1] != ',' { // inside a value
				return 0, 0, 0, false
			}
			commas += bytes.Count(buf[p:q], comma)
			p = q
		}
		close := p + 1
		for {
			q := bytes.IndexByte(buf[close:], quote)
			if q < 0 || close+q+2 >= len(buf) {
				return 0, 0, 0, false
			}
			if close += q; buf[close+1] != quote {
				break
			}
			close += 2
		}
		if close == p+1 { // empty
			return 0, 0, 0, false
		}
		if close > eol {
			lines += bytes.Count(buf[p:close], lineFeed)
			i := bytes.IndexByte(buf[close:], '\n')
			if i < 0 {
				return 0, 0, 0, false
			}
			eol, after = close+i, close+i+1
			if buf[eol-1] == '\r' {
				eol--
			}
		}
		switch p = close + 1; {
		case p == eol:
			return eol, after, lines, commas == columns-1
		case buf[p] != ',':
			return 0, 0, 0, false
		}
		commas++
		if p++; p == eol { // the last value is empty
			return eol, after, lines, commas == columns-1
		}
	}
}

// standing reports whether the record just scanned has its quotes where a value needs none of them undone by others: unquoted values hold none, and
// there are no empty quotes.
func (r *csvReader) standing() bool {
	for _, f := range r.rec.fields {
		if f.quoted && f.start == f.end || !f.quoted && bytes.IndexByte(r.win.buf[f.start:f.end], r.g.quote) >= 0 {
			return false
		}
	}
	return true
}

// takeApart gives the values of the record at pos.
func (r *csvReader) takeApart(raw *Raw, pos, columns int) {
	w, s := r.win, &r.raw
	r.g.scan(&r.rec, w.buf[:w.end], pos, false, columns+1) // which found all of it, or would: it has no quotes
	s.values, s.fields = s.values[:0], s.fields[:0]
	ends := make([]int, 0, 64)
	for _, f := range r.rec.fields {
		s.values = r.g.value(s.values, w.buf, f)
		ends = append(ends, len(s.values))
	}
	from := 0
	for _, end := range ends {
		s.fields = append(s.fields, s.values[from:end])
		from = end
	}
	raw.Fields, raw.Rows = s.fields, 1
}

// NextOne is that of RawReader.
func (r *csvReader) NextOne(ctx context.Context) (Batch, error) {
	rows := r.batchRows
	r.batchRows = 1
	defer func() { r.batchRows = rows }()
	return r.Next(ctx)
}
