package sources

import (
	"context"
	"fmt"
	"strings"
)

// inspect reads the head of a file and makes its split.
func inspect(path string, opt CSVOptions) (Split, error) {
	f, err := openRegular(path)
	if err != nil {
		return Split{}, err
	}
	defer f.Close()
	print, err := fingerprint(f)
	if err != nil {
		return Split{}, fmt.Errorf("%s: %w", path, err)
	}
	told, err := encodingName(opt.Encoding)
	if err != nil {
		return Split{}, err
	}
	name, disk := named(path, opt.Names)
	text, err := headOf(f, name, print.Size)
	if err != nil {
		return Split{}, err
	}
	enc, err := detectEncoding(text, text.size, told)
	if err != nil {
		return Split{}, fmt.Errorf("%s: %w", name, err)
	}
	c, err := codecFor(enc.name)
	if err != nil {
		return Split{}, err
	}
	w := newWindow(text.from(int64(enc.bom)), c)
	if err := w.fill(context.Background()); err != nil {
		return Split{}, fmt.Errorf("%s: %w", name, err)
	}
	h := head{
		text: w.buf[:w.end], last: w.eof, opt: opt, line: 1,
		d: Dialect{Path: name, Encoding: enc.name, BOM: enc.bom > 0, MaxRecord: opt.MaxRecord, Notes: enc.notes, Told: toldBy(opt)},
	}
	if err := h.read(); err != nil {
		if text.damaged != nil {
			return Split{}, text.damaged
		}
		return Split{}, err
	}
	start := Position{Offset: int64(enc.bom + c.rawLen(h.text[:h.at])), Line: h.line}
	end := print.Size
	if text.compression != "" {
		end = 0
	}
	return Split{
		ID: fmt.Sprintf("%s@%d", name, start.Offset), Path: name, File: disk, Compression: text.compression,
		Start: start, End: end, Dialect: h.d, Fingerprint: print,
	}, nil
}

func toldBy(o CSVOptions) map[string]bool {
	told := map[string]bool{}
	for name, is := range map[string]bool{
		"encoding": o.Encoding != "", "delimiter": o.Delimiter != "", "quote": o.Quote != "", "escape": o.Escape != "",
		"header": o.NoHeader || o.SkipLines > 0 || o.HeaderLines > 1,
	} {
		if is {
			told[name] = true
		}
	}
	return told
}

// head is the decoded beginning of a file while the dialect is being worked out.
type head struct {
	text []byte
	last bool // the file ends with text
	opt  CSVOptions
	at   int   // text before it is dealt with: at last, where the first record begins
	line int64 // of text[at]
	d    Dialect
}

func (h *head) read() error {
	if err := h.skip(); err != nil {
		return err
	}
	t, notes, err := detect(h.text[h.at:], h.last, h.opt)
	if err != nil {
		return err
	}
	d := &h.d
	d.Delimiter, d.Quote, d.Escape, d.LineEnding = delimiterName(t.g.delim), quoteName(t.g.quote), quoteName(t.g.quote), t.lineEnding()
	if t.g.escape {
		d.Escape = `\`
	}
	d.Notes = append(d.Notes, notes...)
	if t.header+t.records == 0 && h.last {
		return fmt.Errorf("%s: %w", d.Path, ErrEmpty)
	}
	if h.opt.NoHeader {
		for i := range max(t.columns, 1) {
			d.Header = append(d.Header, fmt.Sprintf("column%d", i+1))
		}
	} else if err := h.header(t.g); err != nil {
		return err
	}
	if n := len(d.Header); t.records > 0 && t.columns != n && t.agree > t.records/2 && h.opt.HeaderLines == 1 {
		d.Notes = append(d.Notes, fmt.Sprintf("the header has %s, but %s of the head have %d", plural(n, "column"), share(t), t.columns))
	}
	return nil
}

// skip passes over the lines before the header.
func (h *head) skip() error {
	g := grammar{anyEOL: loneCR(h.text) > 0 && loneCR(h.text) >= strings.Count(string(h.text), "\n")}
	for range h.opt.SkipLines {
		_, next, ok := g.line(h.text, h.at, h.last)
		if !ok {
			return fmt.Errorf("%s: line %d is not within the first %d bytes, so %d lines cannot be skipped", h.d.Path, h.line, len(h.text), h.opt.SkipLines)
		}
		if next == h.at {
			return fmt.Errorf("%s: %w after %d of %d skipped lines", h.d.Path, ErrEmpty, h.line-1, h.opt.SkipLines)
		}
		h.at = next
		h.line++
	}
	return nil
}

// header reads the header records and names the columns.
func (h *head) header(g grammar) error {
	var names []string
	var rec record
	for n := 0; n < h.opt.HeaderLines; {
		if h.at == len(h.text) && h.last {
			if n == 0 {
				return fmt.Errorf("%s: %w", h.d.Path, ErrEmpty)
			}
			return fmt.Errorf("%s: the header has %s, %d were told", h.d.Path, plural(n, "line"), h.opt.HeaderLines)
		}
		line := h.line
		fail := func(at int, err error) error {
			down, column := g.place(h.text[h.at:at])
			return &SyntaxError{Path: h.d.Path, Line: line + down, Column: column, Err: fmt.Errorf("header: %w", err)}
		}
		found := g.scan(&rec, h.text, h.at, h.last, len(h.text))
		bad := firstBad(h.text[h.at:max(rec.next, h.at)])
		switch {
		case !found && rec.openAt != none:
			return fail(rec.openAt, ErrQuoteOpen)
		case !found:
			return fail(h.at, fmt.Errorf("it does not end within the first %d bytes", len(h.text)))
		case rec.end == h.at:
			h.at, h.line = rec.next, h.line+1
			continue
		case rec.badAt != none:
			return fail(rec.badAt, fmt.Errorf("text after a closing quote"))
		case bad >= 0:
			what := "a NUL byte"
			if h.text[h.at+bad] != 0 {
				what = "no character of " + h.d.Encoding
			}
			return fail(h.at+bad, fmt.Errorf("%s; if the file has another encoding, name it with --encoding", what))
		}
		if n == 0 {
			h.d.HeaderLine = line
		}
		n++
		for i, s := range rec.fields {
			name := string(g.value(nil, h.text, s))
			switch {
			case i == len(names):
				names = append(names, name)
			case name != "" && names[i] != "":
				names[i] += " " + name
			case name != "":
				names[i] = name
			}
		}
		h.at, h.line = rec.next, h.line+int64(rec.lines)
	}
	for i := range names {
		if names[i] == "" {
			names[i] = fmt.Sprintf("column%d", i+1)
		}
	}
	h.d.Header = names
	return nil
}
