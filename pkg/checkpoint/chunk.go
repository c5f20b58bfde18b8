package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ChunkState is where a chunk stands.
type ChunkState string

// The states of a chunk.
const (
	ChunkOpen    ChunkState = "open"    // it has an unsettled bulk job
	ChunkSettled ChunkState = "settled" // each of its rows has its outcome
)

// Chunk is a row range of one split: the rows that one ingest job carries, and those of the range that were filtered or
// rejected on the way.
type Chunk struct {
	ID         int64
	Job, Split string
	Start      string // JSON position of the first row; opaque here
	FirstRow   int64  // 0-based within the split
	SourceRows int64  // length of the range
	Rows       int64  // rows to send; SourceRows = Rows + Filtered + Rejected
	Bytes      int64  // encoded size, header included
	Hash       string // of the encoded body; a body made again must have it
	Filtered   int64
	Rejected   int64
	Outcome
	State ChunkState
}

// Outcome counts what became of the rows that were sent.
type Outcome struct {
	Succeeded, Failed, Unprocessed int64
	Unaccounted                    int64 // named by no result file: may or may not be in the org
}

// BulkState is where a bulk job stands; see the package comment.
type BulkState string

// The states of a bulk job.
const (
	BulkCut       BulkState = "cut"
	BulkCreated   BulkState = "created"
	BulkUploaded  BulkState = "uploaded"
	BulkClosing   BulkState = "closing"
	BulkClosed    BulkState = "closed"
	BulkSettled   BulkState = "settled"
	BulkAbandoned BulkState = "abandoned"
)

// BulkJob is one ingest job that carries a chunk, or a part of it. A row that has no outcome yet is in exactly one bulk job of
// its chunk that is neither settled nor abandoned; only one of these has left the state cut, the others wait for their turn.
type BulkJob struct {
	ID           int64
	Chunk        int64
	Attempt      int // how many jobs have been closed with these rows, this one included: 1 for a chunk's first job
	Retries      int // how often these rows have failed in a way that passes, and are therefore sent again
	SalesforceID string
	State        BulkState
	Rows         int64
	Selection    Selection // which of the chunk's rows, nil = all
	Message      string
}

// Offsets are the lengths of report files up to which their content belongs to what is recorded.
type Offsets map[string]int64

// Cut records a new chunk, its first bulk job (none when it has no rows to send), how far its split is cut and how long
// the report files are now, all at once. It returns the ids it gave.
func (s *Store) Cut(ctx context.Context, c Chunk, next Split, reports Offsets) (Chunk, BulkJob, error) {
	var b BulkJob
	err := s.tx(ctx, func(tx *sql.Tx) error {
		c.State = ChunkOpen
		if c.Rows == 0 {
			c.State = ChunkSettled
		}
		res, err := tx.Exec(`insert into chunk(job, split, start, first_row, source_rows, rows, bytes, hash, filtered, rejected, state)
			values (?,?,?,?,?,?,?,?,?,?,?)`,
			c.Job, c.Split, c.Start, c.FirstRow, c.SourceRows, c.Rows, c.Bytes, c.Hash, c.Filtered, c.Rejected, c.State)
		if err != nil {
			return err
		}
		if c.ID, err = res.LastInsertId(); err != nil {
			return err
		}
		if c.Rows > 0 {
			if b, err = addBulkJob(tx, BulkJob{Chunk: c.ID, Attempt: 1, Rows: c.Rows}); err != nil {
				return err
			}
		}
		err = changeOne(tx.Exec(`update split set next=?, rows=?, blank=? where job=? and id=?`,
			next.Next, next.Rows, next.Blank, c.Job, c.Split))
		if err != nil {
			return err
		}
		return setOffsets(tx, reports)
	})
	if err != nil {
		return Chunk{}, BulkJob{}, fmt.Errorf("record chunk at row %d of split %s: %w", c.FirstRow, c.Split, err)
	}
	return c, b, nil
}

// Advance records that a bulk job reached a state, with its Salesforce id, unless that is empty, and its message.
func (s *Store) Advance(ctx context.Context, b BulkJob, state BulkState) error {
	err := changeOne(s.db.ExecContext(ctx,
		`update bulk_job set state=?, salesforce_id=case when ?='' then salesforce_id else ? end, message=?, changed=?
		where id=? and state not in ('settled','abandoned')`,
		state, b.SalesforceID, b.SalesforceID, b.Message, now(), b.ID))
	if err != nil {
		return fmt.Errorf("record job %s %s: %w", b.SalesforceID, state, err)
	}
	return nil
}

// Replace abandons a bulk job that surely was not closed and records another one for the same rows.
func (s *Store) Replace(ctx context.Context, b BulkJob, why string) (BulkJob, error) {
	next := BulkJob{Chunk: b.Chunk, Attempt: b.Attempt, Retries: b.Retries, Rows: b.Rows, Selection: b.Selection}
	err := s.tx(ctx, func(tx *sql.Tx) error {
		err := changeOne(tx.Exec(`update bulk_job set state=?, message=?, changed=? where id=? and state not in ('settled','abandoned')`,
			BulkAbandoned, why, now(), b.ID))
		if err != nil {
			return err
		}
		next, err = addBulkJob(tx, next)
		return err
	})
	if err != nil {
		return BulkJob{}, fmt.Errorf("replace job %s: %w", b.SalesforceID, err)
	}
	return next, nil
}

// Settlement is the final word on a bulk job.
type Settlement struct {
	BulkJob   BulkJob
	Processed int64 // as the org counts
	Failed    int64 // as the org counts
	Differs   int64 // rows by which the org's counts differ from its result files
	Outcome         // of its rows; those of Further are in none of the counts
	Further   []Further
	Reports   Offsets
}

// Further is rows of a settled job that go into a job of their own.
type Further struct {
	Selection
	Failed bool // they failed in a way that passes; else the org has not tried them
}

// Settle records the outcome of a bulk job, the jobs that carry the rest of its rows, and how long the report files are, all at once.
// It returns the chunk's next job: of those that wait the one whose rows have failed least often. Without one the chunk is settled, and
// the ID is 0.
func (s *Store) Settle(ctx context.Context, st Settlement) (BulkJob, error) {
	var next BulkJob
	err := s.tx(ctx, func(tx *sql.Tx) error {
		err := changeOne(tx.Exec(`update bulk_job set state=?, processed=?, failed=?, differs=?, message=?, changed=? where id=? and state in ('closing','closed')`,
			BulkSettled, st.Processed, st.Failed, st.Differs, st.BulkJob.Message, now(), st.BulkJob.ID))
		if err != nil {
			return err
		}
		for _, f := range st.Further {
			b := BulkJob{Chunk: st.BulkJob.Chunk, Attempt: st.BulkJob.Attempt + 1, Retries: st.BulkJob.Retries, Rows: int64(len(f.Selection)), Selection: f.Selection}
			if f.Failed {
				b.Retries++
			}
			if _, err := addBulkJob(tx, b); err != nil {
				return err
			}
		}
		state := ChunkOpen
		if next, err = s.nextBulkJob(tx, st.BulkJob.Chunk); errors.Is(err, sql.ErrNoRows) {
			state = ChunkSettled
		} else if err != nil {
			return err
		}
		err = changeOne(tx.Exec(`update chunk set succeeded=succeeded+?, failed=failed+?, unprocessed=unprocessed+?,
			unaccounted=unaccounted+?, state=? where id=? and state='open'`,
			st.Outcome.Succeeded, st.Outcome.Failed, st.Outcome.Unprocessed, st.Outcome.Unaccounted, state, st.BulkJob.Chunk))
		if err != nil {
			return err
		}
		return setOffsets(tx, st.Reports)
	})
	if err != nil {
		return BulkJob{}, fmt.Errorf("settle job %s: %w", st.BulkJob.SalesforceID, err)
	}
	return next, nil
}

func addBulkJob(tx *sql.Tx, b BulkJob) (BulkJob, error) {
	b.State = BulkCut
	res, err := tx.Exec(`insert into bulk_job(chunk, attempt, retries, state, rows, selection, changed) values (?,?,?,?,?,?,?)`,
		b.Chunk, b.Attempt, b.Retries, b.State, b.Rows, b.Selection.pack(), now())
	if err != nil {
		return BulkJob{}, err
	}
	b.ID, err = res.LastInsertId()
	return b, err
}

// presentBulkJob finds the bulk job of chunk c that is under way, else the one whose turn is next.
const presentBulkJob = `(select id from bulk_job where chunk = c.id and state not in ('settled','abandoned') order by state = 'cut', retries, id limit 1)`

// nextBulkJob returns the bulk job of a chunk whose turn is next, or sql.ErrNoRows.
func (s *Store) nextBulkJob(tx *sql.Tx, chunk int64) (BulkJob, error) {
	b := BulkJob{Chunk: chunk}
	var packed []byte
	err := tx.QueryRow(`select b.id, b.attempt, b.retries, b.state, b.rows, b.selection from chunk c join bulk_job b on b.id = `+presentBulkJob+` where c.id = ?`, chunk).
		Scan(&b.ID, &b.Attempt, &b.Retries, &b.State, &b.Rows, &packed)
	if err != nil {
		return BulkJob{}, err
	}
	if b.Selection, err = unpackSelection(packed); err != nil {
		return BulkJob{}, &DamagedError{Path: s.path, Err: err}
	}
	return b, nil
}

// Unsettled is a chunk with the bulk job that carries it, or a part of it, now.
type Unsettled struct {
	Chunk   Chunk
	BulkJob BulkJob
}

// Unsettled returns the chunks of a job that still need work, in source order.
func (s *Store) Unsettled(ctx context.Context, job string) ([]Unsettled, error) {
	rows, err := s.db.QueryContext(ctx, `
		select c.id, c.job, c.split, c.start, c.first_row, c.source_rows, c.rows, c.bytes, c.hash, c.filtered, c.rejected,
			c.succeeded, c.failed, c.unprocessed, c.unaccounted, c.state,
			b.id, b.chunk, b.attempt, b.retries, b.salesforce_id, b.state, b.rows, b.selection, b.message
		from chunk c join bulk_job b on b.id = `+presentBulkJob+`
		where c.job = ? and c.state = 'open' order by c.id`, job)
	if err != nil {
		return nil, fmt.Errorf("read unsettled chunks of job %s: %w", job, err)
	}
	type packed struct {
		Unsettled
		selection []byte
	}
	all, err := collect(rows, func(p *packed) []any {
		c, b := &p.Chunk, &p.BulkJob
		return []any{&c.ID, &c.Job, &c.Split, &c.Start, &c.FirstRow, &c.SourceRows, &c.Rows, &c.Bytes, &c.Hash, &c.Filtered, &c.Rejected,
			&c.Succeeded, &c.Failed, &c.Unprocessed, &c.Unaccounted, &c.State,
			&b.ID, &b.Chunk, &b.Attempt, &b.Retries, &b.SalesforceID, &b.State, &b.Rows, &p.selection, &b.Message}
	})
	if err != nil {
		return nil, fmt.Errorf("read unsettled chunks of job %s: %w", job, err)
	}
	list := make([]Unsettled, len(all))
	for i := range all {
		list[i] = all[i].Unsettled
		if list[i].BulkJob.Selection, err = unpackSelection(all[i].selection); err != nil {
			return nil, &DamagedError{Path: s.path, Err: err}
		}
	}
	return list, nil
}
