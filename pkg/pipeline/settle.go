package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"migrate/pkg/bulk2"
	"migrate/pkg/cell"
	"migrate/pkg/checkpoint"
	"migrate/pkg/idmap"
	"migrate/pkg/salesforce"
)

// settle gives every row of a job that has come to its end its outcome: in the org, in a report, or in another job. The
// chunk's rows are read from their source once more and claim their results by value; the reports are made durable first,
// then the outcome is recorded together with their lengths, all at once.
func (j *jobRun) settle(ctx context.Context, c *chunk, job bulk2.Job) error {
	if err := j.settles.Acquire(ctx, 1); err != nil {
		return err
	}
	defer j.settles.Release(1)
	s := &settlement{j: j, c: c, job: job, ways: rowForms(j.Columns)}
	defer s.close()
	err := s.resolve(ctx, !j.NoSuccess || j.ID != "")
	if err == nil && s.unclaimed() > 0 {
		// Results that no row claims: a set may have ended inside its last value, or which rows succeeded is only known from
		// the set that was not asked for.
		err = s.resolve(ctx, true)
	}
	if bulk2.IsGone(err) { // deleted between the last look and the results
		s.job.State = stateGone
		err = s.resolve(ctx, true)
	}
	if err != nil {
		return fmt.Errorf("settle job %s: %w", job.ID, err)
	}
	if n := s.unclaimed(); n > 0 {
		s.differs += int64(n)
		j.Events.warn(j.Name, fmt.Sprintf("job %s: %d result rows fit no row that was sent", s.job.ID, n))
	}
	next, err := s.record(ctx)
	if err != nil {
		return err
	}
	j.Events.step(StepDoneSettled)
	j.track.settled(c.bulk, s.outcome, len(s.further.failed))
	j.track.land(c.bulk)
	if isLocks(s.job.Message) {
		s.locked = c.bulk.Rows
	}
	j.flights.end(c.began, s.job.Processed, s.locked)
	if next.Retries > c.bulk.Retries || len(s.further.untried) > 0 && isLocks(s.job.Message) {
		c.rest = j.restBefore(max(next.Retries, 1))
	}
	c.bulk = next
	c.fruitless++
	if s.ran {
		c.fruitless = 0
	}
	if s.job.State == bulk2.StateJobComplete {
		c.jobs = 0
	}
	j.checkErrors()
	if s.fatal != nil {
		j.refused.Store(true)
		j.stop(s.fatal)
	}
	return nil
}

// settlement is the work on one job's results.
type settlement struct {
	j    *jobRun
	c    *chunk
	job  bulk2.Job
	ways []*rowForm
	sets map[bulk2.Kind]*resultSet

	impliedSuccess bool  // rows without a failure succeeded: the counts say so, and the set was not fetched
	ran            bool  // the org processed some of the rows
	nothingRan     bool  // the org processed no row of the job: all are unprocessed
	overQuota      bool  // rows without a result are unprocessed: a daily allocation was used up before them
	differs        int64 // rows by which the org's counts differ from its result sets
	resend         bool  // rows that the org has not tried go into another job
	fatal          error // no further chunk may be sent

	outcome checkpoint.Outcome
	further further
	locked  int64                // rows that found records locked
	missing checkpoint.Selection // rows that have claimed no result yet
	out     map[string]*spool    // report file → its new rows
	values  []string
	ids     []idmap.Pair // for the id map
}

// resolve fetches the results and matches them, from the start. full asks for the successful ones too.
func (s *settlement) resolve(ctx context.Context, full bool) error {
	s.close()
	s.outcome, s.further, s.locked, s.missing, s.out, s.ids = checkpoint.Outcome{}, further{}, 0, nil, nil, nil
	if err := s.fetch(ctx, full); err != nil {
		return err
	}
	s.decide()
	return s.match(ctx)
}

// fetch downloads the result sets that are needed, again when they do not agree with the org's own counts.
func (s *settlement) fetch(ctx context.Context, full bool) error {
	agreed := false // the last two differ alike: it is what the org has, and no fault of the way here
	for try := range fetchTries {
		if try > 0 {
			s.closeSets()
			if err := sleep(ctx, time.Duration(try)*s.j.waiter.every); err != nil {
				return err
			}
			job, err := s.j.Org.Job(ctx, s.job.ID) // its counts may have come later than its state
			if err != nil {
				return err
			}
			s.job = job
		}
		s.sets = map[bulk2.Kind]*resultSet{}
		for kind, rows := range s.needed(full) {
			set, err := s.j.fetch(ctx, s.job.ID, kind, s.ways[0], rows)
			if err != nil {
				return err
			}
			s.sets[kind] = set
		}
		before := s.differs
		s.count(full)
		if s.differs == 0 {
			return nil
		}
		agreed = try > 0 && s.differs == before && !s.headless()
	}
	if !agreed {
		return fmt.Errorf("its result sets did not come whole, %d times: %w", fetchTries, salesforce.ErrTemporary)
	}
	return nil
}

// headless reports whether a set that should have rows came without any, and without a header. So an empty body looks that a gateway
// gives for an answer.
func (s *settlement) headless() bool {
	for kind, rows := range s.needed(true) {
		if set := s.sets[kind]; set != nil && rows > 0 && s.job.State == bulk2.StateJobComplete && set.reader.Headless() {
			return true
		}
	}
	return false
}

// needed are the sets to fetch, with the number of rows that they should have.
func (s *settlement) needed(full bool) map[bulk2.Kind]int64 {
	switch {
	case s.job.State == stateGone:
		return nil
	case s.job.State != bulk2.StateJobComplete || s.job.Processed != s.c.bulk.Rows:
		return map[bulk2.Kind]int64{bulk2.Failed: s.job.Failed, bulk2.Successful: s.job.Processed - s.job.Failed, bulk2.Unprocessed: s.c.bulk.Rows - s.job.Processed}
	}
	kinds := map[bulk2.Kind]int64{}
	if s.job.Failed > 0 {
		kinds[bulk2.Failed] = s.job.Failed
	}
	if full {
		kinds[bulk2.Successful] = s.job.Processed - s.job.Failed
	}
	return kinds
}

// count compares the sets with the org's counts.
func (s *settlement) count(full bool) {
	failed, succeeded, unprocessed := s.sets[bulk2.Failed].len(), s.sets[bulk2.Successful].len(), s.sets[bulk2.Unprocessed].len()
	s.impliedSuccess = !full && s.job.State == bulk2.StateJobComplete && s.sets[bulk2.Successful] == nil
	s.nothingRan, s.overQuota = false, false
	switch {
	case s.job.State == stateGone:
		s.differs = 0
	case s.impliedSuccess:
		s.differs = abs(failed - s.job.Failed)
	case s.job.State == bulk2.StateJobComplete:
		s.differs = abs(failed-s.job.Failed) + abs(succeeded-(s.job.Processed-s.job.Failed)) + abs(s.c.bulk.Rows-failed-succeeded-unprocessed)
	case s.job.Processed == 0 && failed+succeeded+unprocessed == 0:
		s.nothingRan = true
		s.differs = 0
	case s.job.State == bulk2.StateFailed && isQuota(s.job.Message):
		// Rows beyond the daily allocation are in no result set (Bulk API 2.0 guide, Get Job Unprocessed Record Results). Those that the
		// org has processed are: as long as one of them is missing, it could be any of those without a result.
		s.differs = max(0, s.job.Processed-failed-succeeded)
		s.overQuota = s.differs == 0
	default: // the counts of a failed or aborted job are not promised to fit, its sets are
		s.differs = abs(s.c.bulk.Rows - failed - succeeded - unprocessed)
	}
}

// match lets the rows claim their results, in the surest way first.
func (s *settlement) match(ctx context.Context) error {
	if s.impliedSuccess && len(s.sets) == 0 {
		s.outcome.Succeeded = s.c.bulk.Rows // nothing failed and nobody asks for ids: no row needs to be looked at
		return nil
	}
	err := s.j.eachSent(ctx, s.c, s.c.bulk.Selection, func(r sentRow) error {
		if s.nothingRan {
			return s.unprocessed(r)
		}
		h := s.ways[0].hash(valuesOf(r.out, r.at))
		for _, kind := range []bulk2.Kind{bulk2.Failed, bulk2.Successful, bulk2.Unprocessed} {
			if e, ok := s.sets[kind].claim(h); ok {
				return s.settleRow(ctx, r, kind, e, true)
			}
		}
		if s.impliedSuccess {
			s.outcome.Succeeded++
			return nil
		}
		s.missing = append(s.missing, r.n)
		return nil
	})
	if err != nil {
		return err
	}
	for _, way := range s.ways[1:] {
		if len(s.missing) == 0 || s.unclaimed() == 0 {
			break
		}
		n := len(s.missing)
		if err := s.matchLoosely(ctx, way); err != nil {
			return err
		}
		if found := n - len(s.missing); found > 0 {
			s.j.Events.warn(s.j.Name, fmt.Sprintf("job %s: the org wrote %d rows back so differently that they were found by their %s columns alone", s.job.ID, found, way.name))
		}
	}
	if len(s.missing) == 0 {
		return nil
	}
	if s.job.State == stateGone {
		s.j.Events.warn(s.j.Name, fmt.Sprintf("job %s, recorded as %s, is gone from the org, which keeps jobs for 7 days: its %d rows from %s line %d on may be saved or not; %s has them",
			s.job.ID, s.c.bulk.State, s.c.bulk.Rows, s.c.split.Path, s.c.start.Line, UnaccountedFile))
	}
	return s.j.eachSent(ctx, s.c, s.missing, func(r sentRow) error {
		if s.overQuota {
			return s.unprocessed(r)
		}
		s.outcome.Unaccounted++
		return s.report(UnaccountedFile, r, reportRow{Code: CodeUnaccounted,
			Message: fmt.Sprintf("no result of job %s (%s) names this row; look it up in the org before you send it again", s.job.ID, s.job.State)})
	})
}

func (s *settlement) unclaimed() int {
	n := 0
	for _, set := range s.sets {
		n += set.left()
	}
	return n
}

// group is the rows and results that one loose hash brings together.
type group struct {
	rows, results int
	kind          bulk2.Kind
	mixed         bool   // results of several kinds, or failures for several reasons
	reason        uint64 // hash of the error text
}

// matchLoosely matches rows and results that are left by fewer columns. A group counts only if it leaves no choice: one row
// and one result, or as many rows as results and all with the same outcome. Nothing is guessed.
func (s *settlement) matchLoosely(ctx context.Context, way *rowForm) error {
	groups := map[xxh3.Uint128]*group{}
	for kind, set := range s.sets {
		if err := set.rehash(way); err != nil {
			return err
		}
		for _, e := range set.entries {
			row, err := set.read(e)
			if err != nil {
				return err
			}
			g := groups[e.hash]
			if g == nil {
				g = &group{kind: kind, reason: xxh3.Hash(row.Error)}
				groups[e.hash] = g
			}
			g.results++
			g.mixed = g.mixed || g.kind != kind || g.reason != xxh3.Hash(row.Error)
		}
	}
	each := func(f func(sentRow, xxh3.Uint128, *group) error) error {
		return s.j.eachSent(ctx, s.c, s.missing, func(r sentRow) error {
			h := way.hash(valuesOf(r.out, r.at))
			return f(r, h, groups[h])
		})
	}
	err := each(func(_ sentRow, _ xxh3.Uint128, g *group) error {
		if g != nil {
			g.rows++
		}
		return nil
	})
	if err != nil {
		return err
	}
	missing := checkpoint.Selection{}
	err = each(func(r sentRow, h xxh3.Uint128, g *group) error {
		single := g != nil && g.rows == 1 && g.results == 1
		if single || g != nil && g.rows == g.results && !g.mixed {
			if e, ok := s.sets[g.kind].claim(h); ok {
				return s.settleRow(ctx, r, g.kind, e, single)
			}
		}
		missing = append(missing, r.n)
		return nil
	})
	s.missing = missing
	return err
}

// settleRow gives a row the outcome that it has claimed. sure says that the result is this row's own and not just one of
// several with the same outcome, so that its id may be told.
func (s *settlement) settleRow(ctx context.Context, r sentRow, kind bulk2.Kind, e entry, sure bool) error {
	if kind == bulk2.Unprocessed {
		return s.unprocessed(r)
	}
	result, err := s.sets[kind].read(e)
	if err != nil {
		return err
	}
	if kind == bulk2.Failed {
		why := bulk2.ParseRowError(string(result.Error))
		if why.Locked() {
			s.locked++
		}
		if s.retry(why) {
			s.further.failed = append(s.further.failed, r.n)
			return nil
		}
		s.outcome.Failed++
		message := why.Message
		if len(why.Fields) > 0 {
			message += " (" + strings.Join(why.Fields, ", ") + ")"
		}
		return s.report(FailedFile, r, reportRow{Code: why.Code, Message: message, Transient: why.Transient()})
	}
	s.outcome.Succeeded++
	id := ""
	if sure {
		id = string(result.ID)
	}
	if err := s.remember(ctx, r, id); err != nil || s.j.NoSuccess {
		return err
	}
	return s.success(r, id, result.Created)
}

// remember notes which record a row became. What is entered before the outcome is recorded does no harm: after a crash the same is
// entered again.
func (s *settlement) remember(ctx context.Context, r sentRow, id string) error {
	if s.j.ID == "" || id == "" {
		return nil
	}
	col := r.in.Column(r.in.Schema().FieldIndices(s.j.ID)[0])
	source := string(cell.AppendText(nil, col, r.inAt))
	if source == "" {
		return nil // nothing can point to it
	}
	s.ids = append(s.ids, idmap.Pair{Source: source, ID: id})
	if len(s.ids) < idsAtOnce {
		return nil
	}
	return s.enter(ctx)
}

// idsAtOnce is how many entries of the id map are made durable at once.
const idsAtOnce = 10_000

func (s *settlement) enter(ctx context.Context) error {
	if len(s.ids) == 0 {
		return nil
	}
	s.j.Events.step(StepWriteIDs)
	err := s.j.IDs.Put(ctx, s.j.Name, s.ids)
	s.ids = s.ids[:0]
	return err
}

func (s *settlement) unprocessed(r sentRow) error {
	if s.resend {
		s.further.untried = append(s.further.untried, r.n)
		return nil
	}
	s.outcome.Unprocessed++
	message := s.job.Message
	if message == "" {
		message = "the job ended as " + string(s.job.State)
	}
	return s.report(UnprocessedFile, r, reportRow{Code: CodeUnprocessed, Message: message})
}

// report adds a row to a report, with all its source columns.
func (s *settlement) report(file string, r sentRow, why reportRow) error {
	where := s.j.origin(s.c.split, r.pos, r.in, r.inAt)
	why.File, why.Line, why.Attempt, why.Job = where.File, where.Line, where.Attempt+s.c.bulk.Attempt, s.job.ID
	return s.write(file, appendReportRow(nil, s.j.sourceValues(r.in, r.inAt), why))
}

func (s *settlement) success(r sentRow, id string, created bool) error {
	s.values = s.values[:0]
	if s.j.Key != "" {
		i := r.in.Schema().FieldIndices(s.j.Key)[0]
		s.values = append(s.values, string(cell.AppendText(nil, r.in.Column(i), r.inAt)))
	}
	where := s.j.origin(s.c.split, r.pos, r.in, r.inAt)
	s.values = append(s.values, where.File, where.Line, s.job.ID, id, strconv.FormatBool(created))
	return s.write(SuccessFile, bulk2.AppendRecord(nil, s.values...))
}

// successHeader is the header of success.csv.
func (j *jobRun) successHeader() []string {
	header := []string{"migrate_file", "migrate_line", "migrate_job", "sf__Id", "sf__Created"}
	if j.Key != "" {
		header = append([]string{j.Key}, header...)
	}
	return header
}

func (s *settlement) write(file string, row []byte) error {
	out := s.out[file]
	if out == nil {
		var err error
		if out, err = newSpool(s.j.Dir, "report-*.csv"); err != nil {
			return err
		}
		if s.out == nil {
			s.out = map[string]*spool{}
		}
		s.out[file] = out
	}
	_, err := out.Write(row)
	return err
}

// record makes the reports durable and then the outcome.
func (s *settlement) record(ctx context.Context) (checkpoint.BulkJob, error) {
	total := s.outcome.Succeeded + s.outcome.Failed + s.outcome.Unprocessed + s.outcome.Unaccounted + int64(s.further.len())
	if total != s.c.bulk.Rows {
		return checkpoint.BulkJob{}, fmt.Errorf("settle job %s: %d rows have an outcome, %d were sent: %w", s.job.ID, total, s.c.bulk.Rows, ErrAccounting)
	}
	if err := s.enter(ctx); err != nil {
		return checkpoint.BulkJob{}, err
	}
	s.closeSets() // their disk space is needed no longer
	var pages []page
	for file, rows := range s.out {
		header := s.j.reportHeader()
		if file == SuccessFile {
			header = s.j.successHeader()
		}
		p, err := pageOf(filepath.Join(s.j.Reports, file), header, rows)
		if err != nil {
			return checkpoint.BulkJob{}, err
		}
		pages = append(pages, p)
	}
	bulk := s.c.bulk
	bulk.Message = s.job.Message
	var next checkpoint.BulkJob
	s.j.Events.step(StepWriteReports)
	err := s.j.reports.record(pages, func(o checkpoint.Offsets) error {
		s.j.Events.step(StepWriteSettled)
		var err error
		next, err = s.j.Checkpoint.Settle(ctx, checkpoint.Settlement{BulkJob: bulk, Processed: s.job.Processed, Failed: s.job.Failed,
			Differs: s.differs, Outcome: s.outcome, Further: s.jobs(), Reports: o})
		return err
	})
	return next, err
}

func (s *settlement) closeSets() {
	for _, set := range s.sets {
		set.close()
	}
}

func (s *settlement) close() {
	s.closeSets()
	for _, out := range s.out {
		out.remove()
	}
}

func abs(n int64) int64 { return max(n, -n) }
