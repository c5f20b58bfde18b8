// Package retry gathers the rows of a finished run that are to be sent once more.
//
// They come from the reports of the run, and a row is known by the file and line that stand in its report: those by which the user
// knows it, however often it was sent. The reports are read from start to end; what is to be known of single rows lies in a table on
// disk (table.go), so memory does not grow with the number of bad rows.
//
//	reports ─▶ table: which rows there are ◀─ what earlier retries sent, and the corrected file
//	reports ─▶ rows in their order, with the values of the corrected file ─▶ one file, which the new run reads
//
// No row is sent twice. Which rows a retry has taken is what stands in the file that it read, which stays in its folder; a row in there
// is never taken from the first run again. A row that no result has named (unaccounted.csv) is never taken: it may be in the org.
// A corrected file that names any other row is refused as a whole, since that row is in the org, or on its way there.
//
// A corrected file has one of two shapes. A copy of a report names each row by its migrate_file and migrate_line; it may be sorted and
// shortened, and lack columns. The source file itself, put right in place, is taken by its lines, which is only safe while each row is
// still on its line: its number of rows must be what the run read, each bad row must be found on its line, and there it must be the
// same row still, by the column that names it or by most of its values.
package retry
