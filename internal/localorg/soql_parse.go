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

// selected is one thing between SELECT and FROM.
type selected struct {
	name     token   // a field, or the field of an aggregate
	function string  // of an aggregate, or FIELDS
	alias    string  // of an aggregate
	child    []token // a query in brackets, without them
	at       int
}

var aggregateFunctions = []string{"COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG"}

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
	for _, f := range p.from.Fields {
		custom := isCustom(f.Name)
		if which.is("STANDARD") && custom || which.is("CUSTOM") && !custom || p.bulk && f.kind == kindCompound {
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
		for _, rel := range p.from.Children {
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
		case f.field.kind == kindCompound && f.field.Type == "base64":
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
	if path.field.kind == kindCompound || !path.field.sortable() {
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
	if first := strings.ToLower(parts[0]); len(parts) > 1 && obj.byRel[first] == nil && (first == p.alias && first != "" || strings.EqualFold(first, obj.Name)) {
		parts = parts[1:] // the object's alias or its own name may stand before a field
	}
	if len(parts)-1 > maxLevels { // the text is a guess
		return path{}, refuse(400, "INVALID_FIELD", "the path %s has more than %d levels", t.text, maxLevels)
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
