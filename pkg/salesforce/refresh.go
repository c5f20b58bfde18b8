package salesforce

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// CLIClient is the client id of the Salesforce CLI, an app without a secret that every org knows.
const CLIClient = "PlatformCLI"

// RefreshStore keeps one refresh token for all who use it. Its methods may be called by several goroutines at once.
//
// Renew calls use with the token that is held, or "" when there is none, and lets nobody else use the token meanwhile, in this
// process or another: with rotation a token works once, and its second use ends the login. What use returns as next, if it is not
// "", is durable in place of the held one before Renew returns, also when use returns an error beside it. Renew returns the error of
// use, or why the token could not be read or kept. It may give up while it waits for others when ctx ends.
type RefreshStore interface {
	Renew(ctx context.Context, use func(held string) (next string, err error)) error
}

// RefreshToken is an Auth for the OAuth 2.0 refresh token flow. Where the app rotates its tokens, each login brings the next refresh
// token and ends the one before; it is in the Store before the access token is used.
//
// A process that dies between the answer and the Store takes the next token with it. The one in the Store is then tried, as nobody knows
// whether the answer was given; where it was, the org refuses it and the error says what may have happened.
type RefreshToken struct {
	LoginURL     string       // default https://login.salesforce.com; sandboxes https://test.salesforce.com; or the My Domain host
	ClientID     string       // consumer key of the app that the token was given to; default CLIClient
	ClientSecret string       // never shown; "" for an app that has none
	Store        RefreshStore // required
}

// grace is how long an exchange that the user interrupts may still take: cut off, it could cost the login.
const grace = 5 * time.Second

// Token logs in with the token of the Store. It may go on for five seconds when ctx ends, so that an answer on its way is not lost.
func (r RefreshToken) Token(ctx context.Context, rt http.RoundTripper) (Token, error) {
	host, err := baseURL("login URL", firstOf(r.LoginURL, generalLogin))
	if err != nil {
		return Token{}, configError{err}
	}
	if r.Store == nil {
		return Token{}, fmt.Errorf("a refresh token login needs a store with the token: %w", ErrAuth)
	}
	conf := oauth2.Config{
		ClientID:     firstOf(r.ClientID, CLIClient),
		ClientSecret: r.ClientSecret,
		Endpoint:     oauth2.Endpoint{TokenURL: host + tokenPath, AuthStyle: oauth2.AuthStyleInParams},
	}
	var token Token
	err = r.Store.Renew(ctx, func(held string) (next string, err error) {
		if held == "" {
			return "", fmt.Errorf("log in at %s: there is no refresh token: %w", host, ErrAuth)
		}
		if ctx.Err() != nil {
			return "", fmt.Errorf("log in at %s: %w", host, ctx.Err())
		}
		lasting, cancel := outlast(ctx, grace)
		defer cancel()
		token, next, err = grant(lasting, rt, host, func(ctx context.Context) (*oauth2.Token, error) {
			return conf.TokenSource(ctx, &oauth2.Token{RefreshToken: held}).Token()
		}, r.ClientSecret, held)
		return next, err
	})
	if err != nil {
		return Token{}, err
	}
	return token, nil
}

// outlast gives a context that ends a while after ctx.
func outlast(ctx context.Context, while time.Duration) (context.Context, context.CancelFunc) {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(while):
			cancel()
		case <-lasting.Done():
		}
	})
	return lasting, func() { stop(); cancel() }
}

// String shows host and client id, not the secrets.
func (r RefreshToken) String() string {
	return fmt.Sprintf("refresh token of app %s at %s", firstOf(r.ClientID, CLIClient), firstOf(r.LoginURL, generalLogin))
}

// Format writes String for every verb.
func (r RefreshToken) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// LogValue is String.
func (r RefreshToken) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalText is String.
func (r RefreshToken) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// HeldToken is a RefreshStore in memory. It is lost with the process, and the next token with it: where the app rotates tokens, use it only
// until the token is in a store that lasts.
type HeldToken struct {
	turn  chan struct{} // holds a value while the token is used
	token string
}

// HoldToken returns a store that holds token, which may be "".
func HoldToken(token string) *HeldToken {
	return &HeldToken{turn: make(chan struct{}, 1), token: token}
}

// Renew is as RefreshStore says, without the durability.
func (h *HeldToken) Renew(ctx context.Context, use func(held string) (next string, err error)) error {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	next, err := use(h.token)
	if next != "" {
		h.token = next
	}
	return err
}

// Format does not show the token.
func (h HeldToken) Format(f fmt.State, _ rune) { io.WriteString(f, "refresh token in memory") }

// LogValue does not show the token.
func (h HeldToken) LogValue() slog.Value { return slog.StringValue("refresh token in memory") }

// MarshalText does not show the token.
func (h HeldToken) MarshalText() ([]byte, error) { return []byte("refresh token in memory"), nil }
