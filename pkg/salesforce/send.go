package salesforce

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// reading takes an answer within the attempt that brought it, so that an answer which did not come through (broken) can
// be asked for again. It must close the body.
type reading func(*http.Response) (broken bool, err error)

// do sends r until it succeeds or the class of r says to stop. With a reading the answer is read already.
func (c *Client) do(ctx context.Context, r *Request, read reading) (*http.Response, error) {
	err := r.check()
	if err != nil {
		return nil, err
	}
	token := c.session.current()
	renewed := false
	for n := 1; ; {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s: %w", r, ctx.Err())
		}
		resp, f := c.send(ctx, r, token, n, read)
		if f.err == nil {
			return resp, nil
		}
		next := r.Class.after(f)
		switch {
		case next == stop, next == renew && renewed:
			return nil, f.err
		case next == unknown:
			if ctx.Err() != nil && !errors.Is(f.err, ctx.Err()) {
				f.err = fmt.Errorf("%w: %w", ctx.Err(), f.err)
			}
			if !errors.Is(f.err, ErrOutcomeUnknown) {
				f.err = fmt.Errorf("%w: %w", ErrOutcomeUnknown, f.err)
			}
			return nil, fmt.Errorf("%w; read the state before sending it again", f.err)
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%s: %w", r, ctx.Err())
		case next == renew:
			token, renewed, err = c.session.renew(ctx, token)
			if errors.Is(err, ErrAuth) {
				return nil, fmt.Errorf("%w: %w", f.err, err)
			} else if err != nil { // not the org's refusal counts then, but why no login was possible
				return nil, fmt.Errorf("%v: %w", f.err, err)
			}
			continue
		case n >= c.cfg.Attempts:
			if !errors.Is(f.err, ErrTemporary) {
				f.err = fmt.Errorf("%w: %w", ErrTemporary, f.err)
			}
			return nil, fmt.Errorf("gave up at attempt %d: %w", n, f.err)
		}
		var wait time.Duration
		if f.api != nil {
			wait = f.api.RetryAfter
		}
		if err := c.wait(ctx, n, wait, f.api, f.err); err != nil {
			return nil, err
		}
		n++
		token = c.session.current() // another call may have replaced it
	}
}

// send makes the n-th attempt.
func (c *Client) send(ctx context.Context, r *Request, token Token, n int, read reading) (*http.Response, failure) {
	var t trail
	req, body, err := c.build(t.watch(ctx), r, token)
	if err != nil {
		return nil, failure{err: err, final: true}
	}
	start := time.Now()
	resp, err := c.cfg.Transport.RoundTrip(req)
	if err == nil && resp == nil {
		err = errors.New("the transport returned neither answer nor error")
	}
	if err != nil {
		_, wrong := body.end()
		f := failure{sent: t.maySent(err) || body.touched(), final: wrong != nil || permanent(err)}
		if wrong != nil {
			err = wrong // says more than what the transport made of it
		}
		f.err = fmt.Errorf("%s: %w", r, err)
		if f.sent {
			c.count(req)
		}
		c.cfg.Logger.DebugContext(ctx, "request failed", "method", r.Method, "path", req.URL.Path, "job", r.Job,
			"attempt", n, "took", time.Since(start), "error", err)
		return nil, f
	}
	c.count(req)
	c.note(resp)
	c.cfg.Logger.DebugContext(ctx, "request", "method", r.Method, "path", req.URL.Path, "job", r.Job, "attempt", n,
		"took", time.Since(start), "status", resp.StatusCode, "request_id", requestID(resp))
	openAnswer(ctx, r, resp)

	unchanged := resp.StatusCode == http.StatusNotModified && read == nil
	if (resp.StatusCode < 200 || resp.StatusCode > 299) && !unchanged {
		e := readError(resp, r, token.AccessToken)
		resp.Body.Close()
		body.end()
		if e.overConcurrent() || e.Status == http.StatusTooManyRequests {
			c.putOff.Add(1)
		}
		return nil, failure{err: e, api: e, sent: true}
	}
	if left, wrong := body.end(); left > 0 || wrong != nil {
		resp.Body.Close()
		err := fmt.Errorf("%s: the org answered %d before it had the last %d of %d bytes", r, resp.StatusCode, left, r.Size)
		if wrong != nil {
			err = fmt.Errorf("%s: %w", r, wrong)
		}
		return nil, failure{err: err, sent: true, final: wrong != nil}
	}
	if read == nil {
		return resp, failure{}
	}
	if broken, err := read(resp); err != nil {
		return nil, failure{err: err, sent: true, final: !broken}
	}
	return resp, failure{}
}

// build makes the HTTP request of one attempt. The upload is never nil.
func (c *Client) build(ctx context.Context, r *Request, token Token) (*http.Request, *upload, error) {
	u, err := r.url(token.InstanceURL, c.cfg.APIVersion)
	if err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, u.String(), nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r, err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	for k, v := range r.Header {
		req.Header[http.CanonicalHeaderKey(k)] = v
	}
	req.Header.Set("Authorization", "Bearer "+token.AccessToken)

	body := &upload{open: r.Body, size: r.Size}
	if r.Body == nil {
		return req, body, nil
	}
	first, err := body.next()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r, err)
	}
	if r.Size == 0 {
		err := probeEnd(body.bodies[0].src, nil)
		body.end()
		if err == errLonger {
			return nil, nil, fmt.Errorf("%s: the body is longer than the 0 bytes announced", r)
		}
		req.Body = http.NoBody
		return req, body, nil
	}
	req.Body, req.GetBody, req.ContentLength = first, body.next, r.Size
	return req, body, nil
}

func (c *Client) count(req *http.Request) {
	if !uncounted(req.URL) {
		c.calls.Add(1)
	}
}

// requestID is the id under which the org or its gateway knows a request; the header's name is not documented.
func requestID(resp *http.Response) string {
	return firstOf(resp.Header.Get("X-Sfdc-Request-Id"), resp.Header.Get("X-Request-Id"))
}
