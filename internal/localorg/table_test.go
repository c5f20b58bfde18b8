package localorg

import (
	"fmt"
	"testing"
)

// Many changes, with dead space collected now and then, leave values, ids and lookups as they must be.
func TestTable(t *testing.T) {
	t.Parallel()
	rng := random(t)
	s, err := loadSchema(builtInSchema(), nil)
	if err != nil {
		t.Fatal(err)
	}
	obj := s.object("Contact") // Email is a key that several records may share
	tab := newTable(obj, 1, nil)
	email, last := obj.field("Email"), obj.field("LastName")
	x := tab.index(email)
	build := func(e, l string, flags byte) record {
		r := appendRecordHead(nil, flags, stamps{1, 2, 3})
		r = appendRecordField(r, last.index, []byte(l))
		return appendRecordField(r, email.index, []byte(e))
	}
	type state struct {
		email, last string
		there, gone bool
	}
	var model []state
	for step := range 60_000 {
		m := state{fmt.Sprintf("User%d@Example.com", rng.IntN(3000)), fmt.Sprint("n", step), true, false}
		switch n := rng.IntN(10); {
		case n < 4 || len(model) == 0:
			tab.insert(build(m.email, m.last, 0))
			model = append(model, m)
		case n < 8:
			if at := rng.IntN(len(model)); !model[at].gone {
				tab.replace(uint32(at), build(m.email, m.last, 0))
				model[at] = m
			}
		case n < 9:
			if at := rng.IntN(len(model)); !model[at].gone {
				tab.replace(uint32(at), build(model[at].email, model[at].last, flagDeleted))
				model[at].there = false
			}
		default:
			if at := rng.IntN(len(model)); !model[at].gone {
				tab.erase(uint32(at))
				model[at] = state{gone: true}
			}
		}
		if step%20_000 == 19_999 {
			tab.compact()
			if tab.dead != 0 {
				t.Fatalf("%d dead bytes after compact", tab.dead)
			}
		}
	}
	live, deleted := 0, 0
	byEmail := map[string]int{}
	for i, m := range model {
		ord, ok := tab.ordinal(tab.id(uint32(i)))
		if ord != uint32(i) && ok || ok == m.gone {
			t.Fatalf("record %d: id leads to %d %v", i, ord, ok)
		}
		if m.gone {
			continue
		}
		r := tab.record(ord)
		if string(r.raw(email.index)) != m.email || string(r.raw(last.index)) != m.last || r.deleted() == m.there || !r.wellFormed() {
			t.Fatalf("record %d is %q, want %+v", i, r, m)
		}
		if m.there {
			live++
			byEmail[m.email]++
		} else {
			deleted++
		}
	}
	if tab.live != live || tab.deleted != deleted || x.live != live {
		t.Errorf("live %d, deleted %d, indexed %d; want %d and %d", tab.live, tab.deleted, x.live, live, deleted)
	}
	for n := range 3100 {
		e := fmt.Sprintf("user%d@example.com", n)
		found := 0
		for range x.ordinals(tab, []byte(e)) {
			found++
		}
		if want := byEmail[fmt.Sprintf("User%d@Example.com", n)]; found != want {
			t.Errorf("%s: %d records, want %d", e, found, want)
		}
	}
}

func TestAutoNumber(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"": "00000042", "INV-{000000}": "INV-000042", "{0}/x": "42/x", "A": "A42"} {
		if got := string(parseAutoNumber(nil, format).value(41)); got != want {
			t.Errorf("%q: got %s, want %s", format, got, want)
		}
	}
}
