package pipeline

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
)

// settle gives every row of a job that has come to its end its outcome: in the org, in a report, or in another job. The
// chunk's rows are read from their source once more and claim their results by value; the reports are made durable first,
// then the outcome is recorded together with their lengths, all at once.
func (j *jobRun) settle(ctx context.Context, c *chunk, job bulk2.Job) error {
	s := &settlement{j: j, c: c, job: job, ways: rowForms(j.Columns)}
	defer s.close()
	if err := s.fetch(ctx, !j.NoSuccess || job.State != bulk2.StateJobComplete); err != nil {
		return err
	}
	j.settling.Lock()
	defer j.settling.Unlock()
	err := s.match(ctx)
	if err == nil && s.impliedSuccess && s.sets[bulk2.Failed].left() > 0 {
		// A failure that no row claims: which rows succeeded is then only known from the other set.
		s.reset()
		if err = s.fetch(ctx, true); err == nil {
			err = s.match(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("settle job %s: %w", job.ID, err)
	}
	next, err := s.record(ctx)
	if err != nil {
		return err
	}
	j.Events.step(StepDoneSettled)
	j.track.settled(s.outcome)
	j.track.land(c.bulk)
	c.bulk = next
	j.checkErrors()
	if s.fatal != nil {
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
	nothingRan     bool  // the org processed no row of the job: all are unprocessed
	differs        int64 // rows by which the org's counts differ from its result sets
	resend         bool  // unprocessed rows go into another job
	fatal          error // no further chunk may be sent

	outcome   checkpoint.Outcome
	remainder checkpoint.Selection
	missing   checkpoint.Selection // rows that have claimed no result yet
	out       map[string]*spool    // report file → its new rows
	values    []string
}

// fetch downloads the result sets that are needed, again when they do not agree with the org's own counts.
func (s *settlement) fetch(ctx context.Context, full bool) error {
	for try := range fetchTries {
		if try > 0 {
			s.closeSets()
			if err := sleep(ctx, time.Duration(try)*time.Second); err != nil {
				return err
			}
		}
		kinds := []bulk2.Kind{bulk2.Failed, bulk2.Successful, bulk2.Unprocessed}
		if complete := s.job.State == bulk2.StateJobComplete && s.job.Processed == s.c.bulk.Rows; complete {
			kinds = nil
			if s.job.Failed > 0 {
				kinds = append(kinds, bulk2.Failed)
			}
			if full {
				kinds = append(kinds, bulk2.Successful)
			}
		}
		s.sets = map[bulk2.Kind]*resultSet{}
		for _, k := range kinds {
			set, err := s.j.fetch(ctx, s.job.ID, k, s.ways[0])
			if err != nil {
				return err
			}
			s.sets[k] = set
		}
		s.count(full)
		if s.differs == 0 {
			break
		}
	}
	s.decide()
	return nil
}

// count compares the sets with the org's counts.
func (s *settlement) count(full bool) {
	failed, succeeded, unprocessed := s.sets[bulk2.Failed].len(), s.sets[bulk2.Successful].len(), s.sets[bulk2.Unprocessed].len()
	s.impliedSuccess = !full && s.sets[bulk2.Successful] == nil
	s.nothingRan = false
	switch {
	case s.impliedSuccess:
		s.differs = abs(failed - s.job.Failed)
	case s.job.State == bulk2.StateJobComplete:
		s.differs = abs(failed-s.job.Failed) + abs(succeeded-(s.job.Processed-s.job.Failed)) + abs(s.c.bulk.Rows-failed-succeeded-unprocessed)
	case s.job.Processed == 0 && failed+succeeded+unprocessed == 0:
		s.nothingRan = true
		s.differs = 0
	default: // the counts of a failed or aborted job are not promised to fit, its sets are
		s.differs = abs(s.c.bulk.Rows - failed - succeeded - unprocessed)
	}
}

// decide says what becomes of unprocessed rows.
func (s *settlement) decide() {
	ran := s.sets[bulk2.Failed].len()+s.sets[bulk2.Successful].len() > 0
	s.resend, s.fatal = true, nil
	switch {
	case s.job.State == bulk2.StateFailed && isQuota(s.job.Message):
		s.fatal = &JobFailedError{Job: s.job, Records: s.c.bulk.Rows} // the rows wait for tomorrow
	case s.job.State == bulk2.StateFailed && isRefusal(s.job.Message):
		s.resend = false
		s.fatal = &JobFailedError{Job: s.job, Records: s.c.bulk.Rows}
	case !ran && s.c.bulk.Attempt >= maxFruitless:
		s.resend = false
	}
}

// maxFruitless is the number of jobs in a row of which the org may process nothing before their rows go into the report.
const maxFruitless = 3

// isQuota reports whether a daily allocation has ended a job.
func isQuota(message string) bool {
	return strings.Contains(message, "ExceededQuota") || strings.Contains(message, "Limit exceeded")
}

// isRefusal reports whether a job failed for what was sent, so that the same would fail again
// (Bulk API 2.0 guide, Errors: the names before the colon).
func isRefusal(message string) bool {
	name, _, _ := strings.Cut(message, " :")
	switch name {
	case "InvalidBatch", "ClientInputError", "InvalidJob", "InvalidOperation", "InvalidUser", "InvalidEntity", "FeatureNotEnabled":
		return true
	}
	return false
}

// match lets the rows claim their results, in the surest way first.
func (s *settlement) match(ctx context.Context) error {
	err := s.j.eachSent(ctx, s.c, s.c.bulk.Selection, func(r sentRow) error {
		if s.nothingRan {
			return s.unprocessed(r)
		}
		h := s.ways[0].hash(valuesOf(r.out, r.at))
		for _, kind := range []bulk2.Kind{bulk2.Failed, bulk2.Successful, bulk2.Unprocessed} {
			if e, ok := s.sets[kind].claim(h); ok {
				return s.settleRow(r, kind, e, true)
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
	for i, way := range s.ways[1:] {
		if len(s.missing) == 0 || s.unclaimed() == 0 {
			break
		}
		n := len(s.missing)
		if err := s.matchLoosely(ctx, way); err != nil {
			return err
		}
		if found := n - len(s.missing); found > 0 {
			by := "their key columns"
			if i == len(s.ways)-2 {
				by = "their text columns"
			}
			s.j.Events.warn(s.j.Name, fmt.Sprintf("job %s: the org wrote %d rows back so differently that they were found by %s alone", s.job.ID, found, by))
		}
	}
	if n := s.unclaimed(); n > 0 {
		s.differs += int64(n)
		s.j.Events.warn(s.j.Name, fmt.Sprintf("job %s: %d result rows fit no row that was sent", s.job.ID, n))
	}
	if len(s.missing) == 0 {
		return nil
	}
	return s.j.eachSent(ctx, s.c, s.missing, func(r sentRow) error {
		s.outcome.Unaccounted++
		return s.report(UnprocessedFile, r, reportRow{Code: CodeUnaccounted,
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
				return s.settleRow(r, g.kind, e, single)
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
func (s *settlement) settleRow(r sentRow, kind bulk2.Kind, e entry, sure bool) error {
	if kind == bulk2.Unprocessed {
		return s.unprocessed(r)
	}
	result, err := s.sets[kind].read(e)
	if err != nil {
		return err
	}
	if kind == bulk2.Failed {
		s.outcome.Failed++
		why := bulk2.ParseRowError(string(result.Error))
		message := why.Message
		if len(why.Fields) > 0 {
			message += " (" + strings.Join(why.Fields, ", ") + ")"
		}
		return s.report(FailedFile, r, reportRow{Code: why.Code, Message: message, Transient: why.Transient()})
	}
	s.outcome.Succeeded++
	if s.j.NoSuccess {
		return nil
	}
	id := ""
	if sure {
		id = string(result.ID)
	}
	return s.success(r, id, result.Created)
}

func (s *settlement) unprocessed(r sentRow) error {
	if s.resend {
		s.remainder = append(s.remainder, r.n)
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
	why.File, why.Line, why.Attempt, why.Job = s.c.split.Path, r.pos.Line, s.c.bulk.Attempt, s.job.ID
	return s.write(file, appendReportRow(nil, r.values(), why))
}

func (s *settlement) success(r sentRow, id string, created bool) error {
	s.values = s.values[:0]
	if s.j.Key != "" {
		i := r.in.Schema().FieldIndices(s.j.Key)[0]
		s.values = append(s.values, r.in.Column(i).ValueStr(r.inAt))
	}
	s.values = append(s.values, s.c.split.Path, strconv.FormatInt(r.pos.Line, 10), s.job.ID, id, strconv.FormatBool(created))
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
	total := s.outcome.Succeeded + s.outcome.Failed + s.outcome.Unprocessed + s.outcome.Unaccounted + int64(len(s.remainder))
	if total != s.c.bulk.Rows {
		return checkpoint.BulkJob{}, fmt.Errorf("settle job %s: %d rows have an outcome, %d were sent: %w", s.job.ID, total, s.c.bulk.Rows, ErrAccounting)
	}
	var pages []page
	for file, rows := range s.out {
		if _, err := rows.finish(); err != nil {
			return checkpoint.BulkJob{}, err
		}
		header := s.j.reportHeader()
		if file == SuccessFile {
			header = s.j.successHeader()
		}
		pages = append(pages, page{name: filepath.Join(s.j.Reports, file), header: header, size: rows.size,
			rows: io.NewSectionReader(rows.f, 0, rows.size)})
	}
	bulk := s.c.bulk
	bulk.Message = s.job.Message
	var next checkpoint.BulkJob
	s.j.Events.step(StepWriteReports)
	err := s.j.reports.record(pages, func(o checkpoint.Offsets) error {
		s.j.Events.step(StepWriteSettled)
		var err error
		next, err = s.j.Checkpoint.Settle(ctx, checkpoint.Settlement{BulkJob: bulk, Processed: s.job.Processed, Failed: s.job.Failed,
			Differs: s.differs, Outcome: s.outcome, Remainder: s.remainder, Reports: o})
		return err
	})
	return next, err
}

// reset forgets what was matched so far.
func (s *settlement) reset() {
	s.close()
	s.outcome, s.remainder, s.missing, s.out = checkpoint.Outcome{}, nil, nil, nil
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
