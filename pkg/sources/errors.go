package sources

import (
	"errors"
	"fmt"
)

var (
	// ErrChanged is returned by Open when the file is no longer the one the split was made from.
	ErrChanged = errors.New("the file has changed since it was first read")
	// ErrEmpty is returned by OpenCSV for a file without a header and without records.
	ErrEmpty = errors.New("the file is empty")
	// ErrHeader is returned by OpenCSV when files that are read as one table have different columns.
	ErrHeader = errors.New("the columns of the files differ")
	// ErrQuoteOpen is the cause of a SyntaxError where a quoted value does not end.
	ErrQuoteOpen = errors.New("a quote is opened here and never closed")
)

// SyntaxError is text that cannot be followed any further: where it stops is not known, so the split
// ends there. Records before it are good.
type SyntaxError struct {
	Path   string
	Line   int64 // physical line, from 1
	Column int64 // characters from the start of the line, from 1
	Err    error // what is wrong and what to do
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s: line %d, column %d: %v", e.Path, e.Line, e.Column, e.Err)
}

func (e *SyntaxError) Unwrap() error { return e.Err }
