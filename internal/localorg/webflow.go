package localorg

import (
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// code is an authorization code of the web server flow.
type code struct {
	user      []byte
	app       string
	redirect  string
	challenge string // S256 of the verifier; "" without PKCE
	made      time.Time
}

const codeLife = 10 * time.Minute

// authorizeApp answers the request of a browser for the web server flow. A local org has no page to log in at: it sends
// the browser back at once, with a code for the user that login_hint names, or else for its first one.
func (o *Org) authorizeApp(w http.ResponseWriter, r *http.Request) error {
	q := r.Form
	app, redirect := q.Get("client_id"), q.Get("redirect_uri")
	if app == "" || app != o.cfg.ClientID && app != publicClient {
		return answerOAuth(w, nil, errClientID)
	}
	to, err := url.Parse(redirect)
	if err != nil || !o.mayRedirect(to, redirect) {
		return answerOAuth(w, nil, &oauthError{"redirect_uri_mismatch", "redirect_uri must match configuration"})
	}
	back := to.Query()
	refuse := func(code, description string) {
		back.Set("error", code)
		back.Set("error_description", description)
	}
	o.mu.Lock()
	user := o.user
	known := true
	if hint := q.Get("login_hint"); hint != "" {
		user, known = o.userByName(hint)
	}
	switch method := q.Get("code_challenge_method"); {
	case q.Get("response_type") != "code":
		refuse("unsupported_response_type", "response type not supported")
	case q.Get("code_challenge") != "" && method != "S256" && method != "": // the text is a guess
		refuse("invalid_request", "code challenge method not supported")
	case q.Get("code_challenge") == "" && app == publicClient: // the text is a guess
		refuse("invalid_request", "missing required code challenge")
	case !known: // the text is a guess
		refuse("access_denied", "end-user denied authorization")
	default:
		name := makeToken("aPrx")
		now := o.now()
		for n, c := range o.codes {
			if now.Sub(c.made) > codeLife {
				delete(o.codes, n)
			}
		}
		o.codes[name] = code{user: user, app: app, redirect: redirect, challenge: q.Get("code_challenge"), made: now}
		back.Set("code", name)
	}
	o.mu.Unlock()
	if state := q.Get("state"); state != "" {
		back.Set("state", state)
	}
	to.RawQuery = back.Encode()
	http.Redirect(w, r, to.String(), http.StatusFound)
	return nil
}

// mayRedirect is true for web addresses on the machine itself and for the addresses that the org's settings name.
func (o *Org) mayRedirect(to *url.URL, text string) bool {
	host := to.Hostname()
	ip := net.ParseIP(host)
	web := to.Scheme == "http" || to.Scheme == "https"
	return web && (host == "localhost" || ip != nil && ip.IsLoopback()) || slices.Contains(o.cfg.RedirectURIs, text)
}

// grantCode exchanges a code for tokens; a code works once.
func (o *Org) grantCode(r *http.Request) (user []byte, app, refresh string, refused *oauthError) {
	app, refused = o.clientOf(r, true)
	if refused != nil {
		return nil, "", "", refused
	}
	form := r.PostForm
	_, secret := clientNamed(r)
	o.mu.Lock()
	defer o.mu.Unlock()
	c, ok := o.codes[form.Get("code")]
	delete(o.codes, form.Get("code"))
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	verifier := len(form.Get("code_verifier"))
	switch {
	case !ok || c.app != app: // the text is a guess, as are the next
		return nil, "", "", &oauthError{"invalid_grant", "invalid authorization code"}
	case o.now().Sub(c.made) > codeLife:
		return nil, "", "", &oauthError{"invalid_grant", "expired authorization code"}
	case c.redirect != form.Get("redirect_uri"):
		return nil, "", "", &oauthError{"redirect_uri_mismatch", "redirect_uri must match configuration"}
	case c.challenge == "" && secret == "": // nothing proves that this is the one who asked
		return nil, "", "", errClient
	case c.challenge != "" && (verifier < 43 || verifier > 128 || base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge):
		return nil, "", "", &oauthError{"invalid_grant", "invalid code verifier"}
	}
	return c.user, app, o.startGrant(c.user, app, 0), nil
}
