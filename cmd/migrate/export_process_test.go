package main

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// process is one that works on an export.
type process struct {
	*asked
	killed bool
	took   time.Duration
	touch  time.Time // when publishing began, zero if it did not
	code   int
	output string
}

// run starts the command and kills it at a moment.
func (x *killedExports) run(t *testing.T, m moment, args ...string) process {
	t.Helper()
	p, touched := process{asked: x.next(m)}, x.watch()
	cmd := exec.Command(x.bin, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &out, x.env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		look := time.NewTicker(time.Millisecond)
		defer look.Stop()
		reached, hung := p.reached, time.After(10*time.Minute)
		var strike <-chan time.Time
		if m == (moment{after: m.after}) && m.after > 0 {
			strike = time.After(m.after)
		}
		for {
			select {
			case <-ended:
				return
			case <-reached:
				reached, strike = nil, time.After(m.after)
			case <-look.C:
				if p.touch.IsZero() && touched() {
					if p.touch = time.Now(); m.touch {
						strike = time.After(m.after)
					}
				}
			case <-strike:
				p.killed = cmd.Process.Kill() == nil
				strike = nil
			case <-hung:
				cmd.Process.Kill()
				hung = nil
			}
		}
	}()
	err := cmd.Wait()
	close(ended)
	<-watched
	x.rest()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	p.took, p.code, p.output = time.Since(p.begun), cmd.ProcessState.ExitCode(), out.String()
	p.killed = p.killed && p.code == -1 // it may have been faster
	if !p.killed && p.code != 0 {
		t.Fatalf("migrate %s ended with %d:\n%s", strings.Join(args, " "), p.code, p.output)
	}
	return p
}
