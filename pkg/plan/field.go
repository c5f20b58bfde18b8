package plan

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"migrate/pkg/transform"
)

// Field says where the value of one field comes from: a source column, several of them, a constant or an expression; and what
// is done to it on the way.
type Field struct {
	// To is a field of the object, or a lookup set by a key of its parent, such as Account.Legacy_Id__c. When it is empty,
	// From is left out.
	To   string `json:"to,omitempty"`
	From string `json:"from,omitempty"` // source column
	// ParentType is the object that a lookup in To leads to, where To does not say and the lookup may lead to several.
	ParentType string   `json:"parent_type,omitempty"`
	Columns    []string `json:"columns,omitempty"` // several source columns, joined by With
	With       string   `json:"with,omitempty"`
	Const      *string  `json:"const,omitempty"` // the same value in every row
	Expr       string   `json:"expr,omitempty"`  // an expression over the source columns
	transform.Steps
	TruncateToLength bool            `json:"truncate_to_length,omitempty"` // Truncate is the field's length
	Ref              *Ref            `json:"ref,omitempty"`                // after the steps
	Lookup           *Lookup         `json:"lookup,omitempty"`             // after the steps
	Nulls            transform.Nulls `json:"nulls,omitempty"`              // "" = as the job says
	Line             int             `json:"line,omitempty"`               // where it stands in the plan; 0 = no file
}

// origin names what the value comes from.
func (f Field) origin() string {
	switch {
	case f.Const != nil:
		return strconv.Quote(*f.Const)
	case f.Expr != "":
		return f.Expr
	case len(f.Columns) > 0:
		return strings.Join(f.Columns, " + ")
	}
	return f.From
}

// sourceColumns are the columns that the field names; those inside an expression are not among them.
func (f Field) sourceColumns() []string {
	switch {
	case f.Const != nil || f.Expr != "":
		return nil
	case len(f.Columns) > 0:
		return f.Columns
	}
	return []string{f.From}
}

// ParseMap reads a mapping as one types it on a command line: COLUMN=FIELD sends a source column to a field, COLUMN= leaves
// it out. The first = divides, since names of fields have none.
func ParseMap(s string) (Field, error) {
	from, to, ok := strings.Cut(s, "=")
	switch to = strings.TrimSpace(to); {
	case !ok:
		return Field{}, fmt.Errorf("%q has no =; write COLUMN=FIELD, or COLUMN= to leave the column out", s)
	case from == "" && to == "":
		return Field{}, errors.New(`"=" names nothing; write COLUMN=FIELD, or COLUMN= to leave the column out`)
	case from == "":
		return Field{}, fmt.Errorf("%q names no source column; write COLUMN=%s", s, to)
	}
	return Field{From: from, To: to}, nil
}

func (r *reader) fields(n ast.Node) []Field {
	if _, ok := n.(*ast.NullNode); ok { // all are commented out, as in a sketch; Compile asks for one
		return nil
	}
	list, ok := r.entries("fields", n)
	if ok && len(list) == 0 {
		r.report(position(n), "fields is empty; write which column goes to which field, such as \"Name: company\"")
	}
	var fields []Field
	for _, e := range list {
		r.field = e.key
		if strings.TrimSpace(e.key) == "" {
			r.report(e.at, "the name of a field is empty")
		}
		fields = append(fields, r.oneField(e))
		r.field = ""
	}
	return fields
}

func (r *reader) oneField(e entry) Field {
	f := Field{To: e.key, Line: e.at.Line}
	if _, ok := e.value.(*ast.MappingNode); !ok {
		f.From, _ = r.text("the source column", e.value)
		return f
	}
	now := map[string]func(entry){
		"from": func(e entry) {
			if list, ok := e.value.(*ast.SequenceNode); ok {
				f.Columns = r.words("from", list)
				return
			}
			f.From, _ = r.text("from", e.value)
		},
		"with": func(e entry) { f.With, _ = r.text("with", e.value) },
		"const": func(e entry) {
			if s, ok := r.text("const", e.value); ok {
				f.Const = &s
			}
		},
		"expr":  func(e entry) { f.Expr = r.word("expr", e.value) },
		"nulls": func(e entry) { f.Nulls = r.nulls(e.value) },
		"blank": func(e entry) { f.Blank, f.Nulls = true, r.nulls(e.value) },
	}
	ref := func() *Ref {
		if f.Ref == nil {
			f.Ref = &Ref{}
		}
		return f.Ref
	}
	now["ref"] = func(e entry) { ref().Job = r.word("ref", e.value) }
	now["second_pass"] = func(e entry) { ref().SecondPass = r.truth("second_pass", e.value) }
	where := ""
	now["lookup"] = func(e entry) { f.Lookup = r.lookedUpBy(e) }
	now["where"] = func(e entry) { where = r.word("where", e.value) }
	r.steps(&f, now)
	seen := r.fixed("a field", e.value, keys{now: now})
	if f.Lookup != nil {
		f.Lookup.Where = where
	}
	if f.Map != nil && !seen["map"] { // missing says what a missing parent does
		switch {
		case f.Ref != nil:
			f.Ref.Missing, f.Map = f.Map.Missing, nil
		case f.Lookup != nil:
			f.Lookup.Missing, f.Lookup.Fold, f.Map = f.Map.Missing, f.Map.Fold, nil
		}
	}
	origins := 0
	for _, k := range []string{"from", "const", "expr"} {
		if seen[k] {
			origins++
		}
	}
	switch {
	case origins > 1:
		r.report(e.at, "from, const and expr exclude one another; take all but one out")
	case seen["const"] && len(seen) > 1:
		for k := range seen {
			if k != "const" {
				r.report(e.at, "%s has no meaning beside const; take it out", k)
				break
			}
		}
	case seen["nulls"] && seen["blank"]:
		r.report(e.at, "nulls and blank say the same; take one out")
	case seen["with"] && f.Columns == nil:
		r.report(e.at, "with stands between several columns, as in from: [first, last]")
	case f.Time != nil && len(f.Time.Formats) == 0 && (f.Time.Into != "" || f.Time.Shift != "" || f.Time.Ambiguous != ""):
		r.report(e.at, "into, shift and ambiguous need the format of the value, as in format: dd.MM.yyyy")
	case seen["second_pass"] && !seen["ref"]:
		r.report(e.at, "second_pass says when a ref is set; there is none")
	case seen["ref"] && seen["lookup"]:
		r.report(e.at, "ref and lookup exclude one another: the record comes from a job, or it is in the org already")
	case seen["where"] && !seen["lookup"]:
		r.report(e.at, "where narrows a lookup; there is none")
	case seen["lookup"] && seen["map"] && (seen["missing"] || seen["ignore_case"]):
		r.report(e.at, "missing and ignore_case may be meant of map or of lookup; let an expression take the place of the map")
	case seen["missing"] && !seen["map"] && !seen["ref"] && !seen["lookup"]:
		r.report(e.at, "missing has no meaning without map, ref or lookup; take it out")
	case origins == 0:
		r.report(e.at, "from, const or expr is missing: { from: COLUMN } or { const: VALUE }")
	}
	return f
}
