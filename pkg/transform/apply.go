package transform

import (
	"bytes"
	"fmt"
	"slices"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Result is what becomes of one batch.
type Result struct {
	Rows    arrow.RecordBatch // owned by the caller
	Origin  []int             // row of Rows → row of the input, ascending; nil: every row is where it was
	Rejects []Reject          // ascending by row, one for each row that is rejected
	Cut     map[string]int    // by field: values that Truncate shortened; nil when there are none
}

// Input gives the row of the input that a row of Rows was.
func (r Result) Input(row int) int {
	if r.Origin == nil {
		return row
	}
	return r.Origin[row]
}

// Apply carries out the plan on a batch. Every row of the input is in Rows, in Rejects, or was filtered by Where. claim is asked where
// the mapping has Unique; nil lets all rows pass.
func (p *Plan) Apply(in arrow.RecordBatch, claim Claim) (Result, error) {
	b := &batch{in: in, rows: int(in.NumRows()), faults: map[int]Reject{}}
	if p.where != nil {
		b.filter(p.where)
	}
	if len(p.unique) > 0 && claim != nil {
		if err := b.claim(p.unique, claim); err != nil {
			return Result{}, err
		}
	}
	cols := make([]arrow.Array, 0, len(p.columns))
	defer func() {
		for _, c := range cols {
			c.Release()
		}
	}()
	for i := range p.columns {
		a, err := b.column(&p.columns[i])
		if err != nil {
			return Result{}, err
		}
		cols = append(cols, a)
	}
	origin := b.kept()
	rows := b.rows
	if origin != nil {
		rows = len(origin)
		for i, c := range cols {
			cols[i] = pick(c.(*array.String), origin)
			c.Release()
		}
	}
	return Result{Rows: array.NewRecordBatch(p.out, cols, int64(rows)), Origin: origin, Rejects: b.rejects(), Cut: b.cut}, nil
}

// batch is a record batch on its way through a plan.
type batch struct {
	in      arrow.RecordBatch
	rows    int
	dropped []bool         // by row; nil: none is filtered
	faults  map[int]Reject // the first of each row
	cut     map[string]int
}

func (b *batch) out(row int) bool { return b.dropped != nil && b.dropped[row] }

func (b *batch) reject(row int, c *column, rule, message string) {
	if _, known := b.faults[row]; !known && !b.out(row) {
		b.faults[row] = Reject{Row: row, Field: c.To, Column: c.From, Rule: rule, Message: message}
	}
}

// filter marks the rows for which where is false. One for which it fails is rejected.
func (b *batch) filter(where *expression) {
	v := where.over(b.in)
	dropped := make([]bool, b.rows)
	any := false
	for i := range b.rows {
		keep, err := v.eval(i)
		switch {
		case err != nil:
			b.faults[i] = Reject{Row: i, Rule: RuleExpression, Message: fmt.Sprintf("where: %v", err)}
		case keep != true:
			dropped[i], any = true, true
		}
	}
	if any {
		b.dropped = dropped
	}
}

// column makes one column of the output for all rows of the input; what rejected and filtered rows hold does not matter.
func (b *batch) column(c *column) (arrow.Array, error) {
	switch {
	case c.Const != nil:
		return repeat(*c.Const, b.rows), nil
	case c.plain:
		src, ok := b.in.Column(c.index).(*array.String)
		if !ok {
			return nil, fmt.Errorf("column %q has type %s, where the plan was made for utf8", c.From, b.in.Column(c.index).DataType())
		}
		b.checkPlain(c, src)
		if src.NullN() == 0 && !(c.nulls == NullsClear && hasEmpty(src)) {
			src.Retain() // as it stands: no byte is copied
			return src, nil
		}
		return cleared(src, c.nulls == NullsClear), nil
	}
	return b.computed(c)
}

// checkPlain finds the rows that a plain column rejects.
func (b *batch) checkPlain(c *column, src *array.String) {
	token := bytes.Contains(valueBytes(src), []byte(NullToken))
	if !token && c.nulls != NullsError {
		return
	}
	for i := range src.Len() {
		switch v := src.Value(i); {
		case token && v == NullToken:
			b.reservedValue(i, c)
		case c.nulls == NullsError && (src.IsNull(i) || v == ""):
			b.emptyValue(i, c)
		}
	}
}

func (b *batch) reservedValue(row int, c *column) {
	b.reject(row, c, RuleReserved, fmt.Sprintf("the text %s in %s would clear field %s instead of being stored; leave it empty, or use the policy \"clear\" for empty values", NullToken, c.name(), c.To))
}

func (b *batch) emptyValue(row int, c *column) {
	b.reject(row, c, RuleEmpty, fmt.Sprintf("%s is empty, and field %s must have a value", c.name(), c.To))
}

// computed makes a column value by value.
func (b *batch) computed(c *column) (arrow.Array, error) {
	builder := array.NewStringBuilder(memory.DefaultAllocator)
	defer builder.Release()
	builder.Reserve(b.rows)
	w := worker{column: c, in: b.in, bufs: [2][]byte{make([]byte, 0, scratchBytes), make([]byte, 0, scratchBytes)}}
	if c.expr != nil {
		w.eval = c.expr.over(b.in)
	}
	value := w.value
	if c.Ref != nil {
		var err error
		if value, err = b.referred(&w); err != nil {
			return nil, fmt.Errorf("field %s: %w", c.To, err)
		}
	}
	for i := range b.rows {
		if b.out(i) {
			builder.Append("")
			continue
		}
		text, bad := value(i)
		builder.BinaryBuilder.Append(b.finish(c, i, text, bad))
	}
	return builder.NewArray(), nil
}

// finish is what a value goes through last: default, truncation, nulls.
func (b *batch) finish(c *column, row int, text []byte, bad *fault) []byte {
	if bad != nil {
		b.reject(row, c, bad.rule, fmt.Sprintf("%s: %s", c.name(), bad.message))
		return nil
	}
	if len(text) == 0 && c.Default != nil {
		text = []byte(*c.Default)
	}
	if c.Truncate > 0 && string(text) != NullToken {
		var cut bool
		if text, cut = truncate(text, c.Truncate); cut {
			if b.cut == nil {
				b.cut = map[string]int{}
			}
			b.cut[c.To]++
		}
	}
	switch {
	case len(text) == 0 && c.nulls == NullsError:
		b.emptyValue(row, c)
	case len(text) == 0 && c.nulls == NullsClear:
		return []byte(NullToken)
	case string(text) == NullToken:
		b.reservedValue(row, c)
	}
	return text
}

// referred finds the records that the values of a column mean, all of a batch at once.
func (b *batch) referred(w *worker) (func(row int) ([]byte, *fault), error) {
	type source struct {
		id  string
		bad *fault
	}
	list := make([]source, b.rows)
	asked := map[string]bool{}
	var ids []string
	for i := range list {
		if b.out(i) {
			continue
		}
		text, bad := w.value(i)
		list[i] = source{string(text), bad}
		if id := list[i].id; bad == nil && id != "" && !asked[id] {
			asked[id] = true
			ids = append(ids, id)
		}
	}
	found := map[string][]string{}
	if len(ids) > 0 {
		var err error
		if found, err = w.Ref.Find(ids); err != nil {
			return nil, err
		}
	}
	return func(row int) ([]byte, *fault) {
		s := list[row]
		records := found[s.id]
		switch {
		case s.bad != nil || s.id == "":
			return nil, s.bad
		case len(records) == 1:
			return []byte(records[0]), nil
		case len(records) > 1:
			return nil, w.Ref.ambiguous(s.id, records)
		case w.Ref.Missing == MissingEmpty:
			return nil, nil
		}
		return nil, w.Ref.missing(s.id)
	}, nil
}

// scratchBytes is the size of a buffer of a worker. A longer value gets memory of its own.
const scratchBytes = 512

// worker makes the values of one column of one batch. Its buffers are used again for each row. They are never exchanged for what a reader or
// a step gave back, since that may lie in the source, or in a map.
type worker struct {
	*column
	in   arrow.RecordBatch
	eval *evaluator
	bufs [2][]byte
	next int
	join []byte
}

// scratch gives one of two buffers, in turn: a step may read one while it writes the other.
func (w *worker) scratch() []byte {
	w.next = 1 - w.next
	return w.bufs[w.next][:0]
}

func (w *worker) value(row int) ([]byte, *fault) {
	text, bad := w.origin(row)
	for _, s := range w.steps {
		if bad != nil || len(text) == 0 {
			break
		}
		out := w.scratch()
		if lies(text, out) { // a step before gave back what it got
			out = w.scratch()
		}
		text, bad = s(out, text)
	}
	return text, bad
}

// lies says whether text lies in the memory of a buffer.
func lies(text, buffer []byte) bool {
	at, from := uintptr(unsafe.Pointer(unsafe.SliceData(text))), uintptr(unsafe.Pointer(unsafe.SliceData(buffer)))
	return from <= at && at < from+uintptr(cap(buffer))
}

// origin reads what the steps begin with.
func (w *worker) origin(row int) ([]byte, *fault) {
	switch {
	case w.eval != nil:
		v, err := w.eval.eval(row)
		if err != nil {
			return nil, &fault{RuleExpression, err.Error()}
		}
		text, err := appendAny(w.scratch(), v, w.Kind)
		if err != nil {
			return nil, &fault{RuleExpression, err.Error()}
		}
		return text, nil
	case len(w.joins) > 0:
		w.join = w.join[:0]
		for k, index := range w.joins {
			col := w.in.Column(index)
			if col.IsNull(row) {
				continue
			}
			part, bad := w.read[k](w.scratch(), col, row)
			if bad != nil {
				return nil, bad
			}
			if len(part) == 0 {
				continue
			}
			if len(w.join) > 0 {
				w.join = append(w.join, w.With...)
			}
			w.join = append(w.join, part...)
		}
		return w.join, nil
	}
	col := w.in.Column(w.index)
	if col.IsNull(row) {
		return nil, nil
	}
	return w.read[0](w.scratch(), col, row)
}

// kept lists the rows that are neither filtered nor rejected; nil when that is all of them.
func (b *batch) kept() []int {
	if b.dropped == nil && len(b.faults) == 0 {
		return nil
	}
	origin := make([]int, 0, b.rows)
	for i := range b.rows {
		if _, bad := b.faults[i]; !bad && !b.out(i) {
			origin = append(origin, i)
		}
	}
	return origin
}

func (b *batch) rejects() []Reject {
	var list []Reject
	for _, r := range b.faults {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Reject) int { return a.Row - b.Row })
	return list
}

func hasEmpty(a *array.String) bool {
	for i := range a.Len() {
		if a.IsNull(i) || a.Value(i) == "" {
			return true
		}
	}
	return false
}

func valueBytes(a *array.String) []byte {
	if a.Len() == 0 {
		return nil
	}
	return a.ValueBytes()
}

// cleared writes a column without nulls; with clear, what is empty becomes the token that clears a field.
func cleared(src *array.String, clear bool) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(src.Len())
	for i := range src.Len() {
		v := ""
		if !src.IsNull(i) {
			v = src.Value(i)
		}
		if clear && v == "" {
			v = NullToken
		}
		b.Append(v)
	}
	return b.NewArray()
}

func pick(src *array.String, origin []int) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(len(origin))
	for _, i := range origin {
		b.Append(src.Value(i))
	}
	return b.NewArray()
}

// repeat makes a column that has the same value in every row.
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
