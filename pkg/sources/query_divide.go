package sources

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

const (
	rangeRows = 500_000 // about so many in a range
	// MaxRanges is the largest number of ranges of a query.
	MaxRanges = 256
)

// divided is a range as the file of Query.Divide holds it, in the metadata of its schema.
type divided struct {
	RangeSplit
	Rows int64 `json:"rows"` // if keys are spread evenly
}

const rangesKey = "ranges"

// Divide asks the database between which keys the query's rows lie, cuts what is between them into n ranges of the same width, and
// writes them to a file, from which OpenRanges reads. With n 0 there is one range for about 500,000 rows. The key is a column of
// whole numbers, or of dates or times where the database is not SQLite. It need not be unique, and rows without one belong to
// the first range.
func (q Query) Divide(ctx context.Context, path, key string, n int) error {
	if n < 0 || n > MaxRanges {
		return fmt.Errorf("%s: %d ranges; from 1 to %d, or 0 for one for each %d rows", q.Name, n, MaxRanges, rangeRows)
	}
	return q.read(ctx, func(r reading) error {
		head, err := r.query(ctx, q.where("1 = 0"))
		if err != nil {
			return err
		}
		err = head.Err()
		head.Close() // a transaction has one open result
		if err != nil {
			return answered(err)
		}
		at, err := keyColumn(head.schema, key)
		if err != nil {
			return err
		}
		field := head.schema.Field(at)
		literal := keyLiteral(r.driver, field.Type)
		if literal == nil {
			want := "whole numbers, dates or times"
			if r.driver == "sqlite" {
				want = "whole numbers, as it stands in a table"
			}
			return fmt.Errorf("%w: split_by: column %s is of the type %s here; name a column of %s", ErrQuery, field.Name, field.Type, want)
		}
		list, err := r.divide(ctx, q, field.Name, head.columns[at], n, literal)
		if err != nil {
			return err
		}
		text, err := json.Marshal(list)
		if err != nil {
			return err
		}
		meta := arrow.NewMetadata([]string{rangesKey}, []string{string(text)})
		_, err = writeSpool(path, arrow.NewSchema(head.schema.Fields(), &meta), func(*array.RecordBuilder) (int, error) { return 0, nil })
		return err
	})
}

// divide asks for the least and the greatest key.
func (r reading) divide(ctx context.Context, q Query, key string, column queryColumn, n int, literal func(*big.Int) string) ([]divided, error) {
	var least, most any
	var rows, keyed int64
	count, name := "count", quoteColumn(r.driver, key)
	if r.driver == "sqlserver" {
		count = "count_big"
	}
	question := fmt.Sprintf("select min(%s), max(%s), %s(*), %s(%s) from %s", name, name, count, count, name, q.derived())
	if err := r.tx.QueryRowContext(ctx, question).Scan(&least, &most, &rows, &keyed); err != nil {
		return nil, answered(err)
	}
	if keyed == 0 {
		return []divided{{RangeSplit{Key: key, Nulls: true}, rows}}, nil
	}
	b := array.NewBuilder(memory.DefaultAllocator, column.typ)
	defer b.Release()
	for _, v := range []any{least, most} {
		if err := column.append(b, v); err != nil {
			return nil, fmt.Errorf("column %s: %w", key, err)
		}
	}
	ends := b.NewArray()
	defer ends.Release()
	low, high := keyNumber(ends, 0), keyNumber(ends, 1)
	for _, end := range []*big.Int{low, high} {
		if t := keyTime(column.typ, end); t.Year() < 1 || t.Year() > 9999 {
			return nil, fmt.Errorf("column %s: it has times before the year 1 or after the year 9999; leave them out in the query", key)
		}
	}
	if n == 0 {
		n = int(min(max((rows+rangeRows-1)/rangeRows, 1), MaxRanges))
	}
	borders := cutEvenly(low, high, n)
	list := make([]divided, len(borders)+1)
	for i := range list {
		list[i].Key = key
		if i > 0 {
			list[i].From = literal(borders[i-1])
			list[i-1].Below = list[i].From
		}
		part := func(i int) int64 {
			return keyed/int64(len(list))*int64(i) + keyed%int64(len(list))*int64(i)/int64(len(list))
		}
		list[i].Rows = part(i+1) - part(i)
	}
	list[0].Nulls = true
	list[0].Rows += rows - keyed
	return list, nil
}

// cutEvenly gives the first keys of all parts but the lowest. There are at most n parts, and none is narrower than 1.
func cutEvenly(low, high *big.Int, n int) []*big.Int {
	width := new(big.Int).Sub(high, low)
	width.Add(width, big.NewInt(1))
	if width.IsInt64() {
		n = int(min(int64(n), width.Int64()))
	}
	var borders []*big.Int
	for i := 1; i < n; i++ {
		b := new(big.Int).Mul(width, big.NewInt(int64(i)))
		borders = append(borders, b.Add(b.Div(b, big.NewInt(int64(n))), low))
	}
	return borders
}

// derived is the query as a table of another one, without AS, which Oracle does not take there. The line breaks end a comment.
func (q Query) derived() string {
	return "(\n" + strings.TrimRight(q.SQL, "; \t\r\n") + "\n) q"
}

// where is the query with a condition, "" for none.
func (q Query) where(condition string) string {
	if condition != "" {
		condition = " where " + condition
	}
	return "select * from " + q.derived() + condition
}

// quoteColumn writes the name of a column so that it is taken as it stands.
func quoteColumn(driver, name string) string {
	switch driver {
	case "mysql":
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	case "sqlserver":
		return "[" + strings.ReplaceAll(name, "]", "]]") + "]"
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// keyColumn finds a column by its name, or by its name in another case where that leaves no choice.
func keyColumn(s *arrow.Schema, key string) (int, error) {
	if at := s.FieldIndices(key); len(at) == 1 {
		return at[0], nil
	}
	var at []int
	var names []string
	for i, f := range s.Fields() {
		names = append(names, f.Name)
		if strings.EqualFold(f.Name, key) {
			at = append(at, i)
		}
	}
	switch len(at) {
	case 0:
		return 0, fmt.Errorf("%w: split_by: there is no column %s; there are %s", ErrQuery, key, strings.Join(names, ", "))
	case 1:
		return at[0], nil
	}
	return 0, fmt.Errorf("%w: split_by: there are %d columns %s; give them different names in the query", ErrQuery, len(at), key)
}

// keyLiteral gives the way to write a key of a type, as keyNumber gives it, as a literal; nil for types that are no keys.
func keyLiteral(driver string, typ arrow.DataType) func(*big.Int) string {
	at := func(form, before, after string) func(*big.Int) string {
		return func(n *big.Int) string { return before + keyTime(typ, n).Format(form) + after }
	}
	switch t := typ.(type) {
	case *arrow.Int64Type, *arrow.Uint64Type:
		return (*big.Int).String
	case *arrow.Decimal128Type:
		if t.Scale == 0 {
			return (*big.Int).String
		}
	case *arrow.Date32Type:
		switch driver {
		case "pgx", "mysql":
			return at(time.DateOnly, "date '", "'")
		case "sqlserver":
			return at(time.DateOnly, "cast('", "' as date)")
		}
	case *arrow.TimestampType:
		zoned := t.TimeZone != ""
		switch {
		case driver == "pgx" && zoned:
			return at(time.DateTime, "timestamptz '", "+00'")
		case driver == "pgx", driver == "mysql": // the connection to MySQL speaks UTC
			return at(time.DateTime, "timestamp '", "'")
		case driver == "oracle" && zoned:
			return at(time.DateTime, "timestamp '", " +00:00'")
		case driver == "oracle":
			return at(time.DateTime, "timestamp '", "'")
		case driver == "sqlserver" && zoned:
			return at("2006-01-02T15:04:05", "cast('", "+00:00' as datetimeoffset)")
		case driver == "sqlserver":
			return at("2006-01-02T15:04:05", "cast('", "' as datetime2)")
		}
	}
	return nil
}

// keyNumber is a key as a number: dates are days, times whole seconds, rounded down, those before 1970 negative.
func keyNumber(a arrow.Array, i int) *big.Int {
	switch a := a.(type) {
	case *array.Int64:
		return big.NewInt(a.Value(i))
	case *array.Uint64:
		return new(big.Int).SetUint64(a.Value(i))
	case *array.Decimal128:
		return a.Value(i).BigInt()
	case *array.Date32:
		return big.NewInt(int64(a.Value(i)))
	case *array.Timestamp:
		return big.NewInt(time.UnixMicro(int64(a.Value(i))).Unix())
	}
	panic(fmt.Sprintf("%T is no key", a)) // keyLiteral knows no more types
}

// keyTime is the time that a number stands for; the epoch for a key that is none.
func keyTime(typ arrow.DataType, n *big.Int) time.Time {
	switch typ.ID() {
	case arrow.DATE32:
		return time.Unix(n.Int64()*24*60*60, 0).UTC()
	case arrow.TIMESTAMP:
		return time.Unix(n.Int64(), 0).UTC()
	}
	return time.Unix(0, 0).UTC()
}
