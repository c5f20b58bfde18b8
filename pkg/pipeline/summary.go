package pipeline

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"migrate/pkg/checkpoint"
)

// Summary is what became of a run, as far as it has come.
type Summary struct {
	Run   checkpoint.Run
	Jobs  []JobSummary
	Total checkpoint.Ledger
}

// JobSummary is what became of one job.
type JobSummary struct {
	checkpoint.Job
	Ledger checkpoint.Ledger
}

// Summarize reads a run's summary from its checkpoint, also while the run goes on.
func Summarize(ctx context.Context, s *checkpoint.Store) (Summary, error) {
	var sum Summary
	var err error
	if sum.Run, err = s.Run(ctx); err != nil {
		return sum, err
	}
	jobs, err := s.Jobs(ctx)
	if err != nil {
		return sum, err
	}
	for _, j := range jobs {
		l, err := s.Ledger(ctx, j.Name)
		if err != nil {
			return sum, err
		}
		sum.Jobs = append(sum.Jobs, JobSummary{Job: j, Ledger: l})
		sum.Total = sum.Total.Add(l)
	}
	return sum, nil
}

// finished reports whether every job has come to its end and no row is open.
func (s Summary) finished() bool {
	for _, j := range s.Jobs {
		if j.State != checkpoint.JobDone || j.Ledger.Pending != 0 {
			return false
		}
	}
	return true
}

// check says whether a run that has come to its end is in order.
func (s Summary) check() error {
	for _, j := range s.Jobs {
		l := j.Ledger
		switch {
		case j.State != checkpoint.JobDone:
			return fmt.Errorf("job %s: %w: it has not come to its end", j.Name, ErrAccounting)
		case !l.Balanced() || l.Pending != 0:
			return fmt.Errorf("job %s: %w: %d rows read, %+v", j.Name, ErrAccounting, l.Read, l)
		case l.Unaccounted > 0:
			return fmt.Errorf("job %s: %w: %d rows are named by no result and may be in the org or not; %s has them", j.Name, ErrAccounting, l.Unaccounted, UnaccountedFile)
		case l.Differs > 0:
			return fmt.Errorf("job %s: %w: the org's counts and its result files differ by %d rows", j.Name, ErrAccounting, l.Differs)
		}
	}
	return nil
}

// ErrorCount is how often a code occurs in a report, with one of its rows.
type ErrorCount struct {
	Code    string
	Rows    int64
	Message string // of the example
	File    string
	Line    int64
}

// CountErrors reads a report file and returns its codes, the commonest first. A report that is not there has none.
func CountErrors(path string) ([]ErrorCount, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	// The columns of the report stand last; a source may have columns of the same names.
	at := len(header) - len(ReportColumns)
	if at < 0 || !slices.Equal(header[at:], ReportColumns) {
		return nil, fmt.Errorf("%s is no report of this program", path)
	}
	counts := map[string]*ErrorCount{}
	for {
		row, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		row = row[at:]
		c := counts[row[4]]
		if c == nil {
			line, _ := strconv.ParseInt(row[1], 10, 64)
			code := string([]byte(row[4]))
			c = &ErrorCount{Code: code, Message: string([]byte(row[5])), File: string([]byte(row[0])), Line: line}
			counts[code] = c
		}
		c.Rows++
	}
	var list []ErrorCount
	for _, c := range counts {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b ErrorCount) int { return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Code, b.Code)) })
	return list, nil
}
