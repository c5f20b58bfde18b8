package salesforce

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Auth brings access tokens. The client asks it when it opens and again whenever the org has refused a token (Salesforce
// tokens carry no expiry: they live as long as the org's session policy says), never twice at the same time.
//
// Token must send its requests through rt and must end when ctx ends. An error that matches ErrTemporary makes the
// client ask again after a pause; any other error is final for the request at hand. Errors must not show secrets.
type Auth interface {
	Token(ctx context.Context, rt http.RoundTripper) (Token, error)
}

// AccessToken is an Auth for a token that somebody else got, such as a session id. It cannot renew it: when the org
// refuses the token, requests fail with ErrAuth.
func AccessToken(token string) Auth { return fixedToken{Token{AccessToken: strings.TrimSpace(token)}} }

type fixedToken struct{ token Token }

func (f fixedToken) Token(context.Context, http.RoundTripper) (Token, error) {
	if f.token.AccessToken == "" {
		return Token{}, fmt.Errorf("no access token given: %w", ErrAuth)
	}
	return f.token, nil
}

func (f fixedToken) Format(s fmt.State, _ rune) { io.WriteString(s, "access token") }

// ClientCredentials is an Auth for the OAuth 2.0 client credentials flow. The app in the org needs a "run as" user.
type ClientCredentials struct {
	LoginURL     string // the org's My Domain host, https; login.salesforce.com and test.salesforce.com refuse this flow
	ClientID     string // consumer key of the app
	ClientSecret string // never shown
}

// Token logs in.
func (c ClientCredentials) Token(ctx context.Context, rt http.RoundTripper) (Token, error) {
	host, err := baseURL("login URL", c.LoginURL)
	if err != nil {
		return Token{}, configError{err}
	}
	switch host {
	case "https://login.salesforce.com", "https://test.salesforce.com":
		return Token{}, fmt.Errorf("login URL %s: client credentials need the org's My Domain host: %w", host, ErrAuth)
	}
	if c.ClientID == "" || c.ClientSecret == "" {
		return Token{}, fmt.Errorf("client credentials need a client id and a client secret: %w", ErrAuth)
	}
	conf := clientcredentials.Config{
		ClientID:     c.ClientID,
		ClientSecret: c.ClientSecret,
		TokenURL:     host + tokenPath,
		AuthStyle:    oauth2.AuthStyleInParams,
	}
	token, _, err := grant(ctx, rt, host, conf.Token, c.ClientSecret)
	return token, err
}

// String shows host and client id, not the secret.
func (c ClientCredentials) String() string {
	return fmt.Sprintf("client credentials of %s at %s", c.ClientID, c.LoginURL)
}

// Format writes String for every verb.
func (c ClientCredentials) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue is String.
func (c ClientCredentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText is String.
func (c ClientCredentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

const tokenPath = "/services/oauth2/token"

// generalLogin is where every production org logs in.
const generalLogin = "https://login.salesforce.com"

// grant runs one exchange with a token endpoint and sorts its errors: *APIError for an answer, ErrTemporary where
// another try may help. It also gives the refresh token of the answer, "" where there is none, even if the access token cannot be used.
func grant(ctx context.Context, rt http.RoundTripper, host string, fetch func(context.Context) (*oauth2.Token, error), secrets ...string) (Token, string, error) {
	wire := &loginWire{ctx: ctx, next: rt}
	client := &http.Client{
		Transport:     wire,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t, err := fetch(context.WithValue(ctx, oauth2.HTTPClient, client))
	var refused *oauth2.RetrieveError
	switch {
	case err == nil:
		instance, _ := t.Extra("instance_url").(string)
		token := Token{AccessToken: t.AccessToken, InstanceURL: instance}
		if err := token.check(); err != nil {
			return Token{}, t.RefreshToken, fmt.Errorf("log in at %s: %w", host, err)
		}
		return token, t.RefreshToken, nil
	case ctx.Err() != nil:
		return Token{}, "", fmt.Errorf("log in at %s: %w", host, ctx.Err())
	case errors.As(err, &refused):
		resp := *refused.Response
		resp.Body = io.NopCloser(strings.NewReader(string(refused.Body)))
		api := readError(&resp, &Request{Method: http.MethodPost, Path: tokenPath}, secrets...)
		api.login = true
		if api.temporary() {
			return Token{}, "", fmt.Errorf("log in at %s: %w: %w", host, ErrTemporary, api)
		}
		return Token{}, "", fmt.Errorf("log in at %s: %w", host, api)
	case wire.err != nil && !permanent(wire.err):
		return Token{}, "", fmt.Errorf("log in at %s: %w: %w", host, ErrTemporary, wire.err)
	case wire.err != nil:
		return Token{}, "", fmt.Errorf("log in at %s: %w", host, wire.err)
	default: // an answer that is not what a token endpoint says, or one cut short
		return Token{}, "", fmt.Errorf("log in at %s: %w: the answer is not a token: %w", host, ErrTemporary, err)
	}
}

// loginWire binds the context to requests and keeps the error of the last one, both of which the oauth2 packages drop.
type loginWire struct {
	ctx  context.Context
	next http.RoundTripper
	err  error
}

func (w *loginWire) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(req.WithContext(w.ctx))
	w.err = err
	return resp, err
}

// baseURL checks the URL of a host that secrets will be sent to and returns it as scheme and host.
func baseURL(name, s string) (string, error) {
	if s == "" {
		return "", fmt.Errorf("%s is missing; it looks like https://acme.my.salesforce.com", name)
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s is not a URL; it looks like https://acme.my.salesforce.com", name)
	case u.User != nil:
		return "", fmt.Errorf("%s must not contain a user or password", name)
	case u.Host == "" || u.Hostname() == "":
		return "", fmt.Errorf("%s %q has no host; it looks like https://acme.my.salesforce.com", name, s)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("%s %q must be scheme and host only", name, s)
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return u.Scheme + "://" + u.Host, nil
	case u.Scheme == "http":
		return "", fmt.Errorf("%s %q: plain http is allowed to this machine only (localhost, 127.0.0.1, ::1); use https", name, s)
	default:
		return "", fmt.Errorf("%s %q must begin with https://", name, s)
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
