package localorg

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxQuery     = 100_000 // characters of a query
	maxCondition = 4_000   // characters of a string in WHERE
	maxOffset    = 2_000
	maxLevels    = 5   // lookups of a path
	maxAllFields = 200 // records of a query with FIELDS(ALL) or FIELDS(CUSTOM)
)

// parseSOQL reads a query as the REST API takes it:
//
//	SELECT fields | COUNT() | aggregates FROM object [alias] [WHERE …] [ORDER BY …] [LIMIT n] [OFFSET n] [FOR …]
//
// Errors are *apiError with Salesforce's codes.
func parseSOQL(s *schema, q string, now time.Time) (*soql, error) {
	return soqlReader{schema: s, now: now}.parse(q)
}

// parseBulkSOQL reads a query as a query job takes it.
func parseBulkSOQL(s *schema, q string, now time.Time) (*soql, error) {
	return soqlReader{schema: s, now: now, bulk: true}.parse(q)
}

func (r soqlReader) parse(text string) (*soql, error) {
	if len(text) > maxQuery && utf16Len([]byte(text)) > maxQuery {
		return nil, refuse(400, "MALFORMED_QUERY", "SOQL statement is longer than %d characters", maxQuery)
	}
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{soqlReader: r, tokens: tokens}
	q, err := p.query(p.object)
	if err != nil {
		return nil, err
	}
	if p.peek().kind != tokenEnd {
		return nil, p.unexpected()
	}
	return q, nil
}

type parser struct {
	soqlReader
	tokens []token
	from   *object
	alias  string // of from, in lower case
	nested bool   // inside another query
	joined bool   // inside IN
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) next() token {
	t := p.tokens[0]
	if t.kind != tokenEnd {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) accept(words ...string) bool {
	for i, w := range words {
		if i >= len(p.tokens) || !p.tokens[i].is(w) {
			return false
		}
	}
	p.tokens = p.tokens[len(words):]
	return true
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

// query reads a query; from finds what its FROM names.
func (p *parser) query(from func(token) (*object, error)) (*soql, error) {
	if err := p.expect("SELECT"); err != nil {
		return nil, err
	}
	q := &soql{limit: -1}
	var list []selected
	for {
		s, err := p.selected()
		if err != nil {
			return nil, err
		}
		list = append(list, s)
		if !p.accept(",") {
			break
		}
	}
	if err := p.expect("FROM"); err != nil {
		return nil, err
	}
	obj, err := from(p.next())
	if err != nil {
		return nil, err
	}
	p.from, q.from = obj, obj
	p.readAlias()
	for _, s := range list {
		if err := p.take(q, s, len(list)); err != nil {
			return nil, err
		}
	}
	if len(q.aggregates) > 0 && (len(q.fields) > 0 || len(q.children) > 0) {
		return nil, refuse(400, "MALFORMED_QUERY", "Field must be grouped or aggregated: %s", list[0].name.text)
	}
	if err := p.tail(q); err != nil {
		return nil, err
	}
	return q, p.checkFields(q, list)
}

// object finds the sObject that FROM names.
func (p *parser) object(t token) (*object, error) {
	obj := p.schema.object(t.text)
	switch {
	case t.kind != tokenWord:
		return nil, malformed(t.at, "unexpected token: '%s'", t.text)
	case p.bulk && objectsOutsideBulk[strings.ToLower(t.text)]:
		return nil, refuse(400, "INVALIDENTITY", "Entity '%s' is not supported by the Bulk API.", t.text)
	case obj == nil:
		return nil, refuse(400, "INVALID_TYPE", "sObject type '%s' is not supported.", t.text)
	case !obj.Queryable:
		return nil, refuse(400, "INVALID_TYPE_FOR_OPERATION", "entity type %s does not support query", obj.Name)
	}
	return obj, nil
}

// readAlias takes the alias of the object, if there is one.
func (p *parser) readAlias() {
	keywords := []string{"WHERE", "ORDER", "LIMIT", "OFFSET", "GROUP", "HAVING", "FOR", "ALL", "WITH", "USING"}
	if t := p.peek(); t.kind == tokenWord && !slices.ContainsFunc(keywords, t.is) {
		p.alias = strings.ToLower(t.text)
		p.next()
	}
}

func (p *parser) tail(q *soql) (err error) {
	if p.accept("WHERE") {
		if q.where, err = p.or(); err != nil {
			return err
		}
	}
	if t := p.peek(); t.is("GROUP") || t.is("HAVING") {
		if p.bulk { // the text varies
			return refuse(400, "API_ERROR", "GROUP BY is not supported in Bulk Query")
		}
		return refuse(400, "MALFORMED_QUERY", "GROUP BY is not built into the local org")
	}
	if p.accept("ORDER", "BY") {
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
	if p.peek().is("OFFSET") {
		if p.bulk { // the text varies
			return refuse(400, "API_ERROR", "OFFSET is not supported in Bulk Query")
		}
		p.next()
		if q.offset, err = p.number(); err != nil {
			return err
		}
		if q.offset > maxOffset {
			return refuse(400, "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is %d", maxOffset)
		}
	}
	if p.accept("FOR") && !p.accept("VIEW") && !p.accept("REFERENCE") && !p.accept("UPDATE") {
		return p.unexpected()
	}
	if p.peek().is("ALL") { // only Apex has it; the text is a guess
		return refuse(400, "MALFORMED_QUERY", "ALL ROWS not allowed in this context")
	}
	return nil
}

func (p *parser) number() (int, error) {
	t := p.peek()
	n, err := strconv.Atoi(t.text)
	if t.kind != tokenNumber || err != nil || !isDigit(t.text[0]) {
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
	if path.field.kind >= kindCompound || !path.field.sortable() {
		return order{}, refuse(400, "INVALID_FIELD", "field '%s' can not be sorted in a query call", path.field.Name)
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
	if first := strings.ToLower(parts[0]); len(parts) > 1 && obj.relation(first) == nil && (first == p.alias && first != "" || strings.EqualFold(first, obj.Name)) {
		parts = parts[1:] // the object's alias or its own name may stand before a field
	}
	if len(parts)-1 > maxLevels { // the text is a guess
		return path{}, refuse(400, "INVALID_FIELD", "the path %s has more than %d levels", t.text, maxLevels)
	}
	for _, rel := range parts[:len(parts)-1] {
		f := obj.relation(rel)
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
