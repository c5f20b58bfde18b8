package transform

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// Plan is a Mapping compiled for one schema.
type Plan struct {
	columns []column
	where   *expression // nil: all rows
	unique  []int       // columns of the input
	out     *arrow.Schema
	inputs  int // columns of the source
}

// column makes one column of the output.
type column struct {
	Field
	nulls Nulls
	index int   // of From in the input; -1 without
	joins []int // of Columns
	expr  *expression
	read  []reader // of From or of Columns
	steps []step
	plain bool // text that is sent as it stands, save for the nulls
}

// Compile checks a mapping against the schema of a source. The error joins one *MappingError for each fault.
func Compile(m Mapping, in *arrow.Schema) (*Plan, error) {
	var errs []error
	if len(m.Fields) == 0 {
		errs = append(errs, &MappingError{Problem: "no field is mapped"})
	}
	p := &Plan{}
	if m.Where != "" {
		var err error
		if p.where, err = compileExpression(m.Where, in, true); err != nil {
			errs = append(errs, &MappingError{Problem: "where: " + err.Error()})
		}
	}
	for _, name := range m.Unique {
		found := in.FieldIndices(name)
		if len(found) != 1 {
			errs = append(errs, &MappingError{Column: name, Problem: fmt.Sprintf("unique: the source has %d columns named %q", len(found), name)})
			continue
		}
		p.unique = append(p.unique, found[0])
	}
	if _, err := location(m.Timezone); err != nil {
		errs = append(errs, &MappingError{Problem: err.Error()})
	}
	var fields []arrow.Field
	seen := map[string]bool{}
	for _, f := range m.Fields {
		c, problems := compileColumn(f, m, in)
		if seen[strings.ToLower(f.To)] {
			problems = append(problems, MappingError{Problem: "is mapped twice"})
		}
		seen[strings.ToLower(f.To)] = true
		for _, problem := range problems {
			problem.Field = f.To
			errs = append(errs, &problem)
		}
		p.columns = append(p.columns, c)
		fields = append(fields, arrow.Field{Name: f.To, Type: arrow.BinaryTypes.String})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	p.out, p.inputs = arrow.NewSchema(fields, nil), in.NumFields()
	return p, nil
}

func compileColumn(f Field, m Mapping, in *arrow.Schema) (column, []MappingError) {
	c := column{Field: f, index: -1, nulls: NullsKeep}
	var problems []MappingError
	report := func(column, format string, args ...any) {
		problems = append(problems, MappingError{Column: column, Problem: fmt.Sprintf(format, args...)})
	}
	for _, n := range []Nulls{m.Nulls, f.Nulls} {
		if n != "" {
			c.nulls = n
		}
	}
	if !slices.Contains([]Nulls{NullsKeep, NullsClear, NullsError}, c.nulls) {
		report("", "unknown policy for empty values %q: keep, clear or error", c.nulls)
	}
	zone := m.Timezone
	if f.Time != nil && f.Time.Timezone != "" {
		zone = f.Time.Timezone
	}
	find := func(name string) int {
		found := in.FieldIndices(name)
		switch len(found) {
		case 0:
			report(name, "the source has no column %q", name)
			return -1
		case 1:
		default:
			report(name, "the source has %d columns named %q; rename all but one", len(found), name)
			return -1
		}
		r, err := readerOf(in.Field(found[0]), f, zone)
		if err != nil {
			report(name, "%v", err)
		}
		c.read = append(c.read, r)
		return found[0]
	}
	origins := 0
	for _, is := range []bool{f.From != "", f.Const != nil, len(f.Columns) > 0, f.Expr != ""} {
		if is {
			origins++
		}
	}
	switch {
	case f.Const != nil && origins > 1, f.Expr != "" && origins > 1, len(f.Columns) > 0 && origins > 1:
		report("", "its value comes from one of: a column, several columns, a constant, an expression")
	case f.Const != nil:
		return c, problems
	case f.Expr != "":
		var err error
		if c.expr, err = compileExpression(f.Expr, in, false); err != nil {
			report("", "%v", err)
		}
	case len(f.Columns) > 0:
		for _, name := range f.Columns {
			c.joins = append(c.joins, find(name))
		}
	default:
		c.index = find(f.From)
	}
	var faults []string
	text := c.index >= 0 && in.Field(c.index).Type.ID() == arrow.STRING
	c.steps, faults = f.steps(zone, text)
	for _, fault := range faults {
		report(f.From, "%s", fault)
	}
	if r := f.Ref; r != nil && r.Missing != MissingError && r.Missing != MissingEmpty {
		report("", "unknown way for parents that are missing %q: error or empty", r.Missing)
	}
	c.plain = f.Ref == nil && c.index >= 0 && len(c.steps) == 0 && f.Truncate == 0 && f.Default == nil && text
	return c, problems
}

// name is what a message calls the origin of a column's values.
func (c *column) name() string {
	switch {
	case c.expr != nil:
		return "the expression"
	case len(c.joins) > 0:
		return "columns " + strings.Join(c.Columns, ", ")
	}
	return "column " + c.From
}

// Schema has one utf8 field per field of the mapping, in that order, named as Field.To.
func (p *Plan) Schema() *arrow.Schema { return p.out }

// Verbatim says whether each row goes as it came, all of its values unchanged and in their order, unless one of them is NullToken.
func (p *Plan) Verbatim() bool {
	if p.where != nil || len(p.unique) > 0 || len(p.columns) != p.inputs {
		return false
	}
	for i, c := range p.columns {
		if !c.plain || c.index != i || c.nulls != NullsKeep {
			return false
		}
	}
	return true
}

// Unique says whether rows are compared with one another, so that Apply needs a Claim.
func (p *Plan) Unique() bool { return len(p.unique) > 0 }

// Unsent names the source columns that the mapping does not send and that no expression reads, in source order.
func (m Mapping) Unsent(in *arrow.Schema) []string {
	used := map[string]bool{}
	texts := []string{m.Where}
	for _, name := range m.Unique {
		used[name] = true
	}
	for _, f := range m.Fields {
		if f.Const == nil {
			used[f.From] = true
		}
		for _, name := range f.Columns {
			used[name] = true
		}
		texts = append(texts, f.Expr)
	}
	for _, text := range texts {
		for _, name := range mentioned(text, in) {
			used[name] = true
		}
	}
	var names []string
	for _, f := range in.Fields() {
		if !used[f.Name] {
			names = append(names, f.Name)
		}
	}
	return names
}

// MappingError is one fault of a mapping.
type MappingError struct {
	Field, Column string
	Problem       string
}

func (e *MappingError) Error() string {
	if e.Field == "" {
		return e.Problem
	}
	return fmt.Sprintf("field %s: %s", e.Field, e.Problem)
}
