package transform

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// Plan is a mapping compiled for one source schema.
type Plan struct {
	columns []column
	out     *arrow.Schema
}

type column struct {
	Field
	index int // in the input; -1 for a constant
	nulls Nulls
}

// Compile checks a mapping against the schema of a source. The error joins one *MappingError for each thing that is
// wrong, not for the first only.
func Compile(m Mapping, in *arrow.Schema) (*Plan, error) {
	var errs []error
	if len(m.Fields) == 0 {
		errs = append(errs, &MappingError{Problem: "no field is mapped"})
	}
	p := &Plan{}
	var fields []arrow.Field
	seen := map[string]bool{}
	for _, f := range m.Fields {
		c := column{Field: f, index: -1, nulls: NullsKeep}
		for _, n := range []Nulls{m.Nulls, f.Nulls} {
			if n != "" {
				c.nulls = n
			}
		}
		if !slices.Contains([]Nulls{NullsKeep, NullsClear, NullsError}, c.nulls) {
			errs = append(errs, &MappingError{Field: f.To, Problem: fmt.Sprintf("unknown policy for empty values %q: keep, clear or error", c.nulls)})
		}
		if seen[strings.ToLower(f.To)] {
			errs = append(errs, &MappingError{Field: f.To, Problem: "is mapped twice"})
		}
		seen[strings.ToLower(f.To)] = true
		if f.Const == nil {
			found := in.FieldIndices(f.From)
			switch len(found) {
			case 0:
				errs = append(errs, &MappingError{Field: f.To, Column: f.From, Problem: fmt.Sprintf("the source has no column %q", f.From)})
			case 1:
				c.index = found[0]
			default:
				errs = append(errs, &MappingError{Field: f.To, Column: f.From,
					Problem: fmt.Sprintf("the source has %d columns named %q; rename all but one", len(found), f.From)})
			}
		}
		p.columns = append(p.columns, c)
		fields = append(fields, arrow.Field{Name: f.To, Type: arrow.BinaryTypes.String})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	p.out = arrow.NewSchema(fields, nil)
	return p, nil
}

// Schema is the schema of the batches that Apply returns: one utf8 column per mapped field, in mapping order.
func (p *Plan) Schema() *arrow.Schema { return p.out }

// Unsent returns the columns of a source that no field of the mapping reads, in source order.
func (m Mapping) Unsent(in *arrow.Schema) []string {
	var names []string
	for _, f := range in.Fields() {
		sent := slices.ContainsFunc(m.Fields, func(g Field) bool { return g.Const == nil && g.From == f.Name })
		if !sent {
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
