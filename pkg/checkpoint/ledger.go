package checkpoint

import (
	"context"
	"database/sql"
	"fmt"
)

// Ledger is what became of the rows that were read. It balances when
// Read = Filtered + Rejected + Succeeded + Failed + Unprocessed + Unaccounted + Pending; a finished job has no Pending
// rows, and one that is in order has no Unaccounted ones.
type Ledger struct {
	Read, Filtered, Rejected int64
	Outcome
	Pending int64 // cut, not yet settled
	Blank   int64 // blank lines skipped; not rows
	Chunks  int64
	Jobs    int64 // ingest jobs made
	Again   int64 // of Pending: rows that failed in a way that passes, and are being sent again
	Resent  int64 // rows of settled jobs that were sent again for that reason, counted each time
	Differs int64 // rows by which the org's own counts differ from its result files
}

// Balanced reports whether every row that was read is in exactly one column.
func (l Ledger) Balanced() bool {
	return l.Read == l.Filtered+l.Rejected+l.Succeeded+l.Failed+l.Unprocessed+l.Unaccounted+l.Pending &&
		l.Pending >= 0
}

// Add returns the sum of two ledgers.
func (l Ledger) Add(m Ledger) Ledger {
	l.Read += m.Read
	l.Filtered += m.Filtered
	l.Rejected += m.Rejected
	l.Succeeded += m.Succeeded
	l.Failed += m.Failed
	l.Unprocessed += m.Unprocessed
	l.Unaccounted += m.Unaccounted
	l.Pending += m.Pending
	l.Blank += m.Blank
	l.Chunks += m.Chunks
	l.Jobs += m.Jobs
	l.Again += m.Again
	l.Resent += m.Resent
	l.Differs += m.Differs
	return l
}

// Ledger adds up what is recorded for a job, as it is at one moment. Read comes from the splits, the other figures from the
// chunks, so that a row that slipped between them shows.
func (s *Store) Ledger(ctx context.Context, job string) (Ledger, error) {
	var l Ledger
	var rows int64
	err := s.db.QueryRowContext(ctx, `
		select s.*, c.*, b.* from
			(select coalesce(sum(rows),0), coalesce(sum(blank),0) from split where job=?1) s,
			(select coalesce(sum(filtered),0), coalesce(sum(rejected),0), coalesce(sum(succeeded),0), coalesce(sum(failed),0),
				coalesce(sum(unprocessed),0), coalesce(sum(unaccounted),0), coalesce(sum(rows),0), count(*) from chunk where job=?1) c,
			(select count(nullif(b.salesforce_id, '')), coalesce(sum(b.differs),0),
				coalesce(sum(b.rows) filter (where b.retries > 0 and b.state not in ('settled','abandoned')),0),
				coalesce(sum(b.rows) filter (where b.retries > 0 and b.state = 'settled'),0)
				from bulk_job b join chunk c on c.id=b.chunk where c.job=?1) b`, job).
		Scan(&l.Read, &l.Blank, &l.Filtered, &l.Rejected, &l.Succeeded, &l.Failed, &l.Unprocessed, &l.Unaccounted, &rows, &l.Chunks, &l.Jobs, &l.Differs, &l.Again, &l.Resent)
	if err != nil {
		return Ledger{}, fmt.Errorf("read ledger of job %s: %w", job, err)
	}
	l.Pending = rows - l.Succeeded - l.Failed - l.Unprocessed - l.Unaccounted
	return l, nil
}

// Offsets returns how much of each report file belongs to what is recorded. Anything behind it was written by a step
// that was not recorded, and is to be cut off.
func (s *Store) Offsets(ctx context.Context) (Offsets, error) {
	rows, err := s.db.QueryContext(ctx, `select name, bytes from report`)
	if err != nil {
		return nil, fmt.Errorf("read report offsets: %w", err)
	}
	type entry struct {
		name  string
		bytes int64
	}
	all, err := collect(rows, func(e *entry) []any { return []any{&e.name, &e.bytes} })
	if err != nil {
		return nil, fmt.Errorf("read report offsets: %w", err)
	}
	o := make(Offsets, len(all))
	for _, e := range all {
		o[e.name] = e.bytes
	}
	return o, nil
}

func setOffsets(tx *sql.Tx, o Offsets) error {
	for name, bytes := range o {
		_, err := tx.Exec(`insert into report(name, bytes) values (?,?) on conflict(name) do update set bytes=excluded.bytes`, name, bytes)
		if err != nil {
			return err
		}
	}
	return nil
}
