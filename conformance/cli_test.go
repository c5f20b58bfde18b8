package conformance

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cli is the Salesforce CLI, logged in to an org under the alias "org".
type cli struct {
	*clients
	home string // its home and working folder
	env  []string
}

// cliAnswer is what the CLI prints with --json.
type cliAnswer struct {
	Status   int             `json:"status"`
	Name     string          `json:"name"` // of an error
	Message  string          `json:"message"`
	Result   json.RawMessage `json:"result"`
	Data     json.RawMessage `json:"data"` // of an error
	Warnings []string        `json:"warnings"`
}

// run calls a command and wants it to end well.
func (c *cli) run(t *testing.T, result any, args ...string) {
	t.Helper()
	a := c.try(t, args...)
	if a.Status != 0 {
		t.Fatalf("sf %s: status %d, %s: %s", strings.Join(args, " "), a.Status, a.Name, a.Message)
	}
	if result != nil {
		decode(t, a.Result, result)
	}
}

// try calls a command with --json.
func (c *cli) try(t *testing.T, args ...string) cliAnswer {
	t.Helper()
	sf, err := lookPath(filepath.Join(c.dir, "node_modules", ".bin"), "sf")
	if err != nil {
		t.Fatal(err)
	}
	cmd := c.command(t.Context(), c.home, c.env, sf, append(args, "--json")...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := cmd.Run() // the status is in the answer, too
	var a cliAnswer
	if err := json.Unmarshal(stdout.Bytes(), &a); err != nil {
		t.Fatalf("sf %s: %v, %v\n%s%s", strings.Join(args, " "), runErr, err, stdout.Bytes(), stderr.Bytes())
	}
	if (runErr != nil) != (a.Status != 0) {
		t.Errorf("sf %s: %v, but its answer says status %d", strings.Join(args, " "), runErr, a.Status)
	}
	return a
}

func decode(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
}

func (c *cli) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.home, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// read gives a CSV file as one map per row, and its header.
func (c *cli) read(t *testing.T, name string, delim rune) (rows []map[string]string, header []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.home, name))
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma = delim
	all, err := r.ReadAll()
	if err != nil || len(all) == 0 {
		t.Fatalf("%s: %v in %q", name, err, data)
	}
	for _, cells := range all[1:] {
		row := map[string]string{}
		for i, v := range cells {
			row[all[0][i]] = v
		}
		rows = append(rows, row)
	}
	return rows, all[0]
}

// ingested is what the ingest commands report.
type ingested struct {
	JobID             string `json:"jobId"`
	ProcessedRecords  int    `json:"processedRecords"`
	SuccessfulRecords int    `json:"successfulRecords"`
	FailedRecords     int    `json:"failedRecords"`
}

// resultFiles is what data bulk results reports.
type resultFiles struct {
	Status            string `json:"status"`
	Operation         string `json:"operation"`
	Object            string `json:"object"`
	ProcessedRecords  int    `json:"processedRecords"`
	SuccessfulRecords int    `json:"successfulRecords"`
	FailedRecords     int    `json:"failedRecords"`
	SuccessFile       string `json:"successFilePath"`
	FailedFile        string `json:"failedFilePath"`
	UnprocessedFile   string `json:"unprocessedFilePath"`
}

func (c *cli) results(t *testing.T, job string) resultFiles {
	t.Helper()
	var r resultFiles
	c.run(t, &r, "data", "bulk", "results", "--job-id", job, "--target-org", "org")
	return r
}

// account is a row that the tests put into the org.
type account struct {
	Name, Key, Revenue, City, Description string
}

// accounts makes rows with everything that a CSV may hold.
func accounts(n int) []account {
	cities := []string{"Luleå", "São Paulo", "München", "東京", "Kraków 🏰", "New York, NY"}
	var list []account
	for i := range n {
		a := account{Name: fmt.Sprintf("Company %04d", i), Key: fmt.Sprintf("K-%04d", i), City: cities[i%len(cities)]}
		switch i % 5 {
		case 0:
			a.Revenue = "912260000"
		case 1:
			a.Revenue = "7"
		case 2:
			a.Description = "says \"hello\"\nand goes"
		case 3:
			a.Name += `, "Ltd"`
		}
		list = append(list, a)
	}
	return list
}

func accountsCSV(list []account, delim rune, crlf bool) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Comma, w.UseCRLF = delim, crlf
	w.Write([]string{"Name", "Legacy_Id__c", "AnnualRevenue", "BillingCity", "Description"})
	for _, a := range list {
		w.Write([]string{a.Name, a.Key, a.Revenue, a.City, a.Description})
	}
	w.Flush()
	return b.String()
}

// accountOf reads a row of a result file or an export; numbers may be written in another way there.
func accountOf(t *testing.T, row map[string]string) account {
	t.Helper()
	a := account{row["Name"], row["Legacy_Id__c"], row["AnnualRevenue"], row["BillingCity"], row["Description"]}
	if a.Revenue != "" {
		x, err := strconv.ParseFloat(a.Revenue, 64)
		if err != nil {
			t.Fatalf("AnnualRevenue of %v: %v", row, err)
		}
		a.Revenue = strconv.FormatFloat(x, 'f', -1, 64)
	}
	return a
}

// sorted orders accounts by their key, for comparing.
func sorted(list []account) []account {
	slices.SortFunc(list, func(a, b account) int { return strings.Compare(a.Key, b.Key) })
	return list
}

const exportQuery = "SELECT Id, Name, Legacy_Id__c, AnnualRevenue, BillingCity, Description FROM Account"

// export reads accounts with data export bulk.
func (c *cli) export(t *testing.T, query, name string) ([]account, []string) {
	t.Helper()
	var r struct {
		TotalSize int    `json:"totalSize"`
		FilePath  string `json:"filePath"`
	}
	c.run(t, &r, "data", "export", "bulk", "--query", query, "--output-file", name, "--result-format", "csv", "--wait", "5", "--target-org", "org")
	rows, header := c.read(t, name, ',')
	if len(rows) != r.TotalSize {
		t.Errorf("export: %d rows in the file, the CLI says %d", len(rows), r.TotalSize)
	}
	var list []account
	for _, row := range rows {
		list = append(list, accountOf(t, row))
	}
	return sorted(list), header
}

// want fails when two lists of accounts differ.
func want(t *testing.T, what string, want, got []account) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
}
