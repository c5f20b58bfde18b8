package salesforce

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// WebLogin is an Auth for the OAuth 2.0 web server flow with PKCE (S256): the user logs in with a browser, which brings the answer
// to a port of this machine that is open for the time of the login and takes nothing from elsewhere.
//
// Every Token asks the user. For more than one, give a Store and go on with RefreshToken.
type WebLogin struct {
	LoginURL     string // default https://login.salesforce.com; sandboxes https://test.salesforce.com; or the My Domain host
	ClientID     string // consumer key of the app; default CLIClient
	ClientSecret string // never shown; "" for an app that has none
	Username     string // fills the login form; may be empty

	// Port of the listener on 127.0.0.1. The app must list http://localhost:PORT/OauthRedirect as a callback URL. 0: 1717 with
	// CLIClient, which lists that, else a free one.
	Port    int
	Timeout time.Duration // how long the user may take; default 5 minutes

	// Show brings the address where to log in to the user, and does not wait for the end of the login. Required.
	Show func(ctx context.Context, address string) error
	// Store takes the refresh token before Token returns; the login fails when there is none. nil: it is dropped.
	Store RefreshStore
}

const (
	authorizePath = "/services/oauth2/authorize"
	redirectPath  = "/OauthRedirect" // as the Salesforce CLI has it
	cliPort       = 1717
)

// Token opens the port, shows the address, waits for the browser and exchanges the code that it brings.
func (w WebLogin) Token(ctx context.Context, rt http.RoundTripper) (Token, error) {
	host, err := baseURL("login URL", firstOf(w.LoginURL, generalLogin))
	if err != nil {
		return Token{}, configError{err}
	}
	if w.Show == nil || w.Port < 0 || w.Port > 65535 || w.Timeout < 0 {
		return Token{}, configError{errors.New("a web login needs Show, a port up to 65535 and a time-out that is not negative")}
	}
	client, port, timeout := firstOf(w.ClientID, CLIClient), w.Port, w.Timeout
	if port == 0 && client == CLIClient {
		port = cliPort
	}
	if timeout == 0 {
		timeout = 5 * time.Minute
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return Token{}, configError{fmt.Errorf("web login: port %d for the browser's answer: %w; end the program that uses it, or take another port that the app lists", port, err)}
	}
	port = listener.Addr().(*net.TCPAddr).Port
	conf := oauth2.Config{
		ClientID:     client,
		ClientSecret: w.ClientSecret,
		RedirectURL:  fmt.Sprintf("http://localhost:%d%s", port, redirectPath),
		Scopes:       []string{"api", "refresh_token"},
		Endpoint:     oauth2.Endpoint{AuthURL: host + authorizePath, TokenURL: host + tokenPath, AuthStyle: oauth2.AuthStyleInParams},
	}
	verifier := oauth2.GenerateVerifier()
	back := newReturn(rand.Text())
	stop := back.serve(listener)
	defer stop()

	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}
	if w.Username != "" {
		options = append(options, oauth2.SetAuthURLParam("login_hint", w.Username))
	}
	if err := w.Show(ctx, conf.AuthCodeURL(back.state, options...)); err != nil {
		return Token{}, fmt.Errorf("web login: %w", err)
	}
	code, err := back.wait(ctx, timeout)
	var token Token
	var refresh string
	if err == nil {
		token, refresh, err = grant(ctx, rt, host, func(ctx context.Context) (*oauth2.Token, error) {
			return conf.Exchange(ctx, code, oauth2.VerifierOption(verifier))
		}, w.ClientSecret, code, verifier)
	}
	if errors.Is(err, ErrTemporary) {
		err = fmt.Errorf("%v; what the browser brings works once, so log in again", err) // not temporary: nobody may repeat it without the user
	}
	if err == nil && w.Store != nil {
		err = w.keep(ctx, refresh)
	}
	back.finish(err)
	if err != nil {
		return Token{}, err
	}
	return token, nil
}

func (w WebLogin) keep(ctx context.Context, refresh string) error {
	if refresh == "" {
		return fmt.Errorf("the login brought no refresh token; let the app have the scope refresh_token: %w", ErrAuth)
	}
	return w.Store.Renew(ctx, func(string) (string, error) { return refresh, nil })
}

// String shows host and client id, not the secret.
func (w WebLogin) String() string {
	return fmt.Sprintf("web login of app %s at %s", firstOf(w.ClientID, CLIClient), firstOf(w.LoginURL, generalLogin))
}

// Format writes String for every verb.
func (w WebLogin) Format(f fmt.State, _ rune) { io.WriteString(f, w.String()) }

// LogValue is String.
func (w WebLogin) LogValue() slog.Value { return slog.StringValue(w.String()) }

// MarshalText is String.
func (w WebLogin) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// browserReturn is the address at which a browser arrives after the login.
type browserReturn struct {
	state     string          // the nonce that the answer must bring back
	answers   chan url.Values // the first answer with the right state
	strangers atomic.Int64    // requests with a wrong one
	done      chan struct{}   // closed by finish
	err       error           // how the login ended; after done
}

func newReturn(state string) *browserReturn {
	return &browserReturn{state: state, answers: make(chan url.Values, 1), done: make(chan struct{})}
}

// serve answers on the listener until stop is called, which waits until the last page is written.
func (b *browserReturn) serve(l net.Listener) (stop func()) {
	srv := &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		srv.Serve(l)
	}()
	return func() {
		b.finish(errors.New("ended")) // for those who still wait; the first finish counts
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			srv.Close()
		}
		<-ended
	}
}

// finish tells the browser how the login ended. Only the goroutine that waits may call it.
func (b *browserReturn) finish(err error) {
	select {
	case <-b.done:
	default:
		b.err = err
		close(b.done)
	}
}

// wait gives the code that the browser brings.
func (b *browserReturn) wait(ctx context.Context, timeout time.Duration) (string, error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case q := <-b.answers:
		if code := q.Get("code"); code != "" {
			return code, nil
		}
		return "", &APIError{Status: http.StatusFound, Code: oneLine(firstOf(q.Get("error"), "no code"), 100), Method: http.MethodGet, Path: authorizePath,
			Message: oneLine(q.Get("error_description"), maxErrorMessage), login: true}
	case <-timer.C:
		note := ""
		if n := b.strangers.Load(); n > 0 {
			note = fmt.Sprintf(" (%d answers did not belong to this login)", n)
		}
		return "", fmt.Errorf("web login: no answer from the browser within %v%s; start it again: %w", timeout, note, ErrAuth)
	case <-ctx.Done():
		return "", fmt.Errorf("web login: %w", ctx.Err())
	}
}

// ServeHTTP takes the first request that brings the state back and answers it when the login has ended. Requests with another state are
// refused and change nothing, so that no page in the browser can end a login or slip a foreign one in.
func (b *browserReturn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Referrer-Policy", "no-referrer") // the address holds the code
	h.Set("Connection", "close")
	q := r.URL.Query()
	switch {
	case r.URL.Path != redirectPath:
		writePage(w, http.StatusNotFound, "There is nothing here.")
		return
	case r.Method != http.MethodGet:
		writePage(w, http.StatusMethodNotAllowed, "Only a browser comes here.")
		return
	case subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(b.state)) != 1:
		b.strangers.Add(1)
		writePage(w, http.StatusBadRequest, "This answer does not belong to the login that is waiting. Start again from the address that migrate has shown.")
		return
	}
	select {
	case b.answers <- q:
	default: // the browser asks once more
	}
	select {
	case <-b.done:
	case <-r.Context().Done():
		return
	}
	if b.err != nil {
		writePage(w, http.StatusBadRequest, "The login did not work. The terminal says why; you may close this page.")
		return
	}
	writePage(w, http.StatusOK, "You are logged in. You may close this page and go back to the terminal.")
}

func writePage(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!doctype html><html lang=\"en\"><title>migrate</title><p>%s</p></html>\n", text)
}
