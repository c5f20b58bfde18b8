package localorg

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// oauthError is the body of a refused token request; other than elsewhere it is one object.
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (e *oauthError) Error() string { return e.Code + ": " + e.Description }

const (
	grantClient   = "client_credentials"
	grantJWT      = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	grantRefresh  = "refresh_token"
	grantCode     = "authorization_code"
	grantPassword = "password"
)

// publicClient is the app of the Salesforce CLI, which every org knows; it has no secret.
const publicClient = "PlatformCLI"

var (
	errClientID    = &oauthError{"invalid_client_id", "client identifier invalid"}
	errClient      = &oauthError{"invalid_client", "invalid client credentials"}
	errOldToken    = &oauthError{"invalid_grant", "expired access/refresh token"}
	errNotApproved = &oauthError{"invalid_app_access", "user is not admin approved to access this app"}
)

// serveOAuth answers /services/oauth2/….
func (o *Org) serveOAuth(w http.ResponseWriter, r *http.Request, word string) error {
	methods := map[string]string{"token": "POST", "introspect": "POST", "revoke": "GET,POST", "authorize": "GET", "userinfo": "GET,POST"}[strings.ToLower(word)]
	switch {
	case methods == "":
		return errNotFound
	case !slices.Contains(strings.Split(methods, ","), r.Method):
		return refuse(405, "METHOD_NOT_ALLOWED", "HTTP Method '%s' not allowed. Allowed are %s", r.Method, methods)
	}
	w.Header().Set("Cache-Control", "no-cache, no-store")
	r.Body = http.MaxBytesReader(nil, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		return answerOAuth(w, nil, &oauthError{"invalid_request", "malformed request body"})
	}
	switch strings.ToLower(word) {
	case "authorize":
		return o.authorizeApp(w, r)
	case "userinfo":
		return o.userInfo(w, r)
	case "revoke":
		o.revoke(r.Form.Get("token"))
		w.WriteHeader(http.StatusOK)
		return nil
	case "introspect":
		body, err := o.introspect(r)
		return answerOAuth(w, body, err)
	}
	body, err := o.grant(r)
	return answerOAuth(w, body, err)
}

func answerOAuth(w http.ResponseWriter, body any, refused *oauthError) error {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	if refused != nil {
		w.WriteHeader(http.StatusBadRequest)
		body = refused
	}
	return json.NewEncoder(w).Encode(body)
}

// grant checks a token request and gives the answer that carries the token.
func (o *Org) grant(r *http.Request) (map[string]string, *oauthError) {
	var (
		user    []byte
		app     string
		refresh string // what came with the request, or what the answer brings
		err     *oauthError
		renews  bool // the answer brings a refresh token
	)
	switch r.PostForm.Get("grant_type") {
	case "":
		return nil, &oauthError{"invalid_request", "missing required parameter: grant_type"}
	case grantClient:
		user, app, err = o.grantClient(r)
	case grantJWT:
		user, app, err = o.grantJWT(r.PostForm.Get("assertion"), baseURL(r))
	case grantPassword:
		user, app, err = o.grantPassword(r)
	case grantRefresh:
		user, app, refresh, err = o.grantRefresh(r)
		renews = o.cfg.RotateRefresh
	case grantCode:
		user, app, refresh, err = o.grantCode(r)
		renews = true
	default:
		return nil, &oauthError{"unsupported_grant_type", "grant type not supported"}
	}
	if err != nil {
		return nil, err
	}
	if !o.person(user).Active {
		return nil, &oauthError{"invalid_grant", "inactive user"}
	}
	o.mu.Lock()
	token := o.startSession(user, app, refresh)
	o.mu.Unlock()
	body := o.tokenAnswer(user, token, baseURL(r))
	if renews {
		body["refresh_token"] = refresh
	}
	return body, nil
}

// clientNamed gives the app and the secret that a request brings, in its form or in its header.
func clientNamed(r *http.Request) (id, secret string) {
	if user, pass, ok := r.BasicAuth(); ok {
		id, _ = url.QueryUnescape(user)
		secret, _ = url.QueryUnescape(pass)
		return id, secret
	}
	return r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
}

// clientOf reads who asks for a token. A secret must be right where the app has one and the request brings it; optional says
// that it may be left out.
func (o *Org) clientOf(r *http.Request, optional bool) (string, *oauthError) {
	id, secret := clientNamed(r)
	switch {
	case id == publicClient && optional && secret == "":
		return id, nil
	case id == "" || id != o.cfg.ClientID:
		return "", errClientID
	case secret == "" && optional:
		return id, nil
	case !same(secret, o.cfg.ClientSecret):
		return "", errClient
	}
	return id, nil
}

func (o *Org) grantClient(r *http.Request) ([]byte, string, *oauthError) {
	if host := r.Host; strings.HasPrefix(host, "login.") || strings.HasPrefix(host, "test.") {
		return nil, "", &oauthError{"invalid_grant", "request not supported on this domain"}
	}
	app, err := o.clientOf(r, false)
	switch {
	case err != nil:
		return nil, "", err
	case o.cfg.NoRunAs:
		return nil, "", &oauthError{"invalid_grant", "no client credentials user enabled"}
	}
	return o.user, app, nil
}

// grantPassword takes a username and a password with the security token at its end.
func (o *Org) grantPassword(r *http.Request) ([]byte, string, *oauthError) {
	app, refused := o.clientOf(r, false)
	if refused != nil {
		return nil, "", refused
	}
	user, err := o.checkPassword(r.PostForm.Get("username"), r.PostForm.Get("password"))
	if err != nil {
		return nil, "", &oauthError{"invalid_grant", "authentication failure"}
	}
	return user, app, nil
}

func (o *Org) grantRefresh(r *http.Request) (user []byte, app, token string, refused *oauthError) {
	app, refused = o.clientOf(r, true)
	if refused != nil {
		return nil, "", "", refused
	}
	token = r.PostForm.Get("refresh_token")
	o.mu.Lock()
	defer o.mu.Unlock()
	g := o.grants[token]
	if g == nil || g.app != app {
		return nil, "", "", errOldToken
	}
	if g.used { // somebody else has had it
		o.revokeFamily(g.family)
		return nil, "", "", errOldToken
	}
	if o.cfg.RotateRefresh {
		g.used = true
		token = o.startGrant(g.user, g.app, g.family)
	}
	return g.user, app, token, nil
}

// tokenAnswer is the answer to a request that brings a token.
func (o *Org) tokenAnswer(user []byte, token, base string) map[string]string {
	id := identityURL(base, user)
	issued := strconv.FormatInt(o.now().UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(o.cfg.ClientSecret))
	mac.Write([]byte(id + issued))
	return map[string]string{
		"access_token": token, "scope": "api refresh_token", "instance_url": base, "id": id, "token_type": "Bearer",
		"issued_at": issued, "signature": base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}
}

func identityURL(base string, user []byte) string {
	org, _ := parseID([]byte(orgID))
	return fmt.Sprintf("%s/id/%s/%s", base, org, user)
}

// introspect tells an app about a token.
func (o *Org) introspect(r *http.Request) (map[string]any, *oauthError) {
	if _, refused := o.clientOf(r, false); refused != nil {
		return nil, refused
	}
	dead := map[string]any{"active": false}
	if o.cfg.NoIntrospection {
		return dead, nil
	}
	token := r.PostForm.Get("token")
	body := map[string]any{"active": true, "scope": "api refresh_token", "token_type": "access_token"}
	user := []byte(nil)
	if s, ok := o.session(token); ok {
		user, body["client_id"] = s.user, s.app
		body["iat"], body["nbf"] = s.issued.Unix(), s.issued.Unix()
		if !s.expires.IsZero() {
			body["exp"] = s.expires.Unix()
		}
	} else {
		o.mu.RLock()
		g := o.grants[token]
		o.mu.RUnlock()
		if g == nil || g.used {
			return dead, nil
		}
		user, body["client_id"] = g.user, g.app
		body["token_type"], body["iat"] = "refresh_token", g.made.Unix()
	}
	body["username"] = o.person(user).Username
	body["sub"] = identityURL(baseURL(r), user)
	return body, nil
}
