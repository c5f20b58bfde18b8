package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// FileName is the name of the checkpoint inside a run folder.
const FileName = "checkpoint.db"

// formatVersion is the version of the tables below. A file of another version is refused, never converted silently.
const formatVersion = 3

// Each table gets one more column, see makeTables.
const schema = `
create table run (
	id text primary key, version integer not null, created text not null, changed text not null,
	command text not null, plan text not null, org text not null, state text not null, message text not null default '',
	definitions integer not null -- a hash of what is defined in the file
);
create table job (
	name text primary key, position integer not null, object text not null, operation text not null,
	spec text not null, state text not null
);
create table split (
	job text not null references job(name), id text not null, position integer not null, spec text not null,
	next text not null, rows integer not null default 0, blank integer not null default 0, state text not null,
	primary key (job, id)
);
create table chunk (
	id integer primary key, job text not null, split text not null,
	start text not null, first_row integer not null, source_rows integer not null,
	rows integer not null, bytes integer not null, hash text not null,
	filtered integer not null, rejected integer not null,
	succeeded integer not null default 0, failed integer not null default 0,
	unprocessed integer not null default 0, unaccounted integer not null default 0,
	state text not null,
	foreign key (job, split) references split(job, id)
);
create index chunk_by_job on chunk(job, state);
create table bulk_job (
	id integer primary key, chunk integer not null references chunk(id), attempt integer not null, retries integer not null,
	salesforce_id text not null default '', state text not null, rows integer not null, selection blob,
	processed integer not null default 0, failed integer not null default 0, differs integer not null default 0,
	message text not null default '', changed text not null
);
create index bulk_job_by_chunk on bulk_job(chunk);
create table report (name text primary key, bytes integer not null);
`

// ErrNotFound says that a folder holds no checkpoint.
var ErrNotFound = errors.New("no checkpoint here: the run has not begun, or somebody has removed it")

// DamagedError says that a checkpoint cannot be trusted. Nothing was changed.
type DamagedError struct {
	Path string
	Err  error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("checkpoint %s is damaged: %v; restore it from a copy, or verify the org before loading again", e.Path, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// Store is the checkpoint of one run.
type Store struct {
	db      *sql.DB
	path    string
	logs    bool       // it is open for going on; see wal.go
	logging sync.Mutex // held while the log begins anew
}

// Create makes the run folder's checkpoint with its run, jobs and splits. The folder must exist; a checkpoint that is
// already there is an error.
func Create(ctx context.Context, dir string, run Run, jobs []Job, splits []Split) (*Store, error) {
	path := filepath.Join(dir, FileName)
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("create checkpoint %s: it exists", path)
	}
	fresh := path + ".new" // so that a checkpoint is there whole or not at all
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("create checkpoint: %w", err)
	}
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create checkpoint: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("create checkpoint: %w", err)
	}
	s := open(fresh, false)
	if err := errors.Join(s.fill(ctx, run, jobs, splits), s.Close()); err != nil {
		return nil, fmt.Errorf("create checkpoint %s: %w", path, err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return nil, fmt.Errorf("create checkpoint: %w", err)
	}
	s = open(path, false)
	if err := s.beginLog(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("create checkpoint: %w", err)
	}
	s.logs = true
	for _, folder := range []string{dir, filepath.Dir(dir)} { // the names are to last as long as the content
		if err := SyncDir(folder); err != nil {
			s.Close()
			return nil, fmt.Errorf("create checkpoint %s: %w", path, err)
		}
	}
	return s, nil
}

// SyncDir makes the names in a folder durable, where the operating system can.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && runtime.GOOS != "windows" { // where folders cannot be synced
		return err
	}
	return nil
}

func (s *Store) fill(ctx context.Context, run Run, jobs []Job, splits []Split) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := makeTables(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(fmt.Sprintf("pragma user_version=%d", formatVersion)); err != nil {
			return err
		}
		made, err := definitions(ctx, tx)
		if err != nil {
			return err
		}
		created := stamp(run.Created)
		_, err = tx.Exec(`insert into run(id, version, created, changed, command, plan, org, state, definitions) values (?,?,?,?,?,?,?,?,?)`,
			run.ID, formatVersion, created, created, run.Command, run.Plan, run.Org, RunRunning, made)
		if err != nil {
			return err
		}
		for i, j := range jobs {
			_, err := tx.Exec(`insert into job(name, position, object, operation, spec, state) values (?,?,?,?,?,?)`,
				j.Name, i, j.Object, j.Operation, j.Spec, JobRunning)
			if err != nil {
				return err
			}
		}
		for i, sp := range splits {
			_, err := tx.Exec(`insert into split(job, id, position, spec, next, state) values (?,?,?,?,?,?)`,
				sp.Job, sp.ID, i, sp.Spec, sp.Next, SplitOpen)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Open opens the checkpoint of a run folder for going on. It returns ErrNotFound when there is none and a *DamagedError
// when the file is not what this package wrote.
func Open(ctx context.Context, dir string) (*Store, error) { return openExisting(ctx, dir, false) }

// OpenReadOnly opens a checkpoint for looking at it, also while another process works with it.
func OpenReadOnly(ctx context.Context, dir string) (*Store, error) {
	return openExisting(ctx, dir, true)
}

func openExisting(ctx context.Context, dir string, readOnly bool) (*Store, error) {
	path := filepath.Join(dir, FileName)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", path, ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("open checkpoint: %w", err)
	case info.Size() == 0: // SQLite would remove its log
		return nil, &DamagedError{Path: path, Err: errors.New("it is empty")}
	}
	if !readOnly {
		if err := writable(path); err != nil {
			return nil, err
		}
		if err := checkFrames(path + walSuffix); err != nil {
			return nil, &DamagedError{Path: path, Err: err}
		}
	}
	s := open(path, true) // as it would else bring the log into a damaged file
	err = s.check(ctx)
	if readOnly && err != nil && frozen(path) {
		s.Close()
		s = &Store{db: connect(path, url.Values{"immutable": {"1"}}), path: path}
		err = s.check(ctx)
	}
	if err == nil && !readOnly {
		s.Close()
		s = open(path, false)
		err = s.beginLog(ctx)
		s.logs = err == nil
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// writable fails where the files of a checkpoint may not be written to. SQLite would find out later, and leave further files behind.
func writable(path string) error {
	for _, name := range []string{path, path + walSuffix, path + "-shm"} {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("the checkpoint cannot be written to: %w; a run needs its folder and all files in it to go on", err)
		}
		if err := f.Close(); err != nil {
			return fmt.Errorf("open checkpoint: %w", err)
		}
	}
	return nil
}

// frozen reports whether a checkpoint lies where it cannot be written to, and nobody works with it: SQLite then reads it only when told so.
func frozen(path string) bool {
	info, err := os.Stat(path + walSuffix)
	if err == nil && info.Size() > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".frozen-")
	if err != nil {
		return true
	}
	f.Close()
	os.Remove(f.Name())
	return false
}

// check refuses a file that SQLite or this package would misread.
func (s *Store) check(ctx context.Context) error {
	var version int
	if err := s.db.QueryRowContext(ctx, "pragma user_version").Scan(&version); err != nil {
		return s.unreadable(err)
	}
	switch version {
	case formatVersion:
	case 0:
		return &DamagedError{Path: s.path, Err: errors.New("no tables of this program inside")}
	default:
		return fmt.Errorf("checkpoint %s has format %d, this program reads %d; go on with the program that has begun the run", s.path, version, formatVersion)
	}
	var verdict string
	if err := s.db.QueryRowContext(ctx, "pragma integrity_check(1)").Scan(&verdict); err != nil {
		return s.unreadable(err)
	}
	if verdict != "ok" {
		return &DamagedError{Path: s.path, Err: errors.New(verdict)}
	}
	if err := s.checkRows(ctx); err != nil {
		return err
	}
	var runs int
	if err := s.db.QueryRowContext(ctx, "select count(*) from run").Scan(&runs); err != nil {
		return s.unreadable(err)
	}
	if runs != 1 {
		return &DamagedError{Path: s.path, Err: fmt.Errorf("%d runs inside, one expected", runs)}
	}
	return s.checkLog(ctx)
}

// unreadable tells damage from what has kept SQLite from looking: a file that may not be read, a disk that is full, a user who interrupts.
func (s *Store) unreadable(err error) error {
	const (
		wrong, corrupt, format, notDB = 1, 11, 24, 26 // no such table, and worse
		shortRead                     = 10 | 2<<8
	)
	var e interface{ Code() int }
	if errors.As(err, &e) && (slices.Contains([]int{wrong, corrupt, format, notDB}, e.Code()&0xff) || e.Code() == shortRead) {
		return &DamagedError{Path: s.path, Err: err}
	}
	return fmt.Errorf("open checkpoint %s: %w", s.path, err)
}

func open(path string, readOnly bool) *Store {
	q := url.Values{}
	q.Add("_pragma", "busy_timeout(10000)")
	q.Add("_pragma", "foreign_keys(1)")
	if readOnly {
		q.Set("mode", "ro")
	} else {
		q.Add("_pragma", "journal_mode(WAL)")
		q.Add("_pragma", "synchronous(FULL)")
		q.Add("_pragma", "wal_autocheckpoint(0)")
		q.Set("_txlock", "immediate")
	}
	return &Store{db: connect(path, q), path: path}
}

// connect gives a connection that opens the file when it is first used.
func connect(path string, q url.Values) *sql.DB {
	// A relative path must not look like a host, so the address has no "//".
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		panic(err) // the driver is linked in
	}
	db.SetMaxOpenConns(1) // one writer; SQLite would only make the others wait
	return db
}

// tx runs f in one transaction. When it returns nil, the change is on disk.
func (s *Store) tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		tx.Rollback()
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.boundLog(ctx)
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func now() string { return stamp(time.Now()) }

// changeOne fails when an update met no row: a step that is recorded for nothing is a bug, not a success.
func changeOne(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return err
	}
	if n != 1 {
		return fmt.Errorf("%d rows changed, one expected", n)
	}
	return nil
}
