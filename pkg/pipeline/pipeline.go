package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"migrate/pkg/checkpoint"
	"migrate/pkg/sources"
)

// Run works on the jobs of a run until every row is accounted for, or until it cannot go on. It starts where the
// checkpoint says that an earlier Run has ended, however that one ended.
//
// The Summary is good also when there is an error. Errors to tell apart: ErrMaxErrors, ErrAccounting, *JobFailedError,
// *ConfigError, *sources.SyntaxError, sources.ErrChanged, and those of package salesforce.
func Run(ctx context.Context, cfg Config) (Summary, error) {
	cfg.Options = cfg.Options.withDefaults()
	if err := cfg.Check(); err != nil {
		return Summary{}, &ConfigError{err}
	}
	r := &run{Config: cfg, halt: make(chan struct{}), flights: newThrottle(cfg.Concurrency, cfg.PutOff, cfg.Events.eased),
		uploads: semaphore.NewWeighted(int64(cfg.Uploads)), reads: semaphore.NewWeighted(int64(cfg.Readers)),
		settles: semaphore.NewWeighted(maxSettles), downloads: semaphore.NewWeighted(maxDownloads), rests: semaphore.NewWeighted(int64(cfg.Concurrency)), waiter: newWaiter(cfg.Org, cfg.PollEvery)}
	err := r.work(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx) // what fell over because of it does not matter
	}
	keep := context.WithoutCancel(ctx) // the state is saved also when the user has interrupted
	sum, sumErr := Summarize(keep, cfg.Checkpoint)
	if err == nil {
		err = sumErr
	}
	if err == nil {
		err = sum.check()
	}
	sum.Run.State, sum.Run.Message = checkpoint.RunStopped, ""
	if sum.finished() {
		sum.Run.State = checkpoint.RunDone
	}
	if err != nil {
		sum.Run.Message = err.Error()
	}
	cfg.Events.step(StepWriteRun)
	return sum, errors.Join(err, cfg.Checkpoint.SetRunState(keep, sum.Run.State, sum.Run.Message))
}

// run is one call of Run.
type run struct {
	Config
	reports *reports
	waiter  *waiter
	// What all jobs share.
	flights   *throttle // chunks in the hands of loaders
	uploads   *semaphore.Weighted
	reads     *semaphore.Weighted // splits that are read
	downloads *semaphore.Weighted // pages of exports
	settles   *semaphore.Weighted // result indexes in memory
	rests     *semaphore.Weighted // chunks that rest and have given their flight up meanwhile

	halt      chan struct{} // closed: take no new rows, but see the chunks in flight through
	haltOnce  sync.Once
	haltCause error
}

// maxSettles is how many settlements hold a result index at once.
const maxSettles = 2

func (r *run) work(ctx context.Context) error {
	if err := clearSpools(r.Dir); err != nil {
		return err
	}
	defer clearSpools(r.Dir)
	r.Events.step(StepWriteRun)
	if err := r.Checkpoint.SetRunState(ctx, checkpoint.RunRunning, ""); err != nil {
		return err
	}
	recorded, err := r.Checkpoint.Offsets(ctx)
	if err != nil {
		return err
	}
	var folders []string
	for _, j := range r.Jobs {
		folders = append(folders, j.Reports)
	}
	if r.reports, err = openReports(r.Dir, recorded, folders); err != nil {
		return err
	}
	known, err := r.Checkpoint.Jobs(ctx)
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, j := range known {
		done[j.Name] = j.State == checkpoint.JobDone
	}
	polls, stopPolls := context.WithCancel(ctx)
	var scheduler sync.WaitGroup
	scheduler.Go(func() { r.waiter.run(polls) })
	defer scheduler.Wait()
	defer stopPolls()
	err = r.jobs(ctx, done)
	if err = errors.Join(r.haltCause, err); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(r.Dir, pagesDir)); err != nil { // also what a process has left that died behind the end of a job
		r.Events.warn("", fmt.Sprintf("pages that are not needed any more are left: %v", err))
	}
	return r.forgetClaims()
}

// stop ends the reading of all sources; chunks in flight are seen through. Only the first cause counts.
func (r *run) stop(cause error) {
	r.haltOnce.Do(func() {
		r.haltCause = cause
		close(r.halt)
	})
}

func (r *run) stopped() bool {
	select {
	case <-r.halt:
		return true
	default:
		return false
	}
}

// jobRun is one job while it is worked on.
type jobRun struct {
	*run
	Job
	track    tracker
	newlines atomic.Int64 // values whose line breaks were made LF
	cut      counts       // values that the mapping shortened, by field
	refused  atomic.Bool  // the org would refuse what else could be sent: send nothing more
	halves   sync.Mutex   // held while a slice becomes two
	claims   *checkpoint.Claims
}

// counts counts by name. Its zero value is ready; several goroutines may add.
type counts struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counts) add(more map[string]int) {
	if len(more) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	for name, n := range more {
		c.n[name] += n
	}
}

// names are those counted, in alphabetical order.
func (c *counts) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.n))
}

// stop ends the reading of all sources because of this job.
func (j *jobRun) stop(cause error) { j.run.stop(fmt.Errorf("job %s: %w", j.Name, cause)) }

// work runs the two pools of the job: readers that cut chunks, loaders that see them through. It reports whether all rows are
// settled; they are not when the run is stopped meanwhile.
func (j *jobRun) work(ctx context.Context) (done bool, err error) {
	if j.Export != nil {
		return j.export(ctx)
	}
	splits, err := j.Checkpoint.Splits(ctx, j.Name)
	if err != nil {
		return false, err
	}
	unsettled, err := j.Checkpoint.Unsettled(ctx, j.Name)
	if err != nil {
		return false, err
	}
	if err := j.track.begin(ctx, j, splits); err != nil {
		return false, err
	}
	if j.Events.JobStarted != nil {
		j.Events.JobStarted(j.Name)
	}
	j.checkErrors()
	if err := j.openClaims(ctx, j.Dir); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, j.closeClaims()) }()

	waiting, err := waitingChunks(unsettled, splits)
	if err != nil {
		return false, err
	}
	if j.Grouped {
		err = j.lanes(ctx, splits, waiting)
	} else {
		err = j.pools(ctx, splits, waiting)
	}
	if err != nil {
		return false, err
	}
	if n := j.newlines.Load(); n > 0 {
		j.Events.warn(j.Name, fmt.Sprintf("line breaks inside %d values were sent as LF; the org refuses CR LF inside a value", n))
	}
	for _, field := range j.cut.names() {
		j.Events.warn(j.Name, fmt.Sprintf("values cut to fit field %s, as the mapping says: %d", field, j.cut.n[field]))
	}
	if done, err = j.complete(ctx); err != nil || !done {
		return false, err
	}
	j.Events.step(StepWriteJobDone)
	if err := j.Checkpoint.SetJobDone(ctx, j.Name); err != nil {
		return false, err
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

// pools are readers that cut chunks and loaders that see them through, with one channel between them.
func (j *jobRun) pools(ctx context.Context, splits []checkpoint.Split, waiting []*chunk) error {
	g, work := errgroup.WithContext(ctx)
	chunks := make(chan *chunk)
	g.Go(func() error {
		defer close(chunks)
		for _, c := range waiting {
			if err := send(work, chunks, c); err != nil {
				return err
			}
		}
		return j.readSplits(work, splits, chunks)
	})
	g.Go(func() error {
		for c := range chunks {
			if err := j.flights.acquire(work); err != nil {
				c.body.remove()
				return err
			}
			g.Go(func() error {
				defer j.flights.release()
				return j.load(work, c)
			})
		}
		return nil
	})
	return g.Wait()
}

// complete reports whether all rows of the job are read and settled.
func (j *jobRun) complete(ctx context.Context) (bool, error) {
	splits, err := j.Checkpoint.Splits(ctx, j.Name)
	if err != nil {
		return false, err
	}
	for _, sp := range splits {
		if sp.State != checkpoint.SplitRead {
			return false, nil
		}
	}
	unsettled, err := j.Checkpoint.Unsettled(ctx, j.Name)
	return len(unsettled) == 0, err
}

// waitingChunks are the chunks that an earlier process has cut and not settled.
func waitingChunks(list []checkpoint.Unsettled, splits []checkpoint.Split) ([]*chunk, error) {
	specs := map[string]sources.Split{}
	for _, sp := range splits {
		var s sources.Split
		if err := json.Unmarshal([]byte(sp.Spec), &s); err != nil {
			return nil, fmt.Errorf("split %s: %w", sp.ID, err)
		}
		specs[sp.ID] = s
	}
	var chunks []*chunk
	for _, u := range list {
		c := &chunk{Chunk: u.Chunk, bulk: u.BulkJob, split: specs[u.Chunk.Split], looked: time.Now()} // by a process that may have ended just now
		if err := json.Unmarshal([]byte(u.Chunk.Start), &c.start); err != nil {
			return nil, fmt.Errorf("chunk %d: %w", c.ID, err)
		}
		chunks = append(chunks, c)
	}
	return chunks, nil
}

// readSplits cuts what is left of every split, several splits at once. With a row limit they are read one by one, so that
// the same rows are taken on every run; so they are where rows claim what must be theirs alone, so that the first in the order of the
// files has it.
func (j *jobRun) readSplits(ctx context.Context, splits []checkpoint.Split, chunks chan<- *chunk) error {
	emit := func(c *chunk) error { return send(ctx, chunks, c) }
	read := func(sp checkpoint.Split, end int64) (int64, error) {
		if err := j.reads.Acquire(ctx, 1); err != nil {
			return 0, err
		}
		defer j.reads.Release(1)
		return j.readSplit(ctx, sp, end, emit)
	}
	var before int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(j.Readers)
	if j.claims != nil {
		g.SetLimit(1)
	}
	for _, sp := range splits {
		end := int64(math.MaxInt64)
		if j.Limit > 0 {
			// A split that was cut to its end before the limit has given its rows; an open one gives the rest.
			end = j.Limit - before
		}
		if sp.State == checkpoint.SplitRead {
			before += sp.Rows
			continue
		}
		if j.Limit > 0 {
			rows, err := read(sp, max(end, 0))
			if err != nil {
				return err
			}
			before += rows
			continue
		}
		g.Go(func() error {
			_, err := read(sp, end)
			return err
		})
	}
	return g.Wait()
}

// readSplit is the reader: it takes a split from where its last chunk ends to row end (exclusive), batch by batch, and cuts
// chunks. It returns the number of rows that the split has given in all. A source that cannot be followed stops the job,
// after all rows before that place are on their way.
func (j *jobRun) readSplit(ctx context.Context, sp checkpoint.Split, end int64, emit func(*chunk) error) (int64, error) {
	var split sources.Split
	if err := json.Unmarshal([]byte(sp.Spec), &split); err != nil {
		return 0, fmt.Errorf("split %s: %w", sp.ID, err)
	}
	var from sources.Position
	if err := json.Unmarshal([]byte(sp.Next), &from); err != nil {
		return 0, fmt.Errorf("split %s: %w", sp.ID, err)
	}
	if j.stopped() {
		return from.Row, nil
	}
	r, err := j.Source.Open(ctx, split, from)
	if err != nil {
		j.stop(err)
		return from.Row, nil
	}
	defer r.Close()
	cut := j.newCutter(split, from, emit)
	defer cut.close()
	var sourceErr error
	raw := j.rawReader(split, r)
	for cut.at.Row < end {
		if j.stopped() {
			return cut.start.Row, nil
		}
		next := r.Next
		if raw != nil {
			took, err := cut.addRaw(ctx, raw, end)
			if errors.Is(err, errHalted) {
				return cut.start.Row, nil
			}
			if err != nil {
				return cut.start.Row, err
			}
			if took {
				j.track.encoding(split.ID, cut.at)
				continue
			}
			next = raw.NextOne
		}
		b, err := next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if ctx.Err() != nil {
			return cut.start.Row, ctx.Err()
		}
		if err != nil {
			sourceErr = err
			break
		}
		err = cut.add(ctx, b, end)
		b.Rows.Release()
		if errors.Is(err, errHalted) {
			return cut.start.Row, nil
		}
		if err != nil {
			return cut.start.Row, err
		}
		j.track.encoding(split.ID, cut.at)
	}
	if err := cut.cut(ctx); errors.Is(err, errHalted) {
		return cut.start.Row, nil
	} else if err != nil {
		return cut.start.Row, err
	}
	if sourceErr != nil {
		j.stop(sourceErr)
		return cut.start.Row, nil
	}
	j.Events.step(StepWriteSplit)
	return cut.start.Row, j.Checkpoint.SetSplitRead(ctx, j.Name, sp.ID, cut.at.Blank)
}

// recordCut makes a new chunk durable, with its rejects.
func (j *jobRun) recordCut(ctx context.Context, c checkpoint.Chunk, next checkpoint.Split, rejects *spool) (checkpoint.Chunk, checkpoint.BulkJob, error) {
	var bulk checkpoint.BulkJob
	j.Events.step(StepWriteCut)
	rejected, err := pageOf(filepath.Join(j.Reports, RejectedFile), j.reportHeader(), rejects)
	if err != nil {
		return c, bulk, err
	}
	err = j.reports.record([]page{rejected}, func(o checkpoint.Offsets) error {
		var err error
		c, bulk, err = j.Checkpoint.Cut(ctx, c, next, o)
		return err
	})
	if err != nil {
		return c, bulk, err
	}
	j.Events.step(StepDoneCut)
	j.track.cut(c)
	j.checkErrors()
	return c, bulk, nil
}

// reportHeader is the header of all reports but success.csv.
func (j *jobRun) reportHeader() []string {
	var names []string
	for _, f := range j.Source.Schema().Fields()[:j.sourceColumns()] {
		names = append(names, f.Name)
	}
	return append(names, ReportColumns...)
}

// checkErrors stops the job when more rows are bad than the user allows.
func (j *jobRun) checkErrors() {
	l := j.track.ledger()
	bad := l.Rejected + l.Failed + l.Unprocessed + l.Unaccounted
	if j.MaxErrors.Exceeded(bad, l.Read) {
		j.stop(fmt.Errorf("%w: %d of %d rows read, more than --max-errors %s allows", ErrMaxErrors, bad, l.Read, j.MaxErrors))
	}
}

func send(ctx context.Context, chunks chan<- *chunk, c *chunk) error {
	select {
	case chunks <- c:
		return nil
	case <-ctx.Done():
		c.body.remove()
		return ctx.Err()
	}
}

// sleep waits or returns early with the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
