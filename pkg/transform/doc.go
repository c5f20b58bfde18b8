// Package transform turns source columns into Salesforce fields.
//
// Compile checks a Mapping against the schema of a source once; Apply then works a record batch at a time, column by
// column. A row that cannot be sent is not an error: it leaves the batch as a Reject that names the row, the field, the
// column, the rule and the value. Origin says for each row that is left which row of the input it was, so that provenance
// is never lost.
//
// Nothing is changed that the mapping does not ask for: no trimming, no coercion, no guess about an empty value.
//
// A Plan is safe for concurrent use. The caller owns and releases Result.Rows; Apply does not keep its input.
package transform
