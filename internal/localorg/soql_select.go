package localorg

import (
	"slices"
	"strings"
)

// selected is one thing between SELECT and FROM.
type selected struct {
	name     token   // a field, or the field of an aggregate
	function string  // of an aggregate, or FIELDS
	alias    string  // of an aggregate
	child    []token // a query in brackets, without them
	at       int
}

var aggregateFunctions = []string{"COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG"}

func (p *parser) selected() (selected, error) {
	t := p.next()
	s := selected{name: t, at: t.at}
	switch {
	case t.is("("):
		depth := 1
		for {
			t := p.next()
			switch {
			case t.kind == tokenEnd:
				return s, malformed(t.at, "unexpected end of query")
			case t.is("("):
				depth++
			case t.is(")"):
				depth--
			}
			if depth == 0 {
				s.child = append(s.child, token{kind: tokenEnd, at: t.at})
				return s, nil
			}
			s.child = append(s.child, t)
		}
	case t.kind != tokenWord:
		return s, malformed(t.at, "unexpected token: '%s'", t.text)
	case t.is("TYPEOF"):
		if p.bulk { // the text varies
			return s, refuse(400, "API_ERROR", "TYPEOF is not supported in Bulk Query")
		}
		return s, refuse(400, "MALFORMED_QUERY", "TYPEOF is not built into the local org")
	case !p.peek().is("("):
		return s, nil
	}
	p.next()
	s.function = strings.ToUpper(t.text)
	if s.name = p.peek(); s.name.is(")") {
		s.name = token{}
	} else {
		p.next()
	}
	if err := p.expect(")"); err != nil {
		return s, err
	}
	if a := p.peek(); a.kind == tokenWord && !a.is("FROM") {
		s.alias = a.text
		p.next()
	}
	return s, nil
}

// take enters one thing of the SELECT list.
func (p *parser) take(q *soql, s selected, n int) error {
	switch {
	case s.child != nil:
		return p.takeChild(q, s)
	case s.function == "":
		path, err := p.path(s.name)
		q.fields = append(q.fields, path)
		return err
	case s.function == "FIELDS":
		return p.takeFields(q, s.name)
	case !slices.Contains(aggregateFunctions, s.function):
		return malformed(s.at, "unexpected token: '%s'", s.function)
	case p.bulk: // the text varies
		return refuse(400, "API_ERROR", "Aggregate functions are not supported in Bulk Query")
	case s.name.text == "":
		if s.function != "COUNT" || n > 1 {
			return malformed(s.at, "unexpected token: ')'")
		}
		q.count = true
		return nil
	}
	path, err := p.path(s.name)
	if err != nil {
		return err
	}
	a := aggregate{function: s.function, path: path, alias: s.alias}
	if a.alias == "" {
		a.alias = "expr" + itoa(len(q.aggregates))
	}
	q.aggregates = append(q.aggregates, a)
	return a.check()
}

// isCustom is true for the names of custom fields.
func isCustom(name string) bool { return strings.HasSuffix(name, "__c") }

// takeFields enters FIELDS(STANDARD), FIELDS(CUSTOM) or FIELDS(ALL).
func (p *parser) takeFields(q *soql, which token) error {
	if p.bulk && !which.is("STANDARD") { // the text is a guess
		return refuse(400, "API_ERROR", "FIELDS(%s) is not supported in Bulk Query", strings.ToUpper(which.text))
	}
	if !which.is("STANDARD") && !which.is("CUSTOM") && !which.is("ALL") {
		return malformed(which.at, "unexpected token: '%s'", which.text)
	}
	for _, f := range p.from.shape().Fields {
		custom := isCustom(f.Name)
		if which.is("STANDARD") && custom || which.is("CUSTOM") && !custom || p.bulk && f.kind >= kindCompound {
			continue
		}
		q.fields = append(q.fields, path{name: f.Name, field: f})
	}
	return nil
}

func (p *parser) takeChild(q *soql, s selected) error {
	if p.bulk {
		return refuse(400, "API_ERROR", "Aggregate Relationships not supported in Bulk V2 Query with CSV content type")
	}
	if p.nested { // a real org goes deeper from v58 on
		return malformed(s.at, "a query inside a query inside a query is not built into the local org")
	}
	child := childQuery{}
	inner := &parser{soqlReader: p.soqlReader, tokens: s.child, nested: true}
	var err error
	child.query, err = inner.query(func(t token) (*object, error) {
		for _, rel := range p.from.shape().Children {
			if obj := p.schema.object(rel.Object); obj != nil && strings.EqualFold(rel.Name, t.text) && rel.Name != "" && obj.field(rel.Field) != nil {
				child.name, child.lookup = rel.Name, obj.field(rel.Field)
				return obj, nil
			}
		}
		return nil, refuse(400, "INVALID_TYPE", "Didn't understand relationship '%s' in FROM part of query call. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.", t.text)
	})
	if err != nil {
		return err
	}
	if t := inner.peek(); t.kind != tokenEnd {
		return inner.unexpected()
	}
	q.children = append(q.children, child)
	return nil
}

// checkFields refuses what may not be selected, now that the whole query is known.
func (p *parser) checkFields(q *soql, list []selected) error {
	for _, s := range list {
		if s.function == "FIELDS" && !s.name.is("STANDARD") && (q.limit < 0 || q.limit > maxAllFields) && !q.namesIDs(maxAllFields) {
			return refuse(400, "MALFORMED_QUERY", "The SOQL FIELDS function must have a LIMIT of at most %d", maxAllFields)
		}
	}
	seen := map[string]bool{}
	for _, f := range q.fields {
		name := strings.ToLower(f.column())
		if seen[name] {
			return refuse(400, "INVALID_FIELD", "duplicate field selected: %s", f.name)
		}
		seen[name] = true
		if !p.bulk {
			continue
		}
		switch {
		case f.field.kind == kindFile:
			return refuse(400, "FEATURENOTENABLED", "FeatureNotEnabled : Binary field not supported")
		case f.field.kind == kindCompound:
			return refuse(400, "API_ERROR", "Selecting compound data not supported in Bulk Query")
		}
	}
	return nil
}

// namesIDs is true when WHERE lets through no more than some records, by their ids.
func (q *soql) namesIDs(most int) bool {
	conds := []condition{q.where}
	if and, ok := q.where.(andCondition); ok {
		conds = and.list
	}
	return slices.ContainsFunc(conds, func(cond condition) bool {
		c, ok := cond.(compare)
		return ok && c.path.field.kind == kindID && len(c.path.steps) == 0 && (c.op == "=" || c.op == "IN") && len(c.literals) <= most
	})
}
