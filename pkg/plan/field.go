package plan

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"migrate/pkg/transform"
)

// Field says where the value of one field comes from: a source column or a constant.
type Field struct {
	// To is a field of the object, or a lookup set by a key of its parent, such as Account.Legacy_Id__c. When it is empty,
	// From is left out.
	To    string          `json:"to,omitempty"`
	From  string          `json:"from,omitempty"`  // source column
	Const *string         `json:"const,omitempty"` // the same value in every row
	Nulls transform.Nulls `json:"nulls,omitempty"` // "" = as the job says
	Line  int             `json:"line,omitempty"`  // where it stands in the plan; 0 = no file
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
	seen := r.fixed("a field", e.value, keys{
		now: map[string]func(entry){
			"from": func(e entry) { f.From, _ = r.text("from", e.value) },
			"const": func(e entry) {
				if s, ok := r.text("const", e.value); ok {
					f.Const = &s
				}
			},
			"nulls": func(e entry) { f.Nulls = r.nulls(e.value) },
		},
		later: []string{"trim", "blank", "number", "map", "missing", "expr", "ref", "second_pass"},
	})
	switch {
	case seen["from"] && seen["const"]:
		r.report(e.at, "from and const cannot both be; take one out")
	case seen["nulls"] && seen["const"]:
		r.report(e.at, "nulls has no meaning beside const; take it out")
	case !seen["from"] && !seen["const"] && !seen["expr"] && !seen["ref"]:
		r.report(e.at, "from or const is missing: { from: COLUMN } or { const: VALUE }")
	}
	return f
}
