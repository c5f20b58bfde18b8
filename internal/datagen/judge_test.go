package datagen_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
)

// TestJudge reads the sample data as a careful person would, with encoding/csv and the rules of an org written down a second
// time, and asks for exactly the faults that the data claims to have.
func TestJudge(t *testing.T) {
	t.Parallel()
	tests := []struct {
		folder string
		rows   map[string]int // read, by file
	}{
		{"crm", map[string]int{"accounts.csv": 420, "contacts.csv": 960, "opportunities.csv": 540, "cases.csv": 610, "tasks.csv": 700, "invoices.csv": 830}},
		{"crm-broken", map[string]int{"accounts.csv": 81, "contacts.csv": 120, "invoices.csv": 100}}, // one row of accounts was torn in two
	}
	for _, tt := range tests {
		t.Run(tt.folder, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join("../../testdata", tt.folder)
			want := map[string]string{}
			if data, err := os.ReadFile(filepath.Join(folder, "expected.csv")); err == nil {
				_, rows := read(t, data)
				for _, row := range rows {
					want[row[0]+":"+row[1]] = row[2]
				}
			} else if tt.folder == "crm-broken" {
				t.Fatal(err)
			}
			j := judge{folder: folder, stored: map[string]map[string]bool{}, faults: map[string]string{}, rows: map[string]int{}}
			if err := j.run(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, j.faults); diff != "" {
				t.Errorf("faults (-expected +found):\n%s", diff)
			}
			if diff := cmp.Diff(tt.rows, j.rows); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			readme, err := os.ReadFile(filepath.Join(folder, "README.md"))
			if err != nil {
				t.Fatal(err)
			}
			for file, n := range tt.rows {
				if line := fmt.Sprintf("| %s | %d |", file, n); tt.folder == "crm" && !bytes.Contains(readme, []byte(line)) {
					t.Errorf("README.md does not say %q", line)
				}
			}
		})
	}
}

// A spec is what an org's describe says about a field.
type spec struct {
	kind             string // text, email, date, datetime, boolean, int, number, picklist
	size             int    // characters, or digits before the point
	required, unique bool
	values           []string // of a restricted picklist
}

func text(n int) spec   { return spec{kind: "text", size: n} }
func number(n int) spec { return spec{kind: "number", size: n} }
func must(s spec) spec  { s.required = true; return s }

var (
	legacyID = spec{kind: "text", size: 40, unique: true}
	pick255  = text(255) // picklists that take any value

	schema = map[string]map[string]spec{
		"Account": {
			"Legacy_Id__c": legacyID, "Name": must(text(255)), "AccountNumber": text(40), "Type": pick255, "Industry": pick255, "Rating": pick255,
			"Phone": text(40), "Fax": text(40), "Website": text(255), "BillingStreet": text(255), "BillingCity": text(40), "BillingPostalCode": text(20),
			"BillingCountry": text(80), "AnnualRevenue": number(18), "NumberOfEmployees": {kind: "int", size: 8}, "Description": text(32000),
			"Tier__c": {kind: "picklist", values: []string{"Gold", "Silver", "Bronze"}}, "Active__c": {kind: "boolean"}, "Score__c": number(14),
		},
		"Contact": {
			"Legacy_Id__c": legacyID, "LastName": must(text(80)), "FirstName": text(40), "Email": {kind: "email", size: 80}, "Phone": text(40), "MobilePhone": text(40),
			"Title": text(128), "Department": text(80), "Birthdate": {kind: "date"}, "MailingStreet": text(255), "MailingCity": text(40), "MailingPostalCode": text(20),
			"MailingCountry": text(80), "Description": text(32000), "DoNotCall": {kind: "boolean"}, "HasOptedOutOfEmail": {kind: "boolean"}, "LeadSource": pick255,
		},
		"Opportunity": {
			"Legacy_Id__c": legacyID, "Name": must(text(120)), "StageName": must(pick255), "CloseDate": must(spec{kind: "date"}), "Amount": number(16),
			"Probability": number(3), "Type": pick255, "LeadSource": pick255, "NextStep": text(255), "Description": text(32000),
		},
		"Case": {
			"Legacy_Id__c": legacyID, "Subject": text(255), "Status": pick255, "Origin": pick255, "Priority": pick255, "Description": text(32000),
			"SuppliedEmail": {kind: "email", size: 80},
		},
		"Task": {
			"Legacy_Id__c": legacyID, "Subject": text(255), "Status": must(pick255), "Priority": must(pick255), "ActivityDate": {kind: "date"}, "Description": text(32000),
		},
		"Invoice__c": {
			"Legacy_Id__c": legacyID, "Amount__c": number(14), "Issued__c": must(spec{kind: "date"}), "Due__c": {kind: "datetime"}, "Paid__c": {kind: "boolean"},
			"Status__c": {kind: "picklist", values: []string{"Draft", "Sent", "Paid", "Void"}}, "Notes__c": text(32000),
		},
	}
	parents = map[string]string{ // header before the dot → object
		"Account": "Account", "Account__r": "Account", "Contact": "Contact", "Opportunity__r": "Opportunity",
		"Contact:Who": "Contact", "Opportunity:What": "Opportunity",
	}

	numberForm = regexp.MustCompile(`^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$`)
	emailForm  = regexp.MustCompile(`^[a-z0-9.+-]+@[a-z0-9-]+(\.[a-z0-9-]+)*\.(com|org|net)$`)
)

type judge struct {
	folder string
	stored map[string]map[string]bool // object → keys, in small letters
	faults map[string]string          // file:line → code or rule
	rows   map[string]int             // file → records
}

type job struct {
	Load, Operation, Key string
	Source               struct{ CSV string }
	Fields               yaml.MapSlice
}

func (j *judge) run() error {
	data, err := os.ReadFile(filepath.Join(j.folder, "migrate.yaml"))
	if err != nil {
		return err
	}
	var plan struct {
		Version int
		Jobs    yaml.MapSlice
	}
	if err := yaml.UnmarshalWithOptions(data, &plan, yaml.Strict()); err != nil {
		return err
	}
	for _, item := range plan.Jobs {
		b, err := yaml.Marshal(item.Value)
		if err != nil {
			return err
		}
		var one job
		if err := yaml.UnmarshalWithOptions(b, &one, yaml.Strict()); err != nil {
			return fmt.Errorf("job %v: %w", item.Key, err)
		}
		if err := j.job(one); err != nil {
			return fmt.Errorf("job %v: %w", item.Key, err)
		}
	}
	return nil
}

func (j *judge) job(one job) error {
	object := schema[one.Load]
	if object == nil || (one.Operation == "upsert") != (one.Key == "Legacy_Id__c") {
		return fmt.Errorf("%s %s by key %q: not understood", one.Operation, one.Load, one.Key)
	}
	data, err := os.ReadFile(filepath.Join(j.folder, one.Source.CSV))
	if err != nil {
		return err
	}
	header, records, err := parse(data)
	if err != nil {
		return err
	}
	for name, s := range object {
		if s.required && !slices.ContainsFunc(one.Fields, func(f yaml.MapItem) bool { return f.Key == name }) {
			return fmt.Errorf("field %s is required and not mapped", name)
		}
	}
	keys := map[string]bool{}
	j.stored[one.Load] = keys
	j.rows[one.Source.CSV] = len(records)
	twice := repeated(one, header, records)
	for _, r := range records {
		fault := r.rule
		var key string
		for _, f := range one.Fields {
			if fault != "" {
				break
			}
			field, value := f.Key.(string), ""
			switch from := f.Value.(type) {
			case string:
				i := slices.Index(header, from)
				if i < 0 {
					return fmt.Errorf("no column %q in %q", from, header)
				}
				value = r.cells[i]
			case map[string]any:
				value = from["const"].(string)
			}
			if field == "Legacy_Id__c" {
				key = strings.ToLower(value)
				if twice[key] {
					fault = "DUPLICATE_VALUE"
					break
				}
			}
			if fault, err = j.check(one.Load, field, value); err != nil {
				return err
			}
		}
		switch {
		case fault != "":
			j.faults[fmt.Sprintf("%s:%d", one.Source.CSV, r.line)] = fault
		case key == "":
			return fmt.Errorf("line %d: no key", r.line)
		default:
			keys[key] = true
		}
	}
	return nil
}

// repeated returns the keys that come more than once in an upsert. Where that happens the file fits into one chunk of 200 rows,
// and an org refuses all rows of the chunk with such a key. An insert takes the first.
func repeated(one job, header []string, records []csvRecord) map[string]bool {
	twice := map[string]bool{}
	if one.Operation != "upsert" {
		return twice
	}
	seen := map[string]bool{}
	for _, f := range one.Fields {
		if f.Key != one.Key {
			continue
		}
		column := slices.Index(header, f.Value.(string))
		for _, r := range records {
			if r.rule == "" {
				key := strings.ToLower(r.cells[column])
				twice[key] = twice[key] || seen[key]
				seen[key] = true
			}
		}
	}
	return twice
}

// check returns the code with which an org refuses a value, or the rule by which it is not sent.
func (j *judge) check(object, field, value string) (string, error) {
	if value == "#N/A" {
		return "reserved_value", nil
	}
	if path, key, ok := strings.Cut(field, "."); ok {
		if key != "Legacy_Id__c" || j.stored[parents[path]] == nil {
			return "", fmt.Errorf("%s leads to no object that was loaded before", field)
		}
		if value != "" && !j.stored[parents[path]][strings.ToLower(value)] {
			return "INVALID_FIELD", nil
		}
		return "", nil
	}
	s, ok := schema[object][field]
	if !ok {
		return "", fmt.Errorf("%s has no field %s", object, field)
	}
	if value == "" {
		if s.required {
			return "REQUIRED_FIELD_MISSING", nil
		}
		return "", nil
	}
	if s.unique && j.stored[object][strings.ToLower(value)] {
		return "DUPLICATE_VALUE", nil
	}
	good := true
	switch s.kind {
	case "text":
		if utf8.RuneCountInString(value) > s.size {
			return "STRING_TOO_LONG", nil
		}
	case "email":
		if len(value) > s.size || !emailForm.MatchString(value) {
			return "INVALID_EMAIL_ADDRESS", nil
		}
	case "picklist":
		if !slices.Contains(s.values, value) {
			return "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", nil
		}
	case "boolean":
		good = slices.Contains([]string{"true", "false", "0", "1"}, value)
	case "date":
		_, err := time.Parse(time.DateOnly, value)
		good = err == nil
	case "datetime":
		_, err := time.Parse(time.RFC3339Nano, value)
		good = err == nil
	case "int":
		_, err := strconv.ParseInt(value, 10, 64)
		good = err == nil
		fallthrough
	case "number":
		good = good && numberForm.MatchString(value)
		if v, err := strconv.ParseFloat(value, 64); good && (err != nil || math.Abs(v) >= math.Pow10(s.size)) {
			return "NUMBER_OUTSIDE_VALID_RANGE", nil
		}
	default:
		return "", fmt.Errorf("%s.%s: no rule for kind %q", object, field, s.kind)
	}
	if !good {
		return "INVALID_FIELD", nil
	}
	return "", nil
}

type csvRecord struct {
	line  int
	cells []string
	rule  string
}

// parse finds out encoding and delimiter and reads the records, each with the line on which it begins.
func parse(data []byte) (header []string, records []csvRecord, err error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		if data, err = charmap.Windows1252.NewDecoder().Bytes(data); err != nil {
			return nil, nil, err
		}
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	most := 0
	var comma rune
	for _, c := range ",;\t" {
		if n := bytes.Count(lines[0], []byte(string(c))); n > most {
			most, comma = n, c
		}
	}
	open := func(b []byte) *csv.Reader {
		r := csv.NewReader(bytes.NewReader(b))
		r.Comma, r.FieldsPerRecord = comma, -1
		return r
	}
	r := open(data)
	if header, err = r.Read(); err != nil {
		return nil, nil, err
	}
	for {
		cells, err := r.Read()
		var bad *csv.ParseError
		switch {
		case err == io.EOF:
			return header, records, nil
		case errors.As(err, &bad) && bad.Err == csv.ErrQuote && bad.StartLine == bad.Line:
			records = append(records, csvRecord{line: bad.StartLine, rule: "bad_quote"})
			continue
		case errors.As(err, &bad) && bad.Err == csv.ErrBareQuote && bad.StartLine == bad.Line: // a quote in a bare value is text
			lazy := open(lines[bad.Line-1])
			lazy.LazyQuotes = true
			if cells, err = lazy.Read(); err != nil {
				return nil, nil, err
			}
			records = append(records, csvRecord{line: bad.Line, cells: cells})
		case err != nil:
			return nil, nil, err
		default:
			line, _ := r.FieldPos(0)
			records = append(records, csvRecord{line: line, cells: cells})
		}
		switch last := &records[len(records)-1]; {
		case len(cells) < len(header):
			last.rule = "too_few_columns"
		case len(cells) > len(header):
			last.rule = "too_many_columns"
		}
	}
}
