package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Finding is one thing that is wrong with a plan, and what to do about it.
type Finding struct {
	Path    string `json:"path,omitempty"`   // the plan file; "" = there is none
	Line    int    `json:"line,omitempty"`   // from 1; 0 = not known
	Column  int    `json:"column,omitempty"` // in characters, from 1; 0 = not known
	Job     string `json:"job,omitempty"`    // "" = the plan as a whole
	Field   string `json:"field,omitempty"`  // as the plan writes it
	Message string `json:"message"`
}

// String is one line: path:line:column: job, field, message.
func (f Finding) String() string {
	var b strings.Builder
	if f.Path != "" {
		b.WriteString(f.Path + ":")
	}
	for _, n := range []int{f.Line, f.Column} {
		if n > 0 {
			fmt.Fprintf(&b, "%d:", n)
		}
	}
	if b.Len() > 0 {
		b.WriteString(" ")
	}
	if f.Job != "" {
		b.WriteString("job " + f.Job + ": ")
	}
	if f.Field != "" {
		b.WriteString("field " + f.Field + ": ")
	}
	b.WriteString(f.Message)
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, b.String())
}

// Error is all that is wrong with a plan, in the order of the file.
type Error struct{ Findings []Finding }

// Error has one line for each finding.
func (e *Error) Error() string {
	lines := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// errorOf returns the findings as an error, nil when there are none.
func errorOf(findings []Finding) error {
	if len(findings) == 0 {
		return nil
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Error{Findings: findings}
}
