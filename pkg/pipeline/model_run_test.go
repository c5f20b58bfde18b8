package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
)

// modelRun is one script while it is played.
type modelRun struct {
	script    modelScript
	dir       string
	templates [][]byte
	org       *modelOrg
	store     *checkpoint.Store
	cancel    context.CancelFunc
}

// play lets one process after another work on the run. What is wrong is in the org afterwards.
func (m *modelRun) play(t *testing.T) {
	m.script.prepare()
	m.org = newModelOrg(m.script)
	m.org.crash = m.crash
	err := os.Mkdir(m.dir, 0o700)
	if err == nil {
		defer os.RemoveAll(m.dir)
		err = os.WriteFile(filepath.Join(m.dir, checkpoint.FileName), m.templates[len(m.script.Splits)], 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		m.org.script.begun = time.Now()
		defer func() {
			if m.store != nil {
				m.store.Close()
			}
		}()
		for n := 0; !m.process(t); n++ {
			if n == 40 {
				m.org.lockedFault("%d processes did not end the run", n)
			}
			if len(m.org.wrong) > 0 {
				return
			}
		}
		m.org.mu.Lock()
		m.org.advance(time.Now().Add(1000 * time.Hour)) // whatever the org still has to do
		m.org.mu.Unlock()
		m.judge(true, true)
	})
}

// process is one process that works on the run. It reports whether the run is at its end.
func (m *modelRun) process(t *testing.T) (over bool) {
	var err error
	if m.store == nil {
		if m.store, err = checkpoint.Open(context.Background(), m.dir); err != nil {
			m.org.lockedFault("%v", err)
			return true
		}
	}
	o := m.org
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m.cancel = cancel
	for _, j := range o.jobs {
		j.polled = time.Time{}
	}
	before := o.fired
	o.log = append(o.log, "a process begins")
	timers := m.timers()
	sum, err := pipeline.Run(ctx, pipeline.Config{Dir: m.dir, Checkpoint: m.store, Org: o, Jobs: []pipeline.Job{m.script.job()},
		Options: m.script.Options, Spent: m.spent, Events: pipeline.Events{Step: m.step, JobStarted: func(string) { m.judge(true, false) }}})
	for _, timer := range timers {
		timer.Stop()
	}
	synctest.Wait() // also for what SQLite still has to roll back
	if o.dead {
		m.store.Close()
		m.store, o.dead = nil, false
		return false
	}
	m.judge(false, false)
	o.log = append(o.log, fmt.Sprintf("it ends: %v", err))
	if err == nil || errors.Is(err, pipeline.ErrAccounting) && sum.Run.State == checkpoint.RunDone {
		if (sum.Total.Unaccounted > 0) != (err != nil) {
			o.lockedFault("ended with %v, ledger %+v", err, sum.Total)
		}
		return true
	}
	if failed := (*pipeline.JobFailedError)(nil); o.fired == before && !errors.As(err, &failed) { // a job may have failed before
		o.lockedFault("stopped without a reason: %v", err)
	}
	return false
}

// timers are the interrupts and crashes at a moment.
func (m *modelRun) timers() []*time.Timer {
	o := m.org
	list := []*time.Timer{time.AfterFunc(100*24*time.Hour, func() {
		o.lockedFault("it hangs")
		m.cancel()
	})}
	for i := range o.script.Events {
		e := &o.script.Events[i]
		if e.At != "time" || e.Nth == 0 {
			continue
		}
		list = append(list, time.AfterFunc(time.Duration(e.Row*e.Row)*300*time.Millisecond+time.Duration(e.Nth)*17*time.Millisecond, func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			if e.Nth == 0 || o.dead {
				return
			}
			e.Nth = 0
			o.fired++
			modelSeen.add("time: "+e.Do, 1)
			m.end(e.Do)
		}))
	}
	return list
}

// end ends the process. mu is held.
func (m *modelRun) end(how string) {
	switch how {
	case "crash":
		m.crash()
	case "interrupt":
		m.cancel()
	}
}

func (m *modelRun) crash() {
	m.org.dead = true
	m.org.log = append(m.org.log, "it is killed")
	m.cancel()
	m.store.Close()
}

var errModelSpent = errors.New("the budget is spent")

func (m *modelRun) spent() error {
	m.org.mu.Lock()
	defer m.org.mu.Unlock()
	if m.org.happens("spent", nil, "") != "" {
		return errModelSpent
	}
	return nil
}

// step is told each step: it judges those behind which the books have changed.
func (m *modelRun) step(s pipeline.Step) {
	m.org.mu.Lock()
	if m.org.dead {
		m.org.mu.Unlock()
		return
	}
	modelSeen.add("steps: "+string(s), 1)
	if how := m.org.happens("step", nil, s); how != "" {
		m.org.log = append(m.org.log, fmt.Sprintf("%s at step %s", how, s))
		modelSeen.add(how+" at: "+string(s), 1)
		m.end(how)
	}
	m.org.mu.Unlock()
	if s == pipeline.StepDoneSettled {
		m.judge(false, false)
	}
}
