package transform

import (
	"bytes"
	"fmt"
	"math"
	"time"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"migrate/pkg/cell"
)

// reader reads one value of a source column as text; nothing is empty. out is scratch that it may append to.
type reader func(out []byte, col arrow.Array, row int) ([]byte, *fault)

// readerOf finds how the values of a column are read for a field. zone is that of times that name none.
func readerOf(col arrow.Field, f Field, zone string) (reader, error) {
	if f.Time != nil && len(f.Time.Formats) > 0 && col.Type.ID() != arrow.STRING && col.Type.ID() != arrow.LARGE_STRING {
		return nil, fmt.Errorf("column %s is a %s already; a format is for text", col.Name, col.Type)
	}
	loc, err := location(zone)
	if err != nil {
		return nil, err
	}
	needZone := func(why string) error {
		if zone == "" {
			return fmt.Errorf("column %s %s; say timezone: Europe/Berlin, or whose they are", col.Name, why)
		}
		return nil
	}
	switch t := col.Type.(type) {
	case *arrow.StringType:
		return func(_ []byte, a arrow.Array, i int) ([]byte, *fault) { return stringBytes(a.(*array.String), i), nil }, nil
	case *arrow.TimestampType:
		return timestampReader(t, f, loc, needZone)
	case *arrow.Date32Type, *arrow.Date64Type:
		if f.Kind != KindDatetime {
			return asText, nil
		}
		if err := needZone("holds dates, and the field takes times"); err != nil {
			return nil, err
		}
		return func(out []byte, a arrow.Array, i int) ([]byte, *fault) {
			day, err := time.ParseInLocation(time.DateOnly, string(cell.AppendText(nil, a, i)), loc)
			if err != nil {
				return nil, &fault{RuleType, fmt.Sprintf("%s is no date that can be sent", a.ValueStr(i))}
			}
			return appendTime(out, day, KindDatetime, false, loc), nil
		}, nil
	case *arrow.Time32Type, *arrow.Time64Type:
		return func(out []byte, a arrow.Array, i int) ([]byte, *fault) {
			at, err := time.Parse("15:04:05.999999999", string(cell.AppendText(nil, a, i)))
			if err != nil {
				return nil, &fault{RuleType, fmt.Sprintf("%s is no time of day", a.ValueStr(i))}
			}
			return at.AppendFormat(out, timeForm), nil
		}, nil
	case *arrow.Float16Type, *arrow.Float32Type, *arrow.Float64Type:
		return func(out []byte, a arrow.Array, i int) ([]byte, *fault) {
			var x float64
			switch a := a.(type) {
			case *array.Float16:
				x = float64(a.Value(i).Float32())
			case *array.Float32:
				x = float64(a.Value(i))
			case *array.Float64:
				x = a.Value(i)
			}
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, &fault{RuleType, fmt.Sprintf("%v is no number that can be sent", x)}
			}
			return cell.AppendText(out, a, i), nil
		}, nil
	case *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.FixedSizeBinaryType:
		return nil, fmt.Errorf("column %s holds bytes, which no field of this kind takes", col.Name)
	case *arrow.ListType, *arrow.LargeListType:
		return listReader(col)
	case *arrow.StructType, *arrow.MapType:
		return nil, fmt.Errorf("column %s is nested (%s); name a part of it", col.Name, col.Type)
	}
	return asText, nil
}

func asText(out []byte, a arrow.Array, i int) ([]byte, *fault) {
	return cell.AppendText(out, a, i), nil
}

// stringBytes gives a value without copying it. Nobody may write to it.
func stringBytes(a *array.String, i int) []byte {
	v := a.Value(i)
	return unsafe.Slice(unsafe.StringData(v), len(v))
}

func timestampReader(t *arrow.TimestampType, f Field, loc *time.Location, needZone func(string) error) (reader, error) {
	at := func(a arrow.Array, i int) time.Time { return a.(*array.Timestamp).Value(i).ToTime(t.Unit).UTC() }
	local := t.TimeZone == ""
	switch {
	case f.Kind == KindDate && local:
		return func(out []byte, a arrow.Array, i int) ([]byte, *fault) {
			return at(a, i).AppendFormat(out, dateForm), nil
		}, nil
	case f.Kind == KindDate:
		if err := needZone("holds times, and the field takes dates, which depend on the place"); err != nil {
			return nil, err
		}
		return func(out []byte, a arrow.Array, i int) ([]byte, *fault) {
			return at(a, i).In(loc).AppendFormat(out, dateForm), nil
		}, nil
	case f.Kind != KindDatetime:
		return asText, nil
	case !local:
		return func(out []byte, a arrow.Array, i int) ([]byte, *fault) {
			return at(a, i).AppendFormat(out, datetimeForm), nil
		}, nil
	}
	if err := needZone("holds times that name no timezone"); err != nil {
		return nil, err
	}
	return func(out []byte, a arrow.Array, i int) ([]byte, *fault) {
		instant, bad := settle(at(a, i), loc, "", cell.AppendText(nil, a, i))
		if bad != nil {
			return nil, bad
		}
		return instant.UTC().AppendFormat(out, datetimeForm), nil
	}, nil
}

// listReader joins the items of a list as a multi-select picklist has them, A;B.
func listReader(col arrow.Field) (reader, error) {
	elem := col.Type.(arrow.ListLikeType).Elem()
	switch elem.ID() {
	case arrow.LIST, arrow.LARGE_LIST, arrow.STRUCT, arrow.MAP, arrow.BINARY, arrow.LARGE_BINARY:
		return nil, fmt.Errorf("column %s is a list of %s, which no field takes", col.Name, elem)
	}
	return func(out []byte, a arrow.Array, i int) ([]byte, *fault) {
		list := a.(array.ListLike)
		values := list.ListValues()
		from, to := list.ValueOffsets(i)
		for k := from; k < to; k++ {
			item := cell.AppendText(nil, values, int(k))
			if bytes.IndexByte(item, ';') >= 0 {
				return nil, &fault{RuleType, fmt.Sprintf("%s holds a semicolon, which parts the values of a multi-select picklist", show(item))}
			}
			if len(item) == 0 {
				continue
			}
			if len(out) > 0 {
				out = append(out, ';')
			}
			out = append(out, item...)
		}
		return out, nil
	}, nil
}
