package salesforce

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

const (
	maxErrorBody    = 1 << 20 // bytes of an error answer that are read
	maxErrorMessage = 1000    // characters of it that are kept
)

// readError makes an APIError of an answer that is no success. It reads the body but leaves closing to the caller.
// The secrets are cut out of whatever the server says.
func readError(resp *http.Response, r *Request, secrets ...string) *APIError {
	e := &APIError{Status: resp.StatusCode, Method: r.Method, Job: r.Job, RetryAfter: retryAfter(resp)}
	e.Path, _, _ = strings.Cut(r.Path, "?")
	if to, err := url.Parse(resp.Header.Get("Location")); err == nil && to.Host != "" {
		e.Location = to.Scheme + "://" + to.Host
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	e.broken = err != nil
	e.parse(body)
	for _, s := range secrets {
		if s != "" {
			e.Code = strings.ReplaceAll(e.Code, s, "[secret]")
			e.Message = strings.ReplaceAll(e.Message, s, "[secret]")
		}
	}
	e.Message = oneLine(e.Message, maxErrorMessage)
	if e.Message == "" && e.Code == "" {
		e.Message = http.StatusText(e.Status)
	}
	return e
}

// errorItem has the keys of every JSON shape in which Salesforce reports errors: REST, composite, OAuth, Bulk API 1.
type errorItem struct {
	ErrorCode        string   `json:"errorCode"`
	StatusCode       string   `json:"statusCode"`
	Message          string   `json:"message"`
	Fields           []string `json:"fields"`
	Error            string   `json:"error"`
	ErrorDescription string   `json:"error_description"`
	ExceptionCode    string   `json:"exceptionCode"`
	ExceptionMessage string   `json:"exceptionMessage"`
}

func (i errorItem) code() string { return firstOf(i.ErrorCode, i.StatusCode, i.Error, i.ExceptionCode) }
func (i errorItem) message() string {
	return firstOf(i.Message, i.ErrorDescription, i.ExceptionMessage)
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

// parse takes code, message and fields from a body in JSON, XML, HTML or plain text. Of several errors the first gives
// the code; the others are added to the message.
func (e *APIError) parse(body []byte) {
	body = bytes.TrimSpace(body)
	var items []errorItem
	if json.Unmarshal(body, &items) != nil {
		var one errorItem
		if json.Unmarshal(body, &one) == nil {
			items = []errorItem{one}
		} else {
			items = nil
		}
	}
	var doc struct {
		Errors []struct {
			Code    string   `xml:"errorCode"`
			Message string   `xml:"message"`
			Fields  []string `xml:"fields"`
		} `xml:"Error"`
	}
	if items == nil && xml.Unmarshal(body, &doc) == nil {
		for _, x := range doc.Errors {
			items = append(items, errorItem{ErrorCode: x.Code, Message: x.Message, Fields: x.Fields})
		}
	}
	var texts []string
	for n, i := range items {
		if n == 0 {
			e.Code, e.Fields = oneLine(i.code(), 100), i.Fields
			texts = append(texts, i.message())
			continue
		}
		texts = append(texts, strings.TrimPrefix(i.code()+": "+i.message(), ": "))
	}
	e.Message = strings.Join(texts, "; ")
	if e.Code == "" && strings.TrimSpace(e.Message) == "" {
		e.Message = pageText(string(body))
	}
}

// pageText is what a reader would see of a gateway's HTML page: its title if it has one, else all text without tags.
func pageText(s string) string {
	lower := strings.ToLower(s)
	if len(lower) == len(s) { // else the offsets differ
		if from := strings.Index(lower, "<title>"); from >= 0 {
			from += len("<title>")
			if n := strings.Index(lower[from:], "</title>"); n > 0 && strings.TrimSpace(s[from:from+n]) != "" {
				return html.UnescapeString(s[from : from+n])
			}
		}
	}
	if !strings.HasPrefix(s, "<") {
		return s
	}
	var b strings.Builder
	for s != "" {
		text, rest, _ := strings.Cut(s, "<")
		b.WriteString(text + " ")
		_, s, _ = strings.Cut(rest, ">")
	}
	return html.UnescapeString(b.String())
}

// oneLine puts single spaces for white space and control characters and keeps at most limit characters.
func oneLine(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + " …"
	}
	return s
}
