package checkpoint

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// RunState is where a run stands.
type RunState string

// The states of a run. A run that was killed stays RunRunning on disk; whether a process still works on it is told by
// its lock, not by its state.
const (
	RunRunning RunState = "running"
	RunStopped RunState = "stopped" // by a limit, an error or the user; resume goes on
	RunDone    RunState = "done"    // every row is accounted for
)

// Run is one execution of a plan or of an ad-hoc load.
type Run struct {
	ID      string
	Created time.Time
	Changed time.Time // last change of the state
	Command string    // what the user typed, without secrets
	Plan    string    // JSON, the plan as compiled at the start; opaque here
	Org     string    // JSON, which org it goes to; opaque here
	State   RunState
	Message string // why it stopped
}

// JobState is where a job of the plan stands.
type JobState string

// The states of a job.
const (
	JobRunning JobState = "running"
	JobDone    JobState = "done" // source read to its end and every chunk settled
)

// Job is one object, one operation, one mapping.
type Job struct {
	Name, Object, Operation string
	Spec                    string // JSON; opaque here
	State                   JobState
}

// SplitState is where a split stands.
type SplitState string

// The states of a split.
const (
	SplitOpen SplitState = "open" // rows from Next on have not been cut into chunks
	SplitRead SplitState = "read" // cut to its end
)

// Split is a piece of a job's source.
type Split struct {
	Job, ID string
	Spec    string // JSON; opaque here
	Next    string // JSON position of the first row that no chunk holds yet; opaque here
	Rows    int64  // source rows before Next
	Blank   int64  // blank lines skipped before Next
	State   SplitState
}

// Run returns the run.
func (s *Store) Run(ctx context.Context) (Run, error) {
	var r Run
	var created, changed string
	err := s.db.QueryRowContext(ctx, `select id, created, changed, command, plan, org, state, message from run`).
		Scan(&r.ID, &created, &changed, &r.Command, &r.Plan, &r.Org, &r.State, &r.Message)
	if err != nil {
		return Run{}, fmt.Errorf("read run: %w", err)
	}
	if r.Created, err = time.Parse(time.RFC3339Nano, created); err != nil {
		return Run{}, &DamagedError{Path: s.path, Err: err}
	}
	if r.Changed, err = time.Parse(time.RFC3339Nano, changed); err != nil {
		return Run{}, &DamagedError{Path: s.path, Err: err}
	}
	return r, nil
}

// SetRunState records where the run stands and why.
func (s *Store) SetRunState(ctx context.Context, state RunState, message string) error {
	err := changeOne(s.db.ExecContext(ctx, `update run set state=?, message=?, changed=?`, state, message, now()))
	if err != nil {
		return fmt.Errorf("record run state %s: %w", state, err)
	}
	return nil
}

// Jobs returns the jobs in plan order.
func (s *Store) Jobs(ctx context.Context) ([]Job, error) {
	rows, err := s.db.QueryContext(ctx, `select name, object, operation, spec, state from job order by position`)
	if err != nil {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	return collect(rows, func(j *Job) []any { return []any{&j.Name, &j.Object, &j.Operation, &j.Spec, &j.State} })
}

// SetJobDone records that a job's source is read and all its chunks are settled.
func (s *Store) SetJobDone(ctx context.Context, job string) error {
	if err := changeOne(s.db.ExecContext(ctx, `update job set state=? where name=?`, JobDone, job)); err != nil {
		return fmt.Errorf("record job %s done: %w", job, err)
	}
	return nil
}

// Splits returns a job's splits in source order.
func (s *Store) Splits(ctx context.Context, job string) ([]Split, error) {
	rows, err := s.db.QueryContext(ctx, `select job, id, spec, next, rows, blank, state from split where job=? order by position`, job)
	if err != nil {
		return nil, fmt.Errorf("read splits of job %s: %w", job, err)
	}
	return collect(rows, func(sp *Split) []any {
		return []any{&sp.Job, &sp.ID, &sp.Spec, &sp.Next, &sp.Rows, &sp.Blank, &sp.State}
	})
}

// SetSplitRead records that a split is cut to its end, with the number of blank lines skipped in all of it.
func (s *Store) SetSplitRead(ctx context.Context, job, split string, blank int64) error {
	err := changeOne(s.db.ExecContext(ctx, `update split set state=?, blank=? where job=? and id=?`, SplitRead, blank, job, split))
	if err != nil {
		return fmt.Errorf("record split %s of job %s read: %w", split, job, err)
	}
	return nil
}

// collect scans all rows into values whose fields dest names.
func collect[T any](rows *sql.Rows, dest func(*T) []any) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		var v T
		if err := rows.Scan(dest(&v)...); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
