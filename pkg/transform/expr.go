package transform

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"migrate/pkg/cell"
)

// expression is a compiled expression over the columns of a source. A column is known by its name where that is a plain
// word, and as row["its name"] always. Integers are ints, other numbers floats, times are times, everything else is text. A
// null is nil, of which arithmetic fails; has("name") tells.
type expression struct {
	text    string
	program *vm.Program
	columns []exprColumn
}

type exprColumn struct {
	name  string
	index int
	plain bool // may be written without row[…]
	value func(a arrow.Array, i int) any
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// exprWords mean something to the language.
var exprWords = map[string]bool{"row": true, "has": true, "true": true, "false": true, "nil": true, "in": true, "not": true, "and": true, "or": true,
	"matches": true, "contains": true, "startsWith": true, "endsWith": true, "let": true, "if": true, "else": true}

// compileExpression checks an expression against the columns. want is a sample of the type that it must have; nil for any.
func compileExpression(text string, in *arrow.Schema, wantBool bool) (*expression, error) {
	e := &expression{text: text}
	env := map[string]any{}
	row := map[string]any{}
	for i, f := range in.Fields() {
		sample, value := exprValue(f.Type)
		c := exprColumn{name: f.Name, index: i, value: value, plain: plainName.MatchString(f.Name) && !exprWords[f.Name] && len(in.FieldIndices(f.Name)) == 1}
		if len(in.FieldIndices(f.Name)) > 1 {
			continue // neither of two columns of one name can be meant
		}
		e.columns = append(e.columns, c)
		row[f.Name] = sample
		if c.plain {
			env[f.Name] = sample
		}
	}
	env["row"] = row
	env["has"] = func(string) bool { return false }
	options := []expr.Option{expr.Env(env)}
	if wantBool {
		options = append(options, expr.AsBool())
	}
	var err error
	if e.program, err = expr.Compile(text, options...); err != nil {
		return nil, fmt.Errorf("the expression %s: %w", show([]byte(text)), err)
	}
	return e, nil
}

// exprValue gives a sample of the type that values of a column have in expressions, and how they are read.
func exprValue(t arrow.DataType) (any, func(arrow.Array, int) any) {
	switch t.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32:
		return 0, func(a arrow.Array, i int) any {
			n, _ := strconv.Atoi(string(cell.AppendText(nil, a, i)))
			return n
		}
	case arrow.UINT64, arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64, arrow.DECIMAL32, arrow.DECIMAL64, arrow.DECIMAL128, arrow.DECIMAL256:
		return 0.0, func(a arrow.Array, i int) any {
			x, _ := strconv.ParseFloat(string(cell.AppendText(nil, a, i)), 64)
			return x
		}
	case arrow.BOOL:
		return false, func(a arrow.Array, i int) any { return a.(*array.Boolean).Value(i) }
	case arrow.DATE32:
		return time.Time{}, func(a arrow.Array, i int) any { return a.(*array.Date32).Value(i).ToTime() }
	case arrow.TIMESTAMP:
		unit := t.(*arrow.TimestampType).Unit
		return time.Time{}, func(a arrow.Array, i int) any { return a.(*array.Timestamp).Value(i).ToTime(unit).UTC() }
	}
	return "", func(a arrow.Array, i int) any { return string(cell.AppendText(nil, a, i)) }
}

// evaluator runs an expression over the rows of one batch. It belongs to one goroutine.
type evaluator struct {
	*expression
	in  arrow.RecordBatch
	env map[string]any
	row map[string]any
	vm  vm.VM
}

func (e *expression) over(in arrow.RecordBatch) *evaluator {
	v := &evaluator{expression: e, in: in, env: map[string]any{}, row: map[string]any{}}
	v.env["row"] = v.row
	v.env["has"] = func(name string) bool { return v.row[name] != nil }
	return v
}

// eval gives the value for one row.
func (v *evaluator) eval(i int) (any, error) {
	for _, c := range v.columns {
		col := v.in.Column(c.index)
		var value any
		if !col.IsNull(i) {
			value = c.value(col, i)
		}
		v.row[c.name] = value
		if c.plain {
			v.env[c.name] = value
		}
	}
	return v.vm.Run(v.program, v.env)
}

// appendAny writes the value of an expression. Lists and maps are no values of a field.
func appendAny(out []byte, v any, kind Kind) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return out, nil
	case string:
		return append(out, v...), nil
	case bool:
		return strconv.AppendBool(out, v), nil
	case int:
		return strconv.AppendInt(out, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(out, v, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) { // as from a division by zero
			return nil, fmt.Errorf("the result is %v, which is no number that can be sent", v)
		}
		return strconv.AppendFloat(out, v, 'f', -1, 64), nil
	case time.Time:
		if kind == KindText {
			kind = KindDatetime
		}
		return appendTime(out, v, kind, false, time.UTC), nil
	case time.Duration:
		return append(out, v.String()...), nil
	}
	return nil, fmt.Errorf("the result is a %T, which is no value of a field", v)
}

// mentioned lists the columns whose names stand in an expression. A name that only looks like one does no harm: the list
// serves to tell the user which columns are not sent.
func mentioned(text string, in *arrow.Schema) []string {
	if text == "" {
		return nil
	}
	words := map[string]bool{}
	for _, w := range wordsOf.FindAllString(text, -1) {
		words[w] = true
	}
	var names []string
	for _, f := range in.Fields() {
		if words[f.Name] || containsQuoted(text, f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

var wordsOf = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

func containsQuoted(text, name string) bool {
	for _, q := range []string{`"`, `'`, "`"} {
		if strings.Contains(text, q+name+q) {
			return true
		}
	}
	return false
}
