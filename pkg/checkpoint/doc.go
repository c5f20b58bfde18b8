// Package checkpoint is the durable state of a run and what a restart may conclude from it.
//
// A run folder holds one checkpoint.db: SQLite in WAL mode with synchronous=FULL, so that a method that returned nil has
// its change on disk, whatever happens to the process afterwards. Users may query the file while a run goes on.
//
// The units, from large to small:
//
//	run ── job (one object, one operation) ── split (a piece of the source)
//	                                            └─ chunk (a row range of one split, the rows of one ingest job)
//	                                                 └─ bulk job (an ingest job that carries the chunk; several over time, one at a time)
//
// A bulk job moves through these states; each is on disk before the step that it allows is taken:
//
//	cut ─▶ created ─▶ uploaded ─▶ closing ─▶ closed ─▶ settled
//	          └──────────┴───────────┴─▶ abandoned (aborted in the org, or never there; another bulk job takes its rows)
//
// A settlement leaves rows open that the org has not tried, or that failed for a reason that passes. They go into further bulk jobs of
// the chunk, recorded as cut together with the outcome of the others; one after another has its turn, those first whose rows have failed
// least often. A row without an outcome is thus in exactly one bulk job that is not at its end, at every moment.
//
// What a restart concludes from the state on disk:
//
//	cut        no data was sent: create an ingest job
//	created    data may have been sent, the job was not closed: the org starts nothing before the close
//	uploaded   as created
//	closing    the close may have reached the org: only the org knows, ask for the job's state
//	closed     the org has the rows: wait for the end, fetch the results, settle
//	settled    final, never touched again
//
// A file that is opened is looked at first: its form as SQLite knows it, the hash that each row carries (seal.go), whether its log is there
// (wal.go) and whole up to its end (frames.go). What is not as it was written is a *DamagedError, and nothing is changed. What cannot be told from
// a death in the middle of a write is damage to the last two steps of the log, and a log that was cut short.
//
// The package stores and answers; what to do about an answer is decided by package pipeline. A Store is safe for
// concurrent use by one process; Lock keeps a second process out.
package checkpoint
