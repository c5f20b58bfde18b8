package pipeline_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/idmap"
	"migrate/pkg/pipeline"
	"migrate/pkg/sources"
	"migrate/pkg/transform"
)

// A load is one job of a run whose every row is known: where it stands, what is sent of it, and what is to become of it.
// Its columns that begin with "_" are not sent; "_no" numbers the rows.
type load struct {
	Name, Object, ExternalID string
	Operation                bulk2.Operation
	Paths                    []string
	Unique                   []string // source columns in which no two rows are the same
	Groups                   string   // file of the groups that the rows are read from; "" = from Paths
	Remember                 bool     // what its rows became goes into the id map
	Parents                  string   // load whose rows the column _parent names; AccountId is what they became. "" = none

	ids    *idmap.View        // nil where nothing is loaded
	rows   map[string]loadRow // by number
	blank  int64
	before int // records of the object in the org before the run
}

// loadRow is what is known of a row.
type loadRow struct {
	file string
	line int64
	mark string // in the field Description; equal rows have one mark
	fate string // code of its report; "" = it ends in the org
	new  bool   // a record is made for it
	of   string // number of its parent
}

// columnTypes are those that the loads send; what is not named is text.
var columnTypes = map[string]string{"AnnualRevenue": "currency", "Score__c": "double", "Active__c": "boolean", "Tier__c": "picklist",
	"Birthdate": "date", "Id": "id"}

// writer writes the files of a load and remembers its rows.
type writer struct {
	*load
	dir, header string
	text        strings.Builder
	line        int64
}

func (l *load) writer(dir, header string) *writer {
	if l.rows == nil {
		l.rows = map[string]loadRow{}
	}
	w := &writer{load: l, dir: dir, header: header}
	w.begin()
	return w
}

func (w *writer) begin() {
	w.Paths = append(w.Paths, filepath.Join(w.dir, fmt.Sprintf("%s-%d.csv", w.Name, len(w.Paths)+1)))
	w.text.Reset()
	w.text.WriteString(w.header + "\n")
	w.line = 2
}

// row adds a record whose values stand behind its number.
func (w *writer) row(values string, r loadRow) {
	no := strconv.Itoa(len(w.rows))
	r.file, r.line = w.Paths[len(w.Paths)-1], w.line
	w.rows[no] = r
	text := no + "," + values + "\n"
	w.text.WriteString(text)
	w.line += int64(strings.Count(text, "\n"))
}

func (w *writer) blankLine() {
	w.text.WriteByte('\n')
	w.line++
	w.blank++
}

func (w *writer) end(t testing.TB) {
	t.Helper()
	if err := os.WriteFile(w.Paths[len(w.Paths)-1], []byte(w.text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// accountLoad writes inserts of accounts without any key into several files: rows that are equal, rows that the org refuses,
// rows that are no rows, numbers that the org writes back differently, names over several lines.
func accountLoad(t testing.TB, dir string, files, rows int) *load {
	t.Helper()
	l := &load{Name: "accounts", Object: "Account", Operation: bulk2.Insert}
	w := l.writer(dir, "_no,Name,Description,AnnualRevenue,Score__c,Active__c,Tier__c")
	for f := range files {
		if f > 0 {
			w.begin()
		}
		for i := range rows {
			n := f*rows + i // the number of the row whose values this one has
			switch {
			case i%10 == 4 || i%10 == 5: // three equal rows, neighbours
				n -= i%10 - 3
			case i%10 == 8: // equal to a row that is refused
				n--
			case i%50 == 49: // equal rows far apart, over chunks and files
				n = 49
			}
			name, tier, revenue := fmt.Sprintf("Acme %d", n%40), "Gold", strconv.Itoa(912260000+n*1000)
			r := loadRow{mark: fmt.Sprintf("row %d", n), new: true}
			switch i % 10 {
			case 0:
				name = fmt.Sprintf("\"Müller, \"\"%d\"\"\nO'Neil\"", n)
			case 6:
				if i%20 == 6 {
					name, r.fate = "", "REQUIRED_FIELD_MISSING"
				}
			case 7, 8:
				tier, r.fate = "Platinum", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
			}
			if i%100 == 1 {
				revenue, r.fate = "much", "INVALID_FIELD"
			}
			values := fmt.Sprintf("%s,%s,%s,1.50,1,%s", name, r.mark, revenue, tier)
			switch i % 100 {
			case 12:
				values, r.fate = name, sources.RuleTooFewColumns
			case 13:
				values, r.fate = values+",extra", sources.RuleTooManyColumns
			case 52:
				values, r.fate = "#N/A"+values[len(name):], transform.RuleReserved
			}
			w.row(values, r)
			if i%60 == 59 {
				w.blankLine()
			}
		}
		w.end(t)
	}
	return l
}

// contactLoad writes inserts of contacts into one file, whose rows are loaded in lanes.
func contactLoad(t testing.TB, dir string, rows int) *load {
	t.Helper()
	l := &load{Name: "contacts", Object: "Contact", Operation: bulk2.Insert, Unique: []string{"_no"}} // every row finds that it is the first
	w := l.writer(dir, "_no,LastName,Description,Birthdate")
	for i := range rows {
		n := i - i%2 // pairs of equal rows
		r := loadRow{mark: fmt.Sprintf("person %d", n), new: true}
		name := "Ann"
		if i%8 > 5 {
			name, r.fate = "", "REQUIRED_FIELD_MISSING"
		}
		w.row(fmt.Sprintf("%s,%s,1970-01-02", name, r.mark), r)
	}
	w.end(t)
	src, err := sources.OpenCSV(l.Paths, sources.CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l.Groups = filepath.Join(dir, "contacts.arrow") // each pair is in one lane
	if err := sources.Group(t.Context(), src, sources.GroupOptions{Columns: []string{"Description"}, Groups: 3, Path: l.Groups}); err != nil {
		t.Fatal(err)
	}
	return l
}

// job is the load as the pipeline takes it.
func (l *load) job() (pipeline.Job, error) {
	src, err := l.source()
	if err != nil {
		return pipeline.Job{}, err
	}
	job := pipeline.Job{Name: l.Name, Object: l.Object, Operation: l.Operation, ExternalID: l.ExternalID, Source: src, Key: "_no", Reports: l.Name, Grouped: l.Groups != ""}
	m := transform.Mapping{Unique: l.Unique}
	for _, f := range src.Schema().Fields() {
		if strings.HasPrefix(f.Name, "_") {
			continue
		}
		m.Fields = append(m.Fields, transform.Field{To: f.Name, From: f.Name})
		job.Columns = append(job.Columns, pipeline.Column{Header: f.Name, Type: columnTypes[f.Name], Key: f.Name == "Id" || f.Name == l.ExternalID})
	}
	if l.Remember {
		job.ID = "_no"
	}
	if l.Parents != "" {
		job.After = []string{l.Parents}
		m.Fields = append(m.Fields, transform.Field{To: "AccountId", From: "_parent", Ref: &transform.Ref{Job: l.Parents, Find: l.findParents}})
		job.Columns = append(job.Columns, pipeline.Column{Header: "AccountId", Type: "reference"})
	}
	job.Mapping, err = transform.Compile(m, src.Schema())
	return job, err
}

func (l *load) source() (sources.Source, error) {
	if l.Groups != "" {
		return sources.OpenGroups(l.Groups, sources.SpoolOptions{})
	}
	return sources.OpenCSV(l.Paths, sources.CSVOptions{})
}

func jobsOf(loads []*load) ([]pipeline.Job, error) {
	var jobs []pipeline.Job
	for _, l := range loads {
		j, err := l.job()
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// newRun makes the checkpoint of a run of loads in a folder.
func newRun(t testing.TB, dir string, loads ...*load) *checkpoint.Store {
	t.Helper()
	jobs, err := jobsOf(loads)
	if err != nil {
		t.Fatal(err)
	}
	var records []checkpoint.Job
	var splits []checkpoint.Split
	for _, j := range jobs {
		records = append(records, checkpoint.Job{Name: j.Name, Object: j.Object, Operation: string(j.Operation), Spec: "{}"})
		for _, s := range j.Source.Splits() {
			spec, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			next, err := json.Marshal(s.Start)
			if err != nil {
				t.Fatal(err)
			}
			splits = append(splits, checkpoint.Split{Job: j.Name, ID: s.ID, Spec: string(spec), Next: string(next)})
		}
	}
	s, err := checkpoint.Create(t.Context(), dir, checkpoint.Run{ID: "r", Created: time.Now(), Plan: "{}", Org: "{}"}, records, splits)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkExact fails unless every row of the loads is exactly once in the org or exactly once in the one report where it
// belongs, with its own file and line, and the run's books say so too.
func checkExact(t testing.TB, org *localorg.Org, dir string, loads ...*load) {
	t.Helper()
	store, err := checkpoint.OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, l := range loads {
		for _, fault := range firstOf(l.faults(org, dir), 8) {
			t.Errorf("%s: %s", l.Name, fault)
		}
		got, err := store.Ledger(t.Context(), l.Name)
		if err != nil {
			t.Fatal(err)
		}
		want := l.ledger()
		want.Chunks, want.Jobs, want.Resent = got.Chunks, got.Jobs, got.Resent
		if got != want || !got.Balanced() {
			t.Errorf("%s: ledger is %+v, want %+v", l.Name, got, want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "spool", "*")); err != nil || len(left) > 0 {
		t.Errorf("spool holds %v (%v)", left, err)
	}
	for _, v := range org.Audit().Violations {
		if v.Kind != localorg.ViolationFastPoll { // tests wait less than the client does by default
			t.Errorf("the org complains: %s, job %s: %s", v.Kind, v.Job, v.Text)
		}
	}
}

// ledger is what the books must say in the end.
func (l *load) ledger() checkpoint.Ledger {
	want := checkpoint.Ledger{Read: int64(len(l.rows)), Blank: l.blank}
	for _, r := range l.rows {
		switch {
		case r.fate == "":
			want.Succeeded++
		case reportOf(r.fate) == pipeline.RejectedFile:
			want.Rejected++
		default:
			want.Failed++
		}
	}
	return want
}

// reportOf names the report in which a row with this fate belongs.
func reportOf(fate string) string {
	switch {
	case fate == "":
		return pipeline.SuccessFile
	case strings.ToLower(fate) == fate:
		return pipeline.RejectedFile
	default:
		return pipeline.FailedFile
	}
}

// faults compares reports and org with what is known.
func (l *load) faults(org *localorg.Org, dir string) (faults []string) {
	say := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	inOrg := map[string]string{} // id → mark
	for r := range org.Records(l.Object, "Id", "Description") {
		inOrg[r[0]] = r[1]
	}
	seen := map[string]string{} // number → report
	ids := map[string]string{}  // id → number
	for _, name := range []string{pipeline.SuccessFile, pipeline.FailedFile, pipeline.UnprocessedFile, pipeline.RejectedFile} {
		list, err := readReport(filepath.Join(dir, l.Name, name))
		if err != nil {
			say("%v", err)
		}
		for _, r := range list {
			no := r["_no"]
			want, known := l.rows[no]
			at := r["migrate_file"] + ":" + r["migrate_line"]
			switch {
			case !known:
				say("%s has a row %v that was never in the source", name, r)
			case seen[no] != "":
				say("row %s is in %s and in %s", no, seen[no], name)
			case name != reportOf(want.fate):
				say("row %s is in %s, want %s: %v", no, name, reportOf(want.fate), r)
			case at != fmt.Sprintf("%s:%d", want.file, want.line):
				say("row %s is reported at %s, stands at %s:%d", no, at, want.file, want.line)
			case r["migrate_code"] != want.fate:
				say("row %s failed for %s, want %s", no, r["migrate_code"], want.fate)
			}
			seen[no] = name
			if name != pipeline.SuccessFile || !known {
				continue
			}
			id := r["sf__Id"]
			if ids[id] != "" {
				say("rows %s and %s both have id %q", ids[id], no, id)
			}
			ids[id] = no
			if mark, ok := inOrg[id]; l.Operation == bulk2.Delete && ok || l.Operation != bulk2.Delete && mark != want.mark {
				say("row %s has id %q, which holds %q in the org, want %q", no, id, mark, want.mark)
			}
			if r["sf__Created"] != strconv.FormatBool(want.new) {
				say("row %s: created is %s", no, r["sf__Created"])
			}
		}
	}
	for no, r := range l.rows {
		if seen[no] == "" {
			say("row %s (%s line %d) is in no report", no, filepath.Base(r.file), r.line)
		}
	}
	records := l.before
	for _, r := range l.rows {
		switch {
		case r.fate != "":
		case r.new:
			records++
		case l.Operation == bulk2.Delete:
			records--
		}
	}
	if len(inOrg) != records {
		say("the org holds %d records, want %d", len(inOrg), records)
	}
	if l.Operation == bulk2.Insert {
		for id, mark := range inOrg {
			if ids[id] == "" {
				say("the org holds %s (%s), which no row has", id, mark)
			}
		}
	}
	return faults
}

func firstOf(list []string, n int) []string {
	slices.Sort(list)
	if len(list) > n {
		return append(list[:n:n], fmt.Sprintf("and %d more", len(list)-n))
	}
	return list
}

// readReport reads a report file; one that is not there has no rows.
func readReport(path string) ([]map[string]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var list []map[string]string
	for _, r := range rows[1:] {
		m := map[string]string{}
		for i, v := range r {
			m[rows[0][i]] = v
		}
		list = append(list, m)
	}
	return list, nil
}

// schemaWithout is a part of the built-in schema, which is quicker to open than all of it, without some fields.
func schemaWithout(t testing.TB, fields ...string) fs.FS {
	t.Helper()
	small, err := smallSchema()
	if err != nil {
		t.Fatal(err)
	}
	if len(fields) == 0 {
		return small
	}
	out := fstest.MapFS{}
	for name, file := range small {
		var d map[string]any
		if err := json.Unmarshal(file.Data, &d); err != nil {
			t.Fatal(err)
		}
		d["fields"] = slices.DeleteFunc(d["fields"].([]any), func(f any) bool {
			return slices.Contains(fields, f.(map[string]any)["name"].(string))
		})
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = &fstest.MapFile{Data: text}
	}
	return out
}

var smallSchema = sync.OnceValues(func() (fstest.MapFS, error) {
	out := fstest.MapFS{}
	for _, object := range []string{"Account", "Contact", "User", "Invoice__c"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "internal", "localorg", "schema", object+".json"))
		if err != nil {
			return nil, err
		}
		out[object+".json"] = &fstest.MapFile{Data: text}
	}
	return out, nil
})
