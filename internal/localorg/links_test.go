package localorg

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// The links of a lookup hold the children of each parent, whatever happens to the records while they are made and afterwards.
func TestLinks(t *testing.T) {
	t.Parallel()
	rng := random(t)
	o := open(t, Config{}).org
	obj := o.schema.object("Contact")
	tab, f := o.table(obj), obj.field("AccountId")
	to := lookup{tab, f}
	model := map[uint32]int{} // parent by living child, -1 without one
	parent := func(n int) id15 { return makeID("001", uint64(n)) }
	build := func(n int, flags byte) record {
		r := appendRecordHead(nil, flags, stamps{1, 2, 3})
		if n >= 0 {
			r = appendRecordField(r, f.index, parent(n).append(nil))
		}
		return r
	}
	check := func(step int) {
		for n := range 20 {
			var want []uint32
			for ord, p := range model {
				if p == n {
					want = append(want, ord)
				}
			}
			slices.Sort(want)
			got := o.pointing(to, parent(n))
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Fatalf("step %d, parent %d: %v, want %v", step, n, got, want)
			}
		}
	}
	for step := range 8000 {
		n := rng.IntN(21) - 1
		ord := uint32(rng.IntN(len(tab.places) + 1))
		_, lives := model[ord]
		switch {
		case int(ord) == len(tab.places) || step < 500:
			model[tab.insert(build(n, 0))] = n
		case tab.places[ord] == 0:
		case step%3 == 0:
			tab.replace(ord, build(n, 0))
			model[ord] = n
		case step%7 == 0 && lives:
			tab.replace(ord, build(model[ord], flagDeleted))
			delete(model, ord)
		case step%11 == 0:
			tab.erase(ord)
			delete(model, ord)
		}
		if step > 1000 && step < 3000 && step%20 == 0 {
			o.linkStep(to, 30)
		}
		if step > 3000 && step%500 == 0 {
			check(step)
		}
	}
	check(-1)
}

// A parent with very many children is no slower for each of them.
func TestSkewedParent(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	id := c.insert("Account", "Name", "Root")[0]
	tab := c.org.table(c.org.schema.object("Account"))
	f := tab.obj.field("ParentId")
	r := appendRecordField(appendRecordHead(nil, 0, stamps{1, 1, 1}), f.index, []byte(id))
	const kids = 150_000
	c.org.mu.Lock()
	for range kids {
		tab.insert(r)
	}
	c.org.mu.Unlock()
	began := time.Now()
	if a := c.do("DELETE", "sobjects/Account/"+id, "", ""); a.status != 204 {
		t.Fatalf("delete: %d %s", a.status, a.body)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the delete took %v", took)
	}
	if a := c.soql("SELECT COUNT() FROM Account WHERE ParentId != null"); a.body != `{"done":true,"records":[],"totalSize":0}` {
		t.Errorf("lookups that are left: %s", a.body)
	}
}

// The pages of a query with children may be asked for by many at once, also where a query lies in the condition of the children.
func TestChildrenOfPages(t *testing.T) {
	t.Parallel()
	c := open(t, Config{QueryPage: 2})
	c.insert("Account", "Name,Legacy_Id__c", "a,1", "b,2", "c,3", "d,4", "e,5")
	c.insert("Contact", "Account.Legacy_Id__c,LastName", "1,k1", "1,k2", "3,k3", "5,k4", "5,k5", "5,k6", "5,k7")
	q := "SELECT Legacy_Id__c, (SELECT LastName FROM Contacts WHERE LastName != 'k4' AND AccountId IN (SELECT Id FROM Account WHERE Name != 'a') ORDER BY LastName DESC LIMIT 2 OFFSET 1) FROM Account"
	a := c.soql(q)
	type page struct {
		Next    string `json:"nextRecordsUrl"`
		Records []struct {
			Key      string `json:"Legacy_Id__c"`
			Contacts *struct{ Records []struct{ LastName string } }
		}
	}
	var got []string
	read := func(body string) string {
		var p page
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		for _, r := range p.Records {
			line := r.Key
			if r.Contacts != nil {
				for _, k := range r.Contacts.Records {
					line += " " + k.LastName
				}
			}
			got = append(got, line)
		}
		return p.Next
	}
	second := ""
	for next := read(a.body); next != ""; next = read(c.get(next).body) {
		second = next
	}
	if want := []string{"1", "2", "3", "4", "5 k6 k5"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if a, err := c.try("GET", second, "", ""); err != nil || a.status != 200 {
				t.Errorf("%d %v", a.status, err)
			}
			if a, err := c.try("GET", "query?q="+url.QueryEscape(fmt.Sprintf("SELECT Id FROM Contact WHERE Account.Name = 'a' LIMIT %d", 1)), "", ""); err != nil || a.status != 200 {
				t.Errorf("%d %v", a.status, err)
			}
		})
	}
	wg.Wait()
}
