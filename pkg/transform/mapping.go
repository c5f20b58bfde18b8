package transform

// Mapping says which fields are sent and where their values come from.
type Mapping struct {
	Fields []Field
	Nulls  Nulls // for fields that do not say; "" = NullsKeep
}

// Field is one field of the target.
type Field struct {
	To    string  // header of the column sent: a field name or a relationship path such as Account.Legacy_Id__c
	From  string  // source column; not used when Const is set
	Const *string // the same value in every row
	Nulls Nulls   // "" = as the mapping says
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
	RuleEmpty    = "empty_value"    // empty where the mapping says error
	RuleReserved = "reserved_value" // the text #N/A, which would clear the field instead of being stored
)

// Reject is a row that is not sent.
type Reject struct {
	Row     int // in the input batch
	Field   string
	Column  string
	Rule    string
	Message string
}
