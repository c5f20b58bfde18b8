package sources

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// sink puts values of a column, as the library gives them, into an array of the table.
type sink[T any] struct {
	builder arrayBuilder
	// add appends values. The first belongs to the given row of the batch, the others to those after it.
	add func(values []T, row int)
	// into makes the same sink for another builder.
	into  func(array.Builder) sink[T]
	width int         // bytes of any value
	size  func(T) int // further bytes of this value; nil: none
}

// arrayBuilder collects the values of an array.
type arrayBuilder interface {
	Len() int
	AppendNulls(n int)
	NewArray() arrow.Array
	Release()
}

// reject is called for a value that breaks a rule; something harmless takes its place in the array.
type reject func(row int, rule, what string)

type bulkBuilder[T any] interface {
	array.Builder
	AppendValues([]T, []bool)
}

type singleBuilder[U any] interface {
	array.Builder
	Append(U)
}

// direct is for values that stand in the array as they stand in the file.
func direct[T any, B bulkBuilder[T]](b array.Builder, width int) sink[T] {
	typed := b.(B)
	return sink[T]{
		builder: b, width: width,
		add:  func(values []T, _ int) { typed.AppendValues(values, nil) },
		into: func(b array.Builder) sink[T] { return direct[T, B](b, width) },
	}
}

// converted is for values that have to be made into others, which may fail.
func converted[T, U any, B singleBuilder[U]](b array.Builder, width int, bad reject, to func(T) (U, string)) sink[T] {
	typed := b.(B)
	return sink[T]{
		builder: b, width: width,
		add: func(values []T, row int) {
			for i, v := range values {
				u, wrong := to(v)
				if wrong != "" {
					bad(row+i, RuleOutOfRange, wrong)
					typed.AppendNull()
					continue
				}
				typed.Append(u)
			}
		},
		into: func(b array.Builder) sink[T] { return converted[T, U, B](b, width, bad, to) },
	}
}

// bytesBuilder builds text or bytes.
type bytesBuilder interface {
	array.Builder
	Append([]byte)
}

type bytesOf interface {
	parquet.ByteArray | parquet.FixedLenByteArray
}

func bytesSink[T bytesOf](b array.Builder) sink[T] {
	typed := b.(bytesBuilder)
	return sink[T]{
		builder: b, width: 4, size: func(v T) int { return len(v) },
		add: func(values []T, _ int) {
			for _, v := range values {
				typed.Append(v)
			}
		},
		into: bytesSink[T],
	}
}

// textSink checks that the bytes are text.
func textSink[T bytesOf](b array.Builder, bad reject) sink[T] {
	typed := b.(*array.StringBuilder)
	return sink[T]{
		builder: b, width: 4, size: func(v T) int { return len(v) },
		add: func(values []T, row int) {
			for i, v := range values {
				typed.BinaryBuilder.Append(textOf(v, row+i, bad))
			}
		},
		into: func(b array.Builder) sink[T] { return textSink[T](b, bad) },
	}
}

// textOf rejects bytes that are no text, or text with a NUL, and makes proper text of them.
func textOf[T bytesOf](v T, row int, bad reject) T {
	at := firstBad(v)
	if at < 0 {
		return v
	}
	rule, what := RuleInvalidEncoding, fmt.Sprintf("byte 0x%02X is not valid UTF-8", v[at])
	if v[at] == 0 {
		rule, what = RuleNULByte, "a NUL byte"
	}
	bad(row, rule, what)
	return T(bytes.ToValidUTF8(v, []byte("\uFFFD")))
}

func uuidText(v parquet.FixedLenByteArray) (string, string) {
	if len(v) != 16 {
		return "", fmt.Sprintf("a UUID of %d bytes", len(v))
	}
	h := hex.EncodeToString(v)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], ""
}

// newParquetColumn makes the reader of a column.
func newParquetColumn(f parquetField, mem memory.Allocator, bad reject) (parquetColumn, error) {
	b := array.NewBuilder(mem, f.item)
	c, err := columnFor(f, b, mem, bad)
	if err != nil {
		b.Release()
		return nil, err
	}
	return c, nil
}

func columnFor(f parquetField, b array.Builder, mem memory.Allocator, bad reject) (parquetColumn, error) {
	switch f.column.PhysicalType() {
	case parquet.Types.Boolean:
		return newColumnOf(f, mem, direct[bool, *array.BooleanBuilder](b, 1), nil), nil
	case parquet.Types.Float:
		return newColumnOf(f, mem, direct[float32, *array.Float32Builder](b, 4), nil), nil
	case parquet.Types.Double:
		return newColumnOf(f, mem, direct[float64, *array.Float64Builder](b, 8), nil), nil
	case parquet.Types.Int96:
		return newColumnOf(f, mem, converted[parquet.Int96, arrow.Timestamp, *array.TimestampBuilder](b, 8, bad, int96Micros), nil), nil
	case parquet.Types.Int32:
		if s, ok := int32Sink(b, bad); ok {
			return newColumnOf(f, mem, s, nil), nil
		}
	case parquet.Types.Int64:
		if s, ok := int64Sink(b, bad); ok {
			return newColumnOf(f, mem, s, nil), nil
		}
	case parquet.Types.ByteArray:
		if s, ok := bytesAny[parquet.ByteArray](f, b, mem, bad); ok {
			return newColumnOf(f, mem, s, func(v parquet.ByteArray) parquet.ByteArray { return bytes.Clone(v) }), nil
		}
	case parquet.Types.FixedLenByteArray:
		s, ok := bytesAny[parquet.FixedLenByteArray](f, b, mem, bad)
		switch {
		case f.item.ID() == arrow.FLOAT16:
			s, ok = converted[parquet.FixedLenByteArray, float16.Num, *array.Float16Builder](b, 2, bad, func(v parquet.FixedLenByteArray) (float16.Num, string) {
				return float16.FromLEBytes(v), ""
			}), true
		case f.item.ID() == arrow.STRING && f.column.TypeLength() == 16 && isUUID(f):
			s, ok = converted[parquet.FixedLenByteArray, string, *array.StringBuilder](b, 40, bad, uuidText), true
		}
		if ok {
			return newColumnOf(f, mem, s, func(v parquet.FixedLenByteArray) parquet.FixedLenByteArray { return bytes.Clone(v) }), nil
		}
	}
	return nil, fmt.Errorf("column %q: %s stored as %s is not known", f.name, f.item, f.column.PhysicalType())
}

func bytesAny[T bytesOf](f parquetField, b array.Builder, mem memory.Allocator, bad reject) (s sink[T], ok bool) {
	switch id := f.item.ID(); {
	case (id == arrow.STRING || id == arrow.BINARY) && !f.list && !isUUID(f):
		b.Release()
		return fastText[T](newTextBuilder(mem, f.item), bad), true
	}
	switch b.(type) {
	case *array.StringBuilder:
		return textSink[T](b, bad), true
	case *array.BinaryBuilder:
		return bytesSink[T](b), true
	case *array.Decimal128Builder:
		return converted[T, decimal128.Num, *array.Decimal128Builder](b, 16, bad, decimal128Bytes[T]), true
	case *array.Decimal256Builder:
		return converted[T, decimal256.Num, *array.Decimal256Builder](b, 32, bad, decimal256Bytes[T]), true
	}
	return s, false
}

// within converts to a smaller type, or says that the value is too large for it.
func within[U int8 | int16 | uint8 | uint16](v int32) (U, string) {
	if u := U(v); int32(u) == v {
		return u, ""
	}
	return 0, fmt.Sprintf("%d does not fit into the type of the column", v)
}

func int32Sink(b array.Builder, bad reject) (sink[int32], bool) {
	switch b.(type) {
	case *array.Int8Builder:
		return converted[int32, int8, *array.Int8Builder](b, 1, bad, within[int8]), true
	case *array.Int16Builder:
		return converted[int32, int16, *array.Int16Builder](b, 2, bad, within[int16]), true
	case *array.Int32Builder:
		return direct[int32, *array.Int32Builder](b, 4), true
	case *array.Uint8Builder:
		return converted[int32, uint8, *array.Uint8Builder](b, 1, bad, within[uint8]), true
	case *array.Uint16Builder:
		return converted[int32, uint16, *array.Uint16Builder](b, 2, bad, within[uint16]), true
	case *array.Uint32Builder:
		return converted[int32, uint32, *array.Uint32Builder](b, 4, bad, func(v int32) (uint32, string) { return uint32(v), "" }), true
	case *array.Date32Builder:
		return converted[int32, arrow.Date32, *array.Date32Builder](b, 4, bad, func(v int32) (arrow.Date32, string) { return arrow.Date32(v), "" }), true
	case *array.Time32Builder:
		return converted[int32, arrow.Time32, *array.Time32Builder](b, 4, bad, func(v int32) (arrow.Time32, string) { return arrow.Time32(v), "" }), true
	case *array.Decimal128Builder:
		return converted[int32, decimal128.Num, *array.Decimal128Builder](b, 16, bad, func(v int32) (decimal128.Num, string) { return decimal128.FromI64(int64(v)), "" }), true
	}
	return sink[int32]{}, false
}

func int64Sink(b array.Builder, bad reject) (sink[int64], bool) {
	switch b.(type) {
	case *array.Int64Builder:
		return direct[int64, *array.Int64Builder](b, 8), true
	case *array.Uint64Builder:
		return converted[int64, uint64, *array.Uint64Builder](b, 8, bad, func(v int64) (uint64, string) { return uint64(v), "" }), true
	case *array.Time64Builder:
		return converted[int64, arrow.Time64, *array.Time64Builder](b, 8, bad, func(v int64) (arrow.Time64, string) { return arrow.Time64(v), "" }), true
	case *array.TimestampBuilder:
		return timestamps(b), true
	case *array.Decimal128Builder:
		return converted[int64, decimal128.Num, *array.Decimal128Builder](b, 16, bad, func(v int64) (decimal128.Num, string) { return decimal128.FromI64(v), "" }), true
	}
	return sink[int64]{}, false
}

// timestamps are numbers in the file.
func timestamps(b array.Builder) sink[int64] {
	typed := b.(*array.TimestampBuilder)
	return sink[int64]{
		builder: b, width: 8, into: timestamps,
		add: func(values []int64, _ int) {
			typed.AppendValues(arrow.TimestampTraits.CastFromBytes(arrow.Int64Traits.CastToBytes(values)), nil)
		},
	}
}

// decimal128Bytes reads a number in two's complement, the highest byte first.
func decimal128Bytes[T bytesOf](v T) (decimal128.Num, string) {
	if len(v) == 0 {
		return decimal128.Num{}, "a decimal of no bytes"
	}
	sign := byte(int8(v[0]) >> 7)
	for len(v) > 16 && v[0] == sign && v[1]>>7 == sign&1 {
		v = v[1:]
	}
	if len(v) > 16 {
		return decimal128.Num{}, fmt.Sprintf("a decimal of %d bytes, where 16 are the most", len(v))
	}
	var b [16]byte
	for i := range 16 - len(v) {
		b[i] = sign
	}
	copy(b[16-len(v):], v)
	return decimal128.New(int64(binary.BigEndian.Uint64(b[:])), binary.BigEndian.Uint64(b[8:])), ""
}

func decimal256Bytes[T bytesOf](v T) (decimal256.Num, string) {
	if len(v) == 0 {
		return decimal256.Num{}, "a decimal of no bytes"
	}
	n := new(big.Int).SetBytes(v)
	if v[0]>>7 == 1 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(v))))
	}
	if n.BitLen() > 255 {
		return decimal256.Num{}, fmt.Sprintf("a decimal of %d bits, where 255 are the most", n.BitLen())
	}
	return decimal256.FromBigInt(n), ""
}

// int96Micros reads the timestamps of old writers: nanoseconds of the day, and the Julian day. In nanoseconds they would
// end in the year 2262, so what is finer than a microsecond is cut off.
func int96Micros(v parquet.Int96) (arrow.Timestamp, string) {
	const epoch, dayMicros = int64(2440588), int64(86400e6) // Julian day of 1970-01-01
	nanos := binary.LittleEndian.Uint64(v[:8])
	day := int64(int32(binary.LittleEndian.Uint32(v[8:]))) - epoch
	if nanos > math.MaxInt64 || day < -math.MaxInt64/dayMicros || day > math.MaxInt64/dayMicros-1 {
		return 0, fmt.Sprintf("the timestamp of day %d and %d nanoseconds is out of range", day, nanos)
	}
	micros := int64(nanos / 1000)
	if micros > dayMicros {
		return 0, fmt.Sprintf("the timestamp has %d nanoseconds of the day", nanos)
	}
	return arrow.Timestamp(day*dayMicros + micros), ""
}

func isUUID(f parquetField) bool {
	_, ok := f.column.LogicalType().(schema.UUIDLogicalType)
	return ok
}
