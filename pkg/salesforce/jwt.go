package salesforce

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"
)

// JWTBearer is an Auth for the OAuth 2.0 JWT bearer flow, signed with RS256. The app in the org must hold the key's
// certificate, and the user must be pre-authorised.
type JWTBearer struct {
	LoginURL string          // default https://login.salesforce.com; sandboxes https://test.salesforce.com; or the My Domain host
	ClientID string          // consumer key of the app (claim iss)
	Username string          // Salesforce user name (claim sub)
	Audience string          // claim aud; default LoginURL
	Key      *rsa.PrivateKey // never shown; see ParseRSAKey
}

// assertionLife is what clients of Salesforce use; its documents ask for "within minutes".
const assertionLife = 3 * time.Minute

// Token logs in with a new assertion that is valid for three minutes.
func (j JWTBearer) Token(ctx context.Context, rt http.RoundTripper) (Token, error) {
	host, err := baseURL("login URL", firstOf(j.LoginURL, generalLogin))
	if err != nil {
		return Token{}, configError{err}
	}
	if j.ClientID == "" || j.Username == "" || j.Key == nil {
		return Token{}, fmt.Errorf("a JWT login needs a client id, a user name and a private key: %w", ErrAuth)
	}
	conf := jwt.Config{
		Email:      j.ClientID,
		Subject:    j.Username,
		Audience:   firstOf(j.Audience, host),
		TokenURL:   host + tokenPath,
		Expires:    assertionLife,
		PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(j.Key)}),
	}
	token, _, err := grant(ctx, rt, host, func(ctx context.Context) (*oauth2.Token, error) { return conf.TokenSource(ctx).Token() })
	return token, err
}

// String shows host, client id and user, not the key.
func (j JWTBearer) String() string {
	return fmt.Sprintf("JWT login of %s for app %s at %s", j.Username, j.ClientID, firstOf(j.LoginURL, generalLogin))
}

// Format writes String for every verb.
func (j JWTBearer) Format(f fmt.State, _ rune) { io.WriteString(f, j.String()) }

// LogValue is String.
func (j JWTBearer) LogValue() slog.Value { return slog.StringValue(j.String()) }

// MarshalText is String.
func (j JWTBearer) MarshalText() ([]byte, error) { return []byte(j.String()), nil }

// ParseRSAKey reads the first private key of a PEM text, in PKCS#1 ("RSA PRIVATE KEY") or PKCS#8 ("PRIVATE KEY") form;
// certificates before it are passed over. Encrypted keys are refused. Errors never show the key.
func ParseRSAKey(text []byte) (*rsa.PrivateKey, error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, errors.New(`no private key in the PEM text; it begins with "-----BEGIN PRIVATE KEY-----"`)
		}
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY", block.Headers["DEK-Info"] != "":
			return nil, errors.New("the private key is encrypted; decrypt it first with: openssl pkey -in FILE -out NEW")
		case block.Type == "RSA PRIVATE KEY":
			key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
			if err != nil {
				return nil, errors.New("the RSA private key is damaged; export it again")
			}
			return key, nil
		case block.Type == "PRIVATE KEY":
			any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, errors.New("the private key is damaged; export it again")
			}
			key, ok := any.(*rsa.PrivateKey)
			if !ok {
				return nil, fmt.Errorf("the private key is a %T; Salesforce accepts RSA (RS256) only", any)
			}
			return key, nil
		case block.Type == "EC PRIVATE KEY":
			return nil, errors.New("the private key is an elliptic curve key; Salesforce accepts RSA (RS256) only")
		}
	}
}
