package plan_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"migrate/pkg/bulk2"
	"migrate/pkg/plan"
	"migrate/pkg/salesforce"
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

// labelled describes objects as twins does, and Labels__c, which has a field for each column that has it for its label.
func labelled(header []string) func(object string) (*salesforce.SObject, error) {
	return func(object string) (*salesforce.SObject, error) {
		if object != "Labels__c" {
			return twins(object)
		}
		o := &salesforce.SObject{Name: object, Createable: true, Fields: []salesforce.Field{{Name: "Id", Label: "Record ID", Type: "id", IDLookup: true, DefaultedOnCreate: true}}}
		for i, name := range header {
			o.Fields = append(o.Fields, salesforce.Field{Name: "F" + strconv.Itoa(i) + "__c", Label: name, Type: []string{"string", "date", "double", "boolean"}[i%4], Nillable: true, Createable: true})
		}
		return o, nil
	}
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
	return plan.Sketch{Job: job, Sample: sample, Describe: labelled(header), Lookup: os.LookupEnv}.Draw()
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
		{Object: "Contact", Operation: bulk2.Insert}, {Object: "Odd__c", Operation: bulk2.Insert}, {Object: "Account", Operation: bulk2.Delete}, {Object: "Task", Operation: bulk2.Insert, Timezone: "Europe/Berlin"},
		{Object: "Labels__c", Operation: bulk2.Insert}, {Object: "Labels__c", Operation: bulk2.Insert}, {Object: "Labels__c", Operation: bulk2.Insert}}
	path := filepath.Join(t.TempDir(), "p.yaml")
	passed, mapped := 0, 0
	for range 250 {
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
		_, _, err = got.Compile(table(header), labelled(header), nil)
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
	if passed < 30 || mapped < 150 {
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
}

// TestSketchValues: what the first rows hold decides what is done to a column, and only where that leaves no choice.
func TestSketchValues(t *testing.T) {
	t.Parallel()
	contact := func(zone string) plan.Job {
		return plan.Job{Object: "Contact", Operation: bulk2.Update, Timezone: zone}
	}
	task := func(zone string) plan.Job { return plan.Job{Object: "Odd__c", Operation: bulk2.Update, Timezone: zone} }
	account := plan.Job{Object: "Account", Operation: bulk2.Update}
	tests := []struct {
		name   string
		job    plan.Job
		column string
		values []string
		want   []string // lines, but for the comment behind them
	}{
		{"dates as the org takes them", contact(""), "Birthdate", []string{"2020-12-31", ""}, []string{"Birthdate: Birthdate"}},
		{"no values", contact(""), "Birthdate", []string{"", ""}, []string{"Birthdate: Birthdate"}},
		{"German dates", contact(""), "Birthdate", []string{"31.12.2020", "", "01.02.2020"},
			[]string{"Birthdate: { from: Birthdate, format: dd.MM.yyyy }", "#   in the first 3 rows, all values (2) fit format: dd.MM.yyyy"}},
		{"short dates", contact(""), "Birthdate", []string{"1.2.2020"}, []string{"Birthdate: { from: Birthdate, format: d.M.yyyy }", "#   in the first row, all values (1) fit format: d.M.yyyy"}},
		{"American dates", contact(""), "Birthdate", []string{"01/02/2020", "12/31/2020"},
			[]string{"Birthdate: { from: Birthdate, format: MM/dd/yyyy }", "#   in the first 2 rows, all values (2) fit format: MM/dd/yyyy"}},
		{"days or months first", contact(""), "Birthdate", []string{"01/02/2020"}, []string{"# Birthdate: Birthdate", "#   in the first row, the values can be read in 2 ways; say which is meant:",
			"# Birthdate: { from: Birthdate, format: dd/MM/yyyy }", "# Birthdate: { from: Birthdate, format: MM/dd/yyyy }"}},
		{"the same day and month", contact(""), "Birthdate", []string{"02/02/2020"},
			[]string{"Birthdate: { from: Birthdate, format: dd/MM/yyyy }", "#   in the first row, all values (1) fit format: dd/MM/yyyy"}},
		{"one that does not fit", contact(""), "Birthdate", []string{"31.12.2020", "unknown", "30.12.2020"}, []string{"# Birthdate: Birthdate",
			`#   the field takes a date; 3 of 3 values in the first 3 rows are none, such as "31.12.2020"`, "#   2 of them would fit this, and rows with others would be rejected:",
			"# Birthdate: { from: Birthdate, format: dd.MM.yyyy }"}},
		{"most are as the org takes them", contact(""), "Birthdate", []string{"2020-12-31", "unknown"},
			[]string{"Birthdate: Birthdate", `#   1 of 2 values in the first 2 rows are no date, such as "unknown"; rows with them would fail`}},
		{"no dates at all", contact(""), "Birthdate", []string{"a", "b"}, []string{"# Birthdate: Birthdate", `#   the field takes a date; 2 of 2 values in the first 2 rows are none, such as "a"`}},
		{"decimal commas", account, "AnnualRevenue", []string{"1,5", "1000"},
			[]string{`AnnualRevenue: { from: AnnualRevenue, number: { decimal: "," } }`, `#   in the first 2 rows, all values (2) fit number: { decimal: "," }`}},
		{"a comma that may be either", account, "AnnualRevenue", []string{"1,500"}, []string{"# AnnualRevenue: AnnualRevenue",
			"#   in the first row, the values can be read in 2 ways; say which is meant:", `# AnnualRevenue: { from: AnnualRevenue, number: { decimal: "," } }`,
			`# AnnualRevenue: { from: AnnualRevenue, number: { thousands: "," } }`}},
		{"a point that may be either", account, "AnnualRevenue", []string{"1.500"}, []string{"AnnualRevenue: AnnualRevenue", "#   in the first row, the numbers can be read in another way, too:",
			`# AnnualRevenue: { from: AnnualRevenue, number: { decimal: ",", thousands: "." } }`}},
		{"words", account, "Active__c", []string{"Ja", "NEIN", ""}, []string{"Active__c: { from: Active__c, boolean: { true: [ja], false: [nein] } }",
			"#   in the first 3 rows, all values (2) fit boolean: { true: [ja], false: [nein] }"}},
		{"one of two words", account, "Active__c", []string{"N"},
			[]string{`Active__c: { from: Active__c, boolean: { true: [j, "y"], false: ["n"] } }`, `#   in the first row, all values (1) fit boolean: { true: [j, "y"], false: ["n"] }`}},
		{"words of two languages", account, "Active__c", []string{"oui", "ja", "x", "maybe"},
			[]string{"# Active__c: Active__c", `#   the field takes a boolean; 4 of 4 values in the first 4 rows are none, such as "oui"`}},
		{"a mark", account, "Active__c", []string{"x", ""}, []string{"Active__c: { from: Active__c, boolean: { true: [x] } }", "#   in the first 2 rows, all values (1) fit boolean: { true: [x] }"}},
		{"truth as the org takes it", account, "Active__c", []string{"TRUE", "0"}, []string{"Active__c: Active__c"}},
		{"times without a zone", task(""), "Due__c", []string{"2020-12-31 10:00:00"}, []string{"# Due__c: Due__c",
			"#   in the first row, all values (1) fit this, but they name no timezone; say whose times they are:",
			`# Due__c: { from: Due__c, format: "yyyy-MM-dd HH:mm:ss", timezone: ZONE }`}},
		{"times whose zone the job says", task("Europe/Berlin"), "Due__c", []string{"2020-12-31 10:00:00"}, []string{"Due__c: Due__c"}},
		{"times with a zone", task(""), "Due__c", []string{"31.12.2020 10:00 +0100"},
			[]string{`Due__c: { from: Due__c, format: "dd.MM.yyyy HH:mm XX" }`, `#   in the first row, all values (1) fit format: "dd.MM.yyyy HH:mm XX"`}},
		{"too long", account, "Phone", []string{strings.Repeat("1", 41)},
			[]string{"Phone: Phone", "#   1 of 1 values in the first row are longer than the 40 characters of the field; rows with them would fail, or be cut with truncate: true"}},
		{"Ids", contact(""), "AccountId", []string{"001000000000001AAA"}, []string{"AccountId: AccountId",
			"#   as the values are Ids, they are sent; the parent's id in its own source, or one of its keys, would be:", "# AccountId: { from: AccountId, ref: JOB }", "# Account.Legacy_Id__c: AccountId"}},
		{"a restricted picklist", account, "Regions__c", []string{"EMEA;emea", "Mars"}, []string{"Regions__c: Regions__c",
			`#   values in the first 2 rows that are not in the picklist: 2; rows with them would fail; it takes "AMER", "APAC", "EMEA"`,
			"# Regions__c:", "#   from: Regions__c", `#   list: ";"`, "#   missing: keep", "#   map:", "#     emea: EMEA", "#     Mars: TODO"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var rows [][]string
			for i, v := range tt.values {
				rows = append(rows, []string{"001", v, strings.Repeat("x", i)})
			}
			draft, err := sketch(t, tt.job, []string{"Id", tt.column, "other"}, rows...)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			within := false
			for line := range strings.Lines(draft.Text) {
				line = strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "      ")
				switch {
				case strings.HasPrefix(line, "Id: "):
					within = true
				case strings.HasPrefix(line, "# FIELD: other"):
					within = false
				case within:
					at := regexp.MustCompile(`  +# `).FindStringIndex(line)
					if at != nil {
						line = line[:at[0]]
					}
					got = append(got, line)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("lines, want -, got +:\n%s", diff)
			}
		})
	}
}
