package plan

import (
	"fmt"
	"slices"
	"strings"

	"migrate/pkg/bulk2"
	"migrate/pkg/salesforce"
	"migrate/pkg/transform"
)

// upsertKey finds the key of an upsert in the describe.
func (c *compiler) upsertKey() {
	switch {
	case c.Operation != bulk2.Upsert && c.Key != "":
		c.find(nil, "the key %s is given, but only an upsert has one; take it out", c.Key)
	case c.Operation != bulk2.Upsert:
	case c.Key == "":
		c.find(nil, "an upsert needs a key, by which the org finds the record; %s can take %s", c.object.Name, strings.Join(keysOf(c.object), ", "))
	default:
		key := c.object.Field(c.Key)
		switch {
		case key == nil:
			c.find(nil, "key: %s has no field %s%s", c.object.Name, c.Key, c.closestField(c.Key))
		case !identifies(key):
			c.find(nil, "key: %s does not identify a record; take one of %s", key.Name, strings.Join(keysOf(c.object), ", "))
		default:
			c.key = key
		}
	}
}

// ids checks what says which record is meant: the key of an upsert, the Id of an update or a delete.
func (c *compiler) ids() {
	var key *target
	for i := range c.targets {
		t := &c.targets[i]
		switch {
		case c.isKey(*t):
			key = t
			if t.Const != nil {
				c.find(&t.Field, "is a constant, so all rows would mean the same record; map a column")
			}
			if t.Nulls == transform.NullsClear {
				c.find(&t.Field, "says which record is meant and cannot be cleared; nulls: keep or error")
			}
		case c.Operation == bulk2.Delete || c.Operation == bulk2.HardDelete:
			c.find(&t.Field, "%s takes the column Id alone; %s", c.Operation, c.howToLeaveOut(t.Field))
		case t.isID() && c.Operation == bulk2.Insert:
			c.find(&t.Field, "is given by the org on insert; %s", c.howToLeaveOut(t.Field))
		case t.isID() && c.key != nil:
			c.find(&t.Field, "cannot be sent in an upsert by %s; %s", c.key.Name, c.howToLeaveOut(t.Field))
		}
	}
	switch {
	case key != nil || c.Operation == bulk2.Insert:
	case c.Operation != bulk2.Upsert:
		c.find(nil, "%s finds records by Id, which is not mapped; %s", c.Operation, c.howToMap("Id"))
	case c.key != nil:
		c.find(nil, "the key %s is not mapped; %s", c.key.Name, c.howToMap(c.key.Name))
	}
}

// auditFields can be set on insert by users with a permission of its own (Salesforce help, "Set Audit Fields upon Record Creation").
var auditFields = []string{"CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById"}

// writable checks that the operation may set a field. Id and the key have rules of their own.
func (c *compiler) writable(t target) {
	if why := c.readOnly(t); why != "" {
		c.find(&t.Field, "%s", why)
	}
	if t.Const != nil && *t.Const == transform.NullToken {
		c.note("%s: the constant %s clears the field in every row", t.header, transform.NullToken)
	}
}

// readOnly says why the operation may not set a field, and what to do then; "" when it may.
func (c *compiler) readOnly(t target) string {
	f, instead := t.field, "; "+c.howToLeaveOut(t.Field)
	inserts := c.Operation == bulk2.Insert || c.Operation == bulk2.Upsert
	updates := c.Operation == bulk2.Update || c.Operation == bulk2.Upsert
	switch parts := c.partsOf(f); {
	case t.isID() || c.isKey(t) || !inserts && !updates:
	case f.Type == "address" || f.Type == "location" || !f.Createable && !f.Updateable && len(parts) > 0:
		return "is a compound field and read-only; map its parts: " + strings.Join(parts, ", ")
	case f.Calculated:
		return "is a formula or a roll-up and read-only" + instead
	case f.AutoNumber:
		return "is numbered by the org and read-only" + instead
	case inserts && !f.Createable && slices.Contains(auditFields, f.Name):
		return "can be set by a user with the permission \"Set Audit Fields upon Record Creation\" only" + instead
	case !f.Createable && !f.Updateable:
		return "is read-only for this user" + instead
	case inserts && !f.Createable:
		return fmt.Sprintf("cannot be set when a record is created, which %s may do%s", c.Operation, instead)
	case updates && !f.Updateable:
		return fmt.Sprintf("cannot be changed once a record is there, which %s may do%s", c.Operation, instead)
	}
	return ""
}

// partsOf returns the names of the fields that make up a compound field.
func (c *compiler) partsOf(f *salesforce.Field) []string {
	var parts []string
	for _, p := range c.object.Fields {
		if p.Name != f.Name && p.CompoundFieldName == f.Name && (p.Createable || p.Updateable) {
			parts = append(parts, p.Name)
		}
	}
	return parts
}

// required finds the fields without which no record is created.
func (c *compiler) required() {
	for _, f := range c.missing() {
		if c.Operation == bulk2.Insert {
			c.find(&Field{To: f.Name}, "is required on insert and not mapped; %s", c.howToMap(f.Name))
		} else {
			c.note("%s is required and not mapped: rows that are not in the org yet will fail", f.Name)
		}
	}
}

// missing are the fields that a new record must have and that nothing sets.
func (c *compiler) missing() []*salesforce.Field {
	if c.Operation != bulk2.Insert && c.Operation != bulk2.Upsert {
		return nil
	}
	var list []*salesforce.Field
	for i := range c.object.Fields {
		f := &c.object.Fields[i]
		if f.Required() && !slices.ContainsFunc(c.targets, func(t target) bool { return t.field == f }) {
			list = append(list, f)
		}
	}
	return list
}
