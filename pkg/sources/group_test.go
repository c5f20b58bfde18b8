package sources_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"migrate/pkg/sources"
	"migrate/pkg/sources/sourcetest"
)

// told is a record with all that a report says of it: its values, its file and line, what is wrong with it.
func told(records []sourcetest.Record, path string) []string {
	var out []string
	for _, r := range records {
		file := r.Pos.Path
		if file == "" {
			file = path
		}
		out = append(out, fmt.Sprintf("%s:%d %q %s %d %q %q", filepath.Base(file), r.Pos.Line, r.Fields, r.Rule, r.Column, r.Message, r.Raw))
	}
	slices.Sort(out)
	return out
}

func toldOf(t *testing.T, src sources.Source) []string {
	t.Helper()
	var all []string
	for _, s := range src.Splits() {
		got, err := sourcetest.ReadSplit(src, s, position{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, told(got.Records, s.Path)...)
	}
	slices.Sort(all)
	return all
}

// TestGroup: every record of the source is in one group, good or malformed, with its own file and line; what has a key is in one group
// with all that have it.
func TestGroup(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	var a, b strings.Builder
	for i, w := range []*strings.Builder{&a, &b} {
		w.WriteString("no,parent,region,note\n")
		for n := range 6000 {
			parent := fmt.Sprintf("p%d", r.IntN(200)*r.IntN(3))
			switch n % 500 {
			case 7:
				w.WriteString("too,few\n")
			case 8:
				w.WriteString("\n")
			case 9:
				fmt.Fprintf(w, "%d,,,\"two\nlines\"\n", n)
			default:
				fmt.Fprintf(w, "%d,%s,r%d,%s\n", n, parent, i, strings.Repeat("x", r.IntN(40)))
			}
		}
	}
	src, err := sources.OpenCSV([]string{write(t, "a.csv", a.String()), write(t, "b.csv", b.String())}, sources.CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, columns := range [][]string{{"parent"}, {"parent", "region"}} {
		path := filepath.Join(t.TempDir(), "rows.arrow")
		if err := sources.Group(t.Context(), src, sources.GroupOptions{Columns: columns, Groups: 7, Path: path}); err != nil {
			t.Fatal(err)
		}
		groups, err := sources.OpenGroups(path, sources.SpoolOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(toldOf(t, src), toldOf(t, groups)); diff != "" {
			t.Fatalf("records (-source +groups)\n%s", diff)
		}
		group := map[string]string{}
		busy := 0
		var blank int64
		for _, s := range groups.Splits() {
			got, err := sourcetest.ReadSplit(groups, s, position{})
			if err != nil {
				t.Fatal(err)
			}
			blank += got.Next.Blank
			if len(got.Records) != int(s.End) {
				t.Errorf("%s has %d records, its end says %d", s.ID, len(got.Records), s.End)
			}
			for _, rec := range got.Records {
				if rec.Rule != "" || rec.Fields[1] == "" {
					continue
				}
				key := rec.Fields[1]
				if len(columns) > 1 {
					key += "/" + rec.Fields[2]
				}
				if in, known := group[key]; known && in != s.ID {
					t.Fatalf("%s is in %s and in %s", key, in, s.ID)
				}
				group[key] = s.ID
			}
			busy++
		}
		if busy != 8 || blank != 24 {
			t.Errorf("%d splits, %d blank lines", busy, blank)
		}
		files, err := filepath.Glob(filepath.Dir(path) + "/*")
		if err != nil || len(files) != 1+7+7+1 {
			t.Errorf("files: %v, %v", files, err)
		}
		for _, f := range files {
			if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: mode %v, %v", f, info.Mode(), err)
			}
		}
	}
}

// TestGroupOfTypes: typed columns come out as they went in, and the groups are a source like others.
func TestGroupOfTypes(t *testing.T) {
	t.Parallel()
	src := openParquet(t, writeParquet(t, everyType(), 60, 17), sources.ParquetOptions{})
	for _, column := range src.Schema().Fields() {
		path := filepath.Join(t.TempDir(), "rows.arrow")
		if err := sources.Group(t.Context(), src, sources.GroupOptions{Columns: []string{column.Name}, Groups: 3, Path: path}); err != nil {
			t.Fatalf("%s: %v", column.Name, err)
		}
		groups, err := sources.OpenGroups(path, sources.SpoolOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !groups.Schema().Equal(src.Schema()) {
			t.Fatalf("the schema is %s", groups.Schema())
		}
		if diff := cmp.Diff(toldOf(t, src), toldOf(t, groups)); diff != "" {
			t.Fatalf("%s: records (-source +groups)\n%s", column.Name, diff)
		}
	}
	csv, err := sources.OpenCSV([]string{write(t, "c.csv", "a,b\n1,x\nbad\n2,x\n\n3,y\n4,\n5,\nworse\n")}, sources.CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rows.arrow")
	if err := sources.Group(t.Context(), csv, sources.GroupOptions{Columns: []string{"b"}, Groups: 2, Path: path}); err != nil {
		t.Fatal(err)
	}
	sourcetest.Run(t, func(rows int, mem memory.Allocator) (sources.Source, error) {
		return sources.OpenGroups(path, sources.SpoolOptions{BatchRows: rows, Allocator: mem})
	})
}

// TestGroupRefused: what cannot be divided leaves nothing behind.
func TestGroupRefused(t *testing.T) {
	t.Parallel()
	src, err := sources.OpenCSV([]string{write(t, "a.csv", "a,a,b\n1,2,3\n4,5,\"open")}, sources.CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for column, want := range map[string]string{"a": `group by "a": the source has 2 columns of that name`, "c": `has 0 columns`, "b": "a.csv"} {
		path := filepath.Join(t.TempDir(), "rows.arrow")
		err := sources.Group(t.Context(), src, sources.GroupOptions{Columns: []string{column}, Groups: 2, Path: path})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", column, err)
		}
		if left, _ := filepath.Glob(filepath.Dir(path) + "/*"); len(left) > 0 {
			t.Errorf("%s: left behind: %v", column, left)
		}
		if _, err := sources.OpenGroups(path, sources.SpoolOptions{}); !os.IsNotExist(err) {
			t.Errorf("%s: %v", column, err)
		}
	}
}

func BenchmarkGroup(b *testing.B) {
	var text strings.Builder
	text.WriteString("no,parent,name,street,city,zip,country,phone,mail,amount,date,note\n")
	const rows = 200_000
	for n := range rows {
		fmt.Fprintf(&text, "%d,p%d,Name %d,Street %d,City,12345,DE,+49 30 123456,n%d@example.com,%d.50,2026-01-31,a note of some length that says little\n", n, n*7919%50_000, n, n, n, n)
	}
	file := filepath.Join(b.TempDir(), "a.csv")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	src, err := sources.OpenCSV([]string{file}, sources.CSVOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if err := sources.Group(b.Context(), src, sources.GroupOptions{Columns: []string{"parent"}, Groups: 64, Path: filepath.Join(b.TempDir(), "g.arrow")}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
