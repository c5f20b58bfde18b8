package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/zeebo/xxh3"
)

// Claims remembers which row of a job was the first with a key: a file of a run, beside the checkpoint. What it has said it says again
// after a restart. It is safe for concurrent use; memory does not grow with the number of keys.
type Claims struct{ db *sql.DB }

const claimSchema = `
create table if not exists split (id integer primary key, name text not null unique);
create table if not exists claim (key blob primary key, split integer not null, row integer not null, line integer not null) without rowid;
`

// OpenClaims opens or makes the file, with mode 0600. The caller closes it.
func OpenClaims(ctx context.Context, path string) (*Claims, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open claims: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open claims: %w", err)
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(),
		RawQuery: "_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-32768)&_txlock=immediate"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("open claims: %w", err)
	}
	_, err = db.ExecContext(ctx, claimSchema)
	if err = errors.Join(err, SyncDir(filepath.Dir(path))); err != nil { // the name is to last as long as the claims
		db.Close()
		return nil, fmt.Errorf("open claims %s: %w", path, err)
	}
	return &Claims{db}, nil
}

// Close ends the use of the file.
func (c *Claims) Close() error { return c.db.Close() }

// Claimant is a row of a split that asks for a key.
type Claimant struct {
	Key  string
	Row  int64 // in its split
	Line int64 // for people
}

// Owner is the row that has a key.
type Owner struct {
	Mine  bool // it is the claimant
	Split string
	Line  int64
}

// Claim gives each key to the first row that asks for it, and tells who has it. It is durable when Claim returns. Keys are told apart
// by a hash of 128 bits.
func (c *Claims) Claim(ctx context.Context, split string, list []Claimant) ([]Owner, error) {
	owners := make([]Owner, len(list))
	err := func() error {
		tx, err := c.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		var id int64
		if _, err := tx.ExecContext(ctx, "insert into split (name) values (?) on conflict do nothing", split); err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, "select id from split where name = ?", split).Scan(&id); err != nil {
			return err
		}
		put, err := tx.PrepareContext(ctx, "insert into claim (key, split, row, line) values (?, ?, ?, ?) on conflict do nothing")
		if err != nil {
			return err
		}
		defer put.Close()
		ask, err := tx.PrepareContext(ctx, "select c.split, c.row, c.line, s.name from claim c join split s on s.id = c.split where c.key = ?")
		if err != nil {
			return err
		}
		defer ask.Close()
		for i, r := range list {
			hash := xxh3.HashString128(r.Key).Bytes()
			done, err := put.ExecContext(ctx, hash[:], id, r.Row, r.Line)
			if err != nil {
				return err
			}
			if n, err := done.RowsAffected(); err != nil {
				return err
			} else if n == 1 {
				owners[i].Mine = true
				continue
			}
			var owner, row int64
			if err := ask.QueryRowContext(ctx, hash[:]).Scan(&owner, &row, &owners[i].Line, &owners[i].Split); err != nil {
				return err
			}
			owners[i].Mine = owner == id && row == r.Row
		}
		return tx.Commit()
	}()
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	return owners, nil
}
