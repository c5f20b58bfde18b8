package sources

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// parquetField is a column of the table: one leaf of the schema tree.
type parquetField struct {
	name   string // the path of the value, or of the list of values
	leaf   int    // number of the leaf in the file
	column *schema.Column
	typ    arrow.DataType // of the table
	item   arrow.DataType // of a value: typ, or that of the elements of a list
	list   bool
	// listed is the definition level from which on a list has an element; one less is an empty list, below that
	// there is no list.
	listed int16
}

// longestFixed is the greatest length, in bytes, of values that all have one.
const longestFixed = 1 << 20

// parquetFields finds the columns of the table. It reports all columns that cannot be read, not the first alone.
func parquetFields(sc *schema.Schema, names []string, binaryAsText bool) ([]parquetField, error) {
	var fields []parquetField
	var problems []string
	var all []string
	used := make([]bool, len(names))
	for i := range sc.NumColumns() {
		f, err := fieldOf(sc.Column(i), binaryAsText)
		f.leaf = i
		all = append(all, f.name)
		if len(names) > 0 {
			named := false
			for k, n := range names {
				if n == f.name || strings.HasPrefix(f.name, n+".") {
					used[k], named = true, true
				}
			}
			if !named {
				continue
			}
		}
		if err != nil {
			p := fmt.Sprintf("column %q %v", f.name, err)
			if !slices.Contains(problems, p) {
				problems = append(problems, p) // a map, or a list of records, has several leaves
			}
			continue
		}
		fields = append(fields, f)
	}
	if k := slices.Index(used, false); k >= 0 {
		return nil, fmt.Errorf("it has no column %q; it has %s", names[k], strings.Join(slices.Compact(all), ", "))
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s; leave such columns out by naming the columns to read", strings.Join(problems, "; "))
	}
	if len(fields) == 0 {
		return nil, errors.New("it has no columns")
	}
	return fields, nil
}

// fieldOf gives a leaf its place in the table, or says why it has none; the name is right in both cases.
func fieldOf(col *schema.Column, binaryAsText bool) (parquetField, error) {
	f := parquetField{column: col}
	var path []schema.Node // from the top to the leaf
	for n := col.SchemaNode(); n != nil && n.Parent() != nil; n = n.Parent() {
		path = append(path, n)
	}
	slices.Reverse(path)
	var names []string
	end := len(path) // where the name ends
	var reason error
	level := int16(0)
	for i, n := range path {
		if i < end {
			names = append(names, n.Name())
		}
		if n.RepetitionType() != parquet.Repetitions.Required {
			level++
		}
		switch n.LogicalType().(type) {
		case schema.MapLogicalType:
			reason, end = errors.New("is a map, which has no place in a table"), min(end, i+1)
		case schema.VariantLogicalType:
			reason, end = errors.New("is a variant, which has no place in a table"), min(end, i+1)
		}
		if n.RepetitionType() != parquet.Repetitions.Repeated || reason != nil {
			continue
		}
		f.list, f.listed = true, level
		end = min(end, i+1)
		if i > 0 && isList(path[i-1]) {
			end = i
			names = names[:i]
		}
		switch {
		case slices.ContainsFunc(path[i+1:], func(n schema.Node) bool { return n.RepetitionType() == parquet.Repetitions.Repeated }):
			reason = errors.New("is a list of lists, which has no place in a table")
		case !leafBelow(path[i:]):
			reason = errors.New("is a list of records, which has no place in a table")
		}
	}
	f.name = strings.Join(names, ".")
	if reason != nil {
		return f, reason
	}
	var err error
	if f.item, err = typeOf(col, binaryAsText); err != nil {
		return f, err
	}
	f.typ = f.item
	if f.list {
		f.typ = arrow.ListOf(f.item)
	}
	return f, nil
}

func isList(n schema.Node) bool {
	if _, ok := n.LogicalType().(schema.ListLogicalType); ok {
		return true
	}
	return n.ConvertedType() == schema.ConvertedTypes.List
}

// leafBelow reports whether a repeated node is a single value, or the layer around one that the format prescribes for
// lists. A group of one field is a record if its name says so.
func leafBelow(path []schema.Node) bool {
	switch len(path) {
	case 1:
		return true
	case 2:
		group, ok := path[0].(*schema.GroupNode)
		if !ok || group.NumFields() != 1 || group.Parent() == nil || !isList(group.Parent()) {
			return false
		}
		return group.Name() != "array" && group.Name() != group.Parent().Name()+"_tuple"
	}
	return false
}

// typeOf is the type that a leaf has in the table.
func typeOf(col *schema.Column, binaryAsText bool) (arrow.DataType, error) {
	physical := col.PhysicalType()
	bytes := physical == parquet.Types.ByteArray || physical == parquet.Types.FixedLenByteArray
	mismatch := fmt.Errorf("is said to be %s but stored as %s, which does not go together", col.LogicalType(), physical)
	if n := col.TypeLength(); physical == parquet.Types.FixedLenByteArray && (n < 1 || n > longestFixed) {
		return nil, fmt.Errorf("has values of %d bytes; up to %d can be read", n, longestFixed)
	}
	must := func(ok bool, t arrow.DataType) (arrow.DataType, error) {
		if !ok {
			return nil, mismatch
		}
		return t, nil
	}
	int32s, int64s := physical == parquet.Types.Int32, physical == parquet.Types.Int64
	switch l := col.LogicalType().(type) {
	case schema.StringLogicalType, schema.EnumLogicalType, schema.JSONLogicalType:
		return must(bytes, arrow.BinaryTypes.String)
	case schema.BSONLogicalType:
		return must(bytes, arrow.BinaryTypes.Binary)
	case schema.UUIDLogicalType:
		return must(physical == parquet.Types.FixedLenByteArray && col.TypeLength() == 16, arrow.BinaryTypes.String)
	case schema.Float16LogicalType:
		return must(physical == parquet.Types.FixedLenByteArray && col.TypeLength() == 2, arrow.FixedWidthTypes.Float16)
	case schema.IntervalLogicalType:
		return nil, errors.New("is an interval of months, days and milliseconds, which is no single length of time")
	case schema.DecimalLogicalType:
		p, s := l.Precision(), l.Scale()
		switch {
		case p < 1 || s < 0 || s > p:
			return nil, fmt.Errorf("is a decimal of %d digits, %d of them behind the point, which does not go together", p, s)
		case p <= 38:
			return must(bytes || int32s || int64s, &arrow.Decimal128Type{Precision: p, Scale: s})
		case p <= 76:
			return must(bytes, &arrow.Decimal256Type{Precision: p, Scale: s})
		}
		return nil, fmt.Errorf("is a decimal of %d digits; up to 76 can be read", p)
	case schema.DateLogicalType:
		return must(int32s, arrow.FixedWidthTypes.Date32)
	case schema.TimeLogicalType:
		switch l.TimeUnit() {
		case schema.TimeUnitMillis:
			return must(int32s, arrow.FixedWidthTypes.Time32ms)
		case schema.TimeUnitMicros:
			return must(int64s, arrow.FixedWidthTypes.Time64us)
		case schema.TimeUnitNanos:
			return must(int64s, arrow.FixedWidthTypes.Time64ns)
		}
		return nil, fmt.Errorf("is a time of an unknown unit")
	case schema.TimestampLogicalType:
		zone := ""
		if l.IsAdjustedToUTC() {
			zone = "UTC"
		}
		switch l.TimeUnit() {
		case schema.TimeUnitMillis:
			return must(int64s, &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: zone})
		case schema.TimeUnitMicros:
			return must(int64s, &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: zone})
		case schema.TimeUnitNanos:
			return must(int64s, &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: zone})
		}
		return nil, fmt.Errorf("is a timestamp of an unknown unit")
	case schema.IntLogicalType:
		return intType(l, int32s, int64s, mismatch)
	case schema.GeometryLogicalType, schema.GeographyLogicalType:
		return must(bytes, arrow.BinaryTypes.Binary)
	}
	switch physical {
	case parquet.Types.Boolean:
		return arrow.FixedWidthTypes.Boolean, nil
	case parquet.Types.Int32:
		return arrow.PrimitiveTypes.Int32, nil
	case parquet.Types.Int64:
		return arrow.PrimitiveTypes.Int64, nil
	case parquet.Types.Float:
		return arrow.PrimitiveTypes.Float32, nil
	case parquet.Types.Double:
		return arrow.PrimitiveTypes.Float64, nil
	case parquet.Types.Int96:
		return &arrow.TimestampType{Unit: arrow.Microsecond}, nil
	case parquet.Types.ByteArray, parquet.Types.FixedLenByteArray:
		if binaryAsText {
			return arrow.BinaryTypes.String, nil
		}
		return arrow.BinaryTypes.Binary, nil
	}
	return nil, fmt.Errorf("has the type %s, which is not known", physical)
}

func intType(l schema.IntLogicalType, int32s, int64s bool, mismatch error) (arrow.DataType, error) {
	types := map[int8][2]arrow.DataType{
		8:  {arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Int8},
		16: {arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Int16},
		32: {arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Int32},
		64: {arrow.PrimitiveTypes.Uint64, arrow.PrimitiveTypes.Int64},
	}
	t, ok := types[l.BitWidth()]
	if !ok || l.BitWidth() == 64 && !int64s || l.BitWidth() < 64 && !int32s {
		return nil, mismatch
	}
	if l.IsSigned() {
		return t[1], nil
	}
	return t[0], nil
}
