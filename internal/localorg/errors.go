package localorg

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
)

// apiError is an answer that says no: an HTTP status and, in the body, an array with one error.
type apiError struct {
	status  int
	Message string   `json:"message" xml:"message"`
	Code    string   `json:"errorCode" xml:"errorCode"`
	Fields  []string `json:"fields,omitempty" xml:"-"`
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.Code, e.Message) }

func refuse(status int, code, format string, args ...any) error {
	return &apiError{status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

var (
	errSession  = &apiError{status: 401, Code: "INVALID_SESSION_ID", Message: "Session expired or invalid"}
	errNotFound = &apiError{status: 404, Code: "NOT_FOUND", Message: "The requested resource does not exist"}
	errMedia    = &apiError{status: 415, Code: "UNSUPPORTED_MEDIA_TYPE", Message: "Unsupported Media Type"}
)

func writeError(w http.ResponseWriter, r *http.Request, e *apiError) {
	if strings.Contains(r.Header.Get("Accept"), "application/xml") {
		type errorsXML struct {
			XMLName xml.Name  `xml:"Errors"`
			Error   *apiError `xml:"Error"`
		}
		body, _ := xml.Marshal(errorsXML{Error: e})
		w.Header().Set("Content-Type", "application/xml;charset=UTF-8")
		w.WriteHeader(e.status)
		fmt.Fprintf(w, "%s%s", `<?xml version="1.0" encoding="UTF-8"?>`, body)
		return
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // some texts hold ids in angle brackets
	enc.Encode([]*apiError{e})
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(e.status)
	w.Write(bytes.TrimSpace(body.Bytes()))
}
