package pipeline_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/idmap"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
)

// childVariable makes the test binary work on a run instead of testing: it holds a child as JSON.
const childVariable = "MIGRATE_TEST_CHILD"

// child is a process that works on a run, and may be killed at it.
type child struct {
	URL     string // of the org
	Dir     string // run folder
	IDs     string // file of the id map
	Loads   []*load
	Options pipeline.Options

	Crash string // step at which it kills itself, "" = none
	Nth   int    // at which occurrence of the step, from 1
	Hold  bool   // occurrences before the n-th stay at the step
}

// The ends of a child, as its exit code. A child that is killed has none.
const (
	childDone    = 0
	childStopped = 3 // Run has returned an error
	childBroken  = 4 // it did not come as far as Run, for a reason that no fault of the org's excuses
)

// begun is the line that a child writes before it opens anything. A line for each step follows.
const begun = "begun"

// runChild is the child process.
func runChild(spec string) int {
	var c child
	if err := json.Unmarshal([]byte(spec), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return childBroken
	}
	fmt.Println(begun)
	cfg, err := c.config()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, salesforce.ErrTemporary) || errors.Is(err, salesforce.ErrLimit) {
			return childStopped
		}
		return childBroken
	}
	if _, err := pipeline.Run(context.Background(), cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return childStopped
	}
	return childDone
}

func (c *child) config() (pipeline.Config, error) {
	ctx := context.Background()
	var cfg pipeline.Config
	if _, err := checkpoint.Acquire(c.Dir, ""); err != nil {
		return cfg, err
	}
	store, err := checkpoint.Open(ctx, c.Dir)
	if err != nil {
		return cfg, err
	}
	org, err := salesforce.Open(ctx, salesforce.Config{Auth: salesforce.ClientCredentials{LoginURL: c.URL, ClientID: "client", ClientSecret: "secret"},
		MinWait: time.Millisecond, MaxWait: 20 * time.Millisecond})
	if err != nil {
		return cfg, err
	}
	file, err := idmap.Open(ctx, c.IDs)
	if err != nil {
		return cfg, err
	}
	ids, err := file.View(ctx, "the org", "r", 0)
	if err != nil {
		return cfg, err
	}
	for _, l := range c.Loads {
		l.ids = ids
	}
	jobs, err := jobsOf(c.Loads)
	if err != nil {
		return cfg, err
	}
	return pipeline.Config{Dir: c.Dir, Checkpoint: store, Org: bulk2.New(org), Jobs: jobs, IDs: ids, Options: c.Options,
		PollEvery: 2 * time.Millisecond, Events: pipeline.Events{Step: c.step()}}, nil
}

// step tells each step and kills the process when it is the one.
func (c *child) step() func(pipeline.Step) {
	var mu sync.Mutex
	n := 0
	return func(s pipeline.Step) {
		mu.Lock()
		fmt.Println(s)
		hit := string(s) == c.Crash
		if hit {
			n++
		}
		last := n == c.Nth
		mu.Unlock()
		if hit && last {
			self, _ := os.FindProcess(os.Getpid())
			self.Kill()
		}
		if hit && (last || c.Hold) {
			select {} // the kill comes
		}
	}
}

// start starts the child. watch is called for each line that it writes.
func (c *child) start(t testing.TB, watch func(line string)) *running {
	t.Helper()
	spec, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{cmd: exec.Command(os.Args[0]), read: make(chan struct{})}
	r.cmd.Env = append(os.Environ(), childVariable+"="+string(spec))
	r.cmd.Stderr = &r.stderr
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			r.lines = append(r.lines, lines.Text())
			if watch != nil {
				watch(lines.Text())
			}
		}
	}()
	return r
}

// running is a child that was started.
type running struct {
	cmd    *exec.Cmd
	stderr strings.Builder
	read   chan struct{} // closed when lines is complete
	lines  []string
	hung   atomic.Bool
}

// patience is how long a child may take; a run takes a second or two.
const patience = 2 * time.Minute

// end is how a child ended.
type end struct {
	killed bool
	code   int
	stderr string
	steps  []pipeline.Step // as they came
}

func (r *running) wait(t testing.TB) end {
	t.Helper()
	limit := time.AfterFunc(patience, func() {
		r.hung.Store(true)
		r.cmd.Process.Kill()
	})
	<-r.read
	limit.Stop()
	err := r.cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	e := end{code: r.cmd.ProcessState.ExitCode(), stderr: r.stderr.String()}
	e.killed = e.code == -1 || e.code == 1 // by a signal; on Windows a killed process ends with 1
	if len(r.lines) == 0 || r.lines[0] != begun || !e.killed && e.code != childDone && e.code != childStopped {
		t.Fatalf("child ended with %d after %q: %s", e.code, r.lines, e.stderr)
	}
	if r.hung.Load() {
		t.Fatalf("child hung for %v after %q: %s", patience, r.lines[len(r.lines)-1], e.stderr)
	}
	for _, line := range r.lines[1:] {
		e.steps = append(e.steps, pipeline.Step(line))
	}
	return e
}

// last is the last step that was reached.
func (e end) last() pipeline.Step {
	if len(e.steps) == 0 {
		return "none"
	}
	return e.steps[len(e.steps)-1]
}
