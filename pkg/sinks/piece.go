package sinks

import (
	"sort"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// rawBytes is what the rows from one to another take in memory: text its length, everything else eight bytes.
func rawBytes(rows arrow.RecordBatch, from, to int) int64 {
	var n int64
	for _, col := range rows.Columns() {
		if a, ok := col.(*array.String); ok {
			offsets := a.ValueOffsets()
			n += int64(offsets[to] - offsets[from])
		}
		n += 8 * int64(to-from)
	}
	return n
}

// fit returns where rows from one to another end that bring a size to its limit, at least one of them, and what they take.
func fit(rows arrow.RecordBatch, from, to int, limit int64) (end int, size int64) {
	if size = rawBytes(rows, from, to); size > limit {
		to = from + 1 + sort.Search(to-from-1, func(n int) bool { return rawBytes(rows, from, from+1+n) >= limit })
		size = rawBytes(rows, from, to)
	}
	return to, size
}

// repeats reports whether the values of a column repeat enough for a dictionary to be worth its making.
func repeats(col arrow.Array) bool {
	switch a := col.(type) {
	case *array.String:
		return few(a, a.Value)
	case *array.Int64:
		return few(a, a.Value)
	case *array.Float64:
		return few(a, a.Value)
	case *array.Decimal128:
		return few(a, a.Value)
	case *array.Date32:
		return few(a, a.Value)
	case *array.Timestamp:
		return few(a, a.Value)
	case *array.Time32:
		return few(a, a.Value)
	}
	return false
}

// few reports whether a column has at most a quarter as many different values as it has values.
func few[T comparable](col arrow.Array, value func(int) T) bool {
	seen := map[T]bool{}
	most := (col.Len() - col.NullN()) / 4
	for i := range col.Len() {
		if col.IsValid(i) {
			seen[value(i)] = true
			if len(seen) > most {
				return false
			}
		}
	}
	return true
}
