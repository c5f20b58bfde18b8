package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/zalando/go-keyring"

	"migrate/pkg/salesforce"
)

// orgSecret is what is secret of a login. It is shown by nothing but its JSON, which goes to the keyring or the file.
type orgSecret struct {
	RefreshToken  string `json:"refresh_token,omitempty"`
	ClientSecret  string `json:"client_secret,omitempty"`
	Password      string `json:"password,omitempty"`
	SecurityToken string `json:"security_token,omitempty"`
	Key           string `json:"key,omitempty"` // PEM, of a JWT login whose key is in no file of the user's
}

// Format shows nothing.
func (orgSecret) Format(f fmt.State, _ rune) { io.WriteString(f, "secrets of a login") }

// Where secrets are kept.
const (
	inKeyring = "keyring"
	inFile    = "file"
)

// keyringService is the name under which the keyring shows our secrets.
const keyringService = "migrate"

// keyringPatience is how long the keyring may take; it may ask the user to unlock it.
const keyringPatience = time.Minute

func (b orgBook) secretDir(o namedOrg) string  { return filepath.Join(b.dir, "secrets", o.ID) }
func (b orgBook) secretFile(o namedOrg) string { return filepath.Join(b.secretDir(o), "secret.json") }
func (o namedOrg) keyringUser() string         { return o.Name + " " + o.ID }
func (b orgBook) secretsPlace(o namedOrg) string {
	if o.Secrets == inKeyring {
		return "the keyring"
	}
	return b.secretFile(o)
}

// keep stores the secrets of a new login in the keyring or, when there is none, in a file; where says it instead. It notes in o which
// of the two it was, and returns why it was not the keyring.
func (b orgBook) keep(ctx context.Context, o *namedOrg, s orgSecret, where string) (reason error, err error) {
	if s == (orgSecret{}) {
		return nil, nil
	}
	if err := os.MkdirAll(b.secretDir(*o), 0o700); err != nil {
		return nil, err
	}
	if where != inFile {
		o.Secrets = inKeyring
		if reason = b.tryKeyring(ctx, *o, s); reason == nil {
			return nil, nil
		}
		if where == inKeyring {
			return nil, fmt.Errorf("%w; --secrets file keeps the secrets in a file", reason)
		}
	}
	o.Secrets = inFile
	return reason, b.save(ctx, *o, s)
}

// tryKeyring stores the secrets and reads them again, since keyrings have limits on what they take.
func (b orgBook) tryKeyring(ctx context.Context, o namedOrg, s orgSecret) error {
	err := b.save(ctx, o, s)
	if err != nil {
		return err
	}
	if got, err := b.secret(ctx, o); err != nil || got != s {
		b.forget(ctx, o)
		return fmt.Errorf("the keyring did not keep the secrets whole (%v)", err)
	}
	return nil
}

// save stores the secrets of a login in place of those before, durably.
func (b orgBook) save(ctx context.Context, o namedOrg, s orgSecret) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if o.Secrets == inKeyring {
		_, err := askKeyring(ctx, func() (string, error) { return "", keyring.Set(keyringService, o.keyringUser(), string(data)) })
		return err
	}
	if err := os.MkdirAll(b.secretDir(o), 0o700); err != nil {
		return err
	}
	return writeDurably(b.secretFile(o), data)
}

// errLoggedOut is said of a login whose secrets are gone.
var errLoggedOut = fmt.Errorf("its secrets are gone: it was logged out, or logged in to anew, meanwhile: %w", salesforce.ErrAuth)

// secret reads the secrets of a login.
func (b orgBook) secret(ctx context.Context, o namedOrg) (orgSecret, error) {
	var data []byte
	switch o.Secrets {
	case "":
		return orgSecret{}, nil
	case inKeyring:
		text, err := askKeyring(ctx, func() (string, error) { return keyring.Get(keyringService, o.keyringUser()) })
		if errors.Is(err, keyring.ErrNotFound) {
			return orgSecret{}, errLoggedOut
		}
		if err != nil {
			return orgSecret{}, err
		}
		data = []byte(text)
	default:
		path := b.secretFile(o)
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return orgSecret{}, errLoggedOut
		}
		if err != nil {
			return orgSecret{}, err
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
			return orgSecret{}, usagef("%s may be read by others (mode %04o); chmod 600 it, and log in again if others may have seen it", path, mode)
		}
		if data, err = os.ReadFile(path); err != nil {
			return orgSecret{}, err
		}
	}
	var s orgSecret
	if json.Unmarshal(data, &s) != nil { // the error would show what is there
		return orgSecret{}, fmt.Errorf("%s is damaged; log in again: %w", b.secretsPlace(o), salesforce.ErrAuth)
	}
	return s, nil
}

// forget removes the secrets of a login. That there are none is no error.
func (b orgBook) forget(ctx context.Context, o namedOrg) error {
	if o.ID == "" {
		return nil
	}
	var err error
	if o.Secrets == inKeyring {
		_, err = askKeyring(ctx, func() (string, error) { return "", keyring.Delete(keyringService, o.keyringUser()) })
		if errors.Is(err, keyring.ErrNotFound) {
			err = nil
		}
	}
	return errors.Join(err, os.RemoveAll(b.secretDir(o)))
}

// askKeyring waits for the keyring until ctx ends or its patience does. Where there is no session bus it is not asked: the library would
// start one.
func askKeyring(ctx context.Context, ask func() (string, error)) (string, error) {
	if !keyringThere() {
		return "", errors.New("no keyring here, as there is no session bus")
	}
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := ask()
		done <- result{text, err}
	}()
	timer := time.NewTimer(keyringPatience)
	defer timer.Stop()
	select {
	case r := <-done:
		if r.err != nil {
			r.err = fmt.Errorf("the keyring: %w", r.err)
		}
		return r.text, r.err
	case <-timer.C:
		return "", fmt.Errorf("the keyring did not answer within %v; is it locked?: %w", keyringPatience, salesforce.ErrTemporary)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// keyringThere is a variable for tests.
var keyringThere = func() bool {
	switch runtime.GOOS {
	case "darwin", "windows":
		return true
	}
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return true
	}
	_, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Getuid()))
	return err == nil
}

// keptToken is the salesforce.RefreshStore of a named org, for all processes of the user.
type keptToken struct {
	book orgBook
	org  namedOrg
}

// Renew reads the token under the lock, since another process may have renewed it a moment ago, and keeps the next one before it unlocks.
func (k keptToken) Renew(ctx context.Context, use func(held string) (next string, err error)) error {
	unlock, err := lockFile(ctx, filepath.Join(k.book.secretDir(k.org), "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return errLoggedOut
	}
	if err != nil {
		return err
	}
	defer unlock()
	s, err := k.book.secret(ctx, k.org)
	if err != nil {
		return err
	}
	next, err := use(s.RefreshToken)
	if next != "" && next != s.RefreshToken {
		s.RefreshToken = next
		if lost := k.book.save(context.WithoutCancel(ctx), k.org, s); lost != nil {
			return errors.Join(err, fmt.Errorf("the org gave a new refresh token, which cannot be kept in %s: %w; log in again", k.book.secretsPlace(k.org), lost))
		}
	}
	return err
}
