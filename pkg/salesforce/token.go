package salesforce

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// Token is what a login brings. However it is printed, logged or marshalled, the access token stays hidden.
type Token struct {
	AccessToken string // also called session id
	InstanceURL string // scheme and host of the org; may be empty when Config.InstanceURL is set
}

// String shows the org and the instance, not the token.
func (t Token) String() string {
	if t.AccessToken == "" {
		return "no token"
	}
	return fmt.Sprintf("token of org %s at %s", firstOf(t.orgID(), "unknown"), firstOf(t.InstanceURL, "unknown"))
}

// Format writes String for every verb, so that %+v and %#v cannot show the token either.
func (t Token) Format(f fmt.State, _ rune) { io.WriteString(f, t.String()) }

// LogValue is String.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText is String, so a Token cannot be stored by accident.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// orgID is the 15-character id before the "!" of an access token, or empty where the token has another form.
func (t Token) orgID() string {
	id, _, ok := strings.Cut(t.AccessToken, "!")
	if !ok || len(id) != 15 || !strings.HasPrefix(id, "00D") {
		return ""
	}
	return id
}

// check makes sure that the token can be sent. It never shows it.
func (t Token) check() error {
	if t.AccessToken == "" {
		return fmt.Errorf("the login brought no access token: %w", ErrAuth)
	}
	if strings.ContainsFunc(t.AccessToken, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("the access token has blanks or characters that cannot be sent; was it copied whole?: %w", ErrAuth)
	}
	return nil
}

var errSameToken = errors.New("the login gave the refused access token again; get a new one, then go on")

// session holds the token that all requests share and replaces it when the org refuses it.
type session struct {
	login func(context.Context) (Token, error)
	turn  chan struct{} // holds one value while somebody logs in

	mu     sync.Mutex
	token  Token
	logins int   // logins that came to an end
	err    error // of the last one
}

func newSession(login func(context.Context) (Token, error)) *session {
	return &session{login: login, turn: make(chan struct{}, 1)}
}

func (s *session) current() Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token
}

// renew returns a token other than dead, which the org refused. However many ask, one logs in: who comes while it does
// waits and takes its result, good or bad. Who comes later with a token that was replaced meanwhile gets the present
// one, which is not fresh: the org may have refused it too by now. When the one that logs in is cancelled, the next in
// line takes over.
func (s *session) renew(ctx context.Context, dead Token) (t Token, fresh bool, err error) {
	s.mu.Lock()
	present, seen := s.token, s.logins
	s.mu.Unlock()
	if present.AccessToken != dead.AccessToken {
		return present, false, nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return Token{}, false, ctx.Err()
	}

	s.mu.Lock()
	present, failed, news := s.token, s.err, s.logins != seen
	s.mu.Unlock()
	if present.AccessToken != dead.AccessToken {
		return present, true, nil
	}
	if news && failed != nil {
		return Token{}, false, failed
	}

	t, err = s.login(ctx)
	if err == nil && t.AccessToken == dead.AccessToken {
		err = fmt.Errorf("%w: %w", ErrAuth, errSameToken)
	}
	if err != nil && ctx.Err() != nil {
		return Token{}, false, err // says nothing about the login
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins++
	s.err = err
	if err != nil {
		return Token{}, false, err
	}
	s.token = t
	return t, true, nil
}
