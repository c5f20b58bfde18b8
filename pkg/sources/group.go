package sources

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"

	"migrate/pkg/cell"
)

// GroupOptions say how Group divides rows.
type GroupOptions struct {
	// Columns of the source: rows that are equal in them come into one group. Rows that are empty in all of them go anywhere.
	Columns []string
	Groups  int // 1 to 1000
	// Path is the file that says what there is; those of the groups stand beside it, Path.000 and so on.
	Path string
}

// The groups are written when so many rows wait for it, or so many bytes.
const (
	groupRows  = 128 << 10
	groupBytes = 32 << 20
)

// The columns behind those of the source that say where a row stood.
const (
	groupFile = "\x00file" // its number in the list of files
	groupLine = "\x00line"
)

// groupList is what the file at Path holds.
type groupList struct {
	Name      string   `json:"name"`
	Files     []string `json:"files"`     // that the rows stood in, by number
	Groups    []int    `json:"groups"`    // those that have rows
	Malformed int64    `json:"malformed"` // records in Path.malformed
	Blank     int64    `json:"blank"`     // blank lines of all files
}

// Group reads a source whole and writes its rows to files, one for each group; malformed records come into one of their own. The file at
// Path is written last: with it all is there, without it nothing is. Memory does not grow with the source.
func Group(ctx context.Context, src Source, opt GroupOptions) (err error) {
	g := &grouping{src: src, opt: opt, pending: make([]pendingGroup, opt.Groups)}
	defer g.abandon()
	for _, name := range opt.Columns {
		found := src.Schema().FieldIndices(name)
		if len(found) != 1 {
			return fmt.Errorf("group by %q: the source has %d columns of that name", name, len(found))
		}
		g.keys = append(g.keys, found[0])
	}
	fields := append(slices.Clone(src.Schema().Fields()), arrow.Field{Name: groupFile, Type: arrow.PrimitiveTypes.Int32}, arrow.Field{Name: groupLine, Type: arrow.PrimitiveTypes.Int64})
	g.schema = arrow.NewSchema(fields, nil)
	for _, s := range src.Splits() {
		if err := g.split(ctx, s); err != nil {
			return fmt.Errorf("group rows: %w", err)
		}
	}
	if err := g.finish(); err != nil {
		return fmt.Errorf("group rows: %w", err)
	}
	return nil
}

type grouping struct {
	src     Source
	opt     GroupOptions
	keys    []int // columns
	schema  *arrow.Schema
	pending []pendingGroup
	waiting int64 // rows of all pending groups
	bytes   int64
	rows    int64
	list    groupList
	bad     *os.File
	badText *bufio.Writer
}

// pendingGroup is a group while it is written.
type pendingGroup struct {
	file    *spoolFile // nil: no rows were written
	batches []arrow.RecordBatch
	rows    int64
}

func (g *grouping) split(ctx context.Context, s Split) error {
	r, err := g.src.Open(ctx, s, s.Start)
	if err != nil {
		return err
	}
	defer r.Close()
	var blank int64
	for {
		b, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			g.list.Blank += blank
			return nil
		}
		if err != nil {
			return err
		}
		blank = b.Next.Blank
		err = g.batch(ctx, s, b)
		b.Rows.Release()
		if err != nil {
			return err
		}
	}
}

// batch divides the rows of a batch.
func (g *grouping) batch(ctx context.Context, s Split, b Batch) error {
	for _, bad := range b.Bad {
		if err := g.malformed(bad, bad.Pos.PathOr(s)); err != nil {
			return err
		}
	}
	n := int(b.Rows.NumRows())
	if n == 0 {
		return nil
	}
	to := make([]int, n) // group of each row
	ends := make([]int, g.opt.Groups+1)
	var key []byte
	for i := range n {
		if key = g.key(key[:0], b.Rows, i); len(key) > 0 {
			to[i] = int(xxh3.Hash(key) % uint64(g.opt.Groups))
		} else {
			to[i] = int(uint64(g.rows) % uint64(g.opt.Groups))
		}
		ends[to[i]+1]++
		g.rows++
	}
	for k := range g.opt.Groups { // where the rows of each group begin, and then, as they are put there, end
		ends[k+1] += ends[k]
	}
	order := make([]uint32, n)
	for i := range n {
		order[ends[to[i]]] = uint32(i)
		ends[to[i]]++
	}
	whole, err := g.take(ctx, s, b, order)
	if err != nil {
		return err
	}
	defer whole.Release()
	from := 0
	for k := range g.opt.Groups {
		if p := &g.pending[k]; ends[k] > from {
			p.batches = append(p.batches, whole.NewSlice(int64(from), int64(ends[k])))
			p.rows += int64(ends[k] - from)
		}
		from = ends[k]
	}
	g.waiting += int64(n)
	for _, c := range whole.Columns() {
		g.bytes += int64(c.Data().SizeInBytes())
	}
	if g.waiting >= groupRows || g.bytes >= groupBytes {
		return g.flush()
	}
	return nil
}

// key is what groups a row; nothing when it is empty.
func (g *grouping) key(dst []byte, b arrow.RecordBatch, row int) []byte {
	filled := false
	for _, c := range g.keys {
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		dst = cell.AppendText(dst, b.Column(c), row)
		size := len(dst) - at - 4
		binary.LittleEndian.PutUint32(dst[at:], uint32(size))
		filled = filled || size > 0
	}
	if !filled {
		return dst[:0]
	}
	return dst
}

// take copies the rows of a batch in another order, with where they stood.
func (g *grouping) take(ctx context.Context, s Split, b Batch, rows []uint32) (arrow.RecordBatch, error) {
	ib := array.NewUint32Builder(memory.DefaultAllocator)
	defer ib.Release()
	ib.AppendValues(rows, nil)
	index := ib.NewArray()
	defer index.Release()
	var cols []arrow.Array
	defer func() {
		for _, c := range cols {
			c.Release()
		}
	}()
	for _, c := range b.Rows.Columns() {
		taken, err := compute.TakeArray(ctx, c, index)
		if err != nil {
			return nil, err
		}
		cols = append(cols, taken)
	}
	files := array.NewInt32Builder(memory.DefaultAllocator)
	defer files.Release()
	lines := array.NewInt64Builder(memory.DefaultAllocator)
	defer lines.Release()
	for _, i := range rows {
		files.Append(g.file(b.Pos[i].PathOr(s)))
		lines.Append(b.Pos[i].Line)
	}
	cols = append(cols, files.NewArray(), lines.NewArray())
	return array.NewRecordBatch(g.schema, cols, int64(len(rows))), nil
}

// file gives the number of a file.
func (g *grouping) file(path string) int32 {
	if n := len(g.list.Files); n > 0 && g.list.Files[n-1] == path {
		return int32(n - 1)
	}
	i := slices.Index(g.list.Files, path)
	if i < 0 {
		i = len(g.list.Files)
		g.list.Files = append(g.list.Files, path)
	}
	return int32(i)
}

// flush writes what each group holds as one batch.
func (g *grouping) flush() error {
	for k := range g.pending {
		if g.pending[k].rows == 0 {
			continue
		}
		if err := g.write(k); err != nil {
			return err
		}
	}
	g.waiting, g.bytes = 0, 0
	return nil
}

func (g *grouping) write(to int) error {
	p := &g.pending[to]
	if p.file == nil {
		var err error
		if p.file, err = createSpool(groupPath(g.opt.Path, to), g.schema); err != nil {
			return err
		}
	}
	cols := make([]arrow.Array, g.schema.NumFields())
	defer func() {
		for _, c := range cols {
			if c != nil {
				c.Release()
			}
		}
		p.release()
	}()
	for i := range cols {
		parts := make([]arrow.Array, len(p.batches))
		for k, b := range p.batches {
			parts[k] = b.Column(i)
		}
		var err error
		if cols[i], err = array.Concatenate(parts, memory.DefaultAllocator); err != nil {
			return err
		}
	}
	whole := array.NewRecordBatch(g.schema, cols, p.rows)
	defer whole.Release()
	return p.file.write(whole)
}

func (p *pendingGroup) release() {
	for _, b := range p.batches {
		b.Release()
	}
	p.batches, p.rows = p.batches[:0], 0
}

// grouped malformed records, one JSON object a line.
type malformedRecord struct {
	Path string `json:"path"`
	BadRow
}

func (g *grouping) malformed(b BadRow, path string) error {
	if g.bad == nil {
		f, err := os.OpenFile(malformedPath(g.opt.Path), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		g.bad, g.badText = f, bufio.NewWriter(f)
	}
	g.list.Malformed++
	return json.NewEncoder(g.badText).Encode(malformedRecord{path, b})
}

func (g *grouping) finish() error {
	if err := g.flush(); err != nil {
		return err
	}
	if g.rows == 0 { // the columns are kept all the same
		var err error
		if g.pending[0].file, err = createSpool(groupPath(g.opt.Path, 0), g.schema); err != nil {
			return err
		}
	}
	var disk errgroup.Group
	disk.SetLimit(8) // most of it is waiting
	for to := range g.pending {
		if f := g.pending[to].file; f != nil {
			g.list.Groups = append(g.list.Groups, to)
			disk.Go(f.finish)
		}
	}
	if err := disk.Wait(); err != nil {
		return err
	}
	if g.bad != nil {
		err := g.badText.Flush()
		if err == nil {
			err = g.bad.Sync()
		}
		if e := g.bad.Close(); err == nil {
			err = e
		}
		g.bad = nil
		if err != nil {
			return err
		}
	}
	splits := g.src.Splits()
	if len(splits) > 0 {
		g.list.Name = splits[0].Path
	}
	if others := len(g.list.Files) - 1; others > 0 {
		g.list.Name = fmt.Sprintf("%s and %d more", g.list.Name, others)
	}
	text, err := json.Marshal(g.list)
	if err != nil {
		return err
	}
	return writeWhole(g.opt.Path, text)
}

// abandon removes what was not finished.
func (g *grouping) abandon() {
	for i := range g.pending {
		g.pending[i].release()
		if f := g.pending[i].file; f != nil {
			f.abandon()
		}
	}
	if g.bad != nil {
		g.bad.Close()
	}
}

// writeWhole makes a file that is there whole or not at all.
func writeWhole(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func groupPath(path string, n int) string { return fmt.Sprintf("%s.%03d", path, n) }

func malformedPath(path string) string { return path + ".malformed" }
