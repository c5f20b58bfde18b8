// Package bulk2 speaks Bulk API 2.0: ingest jobs on the wire, and its CSV rules both ways.
//
// An ingest job carries one CSV body for one object and one operation. Its states:
//
//	Open ──close──▶ UploadComplete ──▶ InProgress ──▶ JobComplete | Failed
//	  └────────────────abort, while not at an end────────────────▶ Aborted
//
// Nothing is processed before the close, and data can be put into a job only once. JobComplete means "ran to its end",
// also when every row failed. The rows of a job end in three result sets: successful, failed, unprocessed. Their order is
// not promised, and values come back re-serialised, so rows are to be found by their values, never by position.
//
// What may be sent again after a failure, and what may not:
//
//	create                 freely: a create whose answer is lost leaves an Open job without data, which never runs
//	upload                 never without asking: after doubt, read the job's state, abort it, make another
//	close                  never without asking: after doubt, read the job's state; Open means that it was not closed
//	abort, state, results  freely; a result set that did not come whole is read anew
//	query jobs             freely: a job whose name is lost runs for nobody, and pages can be read again
//
// Upload and Close return an error for which errors.Is(err, salesforce.ErrOutcomeUnknown) holds when they may have taken
// effect. Refusals are *salesforce.APIError.
//
// A Client is safe for concurrent use; a ResultReader is not. The package does not know Arrow and never retries a row.
//
// Sources: Bulk API 2.0 and Bulk API Developer Guide (Create a Job, Upload Job Data, Job States, Get Job Results, Prepare
// CSV Files).
package bulk2
