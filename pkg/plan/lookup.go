package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
	"migrate/pkg/transform"
)

// Lookup sets a field to a record that is in the org already, found by the value of one of its fields.
type Lookup struct {
	Object string `json:"object"`
	Field  string `json:"field"`
	Where  string `json:"where,omitempty"`       // a condition in SOQL that narrows the records; "" = all
	Fold   bool   `json:"ignore_case,omitempty"` // of the value
	// Missing says what a value does that no record has: transform.MissingError or MissingEmpty.
	Missing transform.Missing `json:"missing,omitempty"`
	// Turn is how many jobs of the plan write records of the object before the one that looks them up.
	Turn int `json:"turn,omitempty"`
}

// lookedUpBy reads "Account.Customer_No__c".
func (r *reader) lookedUpBy(e entry) *Lookup {
	text := r.word("lookup", e.value)
	object, field, ok := strings.Cut(text, ".")
	if !ok || object == "" || field == "" || strings.Contains(field, ".") {
		r.report(position(e.value), "lookup is %s; it names an object and a field of it, such as Account.Customer_No__c", quote(text))
	}
	return &Lookup{Object: object, Field: field}
}

// lookupTurns counts the writers before each lookup, as the org is to be asked anew when they are done.
func lookupTurns(jobs []Job) {
	for i, j := range jobs {
		for _, f := range j.Fields {
			for _, earlier := range jobs[:i] {
				if f.Lookup != nil && strings.EqualFold(earlier.Object, f.Lookup.Object) {
					f.Lookup.Turn++
				}
			}
		}
	}
}

// comparable are the types of fields by which records can be looked up, with true for numbers. An Id needs no lookup.
var comparable = map[string]bool{"string": false, "picklist": false, "combobox": false, "phone": false, "url": false, "email": false,
	"int": true, "long": true, "double": true, "currency": true, "percent": true}

// lookedUp checks a field that is set to a record of the org, and finds out how the org spells what it names.
func (c *compiler) lookedUp(t *target) {
	l := t.Lookup
	if l == nil || c.failed != nil {
		return
	}
	object, problem := c.describe(l.Object)
	if object == nil {
		if c.failed == nil {
			c.find(&t.Field, "lookup: %s", problem)
		}
		return
	}
	field := object.Field(l.Field)
	if field == nil {
		c.find(&t.Field, "lookup: %s has no field %s", object.Name, l.Field)
		return
	}
	number, ok := comparable[field.Type]
	if !ok || !field.Filterable {
		c.find(&t.Field, "lookup: records cannot be found by %s.%s, a field of type %s; take a text or a number that the org can search", object.Name, field.Name, field.Type)
		return
	}
	c.takesID(*t, "lookup", object.Name)
	if c.known == nil {
		c.failed = fmt.Errorf("field %s looks up %s, but there is no org to ask", t.To, object.Name) // a caller's mistake
		return
	}
	t.lookup = pipeline.Lookup{Object: object.Name, Field: field.Name, Where: l.Where, Fold: l.Fold, Number: number, Turn: l.Turn}
	if slices.ContainsFunc(c.targets, func(o target) bool { return o.lookup == t.lookup }) {
		return // asked already
	}
	var refused *salesforce.APIError
	switch err := c.known.Check(t.lookup); {
	case errors.As(err, &refused) && refused.Status == badRequest:
		c.find(&t.Field, "lookup: the org refuses the query %q: %s", t.lookup.SOQL(), refused.Message)
	case err != nil:
		c.failed = err
	}
}

const badRequest = 400 // HTTP status of a query that the org refuses

// findInOrg answers the values of a column.
func (c *compiler) findInOrg(l pipeline.Lookup, values []string) (map[string][]string, error) {
	keys := make([]string, len(values))
	for i, v := range values {
		keys[i] = l.Key(v)
	}
	byKey, err := c.known.InOrg(l, keys)
	if err != nil {
		return nil, err
	}
	found := make(map[string][]string, len(values))
	for i, v := range values {
		if ids := byKey[keys[i]]; len(ids) > 0 {
			found[v] = ids
		}
	}
	return found, nil
}
