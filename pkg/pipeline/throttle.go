package pipeline

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// throttle bounds the chunks in the hands of loaders, and by that the ingest jobs in flight. It eases when the org says that too much goes
// on at once, and tightens again when it does not: half as many after a sign of trouble, one more for every round of jobs without.
type throttle struct {
	mu      sync.Mutex
	most    int     // what the user allows
	limit   float64 // at least 1
	taken   int
	waiting []chan struct{} // first come, first served; closed when admitted
	begun   int64           // ingest jobs
	eased   int64           // begun at the last easing: what began before it says nothing about the new limit
	lowest  int             // limit so far
	refused int64           // of refusals, at the last look
	// refusals counts the requests that the org has put off because of too many others; nil when nobody counts them.
	refusals func() int64
	told     func(limit int, why string) // is called when the limit falls lower than ever
}

func newThrottle(most int, refusals func() int64, told func(limit int, why string)) *throttle {
	t := &throttle{most: most, limit: float64(most), lowest: most, refusals: refusals, told: told}
	if refusals != nil {
		t.refused = refusals()
	}
	return t
}

// acquire waits for a place. release gives it back.
func (t *throttle) acquire(ctx context.Context) error {
	t.listen()
	t.mu.Lock()
	if len(t.waiting) == 0 && t.taken < int(t.limit) {
		t.taken++
		t.mu.Unlock()
		return nil
	}
	admitted := make(chan struct{})
	t.waiting = append(t.waiting, admitted)
	t.mu.Unlock()
	select {
	case <-admitted:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.waiting, admitted); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
		return ctx.Err()
	}
	t.taken-- // admitted at the same moment
	t.admit()
	return ctx.Err()
}

func (t *throttle) release() {
	t.listen()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken--
	t.admit()
}

// admit lets those in that there is room for. t.mu is held.
func (t *throttle) admit() {
	for len(t.waiting) > 0 && t.taken < int(t.limit) {
		t.taken++
		close(t.waiting[0])
		t.waiting = t.waiting[1:]
	}
}

// begin is called when an ingest job begins; its number goes into end.
func (t *throttle) begin() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun++
	return t.begun
}

// tolerable is the share of rows that may find their records locked before fewer jobs are better: others use the org, too.
const tolerable = 0.01

// end is called when an ingest job has ended: so many of its rows found records locked.
func (t *throttle) end(began, rows, locked int64) {
	switch {
	case float64(locked) > tolerable*float64(rows):
		t.ease(began, fmt.Sprintf("%d of %d rows of a job found the records locked that they need", locked, rows))
	case locked == 0 && rows > 0:
		t.mu.Lock()
		defer t.mu.Unlock()
		t.limit = min(t.limit+1/t.limit, float64(t.most))
		t.admit()
	}
}

// listen asks whether the org has put requests off since the last time.
func (t *throttle) listen() {
	if t.refusals == nil {
		return
	}
	t.mu.Lock()
	now := t.refusals()
	more := now > t.refused
	t.refused = now
	latest := t.begun
	t.mu.Unlock()
	if more {
		t.ease(latest, "the org has put requests off, since too many were on their way")
	}
}

// ease halves the limit because of a job, unless that job began under an earlier limit.
func (t *throttle) ease(began int64, why string) {
	t.mu.Lock()
	if began <= t.eased || t.limit < 2 {
		t.mu.Unlock()
		return
	}
	t.limit = float64(int(t.limit / 2))
	t.eased = t.begun
	limit, lower := int(t.limit), int(t.limit) < t.lowest
	t.lowest = min(t.lowest, limit)
	t.mu.Unlock()
	if lower && t.told != nil {
		t.told(limit, why)
	}
}

// less is the limit when it is lower than what the user allows; else 0.
func (t *throttle) less() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := int(t.limit); n < t.most {
		return n
	}
	return 0
}
