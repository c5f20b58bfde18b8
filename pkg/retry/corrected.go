package retry

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"migrate/pkg/pipeline"
	"migrate/pkg/sources"
)

// RefusedError says why a corrected file cannot be taken. No row of it is sent then.
type RefusedError struct {
	Findings []string // the first of them, each in one line
	More     int64    // how many there are beside these
}

func (e *RefusedError) Error() string {
	text := strings.Join(e.Findings, "\n")
	if e.More > 0 {
		text += fmt.Sprintf("\nand %d more like these", e.More)
	}
	return text
}

// findingsShown is how many findings are kept.
const findingsShown = 5

func (e *RefusedError) add(format string, args ...any) {
	if len(e.Findings) == findingsShown {
		e.More++
		return
	}
	e.Findings = append(e.Findings, fmt.Sprintf(format, args...))
}

// err is nil where nothing was found.
func (e *RefusedError) err() error {
	if len(e.Findings) == 0 {
		return nil
	}
	return e
}

func refuse(format string, args ...any) error {
	return &RefusedError{Findings: []string{fmt.Sprintf(format, args...)}}
}

// corrected is a file with rows that were put right. Those that are to be sent lie in a spool, where the table points to.
type corrected struct {
	*rows
	columns []int  // own column of the reports → column of this file, -1 = it lacks the column
	names   []int  // columns with file and line; nil: this is the source itself
	file    string // the source file that this is
	key     int    // own column that names a row; -1 = none
	types   []func(string) bool
	refused RefusedError
	spool   *os.File
	size    int64
	buf     []byte // one row
	window  []byte // a part of the spool
	from    int64  // where it begins
}

func (c *corrected) close() {
	if c != nil && c.spool != nil {
		c.spool.Close()
		os.Remove(c.spool.Name())
	}
}

// correct reads the corrected file and enters its rows into the table.
func (g *gathering) correct(ctx context.Context) (err error) {
	if g.fixed, err = g.openCorrected(); err != nil {
		return err
	}
	c := g.fixed
	if c.spool, err = os.CreateTemp(filepath.Dir(g.Out), ".corrected-*"); err != nil { // mode 0600
		return err
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	out := bufio.NewWriterSize(c.spool, 256<<10)
	var met, read int64 // rows that stand in reports; all rows
	err = c.each(ctx, func(w row) error {
		read++
		file, line := c.file, strconv.FormatInt(w.line, 10)
		if c.names != nil {
			file, line = w.value(c.names[0]), strings.TrimSpace(w.value(c.names[1]))
			if file == "" && line == "" && c.blank(w) {
				return nil // a spreadsheet may leave such rows behind
			}
			if n, err := strconv.ParseInt(line, 10, 64); err != nil || n < 1 {
				c.refused.add("%s line %d: %q in %s is no number of a line; take the value of the report", c.path, w.line, line, pipeline.ReportColumns[1])
				return nil
			}
		}
		s, known, err := g.table.find(keyOf(file, line))
		if err != nil {
			return err
		}
		if known {
			met++
		}
		if bad := g.unfit(s, known, file, line, w); bad != "" {
			if c.names != nil {
				c.refused.add("%s line %d: %s", c.path, w.line, bad)
			}
			return nil
		}
		if !c.typed(w) {
			return nil
		}
		c.encode(w)
		if _, err := out.Write(c.buf); err != nil {
			return err
		}
		s.value, s.size = c.size+1, uint32(len(c.buf))
		c.size += int64(len(c.buf))
		return g.table.put(s)
	}, func(b sources.BadRow) error {
		read++
		if c.names == nil {
			s, known, err := g.table.find(keyOf(c.file, strconv.FormatInt(b.Pos.Line, 10)))
			if err != nil {
				return err
			}
			switch {
			case !known:
				return nil // of no concern
			case s.report == rejected:
				met++
				return nil // not put right yet
			}
		}
		c.refused.add("%s: %s", c.path, b.Message)
		return nil
	})
	var syntax *sources.SyntaxError
	if errors.As(err, &syntax) {
		return refuse("%v", err)
	}
	if err != nil {
		return err
	}
	if c.names == nil {
		g.inPlace(met, read)
	}
	return errors.Join(c.refused.err(), out.Flush())
}

// unfit says why a row must not be sent, or nothing.
func (g *gathering) unfit(s slot, known bool, file, line string, w row) string {
	switch {
	case !known:
		return fmt.Sprintf("the row of %s line %s did not fail: it is in the org, or was never in the run; take it out", file, line)
	case s.report == unaccounted:
		return fmt.Sprintf("no result has named the row of %s line %s, so it may be in the org; look there, and take it out here", file, line)
	case s.taken > 0:
		run := g.Earlier[s.taken-1].Run
		return fmt.Sprintf("run %s has sent the row of %s line %s again; take it out here, or, if it failed there too, retry that run", run, file, line)
	case s.value > 0:
		return fmt.Sprintf("the row of %s line %s stands further up already; keep one of the two", file, line)
	}
	return ""
}

// inPlace refuses a corrected source whose rows are not where they were.
func (g *gathering) inPlace(met, read int64) {
	c := g.fixed
	want := g.Source.Files[c.file]
	if g.Source.Rows > 0 {
		want = g.Source.Rows
	}
	switch {
	case want >= 0 && read != want:
		c.refused.add("%s has %d rows, and the run has read %d from %s: which row was which cannot be told; put the rows right in a copy of the report instead", c.path, read, want, c.file)
	case met != g.inFile[c.file]:
		c.refused.add("%s: %d of the %d rows of %s in the reports do not begin on their lines any more; put the rows right in a copy of the report instead", c.path, g.inFile[c.file]-met, g.inFile[c.file], c.file)
	}
}

// openCorrected finds out which of the two shapes the file has, and where its columns are.
func (g *gathering) openCorrected() (*corrected, error) {
	r, err := openRows(g.With, sources.CSVOptions{})
	if err != nil {
		return nil, refuse("%v", err)
	}
	c := &corrected{rows: r, key: -1}
	switch file, line := slices.Index(r.columns, pipeline.ReportColumns[0]), slices.Index(r.columns, pipeline.ReportColumns[1]); {
	case file >= 0 && line >= 0:
		c.names = []int{file, line}
	case file >= 0 || line >= 0:
		return nil, refuse("%s has only one of the columns %s and %s, which name a row together; keep both", g.With, pipeline.ReportColumns[0], pipeline.ReportColumns[1])
	default:
		opt := g.Source.Read
		opt.Delimiter, opt.Encoding = "", "" // the program that saved it may have chosen others
		if c.rows, err = openRows(g.With, opt); err != nil {
			return nil, refuse("%v", err)
		}
		if c.file, err = g.sourceFile(); err != nil {
			return nil, err
		}
		g.File = c.file
	}
	return c, g.findColumns(c)
}

// sourceFile is the source file that the corrected file stands for.
func (g *gathering) sourceFile() (string, error) {
	copied := fmt.Sprintf("a corrected file is a copy of a report, with its columns %s and %s", pipeline.ReportColumns[0], pipeline.ReportColumns[1])
	if g.Source.Files == nil && g.Source.Rows == 0 {
		return "", refuse("%s has no columns that name its rows: %s, and that it stands for a source file cannot be told of this run", g.With, copied)
	}
	list := slices.Sorted(maps.Keys(g.Source.Files))
	if g.Source.Rows > 0 {
		list = slices.Sorted(maps.Keys(g.inFile))
	}
	for _, same := range []func(string) bool{
		func(f string) bool { return sameFile(f, g.With) },
		func(f string) bool { return filepath.Base(f) == filepath.Base(g.With) },
		func(string) bool { return g.Source.Rows == 0 },
	} {
		var found []string
		for _, f := range list {
			if same(f) {
				found = append(found, f)
			}
		}
		if len(found) == 1 {
			return found[0], nil
		}
	}
	return "", refuse("%s has no columns that name its rows: %s, or the source file itself under its own name; the run has read %s",
		g.With, copied, strings.Join(list[:min(len(list), findingsShown)], ", "))
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// findColumns finds the columns of the source in the corrected file. Of two with one name the first is the first.
func (g *gathering) findColumns(c *corrected) error {
	used := make([]bool, len(c.rows.columns))
	for i, name := range g.columns[:g.own] {
		at := -1
		for k, n := range c.rows.columns {
			if n == name && !used[k] {
				at, used[k] = k, true
				break
			}
		}
		if at < 0 {
			g.Missing = append(g.Missing, name)
		}
		if name == g.Source.Key {
			c.key = i
		}
		c.columns = append(c.columns, at)
		var holds func(string) bool
		if g.Types != nil && i < g.Types.NumFields() {
			holds = sources.Holds(g.Types.Field(i).Type)
		}
		c.types = append(c.types, holds)
	}
	for k, name := range c.rows.columns {
		if !used[k] && name != "" && !(c.names != nil && slices.Contains(pipeline.ReportColumns, name)) {
			return refuse("%s has a column %q, which the rows of the run do not have; call it as it was, or take it out", c.path, name)
		}
	}
	switch {
	case c.names == nil && len(g.Missing) > 0:
		return refuse("%s lacks the column %q of %s", c.path, g.Missing[0], c.file)
	case len(g.Missing) == g.own:
		return refuse("%s has none of the columns of the source", c.path)
	}
	return nil
}

// blank reports whether all values of a row are empty.
func (c *corrected) blank(w row) bool {
	for i := range c.rows.columns {
		if strings.TrimSpace(w.value(i)) != "" {
			return false
		}
	}
	return true
}

// typed reports whether all values of a row fit the types of their columns.
func (c *corrected) typed(w row) bool {
	for i, at := range c.columns {
		if at < 0 || c.types[i] == nil {
			continue
		}
		if v := w.value(at); v != "" && !c.types[i](v) {
			c.refused.add("%s line %d: column %s: %q is not of the type that the column has in the source; write it as the report does", c.path, w.line, c.rows.columns[at], v)
			return false
		}
	}
	return true
}

// encode writes a row into the buffer: its line, then the length and the text of each value that the file has.
func (c *corrected) encode(w row) {
	c.buf = binary.AppendUvarint(c.buf[:0], uint64(w.line))
	for _, at := range c.columns {
		if at < 0 {
			continue
		}
		v := w.value(at)
		c.buf = append(binary.AppendUvarint(c.buf, uint64(len(v))), v...)
	}
}

// windowSize is how much of the spool is read at once: rows come in nearly the order in which they stand there.
const windowSize = 16 << 10

// read brings a row of the spool into the buffer.
func (c *corrected) read(at, size int64) error {
	if at < c.from || at+size > c.from+int64(len(c.window)) {
		n := min(max(size, windowSize), c.size-at)
		c.window = slices.Grow(c.window[:0], int(n))[:n]
		c.from = at
		if _, err := c.spool.ReadAt(c.window, at); err != nil {
			c.window = c.window[:0]
			return err
		}
	}
	c.buf = append(c.buf[:0], c.window[at-c.from:][:size]...)
	return nil
}

// put sets the values that the corrected file has for a row, and reports whether any of them is another.
func (c *corrected) put(s slot, values []string, r *rows, w row) (changed bool, err error) {
	if err := c.read(s.value-1, int64(s.size)); err != nil {
		return false, err
	}
	rest := string(c.buf) // the values are parts of it
	line, n := binary.Uvarint(c.buf)
	at := n
	filled, differ, renamed := 0, 0, false
	for i, from := range c.columns {
		if from < 0 {
			continue
		}
		size, n := binary.Uvarint(c.buf[at:])
		v := rest[at+n : at+n+int(size)]
		at += n + int(size)
		if values[i] != "" {
			filled++
			if v != values[i] {
				differ++
				renamed = renamed || i == c.key
			}
		}
		changed = changed || v != values[i]
		values[i] = v
	}
	if c.names != nil {
		return changed, nil
	}
	keyed := c.key >= 0 && w.value(c.key) != ""
	if keyed && renamed || !keyed && differ*3 > filled {
		file, origin := r.place(w)
		c.refused.add("%s line %d does not look like the row that failed on line %s of %s: too many values are others; put the rows right in a copy of the report instead", c.path, line, origin, file)
	}
	return changed, nil
}
