package localorg

import "time"

// person is a user that every org has. The first is the one that logs in where a flow names no user.
type person struct {
	username, first, last, email, alias string
}

var people = []person{
	{"admin@local.example.com", "Ada", "Admin", "admin@example.com", "admin"},
	{"integration@local.example.com", "Ina", "Integration", "integration@example.com", "integ"},
}

var recordTypes = []struct{ name, developerName, object string }{
	{"Business Account", "Business", "Account"},
	{"Household Account", "Household", "Account"},
}

// addFixtures saves the records that are there from the start. They are not in the journal; the same seed makes the
// same ids.
func (o *Org) addFixtures() {
	made := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	if users := o.schema.object("User"); users != nil {
		t := o.table(users)
		for _, p := range people {
			id := o.addFixture(t, made, map[string]string{"Username": p.username, "FirstName": p.first, "LastName": p.last,
				"Email": p.email, "Alias": p.alias, "IsActive": "true"})
			if o.user == nil {
				o.user = id
			}
		}
	}
	if o.user == nil { // a schema without users still has somebody who owns things
		o.user = makeID("005", firstID("005", o.cfg.Seed)).append(nil)
	}
	if types := o.schema.object("RecordType"); types != nil {
		for _, r := range recordTypes {
			o.addFixture(o.table(types), made, map[string]string{"Name": r.name, "DeveloperName": r.developerName,
				"SobjectType": r.object, "IsActive": "true"})
		}
	}
}

func (o *Org) addFixture(t *table, made int64, values map[string]string) []byte {
	r := appendRecordHead(nil, 0, stamps{made, made, made})
	for _, f := range t.obj.Fields {
		if v, ok := values[f.Name]; ok {
			r = appendRecordField(r, f.index, []byte(v))
		}
	}
	return t.id(t.insert(r)).append(nil)
}

// userByName finds an active user by username.
func (o *Org) userByName(name string) ([]byte, bool) {
	users := o.schema.object("User")
	if users == nil {
		return nil, false
	}
	t := o.table(users)
	f := users.field("Username")
	if f == nil || t.index(f) == nil {
		return nil, false
	}
	ord, n := t.find(t.index(f), []byte(name))
	if n == 0 {
		return nil, false
	}
	return t.id(ord).append(nil), true
}
