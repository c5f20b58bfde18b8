package localorg

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Calls and jobs of all kinds side by side leave counts, indexes and links that agree with the records, and a journal that makes them again.
func TestMixedCalls(t *testing.T) {
	t.Parallel()
	seed := random(t).Uint64()
	dir := t.TempDir()
	c := open(t, Config{Dir: dir, QueryPage: 20})
	obj := c.org.schema.object("Account")
	tab := c.org.table(obj)
	var wg sync.WaitGroup
	for worker := range 6 {
		rng := rand.New(rand.NewPCG(seed, uint64(worker)))
		id := func() string { return tab.id(uint32(rng.IntN(60))).String() }
		do := func(method, path, body string) answer {
			a, err := c.try(method, path, "application/json", body)
			if err != nil || a.status >= 500 {
				t.Errorf("%s %s: %d %s %v", method, path, a.status, a.body, err)
			}
			return a
		}
		wg.Go(func() {
			for range 120 {
				switch rng.IntN(9) {
				case 0, 1:
					do("POST", "sobjects/Account", fmt.Sprintf(`{"Name":"n","Legacy_Id__c":"A-%d","ParentId":%q}`, rng.IntN(90), id()))
				case 2:
					do("POST", "composite/tree/Account", `{"records":[{"attributes":{"type":"Account","referenceId":"a"},"Name":"t","ChildAccounts":{"records":[{"attributes":{"type":"Account","referenceId":"c"},"Name":"k"}]}}]}`)
				case 3:
					do("DELETE", "sobjects/Account/"+id(), "")
				case 4:
					do("PATCH", "sobjects/Account/"+id(), fmt.Sprintf(`{"ParentId":%q}`, id()))
				case 5:
					a := do("GET", "query?q="+url.QueryEscape("SELECT Name, Parent.Name, (SELECT Id FROM ChildAccounts) FROM Account WHERE ParentId = null OR ParentId IN (SELECT Id FROM Account WHERE Name != 'x') ORDER BY Name"), "")
					if _, next, ok := strings.Cut(a.body, `"nextRecordsUrl":"`); ok {
						next, _, _ = strings.Cut(next, `"`)
						do("GET", next, "")
					}
				case 6:
					do("POST", "jobs/query", `{"operation":"queryAll","query":"SELECT Id, Parent.Name FROM Account ORDER BY Name"}`)
				case 7:
					do("POST", "composite", fmt.Sprintf(`{"allOrNone":true,"compositeRequest":[{"method":"POST","url":"/services/data/v66.0/sobjects/Account","referenceId":"a","body":{"Name":"c"}},
						{"method":"PATCH","url":"/services/data/v66.0/sobjects/Account/%s","referenceId":"b","body":{"ParentId":"@{a.id}"}}]}`, id()))
				default:
					do("GET", "sobjects/Account/updated?start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z", "")
					do("GET", "query?q="+url.QueryEscape("SELECT COUNT(Id), MAX(Name) FROM Account WHERE ParentId = '"+id()+"'"), "")
				}
			}
		})
	}
	wg.Wait()
	again := open(t, Config{Dir: copyDir(t, dir)})
	if diff := cmp.Diff(dump(c.org), dump(again.org)); diff != "" {
		t.Errorf("records differ after the org is opened again (-before +after)\n%s", diff)
	}
	c.org.mu.Lock()
	defer c.org.mu.Unlock()
	f, kids, live := obj.field("ParentId"), map[string]int{}, 0
	for ord, at := range tab.places {
		if at == 0 || tab.record(uint32(ord)).deleted() {
			continue
		}
		live++
		if v := tab.record(uint32(ord)).raw(f.index); v != nil {
			kids[string(v)]++
		}
	}
	if live != tab.live || live == 0 {
		t.Errorf("%d records live, the count says %d", live, tab.live)
	}
	for ord := range tab.places {
		id := tab.id(uint32(ord))
		if got := len(c.org.pointing(lookup{tab, f}, id)); got != kids[id.String()] {
			t.Errorf("%s has %d children, its links say %d", id, kids[id.String()], got)
		}
		if at := tab.places[ord]; kids[id.String()] > 0 && (at == 0 || tab.record(uint32(ord)).deleted()) {
			t.Errorf("%s is gone and has %d children", id, kids[id.String()])
		}
	}
}
