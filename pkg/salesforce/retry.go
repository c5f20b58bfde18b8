package salesforce

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// failure is what an attempt came to when it did not succeed.
type failure struct {
	err   error
	api   *APIError // the same error, when it is an answer
	sent  bool      // the org may have seen the request
	final bool      // another attempt would fail in the same way
}

type step int

const (
	stop    step = iota // give the error to the caller
	renew               // get a new token, then send again
	again               // pause, then send again
	unknown             // give up: the org may have acted
)

// after decides what follows a failure. It is the table of the package comment.
func (c Class) after(f failure) step {
	if e := f.api; e != nil {
		switch {
		case e.Status == http.StatusUnauthorized:
			return renew
		case e.overDailyLimit():
			return stop
		case e.overConcurrent(), e.Status == http.StatusTooManyRequests:
			return again
		case e.temporary():
		case e.broken && c == Repeat: // a refusal whose reason was cut off
		default:
			return stop
		}
	}
	switch {
	case f.sent && c != Repeat:
		return unknown
	case f.final:
		return stop
	default:
		return again
	}
}

// maxRetryAfter bounds what a Retry-After header may ask for.
const maxRetryAfter = 5 * time.Minute

// pause is the time to wait after the n-th attempt (n from 1): anything up to a ceiling that doubles each time, so that
// callers which failed together do not come back together.
func (c *Client) pause(n int, retryAfter time.Duration, e *APIError) time.Duration {
	if retryAfter > 0 {
		return min(retryAfter, maxRetryAfter) + rand.N(c.cfg.MinWait+1)
	}
	ceiling := c.cfg.MaxWait
	if shift := n - 1; shift < 30 && c.cfg.MinWait<<shift < ceiling {
		ceiling = c.cfg.MinWait << shift
	}
	d := rand.N(ceiling + 1)
	if e != nil && e.overConcurrent() {
		d += c.cfg.MinWait // requests that run long do not end at once
	}
	return d
}

// retryAfter reads the header in both its forms, seconds and a date. Salesforce's documents do not mention it, gateways
// send it.
func retryAfter(resp *http.Response) time.Duration {
	h := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(h, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(h); err == nil {
		now, err := http.ParseTime(resp.Header.Get("Date")) // of the same clock; this machine's may be hours off
		if err != nil {
			now = time.Now()
		}
		return max(0, at.Sub(now))
	}
	return 0
}

func timerSleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// trail watches whether a request left this machine.
type trail struct{ asked, wrote atomic.Bool }

func (t *trail) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:          func(string) { t.asked.Store(true) },
		WroteHeaderField: func(string, []string) { t.wrote.Store(true) },
		WroteHeaders:     func() { t.wrote.Store(true) },
	})
}

// maySent says whether a byte of the request may have reached the org when RoundTrip failed with err. Only proof counts:
// a transport that reports no events, such as a fake one, is believed only when it says that it could not dial.
func (t *trail) maySent(err error) bool {
	if t.wrote.Load() {
		return true
	}
	var op *net.OpError
	if t.asked.Load() || errors.As(err, &op) && op.Op == "dial" {
		return false
	}
	return true
}

// permanent tells network errors that no repetition heals.
func permanent(err error) bool {
	var (
		cert    *tls.CertificateVerificationError
		issuer  x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
		alert   tls.AlertError
	)
	return errors.As(err, &cert) || errors.As(err, &issuer) || errors.As(err, &host) ||
		errors.As(err, &invalid) || errors.As(err, &record) || errors.As(err, &alert)
}
