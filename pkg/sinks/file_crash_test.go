package sinks_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"migrate/pkg/sinks"
)

// childPath tells a process that it is the one to be killed, and where it exports to.
const childPath = "MIGRATE_TEST_EXPORT_TO"

// crashRows is the table of a generation. Each has other rows.
func crashRows(generation uint64) table {
	return draw(rand.New(rand.NewPCG(9, generation)), every, 3000)
}

func crashOptions(path string) sinks.FileOptions {
	return sinks.FileOptions{Path: path, Format: "csv.zst", PartRows: 700, Overwrite: true, Schema: every}
}

// TestFileCrashChild is no test: it exports the second generation and says when it begins to.
func TestFileCrashChild(t *testing.T) {
	path := os.Getenv(childPath)
	if path == "" {
		return
	}
	tab := crashRows(2)
	b := tab.batch(0, len(tab.rows))
	fmt.Println("ready")
	s, err := sinks.OpenFile(crashOptions(path))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		if err := s.Write(t.Context(), b.NewSlice(int64(i*100), int64(i*100+100))); err != nil {
			t.Fatal(err)
		}
	}
	files, err := s.Publish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := sinks.WriteManifest(path, sinks.Manifest{Version: 1, Run: "2", Files: files}); err != nil {
		t.Fatal(err)
	}
}

// A process is killed at any moment of an export. A single file is the old one or the new one, whole. In a folder, a manifest tells of files that
// are there with the content that it says. The next export ends as if nothing had happened, and leaves nothing of the dead one.
func TestFileCrash(t *testing.T) {
	t.Parallel()
	rounds := 12
	if os.Getenv("MIGRATE_TORTURE") != "" {
		rounds = 150
	}
	for _, folder := range []bool{false, true} {
		dir := t.TempDir()
		path := filepath.Join(dir, "t.csv.zst")
		if folder {
			path = dir + "/"
		}
		generation := func(n uint64) map[string]string {
			files := mustExport(t, crashRows(n), crashOptions(path))
			if err := sinks.WriteManifest(path, sinks.Manifest{Version: 1, Run: fmt.Sprint(n), Files: files}); err != nil {
				t.Fatal(err)
			}
			return inDir(t, dir)
		}
		states := map[string]int{}
		var took time.Duration
		second := generation(2)
		for round := range rounds {
			first := generation(1)
			cmd := exec.Command(os.Args[0], "-test.run=^TestFileCrashChild$")
			cmd.Env = append(os.Environ(), childPath+"="+path)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := out.Read(make([]byte, 6)); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			if round == 0 {
				cmd.Wait() // to know how long it takes
				took = time.Since(begun)
			} else {
				time.Sleep(rand.N(took))
				cmd.Process.Kill()
				cmd.Wait()
			}
			left := inDir(t, dir)
			m, err := sinks.ReadManifest(path)
			switch {
			case err == nil:
				states["generation "+m.Run]++
				want := map[string]map[string]string{"1": first, "2": second}[m.Run]
				for _, f := range m.Files {
					if name := filepath.Base(f.Path); left[name] != want[name] || left[name] == "" {
						t.Fatalf("the manifest of generation %s is there, and %s is not what it says", m.Run, name)
					}
				}
			case errors.Is(err, fs.ErrNotExist):
				states["no manifest"]++
			default:
				t.Fatal(err)
			}
			if text := left["t.csv.zst"]; !folder && text != first["t.csv.zst"] && text != second["t.csv.zst"] {
				t.Fatalf("a file of %d bytes that is neither the old one nor the new one", len(text))
			}
			for name := range left {
				if name[0] == '.' && !strings.Contains(name, ".migrating") {
					t.Errorf("an odd name: %s", name)
				}
			}
			if got := generation(2); !slices.Equal(names(got), names(second)) {
				t.Fatalf("after it: %v, want %v", names(got), names(second))
			}
		}
		t.Logf("folder %v, killed within %v: %v", folder, took, states)
		if folder && states["generation 1"] == 0 {
			t.Error("it was never killed before it published: the test sees nothing")
		}
	}
}
