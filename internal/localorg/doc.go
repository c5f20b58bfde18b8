// Package localorg is a Salesforce org in one process: an [http.Handler] that is as strict as the real thing.
// Tests are run against it, and users rehearse a migration on it. It shares no code with the client packages,
// so that a misreading of the API cannot cancel out.
//
// # Ideas to hold
//
// An org is opened with [Open] and closed with [Org.Close]. It is reached over a port ([Org.ServeHTTP]) or in
// process and without sockets ([Org.Transport]). What it holds is described by describe snapshots, the org's own
// JSON: every rule about a value (length, range, required, unique, picklist, lookup) comes from there.
//
// An ingest job moves like this:
//
//	Open ──PATCH UploadComplete──▶ UploadComplete ──▶ InProgress ──▶ JobComplete | Failed
//	  └──────────────PATCH Aborted (any state that is not final)──────▶ Aborted
//
// A closed job is read once as a whole (line endings, quoting, header); a fault there fails the job before a row is
// saved. Then its rows are cut into internal batches of 10,000, which wait for one of [Config.Slots] slots, and
// each batch into chunks of 200 rows. A chunk is the transaction: it takes the locks of the records and parents that its rows
// touch, holds them for as long as the batch's service time has it work, and is committed as a whole, in one step
// that no reader can see half of; its rows carry their own outcome. Results come back shuffled. Calls over REST save
// through the same code.
//
// A query job starts at UploadComplete and leaves its result in a file, so that pages can be read again, side by side,
// and whatever becomes of the records.
//
// # Making things go wrong
//
// A [Fault] strikes calls (a status, a lost reply, a cut) or jobs (one that fails half way, one that is stuck, a result row
// that is missing); a [Rule] makes rows fail as an org's own setup does. Both may be given over the wire, at /local/faults and
// /local/rules. [Audit] tells what the org holds and what its clients did that a well-behaved one does not.
//
// # Keeping an org
//
// With [Config.Dir] the org outlives its process. Everything that happened is appended to a journal, one checksummed
// frame per event, before the answer is sent. A process that is killed leaves its written frames behind; Open reads
// them again, drops a torn last frame, and goes on with the jobs that were under way from the first chunk that is not
// in the journal. Nothing is synced to the disk per frame: a killed process loses nothing, a power cut may.
// Tokens, call counts and the list of violations die with the process.
//
// # Where the facts come from
//
// The behaviour follows Salesforce's developer guides for Bulk API 2.0 and REST (v66) and recorded traffic of public
// clients. Where neither says what the org does, the code makes a strict choice, says "guess", and [Config] has a
// setting for it where a client could tell the difference.
//
// # What can go wrong
//
// Open fails when a snapshot cannot be read, when Dir is in use by another process, or when its journal is damaged
// before its end. When the journal cannot be written later on, the org answers every request with 500 and says why
// in the log. All methods of Org may be called from any goroutine.
//
// # Reading order
//
//	http.go               routes a request; each file below names its own addresses
//	session.go, oauth.go  who asks; soap.go, webflow.go, jwt.go are the ways to log in
//	ingest.go, upload.go  the calls on ingest jobs
//	process.go, batch.go  a closed job is cut into batches, and a batch is worked on
//	header.go, draft.go, value.go   CSV cells become values
//	locks.go, commit.go   a chunk takes its locks and is saved; remove.go deletes with children, rules.go refuses
//	table.go, record.go, index.go   hold the records
//	results.go            writes the three result sets
//	queryjob.go, soql.go  query jobs, and what they ask; query.go is the same over REST
//	entry.go, rest.go     records over REST; collections.go, composite.go, tree.go several at once
//	file.go               contents of files
//	history.go, reshape.go   what tests play on an org without a call: records of any age, deletions, fields that come and go
//	journal.go, replay.go keep it all
package localorg
