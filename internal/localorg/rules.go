package localorg

import (
	"errors"
	"strings"
)

// Rule makes rows fail that are sound in themselves, as an org's own setup does: validation rules, triggers, flows,
// duplicate rules, approval locks, sharing. Rules are asked last, right before a row is saved; the first that fits
// decides.
type Rule struct {
	// Object and Operation (insert, update, upsert, delete, hardDelete) say which rows are meant; "" is all of them.
	Object    string `json:"object"`
	Operation string `json:"operation"`
	// Field and Value mean the rows that set the field to the value. Field "": all rows.
	Field string `json:"field"`
	Value string `json:"value"`
	// Every picks each n-th of these rows. 0 and 1: each.
	Every int `json:"every"`
	// Times is how many rows fail before the rule is spent. 0: no end.
	Times int `json:"times"`
	// Code, Message and Fields are what the row fails with. {id} in the message stands for the record's id of 15 characters, or that
	// of the one which is being made.
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Fields  []string `json:"fields"`

	seen, failed int
}

// Rule adds a rule. It may be called while requests are served. It is also POST /local/rules with the rule as JSON.
func (o *Org) Rule(r Rule) error {
	obj := o.schema.object(r.Object)
	switch {
	case r.Code == "":
		return errors.New("a rule needs the code that rows fail with")
	case r.Object != "" && obj == nil:
		return errors.New("no object " + r.Object + " in this org")
	case r.Field != "" && (obj == nil || obj.field(r.Field) == nil):
		return errors.New("no field " + r.Object + "." + r.Field + " in this org")
	case r.Every < 0 || r.Times < 0:
		return errors.New("every and times must not be negative")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rules = append(o.rules, &r)
	return nil
}

// ClearRules takes all rules away. It is also DELETE /local/rules.
func (o *Org) ClearRules() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rules = nil
}

// rule asks the rules about a row that is about to be saved as the record ord.
func (s *saver) rule(row *draft, ord uint32) *rowFault {
	if s.played {
		return nil
	}
	for _, r := range s.org.rules {
		obj := s.plan.table.obj
		if r.Object != "" && !strings.EqualFold(r.Object, obj.Name) || r.Operation != "" && r.Operation != s.op || r.Times > 0 && r.failed == r.Times {
			continue
		}
		if r.Field != "" && !s.sets(row, obj.field(r.Field), r.Value) {
			continue
		}
		if r.seen++; r.Every > 1 && r.seen%r.Every != 0 {
			continue
		}
		r.failed++
		return rowError(r.Code, strings.ReplaceAll(r.Message, "{id}", s.plan.table.id(ord).short()), r.Fields...)
	}
	return nil
}

// sets is true when the row sets the field to the value.
func (s *saver) sets(row *draft, f *field, value string) bool {
	for i, v := range row.values {
		if s.plan.columns[i].field == f && v.mark == set {
			return string(v.data) == value
		}
	}
	return false
}
