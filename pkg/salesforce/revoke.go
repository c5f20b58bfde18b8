package salesforce

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Revoke ends a token at the org that gave it. A refresh token takes all access tokens with it that came from it. It returns false,
// and no error, when the org says that the token is not valid any more.
func Revoke(ctx context.Context, rt http.RoundTripper, loginURL, token string) (bool, error) {
	host, err := baseURL("login URL", firstOf(loginURL, generalLogin))
	if err != nil {
		return false, configError{err}
	}
	const path = "/services/oauth2/revoke"
	form := url.Values{"token": {token}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, host+path, strings.NewReader(form.Encode()))
	if err != nil {
		return false, configError{err}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := rt.RoundTrip(req)
	switch {
	case ctx.Err() != nil:
		if err == nil {
			resp.Body.Close()
		}
		return false, fmt.Errorf("revoke a token at %s: %w", host, ctx.Err())
	case err != nil && permanent(err):
		return false, fmt.Errorf("revoke a token at %s: %w", host, err)
	case err != nil:
		return false, fmt.Errorf("revoke a token at %s: %w: %w", host, ErrTemporary, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return true, nil
	}
	e := readError(resp, &Request{Method: http.MethodPost, Path: path}, token)
	switch {
	case resp.StatusCode == http.StatusBadRequest && (e.Code == "invalid_token" || e.Code == "unsupported_token_type"): // as clients report it
		return false, nil
	case e.temporary():
		return false, fmt.Errorf("revoke a token at %s: %w: %w", host, ErrTemporary, e)
	}
	return false, fmt.Errorf("revoke a token at %s: %w", host, e)
}
