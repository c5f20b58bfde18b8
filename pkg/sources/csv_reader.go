package sources

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/apache/arrow-go/v18/arrow"
)

// extraFields is how many fields beyond the table's columns a bad row keeps.
const extraFields = 1000

// csvReader reads one split. Two paths lead to the same rows: whole takes records that need no
// thought, as many as there are; one takes a single record of any kind.
type csvReader struct {
	split Split
	file  *os.File
	done  func() error // of reading, before the file is closed
	win   *window
	g     grammar
	rec   record
	at    Position // of win.buf[win.pos]

	cols       *columns
	batchRows  int
	batchBytes int64

	batch   Batch
	raw     rawState
	special int // next quote or escape at or after win.pos; -1: not known; none
	err     error
}

// OpenCSVSplit opens a split that was stored, perhaps by another process. Of the options it uses
// BatchRows, BatchBytes and Allocator; everything else is in the split. A position in a compressed file is reached by
// unpacking all that stands before it; in any other by seeking.
func OpenCSVSplit(ctx context.Context, s Split, from Position, opt CSVOptions) (Reader, error) {
	r, err := openCSV(ctx, s, from, opt)
	if err != nil {
		return nil, fmt.Errorf("open split %s: %w", s.ID, err)
	}
	return r, nil
}

func openCSV(ctx context.Context, s Split, from Position, opt CSVOptions) (*csvReader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if from.Row == 0 {
		from = s.Start
	}
	if from.Offset < s.Start.Offset || from.Offset > s.End && s.Compression == "" || from.Row < 0 {
		return nil, fmt.Errorf("position %+v is outside the split, which goes from byte %d to %d", from, s.Start.Offset, s.End)
	}
	g, err := s.Dialect.grammar()
	if err != nil {
		return nil, err
	}
	c, err := codecFor(s.Dialect.Encoding)
	if err != nil {
		return nil, err
	}
	opt = opt.withDefaults()
	f, err := openSame(s)
	if err != nil {
		return nil, err
	}
	text, done, err := textBytes(ctx, f, s, from.Offset)
	if err != nil {
		f.Close()
		return nil, err
	}
	schema := schemaOf(s.Dialect.Header)
	return &csvReader{
		split: s, file: f, done: done, g: g, at: from,
		win:       newWindow(text, c),
		cols:      newColumns(opt.Allocator, schema, min(opt.BatchRows, 1024)),
		batchRows: opt.BatchRows, batchBytes: opt.BatchBytes,
		special: -1,
	}, nil
}

func schemaOf(header []string) *arrow.Schema {
	fields := make([]arrow.Field, len(header))
	for i, name := range header {
		fields[i] = arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

func (r *csvReader) Close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	r.done()
	r.err = fmt.Errorf("read %s: %w", r.split.Path, os.ErrClosed)
	return f.Close()
}

func (r *csvReader) Next(ctx context.Context) (Batch, error) {
	if r.err != nil {
		return Batch{}, r.err
	}
	if err := ctx.Err(); err != nil {
		return Batch{}, err
	}
	r.cols.begin()
	r.batch = Batch{Pos: make([]Position, 0, r.cols.room)}
	start := r.at
	for r.err == nil && !r.full(start) {
		r.whole(start)
		if r.full(start) {
			break
		}
		if err := r.one(ctx); err != nil {
			if r.err == nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				break // what was read so far is delivered; the next call may go on
			}
			r.err = err
		}
	}
	b := r.batch
	b.Rows, b.Next = r.cols.finish(), r.at
	if r.at == start {
		b.Rows.Release()
		if r.err != nil {
			return Batch{}, r.err
		}
		return Batch{}, ctx.Err()
	}
	return b, nil
}

func (r *csvReader) full(start Position) bool {
	return r.at.Row-start.Row >= int64(r.batchRows) || r.at.Offset-start.Offset >= r.batchBytes
}

// step moves on to next, lines further down.
func (r *csvReader) step(next, lines int) {
	r.at.Offset += int64(r.win.codec.rawLen(r.win.buf[r.win.pos:next]))
	r.at.Line += int64(lines)
	r.win.pos = next
}

// whole takes records as long as they lie in the window, end with LF, hold no quote or escape and
// no bad byte, and have the right number of fields.
func (r *csvReader) whole(start Position) {
	w, cs := r.win, r.cols
	if r.g.anyEOL {
		return
	}
	for !r.full(start) {
		p := w.pos
		i := bytes.IndexByte(w.buf[p:w.end], '\n')
		if i < 0 {
			return
		}
		end, next := p+i, p+i+1
		if w.bad < next || r.nextSpecial() < next {
			return
		}
		if i > 0 && w.buf[end-1] == '\r' {
			end--
		}
		if end == p {
			r.at.Blank++
			r.step(next, 1)
			continue
		}
		if int64(end-p) > r.split.Dialect.MaxRecord {
			return
		}
		cs.ready()
		if !cs.plain(w.buf, p, end, r.g.delim) {
			return
		}
		r.commit(next, 1)
	}
}

// commit counts the record that was put into the columns as a row.
func (r *csvReader) commit(next, lines int) {
	r.batch.Pos = append(r.batch.Pos, r.at)
	r.cols.rows++
	r.at.Row++
	r.step(next, lines)
}

func (r *csvReader) nextSpecial() int {
	w := r.win
	if r.special < w.pos {
		r.special = none
		text := w.buf[w.pos:w.end]
		if r.g.quote != 0 {
			if i := bytes.IndexByte(text, r.g.quote); i >= 0 {
				r.special = w.pos + i
				text = text[:i]
			}
		}
		if r.g.escape {
			if i := bytes.IndexByte(text, '\\'); i >= 0 {
				r.special = w.pos + i
			}
		}
	}
	return r.special
}

// one takes the next record or blank line, bringing in more text as needed. It returns io.EOF at
// the end of the split.
func (r *csvReader) one(ctx context.Context) error {
	w := r.win
	for {
		// The view never reaches further than the longest record, so that what is found does not
		// depend on how much happens to be in memory.
		view, last, cut := w.buf[:w.end], w.eof, false
		if longest := r.split.Dialect.MaxRecord + 2; int64(w.end-w.pos) > longest {
			view, last, cut = w.buf[:w.pos+int(longest)], false, true
		}
		if last && w.pos == w.end {
			if r.at.Offset != r.split.End && r.split.Compression == "" {
				return fmt.Errorf("read %s: %w: it ends at byte %d, not at %d", r.split.Path, ErrChanged, r.at.Offset, r.split.End)
			}
			return io.EOF
		}
		found := r.g.scan(&r.rec, view, w.pos, last, r.cols.schema.NumFields()+extraFields)
		switch {
		case found && r.rec.end == w.pos:
			r.at.Blank++
			r.step(r.rec.next, 1)
			return nil
		case found:
			r.take()
			return nil
		case r.rec.openAt != none && (cut || last):
			return r.open(view)
		case cut:
			return r.tooLong(ctx)
		}
		if err := w.fill(ctx); err != nil {
			if ctx.Err() != nil {
				return err
			}
			return fmt.Errorf("read %s at byte %d: %w", r.split.Path, r.at.Offset, err)
		}
		r.special = -1
	}
}

// take puts the record that was scanned where it belongs.
func (r *csvReader) take() {
	w, rec := r.win, &r.rec
	if bad, ok := r.judge(); !ok {
		r.batch.Bad = append(r.batch.Bad, bad)
		r.at.Row++
		r.step(rec.next, rec.lines)
		w.passed()
		return
	}
	r.cols.ready()
	r.cols.fields(&r.g, w.buf, rec.fields)
	r.commit(rec.next, rec.lines)
}
