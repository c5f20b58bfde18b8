package transform_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"migrate/pkg/transform"
)

// TestRef: values that mean one record, none and several; the whole batch is asked at once, each value once.
func TestRef(t *testing.T) {
	t.Parallel()
	in := batchOf("~", "v", "a", "b", "", "two", "a", "many", "c")
	defer in.Release()
	known := map[string][]string{"a": {"001A"}, "c": {"001C"}, "two": {"001D", "001E"}, "many": {"1", "2", "3", "4"}}
	compile := func(r transform.Ref) *transform.Plan {
		p, err := transform.Compile(transform.Mapping{Fields: []transform.Field{{To: "F", From: "v", Ref: &r}}}, in.Schema())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	asked := ""
	find := func(values []string) (map[string][]string, error) {
		asked = strings.Join(values, " ")
		return known, nil
	}
	p := compile(transform.Ref{Object: "Account", Field: "Name", Find: find})
	if got, want := applied(t, p, in), "001A|!parent_missing||!parent_ambiguous|001A|!parent_ambiguous|001C"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if want := "a b two many c"; asked != want {
		t.Errorf("asked %q, want %q", asked, want)
	}
	if got, want := applied(t, compile(transform.Ref{Job: "j", Find: find, Missing: transform.MissingEmpty}), in), "001A|||!parent_ambiguous|001A|!parent_ambiguous|001C"; got != want {
		t.Errorf("missing empty: got  %s\nwant %s", got, want)
	}
	got, err := p.Apply(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Rows.Release()
	for i, want := range []string{`the org has no Account whose Name is "b"`, `the org has 2 records of Account whose Name is "two": 001D, 001E`, `the org has 4 records of Account whose Name is "many": 1, 2, 3, …`} {
		if !strings.HasSuffix(got.Rejects[i].Message, want) {
			t.Errorf("message %q, want %q", got.Rejects[i].Message, want)
		}
	}
	broken := errors.New("the org is gone")
	if _, err := compile(transform.Ref{Job: "j", Find: func([]string) (map[string][]string, error) { return nil, broken }}).Apply(in, nil); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// TestUnique: what makes a key, which rows claim one, and what the others are told.
func TestUnique(t *testing.T) {
	t.Parallel()
	in := batchOf("~", "a~b~v", "1~2~x", "1~2~x", "12~~x", "1~2~gone", "~~x", "~~x", "1~2~", "~12~x", "12~~x")
	defer in.Release()
	p, err := transform.Compile(transform.Mapping{Unique: []string{"a", "b"}, Where: `v != "gone"`,
		Fields: []transform.Field{{To: "F", From: "v", Nulls: transform.NullsError}}}, in.Schema())
	if err != nil {
		t.Fatal(err)
	}
	if !p.Unique() {
		t.Error("the plan does not say that rows are compared")
	}
	owner := map[string]int{}
	claim := func(rows []int, keys []string) ([]string, error) {
		owners := make([]string, len(rows))
		for i, row := range rows {
			if first, taken := owner[keys[i]]; !taken {
				owner[keys[i]] = row
			} else if first != row {
				owners[i] = fmt.Sprintf("row %d", first)
			}
		}
		return owners, nil
	}
	for range 2 { // the same rows ask again
		got, err := p.Apply(in, claim)
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, r := range got.Rejects {
			told = append(told, fmt.Sprintf("%d %s %s", r.Row, r.Rule, r.Message))
		}
		want := []string{
			`1 duplicate_row a "1", b "2" stands in row 0 already, and the rows must differ in it`,
			`6 duplicate_row a "1", b "2" stands in row 0 already, and the rows must differ in it`,
			`8 duplicate_row a "12", b "" stands in row 2 already, and the rows must differ in it`,
		}
		if strings.Join(told, "\n") != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
		}
		if n := got.Rows.NumRows(); n != 5 {
			t.Errorf("%d rows pass, want 5", n)
		}
		got.Rows.Release()
	}
	broken := errors.New("disk full")
	if _, err := p.Apply(in, func([]int, []string) ([]string, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := transform.Compile(transform.Mapping{Unique: []string{"nothing"}, Fields: []transform.Field{{To: "F", From: "v"}}}, in.Schema()); err == nil {
		t.Error("a column that is not there is taken")
	}
}
