package localorg

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What follows judges the evaluator of SOQL by another one that knows nothing of it: rows are Go maps, conditions are Go functions that are
// made together with their text, and time spans are found by looking at one day after another.

// drawCondition draws a WHERE clause.
func drawCondition(t *rapid.T, paths []modelPath, depth int) modelCondition {
	shape := 0
	if depth > 0 {
		shape = rapid.IntRange(0, 4).Draw(t, "shape")
	}
	switch shape {
	case 1:
		c := drawCondition(t, paths, depth-1)
		return modelCondition{"NOT (" + c.text + ")", func(r modelRow) bool { return !c.holds(r) }}
	case 2, 3:
		word := []string{"", "", " AND ", " OR "}[shape]
		var list []modelCondition
		var texts []string
		for range rapid.IntRange(2, 3).Draw(t, "parts") {
			c := drawCondition(t, paths, depth-1)
			list, texts = append(list, c), append(texts, "("+c.text+")")
		}
		return modelCondition{strings.Join(texts, word), func(r modelRow) bool {
			holds := func(c modelCondition) bool { return c.holds(r) }
			if word == " OR " {
				return slices.ContainsFunc(list, holds)
			}
			return !slices.ContainsFunc(list, func(c modelCondition) bool { return !holds(c) })
		}}
	}
	return drawComparison(t, rapid.SampledFrom(paths).Draw(t, "path"))
}

func drawComparison(t *rapid.T, p modelPath) modelCondition {
	text := func(op, literal string) string { return p.name + " " + op + " " + literal }
	ops := []string{"=", "!=", "<", "<=", ">", ">=", "IN", "NOT IN"}
	if p.kind == "boolean" {
		ops = []string{"=", "!="}
	}
	if p.kind == "string" || p.kind == "textarea" || p.kind == "picklist" || p.kind == "email" {
		ops = append(ops, "LIKE")
	}
	op := rapid.SampledFrom(ops).Draw(t, "op")
	maybe := func() any {
		if p.kind != "boolean" && rapid.IntRange(0, 5).Draw(t, "null") == 0 {
			return nil
		}
		return drawValue(t, p.kind)
	}
	switch {
	case op == "LIKE":
		literal, match := drawPattern(t)
		return modelCondition{text(op, literal), func(r modelRow) bool {
			s, ok := p.value(r).(string)
			return ok && match(s)
		}}
	case strings.HasSuffix(op, "IN"):
		var list []any
		var texts []string
		for range rapid.IntRange(1, 4).Draw(t, "list") {
			v := maybe()
			list, texts = append(list, v), append(texts, soqlLiteral(v, p.kind))
		}
		return modelCondition{text(op, "("+strings.Join(texts, ", ")+")"), func(r modelRow) bool {
			in := slices.ContainsFunc(list, func(v any) bool { return modelEqual(p.value(r), v) })
			return in == (op == "IN")
		}}
	case (p.kind == "date" || p.kind == "datetime") && rapid.Bool().Draw(t, "by span"):
		name, in := drawSpan(t)
		return modelCondition{text(op, name), func(r modelRow) bool {
			at, ok := p.value(r).(time.Time)
			if !ok {
				return op == "!="
			}
			first := modelDay(modelNow).AddDate(-10, 0, 0)
			for !in(first) {
				first = first.AddDate(0, 0, 1)
			}
			after := first
			for in(after) {
				after = after.AddDate(0, 0, 1)
			}
			return map[string]bool{"=": in(modelDay(at)), "!=": !in(modelDay(at)), "<": at.Before(first), "<=": at.Before(after), ">": !at.Before(after), ">=": !at.Before(first)}[op]
		}}
	}
	want := maybe()
	return modelCondition{text(op, soqlLiteral(want, p.kind)), func(r modelRow) bool {
		v := p.value(r)
		if op == "=" || op == "!=" {
			return modelEqual(v, want) == (op == "=")
		}
		if v == nil || want == nil {
			return false
		}
		n := modelCompare(v, want)
		return map[string]bool{"<": n < 0, "<=": n <= 0, ">": n > 0, ">=": n >= 0}[op]
	}}
}

// drawOrder draws ORDER BY with a function that sorts.
func drawOrder(t *rapid.T, paths []modelPath) (string, func([]modelRow)) {
	var texts []string
	var by []func(a, b modelRow) int
	for range rapid.IntRange(0, 3).Draw(t, "order") {
		p := rapid.SampledFrom(paths).Draw(t, "by")
		sign, first := 1, -1
		text := p.name
		switch rapid.IntRange(0, 2).Draw(t, "direction") {
		case 1:
			text += " DESC"
			sign = -1
		case 2:
			text += " ASC"
		}
		switch rapid.IntRange(0, 2).Draw(t, "nulls") {
		case 1:
			text += " NULLS LAST"
			first = 1
		case 2:
			text += " NULLS FIRST"
		}
		texts = append(texts, text)
		by = append(by, func(a, b modelRow) int {
			x, y := p.value(a), p.value(b)
			switch {
			case x == nil && y == nil:
				return 0
			case x == nil:
				return first
			case y == nil:
				return -first
			}
			return sign * modelCompare(x, y)
		})
	}
	if len(texts) == 0 {
		return "", func([]modelRow) {}
	}
	return " ORDER BY " + strings.Join(texts, ", "), func(rows []modelRow) {
		slices.SortStableFunc(rows, func(a, b modelRow) int {
			for _, compare := range by {
				if n := compare(a, b); n != 0 {
					return n
				}
			}
			return 0
		})
	}
}

func TestSOQLModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		files, paths := modelSchema(rt)
		o, err := Open(Config{AccessToken: testToken, Schema: files, Now: func() time.Time { return modelNow }, QueryPage: rapid.SampledFrom([]int{3, 2000}).Draw(rt, "page")})
		if err != nil {
			rt.Fatal(err)
		}
		defer o.Close()
		c := &client{t: t, org: o, rt: o.Transport(), token: testToken, version: "66.0"}
		rows := c.insertModel(rt, paths)
		for range 4 {
			c.checkQuery(rt, paths, rows)
		}
	})
}

// insertModel loads rows in two jobs, so that those of the second have parents, and puts some into the recycle bin.
func (c *client) insertModel(rt *rapid.T, paths []modelPath) []modelRow {
	var rows []modelRow
	own := slices.DeleteFunc(slices.Clone(paths), func(p modelPath) bool { return strings.Contains(p.name, ".") })
	header := "Key__c,Parent__r.Key__c"
	for _, p := range own {
		header += "," + p.name
	}
	quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	for part := range 2 {
		parents := rows
		body := header + "\n"
		for range rapid.IntRange(1, 15).Draw(rt, "rows") {
			r := modelRow{"key": fmt.Sprintf("k%02d", len(rows)), "deleted": false}
			line := r["key"].(string) + ","
			if part == 1 && rapid.Bool().Draw(rt, "has parent") {
				p := rapid.SampledFrom(parents).Draw(rt, "parent")
				r["parent"] = p
				line += p["key"].(string)
			}
			for _, p := range own {
				if v := drawValue(rt, p.kind); p.kind == "boolean" || rapid.IntRange(0, 3).Draw(rt, "null") > 0 {
					r[p.name] = v
				}
				line += "," + quote(written(r[p.name], p.kind))
			}
			rows = append(rows, r)
			body += line + "\n"
		}
		if j := c.load(spec{"object": "Thing__c", "operation": "insert"}, body); j.State != "JobComplete" || j.Failed > 0 {
			rt.Fatalf("%+v %s\n%s", j, c.get("jobs/ingest/"+j.ID+"/failedResults").body, body)
		}
	}
	ids := c.values("Thing__c", "Id")
	gone := "Id\n"
	for i, r := range rows {
		isParent := slices.ContainsFunc(rows, func(kid modelRow) bool { p, ok := kid["parent"].(modelRow); return ok && p["key"] == r["key"] })
		if !isParent && rapid.IntRange(0, 5).Draw(rt, "deleted") == 0 {
			r["deleted"] = true
			gone += ids[i][0] + "\n"
		}
	}
	c.load(spec{"object": "Thing__c", "operation": "delete"}, gone)
	return rows
}

// checkQuery draws a query and compares what the org finds, as a call and as a query job, with what the rows say.
func (c *client) checkQuery(rt *rapid.T, paths []modelPath, rows []modelRow) {
	where := modelCondition{holds: func(modelRow) bool { return true }}
	q := "SELECT Key__c FROM Thing__c"
	if rapid.IntRange(0, 5).Draw(rt, "where") > 0 {
		where = drawCondition(rt, paths, 2)
		q += " WHERE " + where.text
	}
	order, sort := drawOrder(rt, paths)
	q += order
	limit, offset := -1, 0
	if rapid.Bool().Draw(rt, "limited") {
		limit = rapid.IntRange(0, 6).Draw(rt, "limit")
		q += fmt.Sprint(" LIMIT ", limit)
	}
	inJob := q
	if rapid.Bool().Draw(rt, "has offset") {
		offset = rapid.IntRange(0, 4).Draw(rt, "offset")
		q += fmt.Sprint(" OFFSET ", offset)
	}
	all := rapid.Bool().Draw(rt, "all")
	want := func(offset int) string {
		var found []modelRow
		for _, r := range rows {
			if (all || r["deleted"] == false) && where.holds(r) {
				found = append(found, r)
			}
		}
		sort(found)
		found = found[min(offset, len(found)):]
		if limit >= 0 {
			found = found[:min(limit, len(found))]
		}
		var keys []string
		for _, r := range found {
			keys = append(keys, r["key"].(string))
		}
		return strings.Join(keys, " ")
	}
	resource, operation := "query", "query"
	if all {
		resource, operation = "queryAll", "queryAll"
	}
	var got []string
	for next := resource + "?q=" + url.QueryEscape(q); next != ""; {
		var page struct {
			Next    string `json:"nextRecordsUrl"`
			Records []struct {
				Key string `json:"Key__c"`
			}
		}
		c.json("GET", next, nil, 200, &page)
		for _, r := range page.Records {
			got = append(got, r.Key)
		}
		next = page.Next
	}
	if w := want(offset); strings.Join(got, " ") != w {
		rt.Fatalf("%s %s\ngot  %s\nwant %s\nrows %v", resource, q, strings.Join(got, " "), w, rows)
	}
	id := c.runQuery(spec{"operation": operation, "query": inJob})
	lines, _ := c.pages(id, 1+len(q)%7)
	got = nil
	for _, l := range lines {
		got = append(got, l[0])
	}
	if w := want(0); strings.Join(got, " ") != w {
		rt.Fatalf("job %s %s\ngot  %s\nwant %s\nrows %v", operation, inJob, strings.Join(got, " "), w, rows)
	}
}
