package localorg

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"
)

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
