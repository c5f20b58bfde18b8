package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"migrate/pkg/salesforce"
)

// auth gives the login of a named org.
func (b orgBook) auth(ctx context.Context, o namedOrg) (salesforce.Auth, error) {
	s, err := b.secret(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, o.loginCommand())
	}
	var auth salesforce.Auth
	switch o.Login {
	case loginWeb, loginRefresh, loginSFDX:
		auth = salesforce.RefreshToken{LoginURL: o.LoginURL, ClientID: o.ClientID, ClientSecret: s.ClientSecret, Store: keptToken{b, o}}
	case loginJWT:
		login := salesforce.JWTBearer{LoginURL: o.LoginURL, ClientID: o.ClientID, Username: o.Username}
		if o.KeyFile != "" {
			login.Key, err = readKey(o.KeyFile)
		} else {
			login.Key, err = salesforce.ParseRSAKey([]byte(s.Key))
		}
		if err != nil {
			return nil, err
		}
		auth = login
	case loginClient:
		auth = salesforce.ClientCredentials{LoginURL: o.LoginURL, ClientID: o.ClientID, ClientSecret: s.ClientSecret}
	case loginSOAP:
		auth = salesforce.SOAPLogin{LoginURL: o.LoginURL, Username: o.Username, Password: s.Password, SecurityToken: s.SecurityToken}
	case loginCLI:
		auth = salesforce.SalesforceCLI{Org: o.CLI, Env: childEnv()}
	default:
		return nil, usagef("it logs in by %q, which this migrate does not know; use the migrate that wrote it", o.Login)
	}
	return orgAuth{auth, o}, nil
}

// orgAuth says in its errors which org they are about, and how to log in again.
type orgAuth struct {
	salesforce.Auth
	org namedOrg
}

func (n orgAuth) Token(ctx context.Context, rt http.RoundTripper) (salesforce.Token, error) {
	token, err := n.Auth.Token(ctx, rt)
	switch {
	case errors.Is(err, salesforce.ErrAuth):
		err = fmt.Errorf("org %s: %w; to log in again: %s", n.org.Name, err, n.org.loginCommand())
	case err != nil:
		err = fmt.Errorf("org %s: %w", n.org.Name, err)
	}
	return token, err
}

// loginCommand is how to log in to the org again in the same way.
func (o namedOrg) loginCommand() string {
	words := invocation() + " org login " + shellWord(o.Name)
	add := func(flag, value string) {
		if value != "" {
			words += " --" + flag + " " + shellWord(value)
		}
	}
	switch o.Login {
	case loginRefresh:
		words += " --refresh"
	case loginSFDX:
		return words + " --sfdx-url-file FILE"
	case loginCLI:
		add("sf-cli", o.CLI)
		return words
	default:
		words += " --" + o.Login
	}
	add("login-url", o.LoginURL)
	add("client-id", o.ClientID)
	if o.Login == loginJWT || o.Login == loginSOAP {
		add("username", o.Username)
	}
	add("jwt-key-file", o.KeyFile)
	return words
}
