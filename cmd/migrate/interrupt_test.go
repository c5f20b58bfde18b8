//go:build unix

package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"migrate/internal/localorg"
)

// interruptedRun is a migrate process that works on the plan of disk_test.go.
type interruptedRun struct {
	*exec.Cmd
	dir    string
	stdout bytes.Buffer
	stderr bytes.Buffer
}

func startRun(t *testing.T, org *httptest.Server, dir string, args ...string) *interruptedRun {
	t.Helper()
	r := &interruptedRun{Cmd: exec.Command("migrate", args...), dir: dir}
	r.Dir = dir
	r.Env = append(os.Environ(), "MIGRATE_INSTANCE_URL="+org.URL, "MIGRATE_ACCESS_TOKEN="+scriptToken, "TZ=UTC")
	r.Stdout, r.Stderr = &r.stdout, &r.stderr
	return r
}

// end waits for the end of the process, kills it when that takes too long, and gives its exit code.
func (r *interruptedRun) end(t *testing.T, most time.Duration) int {
	t.Helper()
	late := time.AfterFunc(most, func() { r.Process.Kill() })
	defer late.Stop()
	r.Wait()
	if !r.ProcessState.Exited() {
		t.Errorf("the process has not ended within %v:\n%s%s", most, r.stdout.String(), r.stderr.String())
	}
	return r.ProcessState.ExitCode()
}

// start starts the process, which does not outlive the test.
func (r *interruptedRun) start(t *testing.T) {
	t.Helper()
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Process.Kill(); r.Wait() })
}

// hanging is an org that lets calls hang, as many as come, until it is freed.
type hanging struct {
	*localorg.Org
	call  *regexp.Regexp // method and path below the version
	met   atomic.Bool
	freed atomic.Bool
}

func (h *hanging) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.call != nil && !h.freed.Load() && h.call.MatchString(r.Method+" "+r.URL.Path) {
		h.met.Store(true)
		io.Copy(io.Discard, r.Body) // only then the server notices that the client goes away
		<-r.Context().Done()
		return
	}
	h.Org.ServeHTTP(w, r)
}

// until waits for a condition.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !met(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v there is still no %s", patience, what)
		}
	}
}

// There is a phase in which each call and each piece of work at home hangs; Ctrl-C ends it soon with exit code 130, and what it tells to do
// leads to the end, with each row once.
func TestInterruptInEachPhase(t *testing.T) {
	t.Parallel()
	fine := []string{"run", "plan.yaml", "--chunk-rows", "300"}
	tests := []struct {
		name  string
		hangs string // method and path of the call that hangs
		file  string // pattern of the file that is written when it is time
		plan  string
		cfg   localorg.Config
		begun bool // there is a run to go on with
	}{
		{name: "describe", hangs: "GET .*/sobjects/[^/]+/describe"},
		{name: "limits", hangs: "GET .*/limits", begun: true},
		{name: "create", hangs: "POST .*/jobs/ingest", begun: true},
		{name: "upload", hangs: "PUT .*/jobs/ingest/[^/]+/batches", begun: true},
		{name: "close", hangs: "PATCH .*/jobs/ingest/[^/]+", begun: true},
		{name: "look at a job", hangs: "GET .*/jobs/ingest/[^/]+", begun: true},
		{name: "failed results", hangs: "GET .*/failedResults/?", begun: true},
		{name: "successful results", hangs: "GET .*/successfulResults/?", begun: true},
		{name: "lookup", hangs: "POST .*/jobs/query", begun: true, plan: strings.Replace(diskPlan, "ref: accounts, from: account", "lookup: Account.Legacy_Id__c, from: account", 1)},
		{name: "results of a lookup", hangs: "GET .*/jobs/query/[^/]+/results", begun: true, plan: strings.Replace(diskPlan, "ref: accounts, from: account", "lookup: Account.Legacy_Id__c, from: account", 1)},
		{name: "a job that waits in the org", cfg: localorg.Config{StartDelay: 3 * time.Second}, begun: true},
		{name: "query", file: ".accounts.arrow*", plan: `version: 1
sources: { q: { sqlite: q.db } }
jobs:
  accounts:
    load: Account
    operation: insert
    source: { from: q, query: "with recursive c(n) as (select 1 union all select n+1 from c where n < 100000000) select n as no from c" }
    fields: { Name: no }
`},
		{name: "grouping", file: ".contacts.groups.arrow*", plan: `version: 1
jobs:
  contacts:
    load: Contact
    operation: insert
    group_by_parent: AccountId
    source: { csv: many.csv }
    fields: { LastName: last, AccountId: account }
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.cfg.AccessToken = scriptToken
			org, err := localorg.Open(tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			h := &hanging{Org: org}
			if tt.hangs != "" {
				h.call = regexp.MustCompile("^" + tt.hangs + "$")
			}
			server := httptest.NewServer(h)
			defer func() { server.CloseClientConnections(); server.Close(); org.Close() }()
			dir := t.TempDir()
			writeDiskPlan(t, dir)
			if tt.plan != "" {
				if err := os.WriteFile(filepath.Join(dir, "plan.yaml"), []byte(tt.plan), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if strings.Contains(tt.plan, "q.db") {
				db, err := sql.Open("sqlite", filepath.Join(dir, "q.db"))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := db.Exec("create table t (c)"); err != nil {
					t.Fatal(err)
				}
				db.Close()
			}
			if strings.Contains(tt.plan, "many.csv") {
				text := "last,account\n" + strings.Repeat("Last,0015g00000AbCdEAAV\nLast,0015g00000AbCdFAAV\n", 500_000)
				if err := os.WriteFile(filepath.Join(dir, "many.csv"), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			r := startRun(t, server, dir, fine...)
			r.start(t)
			until(t, "start of "+tt.name, func() bool {
				switch {
				case tt.hangs != "":
					return h.met.Load()
				case tt.file != "":
					found, _ := filepath.Glob(filepath.Join(dir, ".migrate", "runs", "*", tt.file))
					return len(found) > 0
				}
				return org.Audit().Calls["PATCH jobs/ingest/{}"] > 0
			})
			r.Process.Signal(os.Interrupt)
			began := time.Now()
			code := r.end(t, patience)
			took := time.Since(began)
			t.Logf("took %v", took)
			if code != codeInterrupted || took > 5*time.Second {
				t.Errorf("exit code %d after %v:\n%s%s", code, took, r.stdout.String(), r.stderr.String())
			}
			if !strings.Contains(r.stderr.String(), "interrupted: saving the state; once more to end at once") {
				t.Errorf("stderr: %s", r.stderr.String())
			}
			if begun := strings.Contains(r.stdout.String(), "go on with: migrate resume"); begun != tt.begun {
				t.Errorf("a run to go on with: %t, want %t: %s%s", begun, tt.begun, r.stdout.String(), r.stderr.String())
			}
			if !tt.begun {
				if left, _ := filepath.Glob(filepath.Join(dir, ".migrate", "runs", "*")); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
				if org.Audit().Calls["POST jobs/ingest"] > 0 {
					t.Error("something was sent")
				}
				return
			}
			h.freed.Store(true)
			r = startRun(t, server, dir, "resume")
			r.start(t)
			if code := r.end(t, 4*patience); code != codeFailedRows {
				t.Errorf("resume: exit code %d:\n%s%s", code, r.stdout.String(), r.stderr.String())
			}
			const rows = diskAccounts - diskAccounts/50
			if k, err := org.Keys("Account", "Legacy_Id__c"); err != nil || k != (localorg.KeyAudit{Rows: rows, Distinct: rows}) {
				t.Errorf("accounts: %+v, %v, want %d, each once", k, err, rows)
			}
			if k, err := org.Keys("Contact", "LastName"); err != nil || k != (localorg.KeyAudit{Rows: rows, Distinct: rows}) {
				t.Errorf("contacts: %+v, %v, want %d, each once", k, err, rows)
			}
		})
	}
}

// A second Ctrl-C ends the process at once, also when the first one cannot get on: nobody reads what it says, or no input comes.
func TestInterruptTwice(t *testing.T) {
	t.Parallel()
	org, err := localorg.Open(localorg.Config{AccessToken: scriptToken, StartDelay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(org)
	defer func() { server.CloseClientConnections(); server.Close(); org.Close() }()
	dir := t.TempDir()
	writeDiskPlan(t, dir)
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	defer in.Close()
	r := startRun(t, server, dir, "run", "plan.yaml", "--chunk-rows", "300", "--verbose")
	r.Stdout, r.Stderr = in, in
	fd := int(in.Fd())
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for full := false; !full; { // what the process says does not fit into the pipe
		_, err := syscall.Write(fd, bytes.Repeat([]byte("."), 4096))
		full = err == syscall.EAGAIN
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	time.Sleep(500 * time.Millisecond) // it is stuck by then, wherever that is
	for n := range 2 {
		r.Process.Signal(os.Interrupt)
		if n == 0 {
			time.Sleep(200 * time.Millisecond)
		}
	}
	began := time.Now()
	if code := r.end(t, patience); code != codeInterrupted || time.Since(began) > time.Second {
		t.Errorf("exit code %d after %v", code, time.Since(began))
	}
}

// Standard input that does not come is no reason to stay.
func TestInterruptStandardInput(t *testing.T) {
	t.Parallel()
	org, err := localorg.Open(localorg.Config{AccessToken: scriptToken})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(org)
	defer func() { server.CloseClientConnections(); server.Close(); org.Close() }()
	dir := t.TempDir()
	r := startRun(t, server, dir, "load", "-", "--object", "Account")
	in, err := r.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r.start(t)
	fmt.Fprint(in, "Name\nOne\n")
	until(t, "file of standard input", func() bool {
		found, _ := filepath.Glob(filepath.Join(dir, ".migrate", "runs", "*", "."+standardInput+"*"))
		return len(found) > 0
	})
	r.Process.Signal(os.Interrupt)
	began := time.Now()
	if code := r.end(t, patience); code != codeInterrupted || time.Since(began) > 5*time.Second {
		t.Errorf("exit code %d after %v: %s", code, time.Since(began), r.stderr.String())
	}
}
