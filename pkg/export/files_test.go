package export_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"migrate/pkg/export"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
	"migrate/pkg/sinks"
)

// vault is an org with contents. A fault is how the n-th fetch of a content goes, from 1; nil = it goes well.
type vault struct {
	mu       sync.Mutex
	contents map[string][]byte
	fetched  map[string]int
	fault    func(id string, n int, content []byte) (io.Reader, error)
	at, most int // at once
}

func (v *vault) Blob(ctx context.Context, object, id, field string) (io.ReadCloser, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	content, ok := v.contents[id]
	if object != "ContentVersion" || field != "VersionData" || !ok {
		return nil, fmt.Errorf("%s %s %s: %w", object, id, field, salesforce.ErrGone)
	}
	v.fetched[id]++
	var r io.Reader = bytes.NewReader(content)
	if v.fault != nil {
		if odd, err := v.fault(id, v.fetched[id], content); err != nil {
			return nil, err
		} else if odd != nil {
			r = odd
		}
	}
	v.at++
	v.most = max(v.most, v.at)
	return &lent{Reader: r, v: v}, nil
}

// lent is a body, which takes a while and is closed once.
type lent struct {
	io.Reader
	v *vault
}

func (l *lent) Read(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return l.Reader.Read(p)
}

func (l *lent) Close() error {
	l.v.mu.Lock()
	defer l.v.mu.Unlock()
	l.v.at--
	return nil
}

func (v *vault) total() (n int) {
	for _, k := range v.fetched {
		n += k
	}
	return n
}

var fileColumns = []pipeline.ExportColumn{{Name: "Id", Type: "id"}, {Name: "ContentSize", Type: "int"}, {Name: "Checksum", Type: "string"},
	{Name: "SystemModstamp", Type: "datetime"}, {Name: "FileExtension", Type: "string"}, {Name: "PathOnClient", Type: "string"}}

var whole = export.Content{Field: "VersionData", Length: "ContentSize", Checksum: "Checksum", Stamp: "SystemModstamp", Extension: "FileExtension", FileName: "PathOnClient"}

// fileTest is an export of rows with contents, in one folder through all of its processes.
type fileTest struct {
	*testing.T
	dir     string
	vault   *vault
	rows    [][][]byte
	content export.Content
	more    func() error
	told    []string
	taken   export.FilesTaken
	resumed bool
}

func newFileTest(t *testing.T) *fileTest {
	return &fileTest{T: t, dir: t.TempDir(), content: whole, vault: &vault{contents: map[string][]byte{}, fetched: map[string]int{}}}
}

func (x *fileTest) must(err error) {
	x.Helper()
	if err != nil {
		x.Fatal(err)
	}
}

// add adds a record, whose size is told as the org writes it.
func (x *fileTest) add(content []byte, extension, path string) string {
	id := fmt.Sprintf("068000000%06dAAA", len(x.rows))
	x.vault.contents[id] = content
	size := strconv.Itoa(len(content))
	if len(x.rows)%3 == 0 {
		size = strconv.FormatFloat(float64(len(content)), 'E', -1, 64)
	}
	x.rows = append(x.rows, [][]byte{[]byte(id), []byte(size), fmt.Appendf(nil, "%x", md5.Sum(content)), []byte("2026-03-01T10:00:00.000Z"), []byte(extension), []byte(path)})
	return id
}

// fill adds records with random contents.
func (x *fileTest) fill(n int) {
	rng := rand.New(rand.NewPCG(20261124, 7))
	for range n {
		content := make([]byte, rng.IntN(3)*rng.IntN(100_000))
		for i := range content {
			content[i] = byte(rng.Uint32())
		}
		x.add(content, "bin", "")
	}
}

// run is one process.
func (x *fileTest) run(ctx context.Context) error {
	path := filepath.Join(x.dir, "rows.csv")
	cfg := export.FilesConfig{Dir: filepath.Join(x.dir, "contents"), List: "files.csv", Object: "ContentVersion", Columns: fileColumns, Content: x.content, Org: x.vault,
		More: x.more, Resumed: x.resumed, Tell: func(text string) { x.told = append(x.told, text) }}
	x.resumed = true
	files, err := export.OpenFiles(ctx, cfg)
	if err != nil {
		return err
	}
	sink, err := sinks.OpenFile(sinks.FileOptions{Path: path, Schema: pipeline.ExportSchema(fileColumns), Resume: true})
	if err != nil {
		x.Fatal(err)
	}
	c, err := export.Open(export.Config{Sink: sink, Path: path, Columns: fileColumns, Files: files, Published: func(_ []sinks.File, _ int64, taken export.FilesTaken) { x.taken = taken }})
	if err != nil {
		x.Fatal(err)
	}
	for _, row := range x.rows {
		if _, err = c.Take(row); err != nil {
			break
		}
	}
	if err == nil {
		err = c.Publish(ctx)
	}
	if err2 := c.Close(); err2 != nil {
		x.Errorf("close: %v", err2)
	}
	return err
}

// published reports whether anything of the export shows.
func (x *fileTest) published() bool {
	for _, name := range []string{"rows.csv", "rows.csv.manifest.json", "contents/files.csv"} {
		if _, err := os.Stat(filepath.Join(x.dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

// files are those of the folder but for the list, as they are.
func (x *fileTest) files() map[string]string {
	got := map[string]string{}
	entries, err := os.ReadDir(filepath.Join(x.dir, "contents"))
	if err != nil {
		x.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.IsDir() || info.Mode().Perm() != 0o600 {
			x.Fatalf("%s: %v %v", e.Name(), info, err)
		}
		text, err := os.ReadFile(filepath.Join(x.dir, "contents", e.Name()))
		if err != nil {
			x.Fatal(err)
		}
		if e.Name() != "files.csv" && !strings.HasSuffix(e.Name(), ".lock") {
			got[e.Name()] = string(text)
		}
	}
	return got
}

// list are the lines of the list.
func (x *fileTest) list() [][]string {
	text, err := os.ReadFile(filepath.Join(x.dir, "contents", "files.csv"))
	if err != nil {
		x.Fatal(err)
	}
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		x.Fatal(err)
	}
	if diff := cmp.Diff(lines[0], []string{"Id", "file", "bytes", "sha256", "state"}); diff != "" {
		x.Error(diff)
	}
	var m struct{ Contents sinks.File }
	manifest, err := os.ReadFile(filepath.Join(x.dir, "rows.csv.manifest.json"))
	if err == nil {
		err = json.Unmarshal(manifest, &m)
	}
	want := sinks.File{Path: "contents/files.csv", Rows: int64(len(lines) - 1), Bytes: int64(len(text)), SHA256: fmt.Sprintf("%x", sha256.Sum256(text))}
	if m.Contents != want || err != nil {
		x.Errorf("the manifest has %+v, want %+v, %v", m.Contents, want, err)
	}
	return lines[1:]
}

// check holds files, list and manifest against the org.
func (x *fileTest) check() {
	x.Helper()
	got, seen := x.files(), map[string]string{}
	list := x.list()
	if len(list) != len(x.rows) {
		x.Fatalf("%d lines for %d rows", len(list), len(x.rows))
	}
	for i, line := range list {
		id := string(x.rows[i][0])
		want := string(x.vault.contents[id])
		if line[0] != id || line[2] != strconv.Itoa(len(want)) || line[3] != fmt.Sprintf("%x", sha256.Sum256([]byte(want))) || line[4] != export.FileThere {
			x.Errorf("line %d is %v; %s has %d bytes", i, line, id, len(want))
		}
		seen[line[1]] = want
	}
	if !maps.Equal(got, seen) {
		x.Errorf("the files differ: %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(seen)))
	}
}

// TestFiles: each content is there once under a name that is safe everywhere, whatever users have called it; and a second process fetches none.
func TestFiles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newFileTest(t)
		x.fill(300)
		names := map[string]string{}
		for path, ext := range map[string]string{"../../etc/passwd": "", "a/b\\c.Pdf": ".pdf", "x.tar.gz": ".gz", "CON": "", "a.": "", "a. ": "", "a.ph\x00p": "", "a." + strings.Repeat("x", 17): "",
			"..": "", "a.b:stream": "", "a.é": "", `C:\x.TXT`: ".txt", "a.b/c": "", "-rf": ""} {
			names[x.add([]byte("of "+path), "", path)] = ext
		}
		for given, ext := range map[string]string{"pdf": ".pdf", ".exe": ".exe", "../x": "", "p df": ""} {
			names[x.add([]byte("as "+given), given, "a.doc")] = ext
		}
		x.must(x.run(t.Context()))
		x.check()
		safe := regexp.MustCompile(`^[0-9A-Za-z]{18}(\.[0-9a-z]{1,16})?$`)
		for name := range x.files() {
			id, ext, _ := strings.Cut(name, ".")
			if want, odd := names[id]; !safe.MatchString(name) || odd && strings.TrimPrefix(want, ".") != ext {
				t.Errorf("a file is called %q", name)
			}
		}
		empty := 0
		for _, c := range x.vault.contents {
			if len(c) == 0 {
				empty++
			}
		}
		if n := x.vault.total(); n != len(x.rows)-empty || empty == 0 || x.vault.most != 4 || x.taken.Fetched != int64(n) || x.taken.Records != int64(len(x.rows)) {
			t.Errorf("%d fetched, %d at once; %d are empty, %+v", n, x.vault.most, empty, x.taken)
		}
		n := x.vault.total()
		x.must(x.run(t.Context()))
		x.check()
		if x.vault.total() != n || x.taken.Fetched != 0 {
			t.Errorf("%d were fetched again", x.vault.total()-n)
		}
	})
}

// TestFilesGoOn: a process that is stopped at any place, in any way, leaves nothing half, and those after it fetch what is not there and nothing else.
func TestFilesGoOn(t *testing.T) {
	t.Parallel()
	stop := errors.New("the budget is spent")
	for _, way := range []string{"bound", "interrupt", "kill"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x := newFileTest(t)
				x.fill(200)
				processes, allowed := 0, 0
				for ; ; processes++ {
					if processes > 50 {
						t.Fatal("it does not come to an end")
					}
					ctx, cancel := context.WithCancel(t.Context())
					var asked atomic.Int64
					x.more = func() error {
						switch n := asked.Add(1); {
						case way == "bound" && n > 30:
							return stop
						case way != "bound" && n == 30:
							cancel()
						}
						return nil
					}
					err := x.run(ctx)
					cancel()
					if err == nil {
						break
					}
					if way == "bound" && !errors.Is(err, stop) || way != "bound" && !errors.Is(err, context.Canceled) {
						t.Fatal(err)
					}
					if x.published() {
						t.Fatal("something was published")
					}
					for name, text := range x.files() {
						if id, _, _ := strings.Cut(name, "."); text != string(x.vault.contents[id]) {
							t.Fatalf("%s has %d bytes", name, len(text))
						}
					}
					if way == "kill" && allowed == 0 { // what a process that dies leaves, and a disk that has lost the end of a file
						for name, text := range x.files() {
							if len(text) > 0 && allowed == 0 {
								x.must(os.Truncate(filepath.Join(x.dir, "contents", name), int64(len(text)-1)))
								allowed = 1
							}
						}
						part := filepath.Join(x.dir, "contents", ".files.parts")
						x.must(errors.Join(os.Mkdir(part, 0o700), os.WriteFile(filepath.Join(part, "068000000000000AAA.bin"), []byte("x"), 0o600)))
					}
					if way != "bound" {
						allowed += 4 // what was on its way
					}
				}
				x.check()
				again := x.vault.total() - len(x.vault.fetched)
				t.Logf("%d processes, %d contents, %d fetched again", processes+1, len(x.vault.fetched), again)
				if processes < 3 || again > allowed {
					t.Errorf("%d processes, %d contents fetched again, at most %d should be", processes+1, again, allowed)
				}
			})
		})
	}
}

// TestFilesFaults: what does not come as its row says is fetched again, a few times, and never taken.
func TestFilesFaults(t *testing.T) {
	t.Parallel()
	temporary := fmt.Errorf("503: %w", salesforce.ErrTemporary)
	forbidden := &salesforce.APIError{Status: 403, Code: "INSUFFICIENT_ACCESS"}
	cut := func(content []byte) io.Reader {
		return io.MultiReader(bytes.NewReader(content[:10]), broken{fmt.Errorf("read the answer: %w", salesforce.ErrTemporary)})
	}
	other := func(content []byte) io.Reader { return strings.NewReader(strings.Repeat("x", len(content))) }
	for _, tt := range []struct {
		name  string
		fault func(n int, content []byte) (io.Reader, error)
		want  error
		tries int
	}{
		{"cut once", func(n int, c []byte) (io.Reader, error) {
			if n == 1 {
				return cut(c), nil
			}
			return nil, nil
		}, nil, 2},
		{"other bytes twice", func(n int, c []byte) (io.Reader, error) {
			if n < 3 {
				return other(c), nil
			}
			return nil, nil
		}, nil, 3},
		{"always cut", func(_ int, c []byte) (io.Reader, error) { return cut(c), nil }, salesforce.ErrTemporary, 3},
		{"ends early and does not say so", func(_ int, c []byte) (io.Reader, error) { return bytes.NewReader(c[:10]), nil }, pipeline.ErrAccounting, 3},
		{"never ends", func(_ int, c []byte) (io.Reader, error) { return endless{}, nil }, pipeline.ErrAccounting, 3},
		{"other bytes", func(_ int, c []byte) (io.Reader, error) { return other(c), nil }, pipeline.ErrAccounting, 3},
		{"busy", func(int, []byte) (io.Reader, error) { return nil, temporary }, salesforce.ErrTemporary, 1},
		{"forbidden", func(int, []byte) (io.Reader, error) { return nil, forbidden }, forbidden, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x := newFileTest(t)
				x.fill(40)
				bad := x.add(bytes.Repeat([]byte("content"), 100), "txt", "")
				x.fill(40)
				x.vault.fault = func(id string, n int, c []byte) (io.Reader, error) {
					if id != bad {
						return nil, nil
					}
					return tt.fault(n, c)
				}
				err := x.run(t.Context())
				if !errors.Is(err, tt.want) || x.vault.fetched[bad] != tt.tries {
					t.Fatalf("%v after %d tries", err, x.vault.fetched[bad])
				}
				if tt.want != nil {
					if x.published() || !strings.Contains(err.Error(), "VersionData of ContentVersion "+bad+" (file "+bad+".txt)") {
						t.Errorf("published: %v; %v", x.published(), err)
					}
					x.vault.fault = nil
					x.must(x.run(t.Context()))
				}
				x.check()
			})
		})
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestFilesWithout: a record without a content has a line and no file; one whose content is gone is told of, and none of both stops the rows.
func TestFilesWithout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newFileTest(t)
		x.add([]byte("one"), "txt", "")
		x.add(nil, "txt", "")
		x.rows[1][1] = nil // null
		gone := x.add([]byte("gone"), "txt", "")
		delete(x.vault.contents, gone)
		x.add(nil, "", "") // empty
		x.must(x.run(t.Context()))
		want := [][]string{{"068000000000000AAA", "068000000000000AAA.txt", "3", fmt.Sprintf("%x", sha256.Sum256([]byte("one"))), "there"}, {"068000000000001AAA", "", "", "", "none"},
			{"068000000000002AAA", "", "", "", "missing"}, {"068000000000003AAA", "068000000000003AAA", "0", fmt.Sprintf("%x", sha256.Sum256(nil)), "there"}}
		if diff := cmp.Diff(want, x.list()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]string{"068000000000000AAA.txt": "one", "068000000000003AAA": ""}, x.files()); diff != "" {
			t.Error(diff)
		}
		if x.taken != (export.FilesTaken{Records: 4, Bytes: 3, Fetched: 1, None: 1, Missing: 1}) || len(x.told) != 1 || !strings.Contains(x.told[0], gone) {
			t.Errorf("%+v %q", x.taken, x.told)
		}
		x.add([]byte("no Id"), "", "")
		x.rows[4][0] = []byte("../x")
		if err := x.run(t.Context()); err == nil || !strings.Contains(err.Error(), "no Id of 18 characters") {
			t.Errorf("got %v", err)
		}
	})
}

// TestFilesThatChange: without a checksum a content of the same length is fetched again when its record has changed, and only then.
func TestFilesThatChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newFileTest(t)
		x.content.Checksum = ""
		ids := []string{x.add([]byte("first"), "txt", ""), x.add([]byte("other"), "txt", "")}
		x.must(x.run(t.Context()))
		x.vault.contents[ids[0]] = []byte("FIRST")
		x.rows[0][3] = []byte("2026-03-02T10:00:00.000Z")
		for _, name := range []string{"rows.csv", "rows.csv.manifest.json", "contents/files.csv"} {
			x.must(os.Remove(filepath.Join(x.dir, name)))
		}
		x.must(x.run(t.Context()))
		x.check()
		if x.vault.fetched[ids[0]] != 2 || x.vault.fetched[ids[1]] != 1 {
			t.Errorf("fetched %v", x.vault.fetched)
		}
	})
}

// TestFilesInTheWay: what stands where a content should go is never lost or followed.
func TestFilesInTheWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newFileTest(t)
		x.add([]byte("content"), "txt", "")
		outside := filepath.Join(x.dir, "outside")
		dir := filepath.Join(x.dir, "contents")
		name := filepath.Join(dir, "068000000000000AAA.txt")
		x.must(errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(outside, []byte("CONTENT"), 0o600), os.Symlink(outside, name)))
		x.must(x.run(t.Context()))
		x.check()
		if text, err := os.ReadFile(outside); string(text) != "CONTENT" || err != nil {
			t.Errorf("outside has %q, %v", text, err)
		}
		x.must(errors.Join(os.Remove(name), os.Mkdir(name, 0o700)))
		if err := x.run(t.Context()); err == nil || !strings.Contains(err.Error(), "is a folder; move it away") {
			t.Errorf("got %v", err)
		}
		x.resumed = false
		if err := x.run(t.Context()); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a list of another export: %v", err)
		}
	})
}
