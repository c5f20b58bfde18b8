package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"migrate/internal/testdb"
)

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"migrate": main, "xdg-open": browser})
}

// tests runs eight tests at once unless told otherwise, since scripts wait for the org most of the time, and fails when a
// goroutine outlives them.
type tests struct{ *testing.M }

func (m tests) Run() int {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		flag.Set("test.parallel", "8")
	}
	code := testdb.Main(m.M)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// TestScript runs the scripts in testdata/script. Beside the commands of testscript they know:
//
//	exits CODE COMMAND…       run a command that must end with this exit code
//	exits CODE                the command that signal ended had this exit code
//	signal NAME               send INT or KILL to the commands in the background; then wait for them
//	next CODE [OLD=NEW…]      run the command that stdout names as the next one, with OLD replaced by NEW
//	replace OLD NEW FILE      replace a text that must be in the file; \n, \t and \xNN as in Go
//	write FILE TEXT           write a text; \n, \t, \xNN as in Go
//	json TYPE [KEY=VALUE…]    each line of stdout is JSON with a message_type, and one of this type has these values
//	[!] found TEXT PATH…      a file at or below one of the paths holds the text
//	await VAR FILE TEXT       wait until the file holds the text, and put the word that follows it into the variable
//	grown FILE BYTES          wait until the file, * is allowed, is that long
//	hush TEXT…                these are secrets; @FILE are the lines of a file
//	discreet CODE COMMAND…    exits, and no secret gets anywhere; see script_secret_test.go
//	key PRIVATE PUBLIC        write an RSA key pair as PEM files
//	org …                     see orgCommand in script_org_test.go
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			samples, err := filepath.Abs(filepath.Join("..", "..", "testdata"))
			if err != nil {
				return err
			}
			e.Setenv("SAMPLES", samples)
			e.Setenv("TZ", "UTC")
			e.Setenv("PLAIN", heedingModes())
			e.Values[scriptKey{}] = &script{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exitsCommand, "signal": signalCommand, "next": nextCommand, "replace": replaceCommand, "write": writeCommand,
			"json": jsonCommand, "found": foundCommand, "hush": hushCommand, "discreet": discreetCommand,
			"await": awaitCommand, "grown": grownCommand, "key": keyCommand, "org": orgCommand, "parquet": parquetCommand, "sqlite": sqliteCommand,
		},
	})
}

// heedingModes begins a command of sh that heeds the modes of files, which root otherwise does not.
func heedingModes() string {
	if os.Getuid() == 0 {
		return "setpriv --bounding-set -dac_override,-dac_read_search,-fowner "
	}
	return ""
}

// script is what the commands of one script share.
type script struct {
	org      *scriptOrg
	signaled *exec.Cmd
	secrets  []string // see hush
}

type scriptKey struct{}

// patience is how long a script waits for something that takes milliseconds on an idle machine.
const patience = 30 * time.Second

func scriptOf(ts *testscript.TestScript) *script { return ts.Value(scriptKey{}).(*script) }

func exitsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: exits CODE [COMMAND…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if len(args) > 1 {
		mustExit(ts, want, args[1:])
		return
	}
	cmd := scriptOf(ts).signaled
	if cmd == nil || cmd.ProcessState == nil {
		ts.Fatalf("exits: signal a command and wait for it first")
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func mustExit(ts *testscript.TestScript, want int, command []string) {
	got := 0
	err := ts.Exec(command[0], command[1:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func signalCommand(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"INT": os.Interrupt, "KILL": os.Kill}
	if neg || len(args) != 1 || signals[args[0]] == nil {
		ts.Fatalf("usage: signal INT|KILL")
	}
	running := ts.BackgroundCmds()
	if len(running) != 1 {
		ts.Fatalf("signal: %d commands in the background, want one", len(running))
	}
	scriptOf(ts).signaled = running[0]
	ts.Check(running[0].Process.Signal(signals[args[0]]))
}

// nextCommand runs what the last command told the user to run, word for word but for the replacements.
func nextCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: next CODE [OLD=NEW…]")
	}
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	var command string
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		for _, lead := range []string{"go on with: ", "then: "} {
			if _, after, ok := strings.Cut(line, lead); ok {
				command = strings.TrimSpace(after)
			}
		}
	}
	if command == "" {
		ts.Fatalf("stdout names no next command")
	}
	for _, a := range args[1:] {
		before, after, _ := strings.Cut(a, "=")
		if !strings.Contains(command, before) {
			ts.Fatalf("the next command, %s, has no %s", command, before)
		}
		command = strings.Replace(command, before, after, 1)
	}
	ts.Logf("next: %s", command)
	mustExit(ts, code, []string{"sh", "-c", command})
}
