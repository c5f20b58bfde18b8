package bulk2

import (
	"fmt"
	"strings"
)

// RowError is why the org refused a row.
type RowError struct {
	Code    string   // REQUIRED_FIELD_MISSING, …
	Message string   // as the org wrote it
	Fields  []string // API names, may be empty
}

// ParseRowError takes an sf__Error value apart: CODE:message:Field1,Field2 --. The message may hold colons and newlines;
// the fields stand behind the last colon. A text of another form becomes the message, nothing of it is lost.
func ParseRowError(s string) RowError {
	code, rest, ok := strings.Cut(s, ":")
	if !ok || code == "" || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return RowError{Message: s}
	}
	e := RowError{Code: code, Message: rest}
	body, ok := strings.CutSuffix(strings.TrimRight(rest, " \n"), "--")
	if !ok {
		return e
	}
	i := strings.LastIndexByte(body, ':')
	if i < 0 {
		return e
	}
	e.Message = body[:i]
	for f := range strings.SplitSeq(body[i+1:], ",") {
		if f = strings.TrimSpace(f); f != "" {
			e.Fields = append(e.Fields, f)
		}
	}
	return e
}

// Error is the row's error in one line of text: the code, the message, and the fields.
func (e RowError) Error() string {
	s := e.Message
	if e.Code != "" {
		s = e.Code + ": " + s
	}
	if len(e.Fields) > 0 {
		s += fmt.Sprintf(" (%s)", strings.Join(e.Fields, ", "))
	}
	return s
}

// Transient reports whether the same row may well go through later, unchanged: row locks, limits of one transaction,
// server trouble.
func (e RowError) Transient() bool {
	switch e.Code {
	case "UNABLE_TO_LOCK_ROW", "TOO_MANY_APEX_REQUESTS", "UNKNOWN_EXCEPTION", "SERVER_UNAVAILABLE",
		"REQUEST_RUNNING_TOO_LONG", "QUERY_TIMEOUT", "API_TEMPORARILY_UNAVAILABLE":
		return true
	case "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": // a trigger failed
		for _, sign := range []string{"UNABLE_TO_LOCK_ROW", "Too many retries of batch save", "CPU time limit exceeded", "System.LimitException"} {
			if strings.Contains(e.Message, sign) {
				return true
			}
		}
	case "CANNOT_EXECUTE_FLOW_TRIGGER": // a flow failed
		return strings.Contains(e.Message, "UNABLE_TO_LOCK_ROW")
	}
	return false
}

// Locked reports whether the row found a record locked that it needs, by itself or in what a trigger or flow did for it.
func (e RowError) Locked() bool {
	return e.Code == "UNABLE_TO_LOCK_ROW" || strings.Contains(e.Message, "UNABLE_TO_LOCK_ROW")
}

// Once reports whether a transient error is worth one further try alone: the org itself does not know what went wrong.
func (e RowError) Once() bool { return e.Code == "UNKNOWN_EXCEPTION" }
