package salesforce

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// What an error means for the caller; to be asked with errors.Is. ErrTemporary and ErrOutcomeUnknown exclude each other.
var (
	// ErrConfig: the Config or the Auth cannot work as it is set up, such as plain http to another machine. Nothing was sent.
	ErrConfig = errors.New("wrong configuration")
	// ErrAuth: the org or the login host refused the credentials (401 twice, or a refused login, but for a limit). Repeating is useless.
	ErrAuth = errors.New("authentication refused")
	// ErrLimit: an allocation of 24 hours is used up: API calls, or bulk jobs. Repeating soon is useless.
	ErrLimit = errors.New("daily API limit reached")
	// ErrTemporary: every attempt failed for reasons that pass, and sending the same request later is safe.
	ErrTemporary = errors.New("temporary failure")
	// ErrOutcomeUnknown: the org may have acted on the request or not. Read the state before sending anything again.
	ErrOutcomeUnknown = errors.New("outcome unknown")
)

// configError is a mistake in the configuration; its text is that of the mistake alone.
type configError struct{ error }

func (e configError) Is(target error) bool { return target == ErrConfig }
func (e configError) Unwrap() error        { return e.error }

// APIError is an answer of the org, of its login host or of a gateway before it that is not a success.
type APIError struct {
	Status  int      // HTTP status
	Code    string   // such as INVALID_FIELD, or invalid_grant from a login; empty when the body was not the org's own
	Message string   // the org's text on one line, at most 1,000 characters; from a gateway's page its text
	Fields  []string // API names of the fields the org blames, often empty

	Method string // of the request
	Path   string // of the request, without its query
	Job    string // job id of the request, may be empty

	Location   string        // where a redirect points to, scheme and host only; redirects are never followed
	RetryAfter time.Duration // what the server asked to wait; 0 when it did not say

	login  bool // the answer of a login
	fault  bool // a SOAP fault, whose status is 500 whatever went wrong
	broken bool // the body ended early
}

// Error says method, path, job, status, code and message, then what to do where that is known.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d", where(e.Method, e.Path, e.Job), e.Status)
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if len(e.Fields) > 0 {
		fmt.Fprintf(&b, " (fields %s)", strings.Join(e.Fields, ", "))
	}
	if h := e.hint(); h != "" {
		b.WriteString("; " + h)
	}
	return b.String()
}

// Is makes errors.Is(err, ErrAuth) and errors.Is(err, ErrLimit) work.
func (e *APIError) Is(target error) bool {
	switch target {
	case ErrAuth:
		return e.Status == http.StatusUnauthorized || e.login && !e.temporary() && !e.overDailyLimit()
	case ErrLimit:
		return e.overDailyLimit() || e.overJobs()
	}
	return false
}

// The API documents one code for two limits; only the text tells them apart.
const limitCode = "REQUEST_LIMIT_EXCEEDED"

func (e *APIError) overConcurrent() bool {
	return e.Code == limitCode && strings.Contains(e.Message, "ConcurrentRequests")
}

func (e *APIError) overDailyLimit() bool { return e.Code == limitCode && !e.overConcurrent() }

// temporary tells a refusal that may pass by itself. 420 comes from Salesforce's edge when it has no route to the org's
// host; 429 and 504 are not in Salesforce's documents, but gateways send them.
func (e *APIError) temporary() bool {
	if e.fault {
		return e.Code == "SERVER_UNAVAILABLE" || e.overConcurrent()
	}
	return e.Status == 420 || e.Status == 429 || e.Status >= 500 || e.overConcurrent()
}

// where names a request in messages; the job is left out where the path shows it already.
func where(method, path, job string) string {
	path, _, _ = strings.Cut(path, "?")
	if job == "" || strings.Contains(path, job) {
		return method + " " + path
	}
	return fmt.Sprintf("%s %s (job %s)", method, path, job)
}
