package salesforce

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
)

// SOAPLogin is an Auth for login() of the SOAP API, with user name and password. Salesforce has it up to API version 64.0, switched off
// in new orgs, and retires it with Summer '27; prefer any other way.
type SOAPLogin struct {
	LoginURL      string // default https://login.salesforce.com; sandboxes https://test.salesforce.com; or the My Domain host
	Username      string
	Password      string // never shown
	SecurityToken string // appended to the password; "" where the org trusts this network; never shown
}

const (
	soapPath     = "/services/Soap/u/64.0" // the last version that has login()
	maxSOAPLogin = 10 << 10                // bytes that Salesforce takes
)

// Token logs in.
func (s SOAPLogin) Token(ctx context.Context, rt http.RoundTripper) (Token, error) {
	host, err := baseURL("login URL", firstOf(s.LoginURL, generalLogin))
	if err != nil {
		return Token{}, configError{err}
	}
	if s.Username == "" || s.Password == "" {
		return Token{}, fmt.Errorf("a SOAP login needs a user name and a password: %w", ErrAuth)
	}
	body, err := s.envelope()
	if err != nil {
		return Token{}, configError{err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, host+soapPath, bytes.NewReader(body))
	if err != nil {
		return Token{}, configError{err}
	}
	req.Header.Set("Content-Type", "text/xml; charset=UTF-8")
	req.Header.Set("SOAPAction", "login")
	req.Header.Set("Accept", "text/xml")
	resp, err := rt.RoundTrip(req)
	switch {
	case ctx.Err() != nil:
		if err == nil {
			resp.Body.Close()
		}
		return Token{}, fmt.Errorf("log in at %s: %w", host, ctx.Err())
	case err != nil && permanent(err):
		return Token{}, fmt.Errorf("log in at %s: %w", host, err)
	case err != nil:
		return Token{}, fmt.Errorf("log in at %s: %w: %w", host, ErrTemporary, err)
	}
	defer resp.Body.Close()
	token, err := s.read(resp)
	if err != nil {
		return Token{}, fmt.Errorf("log in at %s: %w", host, err)
	}
	return token, nil
}

// envelope is the request. Characters that XML cannot carry are refused, as they would arrive changed.
func (s SOAPLogin) envelope() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="urn:partner.soap.sforce.com"><soapenv:Body><urn:login><urn:username>`)
	for _, part := range []struct{ name, text, end string }{
		{"user name", s.Username, `</urn:username><urn:password>`},
		{"password", s.Password + s.SecurityToken, `</urn:password></urn:login></soapenv:Body></soapenv:Envelope>`},
	} {
		before := b.Len()
		if err := xml.EscapeText(&b, []byte(part.text)); err != nil {
			return nil, err
		}
		if bytes.Count(b.Bytes()[before:], []byte("\uFFFD")) != strings.Count(part.text, "\uFFFD") {
			return nil, fmt.Errorf("the %s has control characters or is not UTF-8, which SOAP cannot carry", part.name)
		}
		b.WriteString(part.end)
	}
	if b.Len() > maxSOAPLogin {
		return nil, fmt.Errorf("user name and password make a request of %d bytes; Salesforce takes %d", b.Len(), maxSOAPLogin)
	}
	return b.Bytes(), nil
}

// soapAnswer has what matters of both answers, in any namespace.
type soapAnswer struct {
	Body struct {
		Result *struct {
			ServerURL       string `xml:"serverUrl"`
			SessionID       string `xml:"sessionId"`
			PasswordExpired bool   `xml:"passwordExpired"`
		} `xml:"loginResponse>result"`
		Fault *struct {
			Code      string `xml:"faultcode"`
			Text      string `xml:"faultstring"`
			Exception string `xml:"detail>LoginFault>exceptionCode"`
			Message   string `xml:"detail>LoginFault>exceptionMessage"`
		} `xml:"Fault"`
	}
}

// read takes the session out of an answer, or says why there is none.
func (s SOAPLogin) read(resp *http.Response) (Token, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err != nil {
		return Token{}, fmt.Errorf("%w: the answer ends early: %w", ErrTemporary, err)
	}
	var answer soapAnswer
	parseErr := xml.Unmarshal(body, &answer)
	switch fault, result := answer.Body.Fault, answer.Body.Result; {
	case parseErr == nil && fault != nil:
		code := firstOf(fault.Exception, fault.Code)
		code = code[strings.LastIndexByte(code, ':')+1:] // a prefix says whose code it is
		text := firstOf(fault.Message, strings.TrimPrefix(fault.Text, code+": "))
		return Token{}, s.refusal(resp, &APIError{Status: resp.StatusCode, Code: s.hide(oneLine(code, 100)), Message: s.hide(oneLine(text, maxErrorMessage)),
			Method: http.MethodPost, Path: soapPath, fault: true})
	case resp.StatusCode != http.StatusOK:
		resp.Body = io.NopCloser(bytes.NewReader(body))
		return Token{}, s.refusal(resp, readError(resp, &Request{Method: http.MethodPost, Path: soapPath}, s.Password+s.SecurityToken, s.Password, s.SecurityToken))
	case parseErr != nil || result == nil:
		return Token{}, fmt.Errorf("%w: the answer is not that of a SOAP login", ErrTemporary)
	case result.PasswordExpired:
		return Token{}, fmt.Errorf("the password of %s has expired; set a new one in Salesforce: %w", s.Username, ErrAuth)
	default:
		token := Token{AccessToken: result.SessionID}
		if u, err := url.Parse(result.ServerURL); err == nil && u.Host != "" {
			token.InstanceURL = u.Scheme + "://" + u.Host
		}
		return token, token.check()
	}
}

// refusal marks an answer as that of a login.
func (s SOAPLogin) refusal(resp *http.Response, e *APIError) error {
	e.login, e.RetryAfter = true, retryAfter(resp)
	if e.temporary() {
		return errors.Join(ErrTemporary, e)
	}
	return e
}

// hide takes the secrets out of a text of the org.
func (s SOAPLogin) hide(text string) string {
	for _, secret := range []string{s.Password + s.SecurityToken, s.Password, s.SecurityToken} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[secret]")
		}
	}
	return text
}

// String shows host and user, not the password.
func (s SOAPLogin) String() string {
	return fmt.Sprintf("SOAP login of %s at %s", s.Username, firstOf(s.LoginURL, generalLogin))
}

// Format writes String for every verb.
func (s SOAPLogin) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue is String.
func (s SOAPLogin) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String.
func (s SOAPLogin) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
