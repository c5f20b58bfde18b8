package pipeline

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestThrottle: half as many in flight for each round of trouble, one more for each round without.
func TestThrottle(t *testing.T) {
	t.Parallel()
	var told []string
	var refusals int64
	r := newThrottle(8, func() int64 { return refusals }, func(limit int, why string) { told = append(told, why) })
	round := func(n int, locked int64) {
		var began []int64
		for range n {
			began = append(began, r.begin())
		}
		for _, b := range began {
			r.end(b, 1000, locked)
		}
		r.listen()
	}
	for i, step := range []struct {
		jobs   int
		locked int64
		less   int // 0 = all 8
	}{
		{8, 0, 0}, {8, 10, 0} /* as few are no trouble */, {8, 11, 4}, {4, 400, 2}, {2, 1000, 1}, {1, 1000, 1},
		{1, 0, 2}, {2, 0, 2}, {1, 0, 3}, {3, 5, 3} /* nor a reason for more */, {2, 500, 1}, {100, 0, 0},
	} {
		round(step.jobs, step.locked)
		if got := r.less(); got != step.less {
			t.Errorf("step %d: limit %d, want %d", i, got, step.less)
		}
	}
	refusals = 5
	round(1, 0)
	refusals = 6 // again, but no job has begun in between
	r.listen()
	if got := r.less(); got != 4 {
		t.Errorf("limit %d after refusals", got)
	}
	if len(told) != 3 || !strings.Contains(told[0], "11 of 1000 rows") {
		t.Errorf("told %q", told)
	}
}

// TestThrottleOfAnOldJob: what an earlier process has begun neither eases nor ends anything badly.
func TestThrottleOfAnOldJob(t *testing.T) {
	t.Parallel()
	r := newThrottle(4, nil, nil)
	r.end(0, 100, 100)
	r.end(0, 0, 0)
	if r.less() != 0 {
		t.Errorf("limit %d", r.less())
	}
}

// TestThrottlePlaces: never more than the limit have a place, who waits gets one in turn, who gives up leaves none behind.
func TestThrottlePlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newThrottle(5, nil, nil)
		var in, most, served, gave atomic.Int64
		var wg sync.WaitGroup
		for i := range 400 {
			rng := rand.New(rand.NewPCG(uint64(i), 7))
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+rng.IntN(2000))*time.Millisecond)
				defer cancel()
				time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
				if err := r.acquire(ctx); err != nil {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
					gave.Add(1)
					return
				}
				n := in.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(time.Duration(rng.IntN(30)) * time.Millisecond)
				in.Add(-1)
				r.release()
				served.Add(1)
			})
		}
		wg.Wait()
		if most.Load() > 5 || served.Load() == 0 || gave.Load() == 0 || served.Load()+gave.Load() != 400 {
			t.Errorf("at most %d at once, %d served, %d gave up", most.Load(), served.Load(), gave.Load())
		}
		if r.taken != 0 || len(r.waiting) != 0 {
			t.Errorf("%d places taken in the end, %d wait", r.taken, len(r.waiting))
		}
	})
}
