package sources

import (
	"bytes"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// textBuilder builds an array of text or bytes, many values at a time, with room from the start for as much as the last array
// took.
type textBuilder struct {
	mem   memory.Allocator
	typ   arrow.DataType
	data  *memory.Buffer
	off   *memory.Buffer
	valid *memory.Buffer
	n     int // values and nulls
	used  int // bytes of data
	nulls int
	guess struct{ n, used int }
}

func newTextBuilder(mem memory.Allocator, typ arrow.DataType) *textBuilder {
	b := &textBuilder{mem: mem, typ: typ}
	b.guess.n = parquetRun
	return b
}

func (b *textBuilder) Len() int { return b.n }

// room makes room for more values and bytes.
func (b *textBuilder) room(n, size int) {
	if b.off == nil {
		b.data, b.off, b.valid = memory.NewResizableBuffer(b.mem), memory.NewResizableBuffer(b.mem), memory.NewResizableBuffer(b.mem)
		b.data.Resize(b.guess.used)
		b.off.Resize(4 * (b.guess.n + 1))
		b.valid.Resize(int(bitutil.BytesForBits(int64(b.guess.n))))
		arrow.Int32Traits.CastFromBytes(b.off.Bytes())[0] = 0
	}
	if need := b.used + size; need > b.data.Len() {
		b.data.Resize(max(need, 2*b.data.Len()))
	}
	if need := b.n + n; 4*(need+1) > b.off.Len() || int(bitutil.BytesForBits(int64(need))) > b.valid.Len() {
		need = max(need, 2*b.n)
		b.off.Resize(4 * (need + 1))
		b.valid.Resize(int(bitutil.BytesForBits(int64(need))))
	}
}

// appendTexts appends values, and says where their bytes stand.
func appendTexts[T bytesOf](b *textBuilder, values []T) []byte {
	size := 0
	for _, v := range values {
		size += len(v)
	}
	b.room(len(values), size)
	data, at := b.data.Bytes(), b.used
	off := arrow.Int32Traits.CastFromBytes(b.off.Bytes())[b.n+1:]
	for i, v := range values {
		at += copy(data[at:], v)
		off[i] = int32(at)
	}
	bitutil.SetBitsTo(b.valid.Bytes(), int64(b.n), int64(len(values)), true)
	start := b.used
	b.used = at
	b.n += len(values)
	return data[start:at]
}

func (b *textBuilder) AppendNulls(n int) {
	b.room(n, 0)
	off := arrow.Int32Traits.CastFromBytes(b.off.Bytes())[b.n+1:]
	for i := range n {
		off[i] = int32(b.used)
	}
	bitutil.SetBitsTo(b.valid.Bytes(), int64(b.n), int64(n), false)
	b.n += n
	b.nulls += n
}

// NewArray hands over what was collected; it owns its memory.
func (b *textBuilder) NewArray() arrow.Array {
	b.room(0, 0)
	b.data.ResizeNoShrink(b.used)
	b.off.ResizeNoShrink(4 * (b.n + 1))
	b.valid.ResizeNoShrink(int(bitutil.BytesForBits(int64(b.n))))
	data := array.NewData(b.typ, b.n, []*memory.Buffer{b.valid, b.off, b.data}, nil, b.nulls, 0)
	defer data.Release()
	b.guess.n, b.guess.used = max(b.n, b.guess.n/2), max(b.used+b.used/8, b.guess.used/2)
	b.Release()
	return array.MakeFromData(data)
}

func (b *textBuilder) Release() {
	if b.off != nil {
		b.data.Release()
		b.off.Release()
		b.valid.Release()
	}
	b.data, b.off, b.valid, b.n, b.used, b.nulls = nil, nil, nil, 0, 0, 0
}

// allText reports whether all of the values, which stand in together, are text without a NUL.
func allText[T bytesOf](values []T, together []byte) bool {
	if bytes.IndexByte(together, 0) >= 0 || !utf8.Valid(together) {
		return false
	}
	for _, v := range values {
		if len(v) > 0 && !utf8.RuneStart(v[0]) {
			return false // a character is in two of them
		}
	}
	return true
}

// fastText is a sink for a column of text or bytes that is no list.
func fastText[T bytesOf](b *textBuilder, bad reject) sink[T] {
	check := b.typ.ID() == arrow.STRING
	return sink[T]{
		builder: b, width: 4, size: func(v T) int { return len(v) },
		add: func(values []T, row int) {
			used, n := b.used, b.n
			if together := appendTexts(b, values); !check || allText(values, together) {
				return
			}
			b.used, b.n = used, n
			for i, v := range values {
				appendTexts(b, []T{textOf(v, row+i, bad)})
			}
		},
	}
}
