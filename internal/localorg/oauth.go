package localorg

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// session is what a token stands for.
type session struct {
	user    []byte
	expires time.Time
}

// oauthError is the body of a refused token request; other than elsewhere it is one object.
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (e *oauthError) Error() string { return e.Code + ": " + e.Description }

const (
	grantClient = "client_credentials"
	grantJWT    = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// authorize finds the user of a request by its bearer token.
func (o *Org) authorize(r *http.Request) ([]byte, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") && scheme != "OAuth" || token == "" {
		return nil, errSession
	}
	if o.cfg.AccessToken != "" && subtle.ConstantTimeCompare([]byte(token), []byte(o.cfg.AccessToken)) == 1 {
		return o.user, nil
	}
	o.mu.RLock()
	s, ok := o.sessions[token]
	o.mu.RUnlock()
	if !ok || !o.now().Before(s.expires) {
		return nil, errSession
	}
	return s.user, nil
}

// ExpireTokens ends all sessions, as an administrator or a policy would; Config.AccessToken stays valid.
func (o *Org) ExpireTokens() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.sessions)
}

func (o *Org) serveOAuth(w http.ResponseWriter, r *http.Request, word string) error {
	if word != "token" {
		return errNotFound
	}
	if r.Method != http.MethodPost {
		return refuse(405, "METHOD_NOT_ALLOWED", "HTTP Method '%s' not allowed. Allowed are POST", r.Method)
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Cache-Control", "no-cache, no-store")
	user, err := o.grant(r)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return json.NewEncoder(w).Encode(err)
	}
	return json.NewEncoder(w).Encode(o.login(user, baseURL(r)))
}

// grant checks a token request and gives the user it is for.
func (o *Org) grant(r *http.Request) ([]byte, *oauthError) {
	r.Body = http.MaxBytesReader(nil, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		return nil, &oauthError{"invalid_request", "malformed request body"}
	}
	switch r.PostForm.Get("grant_type") {
	case "":
		return nil, &oauthError{"invalid_request", "missing required parameter: grant_type"}
	case grantClient:
		return o.grantClient(r)
	case grantJWT:
		return o.grantJWT(r.PostForm.Get("assertion"), baseURL(r))
	}
	return nil, &oauthError{"unsupported_grant_type", "grant type not supported"}
}

func (o *Org) grantClient(r *http.Request) ([]byte, *oauthError) {
	if host := r.Host; strings.HasPrefix(host, "login.") || strings.HasPrefix(host, "test.") {
		return nil, &oauthError{"invalid_grant", "request not supported on this domain"}
	}
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, pass, ok := r.BasicAuth(); ok {
		id, _ = url.QueryUnescape(user)
		secret, _ = url.QueryUnescape(pass)
	}
	if o.cfg.ClientID == "" || id != o.cfg.ClientID {
		return nil, &oauthError{"invalid_client_id", "client identifier invalid"}
	}
	if o.cfg.ClientSecret == "" || subtle.ConstantTimeCompare([]byte(secret), []byte(o.cfg.ClientSecret)) != 1 {
		return nil, &oauthError{"invalid_client", "invalid client credentials"}
	}
	return o.user, nil
}

// login makes a token and the answer that carries it.
func (o *Org) login(user []byte, base string) map[string]string {
	var secret [48]byte
	rand.Read(secret[:])
	token := orgID + "!AQ" + base64.RawURLEncoding.EncodeToString(secret[:])
	now := o.now()
	o.mu.Lock()
	for t, s := range o.sessions { // dead ones make room
		if !now.Before(s.expires) {
			delete(o.sessions, t)
		}
	}
	o.sessions[token] = session{user, now.Add(o.cfg.TokenLife)}
	o.mu.Unlock()
	org, _ := parseID([]byte(orgID))
	id := fmt.Sprintf("%s/id/%s/%s", base, org, user)
	issued := strconv.FormatInt(now.UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(o.cfg.ClientSecret))
	mac.Write([]byte(id + issued))
	return map[string]string{
		"access_token": token, "scope": "api refresh_token", "instance_url": base, "id": id, "token_type": "Bearer",
		"issued_at": issued, "signature": base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}
}
