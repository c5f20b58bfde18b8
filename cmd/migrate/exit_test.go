package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
	"migrate/pkg/salesforce"
	"migrate/pkg/sources"
)

// sqliteError is an error of SQLite with a code.
type sqliteError int

func (e sqliteError) Code() int     { return int(e) }
func (e sqliteError) Error() string { return fmt.Sprintf("SQLite says %d", int(e)) }

// TestExitCode holds the table that scripts of users depend on.
func TestExitCode(t *testing.T) {
	t.Parallel()
	interrupted, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupted)
	for _, tc := range []struct {
		name string
		err  error
		want int
	}{
		{"none", nil, 0},
		{"unknown", errors.New("boom"), 1},
		{"usage", usagef("--limit is missing"), 2},
		{"config", &pipeline.ConfigError{Err: errors.New("two jobs of one name")}, 2},
		{"connection", salesforce.ErrConfig, 2},
		{"local org", &localorg.ConfigError{Err: errors.New("slots must be positive")}, 2},
		{"no such file", fs.ErrNotExist, 2},
		{"a file where a folder should be", syscall.ENOTDIR, 2},
		{"failed rows", errFailedRows, 3},
		{"job refused", &pipeline.JobFailedError{Job: bulk2.Job{Message: "InvalidBatch : Field name not found : Nme"}}, 4},
		{"job refused after rows were sent", &partlyError{&pipeline.JobFailedError{Job: bulk2.Job{Message: "InvalidBatch : Field name not found : Nme"}}}, 3},
		{"daily allocation after rows were sent", &partlyError{&pipeline.JobFailedError{Job: bulk2.Job{Message: "ExceededQuota : ApiBatchItems Limit exceeded"}}}, 7},
		{"plan", &plan.Error{}, 4},
		{"source changed", sources.ErrChanged, 4},
		{"source gone", errSourceGone, 4},
		{"structure", &sources.SyntaxError{}, 4},
		{"temporary", salesforce.ErrTemporary, 5},
		{"outcome unknown", salesforce.ErrOutcomeUnknown, 5},
		{"disk full", syscall.ENOSPC, 5},
		{"database on a full disk, said second", errors.Join(sqliteError(9), fmt.Errorf("record run state: %w", sqliteError(13))), 5},
		{"shared memory on a full disk", sqliteError(4874), 5},
		{"no permission", &fs.PathError{Op: "mkdir", Path: ".migrate", Err: syscall.EACCES}, 2},
		{"file system that is read-only", syscall.EROFS, 2},
		{"database that is read-only", sqliteError(1544), 2},
		{"no checkpoint", checkpoint.ErrNotFound, 2},
		{"damaged checkpoint", &checkpoint.DamagedError{Err: sqliteError(11)}, 10},
		{"login", salesforce.ErrAuth, 6},
		{"permission", &salesforce.APIError{Status: 403, Code: "INSUFFICIENT_ACCESS"}, 6},
		{"bound", pipeline.ErrMaxErrors, 7},
		{"API limit", salesforce.ErrLimit, 7},
		{"daily allocation", &pipeline.JobFailedError{Job: bulk2.Job{Message: "ExceededQuota : ApiBatchItems Limit exceeded"}}, 7},
		{"lock", &checkpoint.LockedError{}, 8},
		{"ledger", pipeline.ErrAccounting, 10},
		{"the ledger counts more than a temporary failure", errors.Join(salesforce.ErrTemporary, pipeline.ErrAccounting), 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := tc.err
			if err != nil {
				err = fmt.Errorf("job accounts: %w", err)
			}
			if got := exitCode(t.Context(), err); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
			want := codeInterrupted
			if err == nil {
				want = codeOK // it came to its end all the same
			}
			if got := exitCode(interrupted, err); got != want {
				t.Errorf("interrupted: got %d, want %d", got, want)
			}
		})
	}
}
