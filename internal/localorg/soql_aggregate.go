package localorg

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// aggregate answers a query of aggregates: one record that has each of them. Callers hold the lock.
func (o *Org) aggregate(q *soql, found []uint32) []byte {
	b := []byte(`{"totalSize":1,"done":true,"records":[{"attributes":{"type":"AggregateResult"}`)
	t := o.table(q.from)
	for i := range q.aggregates {
		a := &q.aggregates[i]
		name, _ := json.Marshal(a.alias)
		b = fmt.Appendf(b, `,%s:`, name)
		b = o.appendAggregate(b, a, t, found)
	}
	return append(b, "}]}"...)
}

func (o *Org) appendAggregate(b []byte, a *aggregate, t *table, found []uint32) []byte {
	var (
		n        int
		sum      float64
		best     []byte
		distinct map[string]bool
	)
	if a.function == "COUNT_DISTINCT" {
		distinct = map[string]bool{}
	}
	f := a.path.field
	for _, ord := range found {
		v := o.follow(&a.path, t, ord, t.record(ord))
		if v == nil {
			continue
		}
		n++
		switch a.function {
		case "COUNT_DISTINCT":
			distinct[string(v)] = true
		case "SUM", "AVG":
			x, _ := strconv.ParseFloat(string(v), 64)
			sum += x
		case "MIN", "MAX":
			if c := compareValues(f.kind, v, best); best == nil || (c < 0) == (a.function == "MIN") && c != 0 {
				best = append(best[:0:0], v...)
			}
		}
	}
	switch a.function {
	case "COUNT":
		return strconv.AppendInt(b, int64(n), 10)
	case "COUNT_DISTINCT":
		return strconv.AppendInt(b, int64(len(distinct)), 10)
	case "MIN", "MAX":
		return appendJSONValue(b, f.kind, best)
	}
	if n == 0 {
		return append(b, "null"...)
	}
	if a.function == "AVG" {
		sum /= float64(n)
	}
	return strconv.AppendFloat(b, sum, 'f', -1, 64)
}
