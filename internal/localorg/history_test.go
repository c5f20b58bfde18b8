package localorg

import (
	"encoding/csv"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// queryJob runs a query job to its end and reads its result, without the header.
func (c *client) queryJob(operation, query string) [][]string {
	c.t.Helper()
	var j jobAnswer
	c.json("POST", "jobs/query", spec{"operation": operation, "query": query}, 200, &j)
	c.waitEnd(j.ID)
	a := c.get("jobs/query/" + j.ID + "/results")
	if a.status != 200 {
		c.t.Fatalf("%s: %d %s", query, a.status, a.body)
	}
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil {
		c.t.Fatal(err)
	}
	return rows[1:]
}

// replicated lists the ids of a replication call.
func (c *client) replicated(which string, start, end time.Time) []string {
	c.t.Helper()
	var out struct {
		IDs     []string `json:"ids"`
		Deleted []struct {
			ID string `json:"id"`
		} `json:"deletedRecords"`
	}
	q := url.Values{"start": {start.Format(time.RFC3339)}, "end": {end.Format(time.RFC3339)}}
	c.json("GET", "sobjects/Account/"+which+"?"+q.Encode(), nil, 200, &out)
	for _, d := range out.Deleted {
		out.IDs = append(out.IDs, d.ID)
	}
	slices.Sort(out.IDs)
	return out.IDs
}

// played is a record as a model of the org has it.
type played struct {
	name, phone    string
	created, stamp time.Time
	binned, gone   bool
}

// Whatever is played on an org in any order and with times in any order, each way to read it shows what a plain map says, and the org that is
// opened again from its folder is the same.
func TestHistoryAgreesWithModel(t *testing.T) {
	t.Parallel()
	rng := random(t)
	clk := newClock()
	dir := t.TempDir()
	c := open(t, Config{Dir: dir, Now: clk.now})
	now := clk.now()
	model := map[string]*played{}
	pick := func() string {
		ids := slices.Sorted(maps.Keys(model))
		return ids[rng.IntN(len(ids))]
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for step := range 600 {
		at := now.Add(-time.Duration(rng.IntN(12*24*3600)) * time.Second)
		if kind := rng.IntN(10); kind < 4 || len(model) == 0 {
			r := &played{name: fmt.Sprint("n", step), created: at, stamp: at}
			id, err := c.org.Save("Account", map[string]string{"Name": r.name}, at)
			must(err)
			model[id] = r
		} else {
			id := pick()
			switch r := model[id]; {
			case r.gone:
				if _, err := c.org.Save("Account", map[string]string{"Id": id, "Phone": "1"}, at); err == nil {
					t.Fatal("what is gone was changed")
				}
			case kind == 4:
				must(c.org.Recalculate("Account", id, "Phone", fmt.Sprint("p", step)))
				r.phone = fmt.Sprint("p", step)
			case kind == 5:
				must(c.org.Delete("Account", id, true, at))
				if r.gone = true; !r.binned {
					r.stamp = at
				}
			case kind == 6 && rng.IntN(20) == 0:
				n, err := c.org.EmptyBin("Account", at)
				must(err)
				for _, r := range model {
					if r.binned && !r.gone && r.stamp.Before(at) {
						r.gone = true
						n--
					}
				}
				if n != 0 {
					t.Fatalf("EmptyBin is wrong by %d", n)
				}
			case r.binned:
				must(c.org.Undelete("Account", id, at))
				r.binned, r.stamp = false, at
			case kind == 6 || kind == 7:
				must(c.org.Delete("Account", id, false, at))
				r.binned, r.stamp = true, at
			default:
				_, err := c.org.Save("Account", map[string]string{"Id": id, "Phone": ""}, at)
				must(err)
				r.phone, r.stamp = "", at
			}
		}
		if step%100 != 99 {
			continue
		}
		var all, live [][]string
		var updated, deleted []string
		start, end := now.Add(-10*24*time.Hour).Truncate(time.Minute), now.Add(-3*24*time.Hour).Truncate(time.Minute)
		for _, id := range slices.Sorted(maps.Keys(model)) {
			r := model[id]
			text := func(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z") }
			row := []string{id, r.name, r.phone, fmt.Sprint(r.binned), text(r.created), text(r.stamp), text(r.stamp)}
			if !r.gone {
				all = append(all, row)
				if !r.binned {
					live = append(live, row)
				}
			}
			switch inside := !r.stamp.Before(start) && r.stamp.Before(end); {
			case inside && (r.gone || r.binned):
				deleted = append(deleted, id)
			case inside:
				updated = append(updated, id)
			}
		}
		sorted := func(operation, query string) [][]string {
			rows := c.queryJob(operation, query)
			slices.SortFunc(rows, slices.Compare)
			return rows
		}
		const query = "SELECT Id, Name, Phone, IsDeleted, CreatedDate, LastModifiedDate, SystemModstamp FROM Account"
		for name, pair := range map[string][2]any{
			"query job":             {live, sorted("query", query)},
			"query job, queryAll":   {all, sorted("queryAll", query)},
			"query job with ORDER":  {all, sorted("queryAll", query+" ORDER BY Id")},
			"updated":               {updated, c.replicated("updated", start, end)},
			"deleted":               {deleted, c.replicated("deleted", start, end)},
			"REST query, totalSize": {len(live), c.total("query", query)},
			"REST queryAll":         {len(all), c.total("queryAll", query)},
		} {
			if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
				t.Fatalf("step %d, %s (-model +org)\n%s", step, name, diff)
			}
		}
		again := open(t, Config{Dir: copyDir(t, dir), Now: clk.now})
		if diff := cmp.Diff(dump(c.org), dump(again.org)); diff != "" {
			t.Fatalf("step %d: records differ after the org is opened again (-before +after)\n%s", step, diff)
		}
		if diff := cmp.Diff(deleted, again.replicated("deleted", start, end)); diff != "" {
			t.Fatalf("step %d: deleted records differ after the org is opened again (-model +org)\n%s", step, diff)
		}
	}
}

// total is how many records a REST query says that there are.
func (c *client) total(call, query string) int {
	c.t.Helper()
	var out struct {
		Total int `json:"totalSize"`
	}
	c.json("GET", call+"?q="+url.QueryEscape(query), nil, 200, &out)
	return out.Total
}

// Save keeps the rules for values and no permission; what belongs to the org itself it refuses, and a refusal changes nothing.
func TestHistoryRefuses(t *testing.T) {
	t.Parallel()
	clk := newClock()
	c := open(t, Config{Now: clk.now})
	o, at := c.org, clk.now().Add(-time.Hour)
	if err := o.Rule(Rule{Code: "FIELD_CUSTOM_VALIDATION_EXCEPTION", Message: "no"}); err != nil {
		t.Fatal(err)
	}
	id, err := o.Save("Account", map[string]string{"Name": "A", "Legacy_Id__c": "1", "CreatedDate": "2001-02-03T04:05:06Z"}, at)
	if err != nil {
		t.Fatal(err)
	}
	other, err := o.Save("Account", map[string]string{"Name": "B", "Legacy_Id__c": "2"}, at)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Delete("Account", other, false, at); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Save("Account", map[string]string{"Name": "C", "Legacy_Id__c": "2"}, at); err != nil {
		t.Fatal(err)
	}
	before := dump(o)
	save := func(object string, values map[string]string) error { _, err := o.Save(object, values, at); return err }
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"object":        {save("Nothing", nil), `no object "Nothing" in this org`},
		"required":      {save("Account", map[string]string{}), "REQUIRED_FIELD_MISSING"},
		"field":         {save("Account", map[string]string{"Name": "x", "Nothing": "x"}), "No such column 'Nothing'"},
		"unique":        {save("Account", map[string]string{"Name": "x", "Legacy_Id__c": "1"}), "DUPLICATE_VALUE"},
		"type":          {save("Account", map[string]string{"Name": "x", "AnnualRevenue": "many"}), "JSON_PARSER_ERROR"},
		"stamp":         {save("Account", map[string]string{"Name": "x", "SystemModstamp": "2026-01-01T00:00:00Z"}), "INVALID_FIELD_FOR_INSERT_UPDATE"},
		"date later":    {save("Account", map[string]string{"Id": id, "CreatedDate": "2026-01-01T00:00:00Z"}), "INVALID_FIELD_FOR_INSERT_UPDATE"},
		"no such id":    {save("Account", map[string]string{"Id": "001000000000001", "Name": "x"}), "INVALID_CROSS_REFERENCE_KEY"},
		"in the bin":    {save("Account", map[string]string{"Id": other, "Name": "x"}), "ENTITY_IS_DELETED"},
		"delete twice":  {o.Delete("Account", other, false, at), "in the recycle bin already"},
		"delete none":   {o.Delete("Account", "003000000000001", true, at), `no Account with the id "003000000000001"`},
		"undelete live": {o.Undelete("Account", id, at), "not in the recycle bin"},
		"undelete twin": {o.Undelete("Account", other, at), "DUPLICATE_VALUE"},
		"bin of none":   {func() error { _, err := o.EmptyBin("Nothing", at); return err }(), "no object"},
		"times":         {o.Recalculate("Account", id, "SystemModstamp", "2026-01-01T00:00:00Z"), "INVALID_FIELD_FOR_INSERT_UPDATE"},
		"id":            {o.Recalculate("Account", id, "Id", id), "INVALID_FIELD_FOR_INSERT_UPDATE"},
		"owner":         {o.Recalculate("Account", id, "OwnerId", id), "MALFORMED_ID"},
		"twin":          {o.Recalculate("Account", id, "Legacy_Id__c", "2"), "DUPLICATE_VALUE"},
	} {
		if tc.err == nil || !strings.Contains(tc.err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", name, tc.err, tc.want)
		}
	}
	if diff := cmp.Diff(before, dump(o)); diff != "" {
		t.Errorf("a refusal changed records (-before +after)\n%s", diff)
	}
	if got := c.values("Account", "CreatedDate", "SystemModstamp")[0]; got[0] != "2001-02-03T04:05:06Z" || got[1] != at.Format(datetimeForm) {
		t.Errorf("times %v", got)
	}
}

// SystemModstamp moves with every change that an API call brings: an update, a deletion, what goes with a parent, and a lookup that is cleared;
// LastModifiedDate stays where nobody edited the record.
func TestStampMovesWithEveryChange(t *testing.T) {
	t.Parallel()
	clk := newClock()
	c := open(t, Config{Now: clk.now})
	old := clk.now().Add(-24 * time.Hour)
	save := func(object string, values map[string]string) string {
		t.Helper()
		id, err := c.org.Save(object, values, old)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	updated := save("Account", map[string]string{"Name": "updated"})
	parent := save("Account", map[string]string{"Name": "parent"})
	save("Account", map[string]string{"Name": "other"})
	save("Account", map[string]string{"Name": "child", "ParentId": parent})
	save("Contact", map[string]string{"LastName": "goes with it", "AccountId": parent})
	if j := c.load(spec{"object": "Account", "operation": "update"}, "Id,Phone\n"+updated+",1\n"); j.Failed > 0 || j.State != "JobComplete" {
		t.Fatalf("%+v", j)
	}
	clk.add(time.Minute)
	if j := c.load(spec{"object": "Account", "operation": "delete"}, "Id\n"+parent+"\n"); j.Failed > 0 || j.State != "JobComplete" {
		t.Fatalf("%+v", j)
	}
	then, first, second := "2026-01-01T03:04:05.000Z", "2026-01-02T03:04:05.000Z", "2026-01-02T03:05:05.000Z"
	want := [][]string{
		{"updated", "false", "", first, first},
		{"parent", "true", "", second, second},
		{"other", "false", "", then, then},
		{"child", "false", "", then, second},
	}
	if diff := cmp.Diff(want, c.queryJob("queryAll", "SELECT Name, IsDeleted, ParentId, LastModifiedDate, SystemModstamp FROM Account")); diff != "" {
		t.Errorf("accounts (-want +got)\n%s", diff)
	}
	contacts := "SELECT LastName, IsDeleted, AccountId, SystemModstamp FROM Contact"
	if diff := cmp.Diff([][]string{{"goes with it", "true", parent, second}}, c.queryJob("queryAll", contacts)); diff != "" {
		t.Errorf("contacts (-want +got)\n%s", diff)
	}
	if err := c.org.Undelete("Account", parent, clk.now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"goes with it", "false", parent, "2026-01-02T03:06:05.000Z"}}, c.queryJob("query", contacts)); diff != "" {
		t.Errorf("contacts after the parent came back (-want +got)\n%s", diff)
	}
}

func BenchmarkSave(b *testing.B) {
	o, err := Open(Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer o.Close()
	at := time.Now()
	for i := 0; b.Loop(); i++ {
		if _, err := o.Save("Account", map[string]string{"Name": "n", "Legacy_Id__c": fmt.Sprint(i), "Phone": "1"}, at); err != nil {
			b.Fatal(err)
		}
	}
}
