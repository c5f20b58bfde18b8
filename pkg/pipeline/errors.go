package pipeline

import (
	"errors"
	"fmt"

	"migrate/pkg/bulk2"
)

// ErrMaxErrors says that the run stopped because too many rows were bad.
var ErrMaxErrors = errors.New("too many bad rows")

// ErrAccounting says that some rows are named by no result, or that the org's counts differ from its results.
var ErrAccounting = errors.New("the ledger does not balance")

// JobFailedError says that the org could not process a job at all: its columns or its CSV were refused, or a daily
// allocation is used up. No further chunk is sent.
type JobFailedError struct{ Job bulk2.Job }

func (e *JobFailedError) Error() string {
	text := fmt.Sprintf("job %s for %s failed in the org: %s", e.Job.ID, e.Job.Object, e.Job.Message)
	if e.Quota() {
		text += "; go on when the 24 hours have moved"
	}
	return text
}

// Quota reports whether a daily allocation ended the job; it will go on tomorrow.
func (e *JobFailedError) Quota() bool { return isQuota(e.Job.Message) }

// ConfigError says that the run cannot work as it is set up.
type ConfigError struct{ Err error }

func (e *ConfigError) Error() string { return e.Err.Error() }
func (e *ConfigError) Unwrap() error { return e.Err }
