package sources

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// columns collects records into the offset and data buffers of Arrow string columns. A record that
// is given up halfway leaves no trace: only rows counts.
type columns struct {
	mem    memory.Allocator
	schema *arrow.Schema
	cols   []column
	rows   int
	room   int // rows that fit without growing
}

// column is one string column being built. Value i is data[off[i]:off[i+1]].
type column struct {
	data  []byte
	off   []int32
	dataB *memory.Buffer
	offB  *memory.Buffer
	guess int // bytes of data the last batch needed
}

func newColumns(mem memory.Allocator, schema *arrow.Schema, rows int) *columns {
	cs := &columns{mem: mem, schema: schema, cols: make([]column, schema.NumFields()), room: rows}
	for i := range cs.cols {
		cs.cols[i].guess = 8 * rows
	}
	return cs
}

// begin starts a batch, with room for as much as the last one held.
func (cs *columns) begin() {
	cs.rows = 0
	for i := range cs.cols {
		c := &cs.cols[i]
		c.offB = memory.NewResizableBuffer(cs.mem)
		c.dataB = memory.NewResizableBuffer(cs.mem)
		c.offB.Resize(4 * (cs.room + 1))
		c.off = arrow.Int32Traits.CastFromBytes(c.offB.Bytes())
		c.off[0] = 0
		c.dataB.Resize(c.guess + slack)
		c.data = c.dataB.Bytes()
	}
}

// ready makes room for one more row.
func (cs *columns) ready() {
	if cs.rows < cs.room {
		return
	}
	cs.room += cs.room/2 + 16
	for i := range cs.cols {
		c := &cs.cols[i]
		c.offB.Resize(4 * (cs.room + 1))
		c.off = arrow.Int32Traits.CastFromBytes(c.offB.Bytes())
	}
}

// plain appends the record b[p:e], in which no quote has a meaning, and reports whether it has the
// right number of fields. b may be read up to slack bytes after e.
func (cs *columns) plain(b []byte, p, e int, delim byte) bool {
	cols, row := cs.cols, cs.rows
	n, start := 0, p
	for i := p; i < e; i += 8 {
		for hits := matches(binary.LittleEndian.Uint64(b[i:]), delim); hits != 0; hits &= hits - 1 {
			at := i + firstMatch(hits)
			if at >= e {
				break
			}
			if n >= len(cols)-1 {
				return false
			}
			// put, by hand for the common case of a short value
			c := &cols[n]
			if o, l := int(c.off[row]), at-start; l <= 16 && o+16 <= len(c.data) {
				*(*[16]byte)(c.data[o:]) = *(*[16]byte)(b[start:])
				c.off[row+1] = int32(o + l)
			} else {
				c.put(row, b, start, at)
			}
			n++
			start = at + 1
		}
	}
	if n != len(cols)-1 {
		return false
	}
	cols[n].put(row, b, start, e)
	return true
}

// put writes b[s:e] as the value of a row.
func (c *column) put(row int, b []byte, s, e int) {
	o := int(c.off[row])
	n := e - s
	if o+n+slack > len(c.data) {
		c.grow(o, n)
	}
	if n <= 16 {
		*(*[16]byte)(c.data[o:]) = *(*[16]byte)(b[s:])
	} else {
		copy(c.data[o:], b[s:e])
	}
	c.off[row+1] = int32(o + n)
}

func (c *column) grow(used, more int) {
	c.dataB.Resize(max(2*len(c.data), used+more) + slack)
	c.data = c.dataB.Bytes()
}

// fields appends a record that was scanned field by field.
func (cs *columns) fields(g *grammar, b []byte, fields []span) {
	row := cs.rows
	for i := range cs.cols {
		c, s := &cs.cols[i], &fields[i]
		o, n := int(c.off[row]), s.end-s.start
		switch {
		case s.undo:
			if o+n+slack > len(c.data) {
				c.grow(o, n)
			}
			c.off[row+1] = int32(len(g.value(c.data[:o], b, *s)))
		case n <= 16 && o+16 <= len(c.data): // put, by hand
			*(*[16]byte)(c.data[o:]) = *(*[16]byte)(b[s.start:])
			c.off[row+1] = int32(o + n)
		default:
			c.put(row, b, s.start, s.end)
		}
	}
}

// finish hands over the rows as a record batch that owns its memory.
func (cs *columns) finish() arrow.RecordBatch {
	arrays := make([]arrow.Array, len(cs.cols))
	for i := range cs.cols {
		c := &cs.cols[i]
		used := int(c.off[cs.rows])
		c.guess = max(used+used/8, c.guess/2)
		c.offB.ResizeNoShrink(4 * (cs.rows + 1))
		c.dataB.ResizeNoShrink(used)
		data := array.NewData(arrow.BinaryTypes.String, cs.rows, []*memory.Buffer{nil, c.offB, c.dataB}, nil, 0, 0)
		arrays[i] = array.NewStringData(data)
		data.Release()
		c.offB.Release()
		c.dataB.Release()
		*c = column{guess: c.guess}
	}
	batch := array.NewRecordBatch(cs.schema, arrays, int64(cs.rows))
	for _, a := range arrays {
		a.Release()
	}
	return batch
}
