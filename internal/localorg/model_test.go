package localorg

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// modelRecord is a record as the model sees it.
type modelRecord struct{ name, phone, key string }

// Random jobs of all operations, with reopening in between, do to the org what they do to a map.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		o, err := Open(Config{Dir: dir, AccessToken: testToken, KeepOrder: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { o.Close() }()
		c := &client{t: t, org: o, rt: o.Transport(), token: testToken, version: "66.0"}
		model := map[string]*modelRecord{} // by id; nil is in the recycle bin
		var ids []string                   // all that were ever given
		byKey := func(key string) string {
			for id, r := range model {
				if r != nil && r.key != "" && strings.EqualFold(r.key, key) {
					return id
				}
			}
			return ""
		}
		key := rapid.SampledFrom([]string{"", "a", "A", "b", "B", "c", "é", "É"})
		text := rapid.SampledFrom([]string{"", "x", "y", "#N/A", "a,b"})
		for range rapid.IntRange(1, 6).Draw(rt, "jobs") {
			op := rapid.SampledFrom([]string{"insert", "update", "upsert", "delete", "hardDelete", "reopen"}).Draw(rt, "op")
			if op == "reopen" {
				if err := o.Close(); err != nil {
					t.Fatal(err)
				}
				if o, err = Open(Config{Dir: dir, AccessToken: testToken, KeepOrder: true}); err != nil {
					t.Fatal(err)
				}
				c.org, c.rt = o, o.Transport()
				continue
			}
			header := map[string]string{"insert": "Name,Phone,Legacy_Id__c", "upsert": "Name,Phone,Legacy_Id__c", "update": "Id,Name,Phone,Legacy_Id__c"}[op]
			if header == "" {
				header = "Id"
			}
			var body strings.Builder
			body.WriteString(header + "\n")
			type row struct{ id, name, phone, key string }
			var rows []row
			for range rapid.IntRange(1, 5).Draw(rt, "rows") {
				r := row{name: text.Draw(rt, "name"), phone: text.Draw(rt, "phone"), key: key.Draw(rt, "key")}
				if len(ids) > 0 {
					r.id = rapid.SampledFrom(ids).Draw(rt, "id")
				}
				if op == "upsert" && slices.ContainsFunc(rows, func(o row) bool { return strings.EqualFold(o.key, r.key) }) {
					continue // duplicates in a chunk have a test of their own
				}
				rows = append(rows, r)
				switch header {
				case "Id":
					fmt.Fprintf(&body, "%q\n", r.id)
				case "Id,Name,Phone,Legacy_Id__c":
					fmt.Fprintf(&body, "%s,%q,%q,%s\n", r.id, r.name, r.phone, r.key)
				default:
					fmt.Fprintf(&body, "%q,%q,%s\n", r.name, r.phone, r.key)
				}
			}
			s := spec{"object": "Account", "operation": op}
			if op == "upsert" {
				s["externalIdFieldName"] = "Legacy_Id__c"
			}
			job := c.load(s, body.String())
			var got []string // ids of the rows that went in, in the order of the rows
			for _, r := range c.table(job.ID, "successfulResults") {
				got = append(got, r[0])
			}
			var want []string // "new" where the model cannot know
			apply := func(m *modelRecord, r row) {
				for _, f := range []struct {
					to   *string
					from string
				}{{&m.name, r.name}, {&m.phone, r.phone}, {&m.key, r.key}} {
					if f.from == "#N/A" {
						*f.to = ""
					} else if f.from != "" {
						*f.to = f.from
					}
				}
			}
			next := 0
			for _, r := range rows {
				id, created := r.id, false
				switch op {
				case "upsert":
					if r.key == "" {
						continue
					}
					id = byKey(r.key)
					created = id == ""
				case "insert":
					created = true
				}
				if created {
					if r.name == "" || r.name == "#N/A" || byKey(r.key) != "" {
						continue
					}
					if next >= len(got) {
						rt.Fatalf("%s: row %+v did not go in", op, r)
					}
					id = got[next]
					ids = append(ids, id)
					model[id] = &modelRecord{}
					apply(model[id], r)
				} else {
					m, known := model[id]
					if !known || m == nil && op != "hardDelete" {
						continue
					}
					switch op {
					case "delete":
						model[id] = nil
					case "hardDelete":
						delete(model, id)
					default:
						if other := byKey(r.key); r.name == "#N/A" || r.key != "" && other != "" && other != id {
							continue
						}
						apply(m, r)
					}
				}
				want = append(want, id)
				next++
			}
			if !slices.Equal(got, want) {
				rt.Fatalf("%s %q: ids %v went in, want %v", op, body.String(), got, want)
			}
			records, deleted := map[string]modelRecord{}, 0
			for row := range o.Records("Account", "Id", "Name", "Phone", "Legacy_Id__c") {
				records[row[0]] = modelRecord{row[1], row[2], row[3]}
			}
			for id, m := range model {
				if m == nil {
					deleted++
				} else if records[id] != *m {
					rt.Fatalf("%s: %s is %+v, want %+v", op, id, records[id], *m)
				}
			}
			if a := o.Audit().Objects["Account"]; a.Rows != len(model)-deleted || len(records) != a.Rows || a.Deleted != deleted {
				rt.Fatalf("%s: audit %+v, %d records, model %d with %d deleted", op, a, len(records), len(model), deleted)
			}
		}
	})
}
