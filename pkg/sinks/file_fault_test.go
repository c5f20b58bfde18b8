//go:build linux

package sinks_test

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"migrate/pkg/sinks"
)

// A folder that may not be written is told at the start. A thread of the test becomes another user for that: root may write anywhere.
func TestFolderNotWritable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o555)); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if os.Getuid() == 0 {
			if err := unix.Setfsuid(65534); err != nil {
				t.Error(err)
				return
			}
		}
		for _, path := range []string{dir + "/t.csv", dir + "/", dir + "/new/"} {
			_, err := sinks.OpenFile(sinks.FileOptions{Path: path, Format: "csv", Schema: every})
			if err == nil || !strings.Contains(err.Error(), "permission denied") || !strings.Contains(err.Error(), "folder") {
				t.Errorf("%s: %v", path, err)
			}
		}
	}()
	<-done
}

// TestFullDiskChild is no test: it exports where files cannot grow past 100 kB.
func TestFullDiskChild(t *testing.T) {
	dir := os.Getenv(childPath)
	if dir == "" {
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 100_000, Max: 100_000}); err != nil {
		t.Fatal(err)
	}
	tab := hard(5000)
	for _, format := range []string{"csv", "csv.gz", "csv.zst", "jsonl", "jsonl.gz", "jsonl.zst", "parquet"} {
		for _, path := range []string{filepath.Join(dir, "t."+format), dir + "/"} {
			_, err := export(t, tab, sinks.FileOptions{Path: path, Format: format, Parquet: sinks.ParquetOptions{GroupRows: 1000}}, 1000, 2000, 3000)
			if err == nil || !strings.Contains(err.Error(), "file too large") || !strings.Contains(err.Error(), "t."+format) && !strings.Contains(err.Error(), "part-00000."+format) ||
				strings.Contains(err.Error(), ".migrating") {
				t.Errorf("%s: %v", format, err)
			}
			if left := inDir(t, dir); len(left) > 0 {
				t.Errorf("%s left %v", format, names(left))
			}
		}
	}
	t.Log("all refused")
}

// A disk that takes no more ends the export with an error that names the file, and leaves nothing.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullDiskChild$", "-test.v")
	cmd.Env = append(os.Environ(), childPath+"="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "all refused") {
		t.Errorf("%v\n%s", err, out)
	}
}
