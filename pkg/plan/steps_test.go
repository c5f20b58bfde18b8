package plan

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"migrate/pkg/transform"
)

// TestReadSteps: every key that changes a value, as it is read, and after a trip through JSON as a checkpoint keeps it.
func TestReadSteps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "branches.csv"), []byte("\ufeffold,new\nIT,Technology\n\"A, B\",Other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const text = `version: 1
jobs:
  a:
    load: Account
    operation: insert
    source: { csv: a.csv }
    where: status != "deleted"
    timezone: Europe/Berlin
    fields:
      A: { from: tel, trim: true, blank: clear, case: upper, replace: [{ find: "[^0-9]", with: "" }, { find: ^00 }] }
      B: { from: revenue, number: { decimal: ",", thousands: . } }
      C: { from: active, boolean: { true: [ja, x], false: nein } }
      D: { from: born, format: dd.MM.yyyy }
      E: { from: made, format: ["dd.MM.yyyy HH:mm", yyyy-MM-dd], timezone: UTC, into: Asia/Tokyo, shift: -1d, ambiguous: first }
      F: { from: branch, map: branches.csv, missing: keep, ignore_case: true, default: Other }
      G: { from: tags, list: "/", map: { n: North, s: South } }
      H: { from: [first, last], with: " " }
      I: { expr: upper(first) + " " + last, truncate: true }
      J: { from: iban, mask: { keep: 4, with: x }, truncate: 30 }
      K: { from: mail, hash: { key_env: PEPPER, length: 12 } }
      L: { from: name, split: { by: ", ", part: -1 } }
`
	got, err := read(filepath.Join(dir, "p.yaml"), text, environment)
	if err != nil {
		t.Fatal(err)
	}
	job := got.Jobs[0]
	if job.Where != `status != "deleted"` || job.Timezone != "Europe/Berlin" {
		t.Errorf("job %+v", job)
	}
	steps := transform.Steps{}
	want := []Field{
		{To: "A", From: "tel", Nulls: transform.NullsClear, Steps: transform.Steps{Trim: true, Blank: true, Case: "upper", Replace: []transform.Replace{{Find: "[^0-9]"}, {Find: "^00"}}}},
		{To: "B", From: "revenue", Steps: transform.Steps{Number: &transform.Number{Decimal: ",", Thousands: "."}}},
		{To: "C", From: "active", Steps: transform.Steps{Boolean: &transform.Boolean{True: []string{"ja", "x"}, False: []string{"nein"}}}},
		{To: "D", From: "born", Steps: transform.Steps{Time: &transform.Time{Formats: []string{"dd.MM.yyyy"}}}},
		{To: "E", From: "made", Steps: transform.Steps{Time: &transform.Time{Formats: []string{"dd.MM.yyyy HH:mm", "yyyy-MM-dd"}, Timezone: "UTC", Into: "Asia/Tokyo", Shift: "-1d", Ambiguous: "first"}}},
		{To: "F", From: "branch", Steps: transform.Steps{Map: &transform.Map{Values: map[string]string{"IT": "Technology", "A, B": "Other"}, Missing: "keep", Fold: true, From: "branches.csv"}, Default: ptr("Other")}},
		{To: "G", From: "tags", Steps: transform.Steps{List: &transform.List{Split: "/"}, Map: &transform.Map{Values: map[string]string{"n": "North", "s": "South"}}}},
		{To: "H", Columns: []string{"first", "last"}, With: " ", Steps: steps},
		{To: "I", Expr: `upper(first) + " " + last`, TruncateToLength: true, Steps: steps},
		{To: "J", From: "iban", Steps: transform.Steps{Mask: &transform.Mask{Keep: 4, With: "x"}, Truncate: 30}},
		{To: "K", From: "mail", Steps: transform.Steps{Hash: &transform.Hash{KeyEnv: "PEPPER", Length: 12}}},
		{To: "L", From: "name", Steps: transform.Steps{Split: &transform.Split{By: ", ", Part: -1}}},
	}
	for i := range want {
		want[i].Line = 10 + i
	}
	if diff := cmp.Diff(want, job.Fields); diff != "" {
		t.Errorf("fields (-want +got)\n%s", diff)
	}
	stored, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var back Plan
	if err := json.Unmarshal(stored, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, &back); diff != "" {
		t.Errorf("after JSON (-want +got)\n%s", diff)
	}
}

// TestReadMap: what can be wrong with the file of a map.
func TestReadMap(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ content, want string }{
		"three columns":  {"a,b,c\n1,2,3\n", "two columns"},
		"no rows":        {"a,b\n", "holds no values"},
		"empty":          {"", "two columns"},
		"two meanings":   {"a,b\nx,1\ny,2\nx,3\n", `line 4: "x" stands for "1" already, now for "3"`},
		"not UTF-8":      {"a,b\n\xff,1\n", "is not UTF-8"},
		"a bare quote":   {"a,b\nx\"y,1\n", "bare"},
		"same row twice": {"a,b\nx,1\nx,1\n", ""},
	} {
		path := filepath.Join(t.TempDir(), "m.csv")
		if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readMap(path)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
