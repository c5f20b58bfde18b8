package main

import (
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"migrate/internal/localorg"
)

// faultyLine is a way to a database that carries so many connections and then breaks: the last of them after some bytes.
type faultyLine struct {
	net.Listener
	left atomic.Int64
}

// lineTo listens in place of the database of an address, and gives the address that leads through it.
func lineTo(t *testing.T, address string, connections int64) (*faultyLine, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	line := &faultyLine{Listener: l}
	line.left.Store(connections)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go line.carry(in, server)
		}
	}()
	u.Host = l.Addr().String()
	return line, u.String()
}

func (l *faultyLine) carry(in net.Conn, server string) {
	defer in.Close()
	left := l.left.Add(-1)
	if left < 0 {
		return
	}
	out, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer out.Close()
	go func() {
		io.Copy(out, in)
		out.Close()
	}()
	if left == 0 {
		io.CopyN(in, out, 100_000) // in the middle of the rows
		return
	}
	io.Copy(in, out)
}

// TestRangesOverABrokenLine: a connection that breaks in the middle of a range ends the run as temporary; what was read is in the org, and
// a resume reads the rest.
func TestRangesOverABrokenLine(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"postgres", "mysql"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			address := newDatabase(t, kind)
			db := openDatabase(t, kind, address)
			rows := map[string]string{"postgres": "select i as id, concat('N', i) as name, repeat('x', 100) as note from generate_series(1, 8000) i",
				"mysql": "select seq as id, concat('N', seq) as name, repeat('x', 100) as note from seq_1_to_8000"}[kind]
			if _, err := db.ExecContext(t.Context(), "create table customer as "+rows); err != nil {
				t.Fatal(err)
			}
			line, address := lineTo(t, address, 3) // the question, the first range, and a part of the second
			dir := t.TempDir()
			file := filepath.Join(dir, "plan.yaml")
			text := "version: 1\nsources: { old: { " + kind + `: "${OLD_DSN}" } }
jobs:
  customers:
    load: Account
    operation: insert
    source: { from: old, table: customer, split_by: id, splits: 4 }
    fields: { Legacy_Id__c: id, Name: name, Description: note }
`
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			do := func(want int, args ...string) string {
				self, err := os.Executable()
				if err != nil {
					t.Fatal(err)
				}
				cmd := exec.CommandContext(t.Context(), self)
				cmd.Args = append([]string{"migrate", "--state-dir", dir}, args...) // the name tells TestMain what to be
				cmd.Env = append(os.Environ(), "OLD_DSN="+address)
				out, err := cmd.CombinedOutput()
				code := 0
				if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
					code = exit.ExitCode()
				} else if err != nil {
					t.Fatal(err)
				}
				if code != want || strings.Contains(string(out), "secret") || strings.Contains(string(out), "[mysql]") {
					t.Fatalf("%v: exit code %d, want %d\n%s", args, code, want, out)
				}
				return string(out)
			}
			out := do(codeTemporary, "run", file, "--org", "local", "--readers", "1")
			for _, want := range []string{"old: customer (id >= 2001 and id < 4001): ", "the database did not answer as it should", "go on with: "} {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			if out := do(0, "status"); !strings.Contains(out, "insert  2,000         0         0      2,000 ") {
				t.Errorf("the first range is not in\n%s", out)
			}
			line.left.Store(100)
			do(0, "resume")
			org, err := localorg.Open(localorg.Config{Dir: filepath.Join(onlyRun(t, dir), localDirName)})
			if err != nil {
				t.Fatal(err)
			}
			defer org.Close()
			keys, err := org.Keys("Account", "Legacy_Id__c")
			if err != nil || keys.Distinct != 8000 || keys.Rows != 8000 {
				t.Errorf("%+v, %v", keys, err)
			}
		})
	}
}
