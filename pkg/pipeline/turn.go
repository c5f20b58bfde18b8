package pipeline

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// jobs works on the jobs that are not done, as many at once as do not wait for one another.
func (r *run) jobs(ctx context.Context, done map[string]bool) error {
	g, ctx := errgroup.WithContext(ctx)
	turns := make([]turn, len(r.Jobs))
	for i, j := range r.Jobs {
		turns[i] = turn{over: make(chan struct{}), done: done[j.Name]}
		if done[j.Name] {
			close(turns[i].over)
			continue
		}
		g.Go(func() error {
			defer close(turns[i].over)
			for k, earlier := range r.Jobs[:i] {
				if !j.waitsFor(earlier) {
					continue
				}
				<-turns[k].over
				if !turns[k].done {
					return nil
				}
			}
			if r.stopped() {
				return nil // it has not begun
			}
			err := ctx.Err()
			if err != nil {
				return err
			}
			if turns[i].done, err = (&jobRun{run: r, Job: j}).work(ctx); err != nil {
				return fmt.Errorf("job %s: %w", j.Name, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// turn is a job's place among the others.
type turn struct {
	over chan struct{} // closed when the job is not worked on any more
	done bool          // then: all of its rows are settled
}
