package idmap

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	_ "modernc.org/sqlite" // the driver
)

const schema = `
CREATE TABLE IF NOT EXISTS ids (
	seq    INTEGER PRIMARY KEY,  -- in the order of their coming
	org    TEXT NOT NULL,        -- address of the org
	job    TEXT NOT NULL,        -- name of the job that loaded the row
	source TEXT NOT NULL,        -- id of the row in its source
	id     TEXT NOT NULL,        -- of the record, 18 characters
	run    TEXT NOT NULL,
	UNIQUE (org, job, source, run)
)`

// Map is the file. It is safe for concurrent use, also by several processes.
type Map struct{ db *sql.DB }

// Open opens or makes the file, with mode 0600. The caller closes the Map.
func Open(ctx context.Context, path string) (*Map, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open id map: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open id map: %w", err)
	}
	db, err := sql.Open("sqlite", address(path, "_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-16384)"))
	if err != nil {
		return nil, fmt.Errorf("open id map: %w", err)
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		db.Close()
		return nil, fmt.Errorf("open id map %s: %w", path, err)
	}
	return &Map{db: db}, nil
}

// Close ends the use of the file.
func (m *Map) Close() error { return m.db.Close() }

// Last gives the number of the newest entry, 0 without one. A run keeps it from its beginning and gives it to View.
func (m *Map) Last(ctx context.Context) (int64, error) {
	var n int64
	if err := m.db.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM ids").Scan(&n); err != nil {
		return 0, fmt.Errorf("id map: %w", err)
	}
	return n, nil
}

// Pair is a source id and the record that came from it.
type Pair struct{ Source, ID string }

// View is the map as one run sees it: of one org, with the entries up to a number and those of the run itself. It is safe for
// concurrent use.
type View struct {
	m        *Map
	org, run string
	upTo     int64
	find     *sql.Stmt
}

// View opens a view. upTo is what Last gave when the run began. The caller closes it.
func (m *Map) View(ctx context.Context, org, run string, upTo int64) (*View, error) {
	find, err := m.db.PrepareContext(ctx, `SELECT source, id FROM ids WHERE org = ? AND job = ? AND source IN (SELECT value FROM json_each(?))
		AND (seq <= ? OR run = ?) ORDER BY seq`)
	if err != nil {
		return nil, fmt.Errorf("id map: %w", err)
	}
	return &View{m: m, org: org, run: run, upTo: upTo, find: find}, nil
}

// Close ends the view.
func (v *View) Close() error { return v.find.Close() }

// Put enters what a job's rows became. All of it is durable when Put returns without an error; else none may be.
func (v *View) Put(ctx context.Context, job string, pairs []Pair) error {
	if len(pairs) == 0 {
		return nil
	}
	err := func() error {
		tx, err := v.m.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		put, err := tx.PrepareContext(ctx, "INSERT INTO ids (org, job, source, id, run) VALUES (?, ?, ?, ?, ?) ON CONFLICT (org, job, source, run) DO UPDATE SET id = excluded.id")
		if err != nil {
			return err
		}
		defer put.Close()
		for _, p := range pairs {
			if _, err := put.ExecContext(ctx, v.org, job, p.Source, p.ID, v.run); err != nil {
				return err
			}
		}
		return tx.Commit()
	}()
	if err != nil {
		return fmt.Errorf("id map: %w", err)
	}
	return nil
}

// atOnce is how many ids one question to the file holds.
const atOnce = 2_000

// Find gives the Ids of the records that rows of a job became, by source id. Those that the run cannot see are missing.
func (v *View) Find(ctx context.Context, job string, sources []string) (map[string]string, error) {
	found := make(map[string]string, len(sources))
	for part := range slices.Chunk(sources, atOnce) {
		list, err := json.Marshal(part)
		if err != nil {
			return nil, fmt.Errorf("id map: %w", err)
		}
		rows, err := v.find.QueryContext(ctx, v.org, job, string(list), v.upTo, v.run)
		if err != nil {
			return nil, fmt.Errorf("id map: %w", err)
		}
		for rows.Next() { // the newest of several comes last
			var source, id string
			if err := rows.Scan(&source, &id); err != nil {
				rows.Close()
				return nil, fmt.Errorf("id map: %w", err)
			}
			found[source] = id
		}
		if err := rows.Err(); err != nil {
			return nil, fmt.Errorf("id map: %w", err)
		}
	}
	return found, nil
}

// Has is true when the run can see an entry of the job.
func (v *View) Has(ctx context.Context, job string) (bool, error) {
	var n int
	err := v.m.db.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM ids WHERE org = ? AND job = ? AND (seq <= ? OR run = ?) LIMIT 1)", v.org, job, v.upTo, v.run).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("id map: %w", err)
	}
	return n > 0, nil
}
