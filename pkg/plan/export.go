package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Export brings the records of one object out of the org. It is made by Read, or by hand for an export without a plan.
type Export struct {
	Name   string   `json:"name"`
	Query  string   `json:"query"`            // an object, or a SOQL query
	Fields []string `json:"fields,omitempty"` // of an object; "all" stands for all that a query job gives, and so does none
	Where  string   `json:"where,omitempty"`  // a SOQL condition
	// AllRows also exports what is in the recycle bin, and archived activities.
	AllRows bool   `json:"all_rows,omitempty"`
	To      Target `json:"to"`
	// Files is the folder that the contents of the records go to, a file for each, with names in braces as in To; "" = none is fetched.
	Files string `json:"files,omitempty"`

	Watermark *Watermark `json:"watermark,omitempty"` // nil = all rows each time
	Deletes   *Deletes   `json:"deletes,omitempty"`   // nil = records that are gone stay in the copy
	// Refresh is how often all rows are exported although there is a watermark; 0 = never.
	Refresh time.Duration `json:"refresh,omitempty"`
	Drift   Drift         `json:"drift,omitempty"`
	// SliceRows is how many records a query job is asked for at most, as far as that can be foreseen; 0 = pipeline.SliceRows.
	SliceRows int64 `json:"slice_rows,omitempty"`

	Path string `json:"path,omitempty"` // the plan file; "" = none
	Line int    `json:"line,omitempty"` // where the job stands in it; 0 = no file
}

// Watermark says by what an export knows which records have changed since the last one.
type Watermark struct {
	// Field is a datetime field that grows with each change; "" = SystemModstamp, or else LastModifiedDate, or else CreatedDate.
	Field string `json:"field,omitempty"`
	// Overlap is how far behind the last export is asked again, for changes that were committed late.
	Overlap time.Duration `json:"overlap"`
}

// DefaultOverlap is that of a plan that does not say.
const DefaultOverlap = 15 * time.Minute

// Deletes says how an export learns of records that are gone. Those of the recycle bin are asked for each time.
type Deletes struct {
	// Compare is how often the ids of all records are compared with those that were exported, which also finds what was deleted for good
	// and what no longer fits the condition; 0 = never.
	Compare time.Duration `json:"compare"`
}

// DefaultCompare is that of a plan that does not say.
const DefaultCompare = 7 * 24 * time.Hour

// Drift is what an export with a watermark does when its columns are others than the last time.
type Drift string

// The ways to go on.
const (
	DriftRefresh Drift = "refresh" // or "": all rows are exported again; a table gets the new columns
	DriftAdd     Drift = "add"     // a new column is there from now on, in rows that change
	DriftFail    Drift = "fail"    // nothing is exported
)

var drifts = []Drift{DriftRefresh, DriftAdd, DriftFail}

// isExport says whether a job of a plan file is an export.
func isExport(n ast.Node) bool {
	m, ok := n.(*ast.MappingNode)
	return ok && slices.ContainsFunc(m.Values, func(v *ast.MappingValueNode) bool {
		k, ok := v.Key.(*ast.StringNode)
		return ok && k.Value == "export"
	})
}

func (r *reader) export(e entry) Export {
	x := Export{Name: e.key, Path: r.path, Line: e.at.Line}
	seen := r.fixed("an export", e.value, keys{now: map[string]func(entry){
		"export":     func(e entry) { x.Query = r.word("export", e.value) },
		"fields":     func(e entry) { x.Fields = r.oneOrMore("fields", e.value) },
		"where":      func(e entry) { x.Where = r.word("where", e.value) },
		"all_rows":   func(e entry) { x.AllRows = r.truth("all_rows", e.value) },
		"to":         func(e entry) { x.To = r.target(e.value) },
		"files":      func(e entry) { x.Files = r.filesFolder(e.value) },
		"watermark":  func(e entry) { x.Watermark = r.watermark(e.value) },
		"deletes":    func(e entry) { x.Deletes = r.deletes(e.value) },
		"refresh":    func(e entry) { x.Refresh = r.duration("refresh", e.value) },
		"drift":      func(e entry) { x.Drift = r.drift(e.value) },
		"slice_rows": func(e entry) { x.SliceRows = int64(r.count("slice_rows", e.value)) },
	}})
	if seen == nil {
		return x
	}
	if !seen["to"] {
		r.report(e.at, `to is missing: where the records go, such as { parquet: "lake/account/" }`)
	}
	for _, k := range []string{"deletes", "refresh", "drift"} {
		if seen[k] && !seen["watermark"] {
			r.report(e.at, "%s is of exports with a watermark; all others bring all rows each time", k)
		}
	}
	return x
}

func (r *reader) watermark(n ast.Node) *Watermark {
	w := &Watermark{Overlap: DefaultOverlap}
	switch v := n.(type) {
	case *ast.BoolNode:
		if !v.Value {
			return nil
		}
	case *ast.StringNode:
		w.Field = r.word("watermark", n)
	default:
		r.fixed("a watermark", n, keys{now: map[string]func(entry){
			"field":   func(e entry) { w.Field = r.word("field", e.value) },
			"overlap": func(e entry) { w.Overlap = r.duration("overlap", e.value) },
		}})
	}
	return w
}

func (r *reader) deletes(n ast.Node) *Deletes {
	d := &Deletes{Compare: DefaultCompare}
	if v, ok := n.(*ast.BoolNode); ok {
		if !v.Value {
			return nil
		}
		return d
	}
	r.fixed("deletes", n, keys{now: map[string]func(entry){
		"compare": func(e entry) {
			if v, ok := e.value.(*ast.BoolNode); ok && !v.Value {
				d.Compare = 0
				return
			}
			d.Compare = r.duration("compare", e.value)
		},
	}})
	return d
}

func (r *reader) drift(n ast.Node) Drift {
	s := Drift(r.word("drift", n))
	if s == "" || slices.Contains(drifts, s) {
		return s
	}
	r.report(position(n), "unknown drift %s: %s", quote(string(s)), oneOf(drifts))
	return ""
}

// duration reads 15m, 36h or 7d.
func (r *reader) duration(what string, n ast.Node) time.Duration {
	before := len(r.findings)
	s := r.word(what, n)
	d, err := parseDuration(s)
	if (err != nil || d < 0) && len(r.findings) == before {
		r.report(position(n), "%s is %s; a span of time is written 15m, 36h or 7d", what, quote(s))
		return 0
	}
	return d
}

func parseDuration(s string) (time.Duration, error) {
	days, ok := strings.CutSuffix(s, "d")
	if !ok {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is no number of days", days)
	}
	return time.Duration(n) * 24 * time.Hour, nil
}
