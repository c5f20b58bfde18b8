package plan

import (
	"slices"
	"strings"

	"migrate/pkg/salesforce"
)

// relationship reads a header that sets a lookup by a key of its parent, Relationship.Field, or where a lookup may lead to
// several objects ObjectType:Relationship.Field (Bulk API 2.0 guide, "Relationship Fields in a Header Row").
func (c *compiler) relationship(f Field) (target, bool) {
	t := target{Field: f}
	path, key, dotted := strings.Cut(f.To, ".")
	prefix, name, typed := strings.Cut(path, ":")
	if !typed {
		prefix, name = "", path
		if l := c.lookup(name); f.ParentType != "" && l != nil && len(l.ReferenceTo) > 1 {
			prefix, typed = f.ParentType, true
		}
	}
	switch {
	case !dotted || name == "" || key == "" || typed && prefix == "":
		c.find(&f, "a lookup is set by a key of its parent as in Account.Legacy_Id__c, or where it may lead to several objects as in Contact:Who.Legacy_Id__c")
		return t, false
	case strings.Contains(key, "."):
		c.find(&f, "goes over more than one relationship; only a key of the parent itself can be given")
		return t, false
	}
	if t.field = c.lookup(name); t.field == nil {
		c.find(&f, "%s has no relationship %q%s", c.object.Name, name, c.closestRelationship(name))
		return t, false
	}
	rel := t.field.RelationshipName
	parent, ok := c.parentObject(t, prefix, key)
	if !ok {
		return t, false
	}
	o, problem := c.describe(parent)
	if o == nil {
		c.find(&f, "%s", problem)
		return t, false
	}
	if t.parent = o.Field(key); t.parent == nil {
		c.find(&f, "the parent %s has no field %q%s", o.Name, key, didYouMean(key, keysOf(o)))
		return t, false
	}
	if !identifies(t.parent) {
		c.find(&f, "%s of %s does not identify a record; take one of %s", t.parent.Name, o.Name, strings.Join(keysOf(o), ", "))
		return t, false
	}
	t.header = rel + "." + t.parent.Name
	if typed {
		t.header = parent + ":" + t.header
	}
	if strings.EqualFold(o.Name, c.object.Name) && c.object.Createable {
		c.note("%s: parents that the same file brings are not seen by the org until their job has ended; rows that come too early fail and can be sent again", t.header)
	}
	return t, true
}

// parentObject says to which object a relationship header leads. The org seems to decide by the number of objects that the
// lookup may lead to; Owner goes without a type although it may be a group.
func (c *compiler) parentObject(t target, prefix, key string) (string, bool) {
	may, rel := t.field.ReferenceTo, t.field.RelationshipName
	owner := strings.EqualFold(t.field.Name, "OwnerId") && slices.Contains(may, "User")
	switch {
	case len(may) == 0:
		c.find(&t.Field, "the org does not say where %s leads to; map %s instead", rel, t.field.Name)
	case prefix == "" && len(may) == 1:
		return may[0], true
	case prefix == "" && owner:
		return "User", true
	case prefix == "":
		c.find(&t.Field, "%s may lead to %s; say which, as in %s:%s.%s", rel, strings.Join(may, ", "), may[0], rel, key)
	case len(may) == 1:
		c.find(&t.Field, "%s leads to %s alone, so no type stands before it; write %s.%s", rel, may[0], rel, key)
	default:
		if i := slices.IndexFunc(may, func(o string) bool { return strings.EqualFold(o, prefix) }); i >= 0 {
			return may[i], true
		}
		c.find(&t.Field, "%s does not lead to %s; it may lead to %s%s", rel, prefix, strings.Join(may, ", "), didYouMean(prefix, may))
	}
	return "", false
}

// lookup returns the lookup field that has a relationship of this name, or nil.
func (c *compiler) lookup(relationship string) *salesforce.Field {
	for i := range c.object.Fields {
		if f := &c.object.Fields[i]; f.RelationshipName != "" && strings.EqualFold(f.RelationshipName, relationship) {
			return f
		}
	}
	return nil
}

// closestRelationship also knows the names of the lookup fields themselves: AccountId is meant as Account.
func (c *compiler) closestRelationship(word string) string {
	var names []string
	for _, f := range c.object.Fields {
		if f.RelationshipName == "" {
			continue
		}
		if strings.EqualFold(f.Name, word) {
			return "; did you mean " + f.RelationshipName + "?"
		}
		names = append(names, f.RelationshipName)
	}
	return didYouMean(word, names)
}

// identifies says whether a record can be found by a field.
func identifies(f *salesforce.Field) bool { return f.ExternalID || f.IDLookup || f.Type == "id" }

// keysOf returns the fields by which a record of the object can be found.
func keysOf(o *salesforce.SObject) []string {
	var names []string
	for i := range o.Fields {
		if f := &o.Fields[i]; identifies(f) {
			names = append(names, f.Name)
		}
	}
	return names
}
