package pipeline_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
)

// asking is a target that calls the org for each row.
type asking struct {
	*shelf
	more func() error
}

func (a asking) Take([][]byte) (pipeline.Fate, error) { return pipeline.Written, a.more() }

// TestTargetIsBounded: a target that calls the org stops where the run does, with nothing published, and a resume publishes all.
func TestTargetIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOuting(t, localorg.Config{BatchTime: time.Minute})
		o.fill(0, 250)
		over := errors.New("the budget is spent")
		var asked int64
		bound := true
		o.cfg = func(c *pipeline.Config) {
			c.Jobs[0].Export.Open = func(_ context.Context, more func() error) (pipeline.Target, error) { return asking{o.shelf, more}, nil }
			c.Events.Progress = func(p pipeline.Progress) { asked = p.Asked }
			c.Spent = func() error {
				if bound && asked == 70 {
					return over
				}
				return nil
			}
		}
		sum, err := o.run(t.Context())
		if !errors.Is(err, over) || sum.Run.State != checkpoint.RunStopped || o.shelf.published || sum.Total.Pending != 250 || asked != 70 {
			t.Fatalf("%v, %+v, asked %d times, published %v", err, sum, asked, o.shelf.published)
		}
		bound = false
		calls := o.calls("POST jobs/query")
		if _, err := o.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.check()
		if asked != 250 || o.calls("POST jobs/query") != calls {
			t.Errorf("asked %d times, %d more query jobs", asked, o.calls("POST jobs/query")-calls)
		}
	})
}
