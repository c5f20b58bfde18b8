package localorg

import (
	"strconv"
	"strings"
)

// soql is a parsed query.
type soql struct {
	count   bool // SELECT COUNT()
	fields  []path
	from    *object
	where   condition // nil: all
	orderBy []order
	limit   int // -1: none
	offset  int
}

// path leads from the queried object to a field: through lookups to parents, then to the field itself.
type path struct {
	name  string   // as written
	steps []*field // the lookups
	refs  []*object
	field *field
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
	// compare is field, operator, literal: = != < <= > >= LIKE, IN and NOT IN with a list.
	compare struct {
		path     path
		op       string
		literals []literal
	}
)

func (andCondition) condition() {}
func (orCondition) condition()  {}
func (notCondition) condition() {}
func (compare) condition()      {}

// literal is a value in a query, in the stored form of its field.
type literal struct {
	null bool
	text string
}

type parser struct {
	schema *schema
	tokens []token
	from   *object
}

// parseSOQL reads a query: SELECT fields | COUNT() FROM object [WHERE …] [ORDER BY …] [LIMIT n] [OFFSET n]. Errors are
// *apiError with Salesforce's codes.
func parseSOQL(s *schema, q string) (*soql, error) {
	if len(q) > 100_000 {
		return nil, refuse(400, "MALFORMED_QUERY", "SOQL statement is longer than 100000 characters")
	}
	tokens, err := lex(q)
	if err != nil {
		return nil, err
	}
	p := &parser{schema: s, tokens: tokens}
	return p.query()
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) next() token {
	t := p.tokens[0]
	if t.kind != tokenEnd {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) accept(word string) bool {
	if p.peek().is(word) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(word string) error {
	if !p.accept(word) {
		return p.unexpected()
	}
	return nil
}

func (p *parser) unexpected() error {
	t := p.peek()
	if t.kind == tokenEnd {
		return malformed(t.at, "unexpected end of query")
	}
	return malformed(t.at, "unexpected token: '%s'", t.text)
}

func (p *parser) query() (*soql, error) {
	if err := p.expect("SELECT"); err != nil {
		return nil, err
	}
	q := &soql{limit: -1}
	var names []token
	if p.peek().is("COUNT") && p.tokens[1].is("(") {
		p.next()
		p.next()
		if err := p.expect(")"); err != nil {
			return nil, err
		}
		q.count = true
	} else {
		for {
			t := p.next()
			if t.kind != tokenWord {
				return nil, malformed(t.at, "unexpected token: '%s'", t.text)
			}
			names = append(names, t)
			if !p.accept(",") {
				break
			}
		}
	}
	if err := p.expect("FROM"); err != nil {
		return nil, err
	}
	t := p.next()
	p.from = p.schema.object(t.text)
	if t.kind != tokenWord || p.from == nil || !p.from.Queryable {
		return nil, refuse(400, "INVALID_TYPE", "sObject type '%s' is not supported.", t.text)
	}
	q.from = p.from
	for _, name := range names {
		path, err := p.path(name)
		if err != nil {
			return nil, err
		}
		q.fields = append(q.fields, path)
	}
	return q, p.tail(q)
}

func (p *parser) tail(q *soql) (err error) {
	if p.accept("WHERE") {
		if q.where, err = p.or(); err != nil {
			return err
		}
	}
	if p.accept("ORDER") {
		if err := p.expect("BY"); err != nil {
			return err
		}
		for {
			o, err := p.order()
			if err != nil {
				return err
			}
			q.orderBy = append(q.orderBy, o)
			if !p.accept(",") {
				break
			}
		}
	}
	if p.accept("LIMIT") {
		if q.limit, err = p.number(); err != nil {
			return err
		}
	}
	if p.accept("OFFSET") {
		if q.offset, err = p.number(); err != nil {
			return err
		}
	}
	if p.peek().kind != tokenEnd {
		return p.unexpected()
	}
	return nil
}

func (p *parser) number() (int, error) {
	t := p.peek()
	n, err := strconv.Atoi(t.text)
	if t.kind != tokenNumber || err != nil || n < 0 {
		return 0, p.unexpected()
	}
	p.next()
	return n, nil
}

func (p *parser) order() (order, error) {
	path, err := p.path(p.next())
	if err != nil {
		return order{}, err
	}
	o := order{path: path}
	if p.accept("DESC") {
		o.desc = true
	} else {
		p.accept("ASC")
	}
	if p.accept("NULLS") {
		switch {
		case p.accept("LAST"):
			o.nullsLast = true
		case !p.accept("FIRST"):
			return o, p.unexpected()
		}
	}
	return o, nil
}

// path finds the field that a name means, such as Name or Account.Owner.Email.
func (p *parser) path(t token) (path, error) {
	noField := func(obj *object, name string) error {
		return refuse(400, "INVALID_FIELD", "No such column '%s' on entity '%s'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.", name, obj.Name)
	}
	if t.kind != tokenWord {
		return path{}, malformed(t.at, "unexpected token: '%s'", t.text)
	}
	out := path{name: t.text}
	obj := p.from
	parts := strings.Split(t.text, ".")
	if len(parts) > 1 && strings.EqualFold(parts[0], obj.Name) && obj.byRel[strings.ToLower(parts[0])] == nil {
		parts = parts[1:] // the object's own name may stand before a field
	}
	for _, rel := range parts[:len(parts)-1] {
		f := obj.byRel[strings.ToLower(rel)]
		if f == nil {
			return path{}, refuse(400, "INVALID_FIELD", "Didn't understand relationship '%s' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.", rel)
		}
		obj = nil
		for _, target := range f.ReferenceTo {
			if o := p.schema.object(target); o != nil && (obj == nil || f.Name == "OwnerId" && target == "User") {
				obj = o
			}
		}
		if obj == nil {
			return path{}, refuse(400, "INVALID_FIELD", "Didn't understand relationship '%s' in field path.", rel)
		}
		out.steps, out.refs = append(out.steps, f), append(out.refs, obj)
	}
	last := parts[len(parts)-1]
	if out.field = obj.field(last); out.field == nil {
		return path{}, noField(obj, last)
	}
	return out, nil
}

func (p *parser) or() (condition, error) {
	return p.chain("OR", p.and, func(list []condition) condition { return orCondition{list} })
}

func (p *parser) and() (condition, error) {
	return p.chain("AND", p.not, func(list []condition) condition { return andCondition{list} })
}

func (p *parser) chain(word string, part func() (condition, error), join func([]condition) condition) (condition, error) {
	var list []condition
	for {
		c, err := part()
		if err != nil {
			return nil, err
		}
		list = append(list, c)
		if !p.accept(word) {
			break
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return join(list), nil
}

func (p *parser) not() (condition, error) {
	if p.accept("NOT") {
		c, err := p.not()
		return notCondition{c}, err
	}
	if p.accept("(") {
		c, err := p.or()
		if err != nil {
			return nil, err
		}
		return c, p.expect(")")
	}
	return p.compare()
}

func (p *parser) compare() (condition, error) {
	path, err := p.path(p.next())
	if err != nil {
		return nil, err
	}
	c := compare{path: path}
	t := p.next()
	c.op = strings.ToUpper(t.text)
	switch c.op {
	case "NOT":
		if err := p.expect("IN"); err != nil {
			return nil, err
		}
		c.op = "NOT IN"
		fallthrough
	case "IN":
		if err := p.expect("("); err != nil {
			return nil, err
		}
		for {
			l, err := p.literal(&c)
			if err != nil {
				return nil, err
			}
			c.literals = append(c.literals, l)
			if !p.accept(",") {
				return c, p.expect(")")
			}
		}
	case "=", "!=", "<", "<=", ">", ">=", "LIKE":
		l, err := p.literal(&c)
		c.literals = []literal{l}
		return c, err
	}
	return nil, malformed(t.at, "unexpected token: '%s'", t.text)
}

// literal reads a value and brings it into the stored form of the field that it is compared with.
func (p *parser) literal(c *compare) (literal, error) {
	t := p.next()
	f := c.path.field
	if t.is("null") {
		return literal{null: true}, nil
	}
	mismatch := func() (literal, error) {
		return literal{}, refuse(400, "INVALID_FIELD", "value of filter criterion for field '%s' must be of type %s%s", f.Name, strings.TrimPrefix(f.kind.xsdType(), "xsd:"),
			map[bool]string{true: " and should not be enclosed in quotes"}[t.kind == tokenText])
	}
	switch f.kind {
	case kindInt, kindDouble:
		if t.kind != tokenNumber || !isDecimal([]byte(t.text)) {
			return mismatch()
		}
		x, _ := strconv.ParseFloat(t.text, 64)
		return literal{text: strconv.FormatFloat(x, 'f', -1, 64)}, nil
	case kindBool:
		if !t.is("true") && !t.is("false") {
			return mismatch()
		}
		return literal{text: strings.ToLower(t.text)}, nil
	case kindDate:
		if _, ok := parseDate([]byte(t.text)); t.kind != tokenNumber || !ok {
			return mismatch()
		}
		return literal{text: t.text}, nil
	case kindDatetime:
		at, ok := parseDatetime([]byte(t.text))
		if t.kind != tokenNumber || !ok {
			return mismatch()
		}
		return literal{text: at.Format(datetimeForm)}, nil
	case kindID, kindReference:
		if t.kind != tokenText {
			return mismatch()
		}
		id, ok := parseID([]byte(t.text))
		if !ok {
			return literal{}, refuse(400, "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: %s", t.text)
		}
		return literal{text: id.String()}, nil
	}
	if t.kind != tokenText {
		return mismatch()
	}
	if c.op != "LIKE" {
		t.text = strings.NewReplacer(`\_`, `_`, `\%`, `%`).Replace(t.text)
	}
	return literal{text: t.text}, nil
}
