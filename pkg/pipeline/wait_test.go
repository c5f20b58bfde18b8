package pipeline_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/pipeline"
)

// TestLooksAfterAnotherProcess: a process that goes on does not look at a job at once, since the one before it may have looked a moment ago.
func TestLooksAfterAnotherProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTrial(t, localorg.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		r.events.Bulk = func(_ string, _ int64, b bulk2.Job) {
			if b.State == bulk2.StateInProgress {
				cancel()
			}
		}
		jobs, err := jobsOf(r.loads)
		if err != nil {
			t.Fatal(err)
		}
		_, err = pipeline.Run(ctx, pipeline.Config{Dir: r.dir, Checkpoint: r.store, Org: r.client, Jobs: jobs, Options: r.options, Events: r.events})
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if _, err := r.run(); err != nil {
			t.Fatal(err)
		}
		for _, v := range r.org.Audit().Violations {
			t.Errorf("the org complains: %s: %s", v.Kind, v.Text)
		}
		checkExact(t, r.org, r.dir, r.loads...)
	})
}

// TestExportLooksAfterAnotherProcess: the same for query jobs.
func TestExportLooksAfterAnotherProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOuting(t, localorg.Config{BatchTime: time.Hour})
		o.fill(0, 350)
		ctx, cancel := context.WithCancel(t.Context())
		o.cfg = func(c *pipeline.Config) {
			c.Events.Progress = func(p pipeline.Progress) {
				if p.Queued+p.Processing > 0 {
					cancel()
				}
			}
		}
		if _, err := o.run(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		o.cfg = nil
		if _, err := o.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.check()
	})
}
