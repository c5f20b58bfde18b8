package pipeline

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"migrate/pkg/bulk2"
)

// The bounds of the time between two looks at one job. Every look is an API call of the user's quota.
const (
	minPoll = time.Second
	maxPoll = 30 * time.Second
	pollers = 4 // looks at once
)

// waiter is the one scheduler for all jobs in flight. It looks at a job when it is likely to be done, by the time that
// the last one took and by how far it says it is, and at the latest after a tenth of the time that it has taken so far.
type waiter struct {
	org   Org
	every time.Duration // least time between two looks at one job
	wake  chan struct{}
	mu    sync.Mutex
	queue watchQueue
	rows  int64         // of the job that finished last
	took  time.Duration // what it took; 0 = none has finished
}

// watch is one job in flight.
type watch struct {
	id    string
	rows  int64
	since time.Time
	next  time.Time
	seen  func(bulk2.Job)
	done  chan verdict
	ctx   context.Context // of the caller that waits: the look is made in its name
}

type verdict struct {
	job bulk2.Job
	err error
}

func newWaiter(org Org, every time.Duration) *waiter {
	if every <= 0 {
		every = minPoll
	}
	return &waiter{org: org, every: every, wake: make(chan struct{}, 1)}
}

// wait returns when the job has come to its end. looked is when somebody else has looked at it, if ever; seen is called after
// every look. The job goes on in the org when ctx ends first.
func (w *waiter) wait(ctx context.Context, id string, rows int64, looked time.Time, seen func(bulk2.Job)) (bulk2.Job, error) {
	now := time.Now()
	e := &watch{id: id, rows: rows, since: now, seen: seen, done: make(chan verdict, 1), ctx: ctx}
	w.mu.Lock()
	e.next = now.Add(max(w.every/3, looked.Add(w.every).Sub(now), min(maxPoll, w.expect(rows)*9/10)))
	heap.Push(&w.queue, e)
	w.mu.Unlock()
	w.nudge()
	select {
	case v := <-e.done:
		return v.job, v.err
	case <-ctx.Done():
		return bulk2.Job{}, ctx.Err()
	}
}

// run polls until ctx ends, and returns when its last look is over.
func (w *waiter) run(ctx context.Context) {
	sem := semaphore.NewWeighted(pollers)
	defer sem.Acquire(context.WithoutCancel(ctx), pollers)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		case <-timer.C:
		}
		for {
			e, pause := w.due()
			if e == nil {
				timer.Reset(pause)
				break
			}
			if e.ctx.Err() != nil {
				continue // nobody waits any more
			}
			if sem.Acquire(ctx, 1) != nil {
				return
			}
			go func() {
				defer sem.Release(1)
				w.look(e)
			}()
		}
	}
}

// due takes the next watch off the queue if its time has come, else says how long that is off.
func (w *waiter) due() (*watch, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return nil, time.Hour
	}
	if pause := time.Until(w.queue[0].next); pause > 0 {
		return nil, pause
	}
	return heap.Pop(&w.queue).(*watch), 0
}

// look reads the job's state once and either ends the watch or puts it back.
func (w *waiter) look(e *watch) {
	job, err := w.org.Job(e.ctx, e.id)
	if err != nil {
		e.done <- verdict{err: err}
		return
	}
	e.seen(job)
	now := time.Now()
	took := now.Sub(e.since)
	if job.State.Terminal() {
		w.mu.Lock()
		w.rows, w.took = e.rows, took
		w.mu.Unlock()
		e.done <- verdict{job: job}
		return
	}
	pause := max(w.every, took/10)
	if job.Processed > 0 && job.Processed < e.rows { // its own pace says when it will be done
		left := time.Duration(float64(took) * float64(e.rows-job.Processed) / float64(job.Processed))
		pause = max(pause, left*8/10)
	}
	e.next = now.Add(min(pause, maxPoll))
	w.mu.Lock()
	heap.Push(&w.queue, e)
	w.mu.Unlock()
	w.nudge()
}

// expect is how long a job will take at least, by what the last one took: a smaller one its share, a larger one as long. A
// small job says nothing about the time that each row takes, so nothing is extrapolated upwards.
func (w *waiter) expect(rows int64) time.Duration {
	if w.took == 0 || w.rows == 0 {
		return 0
	}
	return time.Duration(float64(w.took) * min(1, float64(rows)/float64(w.rows)))
}

func (w *waiter) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// watchQueue is a heap by the time of the next look.
type watchQueue []*watch

func (q watchQueue) Len() int           { return len(q) }
func (q watchQueue) Less(i, k int) bool { return q[i].next.Before(q[k].next) }
func (q watchQueue) Swap(i, k int)      { q[i], q[k] = q[k], q[i] }
func (q *watchQueue) Push(x any)        { *q = append(*q, x.(*watch)) }
func (q *watchQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}
