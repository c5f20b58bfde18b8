package sinks

import (
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// appender appends the value of a row that is not null, the same way in CSV and in JSON. It is made once for each batch and column.
type appender func(dst []byte, row int) []byte

// numbers returns the appender of a column whose values need no quotes in either format, nil for the others.
func numbers(col arrow.Array, number func([]byte, float64) []byte) appender {
	switch a := col.(type) {
	case *array.Boolean:
		return func(dst []byte, row int) []byte { return strconv.AppendBool(dst, a.Value(row)) }
	case *array.Int64:
		return func(dst []byte, row int) []byte { return strconv.AppendInt(dst, a.Value(row), 10) }
	case *array.Float64:
		return func(dst []byte, row int) []byte { return number(dst, a.Value(row)) }
	case *array.Decimal128:
		scale := int(a.DataType().(*arrow.Decimal128Type).Scale)
		return func(dst []byte, row int) []byte { return appendDecimal(dst, a.Value(row), scale) }
	}
	return nil
}

// times returns the appender of a column of dates or times, nil for the others.
func times(col arrow.Array) appender {
	switch a := col.(type) {
	case *array.Date32:
		return func(dst []byte, row int) []byte { return appendDay(dst, int64(a.Value(row))) }
	case *array.Timestamp:
		return func(dst []byte, row int) []byte { return appendInstant(dst, int64(a.Value(row))) }
	case *array.Time32:
		return func(dst []byte, row int) []byte { return appendTimeOfDay(dst, int64(a.Value(row))) }
	}
	return nil
}

// appendPlainFloat appends the shortest digits that read back as the same number, without an exponent: 16147805824397 and 0.000001. Of 1e300
// that is a one and three hundred zeros, which every reader of numbers understands.
func appendPlainFloat(dst []byte, x float64) []byte {
	if fast, ok := appendShort(dst, x); ok {
		return fast
	}
	return strconv.AppendFloat(dst, x, 'f', -1, 64)
}

// appendJSONFloat is appendPlainFloat, but with an exponent from 1e21 up and below 1e-6, as JavaScript has it.
func appendJSONFloat(dst []byte, x float64) []byte {
	if fast, ok := appendShort(dst, x); ok {
		return fast
	}
	if abs := math.Abs(x); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(dst, x, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, x, 'f', -1, 64)
}

// appendShort appends numbers of up to fifteen digits of which at most two stand behind the point: most numbers of most people. No other
// digits so few give the same number, so these are the shortest.
func appendShort(dst []byte, x float64) ([]byte, bool) {
	n := math.Round(x * 100)
	if !(math.Abs(n) < 1e15) || n/100 != x || n == 0 {
		return dst, false
	}
	i := int64(n)
	if i < 0 {
		dst, i = append(dst, '-'), -i
	}
	dst = strconv.AppendInt(dst, i/100, 10)
	if cents := i % 100; cents != 0 {
		dst = append(dst, '.', byte('0'+cents/10))
		if cents%10 != 0 {
			dst = append(dst, byte('0'+cents%10))
		}
	}
	return dst, true
}

// appendDecimal appends a decimal with its whole scale: 12.30 of scale 2, 0.05, -7.
func appendDecimal(dst []byte, n decimal128.Num, scale int) []byte {
	var digits [40]byte
	text := digits[:0]
	if n.HighBits() == int64(n.LowBits())>>63 {
		text = strconv.AppendInt(text, int64(n.LowBits()), 10)
	} else {
		text = n.BigInt().Append(text, 10)
	}
	if text[0] == '-' {
		dst, text = append(dst, '-'), text[1:]
	}
	if scale == 0 {
		return append(dst, text...)
	}
	whole := len(text) - scale
	if whole <= 0 {
		dst = append(dst, '0')
	} else {
		dst = append(dst, text[:whole]...)
	}
	dst = append(dst, '.')
	for range -whole {
		dst = append(dst, '0')
	}
	return append(dst, text[max(whole, 0):]...)
}

// appendDay appends days since 1970 as 2006-01-02.
func appendDay(dst []byte, days int64) []byte {
	y, m, d := time.Unix(days*(msPerDay/1000), 0).UTC().Date()
	if y < 0 || y > 9999 { // no form for it is understood everywhere; this one is at least plain
		return time.Unix(days*(msPerDay/1000), 0).UTC().AppendFormat(dst, time.DateOnly)
	}
	dst = two(two(dst, y/100), y%100)
	dst = two(append(dst, '-'), int(m))
	return two(append(dst, '-'), d)
}

// appendInstant appends milliseconds since 1970 in UTC as 2006-01-02T15:04:05.000Z.
func appendInstant(dst []byte, ms int64) []byte {
	days := ms / msPerDay
	if ms%msPerDay < 0 {
		days--
	}
	dst = append(appendDay(dst, days), 'T')
	return append(appendTimeOfDay(dst, ms-days*msPerDay), 'Z')
}

// appendTimeOfDay appends milliseconds since midnight as 15:04:05.000.
func appendTimeOfDay(dst []byte, ms int64) []byte {
	s := int(ms / 1000)
	dst = two(dst, s/3600)
	dst = two(append(dst, ':'), s/60%60)
	dst = two(append(dst, ':'), s%60)
	rest := int(ms % 1000)
	return two(append(dst, '.', byte('0'+rest/100)), rest%100)
}

func two(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }
