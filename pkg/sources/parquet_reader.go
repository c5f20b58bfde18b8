package sources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"

	"migrate/pkg/cell"
)

// parquetReader reads one split, all columns abreast.
type parquetReader struct {
	split   Split
	file    *os.File
	pf      *parquetFile
	schema  *arrow.Schema
	columns []parquetColumn
	opt     ParquetOptions

	at    Position
	group int   // the row group that is open, or -1
	left  int64 // rows of it still to come
	last  int   // the row group behind the split
	bad   []badValue
	err   error
}

// badValue is a value that breaks a rule, in a row of the batch that is being made.
type badValue struct {
	row, column int
	rule, what  string
}

// OpenParquetSplit opens a split that was stored, perhaps by another process. Of the options it uses BatchRows, BatchBytes
// and Allocator; everything else is in the split. Row groups before the position are not touched. Within its row group, the
// pages before it are read from disk and decompressed, and decoded only in columns of lists.
func OpenParquetSplit(ctx context.Context, s Split, from Position, opt ParquetOptions) (Reader, error) {
	r, err := openParquet(ctx, s, from, opt)
	if err != nil {
		return nil, fmt.Errorf("open split %s: %w", s.ID, err)
	}
	return r, nil
}

func openParquet(ctx context.Context, s Split, from Position, opt ParquetOptions) (_ *parquetReader, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.Parquet == nil {
		return nil, errors.New("it is not a split of a Parquet file")
	}
	if from.Row == 0 {
		from = s.Start
	}
	if from.Row < 0 || from.Offset != s.Start.Offset+from.Row || from.Offset > s.End {
		return nil, fmt.Errorf("position %+v is outside the split, which goes from row %d to %d of the file", from, s.Start.Offset, s.End)
	}
	f, err := openSame(s)
	if err != nil {
		return nil, err
	}
	r := &parquetReader{split: s, file: f, opt: opt.withDefaults(), at: from, group: -1}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	if r.pf, err = readFooter(f, s.Path, s.Fingerprint.Size, s.Parquet.Columns, s.Parquet.BinaryAsText); err != nil {
		return nil, err
	}
	first, n := s.Parquet.FirstGroup, s.Parquet.Groups
	if r.last = first + n; first < 0 || n < 0 || r.last >= len(r.pf.starts) || r.pf.starts[first] != s.Start.Offset || r.pf.starts[r.last] != s.End {
		return nil, fmt.Errorf("%s: %w: its row groups are not those of the split", s.Path, ErrChanged)
	}
	r.schema = r.pf.schema()
	for i, field := range r.pf.columns {
		c, err := newParquetColumn(field, r.opt.Allocator, func(row int, rule, what string) {
			r.bad = append(r.bad, badValue{row, i, rule, what})
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Path, err)
		}
		r.columns = append(r.columns, c)
	}
	for g := first; g < r.last; g++ {
		if from.Offset < r.pf.starts[g+1] {
			if err := r.open(g, from.Offset-r.pf.starts[g]); err != nil {
				return nil, err
			}
			break
		}
	}
	return r, nil
}

// open goes to a row of a row group.
func (r *parquetReader) open(g int, skip int64) (err error) {
	defer recoverParquet(r.split.Path, fmt.Sprintf("row group %d", g+1), &err)
	group := r.pf.reader.RowGroup(g)
	for i, field := range r.pf.columns {
		var chunk file.ColumnChunkReader
		meta, err := group.MetaData().ColumnChunk(field.leaf)
		if err == nil {
			chunk, err = group.Column(field.leaf)
		}
		if err == nil {
			err = r.columns[i].open(chunk, meta.NumValues())
		}
		if err == nil && skip > 0 {
			err = r.columns[i].skip(skip)
		}
		if err != nil {
			return r.damaged(err)
		}
	}
	r.group, r.left = g, r.pf.starts[g+1]-r.pf.starts[g]-skip
	return nil
}

func (r *parquetReader) damaged(err error) error {
	return fmt.Errorf("read %s: at record %d: %w; the file is damaged there, make it again", r.split.Path, r.at.Line, err)
}

func (r *parquetReader) Close() error {
	if r.file == nil {
		return nil
	}
	for _, c := range r.columns {
		c.finish().Release()
		c.close()
	}
	f := r.file
	r.file = nil
	r.err = fmt.Errorf("read %s: %w", r.split.Path, os.ErrClosed)
	return f.Close()
}

func (r *parquetReader) Next(ctx context.Context) (Batch, error) {
	if r.err != nil {
		return Batch{}, r.err
	}
	if err := ctx.Err(); err != nil {
		return Batch{}, err
	}
	rows, room := 0, r.opt.BatchBytes
	for rows < r.opt.BatchRows && r.err == nil && ctx.Err() == nil {
		n, size, err := r.step(r.opt.BatchRows-rows, room, rows == 0)
		if r.err = err; n == 0 || err != nil {
			break
		}
		rows += n
		room -= size
	}
	if rows == 0 {
		if r.err == nil {
			r.err = ctx.Err() // unless it is that, a step gives a row, the end or an error
		}
		err := r.err
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			r.err = nil
		}
		return Batch{}, err
	}
	return r.batch(rows), nil
}

// step takes up to want rows of one page of each column into the batch, as many as have room; at least one if must is set.
func (r *parquetReader) step(want int, room int64, must bool) (n int, size int64, err error) {
	defer recoverParquet(r.split.Path, fmt.Sprintf("what follows record %d", r.at.Line), &err)
	for r.left == 0 {
		g := r.group + 1
		if r.group < 0 {
			g = r.last // opened at the end
		}
		if g >= r.last {
			return 0, 0, io.EOF
		}
		if err := r.open(g, 0); err != nil {
			return 0, 0, err
		}
	}
	n = int(min(int64(want), r.left, parquetRun))
	for i, c := range r.columns {
		have, err := c.ready(n)
		if err != nil {
			return 0, 0, r.damaged(err)
		}
		if have == 0 {
			return 0, 0, r.damaged(fmt.Errorf("column %q ends %d rows before its row group", r.pf.columns[i].name, r.left))
		}
		n = have
	}
	n, size = r.fit(n, room)
	if n == 0 && must {
		n = 1
		_, size = r.fit(1, 1<<40)
		if size > 1<<30 {
			return 0, 0, fmt.Errorf("read %s: record %d takes %d bytes; 1 GiB is the most", r.split.Path, r.at.Line, size)
		}
	}
	if n == 0 {
		return 0, 0, nil
	}
	for _, c := range r.columns {
		c.take(n)
	}
	r.left -= int64(n)
	r.at = Position{Row: r.at.Row + int64(n), Offset: r.at.Offset + int64(n), Line: r.at.Line + int64(n)}
	return n, size, nil
}

// fit finds how many of the next n rows have room, and their size.
func (r *parquetReader) fit(n int, room int64) (int, int64) {
	for {
		var size int64
		before := n
		for _, c := range r.columns {
			k, s := c.fit(n, room-size)
			n = k
			size += s
			if n == 0 {
				return 0, 0
			}
		}
		if n == before {
			return n, size
		}
	}
}

// batch hands over the rows collected.
func (r *parquetReader) batch(rows int) Batch {
	arrays := make([]arrow.Array, len(r.columns))
	for i, c := range r.columns {
		arrays[i] = c.finish()
		if all := arrays[i]; all.Len() > rows { // a step broke off halfway
			arrays[i] = array.NewSlice(all, 0, int64(rows))
			all.Release()
		}
	}
	r.bad = slices.DeleteFunc(r.bad, func(v badValue) bool { return v.row >= rows })
	pos := make([]Position, rows)
	for i := range pos {
		back := int64(rows - i)
		pos[i] = Position{Row: r.at.Row - back, Offset: r.at.Offset - back, Line: r.at.Line - back}
	}
	b := Batch{Pos: pos, Next: r.at}
	if len(r.bad) > 0 {
		r.takeOut(&b, arrays)
	}
	b.Rows = array.NewRecordBatch(r.schema, arrays, int64(len(b.Pos)))
	for _, a := range arrays {
		a.Release()
	}
	return b
}

// takeOut moves the rows with bad values from the arrays to b.Bad.
func (r *parquetReader) takeOut(b *Batch, arrays []arrow.Array) {
	slices.SortStableFunc(r.bad, func(x, y badValue) int {
		if x.row != y.row {
			return x.row - y.row
		}
		return x.column - y.column
	})
	var good []Position
	var ranges [][2]int
	from := 0
	keep := func(to int) {
		if to > from {
			ranges = append(ranges, [2]int{from, to})
			good = append(good, b.Pos[from:to]...)
		}
	}
	for i, v := range r.bad {
		if i > 0 && r.bad[i-1].row == v.row {
			continue
		}
		keep(v.row)
		from = v.row + 1
		b.Bad = append(b.Bad, r.badRow(v, b.Pos[v.row], arrays))
	}
	keep(len(b.Pos))
	r.bad = r.bad[:0]
	b.Pos = good
	for i, a := range arrays {
		arrays[i] = pick(a, ranges, r.opt.Allocator)
		a.Release()
	}
}

// pick copies ranges of an array into one.
func pick(a arrow.Array, ranges [][2]int, mem memory.Allocator) arrow.Array {
	if len(ranges) == 0 {
		return array.MakeArrayOfNull(mem, a.DataType(), 0)
	}
	parts := make([]arrow.Array, len(ranges))
	for i, g := range ranges {
		parts[i] = array.NewSlice(a, int64(g[0]), int64(g[1]))
		defer parts[i].Release()
	}
	out, err := array.Concatenate(parts, mem)
	if err != nil {
		panic(err) // parts of one array have one type
	}
	return out
}

func (r *parquetReader) badRow(v badValue, pos Position, arrays []arrow.Array) BadRow {
	name := r.pf.columns[v.column].name
	b := BadRow{Pos: pos, Rule: v.rule, Column: v.column + 1,
		Message: fmt.Sprintf("record %d, column %d (%s): %s", pos.Line, v.column+1, name, v.what)}
	raw := []byte{'{'}
	for i, a := range arrays {
		text := string(cell.AppendText(nil, a, v.row))
		b.Fields = append(b.Fields, text)
		if a.IsNull(v.row) {
			continue
		}
		if len(raw) > 1 {
			raw = append(raw, ',')
		}
		key, _ := json.Marshal(r.pf.columns[i].name)
		value, _ := json.Marshal(text)
		raw = append(append(append(raw, key...), ':'), value...)
	}
	raw = append(raw, '}')
	if len(raw) > maxRaw {
		raw = raw[:maxRaw-partialRune(raw[:maxRaw])]
		b.Message += " (record cut at 64 KiB)"
	}
	b.Raw = string(raw)
	return b
}
