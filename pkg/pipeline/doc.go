// Package pipeline moves the rows of a source into an org: it is the order of work, and keeps the promise that every row
// ends exactly once in the org or in a report.
//
//	split ─read─▶ batch ─apply─▶ batch ─encode─▶ chunk ═channel═▶ ingest job ─wait─▶ results ─settle─▶ checkpoint + reports
//	└──── reader: one split at a time ──────────┘                └──── loader: one chunk at a time ────┘
//
// A reader goroutine per split runs source, transform and encoder in line and cuts chunks; loader goroutines take chunks
// from one channel and see each through its ingest job to the end. One scheduler polls all jobs in flight. No goroutine
// outlives Run.
//
// Each step is on disk before the next is taken (see package checkpoint), and Run with the checkpoint of an earlier run
// goes on from there: chunks that are not settled first, then the rest of the source. A chunk's body can be made again from
// its source; while it is being uploaded it lies in a file of the run folder, so memory does not grow with its size:
//
//	peak memory ≈ readers × record batch + uploads × write buffer + two result indexes (32 bytes a row of a chunk)
//
// Rows meet their results by value. See match.go for how, and settle.go for what happens then.
//
// Run returns an error only when the run could not go on to its end; rows that failed are data, in the Summary and in the
// reports. After any error the run can be resumed, unless the error says otherwise.
package pipeline
