package sinks_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"migrate/pkg/sinks"
)

// inDir are the files of a folder and their content.
func inDir(t interface{ Fatal(...any) }, dir string) map[string]string {
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}

func names(files map[string]string) []string { return slices.Sorted(maps.Keys(files)) }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The bytes of the files depend on the rows alone, not on the batches that they came in.
func TestBatchesDoNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "sinks")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		tab := draw(rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1)), every, rapid.IntRange(0, 200).Draw(rt, "rows"))
		o := sinks.FileOptions{
			Format:   rapid.SampledFrom([]string{"csv", "csv.gz", "csv.zst", "jsonl", "jsonl.gz", "jsonl.zst", "parquet"}).Draw(rt, "format"),
			PartRows: rapid.SampledFrom([]int64{0, 60, 100}).Draw(rt, "part rows"), PartBytes: rapid.SampledFrom([]int64{0, 0, 40_000}).Draw(rt, "part bytes"),
			Parquet: sinks.ParquetOptions{GroupRows: rapid.SampledFrom([]int64{0, 1, 13, 50}).Draw(rt, "group rows"), GroupBytes: rapid.SampledFrom([]int64{0, 500, 20_000}).Draw(rt, "group bytes")},
		}
		var before []sinks.File
		for _, sub := range []string{"a", "b"} {
			o.Path = dir + "/" + sub + "/"
			cuts := rapid.SliceOfN(rapid.IntRange(0, len(tab.rows)), 0, 20).Draw(rt, "cuts of "+sub)
			slices.Sort(cuts)
			files := mustExport(t, tab, o, cuts...)
			var rows int64
			for i, f := range files {
				data := inDir(rt, o.Path)[filepath.Base(f.Path)]
				sum := sha256.Sum256([]byte(data))
				if f.SHA256 != hex.EncodeToString(sum[:]) || f.Bytes != int64(len(data)) {
					rt.Errorf("%+v, and there are %d bytes", f, len(data))
				}
				if o.PartRows > 0 && f.Rows > o.PartRows || f.Rows == 0 && len(files) > 1 || o.PartRows > 0 && o.PartBytes == 0 && i < len(files)-1 && f.Rows != o.PartRows {
					rt.Errorf("%d rows in %s", f.Rows, f.Path)
				}
				rows += f.Rows
				files[i].Path = filepath.Base(f.Path)
			}
			if rows != int64(len(tab.rows)) || len(files) != len(inDir(rt, o.Path)) {
				rt.Errorf("%d rows in %d files, want %d", rows, len(files), len(tab.rows))
			}
			if d := cmp.Diff(before, files); before != nil && d != "" {
				rt.Errorf("other batches, other files:\n%s", d)
			}
			before = files
		}
	})
}

// Long texts end pieces, row groups and parts early, always in the same places.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	tab := hard(600)
	for i, row := range tab.rows {
		row[1] = strings.Repeat(string(rune('a'+i%26)), 100_000)
	}
	dir := t.TempDir()
	var sums []string
	for _, cuts := range [][]int{nil, {1, 83, 84, 85, 300}} {
		path := filepath.Join(dir, "t.parquet")
		files := mustExport(t, tab, sinks.FileOptions{Path: path, Overwrite: true, Parquet: sinks.ParquetOptions{GroupBytes: 20 << 20}}, cuts...)
		sums = append(sums, files[0].SHA256)
		_, rows, r := readArrow(t, path)
		sameRows(t, tab.rows, rows)
		if r.NumRowGroups() != 3 {
			t.Errorf("%d row groups", r.NumRowGroups())
		}
	}
	if sums[0] != sums[1] {
		t.Error("other batches, other bytes")
	}
}

// Until it is published, an export is hidden; then it is there with mode 0600, and nothing else is.
func TestHiddenUntilPublished(t *testing.T) {
	t.Parallel()
	for _, folder := range []bool{false, true} {
		dir := t.TempDir()
		path := filepath.Join(dir, "t.csv")
		if folder {
			dir = filepath.Join(dir, "new", "folder")
			path = dir + "/"
		}
		tab := hard(100)
		o := sinks.FileOptions{Path: path, Format: "csv", Schema: every, PartRows: 30}
		s, err := sinks.OpenFile(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), tab.batch(0, 100)); err != nil {
			t.Fatal(err)
		}
		for name := range inDir(t, dir) {
			if name[0] != '.' {
				t.Errorf("%s is there before it is published", name)
			}
		}
		if _, err := sinks.OpenFile(o); err == nil || !strings.Contains(err.Error(), "another process") {
			t.Errorf("two exports to one place: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Publish(t.Context()); !errors.Is(err, sinks.ErrClosed) {
			t.Error(err)
		}
		if err := s.Write(t.Context(), tab.batch(0, 1)); !errors.Is(err, sinks.ErrClosed) {
			t.Error(err)
		}
		if entries, err := os.ReadDir(dir); len(entries) > 0 || folder == (err == nil) {
			t.Errorf("left after Close: %v, %v", entries, err)
		}
		files := mustExport(t, tab, o)
		var want []string
		for _, f := range files {
			want = append(want, filepath.Base(f.Path))
			if info, err := os.Stat(f.Path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
		}
		if got := names(inDir(t, dir)); !slices.Equal(got, want) || folder && len(got) != 4 {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

// What stands there is a reason not to begin, unless it may be overwritten. Other people's files are not touched.
func TestExists(t *testing.T) {
	t.Parallel()
	tab, longer := hard(10), hard(50)
	for _, tt := range []struct {
		name, path string
		there      []string
	}{
		{"file", "t.csv", []string{"t.csv"}},
		{"manifest beside a file", "t.csv", []string{"t.csv.manifest.json"}},
		{"folder", "", []string{"part-00000.csv"}},
		{"another format", "", []string{"part-00007.parquet"}},
		{"manifest", "", []string{"manifest.json"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir() + "/"
			theirs := []string{"README", "other.csv", "part-00000-1234.csv", "part-x.csv", ".part-00000.csv.tmp", ".other.csv.migrating", "t.csv.gz"}
			for _, name := range append(tt.there, theirs...) {
				write(t, dir+name, "old")
			}
			o := sinks.FileOptions{Path: dir + tt.path, Format: "csv", PartRows: 4}
			_, err := export(t, tab, o)
			if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), tt.there[0]) {
				t.Errorf("export over %s: %v", tt.there, err)
			}
			for name, text := range inDir(t, dir) {
				if text != "old" {
					t.Errorf("%s was changed", name)
				}
			}
			o.Overwrite = true
			for _, tab := range []table{longer, tab} {
				var want []string
				for _, f := range mustExport(t, tab, o) {
					want = append(want, filepath.Base(f.Path))
				}
				if err := sinks.WriteManifest(o.Path, sinks.Manifest{Version: 1, Published: time.Now()}); err != nil {
					t.Fatal(err)
				}
				got := inDir(t, dir)
				for _, name := range theirs {
					if got[name] != "old" {
						t.Errorf("%s was touched", name)
					}
					delete(got, name)
				}
				manifest := "manifest.json"
				if tt.path != "" {
					manifest = tt.path + ".manifest.json"
				}
				if want = append(want, manifest); !slices.Equal(names(got), slices.Sorted(slices.Values(want))) {
					t.Errorf("%v, want %v", names(got), want)
				}
			}
		})
	}
}

// A file that came meanwhile stays, and nothing of the export does; one with the same bytes is taken for its own.
func TestAppearsMeanwhile(t *testing.T) {
	t.Parallel()
	tab := hard(100)
	mine := t.TempDir() + "/"
	mustExport(t, tab, sinks.FileOptions{Path: mine, Format: "csv", PartRows: 30})
	for _, tt := range []struct{ name, text string }{
		{"part-00000.csv", "theirs"}, {"part-00002.csv", "theirs"}, {"part-00004.csv", "theirs"}, {"manifest.json", "theirs"}, {"part-00002.csv", inDir(t, mine)["part-00002.csv"]}, {"", ""},
	} {
		dir := t.TempDir() + "/"
		s, err := sinks.OpenFile(sinks.FileOptions{Path: dir, Format: "csv", PartRows: 30, Schema: every})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), tab.batch(0, 100)); err != nil {
			t.Fatal(err)
		}
		if tt.name != "" {
			write(t, dir+tt.name, tt.text)
		}
		want := inDir(t, mine)
		if _, err = s.Publish(t.Context()); tt.text == "theirs" {
			if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), dir+tt.name) {
				t.Errorf("%s: %v", tt.name, err)
			}
			want = map[string]string{tt.name: tt.text}
		} else if err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(want, inDir(t, dir)); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

// A run that is resumed finds what it published itself, whole or in part, and what it left of drafts. Only the same bytes are accepted.
func TestResume(t *testing.T) {
	t.Parallel()
	tab := hard(100)
	for _, path := range []string{"t.csv.gz", "part/"} {
		dir := filepath.Join(t.TempDir(), "part")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		o := sinks.FileOptions{Path: filepath.Join(dir, path), Format: "csv.gz", PartRows: 30, Resume: true}
		if strings.HasSuffix(path, "/") {
			o.Path = dir + "/"
		}
		files := mustExport(t, tab, o)
		if err := sinks.WriteManifest(o.Path, sinks.Manifest{Version: 1, Files: files}); err != nil {
			t.Fatal(err)
		}
		want := inDir(t, dir)
		// Everything was published, but the run does not know it.
		again := mustExport(t, tab, o, 50)
		if d := cmp.Diff(files, again) + cmp.Diff(want, inDir(t, dir)); d != "" {
			t.Error(d)
		}
		// It died in the middle of publishing: a part is missing, one has its two names still, another is a draft.
		last := files[len(files)-1].Path
		draft := filepath.Join(dir, "."+filepath.Base(last)+".migrating")
		for _, damage := range []func() error{
			func() error { return os.Rename(last, draft) },
			func() error { return os.Link(last, draft) },
			func() error { return errors.Join(os.Remove(last), os.WriteFile(draft, []byte("half"), 0o600)) },
		} {
			if err := errors.Join(os.RemoveAll(dir+"/manifest.json"), os.RemoveAll(dir+"/"+path+".manifest.json"), damage()); err != nil {
				t.Fatal(err)
			}
			again = mustExport(t, tab, o, 50)
			if err := sinks.WriteManifest(o.Path, sinks.Manifest{Version: 1, Files: files}); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(files, again) + cmp.Diff(want, inDir(t, dir)); d != "" {
				t.Error(d)
			}
		}
		if _, err := export(t, hard(99), o); !errors.Is(err, fs.ErrExist) {
			t.Errorf("other rows: %v", err)
		}
		if d := cmp.Diff(want, inDir(t, dir)); d != "" {
			t.Error(d)
		}
		if m, err := sinks.ReadManifest(o.Path); err != nil || !cmp.Equal(m.Files, files) {
			t.Errorf("%+v, %v", m, err)
		}
	}
}

// What cannot be written is told before the first row.
func TestRefusedAtOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "x")
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling.csv")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		o    sinks.FileOptions
		want string
	}{
		{sinks.FileOptions{}, "no format"},
		{sinks.FileOptions{Format: "csv"}, "no path"},
		{sinks.FileOptions{Path: dir, Format: "csv"}, "write a slash"},
		{sinks.FileOptions{Path: dir + "/"}, "no format is given"},
		{sinks.FileOptions{Path: dir + "/t.txt"}, "no format is given"},
		{sinks.FileOptions{Path: dir + "/t.csv", Format: "parquet"}, "the name says csv"},
		{sinks.FileOptions{Path: dir + "/t.csv", Format: "csv.gz"}, "the name says csv"},
		{sinks.FileOptions{Path: dir + "/t", Format: "xlsx"}, `format "xlsx" is not known`},
		{sinks.FileOptions{Path: dir + "/missing/t.csv"}, "no such file or directory"},
		{sinks.FileOptions{Path: dir + "/file/", Format: "csv"}, "not a directory"},
		{sinks.FileOptions{Path: dir + "/file/t.csv"}, "not a directory"},
		{sinks.FileOptions{Path: dir + "/dangling.csv"}, "leads nowhere"},
		{sinks.FileOptions{Path: "/dev/null", Format: "csv", Overwrite: true}, "no ordinary file"},
		{sinks.FileOptions{Path: dir + "/t.csv", CSV: sinks.CSVOptions{Delimiter: '"'}}, "delimiter"},
		{sinks.FileOptions{Path: dir + "/t.parquet", Parquet: sinks.ParquetOptions{Compression: "lz4"}}, `compression "lz4"`},
	} {
		if _, err := export(t, hard(1), tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %s", tt.o, err, tt.want)
		}
	}
}

// A link leads to the file that is written, and stays.
func TestLink(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	write(t, filepath.Join(elsewhere, "real.csv"), "old")
	if err := os.Symlink(filepath.Join(elsewhere, "real.csv"), filepath.Join(dir, "t.csv")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "t.csv")
	if _, err := export(t, hard(1), sinks.FileOptions{Path: path}); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	files := mustExport(t, hard(1), sinks.FileOptions{Path: path, Overwrite: true})
	if err := sinks.WriteManifest(path, sinks.Manifest{Version: 1, Rows: 1}); err != nil {
		t.Fatal(err)
	}
	if got := names(inDir(t, elsewhere)); files[0].Path != path || !slices.Equal(got, []string{"real.csv", "real.csv.manifest.json"}) {
		t.Errorf("%v, %v", files, got)
	}
	if m, err := sinks.ReadManifest(path); err != nil || m.Rows != 1 {
		t.Errorf("%v, %v", m, err)
	}
}
