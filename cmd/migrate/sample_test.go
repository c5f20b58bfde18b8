package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"migrate/internal/localorg"
	"migrate/pkg/pipeline"
)

// outcome is what one run of the program has said.
type outcome struct {
	code           int
	stdout, stderr string
}

// migrate runs the program in this process, with an environment that is empty.
func migrate(t *testing.T, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, func(string) (string, bool) { return "", false }, strings.NewReader(""), &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

func TestSampleLoads(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	got := migrate(t, "run", filepath.Join("..", "..", "testdata", "crm", "migrate.yaml"), "--org", "local", "--state-dir", state)
	if got.code != codeOK {
		t.Fatalf("exit code %d, want 0:\n%s%s", got.code, got.stdout, got.stderr)
	}
	for _, want := range []string{"the ledger balances: ", "success.csv", "to see a load with faults: ", filepath.Join("crm-broken", "migrate.yaml")} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("stdout does not hold %q:\n%s", want, got.stdout)
		}
	}
	dir := onlyRun(t, state)
	org, err := localorg.Open(localorg.Config{Dir: filepath.Join(dir, localDirName)})
	if err != nil {
		t.Fatal(err)
	}
	defer org.Close()
	sample := filepath.Join("..", "..", "testdata", "crm")
	for file, object := range map[string]string{"accounts.csv": "Account", "contacts.csv": "Contact", "opportunities.csv": "Opportunity",
		"cases.csv": "Case", "tasks.csv": "Task", "invoices.csv": "Invoice__c"} {
		preview := migrate(t, "preview", filepath.Join(sample, file), "--rows", "all")
		rows, err := csv.NewReader(strings.NewReader(preview.stdout)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		want := localorg.KeyAudit{Rows: len(rows) - 1, Distinct: len(rows) - 1}
		if got, err := org.Keys(object, "Legacy_Id__c"); err != nil || got != want || want.Rows == 0 {
			t.Errorf("%s: %+v, %v; want %+v", object, got, err, want)
		}
	}
}

// refusal is a row that did not get in.
type refusal struct{ File, Line, Code string }

func TestBrokenSampleComesBack(t *testing.T) {
	t.Parallel()
	sample := filepath.Join("..", "..", "testdata", "crm-broken")
	state := t.TempDir()
	got := migrate(t, "run", filepath.Join(sample, "migrate.yaml"), "--org", "local", "--state-dir", state, "--json")
	if got.code != codeFailedRows {
		t.Fatalf("exit code %d, want %d:\n%s%s", got.code, codeFailedRows, got.stdout, got.stderr)
	}
	dir := onlyRun(t, state)
	var refused []refusal
	perFile := map[string]int{}
	for _, job := range []string{"accounts", "contacts", "invoices"} {
		for _, file := range []string{pipeline.FailedFile, pipeline.RejectedFile, pipeline.UnprocessedFile} {
			rows := readReport(t, filepath.Join(dir, job, file))
			if rows == nil {
				continue
			}
			head, bad := rows[0], rows[1:]
			at := func(name string) int { return slices.Index(head, name) }
			if !slices.Equal(head[len(head)-len(pipeline.ReportColumns):], pipeline.ReportColumns) {
				t.Errorf("%s of %s has columns %v", file, job, head)
			}
			for _, r := range bad {
				name := filepath.Base(r[at("migrate_file")])
				refused = append(refused, refusal{name, r[at("migrate_line")], r[at("migrate_code")]})
				perFile[name]++
			}
		}
	}
	var want []refusal
	for _, r := range readReport(t, filepath.Join(sample, "expected.csv"))[1:] {
		want = append(want, refusal{r[0], r[1], r[2]})
	}
	byPlace := func(a, b refusal) int {
		return strings.Compare(a.File+"\x00"+a.Line+a.Code, b.File+"\x00"+b.Line+b.Code)
	}
	slices.SortFunc(refused, byPlace)
	slices.SortFunc(want, byPlace)
	if diff := cmp.Diff(want, refused); diff != "" {
		t.Errorf("rows that did not get in (-want +got):\n%s", diff)
	}

	// The ledger of each job fits the reports, and the org holds the rest.
	org, err := localorg.Open(localorg.Config{Dir: filepath.Join(dir, localDirName)})
	if err != nil {
		t.Fatal(err)
	}
	defer org.Close()
	for _, j := range summaryOf(t, got.stdout).Jobs {
		bad := perFile[j.Job+".csv"]
		if j.Read == 0 || j.Read != j.Succeeded+j.Failed+j.Rejected || j.Failed+j.Rejected != bad || !j.Balanced {
			t.Errorf("%s: %+v, with %d rows in reports", j.Job, j, bad)
		}
		if got := org.Count(j.Object); got != j.Succeeded {
			t.Errorf("%s: the org holds %d records, the ledger says %d", j.Object, got, j.Succeeded)
		}
		if rows := readReport(t, filepath.Join(dir, j.Job, pipeline.SuccessFile)); len(rows)-1 != j.Succeeded {
			t.Errorf("%s: success.csv has %d rows, the ledger says %d", j.Job, len(rows)-1, j.Succeeded)
		}
	}
}

// TestReportsKeepEveryColumn compares failed rows with the file that they came from, read by encoding/csv.
func TestReportsKeepEveryColumn(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	sample := filepath.Join("..", "..", "testdata", "crm-broken")
	migrate(t, "run", filepath.Join(sample, "migrate.yaml"), "invoices", "--org", "local", "--state-dir", state)
	source := readReport(t, filepath.Join(sample, "invoices.csv"))
	byKey := map[string][][]string{}
	for _, r := range source[1:] {
		byKey[r[0]] = append(byKey[r[0]], r)
	}
	failed := readReport(t, filepath.Join(onlyRun(t, state), pipeline.FailedFile))
	if len(failed) < 10 {
		t.Fatalf("%d rows in %s", len(failed), pipeline.FailedFile)
	}
	width := len(source[0])
	for i, r := range failed {
		if i == 0 {
			if diff := cmp.Diff(append(slices.Clone(source[0]), pipeline.ReportColumns...), r); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			continue
		}
		if !slices.ContainsFunc(byKey[r[0]], func(s []string) bool { return slices.Equal(s, r[:width]) }) {
			t.Errorf("the row of line %s came back as %q, want one of %q", r[width+1], r[:width], byKey[r[0]])
		}
	}
}

type jobLedger struct {
	Job, Object                       string
	Read, Succeeded, Failed, Rejected int
	Balanced                          bool
}

func summaryOf(t *testing.T, stdout string) (s struct{ Jobs []jobLedger }) {
	t.Helper()
	for line := range strings.Lines(stdout) {
		if strings.Contains(line, `"message_type":"summary"`) {
			if err := json.Unmarshal([]byte(line), &s); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(s.Jobs) == 0 {
		t.Fatalf("no summary with jobs in:\n%s", stdout)
	}
	return s
}

func onlyRun(t *testing.T, state string) string {
	t.Helper()
	runs, err := filepath.Glob(filepath.Join(state, runsDirName, "*"))
	if err != nil || len(runs) != 1 {
		t.Fatalf("runs in %s: %v, %v; want one", state, runs, err)
	}
	return runs[0]
}

// readReport reads a CSV file; nil when it is not there. Rows may be of different lengths.
func readReport(t *testing.T, path string) [][]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = -1
	r.LazyQuotes = true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return rows
}
