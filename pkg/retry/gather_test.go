package retry

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"migrate/pkg/bulk2"
	"migrate/pkg/pipeline"
	"migrate/pkg/sources"
)

// world is a finished run as a test makes it up: the rows of its reports, and what was done with them since.
type world struct {
	rng     *rand.Rand
	columns []string
	reports map[report][][]string // rows with the columns of a report
	earlier [][][]string
	only    []string
	with    map[string][]string // by place: the values of the corrected file, in its columns
	has     []int               // own columns that the corrected file has
}

var texts = []string{"", "", "a", "Zürich", "two\nlines", `say "no"`, "x;y,z", " blank ", "0123", "#N/A", "'quoted'", "\ttab"}

func (w *world) text() string { return texts[w.rng.IntN(len(texts))] }

func place(row []string, own int) string { return row[own] + "\x00" + row[own+1] }

func newWorld(seed uint64) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1)), reports: map[report][][]string{}, with: map[string][]string{}}
	own := 1 + w.rng.IntN(4)
	for i := range own {
		w.columns = append(w.columns, fmt.Sprintf("c%d", i))
	}
	if own > 2 && w.rng.IntN(3) == 0 {
		w.columns[1] = w.columns[0] // names may occur twice
	}
	used := map[string]bool{}
	codes := map[report][]string{failed: {"LOCKED", "TOO_LONG"}, unprocessed: {pipeline.CodeUnprocessed}, rejected: {"parent_missing", sources.RuleTooFewColumns}, unaccounted: {pipeline.CodeUnaccounted}}
	for kind, list := range codes {
		for range w.rng.IntN(40) {
			row := make([]string, own, own+7)
			for i := range row {
				row[i] = w.text()
			}
			row = append(row, []string{"a.csv", "dir/ü b.csv", "old: t (id >= 7)"}[w.rng.IntN(3)], strconv.Itoa(1+w.rng.IntN(500)),
				strconv.Itoa(w.rng.IntN(4)), "750", list[w.rng.IntN(len(list))], w.text(), "true")
			if k := place(row, own); !used[k] {
				used[k] = true
				w.reports[kind] = append(w.reports[kind], row)
			}
		}
	}
	for range w.rng.IntN(3) {
		var taken [][]string
		for _, kind := range []report{failed, unprocessed, rejected} {
			for _, row := range w.reports[kind] {
				if w.rng.IntN(6) == 0 && !slices.ContainsFunc(w.earlier, func(e [][]string) bool {
					return slices.ContainsFunc(e, func(r []string) bool { return place(r, own) == place(row, own) })
				}) {
					taken = append(taken, row)
				}
			}
		}
		w.earlier = append(w.earlier, taken)
	}
	for _, o := range []string{"locked", "UNPROCESSED", "parent_missing", sources.RuleTooFewColumns, OnlyCorrected} {
		if w.rng.IntN(6) == 0 {
			w.only = append(w.only, o)
		}
	}
	return w
}

func (w *world) taken(row []string) string {
	for i, e := range w.earlier {
		if slices.ContainsFunc(e, func(r []string) bool { return place(r, len(w.columns)) == place(row, len(w.columns)) }) {
			return fmt.Sprintf("run-%d", i)
		}
	}
	return ""
}

// correct makes up a corrected file of rows that may be sent.
func (w *world) correct() {
	for i := range w.columns {
		if len(w.has) == 0 || w.rng.IntN(4) > 0 {
			w.has = append(w.has, i)
		}
	}
	for _, kind := range []report{failed, unprocessed, rejected} {
		for _, row := range w.reports[kind] {
			if w.taken(row) != "" || w.rng.IntN(2) == 0 {
				continue
			}
			var values []string
			for _, i := range w.has {
				v := row[i]
				if w.rng.IntN(2) == 0 {
					v = w.text()
				}
				values = append(values, v)
			}
			w.with[place(row, len(w.columns))] = values
		}
	}
}

// want says by maps what Gather must do.
func (w *world) want() ([][]string, Counts) {
	c := Counts{Retried: map[string]int64{}, Others: map[string]int64{}, Unaccounted: int64(len(w.reports[unaccounted]))}
	var out [][]string
	own := len(w.columns)
	for _, kind := range []report{failed, unprocessed, rejected} {
		for _, row := range w.reports[kind] {
			code := row[own+4]
			values, named := w.with[place(row, own)]
			asked := false
			for _, o := range w.only {
				asked = asked || strings.EqualFold(o, code)
			}
			sent := slices.Clone(row)
			for k, i := range w.has {
				if named {
					sent[i] = values[k]
				}
			}
			changed := !slices.Equal(sent, row)
			if run := w.taken(row); run != "" {
				c.Retried[run]++
				continue
			}
			if kind == rejected && !named && !(asked && code == "parent_missing") {
				c.Rejected++
				continue
			}
			if len(w.only) > 0 && !asked && !(named && slices.Contains(w.only, OnlyCorrected)) {
				c.Others[code]++
				continue
			}
			if kind == rejected && code == sources.RuleTooFewColumns && !changed {
				c.Rejected++
				continue
			}
			c.Sent++
			if changed {
				c.Corrected++
			}
			out = append(out, sent)
		}
	}
	if len(w.with) > 0 {
		for i, name := range w.columns {
			if !slices.Contains(w.has, i) {
				c.Missing = append(c.Missing, name)
			}
		}
	}
	return out, c
}

func writeReport(t *testing.T, path string, columns []string, list [][]string) {
	t.Helper()
	out := bulk2.AppendRecord(nil, append(slices.Clone(columns), pipeline.ReportColumns...)...)
	for _, row := range list {
		out = bulk2.AppendRecord(out, row...)
	}
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
}

// job writes the world to files.
func (w *world) job(t *testing.T) Job {
	dir := t.TempDir()
	j := Job{Folder: dir, Only: w.only, Out: filepath.Join(dir, "out.csv")}
	for kind, list := range w.reports {
		writeReport(t, filepath.Join(dir, files[kind]), w.columns, list)
	}
	for i, e := range w.earlier {
		path := filepath.Join(dir, fmt.Sprintf("earlier-%d.csv", i))
		writeReport(t, path, w.columns, e)
		j.Earlier = append(j.Earlier, Earlier{Run: fmt.Sprintf("run-%d", i), Path: path})
	}
	if len(w.with) > 0 {
		j.With = filepath.Join(dir, "fixed.csv")
		w.writeCorrected(t, j.With, nil)
	}
	return j
}

// writeCorrected writes the corrected file as a spreadsheet might: sorted another way, its columns too, with a mark at the start.
func (w *world) writeCorrected(t *testing.T, path string, further [][]string) {
	var list [][]string
	for place, values := range w.with {
		file, line, _ := strings.Cut(place, "\x00")
		list = append(list, append([]string{line, file}, values...))
	}
	list = append(list, further...)
	w.rng.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
	header := []string{"migrate_line", "migrate_file"}
	for _, i := range w.has {
		header = append(header, w.columns[i])
	}
	var b bytes.Buffer
	b.WriteString("\ufeff")
	out := csv.NewWriter(&b)
	out.Comma = []rune{',', ';', '\t'}[w.rng.IntN(3)]
	if err := out.WriteAll(append([][]string{header}, list...)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readAll(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Whatever is in the reports, was sent before and was put right: the rows are those that maps in memory say, in the order of the reports,
// and each row of a report is counted once.
func TestGatherIsWhatMapsSay(t *testing.T) {
	for seed := range uint64(80) {
		w := newWorld(seed)
		if w.rng.IntN(3) > 0 {
			w.correct()
		}
		rows, want := w.want()
		if len(w.has) > 0 && len(w.with) > 0 && len(w.columns) > 2 && w.columns[1] == w.columns[0] && slices.Contains(w.has, 0) != slices.Contains(w.has, 1) {
			continue // which of two columns of one name is left cannot be told by anybody
		}
		j := w.job(t)
		got, err := j.Gather(context.Background())
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !reflect.DeepEqual(got, want) {
			if len(w.reports) > 0 {
				t.Fatalf("seed %d: got %+v, want %+v", seed, got, want)
			}
		}
		if want.Sent == 0 {
			if _, err := os.Stat(j.Out); !errors.Is(err, os.ErrNotExist) {
				t.Fatalf("seed %d: there is a file without rows: %v", seed, err)
			}
		} else if all := readAll(t, j.Out); !reflect.DeepEqual(all[1:], rows) {
			t.Fatalf("seed %d: got %q, want %q", seed, all[1:], rows)
		}
		left, err := filepath.Glob(filepath.Join(j.Folder, ".*"))
		if err != nil || len(left) > 0 {
			t.Fatalf("seed %d: left behind: %v %v", seed, left, err)
		}
	}
}

// Any row too many in the corrected file refuses it as a whole, and nothing is written.
func TestGatherRefusesRowsThatMustNotBeSent(t *testing.T) {
	refused := map[string]int{}
	for seed := range uint64(30) {
		w := newWorld(seed)
		w.only = nil
		w.correct()
		if len(w.with) == 0 {
			continue
		}
		bad := map[string]string{"did not fail": "a.csv\x009999"}
		for _, row := range w.reports[unaccounted] {
			bad["may be in the org"] = place(row, len(w.columns))
		}
		for _, kind := range []report{failed, unprocessed, rejected} {
			for _, row := range w.reports[kind] {
				if run := w.taken(row); run != "" {
					bad["run "+run+" has sent the row"] = place(row, len(w.columns))
				}
			}
		}
		for p := range w.with {
			bad["stands further up already"] = p
		}
		j := w.job(t)
		for what, p := range bad {
			file, line, _ := strings.Cut(p, "\x00")
			w.writeCorrected(t, j.With, [][]string{append([]string{line, file}, make([]string, len(w.has))...)})
			_, err := j.Gather(context.Background())
			var r *RefusedError
			if !errors.As(err, &r) || !strings.Contains(err.Error(), what) || len(r.Findings) != 1 {
				t.Fatalf("seed %d: %s: got %v", seed, what, err)
			}
			if _, err := os.Stat(j.Out); !errors.Is(err, os.ErrNotExist) {
				t.Fatalf("seed %d: %s: rows were written", seed, what)
			}
			refused[strings.TrimRight(strings.Fields(what)[0], "-0123456789")]++
		}
	}
	if len(refused) != 4 {
		t.Errorf("not all cases occurred: %v", slices.Sorted(maps.Keys(refused)))
	}
}

// A value must be of the type that its column has in the source.
func TestGatherKeepsTypes(t *testing.T) {
	w := &world{columns: []string{"n", "x"}, reports: map[report][][]string{failed: {{"1", "a", "old: t", "1", "1", "750", "E", "", "false"}}}}
	j := w.job(t)
	j.Types = arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}, {Name: "x", Type: arrow.BinaryTypes.String}}, nil)
	j.With = filepath.Join(j.Folder, "fixed.csv")
	for value, want := range map[string]string{"2": "", "": "", "two": `fixed.csv line 2: column n: "two" is not of the type`, "2.5": `"2.5" is not of the type`} {
		if err := os.WriteFile(j.With, []byte("n,x,migrate_file,migrate_line\n"+value+",b,old: t,1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := j.Gather(context.Background())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v", value, err)
		}
	}
}

// A report that was changed is told, and nothing is taken from it.
func TestGatherRefusesChangedReports(t *testing.T) {
	row := []string{"v", "a.csv", "2", "1", "750", "E", "", "false"}
	w := &world{columns: []string{"c"}, reports: map[report][][]string{failed: {row, row}}, earlier: [][][]string{{}}}
	if _, err := w.job(t).Gather(context.Background()); err == nil || !strings.Contains(err.Error(), "stands in the reports twice") {
		t.Errorf("got %v", err)
	}
	j := w.job(t)
	if err := os.WriteFile(filepath.Join(j.Folder, pipeline.FailedFile), []byte("c;migrate_file;migrate_line\nv;a.csv;2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Gather(context.Background()); err == nil || !strings.Contains(err.Error(), "is no report of this program") {
		t.Errorf("got %v", err)
	}
}
