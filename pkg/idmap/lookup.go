package idmap

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
)

// Lookup finds records by a key of theirs: a table in a file of its own, written once. It is safe for concurrent use.
type Lookup struct {
	db   *sql.DB
	find *sql.Stmt
}

// Record is a record and its key.
type Record struct{ Key, ID string }

// WriteLookup makes the file from what fill puts. The file appears whole or not at all, with mode 0600. Keys may come twice. Memory
// does not grow with the number of records.
func WriteLookup(ctx context.Context, path string, fill func(put func(Record) error) error) (err error) {
	draft := path + ".draft"
	if err := os.Remove(draft); err != nil && !os.IsNotExist(err) { // of a process that was killed
		return fmt.Errorf("lookup: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(draft)
			err = fmt.Errorf("lookup: %w", err)
		}
	}()
	f, err := os.OpenFile(draft, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := writeRecords(ctx, draft, fill); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(draft, path)
}

// writeRecords writes the rows first and the index behind them, so that the order of the keys costs no seek for each.
func writeRecords(ctx context.Context, path string, fill func(put func(Record) error) error) error {
	db, err := sql.Open("sqlite", address(path, "_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)&_pragma=cache_size(-16384)&_pragma=temp_store(FILE)"))
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "CREATE TABLE record (key TEXT NOT NULL, id TEXT NOT NULL)"); err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, "INSERT INTO record (key, id) VALUES (?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	err = fill(func(r Record) error {
		_, err := insert.ExecContext(ctx, r.Key, r.ID)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "CREATE INDEX record_key ON record (key, id)"); err != nil {
		return err
	}
	return tx.Commit()
}

// OpenLookup opens a file that WriteLookup has made; the error wraps fs.ErrNotExist where there is none. The caller closes it.
func OpenLookup(ctx context.Context, path string) (*Lookup, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", address(path, "mode=ro&_pragma=cache_size(-16384)"))
	if err != nil {
		return nil, fmt.Errorf("open lookup: %w", err)
	}
	find, err := db.PrepareContext(ctx, "SELECT key, id FROM record WHERE key IN (SELECT value FROM json_each(?)) ORDER BY key, id")
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("open lookup %s: %w", path, err)
	}
	return &Lookup{db, find}, nil
}

// Close ends the use of the file.
func (l *Lookup) Close() error {
	l.find.Close()
	return l.db.Close()
}

// Find gives the Ids of the records with each key, in their order; keys without a record are missing. A key may be asked for twice.
func (l *Lookup) Find(ctx context.Context, keys []string) (map[string][]string, error) {
	keys = slices.Compact(slices.Sorted(slices.Values(keys))) // each once, and near to its neighbour in the file
	found := make(map[string][]string, len(keys))
	for part := range slices.Chunk(keys, atOnce) {
		list, err := json.Marshal(part)
		if err != nil {
			return nil, fmt.Errorf("lookup: %w", err)
		}
		rows, err := l.find.QueryContext(ctx, string(list))
		if err != nil {
			return nil, fmt.Errorf("lookup: %w", err)
		}
		for rows.Next() {
			var key, id string
			if err := rows.Scan(&key, &id); err != nil {
				rows.Close()
				return nil, fmt.Errorf("lookup: %w", err)
			}
			found[key] = append(found[key], id)
		}
		if err := rows.Err(); err != nil {
			return nil, fmt.Errorf("lookup: %w", err)
		}
	}
	return found, nil
}

// address is a file as the driver wants it.
func address(path, options string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: options}
	return u.String()
}
