package localorg

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawCell draws the text of a value for a field: most of them good, some at an edge, some bad.
func drawCell(t *rapid.T, f *field) string {
	pools := map[kind][]string{
		kindInt:      {"0", "-0", "7", "-12", "1e3", "12.9", "99999999999", "1,000", "x"},
		kindDouble:   {"0", "-0.0", "1.5", "-2.999", "1e5", "0.005", "912260000", "12345678901234567890", "0x10", "NaN"},
		kindBool:     {"true", "false", "TRUE", "1", "0", "yes"},
		kindDate:     {"2026-01-31", "2024-02-29", "2026-02-29", "0026-01-01", "1699-12-31", "31.01.2026", "2026-01-31Z"},
		kindDatetime: {"2026-01-31T10:20:30Z", "2026-01-31T10:20:30.999+02:00", "1600-01-01T00:00:00Z", "2026-01-31", "2026-01-31T25:00:00Z"},
		kindTime:     {"10:20:30.000Z", "10:20"},
		kindEmail:    {"a@b.org", "A.B@c.example.com", "a@b", "@"},
	}
	if list := pools[f.kind]; list != nil {
		return rapid.SampledFrom(list).Draw(t, f.Name)
	}
	if f.kind == kindReference {
		return rapid.SampledFrom([]string{"0055g0000000001", makeID("001", 1).String(), "00Q000000000001", "x"}).Draw(t, f.Name)
	}
	texts := []string{"a", "Ä ö", " b ", "line\nbreak", `quote " and \`, "😀", strings.Repeat("x", 81), strings.Repeat("😀", 128), "n;m", "<a & b>", "#N/a", "\u2028"}
	for _, p := range f.Picklist {
		texts = append(texts, p.Value)
	}
	return rapid.SampledFrom(texts).Draw(t, f.Name)
}

// The same values, saved by calls and by jobs, give the same records, and where one is refused the other is.
func TestRESTAndBulkAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		clock := newClock()
		orgs := [2]*client{}
		for i := range orgs {
			o, err := Open(Config{AccessToken: testToken, Now: clock.now})
			if err != nil {
				rt.Fatal(err)
			}
			defer o.Close()
			orgs[i] = &client{t: t, org: o, rt: o.Transport(), token: testToken, version: "66.0"}
		}
		rest, bulk := orgs[0], orgs[1]
		obj := rest.org.schema.object(rapid.SampledFrom([]string{"Account", "Contact", "Opportunity", "Task", "Lead", "Invoice__c"}).Draw(rt, "object"))
		id := ""
		for step := range 3 {
			may := func(f *field) bool { return f.Createable }
			if id != "" {
				may = func(f *field) bool { return f.Updateable }
			}
			header, cells, values := []string{}, []string{}, map[string]any{}
			for _, f := range obj.shape().Fields {
				if !may(f) || f.kind == kindCompound || f.kind == kindID || !f.required() && rapid.IntRange(0, 3).Draw(rt, "set") > 0 {
					continue
				}
				text := drawCell(rt, f)
				var value any = text
				switch n := rapid.IntRange(0, 9).Draw(rt, "form"); {
				case n == 0: // null in both
					text, value = "#N/A", nil
				case n < 5 && (f.kind == kindInt || f.kind == kindDouble) && json.Valid([]byte(text)):
					value = json.Number(text)
				case n < 5 && (text == "true" || text == "false") && f.kind == kindBool:
					value = text == "true"
				}
				header = append(header, f.Name)
				cells = append(cells, `"`+strings.ReplaceAll(text, `"`, `""`)+`"`)
				values[f.Name] = value
			}
			if len(header) == 0 {
				continue
			}
			method, path, operation := "POST", "sobjects/"+obj.Name, "insert"
			if id != "" {
				method, path, operation = "PATCH", path+"/"+id, "update"
				header, cells = append(header, "Id"), append(cells, id)
			}
			body, err := json.Marshal(values)
			if err != nil {
				rt.Fatal(err)
			}
			a := rest.do(method, path, "application/json", string(body))
			j := bulk.load(spec{"object": obj.Name, "operation": operation}, strings.Join(header, ",")+"\n"+strings.Join(cells, ",")+"\n")
			if (a.status >= 400) != (j.Failed > 0) || j.State != "JobComplete" {
				rt.Fatalf("%s %s\nby a call %d %s\nby a job  %+v %s", operation, body, a.status, a.body, j, bulk.get("jobs/ingest/"+j.ID+"/failedResults").body)
			}
			if a.status >= 400 {
				rest.compareRefusal(rt, a, bulk.rows(j.ID, "failedResults", `"sf__Id","sf__Error",`+strings.Join(header, ","))[0][1])
			} else if id == "" {
				var made struct{ ID string }
				if err := json.Unmarshal([]byte(a.body), &made); err != nil {
					rt.Fatal(err)
				}
				id = made.ID
			}
			if diff := cmp.Diff(dump(rest.org), dump(bulk.org)); diff != "" {
				rt.Fatalf("step %d, %s %s %s (-by call +by job)\n%s", step, operation, obj.Name, body, diff)
			}
			clock.add(1e9)
		}
	})
}

// compareRefusal checks that a row failed for the reason for which a call was refused. What is not of a field's type has texts of its own in
// JSON and in CSV.
func (c *client) compareRefusal(rt *rapid.T, a answer, rowError string) {
	var list []struct {
		ErrorCode, Message string
		Fields             []string
	}
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || len(list) != 1 {
		rt.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	e := list[0]
	if e.ErrorCode == "JSON_PARSER_ERROR" && strings.Contains(rowError, "Failed to deserialize field") {
		return
	}
	if got := (&rowFault{code: e.ErrorCode, message: e.Message, fields: e.Fields}).String(); got != rowError {
		rt.Fatal(fmt.Sprintf("refused by a call: %s\nby a job:          %s", got, rowError))
	}
}
