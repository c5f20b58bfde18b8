package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

var utf8Codec, _ = codecFor(encUTF8)

// jsonlReader reads one split.
type jsonlReader struct {
	split   Split
	file    *os.File
	done    func() error
	win     *window
	at      Position
	longest int64

	opt      JSONLOptions
	schema   *arrow.Schema
	columns  *jsonColumns
	leaveOut bool
	scan     jsonScan
	builders []*array.StringBuilder
	values   []jsonValue // of the present line
	err      error
}

type jsonValue struct {
	text []byte
	set  bool
}

// OpenJSONLSplit opens a split that was stored, perhaps by another process. Of the options it uses BatchRows, BatchBytes
// and Allocator; everything else is in the split. A position in a compressed file is reached by unpacking all that stands
// before it; in any other by seeking.
func OpenJSONLSplit(ctx context.Context, s Split, from Position, opt JSONLOptions) (Reader, error) {
	r, err := openJSONL(ctx, s, from, opt)
	if err != nil {
		return nil, fmt.Errorf("open split %s: %w", s.ID, err)
	}
	return r, nil
}

func openJSONL(ctx context.Context, s Split, from Position, opt JSONLOptions) (*jsonlReader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.JSONL == nil {
		return nil, errors.New("it is not a split of JSON lines")
	}
	if from.Row == 0 {
		from = s.Start
	}
	if from.Offset < s.Start.Offset || from.Offset > s.End && s.Compression == "" || from.Row < 0 {
		return nil, fmt.Errorf("position %+v is outside the split, which goes from byte %d to %d", from, s.Start.Offset, s.End)
	}
	f, err := openSame(s)
	if err != nil {
		return nil, err
	}
	text, done, err := textBytes(ctx, f, s, from.Offset)
	if err != nil {
		f.Close()
		return nil, err
	}
	r := &jsonlReader{
		split: s, file: f, done: done, win: newWindow(text, utf8Codec), at: from, longest: s.JSONL.MaxRecord,
		opt: opt.withDefaults(), schema: schemaOf(s.JSONL.Columns), columns: newJSONColumns(s.JSONL.Columns), leaveOut: s.JSONL.LeaveOut,
		values: make([]jsonValue, len(s.JSONL.Columns)),
	}
	for range s.JSONL.Columns {
		r.builders = append(r.builders, array.NewStringBuilder(r.opt.Allocator))
	}
	return r, nil
}

func (r *jsonlReader) Close() error {
	if r.file == nil {
		return nil
	}
	for _, b := range r.builders {
		b.Release()
	}
	f := r.file
	r.file = nil
	r.done()
	r.err = fmt.Errorf("read %s: %w", r.split.Path, os.ErrClosed)
	return f.Close()
}

func (r *jsonlReader) Next(ctx context.Context) (Batch, error) {
	if r.err != nil {
		return Batch{}, r.err
	}
	if err := ctx.Err(); err != nil {
		return Batch{}, err
	}
	start, blank := r.at, r.at.Blank
	var b Batch
	for r.err == nil && r.at.Row-start.Row < int64(r.opt.BatchRows) && r.at.Offset-start.Offset < r.opt.BatchBytes {
		pos := r.at
		line, bad, err := r.line(ctx)
		if err != nil {
			if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
				r.err = err
			}
			break
		}
		if bad == nil {
			pos = r.at
			bad = r.row(line)
		}
		if bad != nil {
			b.Bad = append(b.Bad, *bad)
		} else {
			b.Pos = append(b.Pos, pos)
		}
	}
	if r.at.Row == start.Row && r.at.Blank == blank {
		if r.err != nil {
			return Batch{}, r.err
		}
		return Batch{}, ctx.Err()
	}
	arrays := make([]arrow.Array, len(r.builders))
	for i, c := range r.builders {
		arrays[i] = c.NewArray()
		defer arrays[i].Release()
	}
	b.Rows, b.Next = array.NewRecordBatch(r.schema, arrays, int64(len(b.Pos))), r.at
	return b, nil
}

// jsonLine is one line of the window.
type jsonLine struct {
	text []byte
	next int // where the next begins, in the window
}

// line finds the next line that is not blank, and passes over those that are. A line that is not worth looking into comes
// back as a bad row, and is done with; any other has to be done with by the caller.
func (r *jsonlReader) line(ctx context.Context) (jsonLine, *BadRow, error) {
	w := r.win
	var g grammar
	for {
		if end, next, ok := g.line(w.buf[:w.end], w.pos, w.eof); ok && next > w.pos {
			if int64(end-w.pos) > r.longest {
				return jsonLine{}, r.long(end, next), nil
			}
			text := w.buf[w.pos:end]
			if blank(text) {
				r.at.Blank++
				r.step(next)
				continue
			}
			if w.bad < end {
				return jsonLine{}, r.notText(end, next), nil
			}
			return jsonLine{text, next}, nil, nil
		}
		if w.eof {
			if r.at.Offset != r.split.End && r.split.Compression == "" {
				return jsonLine{}, nil, fmt.Errorf("read %s: %w: it ends at byte %d, not at %d", r.split.Path, ErrChanged, r.at.Offset, r.split.End)
			}
			return jsonLine{}, nil, io.EOF
		}
		if int64(w.end-w.pos) > r.longest+2 {
			bad, err := r.tooLong(ctx)
			return jsonLine{}, bad, err
		}
		if err := w.fill(ctx); err != nil {
			return jsonLine{}, nil, r.failed(err)
		}
	}
}

func (r *jsonlReader) failed(err error) error {
	return fmt.Errorf("read %s at byte %d: %w", r.split.Path, r.at.Offset, err)
}

func blank(text []byte) bool {
	for _, c := range text {
		if c != ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

// step moves on to the next line.
func (r *jsonlReader) step(next int) {
	r.at.Offset += int64(next - r.win.pos)
	r.at.Line++
	r.win.pos = next
	r.win.passed()
}

// bad describes a record that breaks a rule at text[at], in a column if it is known.
func (r *jsonlReader) bad(text []byte, at, column int, rule, what string) *BadRow {
	b := &BadRow{Pos: r.at, Rule: rule, Column: column}
	note := ""
	if len(text) > maxRaw {
		text = text[:maxRaw-partialRune(text[:maxRaw])]
		note = " (record cut at 64 KiB here)"
	}
	b.Raw = strings.ToValidUTF8(string(text), "\uFFFD")
	b.Message = fmt.Sprintf("line %d, column %d: %s%s", r.at.Line, 1+countLeads(text[:min(at, len(text))]), what, note)
	return b
}

// badLong describes a record that is too long, of which text is the beginning.
func (r *jsonlReader) badLong(text []byte) *BadRow {
	text = text[:r.longest-int64(partialRune(text[:r.longest]))]
	return r.bad(text, 0, 0, RuleRecordTooLong, fmt.Sprintf("the record is longer than %d bytes", r.longest))
}

func (r *jsonlReader) long(end, next int) *BadRow {
	b := r.badLong(r.win.buf[r.win.pos:end])
	r.pass(next)
	return b
}

// pass is done with a record.
func (r *jsonlReader) pass(next int) {
	r.at.Row++
	r.step(next)
}

// tooLong passes over a line that does not fit into the window. When its end is not reached, the reader stays before it.
func (r *jsonlReader) tooLong(ctx context.Context) (*BadRow, error) {
	w, before := r.win, r.at
	b := r.badLong(w.buf[w.pos:w.end])
	var g grammar
	for {
		if _, next, ok := g.line(w.buf[:w.end], w.pos, w.eof); ok {
			r.pass(next)
			return b, nil
		}
		r.at.Offset += int64(w.end - w.pos)
		w.pos = w.end
		w.passed()
		if err := w.fill(ctx); err != nil {
			r.at = before
			err = fmt.Errorf("read %s: %s, and its end was not reached: %w", r.split.Path, b.Message, err)
			r.err = err
			return nil, err
		}
	}
}

func (r *jsonlReader) notText(end, next int) *BadRow {
	w := r.win
	rule, what := RuleInvalidEncoding, fmt.Sprintf("byte 0x%02X is not valid UTF-8", w.buf[w.bad])
	if w.buf[w.bad] == 0 {
		rule, what = RuleNULByte, "a NUL byte"
	}
	b := r.bad(w.buf[w.pos:end], w.bad-w.pos, 0, rule, what)
	r.pass(next)
	return b
}

// row puts a line into the columns.
func (r *jsonlReader) row(line jsonLine) *BadRow {
	for i := range r.values {
		r.values[i] = jsonValue{}
	}
	bad := r.parse(line, func(n *jsonNode, path []byte, kind byte, text []byte) (rule, what string) {
		column := n != nil && n.column != none
		switch {
		case kind == jsonObject && column && !n.object && r.leaveOut:
			return RuleUnknownKey, fmt.Sprintf("the value of %q is an object, where the column has a single value", path)
		case kind == jsonObject: // it is its keys that matter
		case kind == jsonNull && n != nil:
		case column:
			r.values[n.column] = jsonValue{text, true}
		case !r.leaveOut:
			return RuleUnknownKey, fmt.Sprintf("the key %q is not among the columns, which were told or found in the first lines; name all columns, or let others be left out", path)
		}
		return "", ""
	})
	if bad != nil {
		for _, v := range r.values {
			bad.Fields = append(bad.Fields, string(v.text))
		}
		return bad
	}
	for i, v := range r.values {
		if v.set {
			r.builders[i].BinaryBuilder.Append(v.text)
		} else {
			r.builders[i].AppendNull()
		}
	}
	return nil
}

// found takes note of the keys of a line.
func (r *jsonlReader) found(line jsonLine, c *jsonColumns) *BadRow {
	r.columns = c
	var notes []func()
	bad := r.parse(line, func(n *jsonNode, path []byte, kind byte, _ []byte) (string, string) {
		name := string(path)
		notes = append(notes, func() {
			n := c.node([]byte(name))
			n.object = n.object || kind == jsonObject
			n.null = n.null || kind == jsonNull
			n.value = n.value || kind != jsonObject && kind != jsonNull
		})
		return "", ""
	})
	if bad == nil {
		for _, f := range notes {
			f()
		}
	}
	return bad
}

// parse reads a line and is done with it. It calls key for each key of it; n is nil where that is not known.
func (r *jsonlReader) parse(line jsonLine, key func(n *jsonNode, path []byte, kind byte, text []byte) (rule, what string)) *BadRow {
	var flaw *jsonError // the first
	column := 0
	note := func(rule, what string, at int) {
		if flaw == nil && rule != "" {
			flaw = &jsonError{at, rule, what}
		}
	}
	r.columns.line++
	r.scan.flaw = note
	r.scan.value = func(path []byte, kind byte, text []byte, at int) {
		n := r.columns.nodes[string(path)]
		if n != nil {
			if n.seen == r.columns.line {
				note(RuleDuplicateKey, fmt.Sprintf("the key %q stands in the record twice", path), at)
			}
			n.seen = r.columns.line
		}
		before := flaw
		rule, what := key(n, path, kind, text)
		note(rule, what, at)
		if before == nil && flaw != nil && n != nil && n.column != none {
			column = n.column + 1
		}
	}
	err := r.scan.line(line.text)
	var e *jsonError
	var bad *BadRow
	switch {
	case errors.As(err, &e):
		bad = r.bad(line.text, e.at, 0, e.rule, e.what)
	case flaw != nil:
		bad = r.bad(line.text, flaw.at, column, flaw.rule, flaw.what)
	}
	r.pass(line.next)
	return bad
}
