package checkpoint_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"migrate/pkg/checkpoint"
)

// holdEnv makes the test binary a process that holds the lock of a folder until it is killed.
const holdEnv = "CHECKPOINT_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdEnv); dir != "" {
		if _, err := checkpoint.Acquire(dir, "migrate load held.csv"); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("held")
		time.Sleep(time.Hour)
	}
	os.Exit(m.Run())
}

// hold starts a process that holds the lock of a folder.
func hold(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("the process that is to hold the lock said %q (%v)", line, err)
	}
	return cmd
}

func TestLockIsHeldByOneProcess(t *testing.T) {
	dir := t.TempDir()
	l, err := checkpoint.Acquire(dir, "migrate load a.csv")
	if err != nil {
		t.Fatal(err)
	}
	if l.Dead != nil {
		t.Errorf("a new folder has a dead owner: %v", l.Dead)
	}
	var locked *checkpoint.LockedError
	if _, err := checkpoint.Acquire(dir, "migrate resume"); !errors.As(err, &locked) {
		t.Fatalf("second lock: %v, want a LockedError", err)
	}
	host, _ := os.Hostname()
	since := locked.Holder.Since
	if diff := cmp.Diff(checkpoint.Holder{PID: os.Getpid(), Host: host, Since: since, Command: "migrate load a.csv"}, locked.Holder); diff != "" {
		t.Error("holder (-want +got)", diff)
	}
	if age := time.Since(since); age < 0 || age > time.Minute {
		t.Errorf("held since %v, %v ago", since, age)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if l, err = checkpoint.Acquire(dir, ""); err != nil || l.Dead != nil {
		t.Fatalf("after release: %v, dead owner %v", err, l.Dead)
	}
	l.Release()
}

func TestLockOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	other := hold(t, dir)
	var locked *checkpoint.LockedError
	_, err := checkpoint.Acquire(dir, "migrate resume")
	if !errors.As(err, &locked) || locked.Elsewhere || locked.Holder.PID != other.Process.Pid {
		t.Fatalf("%v, want that process %d holds the lock", err, other.Process.Pid)
	}
	if text := err.Error(); !strings.Contains(text, "since ") || !strings.Contains(text, "migrate load held.csv") {
		t.Errorf("the error does not say since when and what: %s", text)
	}

	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	other.Wait()
	l, err := checkpoint.Acquire(dir, "migrate resume")
	if err != nil {
		t.Fatalf("after the holder was killed: %v", err)
	}
	defer l.Release()
	if l.Dead == nil || l.Dead.PID != other.Process.Pid || l.Dead.Command != "migrate load held.csv" {
		t.Errorf("taken over from %v, want process %d", l.Dead, other.Process.Pid)
	}
}

// left writes a lock file as a process that has ended would have left it.
func left(t *testing.T, dir string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "lock"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func holder(t *testing.T, pid int, host string) []byte {
	t.Helper()
	text, err := json.Marshal(checkpoint.Holder{PID: pid, Host: host, Since: time.Now(), Command: "migrate resume"})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestLockOfAReusedProcessNumber: the number in the file is that of a process which lives and has nothing to do with the run.
func TestLockOfAReusedProcessNumber(t *testing.T) {
	dir := t.TempDir()
	host, _ := os.Hostname()
	left(t, dir, holder(t, os.Getppid(), host))
	l, err := checkpoint.Acquire(dir, "")
	if err != nil {
		t.Fatalf("a number that somebody else has by now blocks: %v", err)
	}
	defer l.Release()
	if l.Dead == nil || l.Dead.PID != os.Getppid() {
		t.Errorf("dead owner %v", l.Dead)
	}
}

func TestLockOfAnotherMachine(t *testing.T) {
	dir := t.TempDir()
	left(t, dir, holder(t, 4711, "elsewhere.example"))
	for range 2 { // asking does not change it
		var locked *checkpoint.LockedError
		_, err := checkpoint.Acquire(dir, "")
		if !errors.As(err, &locked) || !locked.Elsewhere || locked.Holder.Host != "elsewhere.example" {
			t.Fatalf("%v, want a LockedError of another machine", err)
		}
		if path := filepath.Join(dir, "lock"); !strings.Contains(err.Error(), "remove "+path) {
			t.Errorf("the error does not say what to do: %v", err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	l, err := checkpoint.Acquire(dir, "")
	if err != nil {
		t.Fatalf("after the file was removed, as the error says: %v", err)
	}
	l.Release()
}

// TestLockWithoutAName: the owner ended while it wrote its name.
func TestLockWithoutAName(t *testing.T) {
	for _, text := range []string{`{"pid":12,"ho`, "\x00\x00\x00", "process 12 on here"} {
		dir := t.TempDir()
		left(t, dir, []byte(text))
		l, err := checkpoint.Acquire(dir, "")
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if l.Dead == nil || l.Dead.String() != "another process" {
			t.Errorf("%q: dead owner %v", text, l.Dead)
		}
		l.Release()
	}
}

func TestSalesforceIDs(t *testing.T) {
	s, _ := create(t)
	_, b := cut(t, s, 0, 2, 2)
	b.SalesforceID = "750A"
	if err := s.Advance(ctx, b, checkpoint.BulkCreated); err != nil {
		t.Fatal(err)
	}
	next, err := s.Replace(ctx, b, "aborted") // its job stays known
	if err != nil {
		t.Fatal(err)
	}
	cut(t, s, 2, 2, 2) // never created
	next.SalesforceID = "750B"
	if err := s.Advance(ctx, next, checkpoint.BulkCreated); err != nil {
		t.Fatal(err)
	}
	ids, err := s.SalesforceIDs(ctx)
	if diff := cmp.Diff([]string{"750A", "750B"}, ids); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}
