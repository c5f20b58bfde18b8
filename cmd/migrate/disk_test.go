//go:build unix

package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"migrate/internal/localorg"
)

const diskPlan = `version: 1
jobs:
  accounts:
    load: Account
    operation: insert
    source: { csv: accounts.csv }
    id: no
    unique: [no]
    fields: { Legacy_Id__c: no, Name: name, Phone: Phone }
  contacts:
    load: Contact
    operation: insert
    source: { csv: contacts.csv }
    group_by_parent: AccountId
    fields: { LastName: last, AccountId: { ref: accounts, from: account } }
`

// Rows of the two files. One account in fifty has no name, which the org refuses, and one in forty is there twice, so it is rejected; so
// are the contacts of those that the org refuses.
const (
	diskAccounts = 1200
	diskContacts = 1200
)

func writeDiskPlan(t *testing.T, dir string) {
	t.Helper()
	var accounts, contacts strings.Builder
	accounts.WriteString("no,name,Phone\n")
	for i := range diskAccounts {
		name := fmt.Sprintf("Name %d %s", i, strings.Repeat("n", i%40))
		if i%50 == 7 {
			name = ""
		}
		fmt.Fprintf(&accounts, "%d,%s,%d\n", i, name, i)
		if i%40 == 3 {
			fmt.Fprintf(&accounts, "%d,%s again,%d\n", i, name, i)
		}
	}
	contacts.WriteString("last,account\n")
	for i := range diskContacts {
		fmt.Fprintf(&contacts, "Last %d,%d\n", i, i*7%diskAccounts)
	}
	for name, text := range map[string]string{"plan.yaml": diskPlan, "accounts.csv": accounts.String(), "contacts.csv": contacts.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// onDisk is a script that loads the plan where there is too little room, goes on while that is so, and then with room. It prints the
// exit codes. FULL and FREE are commands that make the room small and large; what is under FULL runs with it.
const onDisk = `
FULL
run() { name=$1; shift; SMALL sh -c '"$@" >../$0.out 2>../$0.err' $name migrate "$@" --instance-url $ORG; echo $name $?; }
run load run plan.yaml --state-dir state --chunk-rows 150 --concurrency 3
if [ -n "$(ls state/runs 2>/dev/null)" ]; then
	run still resume --state-dir state
	FREE
	unset LIMIT
	run end resume --state-dir state
else
	FREE
	unset LIMIT
	run end run plan.yaml --state-dir state --chunk-rows 150 --concurrency 3
fi
`

// A disk that is full, and a limit on the size of files, at as many places as the sizes lead to: the run stops as one that can go on, says
// why, and when there is room it comes to its end with each row in the org once or in a report.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("migrate"); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, before, small, free string
		sizes                     []int // KiB
	}{
		// Every file that grows beyond the limit is refused; the disk has room.
		{"file size", ``, `limited`, ``, []int{24, 48, 64, 90, 130, 2000}},
		{"disk", `mkdir state; mount -t tmpfs -o size=8m tmpfs state && head -c $((8388608 - SIZE*1024)) /dev/zero >state/ballast || exit 1`, ``, `rm state/ballast`,
			[]int{8, 150, 250, 370, 410, 450, 600, 900, 4000}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			shell := []string{"sh"}
			if tt.name == "disk" {
				shell = []string{"unshare", "-rm", "sh"}
				if out, err := exec.Command("unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", t.TempDir()).CombinedOutput(); err != nil {
					t.Skipf("NOT TESTED: a full disk, as this machine lets nobody mount a small one: %v: %s", err, out)
				}
			}
			var refused, stopped, ended atomic.Int64
			t.Run("sizes", func(t *testing.T) {
				for _, size := range tt.sizes {
					t.Run(fmt.Sprint(size), func(t *testing.T) {
						t.Parallel()
						switch loadOnDisk(t, shell, tt.before, tt.small, tt.free, size) {
						case "":
							refused.Add(1)
						case "5":
							stopped.Add(1)
						default:
							ended.Add(1)
						}
					})
				}
			})
			t.Logf("%d times nothing was begun, %d times the run stopped, %d times there was room", refused.Load(), stopped.Load(), ended.Load())
			if !t.Failed() && (refused.Load() < 1 || stopped.Load() < 2 || ended.Load() < 1) {
				t.Error("the sizes do not lead to all of that; choose others")
			}
		})
	}
}

// loadOnDisk gives the exit code with which the run stopped for want of room, or "" when it did not begin.
func loadOnDisk(t *testing.T, shell []string, before, small, free string, size int) string {
	org, err := localorg.Open(localorg.Config{AccessToken: scriptToken})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(org)
	defer func() { server.CloseClientConnections(); server.Close(); org.Close() }()
	base := t.TempDir()
	dir := filepath.Join(base, "work")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	writeDiskPlan(t, dir)
	script := fmt.Sprintf("SIZE=%d", size) + strings.NewReplacer("FULL", before, "FREE", free, "SMALL", small).Replace(onDisk)
	if small != "" { // ulimit counts in 512 bytes
		script = `limited() { if [ -n "$LIMIT" ]; then (ulimit -f $LIMIT; "$@"); else "$@"; fi; }; LIMIT=` + fmt.Sprint(2*size) + "\n" + script
	}
	cmd := exec.Command(shell[0], append(shell[1:], "-c", script)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ORG="+server.URL, "MIGRATE_ACCESS_TOKEN="+scriptToken, "TZ=UTC")
	out, err := cmd.CombinedOutput()
	said := func(name string) string {
		o, _ := os.ReadFile(filepath.Join(base, name+".out"))
		e, _ := os.ReadFile(filepath.Join(base, name+".err"))
		return string(o) + string(e)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	codes := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, code, _ := strings.Cut(strings.TrimSpace(line), " ")
		codes[name] = code
	}
	for _, name := range []string{"load", "still"} {
		switch codes[name] {
		case "5":
			if !strings.Contains(said(name), "make room on the disk and go on: nothing is lost") {
				t.Errorf("%s with %d KiB does not say what to do:\n%s", name, size, said(name))
			}
		case "", "3":
		case "2":
			if name == "still" && codes["load"] == "3" {
				break // there is nothing left to do
			}
			fallthrough
		default:
			t.Errorf("%s with %d KiB: exit code %s\n%s", name, size, codes[name], said(name))
		}
	}
	if codes["end"] != "3" && (codes["load"] != "3" && codes["still"] != "3" || codes["end"] != "2") {
		t.Errorf("with room: exit code %s\n%s", codes["end"], said("end"))
	}
	const unnamed = diskAccounts / 50
	for object, field := range map[string]string{"Account": "Legacy_Id__c", "Contact": "LastName"} {
		k, err := org.Keys(object, field)
		if err != nil {
			t.Fatal(err)
		}
		rows := diskAccounts - unnamed
		if object == "Contact" {
			rows = diskContacts - unnamed // each account has one
		}
		if want := (localorg.KeyAudit{Rows: rows, Distinct: rows}); k != want {
			t.Errorf("%d KiB: %s of %s in the org: %+v, want %+v\nload: %s\nend: %s", size, field, object, k, want, said("load"), said("end"))
		}
	}
	if _, begun := codes["still"]; !begun {
		return ""
	}
	return codes["load"]
}
