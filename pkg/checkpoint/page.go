package checkpoint

import (
	"context"
	"database/sql"
	"fmt"
)

// What an export has fetched stands in the same tables as what a load has cut: a split is the part of a query that one query job answers,
// a chunk is a page of its results, with FirstRow as the page's number in the split. Its rows are pending until they are published.

// SetNext records where a split stands.
func (s *Store) SetNext(ctx context.Context, job, split, next string) error {
	err := changeOne(s.db.ExecContext(ctx, `update split set next=? where job=? and id=?`, next, job, split))
	if err != nil {
		return fmt.Errorf("record where split %s of job %s stands: %w", split, job, err)
	}
	return nil
}

// AddPage records a page that is durable.
func (s *Store) AddPage(ctx context.Context, c Chunk) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`insert into chunk(job, split, start, first_row, source_rows, rows, bytes, hash, filtered, rejected, state) values (?,?,?,?,?,?,?,?,0,0,?)`,
			c.Job, c.Split, c.Start, c.FirstRow, c.Rows, c.Rows, c.Bytes, c.Hash, ChunkOpen)
		if err != nil {
			return err
		}
		return changeOne(tx.Exec(`update split set rows=rows+? where job=? and id=?`, c.Rows, c.Job, c.Split))
	})
	if err != nil {
		return fmt.Errorf("record page %d of split %s: %w", c.FirstRow, c.Split, err)
	}
	return nil
}

// DropPages forgets the pages of a split, whose query job cannot give the others any more.
func (s *Store) DropPages(ctx context.Context, job, split, next string) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(`delete from chunk where job=? and split=?`, job, split); err != nil {
			return err
		}
		return changeOne(tx.Exec(`update split set rows=0, next=?, state=? where job=? and id=?`, next, SplitOpen, job, split))
	})
	if err != nil {
		return fmt.Errorf("forget the pages of split %s: %w", split, err)
	}
	return nil
}

// Pages returns the pages of a job in the order of the query.
func (s *Store) Pages(ctx context.Context, job string) ([]Chunk, error) {
	rows, err := s.db.QueryContext(ctx, `select c.id, c.job, c.split, c.start, c.first_row, c.rows, c.bytes, c.hash from chunk c
		join split s on s.job=c.job and s.id=c.split where c.job=? order by s.position, c.first_row`, job)
	if err != nil {
		return nil, fmt.Errorf("read the pages of job %s: %w", job, err)
	}
	return collect(rows, func(c *Chunk) []any {
		return []any{&c.ID, &c.Job, &c.Split, &c.Start, &c.FirstRow, &c.Rows, &c.Bytes, &c.Hash}
	})
}

// Halve puts two splits in the place of the first one, which keeps its id and loses its pages.
func (s *Store) Halve(ctx context.Context, one, two Split) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(`delete from chunk where job=? and split=?`, one.Job, one.ID); err != nil {
			return err
		}
		if err := changeOne(tx.Exec(`update split set rows=0, spec=?, next=?, state=? where job=? and id=?`, one.Spec, one.Next, SplitOpen, one.Job, one.ID)); err != nil {
			return err
		}
		return changeOne(tx.Exec(`insert into split(job, id, position, spec, next, state) select ?1, ?2, max(position)+1, ?3, ?4, ?5 from split`,
			two.Job, two.ID, two.Spec, two.Next, SplitOpen))
	})
	if err != nil {
		return fmt.Errorf("halve split %s: %w", one.ID, err)
	}
	return nil
}

// SetPublished records that all rows of an export are where they belong, and with that the job is done. filtered are the rows, by page,
// that need not go there.
func (s *Store) SetPublished(ctx context.Context, job string, filtered map[int64]int64) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		for id, n := range filtered {
			if err := changeOne(tx.Exec(`update chunk set rows=rows-?1, filtered=?1 where id=?2 and job=?3`, n, id, job)); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(`update chunk set succeeded=rows, state=? where job=?`, ChunkSettled, job); err != nil {
			return err
		}
		return changeOne(tx.Exec(`update job set state=? where name=?`, JobDone, job))
	})
	if err != nil {
		return fmt.Errorf("record job %s published: %w", job, err)
	}
	return nil
}
