package salesforce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"sync/atomic"
	"time"
)

// DefaultAPIVersion is used where Config does not name one.
const DefaultAPIVersion = "66.0"

// Config says which org to talk to and how.
type Config struct {
	// InstanceURL is scheme and host of the org: https, or http to this machine. Empty: what the login answers.
	InstanceURL string
	APIVersion  string            // such as "66.0"; default DefaultAPIVersion
	Auth        Auth              // required
	Transport   http.RoundTripper // default NewTransport(). The client's own, for logins too
	Logger      *slog.Logger      // default none. Each request at debug level, each pause before another attempt at info level
	UserAgent   string            // default "migrate"

	Attempts int           // how often a request is sent at most, not counting the repetition after a 401; default 6
	MinWait  time.Duration // ceiling of the first random pause, doubled for each next one; default 500 ms
	MaxWait  time.Duration // ceiling of all pauses but those that a Retry-After asks for (at most 5 minutes); default 30 s

	Sleep func(ctx context.Context, d time.Duration) error // default a timer; returns ctx's error when that ends first
}

var versionForm = regexp.MustCompile(`^[1-9][0-9]{1,2}\.0$`)

// fill puts in the defaults and checks the rest.
func (c *Config) fill() (err error) {
	if c.Auth == nil {
		return errors.New("no way to log in is configured")
	}
	if c.InstanceURL != "" {
		if c.InstanceURL, err = baseURL("instance URL", c.InstanceURL); err != nil {
			return err
		}
	}
	c.APIVersion = firstOf(c.APIVersion, DefaultAPIVersion)
	if !versionForm.MatchString(c.APIVersion) {
		return fmt.Errorf("API version %q must look like %s", c.APIVersion, DefaultAPIVersion)
	}
	if c.Attempts < 0 || c.MinWait < 0 || c.MaxWait < 0 {
		return fmt.Errorf("attempts (%d) and waits (%v, %v) must not be negative", c.Attempts, c.MinWait, c.MaxWait)
	}
	if c.Transport == nil {
		c.Transport = NewTransport()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.UserAgent = firstOf(c.UserAgent, "migrate")
	if c.Attempts == 0 {
		c.Attempts = 6
	}
	if c.MinWait == 0 {
		c.MinWait = 500 * time.Millisecond
	}
	if c.MaxWait == 0 {
		c.MaxWait = 30 * time.Second
	}
	if c.Sleep == nil {
		c.Sleep = timerSleep
	}
	return nil
}

// Client is a connection to one org. All its methods may be called by several goroutines at once.
type Client struct {
	cfg     Config
	session *session
	calls   atomic.Int64
	putOff  atomic.Int64
	usage   atomic.Pointer[usage]
	clock   atomic.Pointer[clock]
}

// Open checks the configuration and gets the first token. A fixed token is not tried out; the first request does that.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	if err := cfg.fill(); err != nil {
		return nil, fmt.Errorf("open org: %w", configError{err})
	}
	c := &Client{cfg: cfg}
	c.session = newSession(c.login)
	token, err := c.login(ctx)
	if err != nil {
		c.CloseIdleConnections()
		return nil, fmt.Errorf("open org: %w", err)
	}
	c.session.token = token
	return c, nil
}

// login asks Auth for a token, again after temporary failures.
func (c *Client) login(ctx context.Context) (Token, error) {
	for n := 1; ; n++ {
		token, err := c.cfg.Auth.Token(ctx, c.cfg.Transport)
		if err == nil {
			return c.accept(token)
		}
		if ctx.Err() != nil || !errors.Is(err, ErrTemporary) {
			return Token{}, err
		}
		if n >= c.cfg.Attempts {
			return Token{}, fmt.Errorf("gave up at attempt %d: %w", n, err)
		}
		var api *APIError
		var wait time.Duration
		if errors.As(err, &api) {
			wait = api.RetryAfter
		}
		if err := c.wait(ctx, n, wait, api, err); err != nil {
			return Token{}, err
		}
	}
}

// accept checks that a token can be used and knows where to go.
func (c *Client) accept(t Token) (Token, error) {
	if err := t.check(); err != nil {
		return Token{}, err
	}
	if c.cfg.InstanceURL != "" {
		t.InstanceURL = c.cfg.InstanceURL
		return t, nil
	}
	var err error
	t.InstanceURL, err = baseURL("instance URL", t.InstanceURL)
	return t, err
}

// wait pauses after the n-th attempt, which failed with why.
func (c *Client) wait(ctx context.Context, n int, retryAfter time.Duration, api *APIError, why error) error {
	d := c.pause(n, retryAfter, api)
	c.cfg.Logger.InfoContext(ctx, "pause before another attempt", "attempt", n, "of", c.cfg.Attempts, "pause", d, "error", why)
	if err := c.cfg.Sleep(ctx, d); err != nil {
		return fmt.Errorf("%w while waiting to try again after: %v", err, why)
	}
	return nil
}

// Do sends a request and returns an answer with status 2xx or 304, whose body the caller must read and close. The body
// is unpacked where the org sent it packed. Any other answer is an error; see the package comment for what is repeated
// and what the errors mean. When ctx ends, Do returns an error that matches ctx.Err(), and ErrOutcomeUnknown too if r is
// of class Ask and may have reached the org; the body of the answer ends with ctx as well.
func (c *Client) Do(ctx context.Context, r *Request) (*http.Response, error) {
	return c.do(ctx, r, nil)
}

// JSON sends in as JSON (nil: no body) and decodes the answer into out (nil: it is read and dropped; 204 leaves out
// alone). An answer that is cut or not JSON counts as a temporary failure of the class. The path may carry a query.
func (c *Client) JSON(ctx context.Context, method, path string, class Class, in, out any) error {
	r := &Request{Method: method, Path: path, Class: class}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s: encode the request: %w", r, err)
		}
		r.Header = http.Header{"Content-Type": {"application/json; charset=UTF-8"}}
		r.Body = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		r.Size = int64(len(body))
	}
	return c.json(ctx, r, out)
}

func (c *Client) json(ctx context.Context, r *Request, out any) error {
	_, err := c.do(ctx, r, func(resp *http.Response) (bool, error) {
		defer resp.Body.Close()
		return readJSON(r, resp, out)
	})
	return err
}

// InstanceURL is scheme and host of the org, such as https://acme.my.salesforce.com.
func (c *Client) InstanceURL() string { return c.session.current().InstanceURL }

// APIVersion is the version in use, such as 66.0.
func (c *Client) APIVersion() string { return c.cfg.APIVersion }

// OrgID is the 15-character id of the org, taken from the access token, or empty where the token does not show it.
func (c *Client) OrgID() string { return c.session.current().orgID() }

// CloseIdleConnections closes the connections that no request uses. The client stays usable.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.cfg.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
