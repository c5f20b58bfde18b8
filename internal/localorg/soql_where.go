package localorg

import (
	"strconv"
	"strings"
)

// or reads conditions. AND and OR stand side by side only with brackets between them.
func (p *parser) or() (condition, error) {
	first, err := p.not()
	if err != nil {
		return nil, err
	}
	list := []condition{first}
	word := ""
	for p.peek().is("AND") || p.peek().is("OR") {
		t := p.peek()
		if word == "" {
			word = strings.ToUpper(t.text)
		}
		if !t.is(word) {
			return nil, p.unexpected()
		}
		p.next()
		c, err := p.not()
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	switch word {
	case "AND":
		return andCondition{list}, nil
	case "OR":
		return orCondition{list}, nil
	}
	return first, nil
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
	if path.field.kind >= kindCompound || !path.field.filterable() {
		return nil, refuse(400, "INVALID_FIELD", "field '%s' can not be filtered in a query call", path.field.Name)
	}
	c := compare{path: path}
	t := p.next()
	if t.kind == tokenText {
		return nil, malformed(t.at, "unexpected token: '%s'", t.text)
	}
	c.op = strings.ToUpper(t.text)
	switch c.op {
	case "NOT":
		if err := p.expect("IN"); err != nil {
			return nil, err
		}
		c.op = "NOT IN"
	case "INCLUDES", "EXCLUDES":
		if path.field.kind != kindMulti {
			return nil, refuse(400, "INVALID_FIELD", "includes or excludes operator only valid on multipicklist field")
		}
	case "IN":
	case "LIKE":
		if path.field.kind > kindMulti {
			return nil, refuse(400, "INVALID_FIELD", "like operator only valid on strings, not on %s", path.field.Type)
		}
		fallthrough
	case "=", "!=", "<", "<=", ">", ">=":
		if path.field.kind == kindMulti && c.op[0] <= '>' && c.op != "=" { // the text is a guess
			return nil, refuse(400, "INVALID_FIELD", "operator %s is not valid on multipicklist field", c.op)
		}
		l, err := p.literal(&c)
		c.literals = []literal{l}
		return c, err
	default:
		return nil, malformed(t.at, "unexpected token: '%s'", t.text)
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if p.peek().is("SELECT") && strings.HasSuffix(c.op, "IN") {
		return p.semiJoin(c)
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
}

// semiJoin reads the query in field IN (SELECT …).
func (p *parser) semiJoin(c compare) (condition, error) {
	at := p.peek().at
	inner := &parser{soqlReader: p.soqlReader, tokens: p.tokens, nested: true, joined: true}
	inner.bulk = false
	q, err := inner.query(inner.object)
	if err != nil {
		return nil, err
	}
	p.tokens = inner.tokens
	switch {
	case len(q.fields) != 1 || len(q.children) > 0:
		return nil, malformed(at, "a query inside IN selects one field")
	case p.joined:
		return nil, malformed(at, "a query inside IN may hold no other")
	case c.path.field.kind != kindID && c.path.field.kind != kindReference || q.fields[0].field.kind != kindID && q.fields[0].field.kind != kindReference:
		return nil, refuse(400, "INVALID_FIELD", "The inner and outer selects of a semi join must be on ID fields: '%s'", c.path.name)
	}
	return &semiJoin{path: c.path, not: c.op == "NOT IN", query: q}, p.expect(")")
}

// literal reads a value and brings it into the stored form of the field that it is compared with.
func (p *parser) literal(c *compare) (literal, error) {
	t := p.next()
	f := c.path.field
	if t.is("null") {
		return literal{null: true}, nil
	}
	mismatch := func() (literal, error) {
		quotes := ""
		if t.kind == tokenText {
			quotes = " and should not be enclosed in quotes"
		}
		return literal{}, refuse(400, "INVALID_FIELD", "value of filter criterion for field '%s' must be of type %s%s", f.Name, strings.TrimPrefix(f.kind.xsdType(), "xsd:"), quotes)
	}
	if t.kind == tokenWord && (f.kind == kindDate || f.kind == kindDatetime) {
		from, until, ok := dateSpan(t.text, p.now)
		if !ok {
			return mismatch()
		}
		form := dateForm
		if f.kind == kindDatetime {
			form = datetimeForm
		}
		return literal{text: inCalendar(from).Format(form), until: inCalendar(until).Format(form)}, nil
	}
	switch f.kind {
	case kindInt, kindDouble:
		if t.kind != tokenNumber || !isDecimal([]byte(t.text)) {
			return mismatch()
		}
		x, _ := strconv.ParseFloat(t.text, 64)
		return literal{text: strconv.FormatFloat(x+0, 'f', -1, 64)}, nil // -0 + 0 is 0
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
	case kindTime:
		v, _, ok := f.parse([]byte(t.text))
		if t.kind != tokenNumber || !ok {
			return mismatch()
		}
		return literal{text: string(v)}, nil
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
	if len(t.text) > maxCondition && utf16Len([]byte(t.text)) > maxCondition { // the text is a guess
		return literal{}, refuse(400, "MALFORMED_QUERY", "a string in WHERE is longer than %d characters", maxCondition)
	}
	x := index{field: f}
	return literal{null: t.text == "" && c.op != "LIKE", text: string(x.fold(nil, []byte(t.text))), pattern: newPattern(t.pattern)}, nil
}
