package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"migrate/pkg/checkpoint"
	"migrate/pkg/sources"
)

// Salesforce locks a parent while a child of it is saved, and works on the internal batches of 10,000 rows of a job, and on jobs, side by
// side (Bulk API guide, Organize Data to Minimize Lock Contention). Rows with one parent in two batches at once make each other fail. So
// the splits of a grouped job have no parent in common, and each is a lane: one ingest job of one batch at a time, several lanes at
// once.

// lanes works on a job whose splits are lanes, the one with most rows first: it takes longest.
func (j *jobRun) lanes(ctx context.Context, splits []checkpoint.Split, waiting []*chunk) error {
	left := map[string]int64{}
	for _, sp := range splits {
		var spec sources.Split
		var next sources.Position
		if err := json.Unmarshal([]byte(sp.Spec), &spec); err != nil {
			return fmt.Errorf("split %s: %w", sp.ID, err)
		}
		if err := json.Unmarshal([]byte(sp.Next), &next); err != nil {
			return fmt.Errorf("split %s: %w", sp.ID, err)
		}
		left[sp.ID] = spec.End - next.Row
	}
	splits = slices.Clone(splits)
	slices.SortStableFunc(splits, func(a, b checkpoint.Split) int { return cmp.Compare(left[b.ID], left[a.ID]) })
	g, work := errgroup.WithContext(ctx)
	g.SetLimit(j.Concurrency)
	for _, sp := range splits {
		g.Go(func() error { return j.lane(work, sp, waiting) })
	}
	return g.Wait()
}

// lane sees the chunks of a split through, one after another: first those that an earlier process has left, then those that are still to
// be cut.
func (j *jobRun) lane(ctx context.Context, sp checkpoint.Split, waiting []*chunk) error {
	load := func(c *chunk) error {
		if err := j.flights.acquire(ctx); err != nil {
			c.body.remove()
			return err
		}
		defer j.flights.release()
		return j.load(ctx, c)
	}
	for _, c := range waiting {
		if c.Split != sp.ID {
			continue
		}
		if err := load(c); err != nil {
			return err
		}
	}
	if sp.State == checkpoint.SplitRead {
		return nil
	}
	_, err := j.readSplit(ctx, sp, math.MaxInt64, load)
	return err
}

// chunkRows is how many source rows a chunk of the job has at most.
func (j *jobRun) chunkRows() int64 {
	if j.Grouped {
		return min(j.ChunkRows, batchRows)
	}
	return j.ChunkRows
}
