package localorg

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// tally is what one aggregate has seen.
type tally struct {
	n        int
	sum      float64
	best     []byte
	distinct map[string]bool
}

// aggregate answers a query of aggregates: one record that has each of them.
func (o *Org) aggregate(q *soql, found []uint32) []byte {
	t := o.table(q.from)
	tallies := make([]tally, len(q.aggregates))
	o.visit(found, t, func(ord uint32, r record) {
		for i := range tallies {
			if v := o.follow(&q.aggregates[i].path, t, ord, r); v != nil {
				tallies[i].add(&q.aggregates[i], v)
			}
		}
	})
	b := []byte(`{"totalSize":1,"done":true,"records":[{"attributes":{"type":"AggregateResult"}`)
	for i := range tallies {
		name, _ := json.Marshal(q.aggregates[i].alias)
		b = fmt.Appendf(b, `,%s:`, name)
		b = tallies[i].appendResult(b, &q.aggregates[i])
	}
	return append(b, "}]}"...)
}

// add counts a value that is not null.
func (y *tally) add(a *aggregate, v []byte) {
	y.n++
	switch a.function {
	case "COUNT_DISTINCT":
		if y.distinct == nil {
			y.distinct = map[string]bool{}
		}
		y.distinct[string(v)] = true
	case "SUM", "AVG":
		x, _ := strconv.ParseFloat(string(v), 64)
		y.sum += x
	case "MIN", "MAX":
		if c := compareValues(a.path.field, v, y.best); y.best == nil || (c < 0) == (a.function == "MIN") && c != 0 {
			y.best = append(y.best[:0], v...)
		}
	}
}

func (y *tally) appendResult(b []byte, a *aggregate) []byte {
	switch {
	case a.function == "COUNT":
		return strconv.AppendInt(b, int64(y.n), 10)
	case a.function == "COUNT_DISTINCT":
		return strconv.AppendInt(b, int64(len(y.distinct)), 10)
	case a.function == "MIN" || a.function == "MAX":
		return appendJSONValue(b, a.path.field.kind, y.best)
	case y.n == 0:
		return append(b, "null"...)
	case a.function == "AVG":
		y.sum /= float64(y.n)
	}
	return strconv.AppendFloat(b, y.sum, 'f', -1, 64)
}

// check refuses a function that the field has no sense for.
func (a *aggregate) check() error {
	k := a.path.field.kind
	number := k == kindInt || k == kindDouble
	switch {
	case (a.function == "SUM" || a.function == "AVG") && !number,
		(a.function == "MIN" || a.function == "MAX") && (k == kindBool || k == kindMulti || k == kindID || k == kindReference),
		k >= kindCompound: // the text is a guess
		return refuse(400, "INVALID_FIELD", "field %s does not support aggregate operator %s", a.path.field.Name, a.function)
	}
	return nil
}
