package bulk2

import (
	"errors"
	"net/http"

	"migrate/pkg/salesforce"
)

// IsGone reports whether the org says that it knows no such job: it was deleted, or is older than 7 days. What matches salesforce.ErrGone is
// gone, too.
func IsGone(err error) bool {
	var api *salesforce.APIError
	return errors.Is(err, salesforce.ErrGone) || errors.As(err, &api) && api.Status == http.StatusNotFound
}

// IsRefused reports whether the org refused a call for the state that the job is in, or for what it holds.
func IsRefused(err error) bool {
	var api *salesforce.APIError
	return errors.As(err, &api) && api.Status == http.StatusBadRequest
}

// IsUnclear reports whether a call may have taken effect although it failed: its answer was lost, or the org refused it
// because the job is in another state than it should be, or has its data already. The job's state tells.
func IsUnclear(err error) bool {
	if errors.Is(err, salesforce.ErrOutcomeUnknown) {
		return true
	}
	var api *salesforce.APIError
	return errors.As(err, &api) && api.Status == http.StatusBadRequest &&
		(api.Code == "INVALIDJOBSTATE" || api.Code == "BULK_API_ERROR")
}
