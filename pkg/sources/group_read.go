package sources

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Groups are the rows of a source as Group has divided them: one split for each group, and one for the malformed records. A record keeps
// the file and line that it stood in. It is safe for concurrent use.
type Groups struct {
	path   string
	opt    SpoolOptions
	list   groupList
	schema *arrow.Schema // of the source
	splits []Split
}

var _ Source = (*Groups)(nil)

// OpenGroups opens what Group has written to path. Of the options Name is not used.
func OpenGroups(path string, opt SpoolOptions) (*Groups, error) {
	if opt.BatchRows <= 0 {
		opt.BatchRows = queryBatch
	}
	if opt.Allocator == nil {
		opt.Allocator = memory.DefaultAllocator
	}
	g := &Groups{path: path, opt: opt}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &g.list); err != nil {
		return nil, fmt.Errorf("%s: the list of groups is damaged: %w", path, err)
	}
	for _, n := range g.list.Groups {
		one, err := OpenSpool(groupPath(path, n), opt)
		if err != nil {
			return nil, err
		}
		s := one.split
		s.ID, s.Path, s.File = fmt.Sprintf("group-%03d", n), g.list.Name, groupPath(path, n)
		g.splits = append(g.splits, s)
		g.schema = one.schema
	}
	if g.list.Malformed > 0 {
		print, err := FingerprintFile(malformedPath(path))
		if err != nil {
			return nil, err
		}
		g.splits = append(g.splits, Split{ID: malformedID, Path: g.list.Name, File: malformedPath(path), Start: Position{Line: 1}, End: g.list.Malformed, Fingerprint: print})
	}
	if g.schema == nil {
		return nil, fmt.Errorf("%s: no rows were grouped", path)
	}
	g.schema = arrow.NewSchema(g.schema.Fields()[:g.schema.NumFields()-2], nil)
	return g, nil
}

// malformedID is the split of the malformed records.
const malformedID = "malformed"

// Schema is that of the source that was divided.
func (g *Groups) Schema() *arrow.Schema { return g.schema }

// Splits has one split for each group that has rows.
func (g *Groups) Splits() []Split { return g.splits }

// Rows is how many rows there are, malformed ones included.
func (g *Groups) Rows() (n int64) {
	for _, s := range g.splits {
		n += s.End
	}
	return n
}

// Open opens a group at a row.
func (g *Groups) Open(ctx context.Context, sp Split, from Position) (Reader, error) {
	if sp.ID == malformedID {
		return g.openMalformed(ctx, sp, from)
	}
	r, err := (&Spooled{opt: g.opt, split: sp}).Open(ctx, sp, from)
	if err != nil {
		return nil, err
	}
	return &groupReader{r, g}, nil
}

// groupReader takes away the columns that say where a row stood.
type groupReader struct {
	Reader
	groups *Groups
}

func (r *groupReader) Next(ctx context.Context) (Batch, error) {
	b, err := r.Reader.Next(ctx)
	if err != nil {
		return b, err
	}
	defer b.Rows.Release()
	cols := b.Rows.Columns()
	own := len(cols) - 2
	files, lines := cols[own].(*array.Int32), cols[own+1].(*array.Int64)
	for i := range b.Pos {
		if n := int(files.Value(i)); n >= 0 && n < len(r.groups.list.Files) {
			b.Pos[i].Path = r.groups.list.Files[n]
		}
		b.Pos[i].Line = lines.Value(i)
	}
	b.Rows = array.NewRecordBatch(r.groups.schema, cols[:own], b.Rows.NumRows())
	return b, nil
}

func (g *Groups) openMalformed(ctx context.Context, sp Split, from Position) (Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := openRegular(sp.disk())
	if err != nil {
		return nil, err
	}
	now, err := fingerprint(f)
	if err == nil {
		if d := sp.Fingerprint.Diff(now); d != "" {
			err = fmt.Errorf("%s: %w: %s", sp.disk(), ErrChanged, d)
		}
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	r := &malformedReader{file: f, text: bufio.NewReader(f), groups: g, blank: g.list.Blank}
	for err == nil && r.row < from.Row {
		_, err = r.one()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open split %s at row %d: %w", sp.ID, from.Row, err)
	}
	return r, nil
}

// malformedReader reads the malformed records. The blank lines of the source are told with the last of them.
type malformedReader struct {
	file   *os.File
	text   *bufio.Reader
	groups *Groups
	row    int64
	blank  int64
	err    error
}

func (r *malformedReader) one() (BadRow, error) {
	line, err := r.text.ReadString('\n')
	if err != nil {
		return BadRow{}, err
	}
	var rec malformedRecord
	if err := json.Unmarshal([]byte(strings.TrimSuffix(line, "\n")), &rec); err != nil {
		return BadRow{}, fmt.Errorf("%s: record %d is damaged: %w", r.file.Name(), r.row+1, err)
	}
	at := rowPosition(r.row)
	at.Line, at.Path = rec.Pos.Line, rec.Path
	rec.Pos = at
	r.row++
	return rec.BadRow, nil
}

func (r *malformedReader) Next(ctx context.Context) (Batch, error) {
	if r.err != nil {
		return Batch{}, r.err
	}
	if err := ctx.Err(); err != nil {
		return Batch{}, err
	}
	var b Batch
	for len(b.Bad) < r.groups.opt.BatchRows {
		bad, err := r.one()
		if err != nil {
			r.err = err
			break
		}
		b.Bad = append(b.Bad, bad)
	}
	if len(b.Bad) == 0 {
		return Batch{}, r.err
	}
	empty := array.NewRecordBuilder(r.groups.opt.Allocator, r.groups.schema)
	defer empty.Release()
	b.Rows = empty.NewRecordBatch()
	b.Next = rowPosition(r.row)
	if r.row == r.groups.list.Malformed {
		b.Next.Blank = r.blank
	}
	return b, nil
}

func (r *malformedReader) Close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file, r.err = nil, fmt.Errorf("read malformed records: %w", os.ErrClosed)
	return f.Close()
}
