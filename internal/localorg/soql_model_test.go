package localorg

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"
)

// What follows judges the evaluator of SOQL by another one that knows nothing of it: rows are Go maps, conditions are Go functions that are
// made together with their text, and time spans are found by looking at one day after another.

// modelRow is a record: string, float64, bool, time.Time or nil by field; "parent" is a modelRow.
type modelRow map[string]any

type modelCondition struct {
	text  string
	holds func(modelRow) bool
}

// modelPath is a field, of the record or of its parent.
type modelPath struct {
	name, kind string
	value      func(modelRow) any
}

var modelKinds = []string{"string", "textarea", "picklist", "double", "int", "boolean", "date", "datetime", "email"}

// modelSchema describes Thing__c with some fields of random kinds, a key, and a lookup to itself.
func modelSchema(t *rapid.T) (fstest.MapFS, []modelPath) {
	yes := map[string]any{"createable": true, "updateable": true, "nillable": true, "filterable": true, "sortable": true}
	field := func(name, kind string, more map[string]any) map[string]any {
		f := map[string]any{"name": name, "label": name, "type": kind}
		for _, m := range []map[string]any{yes, more} {
			for k, v := range m {
				f[k] = v
			}
		}
		return f
	}
	fields := []map[string]any{
		field("Id", "id", map[string]any{"createable": false}),
		field("IsDeleted", "boolean", map[string]any{"createable": false}),
		field("Key__c", "string", map[string]any{"externalId": true, "unique": true, "length": 10}),
		field("Parent__c", "reference", map[string]any{"referenceTo": []string{"Thing__c"}, "relationshipName": "Parent__r"}),
	}
	var paths []modelPath
	for i := range rapid.IntRange(2, 6).Draw(t, "fields") {
		name, kind := fmt.Sprintf("F%d__c", i), rapid.SampledFrom(modelKinds).Draw(t, "kind")
		fields = append(fields, field(name, kind, map[string]any{"length": 255, "precision": 18, "scale": 2, "digits": 9,
			"externalId": rapid.IntRange(0, 3).Draw(t, "indexed") == 0}))
		paths = append(paths, modelPath{name, kind, func(r modelRow) any { return r[name] }})
		paths = append(paths, modelPath{"Parent__r." + name, kind, func(r modelRow) any {
			if p, ok := r["parent"].(modelRow); ok {
				return p[name]
			}
			return nil
		}})
	}
	data, err := json.Marshal(map[string]any{"name": "Thing__c", "label": "Thing", "labelPlural": "Things", "keyPrefix": "a01", "createable": true, "updateable": true,
		"deletable": true, "queryable": true, "fields": fields})
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{"Thing__c.json": {Data: data}}, paths
}

var (
	modelTexts = rapid.StringOfN(rapid.RuneFrom([]rune(`aAbBäÄſ_%\'"é`)), 1, 4, -1)
	modelNow   = time.Date(2026, 3, 31, 23, 30, 0, 0, time.UTC)
	modelDays  = rapid.Custom(func(t *rapid.T) time.Time {
		return modelDay(modelNow).AddDate(0, 0, rapid.OneOf(rapid.IntRange(-3, 3), rapid.IntRange(-500, 500)).Draw(t, "day"))
	})
)

func modelDay(at time.Time) time.Time {
	return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
}

// drawValue draws a value that is not null.
func drawValue(t *rapid.T, kind string) any {
	switch kind {
	case "double":
		return float64(rapid.IntRange(-500, 500).Draw(t, "cents")) / 4
	case "int":
		return float64(rapid.IntRange(-9, 9).Draw(t, "int"))
	case "boolean":
		return rapid.Bool().Draw(t, "bool")
	case "date":
		return modelDays.Draw(t, "date")
	case "datetime":
		return modelDays.Draw(t, "datetime").Add(time.Duration(rapid.IntRange(0, 86399).Draw(t, "second")) * time.Second)
	case "email":
		return rapid.SampledFrom([]string{"a@b.org", "A@B.org", "c@d.org", "ä@b.org"}).Draw(t, "email")
	}
	return modelTexts.Draw(t, "text")
}

// written is a value as CSV and JSON have it.
func written(v any, kind string) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		if kind == "date" {
			return v.Format(time.DateOnly)
		}
		return v.Format(time.RFC3339)
	}
	return v.(string)
}

// soqlLiteral is a value as SOQL has it.
func soqlLiteral(v any, kind string) string {
	if v == nil {
		return "null"
	}
	text, ok := v.(string)
	if !ok {
		return written(v, kind)
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// modelCompare is negative, zero or positive.
func modelCompare(a, b any) int {
	switch a := a.(type) {
	case float64:
		return cmp.Compare(a, b.(float64))
	case bool:
		return cmp.Compare(strconv.FormatBool(a), strconv.FormatBool(b.(bool)))
	case time.Time:
		return a.Compare(b.(time.Time))
	}
	return strings.Compare(strings.ToLower(a.(string)), strings.ToLower(b.(string)))
}

func modelEqual(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return modelCompare(a, b) == 0
}

// spans are date literals, each with what makes a day belong to it.
func drawSpan(t *rapid.T) (string, func(day time.Time) bool) {
	today := modelDay(modelNow)
	n := rapid.IntRange(1, 5).Draw(t, "n")
	days := func(day time.Time) int { return int(day.Sub(today) / (24 * time.Hour)) }
	months := func(day time.Time) int {
		return (day.Year()-today.Year())*12 + int(day.Month()) - int(today.Month())
	}
	quarter := func(day time.Time) int { return day.Year()*4 + (int(day.Month())-1)/3 }
	sunday := func(day time.Time) time.Time { return day.AddDate(0, 0, -int(day.Weekday())) }
	weeks := func(day time.Time) int { return days(sunday(day)) - days(sunday(today)) }
	all := map[string]func(time.Time) bool{
		"TODAY":                                    func(d time.Time) bool { return days(d) == 0 },
		"YESTERDAY":                                func(d time.Time) bool { return days(d) == -1 },
		"TOMORROW":                                 func(d time.Time) bool { return days(d) == 1 },
		"LAST_90_DAYS":                             func(d time.Time) bool { return days(d) <= 0 && days(d) >= -90 },
		"NEXT_90_DAYS":                             func(d time.Time) bool { return days(d) > 0 && days(d) <= 90 },
		"THIS_WEEK":                                func(d time.Time) bool { return weeks(d) == 0 },
		"LAST_WEEK":                                func(d time.Time) bool { return weeks(d) == -7 },
		"NEXT_WEEK":                                func(d time.Time) bool { return weeks(d) == 7 },
		"THIS_MONTH":                               func(d time.Time) bool { return months(d) == 0 },
		"LAST_MONTH":                               func(d time.Time) bool { return months(d) == -1 },
		"NEXT_MONTH":                               func(d time.Time) bool { return months(d) == 1 },
		"THIS_QUARTER":                             func(d time.Time) bool { return quarter(d) == quarter(today) },
		"LAST_QUARTER":                             func(d time.Time) bool { return quarter(d) == quarter(today)-1 },
		"THIS_YEAR":                                func(d time.Time) bool { return d.Year() == today.Year() },
		"LAST_YEAR":                                func(d time.Time) bool { return d.Year() == today.Year()-1 },
		fmt.Sprintf("LAST_N_DAYS:%d", n):           func(d time.Time) bool { return days(d) <= 0 && days(d) >= -n },
		fmt.Sprintf("NEXT_N_DAYS:%d", n):           func(d time.Time) bool { return days(d) > 0 && days(d) <= n },
		fmt.Sprintf("N_DAYS_AGO:%d", n):            func(d time.Time) bool { return days(d) == -n },
		fmt.Sprintf("LAST_N_WEEKS:%d", n):          func(d time.Time) bool { return weeks(d) < 0 && weeks(d) >= -7*n },
		fmt.Sprintf("LAST_N_MONTHS:%d", n):         func(d time.Time) bool { return months(d) < 0 && months(d) >= -n },
		fmt.Sprintf("NEXT_N_MONTHS:%d", n):         func(d time.Time) bool { return months(d) > 0 && months(d) <= n },
		fmt.Sprintf("N_MONTHS_AGO:%d", n):          func(d time.Time) bool { return months(d) == -n },
		fmt.Sprintf("LAST_N_QUARTERS:%d", n):       func(d time.Time) bool { q := quarter(d) - quarter(today); return q < 0 && q >= -n },
		fmt.Sprintf("LAST_N_YEARS:%d", n):          func(d time.Time) bool { y := d.Year() - today.Year(); return y < 0 && y >= -n },
		fmt.Sprintf("N_FISCAL_QUARTERS_AGO:%d", n): func(d time.Time) bool { return quarter(d) == quarter(today)-n },
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(all))).Draw(t, "span")
	return name, all[name]
}

// drawPattern draws what stands behind LIKE, with a matcher that tries everything.
func drawPattern(t *rapid.T) (string, func(string) bool) {
	type piece struct {
		many, one bool
		r         rune
	}
	pieces := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) piece {
		switch rapid.IntRange(0, 3).Draw(t, "piece") {
		case 0:
			return piece{many: true}
		case 1:
			return piece{one: true}
		}
		return piece{r: rapid.RuneFrom([]rune(`aAbBäÄſ_%\'"é`)).Draw(t, "rune")}
	}), 1, 5).Draw(t, "pattern")
	text := ""
	for _, p := range pieces {
		switch {
		case p.many:
			text += "%"
		case p.one:
			text += "_"
		case strings.ContainsRune(`_%\'"`, p.r):
			text += `\` + string(p.r)
		default:
			text += string(p.r)
		}
	}
	var match func(s []rune, p []piece) bool
	match = func(s []rune, p []piece) bool {
		switch {
		case len(p) == 0:
			return len(s) == 0
		case p[0].many:
			return match(s, p[1:]) || len(s) > 0 && match(s[1:], p)
		case len(s) == 0:
			return false
		}
		return (p[0].one || strings.EqualFold(string(s[0]), string(p[0].r)) && (s[0] == 'ſ') == (p[0].r == 'ſ')) && match(s[1:], p[1:])
	}
	return "'" + text + "'", func(s string) bool { return match([]rune(s), pieces) }
}

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
		for range 6 {
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
