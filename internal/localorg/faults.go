package localorg

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Fault is a rule that makes calls or jobs fail. Rules are asked in the order in which they were given; the first that fits a
// call takes it. jobfaults.go has the kinds that are about jobs.
type Fault struct {
	// Endpoint is method and pattern as in Audit.Calls, such as "PUT jobs/ingest/{}/batches". A method or a pattern
	// of "*" fits all; "" is "* *". A job is named by the call that made it: "POST jobs/ingest" or "POST jobs/query".
	Endpoint string `json:"endpoint"`
	// Skip is how many fitting calls or jobs pass before the first that fails.
	Skip int `json:"skip"`
	// Times is how many calls or jobs fail. 0 means one, -1 all.
	Times int `json:"times"`
	// Kind is one of the Fault… names.
	Kind string `json:"kind"`
	// Status, ContentType, Body and RetryAfter are the answer of FaultStatus. Defaults: 503, text/html, a page as a gateway
	// writes it, no Retry-After.
	Status      int    `json:"status"`
	ContentType string `json:"contentType"`
	Body        string `json:"body"`
	RetryAfter  string `json:"retryAfter"`
	// Delay is how long FaultDelay waits, and how long a job is stuck; in JSON in nanoseconds. A job with 0 is stuck until
	// the rule is cleared.
	Delay time.Duration `json:"delay"`
	// Bytes is how much of a body FaultCutRequest, FaultCut and FaultShort let through.
	Bytes int64 `json:"bytes"`
	// Object limits a rule about jobs to those of one object. "": all.
	Object string `json:"object"`
	// Rows is how many rows of a job are processed before FaultFailJob and FaultStuckJob strike, up to the end of a chunk.
	Rows int `json:"rows"`
	// Every is how many rows FaultLockRows and FaultDropResult count to the next that they strike. 0 means one: all rows.
	Every int `json:"every"`
	// Text is the errorMessage of FaultFailJob. "": one that says that it is unknown.
	Text string `json:"text"`

	gone chan struct{} // closed when the rule is cleared
}

// The kinds of faults.
const (
	FaultStatus     = "status"      // an answer with another status; the org does not act
	FaultReset      = "reset"       // the connection ends before an answer; the org does not act
	FaultCutRequest = "cut request" // the connection ends while the request body is read; the org does not act
	FaultLoseReply  = "lose reply"  // the org acts, then the connection ends without an answer
	FaultCut        = "cut"         // the org acts, then the connection ends inside the answer
	FaultShort      = "short"       // the org acts, and the answer ends early but cleanly
	FaultDelay      = "delay"       // the org acts later
	FaultExpire     = "expire"      // all tokens from logins die before the call
)

// Fault adds a rule. It may be called while requests are served. It is also POST /local/faults with the rule as JSON.
func (o *Org) Fault(f Fault) error {
	switch f.Kind {
	case FaultStatus, FaultReset, FaultCutRequest, FaultLoseReply, FaultCut, FaultShort, FaultDelay, FaultExpire:
	default:
		if !jobFaults[f.Kind] {
			return fmt.Errorf("no kind of fault %q", f.Kind)
		}
	}
	if f.Rows < 0 || f.Every < 0 || f.Bytes < 0 || f.Delay < 0 || f.Skip < 0 {
		return fmt.Errorf("a number of the fault is negative")
	}
	if f.Object != "" && o.schema.object(f.Object) == nil {
		return fmt.Errorf("no object %q in this org", f.Object)
	}
	if f.Endpoint != "" && len(strings.Fields(f.Endpoint)) != 2 && !strings.HasSuffix(f.Endpoint, " ") {
		return fmt.Errorf("endpoint %q is not a method and a pattern", f.Endpoint)
	}
	if f.Times == 0 {
		f.Times = 1
	}
	if f.Status == 0 {
		f.Status = http.StatusServiceUnavailable
	}
	f.Every = max(f.Every, 1)
	f.gone = make(chan struct{})
	o.mu.Lock()
	defer o.mu.Unlock()
	o.faults = append(o.faults, &f)
	return nil
}

// ClearFaults takes all rules away, also from the jobs that are under them. It is also DELETE /local/faults.
func (o *Org) ClearFaults() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range o.faults {
		close(f.gone)
	}
	o.faults = nil
}

// takeFault finds the rule for a call, if any.
func (o *Org) takeFault(endpoint string) (Fault, bool) {
	if strings.Contains(endpoint, " local/") {
		return Fault{}, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range o.faults {
		switch {
		case f.Times == 0 || jobFaults[f.Kind] || !fits(f.Endpoint, endpoint):
		case f.Skip > 0:
			f.Skip--
		default:
			if f.Times > 0 {
				f.Times--
			}
			return *f, true
		}
	}
	return Fault{}, false
}

func fits(rule, endpoint string) bool {
	if rule == "" {
		return true
	}
	ruleMethod, rulePattern, _ := strings.Cut(rule, " ")
	method, pattern, _ := strings.Cut(endpoint, " ")
	return (ruleMethod == "*" || ruleMethod == method) && (rulePattern == "*" || strings.EqualFold(rulePattern, pattern))
}

// fail carries out a fault; answer lets the org act and write to the given writer. It ends the connection by the panic that
// net/http has for that.
func (o *Org) fail(f Fault, w http.ResponseWriter, r *http.Request, answer func(http.ResponseWriter)) {
	switch f.Kind {
	case FaultStatus:
		f.writeStatus(w)
	case FaultReset:
		panic(http.ErrAbortHandler)
	case FaultCutRequest:
		io.CopyN(io.Discard, r.Body, f.Bytes)
		panic(http.ErrAbortHandler)
	case FaultLoseReply:
		answer(&lostWriter{header: http.Header{}})
		panic(http.ErrAbortHandler)
	case FaultCut:
		answer(&cutWriter{ResponseWriter: w, left: f.Bytes})
		panic(http.ErrAbortHandler) // the answer was shorter than the cut
	case FaultShort:
		answer(&shortWriter{ResponseWriter: w, left: f.Bytes})
	case FaultDelay:
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		select {
		case <-t.C:
			answer(w)
		case <-r.Context().Done():
		case <-o.ctx.Done():
		}
	case FaultExpire:
		o.ExpireTokens()
		answer(w)
	}
}

func (f *Fault) writeStatus(w http.ResponseWriter) {
	if f.ContentType == "" {
		f.ContentType = "text/html"
	}
	if f.Body == "" {
		f.Body = fmt.Sprintf("<html><head><title>%d %[2]s</title></head><body><h1>%[2]s</h1></body></html>\n", f.Status, http.StatusText(f.Status))
	}
	w.Header().Set("Content-Type", f.ContentType)
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	w.WriteHeader(f.Status)
	io.WriteString(w, f.Body)
}

// lostWriter takes an answer that nobody gets.
type lostWriter struct{ header http.Header }

func (w *lostWriter) Header() http.Header         { return w.header }
func (w *lostWriter) WriteHeader(int)             {}
func (w *lostWriter) Write(p []byte) (int, error) { return len(p), nil }

// cutWriter ends the connection after some bytes of the body.
type cutWriter struct {
	http.ResponseWriter
	left int64
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if int64(len(p)) <= w.left {
		w.left -= int64(len(p))
		return w.ResponseWriter.Write(p)
	}
	w.ResponseWriter.Write(p[:w.left])
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
	panic(http.ErrAbortHandler)
}

// shortWriter drops the rest of the body and ends it as if it were whole.
type shortWriter struct {
	http.ResponseWriter
	left int64
}

func (w *shortWriter) WriteHeader(status int) {
	w.Header().Del("Content-Length")
	w.ResponseWriter.WriteHeader(status)
}

func (w *shortWriter) Write(p []byte) (int, error) {
	w.Header().Del("Content-Length")
	n := min(int64(len(p)), w.left)
	w.left -= n
	if _, err := w.ResponseWriter.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}
