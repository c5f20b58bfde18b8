package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"syscall"

	"migrate/internal/localorg"
	"migrate/pkg/checkpoint"
	"migrate/pkg/export"
	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
	"migrate/pkg/salesforce"
	"migrate/pkg/sinks"
	"migrate/pkg/sources"
)

// The exit codes. They are stable: scripts depend on them.
const (
	codeOK          = 0   // all rows in and accounted for
	codeUnexpected  = 1   // anything that has no code of its own
	codeUsage       = 2   // wrong flags or configuration
	codeFailedRows  = 3   // ended, some rows are not in the org, or some contents of files were not to be had
	codeInvalid     = 4   // validation failed, nothing was sent
	codeTemporary   = 5   // resume will help
	codeAuth        = 6   // login or permission
	codeLimit       = 7   // stopped at a limit or budget
	codeLocked      = 8   // another process works on the run
	codeAccounting  = 10  // the ledger does not balance, or the checkpoint is damaged
	codeInterrupted = 130 // interrupted, state saved
)

// errFailedRows is returned when a run has come to its end and some rows are not in the org.
var errFailedRows = errors.New("some rows are not in the org")

// partlyError is an error that ended a run after some of its rows were sent.
type partlyError struct{ error }

func (e *partlyError) Unwrap() error { return e.error }

// usageError is a mistake in the command line.
type usageError struct {
	err     error
	command string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...)}
}

// exitCode maps an error to its code; the first line that fits counts.
func exitCode(ctx context.Context, err error) int {
	var (
		usage   *usageError
		config  *pipeline.ConfigError
		org     *localorg.ConfigError
		planErr *plan.Error
		syntax  *sources.SyntaxError
		jobFail *pipeline.JobFailedError
		partly  *partlyError
		api     *salesforce.APIError
		damaged *checkpoint.DamagedError
		locked  *checkpoint.LockedError
	)
	switch {
	case err == nil:
		return codeOK
	case errors.Is(context.Cause(ctx), errInterrupted):
		return codeInterrupted
	case errors.As(err, &partly) && !(errors.As(err, &jobFail) && jobFail.Quota()):
		return codeFailedRows
	case errors.As(err, &usage), errors.As(err, &config), errors.Is(err, salesforce.ErrConfig), errors.Is(err, sources.ErrAddress), errors.Is(err, export.ErrOvertaken), errors.As(err, &org):
		return codeUsage
	case errors.As(err, &planErr), errors.Is(err, sources.ErrChanged), errors.Is(err, errSourceGone), errors.Is(err, sources.ErrQuery), errors.Is(err, sinks.ErrSchema), errors.Is(err, sinks.ErrValue), errors.As(err, &syntax):
		return codeInvalid
	case errors.As(err, &locked):
		return codeLocked
	case errors.Is(err, pipeline.ErrAccounting), errors.As(err, &damaged):
		return codeAccounting
	case errors.Is(err, pipeline.ErrMaxErrors), errors.Is(err, errReserve), errors.Is(err, errDuration), errors.Is(err, salesforce.ErrLimit):
		return codeLimit
	case errors.As(err, &jobFail):
		if jobFail.Quota() {
			return codeLimit
		}
		return codeInvalid
	case errors.Is(err, salesforce.ErrAuth), errors.Is(err, sources.ErrLogin), errors.As(err, &api) && (api.Status == http.StatusForbidden || api.Code == "FEATURENOTENABLED"):
		return codeAuth
	case errors.Is(err, errFailedRows), errors.Is(err, errMissingFiles):
		return codeFailedRows
	case errors.Is(err, salesforce.ErrTemporary), errors.Is(err, salesforce.ErrOutcomeUnknown), errors.Is(err, sources.ErrDatabase), errors.Is(err, sinks.ErrDatabase), diskFull(err):
		return codeTemporary
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, checkpoint.ErrNotFound), readOnly(err):
		return codeUsage
	}
	return codeUnexpected
}
