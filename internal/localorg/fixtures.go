package localorg

import (
	"strconv"
	"strings"
	"time"
)

// person is a user that every org has. The first is the one that logs in where a flow names no user.
type person struct {
	username, first, last, email, alias string
}

var people = []person{
	{"admin@local.example.com", "Ada", "Admin", "admin@example.com", "admin"},
	{"integration@local.example.com", "Ina", "Integration", "integration@example.com", "integ"},
}

// recordTypes are those of the built-in schema; snapshots name their own.
var recordTypes = []recordType{
	{name: "Business Account", developerName: "Business", object: "Account", active: true},
	{name: "Household Account", developerName: "Household", object: "Account", active: true},
}

// addFixtures saves the records that are there from the start. They are not in the journal; the same seed makes the
// same ids.
func (o *Org) addFixtures() {
	made := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	users := o.table(o.schema.object("User"))
	for _, p := range people {
		id := o.addFixture(users, made, map[string]string{"Username": p.username, "FirstName": p.first, "LastName": p.last,
			"Name": p.first + " " + p.last, "Email": p.email, "Alias": p.alias, "IsActive": "true"})
		if o.user == nil {
			o.user = id
		}
	}
	types := o.table(o.schema.object("RecordType"))
	list := o.schema.recordTypes
	if o.cfg.Schema == nil {
		list = recordTypes
	}
	for _, r := range list {
		if r.id != (id15{}) {
			types.fixed = append(types.fixed, r.id)
		}
		o.addFixture(types, made, map[string]string{"Name": r.name, "DeveloperName": r.developerName,
			"SobjectType": r.object, "IsActive": strconv.FormatBool(r.active)})
	}
}

func (o *Org) addFixture(t *table, made int64, values map[string]string) []byte {
	r := appendRecordHead(nil, 0, stamps{made, made, made})
	for _, f := range t.obj.shape().Fields {
		if v, ok := values[f.Name]; ok {
			r = appendRecordField(r, f.index, []byte(v))
		}
	}
	return t.id(t.insert(r)).append(nil)
}

// userByName finds a user by username. Callers hold the lock.
func (o *Org) userByName(name string) ([]byte, bool) {
	t := o.table(o.schema.object("User"))
	f := t.obj.field("Username")
	if f == nil {
		return nil, false
	}
	if x := t.index(f); x != nil {
		ord, n := t.find(x, []byte(name))
		return t.id(ord).append(nil), n > 0
	}
	for ord := range uint32(len(t.places)) { // a snapshot without an index; users are few
		if t.places[ord] != 0 && !t.record(ord).deleted() && strings.EqualFold(string(t.record(ord).raw(f.index)), name) {
			return t.id(ord).append(nil), true
		}
	}
	return nil, false
}
