package sources

import (
	"fmt"
	"strconv"
	"strings"
)

// Dialect is how a CSV file is read: what was told, what was found out, and why.
type Dialect struct {
	Path     string `json:"path"`
	Encoding string `json:"encoding"` // utf-8, utf-16le, utf-16be or windows-1252
	BOM      bool   `json:"bom"`
	// Delimiter is one character, "tab" or "none"; Quote one character or "none".
	Delimiter string `json:"delimiter"`
	Quote     string `json:"quote"`
	// Escape is the quote itself (doubled), `\` or, without quotes, "none".
	Escape string `json:"escape"`
	// LineEnding is what was seen in the head: LF, CRLF, CR, "LF and CRLF", or "mixed with CR".
	// Only with CR in it does a lone CR end a record.
	LineEnding string `json:"line_ending"`
	// HeaderLine is the line on which the header begins, 0 if there is none.
	HeaderLine int64 `json:"header_line"`
	// Header are the names of the columns.
	Header []string `json:"header"`
	// MaxRecord is the length of the longest record, in bytes of UTF-8.
	MaxRecord int64 `json:"max_record"`
	// Told has the things that came from options: "encoding", "delimiter", "quote", "escape", "header".
	Told map[string]bool `json:"told,omitempty"`
	// Notes are what the user should know about the decisions, one sentence each.
	Notes []string `json:"notes,omitempty"`
}

const (
	endLF    = "LF"
	endCRLF  = "CRLF"
	endCR    = "CR"
	endBoth  = "LF and CRLF"
	endMixed = "mixed with CR"
)

// String is the one line shown to the user:
//
//	customers.csv: UTF-8 with BOM, delimiter ';', quote '"' (doubled), CRLF, header on line 1, 12 columns
func (d Dialect) String() string {
	enc := map[string]string{encUTF8: "UTF-8", encUTF16LE: "UTF-16LE", encUTF16BE: "UTF-16BE", encWindows1252: "Windows-1252"}[d.Encoding]
	if d.BOM {
		enc += " with BOM"
	}
	parts := []string{enc}
	switch d.Delimiter {
	case "none":
		parts = append(parts, "no delimiter")
	case "tab":
		parts = append(parts, "delimiter tab")
	default:
		parts = append(parts, "delimiter '"+visible(d.Delimiter)+"'")
	}
	escape := " (doubled)"
	if d.Escape == `\` {
		escape = ` (escaped with \)`
	}
	if d.Quote != "none" {
		parts = append(parts, "quote '"+d.Quote+"'"+escape)
	} else if d.Escape == `\` {
		parts = append(parts, "no quotes"+escape)
	} else {
		parts = append(parts, "no quotes")
	}
	parts = append(parts, d.LineEnding)
	if d.HeaderLine > 0 {
		parts = append(parts, fmt.Sprintf("header on line %d", d.HeaderLine))
	} else {
		parts = append(parts, "no header")
	}
	parts = append(parts, plural(len(d.Header), "column"))
	return d.Path + ": " + strings.Join(parts, ", ")
}

func visible(s string) string {
	q := strconv.QuoteToASCII(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// grammar turns the names into the characters the reader works with.
func (d Dialect) grammar() (grammar, error) {
	var g grammar
	var err error
	if g.delim, err = delimiterByte(d.Delimiter); err != nil {
		return g, err
	}
	if g.quote, err = quoteByte(d.Quote); err != nil {
		return g, err
	}
	g.escape = d.Escape == `\`
	g.anyEOL = d.LineEnding == endCR || d.LineEnding == endMixed
	return g, nil
}

func delimiterByte(s string) (byte, error) {
	switch s {
	case "none":
		return 0, nil
	case "tab", `\t`:
		return '\t', nil
	case "\r", "\n", `"`, `\`, "\x00":
	default:
		if len(s) == 1 && s[0] < 0x80 {
			return s[0], nil
		}
	}
	return 0, fmt.Errorf(`delimiter %q: give one ASCII character that is no quote, backslash or line break, or "tab", or "none"`, s)
}

func delimiterName(b byte) string {
	switch b {
	case 0:
		return "none"
	case '\t':
		return "tab"
	}
	return string(rune(b))
}

func quoteByte(s string) (byte, error) {
	switch s {
	case "none":
		return 0, nil
	case `"`, `'`:
		return s[0], nil
	}
	return 0, fmt.Errorf("quote %q: give \", ' or none", s)
}

func quoteName(b byte) string {
	if b == 0 {
		return "none"
	}
	return string(rune(b))
}

// check finds options that cannot be meant.
func (o CSVOptions) check() error {
	if _, err := encodingName(o.Encoding); err != nil {
		return err
	}
	var delim, quote byte
	var err error
	if o.Delimiter != "" {
		if delim, err = delimiterByte(o.Delimiter); err != nil {
			return err
		}
	}
	if o.Quote != "" {
		if quote, err = quoteByte(o.Quote); err != nil {
			return err
		}
	}
	switch o.Escape {
	case "", `\`, `"`, "doubled":
	default:
		if o.Escape != o.Quote {
			return fmt.Errorf("escape %q: give \" (a quote is doubled) or \\", o.Escape)
		}
	}
	switch {
	case delim != 0 && delim == quote:
		return fmt.Errorf("%q cannot be both delimiter and quote", o.Delimiter)
	case o.SkipLines < 0, o.HeaderLines < 0:
		return fmt.Errorf("skip lines %d, header lines %d: they cannot be negative", o.SkipLines, o.HeaderLines)
	case o.NoHeader && o.HeaderLines > 0:
		return fmt.Errorf("no header and %d header lines cannot both be", o.HeaderLines)
	case o.MaxRecord < 1 || o.MaxRecord > largestMaxRecord:
		return fmt.Errorf("longest record %d bytes: it must be from 1 byte to 512 MiB", o.MaxRecord)
	}
	return nil
}
