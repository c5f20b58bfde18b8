package sources

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
)

// parquetColumn reads one column and collects its values into the array of the batch. It works in runs, of which all
// lie in one page, so that values need not be copied twice.
type parquetColumn interface {
	// open goes on with another row group.
	open(chunk file.ColumnChunkReader, values int64) error
	// skip passes over rows of the row group.
	skip(rows int64) error
	// ready makes rows available, up to want, and says how many there are: none only at the end of the row group.
	ready(want int) (int, error)
	// fit says how many of the first n rows that are available take no more than the given bytes, and how many
	// bytes these take.
	fit(n int, room int64) (rows int, size int64)
	// take appends the first n rows that are available.
	take(n int)
	// finish hands over the array and starts another.
	finish() arrow.Array
	close() error
}

// parquetRun is the number of values decoded at once.
const parquetRun = 1024

// chunkReader is a reader of the library for values of type T.
type chunkReader[T any] interface {
	file.ColumnChunkReader
	ReadBatchInPage(n int64, values []T, defs, reps []int16) (levels int64, read int, err error)
	Skip(n int64) (int64, error)
}

// columnOf is a parquetColumn of values of type T.
type columnOf[T any] struct {
	field parquetField
	sink  sink[T]
	array arrayBuilder
	lists *array.ListBuilder // or nil
	clone func(T) T          // what outlives its page; nil where a value does not lie in it

	chunk chunkReader[T]
	left  int64 // levels of the row group not read yet

	// What is available: a level for each value, null or empty list. Reading appends, taking moves from.
	vals   []T
	defs   []int16
	reps   []int16
	v, l   int // of vals and levels, taken already
	levels int

	scratch struct {
		vals       []T
		defs, reps []int16
	}
}

func newColumnOf[T any](f parquetField, mem memory.Allocator, s sink[T], clone func(T) T) *columnOf[T] {
	c := &columnOf[T]{field: f, sink: s, array: s.builder, clone: clone}
	if f.list {
		c.lists = array.NewListBuilderWithField(mem, arrow.ListOf(f.item).ElemField())
		c.array = c.lists
		c.sink = s.into(c.lists.ValueBuilder())
		s.builder.Release()
	}
	c.scratch.vals = make([]T, parquetRun)
	c.scratch.defs, c.scratch.reps = make([]int16, parquetRun), make([]int16, parquetRun)
	return c
}

func (c *columnOf[T]) open(chunk file.ColumnChunkReader, values int64) error {
	typed, ok := chunk.(chunkReader[T])
	if !ok {
		return fmt.Errorf("column %q is not stored as the schema says", c.field.name)
	}
	if err := c.close(); err != nil {
		return err
	}
	c.chunk, c.left = typed, values
	c.drop()
	return nil
}

func (c *columnOf[T]) drop() {
	c.vals, c.defs, c.reps = c.vals[:0], c.defs[:0], c.reps[:0]
	c.v, c.l, c.levels = 0, 0, 0
}

func (c *columnOf[T]) close() error {
	if c.chunk == nil {
		return nil
	}
	chunk := c.chunk
	c.chunk = nil
	return chunk.Close()
}

func (c *columnOf[T]) skip(rows int64) error {
	if c.lists == nil {
		if _, err := c.chunk.Skip(rows); err != nil { // pages are passed over undecoded
			return err
		}
		c.left -= rows
		return nil
	}
	for rows > 0 {
		n, err := c.ready(int(min(rows, parquetRun)))
		if err != nil {
			return err
		}
		if n == 0 {
			return c.short()
		}
		levels, values := c.extent(n)
		c.l += levels
		c.v += values
		rows -= int64(n)
	}
	return nil
}

func (c *columnOf[T]) short() error {
	return fmt.Errorf("column %q has fewer values than its row group has rows", c.field.name)
}

func (c *columnOf[T]) ready(want int) (int, error) {
	if c.lists != nil {
		return c.readyLists(want)
	}
	if c.l == c.levels && c.left > 0 {
		c.drop()
		if err := c.read(parquetRun, nil); err != nil {
			return 0, err
		}
		c.vals, c.defs = c.scratch.vals[:len(c.vals)], c.scratch.defs[:len(c.defs)]
	}
	return min(want, c.levels-c.l), nil
}

// readyLists reads on until the rows are complete: one ends where the next begins.
func (c *columnOf[T]) readyLists(want int) (int, error) {
	if c.l > 0 { // what was taken makes room
		c.vals = slices.Delete(c.vals, 0, c.v)
		c.defs = slices.Delete(c.defs, 0, c.l)
		c.reps = slices.Delete(c.reps, 0, c.l)
		c.levels -= c.l
		c.v, c.l = 0, 0
	}
	rows, seen := 0, 0
	for {
		for ; seen < c.levels; seen++ {
			if c.reps[seen] == 0 {
				if rows++; rows > want {
					return want, nil
				}
			} else if rows == 0 {
				return 0, fmt.Errorf("column %q has a list that begins with no row", c.field.name)
			}
		}
		if c.left == 0 {
			return rows, nil
		}
		if err := c.read(parquetRun, c.scratch.reps); err != nil {
			return 0, err
		}
	}
}

// read brings in more values, all from one page. Those of lists are copied, since the next page takes their place.
func (c *columnOf[T]) read(n int64, reps []int16) error {
	s := &c.scratch
	defs := s.defs
	maxDef := c.field.column.MaxDefinitionLevel()
	if maxDef == 0 {
		defs = nil
	}
	n = min(n, c.left)
	var levels int64
	var read int
	for range 16 { // an empty page is allowed, and looks like the end
		var err error
		if levels, read, err = c.chunk.ReadBatchInPage(n, s.vals, defs, reps); err != nil {
			return fmt.Errorf("column %q: %w", c.field.name, err)
		}
		if levels > 0 {
			break
		}
	}
	if levels <= 0 || levels > n {
		return c.short()
	}
	values := int(levels)
	if maxDef > 0 {
		values = 0
		for _, d := range defs[:levels] {
			if d == maxDef {
				values++
			}
			if d < 0 || d > maxDef {
				return fmt.Errorf("column %q: level %d where %d is the highest", c.field.name, d, maxDef)
			}
		}
	}
	if read != values {
		return fmt.Errorf("column %q: %d values in a page that should have %d", c.field.name, read, values)
	}
	c.left -= levels
	c.levels += int(levels)
	if c.lists == nil {
		c.vals, c.defs = s.vals[:values], s.defs[:levels]
		return nil
	}
	for _, v := range s.vals[:values] {
		if c.clone != nil {
			v = c.clone(v)
		}
		c.vals = append(c.vals, v)
	}
	if maxDef == 0 {
		return fmt.Errorf("column %q: a list without levels", c.field.name)
	}
	c.defs = append(c.defs, defs[:levels]...)
	c.reps = append(c.reps, reps[:levels]...)
	return nil
}

// extent is the number of levels and of values that the first n rows take.
func (c *columnOf[T]) extent(n int) (levels, values int) {
	maxDef := c.field.column.MaxDefinitionLevel()
	if c.lists == nil {
		levels = n
		if maxDef == 0 {
			return n, n
		}
	} else {
		for rows := 0; c.l+levels < c.levels; levels++ {
			if c.reps[c.l+levels] == 0 {
				if rows == n {
					break
				}
				rows++
			}
		}
	}
	for _, d := range c.defs[c.l : c.l+levels] {
		if d == maxDef {
			values++
		}
	}
	return levels, values
}

func (c *columnOf[T]) fit(n int, room int64) (int, int64) {
	if c.sink.size == nil && c.lists == nil {
		w := int64(c.sink.width)
		if n = int(min(int64(n), room/w)); n < 0 {
			n = 0
		}
		return n, int64(n) * w
	}
	maxDef := c.field.column.MaxDefinitionLevel()
	var size int64
	v, rows, at := c.v, 0, int64(0)
	for l := c.l; l < c.levels; l++ {
		if c.lists == nil || c.reps[l] == 0 {
			if rows == n {
				break
			}
			rows++
			at = size
		}
		size += int64(c.sink.width)
		if maxDef == 0 || c.defs[l] == maxDef {
			if c.sink.size != nil {
				size += int64(c.sink.size(c.vals[v]))
			}
			v++
		}
		if size > room {
			return rows - 1, at
		}
	}
	return rows, size
}

func (c *columnOf[T]) take(n int) {
	levels, values := c.extent(n)
	vals := c.vals[c.v : c.v+values]
	maxDef := c.field.column.MaxDefinitionLevel()
	switch {
	case c.lists != nil:
		c.takeLists(c.defs[c.l:c.l+levels], c.reps[c.l:c.l+levels], vals)
	case values == levels:
		c.sink.add(vals, c.array.Len())
	case values == 0:
		c.array.AppendNulls(levels)
	default:
		defs := c.defs[c.l : c.l+levels]
		for len(defs) > 0 {
			n := 0
			for n < len(defs) && defs[n] == maxDef {
				n++
			}
			if n > 0 {
				c.sink.add(vals[:n], c.array.Len())
				vals, defs = vals[n:], defs[n:]
			}
			n = 0
			for n < len(defs) && defs[n] < maxDef {
				n++
			}
			c.array.AppendNulls(n)
			defs = defs[n:]
		}
	}
	c.l += levels
	c.v += values
}

func (c *columnOf[T]) takeLists(defs, reps []int16, vals []T) {
	maxDef := c.field.column.MaxDefinitionLevel()
	for i, d := range defs {
		if reps[i] == 0 {
			if d < c.field.listed-1 {
				c.lists.AppendNull()
				continue
			}
			c.lists.Append(true)
		}
		switch {
		case d == maxDef:
			c.sink.add(vals[:1], c.lists.Len()-1)
			vals = vals[1:]
		case d >= c.field.listed:
			c.lists.ValueBuilder().AppendNull()
		}
	}
}

func (c *columnOf[T]) finish() arrow.Array { return c.array.NewArray() }
