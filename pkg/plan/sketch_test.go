package plan_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"migrate/pkg/bulk2"
	"migrate/pkg/plan"
	"migrate/pkg/sources"
)

var sketchSeed = flag.Uint64("sketch-seed", 0, "seed of TestSketchProperty; 0 = another one each time")

// rowsOf is a source of texts in memory, for one reading.
type rowsOf struct {
	table
	rows [][]string
	done bool
}

func (r *rowsOf) Splits() []sources.Split { return []sources.Split{{ID: "0"}} }

func (r *rowsOf) Open(context.Context, sources.Split, sources.Position) (sources.Reader, error) {
	return r, nil
}
func (r *rowsOf) Close() error { return nil }

func (r *rowsOf) Next(context.Context) (sources.Batch, error) {
	if r.done {
		return sources.Batch{}, io.EOF
	}
	r.done = true
	var columns []arrow.Array
	for i := range r.table {
		b := array.NewStringBuilder(memory.DefaultAllocator)
		for _, row := range r.rows {
			b.Append(row[i])
		}
		columns = append(columns, b.NewArray())
	}
	return sources.Batch{Rows: array.NewRecordBatch(r.Schema(), columns, int64(len(r.rows)))}, nil
}

// sketch draws a plan from a header and rows.
func sketch(t testing.TB, job plan.Job, header []string, rows ...[]string) (plan.Draft, error) {
	t.Helper()
	sample, err := plan.ReadSample(t.Context(), &rowsOf{table: header, rows: rows}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer sample.Release()
	if job.Name == "" {
		job.Name = strings.ToLower(job.Object)
	}
	if len(job.Source.Paths) == 0 {
		job.Source.Paths = []string{"a.csv"}
	}
	return plan.Sketch{Job: job, Sample: sample, Describe: twins, Lookup: os.LookupEnv}.Draw()
}

// oddNames are names of columns that YAML or a program could misread.
var oddNames = []string{"", " ", "true", "No", "y", "~", "null", "NULL", "0x1F", "1e3", "12:30", "2020-01-01", ".inf", "-", "- a", "? a", ": a", "a: b", "a #b", "#a", "a,b", "[a]", "{a}", "*a", "&a", "!a", "|", ">",
	"%a", "@a", "`a`", `"a"`, "'a'", "it's", `back\slash`, " lead", "trail ", "tab\there", "line\nbreak", "cr\r\nlf", "nul\x00", "\x01\x7f", "Größe", "名前", "a\u0085b", "a\u2028b", "\ufeffbom", "e\u0301", "🚀", "a\u00a0b",
	"${HOME}", "$HOME", "<<", "=", "Name", "name", "NAME", "Account Name", "account_name", "Phone", "Account Phone", "legacy id", "Legacy_Id__c", "ns__Legacy_Id__c", "Id", "Account ID", "IsDeleted", "Parent.Legacy_Id__c",
	"parent.legacy_id__c", "ParentId", "parent_id", "Owner.Username", "Nope.Name", "BillingAddress", "Billing City", "annual revenue", "AnnualRevenue", "Active", "Tier", "tier__c", "Created Date", "CreatedDate", "LastName",
	"Birthdate", "Side", "Once__c", "Account.Legacy_Id__c", "migrate_file", strings.Repeat("long ", 60), "customer_no", "CustomerID"}

var oddValues = []string{"", "", "1", "31.12.2020", "12/31/2020", "01/02/2020", "2020-12-31", "2020-12-31T10:00:00Z", "2020-12-31 10:00:00", "1.234,50", "1,234", "12.5", "ja", "nein", "x", "true", "001000000000001AAA", "K-17", "Gold",
	"a;b", "#N/A", "it's: #1", strings.Repeat("ä", 300)}

// TestSketchProperty: whatever the columns are called and hold, the sketch is a plan that Read takes; what is not commented out names a
// column and a field that are there, each once; and Compile finds nothing but what the draft says is missing.
func TestSketchProperty(t *testing.T) {
	t.Parallel()
	seed := *sketchSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (-sketch-seed)", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	name := func() string {
		if rnd.IntN(4) > 0 {
			return oddNames[rnd.IntN(len(oddNames))]
		}
		letters := []rune("aZ09 _-.:,#\"'\\[]{}&*!|>%@`?=~$\t\n\r\x00\x1b\u00a0\u2028äß漢🚀")
		var b strings.Builder
		for range rnd.IntN(8) {
			b.WriteRune(letters[rnd.IntN(len(letters))])
		}
		return b.String()
	}
	jobs := []plan.Job{{Object: "Account", Operation: bulk2.Insert}, {Object: "account", Operation: bulk2.Update}, {Object: "Account", Operation: bulk2.Upsert, Key: "Legacy_Id__c"},
		{Object: "Contact", Operation: bulk2.Insert}, {Object: "Odd__c", Operation: bulk2.Insert}, {Object: "Account", Operation: bulk2.Delete}, {Object: "Task", Operation: bulk2.Insert, Timezone: "Europe/Berlin"}}
	path := filepath.Join(t.TempDir(), "p.yaml")
	passed, mapped := 0, 0
	for range 400 {
		job := jobs[rnd.IntN(len(jobs))]
		job.Path = path
		job.Source.Paths = []string{filepath.Join(filepath.Dir(path), []string{"a.csv", "a: #b'.csv", "true", "ä\n.csv", "*.csv"}[rnd.IntN(5)])}
		header := make([]string, 1+rnd.IntN(12))
		for i := range header {
			header[i] = name()
		}
		rows := make([][]string, rnd.IntN(4))
		for i := range rows {
			for k := range header {
				v := oddValues[(k*7+rnd.IntN(1+rnd.IntN(len(oddValues))))%len(oddValues)]
				rows[i] = append(rows[i], v)
			}
		}
		draft, err := sketch(t, job, header, rows...)
		if err != nil {
			t.Fatalf("%q: %v", header, err)
		}
		if err := os.WriteFile(path, []byte(draft.Text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := plan.Read(path)
		if err != nil {
			t.Fatalf("%q: %v\n%s", header, err, draft.Text)
		}
		got := p.Jobs[0]
		if !slices.Equal(got.Source.Paths, job.Source.Paths) || got.Operation != job.Operation || got.Key != job.Key || len(got.Fields) != draft.Mapped || draft.Columns != len(header) {
			t.Fatalf("%q: %+v, draft %d of %d columns\n%s", header, got, draft.Mapped, draft.Columns, draft.Text)
		}
		for _, f := range got.Fields {
			if n := len(slices.DeleteFunc(slices.Clone(header), func(h string) bool { return h != f.From })); n != 1 || f.From == "" {
				t.Fatalf("%q: field %s comes from %q, which is there %d times\n%s", header, f.To, f.From, n, draft.Text)
			}
		}
		for line := range strings.Lines(draft.Text) {
			if strings.Count(line, "\n") != 1 || strings.ContainsAny(line, "\r\u0085\u2028\x00") {
				t.Fatalf("%q: line %q", header, line)
			}
		}
		_, _, err = got.Compile(table(header), twins, nil)
		var found *plan.Error
		switch {
		case err == nil && len(draft.Missing) == 0:
			passed++
		case err == nil:
			t.Fatalf("%q: the plan compiles, though %q is missing\n%s", header, draft.Missing, draft.Text)
		case !errors.As(err, &found):
			t.Fatal(err)
		case draft.Mapped > 0 && len(found.Findings) != len(draft.Missing):
			t.Fatalf("%q: %v, missing %q\n%s", header, err, draft.Missing, draft.Text)
		}
		mapped += draft.Mapped
	}
	if passed < 20 || mapped < 200 {
		t.Errorf("only %d plans passed, with %d columns mapped: the test says little", passed, mapped)
	}
	t.Logf("%d plans pass, %d columns mapped", passed, mapped)
}

// TestYAMLNames: every name comes back from YAML as it was written, alone and in a flow.
func TestYAMLNames(t *testing.T) {
	t.Parallel()
	for _, n := range oddNames {
		if n == "" || strings.Contains(n, "${") {
			continue
		}
		dir := t.TempDir()
		job := plan.Job{Object: "Account", Operation: bulk2.Insert, Path: filepath.Join(dir, "p.yaml"), Source: plan.Source{Paths: []string{filepath.Join(dir, "x"+n), filepath.Join(dir, n+"y")}}}
		draft, err := sketch(t, job, []string{"Name"})
		if err != nil {
			t.Errorf("%q: %v", n, err)
			continue
		}
		os.WriteFile(job.Path, []byte(draft.Text), 0o600)
		p, err := plan.Read(job.Path)
		if err != nil || !slices.Equal(p.Jobs[0].Source.Paths, job.Source.Paths) {
			t.Errorf("%q: %v %+v", n, err, p)
		}
	}
	_ = fmt.Sprint
}
