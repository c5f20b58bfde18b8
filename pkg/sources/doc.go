// Package sources reads records from files into Arrow record batches and remembers where each record
// stands. It knows nothing of Salesforce, and nothing about what the values mean: columns of texts are text,
// others have the type that they have in their source.
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
// # Parquet
//
// A split is a run of row groups of a file; its positions count rows. All logical types are carried into Arrow as
// they are: decimals exactly, timestamps with their unit and, if they are adjusted to UTC, that zone. UUIDs become
// text; the old INT96 timestamps have no zone and lose what is finer than a microsecond. Records fall into columns
// named by path ("address.city"), lists of single values are Arrow lists, and maps, lists of records, lists of lists
// and intervals are refused by name unless they are left out. Text that is not UTF-8 or has a NUL, and numbers that
// the type of their column cannot hold, make bad rows.
//
// A reader holds one batch and one page (and dictionary) of each column, whatever the size of a row group. A
// position in the middle of a row group is reached by passing over its pages; earlier row groups are not read. The
// format has checksums only where the writer or the codec adds some, so damage within plain values cannot be seen;
// a file with fewer or more rows than it claims is always an error.
//
// # JSON lines
//
// One object per line, in UTF-8. Columns are the keys found in the first lines of all files, or those that are told;
// a record with another key is a bad row. Objects fall into columns by path, arrays stay JSON, numbers stay as they
// are written, and what is missing or null is null.
//
// # Compressed files, patterns, standard input
//
// CSV and JSON lines may be compressed with gzip or zstd, which their first bytes show. Offsets then count the
// bytes that come out, and a position is reached by unpacking all that stands before it: reading a file again from
// its end costs as much as from its start. A stream that was cut off or damaged gives the records before that place
// and then an error. But a checksum stands behind the data it is of, so records of a gzip file that is damaged, not
// cut off, may have been delivered wrong before the error; "gzip -t" tells beforehand.
//
// Expand makes files of patterns. Spool makes a file of standard input, so that it can be read again; with the Names
// of the options it is still called StandardInput where users see it.
//
// # Queries
//
// A database need not answer twice the same, so what it answers is written to files and read from there: by Query.Spool as a
// whole, before anything is read, or range by range of a key:
//
//	Query.Divide ──▶ file: columns, ranges ──OpenRanges──▶ Source ──Open(range)──▶ is its file there? ──▶ Reader
//	  least and greatest key, number of rows                                        │ no: ask the database, write it whole
//
// The ranges are fixed by Divide; the lowest and the highest have no bound, so that a row is in one of them whatever its key is by
// then. Each range is one snapshot, taken when it is first opened; a key that changes in between may move a row from a range that
// is still to be read into one that was read, or back. A range that was read once is never asked for again: when its file is gone,
// Open fails with ErrChanged.
//
// # What callers must do
//
// Release Batch.Rows, also of batches without good rows. Close readers. Use a Reader from one goroutine at a
// time; a Source from any number.
//
// # What can fail
//
//	Open…       errors that name the file: ErrEmpty, ErrHeader, *SyntaxError in a header, not a file, not of the
//	            format, ErrEncrypted, columns that cannot be read
//	Open        ErrChanged: the file is not the one the split was made from, or the columns of a query are others now
//	Spool,      ErrDatabase: the connection broke or the server could not; the same may work later · ErrQuery: the
//	Divide      server refuses the query as it stands · a value that the type of its column cannot hold. Open of a
//	            range has these, too
//	Next        io.EOF at the end · *SyntaxError (ErrQuoteOpen) · ErrChanged when the file got shorter ·
//	            ctx.Err() · damage in Parquet or compressed files · an error of the file system; whatever it is,
//	            all records before it were delivered
//	Batch.Bad   data, not errors: malformed records, for the report of the user
package sources
