package localorg

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
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
	// Share lets only so many of the calls fail that would, 0.3 for about three of ten, drawn by Seed. 0 means all.
	Share float64 `json:"share"`
	Seed  uint64  `json:"seed"`
	// Kind is one of the Fault… names.
	Kind string `json:"kind"`
	// Status, ContentType, Body and RetryAfter are the answer of FaultStatus. Defaults: 503, text/html, a page as a gateway
	// writes it, no Retry-After.
	Status      int    `json:"status"`
	ContentType string `json:"contentType"`
	Body        string `json:"body"`
	RetryAfter  string `json:"retryAfter"`
	// Delay is how long FaultDelay, FaultLate and FaultSlowReply wait, FaultTrickle between two pieces, and how long a job is
	// stuck; in JSON in nanoseconds. A job with 0 is stuck until the rule is cleared.
	Delay time.Duration `json:"delay"`
	// Bytes is how much of a body FaultCutRequest, FaultCut, FaultShort and FaultShortChunks let through. Within draws it anew
	// for each call, by Seed, from 0 up to and without Within. 0: Bytes counts.
	Bytes  int64 `json:"bytes"`
	Within int64 `json:"within"`
	// Object limits a rule about jobs to those of one object. "": all.
	Object string `json:"object"`
	// Rows is how many rows of a job are processed before FaultFailJob and FaultStuckJob strike, up to the end of a chunk.
	Rows int `json:"rows"`
	// Every is how many rows FaultLockRows and FaultDropResult count to the next that they strike. 0 means one: all rows.
	Every int `json:"every"`
	// Text is the errorMessage of FaultFailJob. "": one that says that it is unknown.
	Text string `json:"text"`

	gone chan struct{} // closed when the rule is cleared
	draw *rand.Rand
}

// The kinds of faults.
const (
	FaultStatus      = "status"       // an answer with another status; the org does not act
	FaultRefuse      = "refuse"       // no connection is made; only for clients of Transport, and those that ask Refuses
	FaultReset       = "reset"        // the connection ends before an answer; the org does not act
	FaultCutRequest  = "cut request"  // the connection ends while the request body is read; the org does not act
	FaultLoseReply   = "lose reply"   // the org acts, then the connection ends without an answer
	FaultCut         = "cut"          // the org acts, then the connection ends inside the answer
	FaultShort       = "short"        // the org acts, and the answer ends early but cleanly
	FaultShortChunks = "short chunks" // the same, with an answer in chunks, which says nothing about its length
	FaultDelay       = "delay"        // the org acts later, unless the client has gone by then
	FaultLate        = "late"         // the org acts later, also when the client has gone
	FaultSlowReply   = "slow reply"   // the org acts, and answers later
	FaultTrickle     = "trickle"      // the org acts, and the answer comes in 16 pieces
	FaultExpire      = "expire"       // all tokens from logins die before the call
)

var callFaults = []string{FaultStatus, FaultRefuse, FaultReset, FaultCutRequest, FaultLoseReply, FaultCut, FaultShort, FaultShortChunks, FaultDelay, FaultLate,
	FaultSlowReply, FaultTrickle, FaultExpire}

// Fault adds a rule. It may be called while requests are served. It is also POST /local/faults with the rule as JSON.
func (o *Org) Fault(f Fault) error {
	if !slices.Contains(callFaults, f.Kind) && !jobFaults[f.Kind] {
		return fmt.Errorf("no kind of fault %q", f.Kind)
	}
	if f.Rows < 0 || f.Every < 0 || f.Bytes < 0 || f.Within < 0 || f.Delay < 0 || f.Skip < 0 {
		return fmt.Errorf("a number of the fault is negative")
	}
	if !(f.Share >= 0 && f.Share <= 1) || f.Share > 0 && jobFaults[f.Kind] {
		return fmt.Errorf("the share of the fault is not between 0 and 1, or is one of jobs")
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
	f.draw = rand.New(rand.NewPCG(f.Seed, 0))
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

// Refuses asks, before a connection is made for a call, whether a rule of FaultRefuse takes it. No handler can refuse a connection, so
// who connects to the org by another way than Transport has to ask.
func (o *Org) Refuses(r *http.Request) bool {
	_, taken := o.takeFault(o.endpoint(r.Method, urlParts(r.URL)), true)
	return taken
}

// takeFault finds the rule for a call, if any. Whether there is a connection is decided before, by other rules than the rest.
func (o *Org) takeFault(endpoint string, connect bool) (Fault, bool) {
	if strings.Contains(endpoint, " local/") {
		return Fault{}, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range o.faults {
		switch {
		case f.Times == 0 || jobFaults[f.Kind] || connect != (f.Kind == FaultRefuse) || !fits(f.Endpoint, endpoint):
		case f.Skip > 0:
			f.Skip--
		case f.Share > 0 && f.draw.Float64() >= f.Share:
		default:
			if f.Times > 0 {
				f.Times--
			}
			o.audit.fault(endpoint, f.Kind)
			taken := *f
			if f.Within > 0 {
				taken.Bytes = f.draw.Int64N(f.Within)
			}
			return taken, true
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
func (o *Org) fail(f Fault, w http.ResponseWriter, r *http.Request, answer func(http.ResponseWriter, *http.Request)) {
	switch f.Kind {
	case FaultStatus:
		f.writeStatus(w)
	case FaultReset:
		panic(http.ErrAbortHandler)
	case FaultCutRequest:
		io.CopyN(io.Discard, r.Body, f.Bytes)
		panic(http.ErrAbortHandler)
	case FaultLoseReply:
		answer(&lostWriter{header: http.Header{}}, r)
		panic(http.ErrAbortHandler)
	case FaultCut:
		answer(&cutWriter{ResponseWriter: w, left: f.Bytes}, r)
		panic(http.ErrAbortHandler) // the answer was shorter than the cut
	case FaultShort, FaultShortChunks:
		answer(&shortWriter{ResponseWriter: w, left: f.Bytes, chunks: f.Kind == FaultShortChunks}, r)
	case FaultDelay:
		if o.pause(r.Context(), f.Delay) {
			answer(w, r)
		}
	case FaultLate:
		body, err := io.ReadAll(io.LimitReader(r.Body, o.cfg.MaxUpload+1))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		alone := r.WithContext(context.WithoutCancel(r.Context()))
		alone.Body = io.NopCloser(bytes.NewReader(body))
		if o.pause(alone.Context(), f.Delay) {
			answer(w, alone)
		}
	case FaultSlowReply, FaultTrickle:
		held := &heldWriter{header: http.Header{}}
		answer(held, r)
		pieces := 1
		if f.Kind == FaultTrickle {
			pieces = tricklePieces
		}
		held.send(w, pieces, func() bool { return o.pause(r.Context(), f.Delay) })
	case FaultExpire:
		o.ExpireTokens()
		answer(w, r)
	}
}

// pause waits; false means that ctx or the org has ended meanwhile.
func (o *Org) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-o.ctx.Done():
	}
	return false
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
