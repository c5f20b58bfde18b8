package localorg

import "time"

// window counts what happened in the last 24 hours, in steps of ten minutes.
type window struct {
	steps [24 * 6]struct {
		at int64 // number of the step since 1970
		n  int64
	}
}

const windowStep = 10 * time.Minute

func (w *window) add(now time.Time, n int64) {
	at := now.Unix() / int64(windowStep/time.Second)
	s := &w.steps[at%int64(len(w.steps))]
	if s.at != at {
		s.at, s.n = at, 0
	}
	s.n += n
}

func (w *window) sum(now time.Time) int64 {
	at := now.Unix() / int64(windowStep/time.Second)
	var n int64
	for _, s := range w.steps {
		if at-s.at < int64(len(w.steps)) && s.at <= at {
			n += s.n
		}
	}
	return n
}
