package sources

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
)

// Source is one logical table: a set of files, or a query, whose records all have the same
// columns. A Source does not change after it was opened and is safe for concurrent use.
type Source interface {
	// Schema has one field per source column, named as in the source, with the type that it has there;
	// text files have utf8 alone. Names may occur twice.
	Schema() *arrow.Schema
	// Splits returns the same splits with the same ids in the same order on every call and on every
	// run over the same input.
	Splits() []Split
	// Open reads a split from a position on; a position with Row 0 means the split's start. It fails
	// with ErrChanged when the input is no longer what the split was made from. Several readers of
	// one split may be open at once.
	Open(ctx context.Context, s Split, from Position) (Reader, error)
}

// Reader delivers the records of one split in order. It belongs to one goroutine at a time.
type Reader interface {
	// Next returns the next batch; the caller owns Batch.Rows and releases it. A batch may be short
	// and may hold no good row at all. Next returns io.EOF at the end, and a *SyntaxError where the
	// text cannot be followed any further; every record before that place has then been delivered.
	// Apart from ctx.Err(), an error is final: the next call returns it again.
	Next(ctx context.Context) (Batch, error)
	// Close frees the file. Batches already delivered stay valid. It may be called twice.
	Close() error
}

// Split is a piece of a source that can be read by itself and read again the same. It holds all that
// another process needs to open it, and can be stored as JSON.
type Split struct {
	// ID is unique within the source and the same on every run.
	ID string `json:"id"`
	// Path is the file as it was named, or what the user calls a query. Name absolute paths where a
	// process with another working folder is to open the split.
	Path string `json:"path"`
	// File is where the file lies, if not at Path: standard input is spooled into a file.
	File string `json:"file,omitempty"`
	// Compression is gzip, zstd or, for what is not compressed, "".
	Compression string `json:"compression,omitempty"`
	// Start is where the first record stands (or would stand), Row 0: in a text after the header.
	Start Position `json:"start"`
	// End is the offset of the first byte that no longer belongs to the split. It stands at the
	// end of a record. In a Parquet file and in a query offsets count rows. It is 0 for what is compressed, since it is
	// not known. For a range of a query it is an estimate, see Ranges.
	End int64 `json:"end"`
	// Dialect is how a text is to be read.
	Dialect Dialect `json:"dialect"`
	// Fingerprint is what the file looked like when the split was made; of a range there was none yet.
	Fingerprint Fingerprint `json:"fingerprint"`
	// Spool is true for a file that holds the result of a query.
	Spool bool `json:"spool,omitempty"`
	// Range is the part of a query that the split is; nil for other sources. File appears when it is read.
	Range *RangeSplit `json:"range,omitempty"`
	// Parquet is how a Parquet file is to be read; nil for other sources.
	Parquet *ParquetSplit `json:"parquet,omitempty"`
	// JSONL is how JSON lines are to be read; nil for other sources.
	JSONL *JSONLSplit `json:"jsonl,omitempty"`
}

// Batch is a run of consecutive records. Every record of the range is in exactly one of Rows and Bad;
// Pos and Bad[i].Pos carry the row numbers by which the two interleave.
type Batch struct {
	// Rows holds the good records, with the schema of the source; a text has no nulls. The caller releases
	// it; its memory is its own and does not depend on the Reader.
	Rows arrow.RecordBatch
	// Pos is the position of each row of Rows.
	Pos []Position
	// Bad are the malformed records, in order.
	Bad []BadRow
	// Next is the position after the last record of the batch: where reading goes on.
	Next Position
}

// The rules a record can break. A later record is not affected by an earlier bad one.
const (
	RuleTooFewColumns   = "too_few_columns"
	RuleTooManyColumns  = "too_many_columns"
	RuleBadQuote        = "bad_quote"        // text after a closing quote
	RuleInvalidEncoding = "invalid_encoding" // bytes that are no text in the file's encoding
	RuleNULByte         = "nul_byte"
	RuleRecordTooLong   = "record_too_long" // longer than CSVOptions.MaxRecord
	RuleNotJSON         = "not_json"
	RuleNotObject       = "not_object"    // JSON, but no object
	RuleDuplicateKey    = "duplicate_key" // of a JSON object
	RuleUnknownKey      = "unknown_key"   // of a JSON object: not among the columns
	RuleOutOfRange      = "out_of_range"  // a Parquet value that the type of its column cannot hold
)

// IsMalformed reports whether a code is one of these rules: of the record there may be more than its values.
func IsMalformed(code string) bool {
	switch code {
	case RuleTooFewColumns, RuleTooManyColumns, RuleBadQuote, RuleInvalidEncoding, RuleNULByte, RuleRecordTooLong, RuleNotJSON, RuleNotObject,
		RuleDuplicateKey, RuleUnknownKey, RuleOutOfRange:
		return true
	}
	return false
}

// BadRow is a record that is not a row of the table: data for the report, not an error of the reader.
type BadRow struct {
	Pos Position
	// Rule is the first of these that the record broke: record_too_long, bad_quote, nul_byte,
	// invalid_encoding, too_few_columns, too_many_columns.
	Rule string
	// Column is the source column, from 1, at which the rule was broken: the first missing or the
	// first surplus one where the number of columns is wrong.
	Column int
	// Message says what is wrong and where, with line and column, in one line.
	Message string
	// Fields are the values as far as they could be told apart, quotes and escapes undone; at most
	// 1,000 more than the table has columns. Bytes that are no text stand as U+FFFD.
	Fields []string
	// Raw is the record as it stands in the file, decoded to UTF-8, without its line ending, cut at
	// 64 KiB; Message says so when it was cut.
	Raw string
}
