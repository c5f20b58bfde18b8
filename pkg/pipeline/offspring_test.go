package pipeline_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/pipeline"
	"migrate/pkg/sources"
	"migrate/pkg/transform"
)

// childLoad writes inserts of contacts whose parents are the accounts of another load, found by what the id map says that they became. A few
// parents have many children; the children of one are in one lane, and those of a parent that is not in the org are rejected.
func childLoad(t testing.TB, dir string, parents *load, rows int) *load {
	t.Helper()
	parents.Remember = true
	l := &load{Name: "children", Object: "Contact", Operation: bulk2.Insert, Parents: parents.Name, Unique: []string{"_no"}}
	w := l.writer(dir, "_no,LastName,Description,_parent")
	for i := range rows {
		parent := fmt.Sprint(i * i % min(len(parents.rows), 97))
		r := loadRow{mark: fmt.Sprintf("child %d", i), new: true, of: parent}
		name := "Ann"
		if i%8 == 7 {
			name, r.fate = "", "REQUIRED_FIELD_MISSING"
		}
		if parents.rows[parent].fate != "" {
			r.fate = transform.RuleParent
		}
		w.row(fmt.Sprintf("%s,%s,%s", name, r.mark, parent), r)
	}
	w.end(t)
	src, err := sources.OpenCSV(l.Paths, sources.CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l.Groups = filepath.Join(dir, "children.arrow")
	if err := sources.Group(t.Context(), src, sources.GroupOptions{Columns: []string{"_parent"}, Groups: 3, Path: l.Groups}); err != nil {
		t.Fatal(err)
	}
	return l
}

// findParents asks the id map.
func (l *load) findParents(values []string) (map[string][]string, error) {
	ids, err := l.ids.Find(context.Background(), l.Parents, values)
	found := map[string][]string{}
	for value, id := range ids {
		found[value] = []string{id}
	}
	return found, err
}

// checkParents fails unless every child in the org has the parent that its row names.
func checkParents(t testing.TB, org *localorg.Org, dir string, parents, children *load) {
	t.Helper()
	of := map[string]string{} // account → number of its row
	list, err := readReport(filepath.Join(dir, parents.Name, pipeline.SuccessFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		of[r["sf__Id"]] = r["_no"]
	}
	want := map[string]string{} // mark → number of the parent's row
	for _, r := range children.rows {
		want[r.mark] = r.of
	}
	n := 0
	for r := range org.Records("Contact", "Description", "AccountId") {
		n++
		if no, ok := of[r[1]]; !ok || no != want[r[0]] {
			t.Errorf("%s has the parent %q of row %q, want that of row %s", r[0], r[1], no, want[r[0]])
		}
	}
	if n == 0 {
		t.Error("the org has no children")
	}
}
