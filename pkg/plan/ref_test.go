package plan

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestJobsInOrder: jobs come behind those that they refer to, second passes last; what cannot be ordered is told.
func TestJobsInOrder(t *testing.T) {
	t.Parallel()
	job := func(name, id string, fields ...string) string {
		s := "  " + name + ":\n    load: Account\n    operation: insert\n    source: { csv: a.csv }\n"
		if id != "" {
			s += "    id: " + id + "\n"
		}
		return s + "    fields:\n      Name: n\n      " + strings.Join(fields, "\n      ") + "\n"
	}
	for _, test := range []struct {
		name, jobs, want string // names in order, or the one finding
	}{
		{"as in the file", job("a", "") + job("b", ""), "a b"},
		{"behind what it refers to", job("a", "", "X: { ref: c, from: c }") + job("b", "") + job("c", "no"), "b c a"},
		{"a chain", job("a", "no", "X: { ref: b, from: b }") + job("b", "no", "X: { ref: c, from: c }") + job("c", "no"), "c b a"},
		{"itself", job("a", "no", "X: { ref: a, from: p, second_pass: true }") + job("b", ""), "a b a_second_pass"},
		{"a circle, opened", job("a", "no", "X: { ref: b, from: b, second_pass: true }") + job("b", "no", "X: { ref: a, from: a }"), "a b a_second_pass"},
		{"a circle", job("a", "no", "X: { ref: b, from: b }") + job("b", "no", "X: { ref: a, from: a }"),
			"p.yaml:3:3: the jobs a, b wait for one another; let one of the lookups be set later, with second_pass: true"},
		{"itself at once", job("a", "no", "X: { ref: a, from: p }"),
			"p.yaml:10:7: job a: field X: refers to rows of its own job, whose Ids are not known yet when they are loaded; add second_pass: true"},
		{"no id over there", job("a", "", "X: { ref: b, from: b }") + job("b", ""), `p.yaml:9:7: job a: field X: ref: job b has no id; say which column names its rows, as in "id: account_no"`},
		{"no id here", job("a", "", "X: { ref: b, from: b, second_pass: true }") + job("b", "no"), `p.yaml:9:7: job a: field X: second_pass: the job needs an id, by which its own records are found again, as in "id: account_no"`},
		{"another plan's", job("a", "", "X: { ref: elsewhere, from: b }"), "a"},
		{"second_pass alone", job("a", "no", "X: { from: b, second_pass: true }"), "p.yaml:10:7: job a: field X: second_pass says when a ref is set; there is none"},
		{"missing alone", job("a", "no", "X: { from: b, missing: keep }"), "p.yaml:10:7: job a: field X: missing has no meaning without map, ref or lookup; take it out"},
	} {
		p, err := read("p.yaml", "version: 1\njobs:\n"+test.jobs, environment)
		var found *Error
		got := ""
		if errors.As(err, &found) {
			got = err.Error()
		} else {
			var names []string
			for _, j := range p.Jobs {
				names = append(names, j.Name)
			}
			got = strings.Join(names, " ")
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.name, diff)
		}
	}
}

// TestSecondPass: what the job of a second pass does.
func TestSecondPass(t *testing.T) {
	t.Parallel()
	p, err := read("p.yaml", `version: 1
jobs:
  a:
    load: Account
    operation: upsert
    key: Legacy_Id__c
    id: no
    where: state != "gone"
    source: { csv: a.csv }
    fields:
      Legacy_Id__c: no
      ParentId: { ref: a, from: parent no, second_pass: true, missing: empty }
`, environment)
	if err != nil {
		t.Fatal(err)
	}
	first, second := p.Jobs[0], p.Jobs[1]
	if len(first.Fields) != 1 || first.Fields[0].To != "Legacy_Id__c" || first.ID != "no" {
		t.Errorf("first %+v", first)
	}
	want := Job{Name: "a_second_pass", First: "a", Object: "Account", Operation: "update", Source: first.Source, Path: "p.yaml", Line: 3,
		Where: `(state != "gone") && (has("parent no") && string(row["parent no"]) != "")`,
		Fields: []Field{{To: "Id", From: "no", Ref: &Ref{Job: "a", Object: "Account"}, Nulls: "error", Line: 12},
			{To: "ParentId", From: "parent no", Ref: &Ref{Job: "a", Object: "Account", Missing: "empty", SecondPass: true}, Line: 12}}}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("second pass (-want +got)\n%s", diff)
	}
}
