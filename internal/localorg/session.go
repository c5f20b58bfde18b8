package localorg

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// session is what an access token stands for.
type session struct {
	user    []byte
	app     string
	issued  time.Time
	expires time.Time
	refresh string // the refresh token that it belongs to; "" without one
}

// grant is a refresh token: the leave of a user for an app to log in again.
type grant struct {
	user   []byte
	app    string
	family int  // all that came from one login
	used   bool // it was exchanged for another one, with rotation
	made   time.Time
}

// maxGrants is how many logins with a refresh token one user may have open with one app; the oldest makes room.
const maxGrants = 5

// makeToken makes a secret that nobody guesses.
func makeToken(before string) string {
	var secret [48]byte
	rand.Read(secret[:])
	return before + base64.RawURLEncoding.EncodeToString(secret[:])
}

// same compares secrets in a time that tells nothing about them. No secret is the same as "".
func same(got, want string) bool {
	return want != "" && subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

// bearer gives the token that a request carries.
func bearer(r *http.Request) (string, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return token, (strings.EqualFold(scheme, "Bearer") || scheme == "OAuth") && token != ""
}

// authorize finds the user of a request by its token.
func (o *Org) authorize(r *http.Request) ([]byte, error) {
	token, ok := bearer(r)
	if !ok {
		return nil, errSession
	}
	s, ok := o.session(token)
	if !ok {
		return nil, errSession
	}
	return s.user, nil
}

// session finds what an access token stands for; false when it is not valid any more.
func (o *Org) session(token string) (session, bool) {
	if same(token, o.cfg.AccessToken) {
		return session{user: o.user, app: o.cfg.ClientID}, true
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	s, ok := o.sessions[token]
	return s, ok && o.now().Before(s.expires)
}

// ExpireTokens ends all sessions, as an administrator or a policy would; Config.AccessToken and refresh tokens stay valid.
func (o *Org) ExpireTokens() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.sessions)
}

// startSession makes an access token. Callers hold the lock.
func (o *Org) startSession(user []byte, app, refresh string) string {
	now := o.now()
	for t, s := range o.sessions { // dead ones make room
		if !now.Before(s.expires) {
			delete(o.sessions, t)
		}
	}
	token := makeToken(orgID + "!AQ")
	o.sessions[token] = session{user: user, app: app, issued: now, expires: now.Add(o.cfg.TokenLife), refresh: refresh}
	return token
}

// startGrant makes a refresh token. family is 0 for a new login. Callers hold the lock.
func (o *Org) startGrant(user []byte, app string, family int) string {
	if family == 0 {
		o.families++
		family = o.families
		o.dropOldestGrant(user, app)
	}
	token := makeToken("5Aep861")
	o.grants[token] = &grant{user: user, app: app, family: family, made: o.now()}
	return token
}

// dropOldestGrant makes room for one more login of the user with the app.
func (o *Org) dropOldestGrant(user []byte, app string) {
	first := map[int]time.Time{} // by family
	for _, g := range o.grants {
		if string(g.user) != string(user) || g.app != app {
			continue
		}
		if t, ok := first[g.family]; !ok || g.made.Before(t) {
			first[g.family] = g.made
		}
	}
	if len(first) < maxGrants {
		return
	}
	oldest := 0
	for family, made := range first {
		if oldest == 0 || made.Before(first[oldest]) || made.Equal(first[oldest]) && family < oldest {
			oldest = family
		}
	}
	o.revokeFamily(oldest)
}

// revokeFamily ends all that came from one login. Callers hold the lock.
func (o *Org) revokeFamily(family int) {
	for token, g := range o.grants {
		if g.family != family {
			continue
		}
		delete(o.grants, token)
		for access, s := range o.sessions {
			if s.refresh == token {
				delete(o.sessions, access)
			}
		}
	}
}

// revoke ends an access token, or a refresh token with all that came from it. Unknown tokens are no error.
func (o *Org) revoke(token string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.sessions, token)
	if g := o.grants[token]; g != nil {
		o.revokeFamily(g.family)
	}
}
