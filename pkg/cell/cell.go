// Package cell shows one value of a record batch as text: in reports, in previews, and where a field takes a value as it is.
package cell

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// AppendText appends the value of one row as text, the way a report shows it and a field without rules of its own gets it:
//
//	null                    nothing
//	text                    as it is
//	integer, decimal        plain digits, the decimal with its whole scale
//	floating point          the shortest digits that read back the same; with an exponent from 1e21 up and below 1e-7
//	boolean                 true or false
//	date                    2006-01-02
//	timestamp with a zone   2006-01-02T15:04:05Z, in UTC, with as many digits of the second as it has
//	timestamp without one   2006-01-02T15:04:05: whose time it is, the mapping says
//	time of day             15:04:05, with as many digits of the second as it has
//	bytes                   base64
//	anything nested         JSON
func AppendText(dst []byte, col arrow.Array, row int) []byte {
	if col.IsNull(row) {
		return dst
	}
	switch a := col.(type) {
	case *array.String:
		return append(dst, a.Value(row)...)
	case *array.LargeString:
		return append(dst, a.Value(row)...)
	case *array.Boolean:
		return strconv.AppendBool(dst, a.Value(row))
	case *array.Int8:
		return strconv.AppendInt(dst, int64(a.Value(row)), 10)
	case *array.Int16:
		return strconv.AppendInt(dst, int64(a.Value(row)), 10)
	case *array.Int32:
		return strconv.AppendInt(dst, int64(a.Value(row)), 10)
	case *array.Int64:
		return strconv.AppendInt(dst, a.Value(row), 10)
	case *array.Uint8:
		return strconv.AppendUint(dst, uint64(a.Value(row)), 10)
	case *array.Uint16:
		return strconv.AppendUint(dst, uint64(a.Value(row)), 10)
	case *array.Uint32:
		return strconv.AppendUint(dst, uint64(a.Value(row)), 10)
	case *array.Uint64:
		return strconv.AppendUint(dst, a.Value(row), 10)
	case *array.Float16:
		return appendFloat(dst, float64(a.Value(row).Float32()), 32)
	case *array.Float32:
		return appendFloat(dst, float64(a.Value(row)), 32)
	case *array.Float64:
		return appendFloat(dst, a.Value(row), 64)
	case *array.Decimal32:
		return append(dst, a.Value(row).ToString(a.DataType().(arrow.DecimalType).GetScale())...)
	case *array.Decimal64:
		return append(dst, a.Value(row).ToString(a.DataType().(arrow.DecimalType).GetScale())...)
	case *array.Decimal128:
		return append(dst, a.Value(row).ToString(a.DataType().(arrow.DecimalType).GetScale())...)
	case *array.Decimal256:
		return append(dst, a.Value(row).ToString(a.DataType().(arrow.DecimalType).GetScale())...)
	case *array.Date32:
		return a.Value(row).ToTime().AppendFormat(dst, time.DateOnly)
	case *array.Date64:
		return a.Value(row).ToTime().AppendFormat(dst, time.DateOnly)
	case *array.Timestamp:
		form := "2006-01-02T15:04:05.999999999"
		unit := a.DataType().(*arrow.TimestampType)
		if unit.TimeZone != "" {
			form += "Z"
		}
		return a.Value(row).ToTime(unit.Unit).UTC().AppendFormat(dst, form)
	case *array.Time32:
		return a.Value(row).ToTime(a.DataType().(*arrow.Time32Type).Unit).AppendFormat(dst, "15:04:05.999999999")
	case *array.Time64:
		return a.Value(row).ToTime(a.DataType().(*arrow.Time64Type).Unit).AppendFormat(dst, "15:04:05.999999999")
	case *array.Binary:
		return base64.StdEncoding.AppendEncode(dst, a.Value(row))
	case *array.LargeBinary:
		return base64.StdEncoding.AppendEncode(dst, a.Value(row))
	case *array.FixedSizeBinary:
		return base64.StdEncoding.AppendEncode(dst, a.Value(row))
	case *array.Dictionary:
		return AppendText(dst, a.Dictionary(), a.GetValueIndex(row))
	}
	return append(dst, col.ValueStr(row)...)
}

func appendFloat(dst []byte, x float64, bits int) []byte {
	form := byte('f')
	if abs := math.Abs(x); abs != 0 && (abs < 1e-7 || abs >= 1e21) {
		form = 'e'
	}
	return strconv.AppendFloat(dst, x, form, -1, bits)
}
