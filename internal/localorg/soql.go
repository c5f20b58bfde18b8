package localorg

import "time"

// soql is a parsed query.
type soql struct {
	count      bool // SELECT COUNT()
	aggregates []aggregate
	fields     []path
	children   []childQuery
	from       *object
	where      condition // nil: all
	orderBy    []order
	limit      int // -1: none
	offset     int
}

// aggregate is COUNT, COUNT_DISTINCT, MIN, MAX, SUM or AVG of a field over all records that the query finds.
type aggregate struct {
	function string
	path     path
	alias    string
}

// childQuery is a query of the records that point to each found one.
type childQuery struct {
	name   string // of the child relationship
	lookup *field // of the children
	query  *soql
}

// path leads from the queried object to a field: through lookups to parents, then to the field itself.
type path struct {
	name  string   // as written
	steps []*field // the lookups
	refs  []*object
	field *field
}

// in gives the field of a path in an object; where the last lookup has several types that is the one of the same name. nil: none.
func (p *path) in(obj *object) *field {
	if len(p.steps) == 0 || p.refs[len(p.refs)-1] == obj {
		return p.field
	}
	if f := obj.field(p.field.Name); f != nil && f.kind == p.field.kind {
		return f
	}
	return nil
}

type order struct {
	path      path
	desc      bool
	nullsLast bool
}

// condition is a node of a WHERE clause.
type condition interface{ condition() }

type (
	andCondition struct{ list []condition }
	orCondition  struct{ list []condition }
	notCondition struct{ of condition }
	// compare is field, operator, literal: = != < <= > >= LIKE, and IN, NOT IN, INCLUDES and EXCLUDES with a list.
	compare struct {
		path     path
		op       string
		literals []literal
	}
	// semiJoin is field IN (SELECT …) and field NOT IN (SELECT …).
	semiJoin struct {
		path  path
		not   bool
		query *soql
		found map[string]bool // the values of the inner query, once prepare has run it
	}
)

func (andCondition) condition() {}
func (orCondition) condition()  {}
func (notCondition) condition() {}
func (compare) condition()      {}
func (*semiJoin) condition()    {}

// literal is a value in a query, in the stored form of its field; text is folded as the field compares it. A date literal such as
// LAST_WEEK is a span: from text up to, but without, until.
type literal struct {
	null    bool
	text    string
	until   string
	pattern pattern // of LIKE
}

// soqlReader says how a query is read.
type soqlReader struct {
	schema *schema
	now    time.Time // what date literals start from
	bulk   bool      // for a query job, which takes less
}
