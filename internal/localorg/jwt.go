package localorg

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// clockSkew is how far a client's clock may be off.
const clockSkew = 3 * time.Minute

type jwtClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Prn      string   `json:"prn"` // what sub was called before
	Audience audience `json:"aud"`
	Expires  float64  `json:"exp"` // Unix seconds
}

// audience is one string or a list of them.
type audience []string

func (a *audience) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}

// grantJWT checks an assertion: RS256 with the org's key, an issuer that is the client id, an audience that is a login
// host or this org, a user of this org, and an end that is not past. How far in the future the end lies is
// not checked; the org does not, either.
func (o *Org) grantJWT(assertion, base string) ([]byte, string, *oauthError) {
	invalid := &oauthError{"invalid_grant", "invalid assertion"}
	head, rest, ok1 := strings.Cut(assertion, ".")
	body, sign, ok2 := strings.Cut(rest, ".")
	if !ok1 || !ok2 || o.cfg.JWTKey == nil {
		return nil, "", invalid
	}
	var header struct {
		Alg string `json:"alg"`
	}
	var claims jwtClaims
	if !decodePart(head, &header) || header.Alg != "RS256" || !decodePart(body, &claims) {
		return nil, "", invalid
	}
	signature, err := base64.RawURLEncoding.DecodeString(sign)
	if err != nil {
		return nil, "", invalid
	}
	sum := sha256.Sum256([]byte(head + "." + body))
	if rsa.VerifyPKCS1v15(o.cfg.JWTKey, crypto.SHA256, sum[:], signature) != nil {
		return nil, "", invalid
	}
	if o.cfg.ClientID == "" || claims.Issuer != o.cfg.ClientID {
		return nil, "", errClientID
	}
	if float64(o.now().Add(-clockSkew).Unix()) > claims.Expires {
		return nil, "", invalid
	}
	audienceOK := false
	for _, a := range claims.Audience {
		switch strings.TrimSuffix(a, "/") {
		case "https://login.salesforce.com", "https://test.salesforce.com", base:
			audienceOK = true
		}
	}
	if !audienceOK {
		return nil, "", &oauthError{"invalid_grant", "Audience validation failed"}
	}
	name := claims.Subject
	if name == "" {
		name = claims.Prn
	}
	o.mu.RLock()
	user, ok := o.userByName(name)
	o.mu.RUnlock()
	switch {
	case !ok:
		return nil, "", &oauthError{"invalid_grant", "user hasn't approved this consumer"}
	case o.cfg.NotApproved:
		return nil, "", errNotApproved
	}
	return user, claims.Issuer, nil
}

func decodePart(part string, v any) bool {
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(part, "="))
	return err == nil && json.Unmarshal(data, v) == nil
}
