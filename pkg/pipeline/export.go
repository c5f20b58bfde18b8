package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
)

// Export makes a Job one that brings records out of the org: its splits are the queries that are asked, a query job each, and together they find
// each record once. First all result pages come into the run folder; when all are there, and as many rows as the org has counted, they are
// decoded into the sink and published. A process that comes after a crash fetches the pages that are not there.
type Export struct {
	Columns []ExportColumn // in the order of the query
	All     bool           // deleted and archived records, too
	Query   Pager          // runs its queries
	// Open opens what the rows go into, when all of them are there. After a crash it is opened again, even after it was published.
	//
	// A target that itself asks the org for something calls more before each time, from any goroutine. When that is an error, the target asks for
	// nothing more and gives that error back: the run stops then, to be resumed.
	Open func(ctx context.Context, more func() error) (Target, error)
}

// Target takes the rows of an export. It belongs to one goroutine.
type Target interface {
	// Take looks at a row before it is decoded, its values in the order of the columns; they are good until the next call. Only a row
	// that is Written comes back in a batch.
	Take(row [][]byte) (Fate, error)
	Write(ctx context.Context, rows arrow.RecordBatch) error
	// Publish makes all that was written visible and durable. The same rows may be written and published again, with the same result.
	Publish(ctx context.Context) error
	Close() error // without Publish before it, nothing is left of what was written
}

// Fate is what a Target does with a row.
type Fate int

const (
	Written  Fate = iota // the row goes on
	Taken                // the target has taken it already, such as the Id of a record that was deleted
	Filtered             // it has gone the same way before, in an earlier run
)

// Pager runs query jobs and gives their pages in any order. *bulk2.Client is one.
type Pager interface {
	Querier
	Pages(ctx context.Context, id, more string) (locators []string, next string, err error)
}

// export works on a job that has an Export. It reports whether the rows are published.
func (j *jobRun) export(ctx context.Context) (done bool, err error) {
	splits, err := j.Checkpoint.Splits(ctx, j.Name)
	if err != nil {
		return false, err
	}
	ledger, err := j.Checkpoint.Ledger(ctx, j.Name)
	if err != nil {
		return false, err
	}
	j.track.start(j, ledger)
	j.track.p.Export = true
	if j.Events.JobStarted != nil {
		j.Events.JobStarted(j.Name)
	}
	if err := os.MkdirAll(j.pageDir(), 0o700); err != nil {
		return false, err
	}
	pages, err := j.Checkpoint.Pages(ctx, j.Name)
	if err != nil {
		return false, err
	}
	g, work := errgroup.WithContext(ctx)
	for i, sp := range splits {
		if sp.State == checkpoint.SplitRead {
			j.track.change(func() { j.track.p.Found += sp.Rows })
			continue
		}
		s := &slice{j: j, Split: sp, number: int64(i), pages: map[int64]pagePlace{}}
		for _, c := range pages {
			if c.Split == sp.ID {
				if err := s.know(c); err != nil {
					return false, err
				}
			}
		}
		g.Go(func() error { return j.slice(work, g, s) })
	}
	if err := g.Wait(); err != nil || j.stopped() {
		return false, err
	}
	switch err := j.publish(ctx); {
	case errors.Is(err, errNoMore):
		return false, nil // why, the run knows
	case err != nil:
		return false, err
	}
	if err := os.RemoveAll(j.pageDir()); err != nil {
		j.Events.warn(j.Name, fmt.Sprintf("pages that are not needed any more are left: %v", err))
	}
	if j.Events.JobDone != nil {
		l, err := j.Checkpoint.Ledger(ctx, j.Name)
		if err != nil {
			return true, err
		}
		j.Events.JobDone(j.Name, l)
	}
	return true, nil
}

// pagesDir is the folder of the run folder with the pages of all exports. It goes with the last of them: while others run, one of them may be
// about to make its own folder there.
const pagesDir = "pages"

func (j *jobRun) pageDir() string { return filepath.Join(j.Dir, pagesDir, j.Name) }

func (j *jobRun) pageFile(split string, n int64) string {
	return filepath.Join(j.pageDir(), fmt.Sprintf("%s-%06d.csv.zst", split, n))
}

// errNoMore says that the run stops before all is published.
var errNoMore = errors.New("the run asks the org for nothing more")

// more is what a target asks before it calls the org.
func (j *jobRun) more() error {
	if j.stopped() || j.spent() {
		return errNoMore
	}
	j.track.change(func() { j.track.p.Asked++ })
	return nil
}

// publish decodes the pages into the sink and publishes it.
func (j *jobRun) publish(ctx context.Context) (err error) {
	pages, err := j.Checkpoint.Pages(ctx, j.Name)
	if err != nil {
		return err
	}
	target, err := j.Export.Open(ctx, j.more)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	d := newDecoder(j.Export.Columns)
	defer d.release()
	filtered := map[int64]int64{}
	var all int64
	for _, c := range pages {
		rows, had, err := j.decodePage(ctx, d, c, target)
		if err != nil {
			return fmt.Errorf("page %d of split %s: %w", c.FirstRow, c.Split, err)
		}
		if rows != c.Rows {
			return fmt.Errorf("page %d of split %s: %w: %d rows, %d when it came", c.FirstRow, c.Split, ErrAccounting, rows, c.Rows)
		}
		if had > 0 {
			filtered[c.ID] = had
			all += had
		}
	}
	if err := d.flush(ctx, target); err != nil {
		return err
	}
	j.Events.step(StepCallPublish)
	if err := target.Publish(ctx); err != nil {
		return err
	}
	j.Events.step(StepWriteJobDone)
	if err := j.Checkpoint.SetPublished(ctx, j.Name, filtered); err != nil {
		return err
	}
	j.track.change(func() {
		l := &j.track.p.Ledger
		l.Succeeded, l.Filtered, l.Pending = l.Succeeded+l.Pending-all, l.Filtered+all, 0
	})
	return nil
}

// decodePage reads a page of the run folder into the target. had are those of its rows that were Filtered.
func (j *jobRun) decodePage(ctx context.Context, d *decoder, c checkpoint.Chunk, target Target) (rows, had int64, err error) {
	f, err := openPage(j.pageFile(c.Split, c.FirstRow), c.Hash)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	r, err := bulk2.NewPageReader(f, headers(j.Export.Columns))
	if err != nil {
		return 0, 0, err
	}
	for {
		row, err := r.Next()
		if err == io.EOF {
			break
		}
		var fate Fate
		if err == nil {
			fate, err = target.Take(row)
		}
		if err == nil && fate == Written {
			err = d.add(ctx, row, target)
		}
		if err != nil {
			return rows, had, fmt.Errorf("row %d: %w", rows+1, err)
		}
		if rows++; fate == Filtered {
			had++
		}
	}
	return rows, had, f.check()
}
