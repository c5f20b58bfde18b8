package pipeline_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"

	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
	"migrate/pkg/sources"
	"migrate/pkg/transform"
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(childVariable); spec != "" {
		os.Exit(runChild(spec))
	}
	goleak.VerifyTestMain(m)
}

// bench is one run against a local org.
type bench struct {
	t       testing.TB
	org     *localorg.Org
	client  *bulk2.Client
	dir     string
	store   *checkpoint.Store
	job     pipeline.Job
	options pipeline.Options
	events  pipeline.Events
}

// newBench sets up a load of CSV text whose header names fields of the object, with their types.
func newBench(t testing.TB, cfg localorg.Config, text string, types map[string]string) *bench {
	t.Helper()
	cfg.AccessToken = "t"
	org, err := localorg.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { org.Close() })
	sf, err := salesforce.Open(t.Context(), salesforce.Config{InstanceURL: "http://localhost", Auth: salesforce.AccessToken("t"),
		Transport: org.Transport(), MinWait: time.Millisecond, MaxWait: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, org: org, client: bulk2.New(sf), dir: t.TempDir()}
	path := filepath.Join(t.TempDir(), "in.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b.job = loadJob(t, path, types)
	b.create(t.Context())
	return b
}

func loadJob(t testing.TB, path string, types map[string]string) pipeline.Job {
	t.Helper()
	src, err := sources.OpenCSV([]string{path}, sources.CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	job := pipeline.Job{Name: "accounts", Object: "Account", Operation: bulk2.Insert, Source: src}
	var m transform.Mapping
	for _, f := range src.Schema().Fields() {
		if strings.HasPrefix(f.Name, "_") {
			continue // a column that is not sent
		}
		m.Fields = append(m.Fields, transform.Field{To: f.Name, From: f.Name})
		job.Columns = append(job.Columns, pipeline.Column{Header: f.Name, Type: types[f.Name], Key: f.Name == "Legacy_Id__c"})
	}
	if job.Mapping, err = transform.Compile(m, src.Schema()); err != nil {
		t.Fatal(err)
	}
	return job
}

func (b *bench) create(ctx context.Context) {
	var splits []checkpoint.Split
	for _, s := range b.job.Source.Splits() {
		spec, err := json.Marshal(s)
		if err != nil {
			b.t.Fatal(err)
		}
		next, err := json.Marshal(s.Start)
		if err != nil {
			b.t.Fatal(err)
		}
		splits = append(splits, checkpoint.Split{Job: b.job.Name, ID: s.ID, Spec: string(spec), Next: string(next)})
	}
	var err error
	b.store, err = checkpoint.Create(ctx, b.dir, checkpoint.Run{ID: "r", Created: time.Now(), Plan: "{}", Org: "{}"},
		[]checkpoint.Job{{Name: b.job.Name, Object: b.job.Object, Operation: string(b.job.Operation), Spec: "{}"}}, splits)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { b.store.Close() })
}

func (b *bench) run(ctx context.Context) (pipeline.Summary, error) {
	return pipeline.Run(ctx, pipeline.Config{Dir: b.dir, Checkpoint: b.store, Org: b.client, Jobs: []pipeline.Job{b.job},
		Options: b.options, PollEvery: time.Millisecond, Events: b.events})
}

// report reads a report file; nil when it is not there.
func (b *bench) report(name string) []map[string]string {
	b.t.Helper()
	f, err := os.Open(filepath.Join(b.dir, name))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	var list []map[string]string
	for _, r := range rows[1:] {
		m := map[string]string{}
		for i, v := range r {
			m[rows[0][i]] = v
		}
		list = append(list, m)
	}
	return list
}

// outcome is what became of the rows.
func outcome(sum pipeline.Summary) checkpoint.Ledger {
	l := sum.Total
	l.Chunks, l.Jobs, l.Resent = 0, 0, 0
	return l
}

var accountTypes = map[string]string{"Name": "string", "Legacy_Id__c": "string", "AnnualRevenue": "currency", "NumberOfEmployees": "int",
	"Active__c": "boolean", "Score__c": "double", "Description": "textarea", "Tier__c": "picklist"}

func TestLoad(t *testing.T) {
	var in strings.Builder
	in.WriteString("Legacy_Id__c,Name,AnnualRevenue,_note\n")
	for i := range 1000 {
		fmt.Fprintf(&in, "A-%d,\"Müller, \"\"%d\"\"\nO'Neil\",%d,x\n", i, i, 912260000+i)
	}
	b := newBench(t, localorg.Config{}, in.String(), accountTypes)
	b.options = pipeline.Options{ChunkRows: 300}
	sum, err := b.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(checkpoint.Ledger{Read: 1000, Outcome: checkpoint.Outcome{Succeeded: 1000}}, outcome(sum)); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	if sum.Total.Chunks != 4 {
		t.Errorf("%d chunks, want 4", sum.Total.Chunks)
	}
	got := map[string]string{}
	for r := range b.org.Records("Account", "Legacy_Id__c", "Name") {
		got[r[0]] = r[1]
	}
	if len(got) != 1000 || got["A-7"] != "Müller, \"7\"\nO'Neil" {
		t.Errorf("%d accounts in the org, A-7 is %q", len(got), got["A-7"])
	}
	success := b.report(pipeline.SuccessFile)
	ids := map[string]bool{}
	for _, r := range success {
		ids[r["sf__Id"]] = true
		if r["sf__Created"] != "true" || !strings.HasSuffix(r["migrate_file"], "in.csv") {
			t.Fatalf("success row %v", r)
		}
	}
	if len(success) != 1000 || len(ids) != 1000 {
		t.Errorf("%d success rows with %d ids", len(success), len(ids))
	}
}

// TestFailedRowsComeBack: rows that the org refuses are found whatever order it answers in, also when numbers come back in
// Java's notation and when rows are equal. Each carries its number in a column that is never sent.
func TestFailedRowsComeBack(t *testing.T) {
	for _, noSuccess := range []bool{false, true} {
		t.Run(fmt.Sprint("no success ", noSuccess), func(t *testing.T) {
			var in strings.Builder
			in.WriteString("_line,Name,AnnualRevenue,Score__c,Active__c,Tier__c\n")
			bad := map[string]string{}
			for i := range 3000 {
				line := i + 2
				name, tier, revenue := fmt.Sprintf("Acme %d", i%40), "Gold", fmt.Sprint(912260000+i%7*1000)
				switch i % 10 {
				case 3:
					tier = "Platinum"
					bad[fmt.Sprint(line)] = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
				case 6:
					name = ""
					bad[fmt.Sprint(line)] = "REQUIRED_FIELD_MISSING"
				case 9:
					revenue = "much"
					bad[fmt.Sprint(line)] = "INVALID_FIELD"
				}
				fmt.Fprintf(&in, "%d,%s,%s,1.50,1,%s\n", line, name, revenue, tier)
			}
			b := newBench(t, localorg.Config{Seed: 7}, in.String(), accountTypes)
			b.options = pipeline.Options{ChunkRows: 1000, NoSuccess: noSuccess}
			sum, err := b.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(checkpoint.Ledger{Read: 3000, Outcome: checkpoint.Outcome{Succeeded: 2100, Failed: 900}}, outcome(sum)); diff != "" {
				t.Errorf("ledger (-want +got):\n%s", diff)
			}
			got := map[string]string{}
			for _, r := range b.report(pipeline.FailedFile) {
				if r["_line"] != r["migrate_line"] {
					t.Fatalf("row of line %s is reported as line %s", r["_line"], r["migrate_line"])
				}
				got[r["_line"]] = r["migrate_code"]
			}
			if diff := cmp.Diff(bad, got); diff != "" {
				t.Errorf("failed rows (-want +got):\n%s", diff)
			}
			if rows := b.report(pipeline.SuccessFile); noSuccess != (rows == nil) {
				t.Errorf("%d success rows", len(rows))
			}
		})
	}
}

// TestMalformedRows: what is no row of the table is a reject with its line, and the rest is loaded.
func TestMalformedRows(t *testing.T) {
	b := newBench(t, localorg.Config{}, "Legacy_Id__c,Name\n1,Ann\n2\n3,Cid,extra\n\n4,#N/A\n5,Eve\n", accountTypes)
	sum, err := b.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(checkpoint.Ledger{Read: 5, Rejected: 3, Blank: 1, Outcome: checkpoint.Outcome{Succeeded: 2}}, outcome(sum)); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	var got []string
	for _, r := range b.report(pipeline.RejectedFile) {
		got = append(got, r["migrate_line"]+" "+r["migrate_code"]+" "+r["Legacy_Id__c"])
	}
	want := []string{"3 too_few_columns 2", "4 too_many_columns 3", "6 reserved_value 4"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rejects (-want +got):\n%s", diff)
	}
}

// TestChunkBytes: no upload is larger than allowed, and a row that cannot fit is an error before anything is sent.
func TestChunkBytes(t *testing.T) {
	var in strings.Builder
	in.WriteString("Legacy_Id__c,Name,Description\n")
	for i := range 500 {
		fmt.Fprintf(&in, "%d,n,%s\n", i, strings.Repeat("é\"", i%90))
	}
	b := newBench(t, localorg.Config{MaxUpload: 4 * 2000 / 3}, in.String(), accountTypes)
	b.options = pipeline.Options{ChunkBytes: 2000}
	if _, err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.org.Count("Account"); n != 500 {
		t.Errorf("%d accounts, want 500", n)
	}
	small := newBench(t, localorg.Config{}, in.String(), accountTypes)
	small.options = pipeline.Options{ChunkBytes: 60}
	if _, err := small.run(t.Context()); err == nil || !strings.Contains(err.Error(), "raise the chunk size") {
		t.Errorf("a row that fits into no chunk: %v", err)
	}
}

func TestMaxErrors(t *testing.T) {
	var in strings.Builder
	in.WriteString("Legacy_Id__c,Name\n")
	for i := range 1000 {
		fmt.Fprintf(&in, "%d,\n", i) // no name
	}
	b := newBench(t, localorg.Config{}, in.String(), accountTypes)
	b.options = pipeline.Options{ChunkRows: 10, Concurrency: 1, MaxErrors: pipeline.Limit{Rows: 25, Set: true}}
	sum, err := b.run(t.Context())
	if !strings.Contains(fmt.Sprint(err), pipeline.ErrMaxErrors.Error()) {
		t.Fatalf("run ended with %v", err)
	}
	if sum.Run.State != checkpoint.RunStopped || sum.Total.Read > 100 {
		t.Errorf("run is %s after %d rows", sum.Run.State, sum.Total.Read)
	}
	if sum.Total.Pending != 0 || !sum.Total.Balanced() {
		t.Errorf("ledger %+v", sum.Total)
	}
	b.options.MaxErrors = pipeline.Limit{} // go on without a bound
	if sum, err = b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sum.Total.Failed != 1000 || len(b.report(pipeline.FailedFile)) != 1000 {
		t.Errorf("ledger %+v", sum.Total)
	}
}

func TestLimit(t *testing.T) {
	var in strings.Builder
	in.WriteString("Legacy_Id__c,Name\n")
	for i := range 100 {
		fmt.Fprintf(&in, "%d,n\n", i)
	}
	b := newBench(t, localorg.Config{}, in.String(), accountTypes)
	b.job.Limit = 42
	sum, err := b.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if sum.Total.Read != 42 || b.org.Count("Account") != 42 {
		t.Errorf("read %d, %d in the org, want 42", sum.Total.Read, b.org.Count("Account"))
	}
}

// TestSourceBreaksOff: rows before the place where the source cannot be followed are loaded, and the error names the place.
func TestSourceBreaksOff(t *testing.T) {
	b := newBench(t, localorg.Config{}, "Legacy_Id__c,Name\n1,Ann\n2,Bob\n3,\"Cid\n", accountTypes)
	sum, err := b.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "4") {
		t.Errorf("an open quote on line 4: %v", err)
	}
	if sum.Total.Succeeded != 2 || b.org.Count("Account") != 2 {
		t.Errorf("the rows before it: %+v", sum.Total)
	}
}
