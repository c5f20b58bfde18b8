package transform

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Result is what became of a batch.
type Result struct {
	Rows    arrow.RecordBatch // owned by the caller
	Origin  []int             // row of Rows → row of the input, ascending; nil: every row is where it was
	Rejects []Reject          // ascending by row, one for each row that is not sent
}

// Input returns the input row of an output row.
func (r Result) Input(row int) int {
	if r.Origin == nil {
		return row
	}
	return r.Origin[row]
}

// Apply maps one batch, whose schema must be the one the plan was compiled for.
func (p *Plan) Apply(in arrow.RecordBatch) (Result, error) {
	rejects := p.check(in)
	origin := kept(int(in.NumRows()), rejects)
	rows := int(in.NumRows()) - len(rejects)
	cols := make([]arrow.Array, 0, len(p.columns))
	defer func() {
		for _, c := range cols {
			c.Release()
		}
	}()
	for _, c := range p.columns {
		if c.Const != nil {
			cols = append(cols, repeat(*c.Const, rows))
			continue
		}
		src, ok := in.Column(c.index).(*array.String)
		if !ok {
			return Result{}, fmt.Errorf("column %q has type %s; only utf8 can be sent", c.From, in.Column(c.index).DataType())
		}
		if origin == nil && !(c.nulls == NullsClear && hasEmpty(src)) {
			src.Retain() // as it stands: no byte is copied
			cols = append(cols, src)
			continue
		}
		cols = append(cols, pick(src, origin, rows, c.nulls == NullsClear))
	}
	return Result{Rows: array.NewRecordBatch(p.out, cols, int64(rows)), Origin: origin, Rejects: rejects}, nil
}

// check finds the rows that must not be sent. A row is rejected once, for the first field that is at fault.
func (p *Plan) check(in arrow.RecordBatch) []Reject {
	faults := map[int]Reject{}
	for _, c := range p.columns {
		if c.Const != nil {
			continue
		}
		src, ok := in.Column(c.index).(*array.String)
		if !ok {
			continue // Apply reports it
		}
		token := bytes.Contains(valueBytes(src), []byte(NullToken))
		if !token && c.nulls != NullsError {
			continue
		}
		for i := range src.Len() {
			r := Reject{Row: i, Field: c.To, Column: c.From}
			switch v := src.Value(i); {
			case token && v == NullToken:
				r.Rule = RuleReserved
				r.Message = fmt.Sprintf("the text %s in column %s would clear field %s instead of being stored; leave it empty, or use the policy \"clear\" for empty values", NullToken, c.From, c.To)
			case c.nulls == NullsError && (src.IsNull(i) || v == ""):
				r.Rule = RuleEmpty
				r.Message = fmt.Sprintf("column %s is empty, and field %s must have a value", c.From, c.To)
			default:
				continue
			}
			if _, known := faults[i]; !known {
				faults[i] = r
			}
		}
	}
	if len(faults) == 0 {
		return nil
	}
	rejects := make([]Reject, 0, len(faults))
	for i := range int(in.NumRows()) {
		if r, ok := faults[i]; ok {
			rejects = append(rejects, r)
		}
	}
	return rejects
}

// kept lists the rows that are left; nil when all are.
func kept(rows int, rejects []Reject) []int {
	if len(rejects) == 0 {
		return nil
	}
	origin := make([]int, 0, rows-len(rejects))
	for i := range rows {
		if len(rejects) > 0 && rejects[0].Row == i {
			rejects = rejects[1:]
			continue
		}
		origin = append(origin, i)
	}
	return origin
}

func hasEmpty(a *array.String) bool {
	for i := range a.Len() {
		if a.IsNull(i) || a.Value(i) == "" {
			return true
		}
	}
	return false
}

// valueBytes are the bytes of all values of a column, end to end.
func valueBytes(a *array.String) []byte {
	if a.Len() == 0 {
		return nil
	}
	return a.ValueBytes()
}

// pick copies the given rows, all when origin is nil, with empty values as the null token where asked.
func pick(src *array.String, origin []int, rows int, clear bool) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(rows)
	for i := range rows {
		if origin != nil {
			i = origin[i]
		}
		v := src.Value(i)
		if clear && (v == "" || src.IsNull(i)) {
			v = NullToken
		}
		b.Append(v)
	}
	return b.NewArray()
}

func repeat(v string, rows int) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(rows)
	b.ReserveData(rows * len(v))
	for range rows {
		b.Append(v)
	}
	return b.NewArray()
}
