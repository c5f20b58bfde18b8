package pipeline

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
)

// A row gets into a further job of its chunk for one of two reasons. The org has not tried it, because its job failed or was aborted: it is
// offered again as long as the org gets on with the chunk at all. Or it failed for a reason that passes, such as a lock: it is sent again after
// a rest, with fewer others, RowRetries times at most. A failed row is surely not saved, so that neither can double a row. Until
// then it is in no report; which job carries it is recorded with the outcome of the others, all at once.

// further collects the rows of a settlement that go into further jobs. Ascending, as the rows come.
type further struct {
	untried, failed checkpoint.Selection
}

func (f further) len() int { return len(f.untried) + len(f.failed) }

// decide says what becomes of rows that the org has not tried.
func (s *settlement) decide() {
	s.ran = s.impliedSuccess || s.sets[bulk2.Failed].len()+s.sets[bulk2.Successful].len() > 0
	s.resend, s.fatal = true, nil
	switch {
	case s.job.State == bulk2.StateFailed && isQuota(s.job.Message):
		s.fatal = &JobFailedError{Job: s.job} // the rows wait for tomorrow
	case s.job.State == bulk2.StateFailed && isRefusal(s.job.Message):
		s.resend = false
		s.fatal = &JobFailedError{Job: s.job}
	case !s.ran && s.c.fruitless+1 >= maxFruitless:
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

// isLocks reports whether a job failed because too many of its rows found their records locked: the rest of it is better sent in
// smaller jobs, too.
func isLocks(message string) bool { return strings.HasPrefix(message, "TooManyLockFailure") }

// retry reports whether a row that failed is sent again.
func (s *settlement) retry(why bulk2.RowError) bool {
	most := s.j.RowRetries
	if why.Once() {
		most = min(most, 1)
	}
	return why.Transient() && s.c.bulk.Retries < most
}

// jobs cuts the rows into jobs. Those that failed, or whose job failed for locks, go into smaller ones.
func (s *settlement) jobs() []checkpoint.Further {
	var list []checkpoint.Further
	add := func(rows checkpoint.Selection, failed bool) {
		n := int64(len(rows))
		size := max(n, 1)
		if failed || isLocks(s.job.Message) {
			size = portion(s.c.bulk.Rows)
		}
		for k, parts := int64(0), (n+size-1)/size; k < parts; k++ {
			list = append(list, checkpoint.Further{Selection: rows[n*k/parts : n*(k+1)/parts], Failed: failed})
		}
	}
	add(s.further.untried, false)
	add(s.further.failed, true)
	return list
}

// minPortion is the least number of rows that is worth a job of its own.
const minPortion = 100

// portion is how many rows, at most, go into a job that sends rows of a job of n rows again. Half as many: they failed because too much
// went on at once, be it records that others held or the limits that the rows of one transaction share. At most one internal batch of the org:
// its transactions, of 200 rows each, run one after another and cannot lock each other out, while several batches run side by side. At least
// half a transaction: smaller jobs help no more, and only cost calls.
func portion(n int64) int64 { return min(batchRows, max(n/2, minPortion)) }

// restBefore is how long the rows of a chunk rest before they are sent again for the n-th time, in units of the time between two looks at a
// job, a second as a rule: 5, 10, 20, up to 60, and up to half of that more or less, so that chunks which got into each other's way do not
// meet again. An org lets a transaction wait for locks for about 10 seconds.
func (j *jobRun) restBefore(n int) time.Duration {
	units := min(5<<min(n-1, 10), 60)
	return time.Duration((0.5 + rand.Float64()) * float64(units) * float64(j.waiter.every))
}

// rest lets the rows of a chunk rest before they are sent again. Meanwhile another chunk may have its place among those in flight, as long as
// not too many rest.
func (j *jobRun) rest(ctx context.Context, c *chunk) error {
	pause := c.rest
	c.rest = 0
	j.Events.step(StepRest)
	if j.rests.TryAcquire(1) {
		defer j.rests.Release(1)
		j.flights.release()
		// Whoever called load gives the place back, so it is taken again whatever happens; those that have one leave soon when ctx ends.
		defer j.flights.acquire(context.WithoutCancel(ctx))
	}
	return sleep(ctx, pause)
}
