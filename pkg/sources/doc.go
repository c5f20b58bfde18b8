// Package sources reads records from files into Arrow record batches and remembers where each record
// stands. It knows nothing of Salesforce, and nothing about what the values mean: every column is text.
//
// # Ideas
//
// A Source is one table. It falls into splits, which can be read by themselves, by any process, and read
// again the same. A split is a sequence of records; a Position (row, byte offset, line) is a place between
// two of them, exact in every encoding, at which a Reader can be opened by seeking. A Batch is a run of
// consecutive records: the good ones as columns, the malformed ones as BadRow, and every one in exactly
// one of the two.
//
//	OpenCSV ──▶ Source ──Splits──▶ Split ──Open(from)──▶ Reader ──Next──▶ Batch{Rows, Pos, Bad, Next}
//	  head of each file,              ▲                                                            │
//	  dialect, fingerprint            └──────────── stored position: go on, or read again ◀────────┘
//
// # CSV
//
// The dialect of a file (encoding, delimiter, quote, escape, line ending, header) is found out from its
// head and from samples of the rest, unless it is told; Dialect says what was decided, and its Notes say
// why, and where it could have been otherwise. From then on it is fixed: detection never looks at
// a file again, and the dialect travels in the Split.
//
// Reading follows RFC 4180. Values are handed on as they stand: never trimmed, never cut, only doubled
// quotes and escapes are undone. A quote inside an unquoted value is ordinary text. Line breaks in quotes
// stay as they are. Blank lines are skipped and counted, also in a file of one column, where an empty
// value has to be written as "". A record that breaks a rule (see the Rule constants) is a BadRow and the
// next one begins on the next line. The one thing that stops a split is a quote that is opened and not
// closed: nothing after it can be trusted to be a record.
//
// A reader holds 256 KiB of text, or twice the longest record, and one batch; the size of the file does
// not matter. It starts no goroutine.
//
// # What callers must do
//
// Release Batch.Rows, also of batches without good rows. Close readers. Use a Reader from one goroutine at a
// time; a Source from any number.
//
// # What can fail
//
//	OpenCSV     errors that name the file: ErrEmpty, ErrHeader, *SyntaxError in a header, not a file, not CSV
//	Open        ErrChanged: the file is not the one the split was made from
//	Next        io.EOF at the end · *SyntaxError (ErrQuoteOpen) · ErrChanged when the file got shorter ·
//	            ctx.Err() · an error of the file system; whatever it is, all records before it were delivered
//	Batch.Bad   data, not errors: malformed records, for the report of the user
package sources
