package transform

import (
	"fmt"
	"strings"
)

// Mapping says which fields are sent and where their values come from.
type Mapping struct {
	Fields []Field
	Nulls  Nulls // for fields that do not say; "" = NullsKeep
	// Where is an expression over the source columns that is true for the rows to send; "" sends all. The other rows are
	// left out and counted as filtered.
	Where string
	// Unique are source columns whose values, taken together, no two rows have. A row that has them although an earlier one does is
	// rejected. Rows that Where leaves out do not count, nor do those that are empty in all of the columns; those rejected for
	// another reason do count.
	Unique []string
	// Timezone is that of times that name none, for fields that do not say: an IANA name such as Europe/Berlin, or UTC. ""
	// refuses such times.
	Timezone string
}

// Field is one field of the target. Its value comes from one of From, Columns, Const and Expr.
type Field struct {
	To      string   // header of the column sent: a field name or a relationship path such as Account.Legacy_Id__c
	From    string   // source column
	Const   *string  // the same value in every row; no step applies
	Columns []string // several source columns, joined by With; empty ones are left out
	With    string
	Expr    string // an expression over the source columns

	// Kind is what the target takes. It decides how values of typed sources and dates are written. "" is text.
	Kind Kind
	Steps
	Ref   *Ref  // after the steps
	Nulls Nulls // "" = as the mapping says
}

// Steps change a value. Those that are set are carried out in the order in which they stand here. They see no empty value;
// Default and the nulls do.
type Steps struct {
	Trim     bool      `json:"trim,omitempty"`  // blanks around the value are taken away
	Blank    bool      `json:"blank,omitempty"` // a value of blanks alone is empty
	Case     Case      `json:"case,omitempty"`  // "" = as it is
	Replace  []Replace `json:"replace,omitempty"`
	Split    *Split    `json:"split,omitempty"`
	Number   *Number   `json:"number,omitempty"`
	Boolean  *Boolean  `json:"boolean,omitempty"`
	Time     *Time     `json:"time,omitempty"`
	List     *List     `json:"list,omitempty"` // of a multi-select picklist; Map then applies to each item
	Map      *Map      `json:"map,omitempty"`
	Hash     *Hash     `json:"hash,omitempty"`
	Mask     *Mask     `json:"mask,omitempty"`
	Truncate int       `json:"truncate,omitempty"` // most UTF-16 units, as Salesforce counts; 0 = never cut. What is cut is counted.
	Default  *string   `json:"default,omitempty"`  // for an empty value, before the nulls
}

// Kind is what a field of the target takes, as far as it matters for how a value is written.
type Kind string

// The kinds.
const (
	KindText     Kind = ""
	KindNumber   Kind = "number"
	KindBoolean  Kind = "boolean"
	KindDate     Kind = "date"
	KindDatetime Kind = "datetime"
	KindTime     Kind = "time"
)

// Case is what a value's letters become.
type Case string

// The cases.
const (
	CaseUpper Case = "upper"
	CaseLower Case = "lower"
	CaseTitle Case = "title" // the first letter of each word
)

// Replace puts With in place of what the regular expression finds (Go syntax, RE2); $1 stands for its first group.
type Replace struct {
	Find string `json:"find"`
	With string `json:"with"`
}

// Split takes one part of a value. A value with fewer parts is empty.
type Split struct {
	By   string `json:"by"`
	Part int    `json:"part"` // from 1; from the end when negative
}

// Number reads a number in another notation and writes it as Salesforce takes it.
type Number struct {
	Decimal   string `json:"decimal,omitempty"`   // mark before the fraction; "" = "."
	Thousands string `json:"thousands,omitempty"` // mark between groups of digits; "" = none is allowed
}

// Boolean reads the words for yes and no. Case does not matter. A word that is in neither list is a reject.
type Boolean struct {
	True  []string `json:"true"`
	False []string `json:"false"`
}

// Time reads a date or time and writes it as the kind of the target wants it.
type Time struct {
	// Formats are tried in turn: yyyy yy MMMM MMM MM M dd d EEEE EEE HH H hh h mm ss SSS a XXX (+01:00) XX (+0100), and text in '…'.
	// Two digits of a year mean 1969 to 2068.
	Formats []string `json:"formats"`
	// Timezone is that of the value where it names none; "" = as the mapping says.
	Timezone string `json:"timezone,omitempty"`
	// Into is the zone in which a date is taken from a time; "" = Timezone.
	Into string `json:"into,omitempty"`
	// Shift is added after reading, such as 1h30m or -2d.
	Shift string `json:"shift,omitempty"`
	// Ambiguous says which of two times is meant when clocks were set back: first, last, or "" = the row is rejected.
	Ambiguous string `json:"ambiguous,omitempty"`
}

// List reads several values in one and writes them as a multi-select picklist, A;B. Empty and repeated ones are left out.
type List struct {
	Split string `json:"split"` // what stands between them in the source
}

// Map puts one value in place of another.
type Map struct {
	Values map[string]string `json:"values"`
	// Missing says what a value does that is not there: MissingError, MissingKeep, MissingEmpty.
	Missing Missing `json:"missing,omitempty"`
	Fold    bool    `json:"fold,omitempty"` // case does not matter
	From    string  `json:"from,omitempty"` // the file of the map, for messages
}

// Missing is what becomes of a value that a map does not have.
type Missing string

// The ways.
const (
	MissingError Missing = ""      // the row is rejected
	MissingKeep  Missing = "keep"  // the value stays
	MissingEmpty Missing = "empty" // the value becomes empty
)

// Hash writes a keyed fingerprint in place of the value, HMAC-SHA-256 in hex: equal values stay equal, and nobody without the
// key finds them by trying.
type Hash struct {
	Key    string `json:"-"`                // a secret; never stored
	KeyEnv string `json:"key_env"`          // the environment variable that holds it
	Length int    `json:"length,omitempty"` // hex digits kept; 0 = 64
}

// Mask hides a value but for its end.
type Mask struct {
	Keep int    `json:"keep"`           // characters at the end that stay
	With string `json:"with,omitempty"` // for each hidden character; "" = *
}

// Ref puts the Id of a record in place of what names it in the source: the id of the row that it came from, or the value of a
// field that it has in the org.
type Ref struct {
	Job           string // that loaded the row; "" with Object and Field. For messages
	Object, Field string
	// Find gives the Ids that the values mean; those that are not known are missing from the answer, and more than one is too
	// many. Its error ends Apply.
	Find func(values []string) (map[string][]string, error)
	// Missing says what a value does that is not known: MissingError or MissingEmpty.
	Missing Missing
}

// missing says that there is no record for a value.
func (r *Ref) missing(value string) *fault {
	if r.Job == "" {
		return &fault{RuleParent, fmt.Sprintf("the org has no %s whose %s is %s", r.Object, r.Field, show([]byte(value)))}
	}
	return &fault{RuleParent, fmt.Sprintf("job %s has brought no row %s into this org: it failed, or was never loaded", r.Job, show([]byte(value)))}
}

// shownIDs is how many of the records that a value may mean are named.
const shownIDs = 3

// ambiguous says that there are several.
func (r *Ref) ambiguous(value string, ids []string) *fault {
	named := strings.Join(ids[:min(len(ids), shownIDs)], ", ")
	if len(ids) > shownIDs {
		named += ", …"
	}
	return &fault{RuleAmbiguousParent, fmt.Sprintf("the org has %d records of %s whose %s is %s: %s", len(ids), r.Object, r.Field, show([]byte(value)), named)}
}

// Nulls says what an empty source value does.
type Nulls string

// The policies for empty values.
const (
	NullsKeep  Nulls = "keep"  // sent empty: Salesforce leaves the field alone on update and unset on insert
	NullsClear Nulls = "clear" // sent as #N/A: Salesforce sets the field to null
	NullsError Nulls = "error" // the row is rejected
)

// NullToken is what Salesforce reads as "set to null"; a literal text of this form cannot be stored
// (Bulk API 2.0 guide, Prepare CSV Files).
const NullToken = "#N/A"

// The rules that reject a row.
const (
	RuleEmpty      = "empty_value"    // empty where the mapping says error
	RuleReserved   = "reserved_value" // the text #N/A, which would clear the field instead of being stored
	RuleNumber     = "not_a_number"   // Number cannot read it
	RuleBoolean    = "not_a_boolean"  // in neither list of Boolean
	RuleTime       = "not_a_time"     // no format of Time fits
	RuleNoSuchTime = "no_such_time"   // the hour that is left out when clocks are set forward
	RuleAmbiguous  = "ambiguous_time" // the hour that comes twice when clocks are set back
	RuleMap        = "not_in_map"     // Map does not have it
	RuleExpression = "expression"     // the expression fails for this row
	RuleParent     = "parent_missing" // Ref knows no record for the value
	// RuleAmbiguousParent: Ref knows several.
	RuleAmbiguousParent = "parent_ambiguous"
	RuleDuplicate       = "duplicate_row" // an earlier row has the same in the columns of Unique
	RuleType            = "unfit_value"   // a value of a typed source that the target cannot take, such as an infinity
)

// Reject is a row that is not sent.
type Reject struct {
	Row     int // in the input batch
	Field   string
	Column  string
	Rule    string
	Message string
}
