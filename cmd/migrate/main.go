// Command migrate moves records in bulk into and out of Salesforce.
//
// This package reads flags and the environment, wires the packages together, prints, and chooses the exit code; what moves
// the rows is in package pipeline. There is one file for each command.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.LookupEnv, os.Stdin, os.Stdout, os.Stderr))
}

// app is what every command works with.
type app struct {
	env            func(string) (string, bool)
	stdin          io.Reader
	stdout, stderr io.Writer
	global         globalFlags
	begun          bool // the command line was understood
}

// globalFlags are understood by every command.
type globalFlags struct {
	stateDir string
	json     bool
	quiet    bool
	verbose  bool
}

// run is the whole program: it returns the exit code.
func run(ctx context.Context, args []string, env func(string) (string, bool), stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := withInterrupt(ctx, stderr)
	defer stop()
	a := &app{env: env, stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.command()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !a.begun {
		err = &usageError{err: err, command: cmd.CommandPath()}
		a.global.json = a.wantsJSON(args)
	}
	code := exitCode(ctx, err)
	if code != codeOK {
		err = withAdvice(err)
	}
	if code == codeInterrupted && !errors.Is(err, errInterrupted) {
		err = fmt.Errorf("%w: %w", errInterrupted, err)
	}
	if err != nil {
		a.printError(err, code)
	}
	return code
}

// wantsJSON finds out whether --json is meant by a command line that was not understood.
func (a *app) wantsJSON(args []string) bool {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	for _, arg := range slices.Backward(args) {
		if value, ok := strings.CutPrefix(arg, "--json"); ok && (value == "" || value[0] == '=') {
			yes, err := strconv.ParseBool(strings.TrimPrefix(value, "="))
			return value == "" || err == nil && yes
		}
	}
	twin, _ := a.env("MIGRATE_JSON")
	yes, _ := strconv.ParseBool(twin)
	return yes
}

// withInterrupt ends the context at the first interrupt, and the process at the second.
func withInterrupt(ctx context.Context, stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done, told := make(chan struct{}), make(chan struct{})
	var came atomic.Bool
	go func() {
		for n := 0; ; n++ {
			select {
			case <-signals:
			case <-done:
				return
			}
			if n > 0 {
				os.Exit(codeInterrupted)
			}
			came.Store(true)
			cancel(errInterrupted)
			go func() { // where nobody reads it, it must not keep the second one from its effect
				defer close(told)
				fmt.Fprintln(stderr, "\ninterrupted: saving the state; once more to end at once")
			}()
		}
	}()
	return ctx, func() {
		if came.Load() && context.Cause(ctx) == errInterrupted {
			<-told
		}
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

var errInterrupted = errors.New("interrupted")

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "migrate",
		Short:         "Move records in bulk into and out of Salesforce",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.begun = true
			return a.fromEnvironment(cmd)
		},
	}
	f := root.PersistentFlags()
	f.StringVar(&a.global.stateDir, "state-dir", "", "folder of the run folders (default .migrate beside the plan, else in the working folder)")
	f.BoolVar(&a.global.json, "json", false, "print JSON lines on stdout")
	f.BoolVarP(&a.global.quiet, "quiet", "q", false, "no progress")
	f.BoolVarP(&a.global.verbose, "verbose", "v", false, "tell each request and each step")
	root.AddCommand(a.initCommand(), a.loadCommand(), a.exportCommand(), a.runCommand(), a.planCommand(), a.rehearseCommand(), a.resumeCommand(), a.retryCommand(), a.runsCommand(), a.statusCommand(),
		a.previewCommand(), a.describeCommand(), a.limitsCommand(), a.orgCommand(), a.versionCommand())
	return root
}

// invocation is how the user calls the program, for the commands that it prints.
func invocation() string {
	if strings.Contains(os.Args[0], string(filepath.Separator)+"go-build") {
		return "go run ./cmd/migrate"
	}
	return filepath.Base(os.Args[0])
}
