package localorg

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dump tells all that an org holds: each record of each object with its bytes, and what its indexes find.
func dump(o *Org) map[string][]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := map[string][]string{}
	for _, t := range o.tables {
		lines := []string{fmt.Sprintf("live %d, in the bin %d", t.live, t.deleted)}
		for ord, at := range t.places {
			if at == 0 {
				lines = append(lines, fmt.Sprintf("%d gone", ord))
				continue
			}
			r := t.record(uint32(ord))
			lines = append(lines, fmt.Sprintf("%d %s %q", ord, t.id(uint32(ord)), r))
			for _, x := range t.indexes {
				if v := r.raw(x.field.index); v != nil {
					found := slices.Sorted(x.ordinals(t, x.fold(nil, v)))
					lines = append(lines, fmt.Sprintf("%s %q %v", x.field.Name, v, found))
				}
			}
		}
		all[t.obj.Name] = lines
	}
	return all
}

// copyDir copies the folder of an org as it lies on disk, which is what a process that is killed leaves.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// An org whose process dies after any of many calls that save, delete with all that goes with it, fail, or are taken back, has afterwards
// the very same records, and half a last frame changes nothing but what it tells of.
func TestReopenAfterWrites(t *testing.T) {
	t.Parallel()
	rng := random(t)
	dir := t.TempDir()
	c := open(t, Config{Dir: dir})
	id := func(object string) string {
		tab := c.org.table(c.org.schema.object(object))
		return tab.id(uint32(rng.IntN(len(tab.places) + 1))).String()
	}
	account := func() string {
		return fmt.Sprintf(`{"attributes":{"type":"Account"},"Legacy_Id__c":"A-%d","Name":"n%d","ParentId":%q}`, rng.IntN(40), rng.IntN(9), id("Account"))
	}
	contact := func() string {
		return fmt.Sprintf(`{"attributes":{"type":"Contact"},"LastName":"l","Email":"e%d@x.org","AccountId":%q}`, rng.IntN(9), id("Account"))
	}
	calls := []func() (method, path, body string){
		func() (string, string, string) { return "POST", "sobjects/Account", account() },
		func() (string, string, string) { return "POST", "sobjects/Contact", contact() },
		func() (string, string, string) { return "PATCH", "sobjects/Account/" + id("Account"), `{"Phone":"1"}` },
		func() (string, string, string) { return "DELETE", "sobjects/Account/" + id("Account"), "" },
		func() (string, string, string) {
			return "POST", "sobjects/Case", fmt.Sprintf(`{"Subject":"s","AccountId":%q}`, id("Account")) // keeps its account from being deleted
		},
		func() (string, string, string) {
			return "POST", "composite/sobjects", fmt.Sprintf(`{"allOrNone":%t,"records":[%s,%s,%s]}`, rng.IntN(2) == 0, account(), contact(), account())
		},
		func() (string, string, string) {
			return "PATCH", "composite/sobjects/Account/Legacy_Id__c", fmt.Sprintf(`{"allOrNone":%t,"records":[%s,%s]}`, rng.IntN(2) == 0, account(), account())
		},
		func() (string, string, string) {
			return "DELETE", fmt.Sprintf("composite/sobjects?ids=%s,%s,%s&allOrNone=%t", id("Account"), id("Contact"), id("Account"), rng.IntN(2) == 0), ""
		},
		func() (string, string, string) {
			return "POST", "composite/tree/Account", fmt.Sprintf(`{"records":[{"attributes":{"type":"Account","referenceId":"a"},"Name":"t","Contacts":{"records":[{"attributes":{"type":"Contact","referenceId":"c"},"LastName":"k","Email":%q}]}}]}`,
				[]string{"a@b.org", "none"}[rng.IntN(2)])
		},
		func() (string, string, string) {
			return "POST", "composite", fmt.Sprintf(`{"allOrNone":true,"compositeRequest":[{"method":"POST","url":"/services/data/v66.0/sobjects/Account","referenceId":"a","body":{"Name":"c"}},
				{"method":"DELETE","url":"/services/data/v66.0/sobjects/Account/%s","referenceId":"d"},{"method":"PATCH","url":"/services/data/v66.0/sobjects/Contact/%s","referenceId":"e","body":{"AccountId":"@{a.id}"}}]}`, id("Account"), id("Contact"))
		},
	}
	statuses := map[int]int{}
	for step := range 400 {
		method, path, body := calls[rng.IntN(len(calls))]()
		a := c.do(method, path, "application/json", body)
		if statuses[a.status]++; a.status >= 500 {
			t.Fatalf("%s %s %s: %d %s", method, path, body, a.status, a.body)
		}
		if step%50 == 17 { // a job that deletes for good, with what hangs on its rows
			j := c.load(spec{"object": "Account", "operation": "hardDelete"}, "Id\n"+id("Account")+"\n"+id("Account")+"\n")
			if j.State != "JobComplete" {
				t.Fatalf("%+v", j)
			}
		}
		if step%80 != 79 {
			continue
		}
		killed := copyDir(t, dir)
		if f, err := os.OpenFile(filepath.Join(killed, "journal"), os.O_APPEND|os.O_WRONLY, 0); err != nil {
			t.Fatal(err)
		} else if _, err := io.WriteString(f, strings.Repeat("\x20", rng.IntN(20))); err != nil {
			t.Fatal(err)
		} else if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		again := open(t, Config{Dir: killed})
		if diff := cmp.Diff(dump(c.org), dump(again.org)); diff != "" {
			t.Fatalf("step %d: records differ after the org is opened again (-before +after)\n%s", step, diff)
		}
	}
	if statuses[200] == 0 || statuses[201] == 0 || statuses[204] == 0 || statuses[400] == 0 || statuses[404] == 0 {
		t.Errorf("calls ended %v; too little of it went well, or ill", statuses)
	}
}

// What a composite takes back may be gone for good already, since others go on meanwhile.
func TestTakeBackOfWhatIsGone(t *testing.T) {
	t.Parallel()
	c := open(t, Config{Dir: t.TempDir()})
	obj := c.org.schema.object("Account")
	var undo []change
	for i := range 2 {
		list := []entry{{obj: obj, op: "insert", values: map[string]json.RawMessage{"Name": json.RawMessage(fmt.Sprintf(`"n%d"`, i))}}}
		if _, err := c.org.saveEntries(list, false, &undo); err != nil {
			t.Fatal(err)
		}
	}
	id := c.values("Account", "Id")[0][0]
	if _, err := c.org.saveEntries([]entry{{obj: obj, op: "update", id: id, values: map[string]json.RawMessage{"Name": json.RawMessage(`"new"`)}}}, false, &undo); err != nil {
		t.Fatal(err)
	}
	c.load(spec{"object": "Account", "operation": "hardDelete"}, "Id\n"+id+"\n")
	if err := c.org.undo(undo); err != nil {
		t.Fatal(err)
	}
	if got := c.values("Account", "Name"); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

// Whatever JSON comes, each way in answers, and never with 500.
func FuzzJSONEntryPoints(f *testing.F) {
	for _, s := range append(restScenarios, oddScenarios...) {
		for _, e := range s.exchanges {
			if e.body != "" {
				f.Add(e.body)
			}
		}
	}
	for _, body := range []string{"null", "[]", "{}", `""`, "1e999", `{"records":{}}`, `{"records":[{"attributes":null}]}`, `{"compositeRequest":[{"referenceId":"a","body":{"x":"@{a[-1].b}"}}]}`,
		`{"operation":"query","query":"SELECT Id FROM Account"}`, `{"object":"Account","operation":"insert"}`, `{"state":"Aborted"}`, `{"Account":{"attributes":{"type":1},"Id":[]}}`, strings.Repeat("[", 5000)} {
		f.Add(body)
	}
	o, err := Open(Config{AccessToken: testToken, DailyAPI: 1 << 40})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { o.Close() })
	paths := []string{"POST sobjects/Account", "POST sobjects/Task", "PATCH sobjects/Account/0015g00000zzzzz", "PATCH sobjects/Contact/Email/a@b.org", "POST composite", "POST composite/graph", "POST composite/tree/Account",
		"POST composite/sobjects", "PATCH composite/sobjects", "PATCH composite/sobjects/Account/Id", "PATCH composite/sobjects/Account/Legacy_Id__c", "POST composite/sobjects/Account", "POST jobs/query", "POST jobs/ingest", "PATCH jobs/query/7505g0000000001"}
	f.Fuzz(func(t *testing.T, body string) {
		c := &client{t: t, org: o, rt: o.Transport(), token: testToken, version: "66.0"}
		for _, call := range paths {
			method, path, _ := strings.Cut(call, " ")
			a := c.do(method, path, "application/json", body)
			if a.status >= 500 || a.status != 204 && !json.Valid([]byte(a.body)) {
				t.Errorf("%s %q: %d %s", call, body, a.status, a.body)
			}
			if strings.Contains(a.body, "json.") || strings.Contains(a.body, "localorg") {
				t.Errorf("%s %q: the answer shows how the org is built: %s", call, body, a.body)
			}
		}
	})
}
