package sources

import (
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// queryColumn is how the values of a column of a query become those of an Arrow column.
type queryColumn struct {
	typ    arrow.DataType
	append func(b array.Builder, v any) error
}

// newQueryColumn finds the type of a column. Numbers whose precision the database does not tell, and everything that has no
// type of its own here (intervals, arrays, geometry), stay the text of the database.
func newQueryColumn(driver string, t *sql.ColumnType) queryColumn {
	name := strings.ToUpper(t.DatabaseTypeName())
	name, _, _ = strings.Cut(name, "(") // SQLite gives the declaration: VARCHAR(40)
	name = strings.TrimSpace(strings.TrimPrefix(name, "UNSIGNED "))
	unsigned := strings.HasPrefix(strings.ToUpper(t.DatabaseTypeName()), "UNSIGNED ")
	switch name {
	case "BOOL", "BOOLEAN":
		return queryColumn{arrow.FixedWidthTypes.Boolean, appendBool}
	case "INT2", "INT4", "INT8", "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "INTEGER", "BIGINT", "YEAR", "SERIAL", "BIGSERIAL":
		if unsigned && name == "BIGINT" {
			return queryColumn{arrow.PrimitiveTypes.Uint64, appendUint}
		}
		return queryColumn{arrow.PrimitiveTypes.Int64, appendInt}
	case "FLOAT4":
		return queryColumn{arrow.PrimitiveTypes.Float64, appendSingle}
	case "FLOAT8", "FLOAT", "DOUBLE", "REAL", "DOUBLE PRECISION":
		return queryColumn{arrow.PrimitiveTypes.Float64, appendFloat}
	case "DECIMAL", "NUMERIC", "NUMBER", "MONEY":
		p, s, ok := t.DecimalSize()
		if driver == "sqlite" || !ok || p <= 0 || p > 38 || s < 0 || s > p {
			return queryColumn{arrow.BinaryTypes.String, appendString}
		}
		typ := &arrow.Decimal128Type{Precision: int32(p), Scale: int32(s)}
		return queryColumn{typ, func(b array.Builder, v any) error { return appendDecimal(b, v, typ) }}
	case "DATE":
		if driver == "oracle" { // it holds a time, too
			return queryColumn{localTime, appendTimestamp}
		}
		return queryColumn{arrow.FixedWidthTypes.Date32, appendDate}
	case "TIMESTAMP", "DATETIME", "DATETIME2", "SMALLDATETIME":
		if driver == "mysql" && name == "TIMESTAMP" { // an instant; the connection speaks UTC
			return queryColumn{arrow.FixedWidthTypes.Timestamp_us, appendTimestamp}
		}
		return queryColumn{localTime, appendTimestamp}
	case "TIMESTAMPTZ", "DATETIMEOFFSET", "TIMESTAMP WITH TIME ZONE":
		return queryColumn{arrow.FixedWidthTypes.Timestamp_us, appendTimestamp}
	case "BIT", "VARBIT":
		switch driver {
		case "sqlserver":
			return queryColumn{arrow.FixedWidthTypes.Boolean, appendBool}
		case "pgx": // digits
			return queryColumn{arrow.BinaryTypes.String, appendString}
		}
		return queryColumn{arrow.BinaryTypes.Binary, appendBinary}
	case "BYTEA", "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "BINARY", "VARBINARY", "IMAGE", "RAW":
		return queryColumn{arrow.BinaryTypes.Binary, appendBinary}
	}
	return queryColumn{arrow.BinaryTypes.String, appendString}
}

var localTime = &arrow.TimestampType{Unit: arrow.Microsecond}

func wrongValue(v any, want string) error {
	text := fmt.Sprint(v)
	if b, ok := v.([]byte); ok {
		text = string(b)
	}
	if r := []rune(text); len(r) > 40 {
		text = string(r[:40]) + "…"
	}
	return fmt.Errorf("it holds %q where %s should be; convert it in the query", text, want)
}

func appendBool(b array.Builder, v any) error {
	out := b.(*array.BooleanBuilder)
	switch v := v.(type) {
	case nil:
		out.AppendNull()
	case bool:
		out.Append(v)
	case int64:
		if v != 0 && v != 1 {
			return wrongValue(v, "a truth value")
		}
		out.Append(v == 1)
	default:
		return wrongValue(v, "a truth value")
	}
	return nil
}

func appendInt(b array.Builder, v any) error {
	out := b.(*array.Int64Builder)
	switch v := v.(type) {
	case nil:
		out.AppendNull()
	case int64:
		out.Append(v)
	case int32:
		out.Append(int64(v))
	case int16:
		out.Append(int64(v))
	case []byte:
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			return wrongValue(v, "a whole number")
		}
		out.Append(n)
	default:
		return wrongValue(v, "a whole number")
	}
	return nil
}

func appendUint(b array.Builder, v any) error {
	out := b.(*array.Uint64Builder)
	switch v := v.(type) {
	case nil:
		out.AppendNull()
	case uint64:
		out.Append(v)
	case int64:
		if v < 0 {
			return wrongValue(v, "a number from 0 on")
		}
		out.Append(uint64(v))
	case []byte:
		n, err := strconv.ParseUint(string(v), 10, 64)
		if err != nil {
			return wrongValue(v, "a number from 0 on")
		}
		out.Append(n)
	default:
		return wrongValue(v, "a number from 0 on")
	}
	return nil
}

func appendFloat(b array.Builder, v any) error {
	out := b.(*array.Float64Builder)
	switch v := v.(type) {
	case nil:
		out.AppendNull()
	case float64:
		out.Append(v)
	case float32:
		x, err := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64) // 0.1 stays 0.1
		if err != nil {
			return err
		}
		out.Append(x)
	case int64: // SQLite keeps whole numbers so
		out.Append(float64(v))
	case []byte:
		x, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			return wrongValue(v, "a number")
		}
		out.Append(x)
	default:
		return wrongValue(v, "a number")
	}
	return nil
}

// appendSingle takes a number of single precision that the driver has made a double of: 0.1 stays 0.1.
func appendSingle(b array.Builder, v any) error {
	if x, ok := v.(float64); ok {
		v = float32(x)
	}
	return appendFloat(b, v)
}

func appendDecimal(b array.Builder, v any, typ *arrow.Decimal128Type) error {
	out := b.(*array.Decimal128Builder)
	var text string
	switch v := v.(type) {
	case nil:
		out.AppendNull()
		return nil
	case string:
		text = v
	case []byte:
		text = string(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return wrongValue(v, "a decimal number")
	}
	if n, ok := shortDecimal(text, int(typ.Scale)); ok {
		if n := decimal128.FromI64(n); n.FitsInPrecision(typ.Precision) {
			out.Append(n)
			return nil
		}
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok { // NaN, Infinity
		return wrongValue(text, "a decimal number")
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(typ.Scale)), nil)))
	if !r.IsInt() || len(r.Num().String()) > 39 {
		return wrongValue(text, fmt.Sprintf("a number with %d digits, %d of them behind the point,", typ.Precision, typ.Scale))
	}
	n := decimal128.FromBigInt(r.Num())
	if !n.FitsInPrecision(typ.Precision) {
		return wrongValue(text, fmt.Sprintf("a number of %d digits", typ.Precision))
	}
	out.Append(n)
	return nil
}

// shortDecimal reads a number without an exponent as so many units of the last of scale places. It is not ok when that takes more than 18
// digits or is not exact, or when there is more than digits, a sign and a point.
func shortDecimal(text string, scale int) (units int64, ok bool) {
	digits := text
	if text != "" && (text[0] == '-' || text[0] == '+') {
		digits = text[1:]
	}
	places := -1 // behind the point; there was none yet
	n, seen := int64(0), 0
	some := false
	for i := range len(digits) {
		c := digits[i]
		switch {
		case c == '.' && places < 0:
			places = 0
			continue
		case c < '0' || c > '9':
			return 0, false
		}
		some = true
		switch {
		case places == scale:
			if c != '0' {
				return 0, false
			}
			continue
		case places >= 0:
			places++
		}
		n = 10*n + int64(c-'0')
		if seen++; seen > 18 {
			return 0, false
		}
	}
	for places = max(places, 0); places < scale; places++ {
		n *= 10
		if seen++; seen > 18 {
			return 0, false
		}
	}
	if text != digits && text[0] == '-' {
		n = -n
	}
	return n, some
}

// errNoDate says what MySQL's 0000-00-00 is.
var errNoDate = errors.New("it holds the date 0000-00-00; make it null in the query, with nullif(…, 0)")

func appendDate(b array.Builder, v any) error {
	out := b.(*array.Date32Builder)
	switch v := v.(type) {
	case nil:
		out.AppendNull()
	case time.Time:
		if v.Hour()|v.Minute()|v.Second()|v.Nanosecond() != 0 { // SQLite lets a date have a time
			return wrongValue(v, "a date alone")
		}
		out.Append(arrow.Date32FromTime(time.Date(v.Year(), v.Month(), v.Day(), 0, 0, 0, 0, time.UTC)))
	case string:
		return appendDateText(out, v)
	case []byte:
		return appendDateText(out, string(v))
	default:
		return wrongValue(v, "a date")
	}
	return nil
}

func appendDateText(out *array.Date32Builder, text string) error {
	if strings.HasPrefix(text, "0000-00-00") {
		return errNoDate
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return wrongValue(text, "a date")
	}
	out.Append(arrow.Date32FromTime(t))
	return nil
}

// appendTimestamp keeps microseconds; Salesforce keeps whole seconds.
func appendTimestamp(b array.Builder, v any) error {
	out := b.(*array.TimestampBuilder)
	switch v := v.(type) {
	case nil:
		out.AppendNull()
	case time.Time:
		_, offset := v.Zone()
		if out.Type().(*arrow.TimestampType).TimeZone == "" && offset != 0 { // SQLite lets a value have one
			return wrongValue(v, "a time without a zone")
		}
		out.Append(arrow.Timestamp(v.UnixMicro()))
	case string: // SQLite, where the text is in another form than the driver knows
		return appendTimestampText(out, v)
	case []byte: // MySQL
		return appendTimestampText(out, string(v))
	default:
		return wrongValue(v, "a date and time")
	}
	return nil
}

func appendTimestampText(out *array.TimestampBuilder, text string) error {
	if strings.HasPrefix(text, "0000-00-00") {
		return errNoDate
	}
	for _, form := range []string{"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			out.Append(arrow.Timestamp(t.UnixMicro()))
			return nil
		}
	}
	return wrongValue(text, "a date and time without a zone")
}

func appendBinary(b array.Builder, v any) error {
	out := b.(*array.BinaryBuilder)
	switch v := v.(type) {
	case nil:
		out.AppendNull()
	case []byte:
		out.Append(v)
	case string:
		out.AppendString(v)
	default:
		return wrongValue(v, "bytes")
	}
	return nil
}

func appendString(b array.Builder, v any) error {
	out := b.(*array.StringBuilder)
	var text string
	switch v := v.(type) {
	case nil:
		out.AppendNull()
		return nil
	case string:
		text = v
	case []byte:
		text = string(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		text = strconv.FormatBool(v)
	case time.Time:
		text = v.Format("2006-01-02T15:04:05.999999999Z07:00")
	default:
		text = fmt.Sprint(v)
	}
	if !utf8.ValidString(text) {
		return wrongValue(text, "text")
	}
	out.Append(text)
	return nil
}
