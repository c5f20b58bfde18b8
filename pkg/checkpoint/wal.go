package checkpoint

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// While a checkpoint is in use, its newest steps stand in SQLite's write-ahead log alone, checkpoint.db-wal. After a crash without that
// file, as when only checkpoint.db was copied, SQLite would show an older state as if nothing were wrong, and rows of jobs that it does not
// know would be sent twice. So SQLite's application_id says whether a log belongs to the file.
const (
	logEmptied = 0 // the file was closed in good order
	logFollows = 1 // stands in the file: steps follow in the log, and the first of them says
	logIsThere = 2
)

// walSuffix is what the name of SQLite's write-ahead log has behind that of its file.
const walSuffix = "-wal"

// maxLog is the size of the log, in bytes, from which on its steps are brought into the file. SQLite does not do that by itself here.
const maxLog = 16 << 20

// beginLog brings all steps into the file and lets the log begin anew.
func (s *Store) beginLog(ctx context.Context) error {
	for _, statement := range []string{fmt.Sprintf("pragma application_id=%d", logFollows), "pragma wal_checkpoint(full)", fmt.Sprintf("pragma application_id=%d", logIsThere)} {
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("begin the log of checkpoint %s: %w", s.path, err)
		}
	}
	return nil
}

// boundLog keeps the log from growing without end. It is called when a step is on disk; where it fails, the next step is as good.
func (s *Store) boundLog(ctx context.Context) {
	if !s.logs || !s.logging.TryLock() {
		return
	}
	defer s.logging.Unlock()
	if info, err := os.Stat(s.path + walSuffix); err == nil && info.Size() >= maxLog {
		s.beginLog(ctx)
	}
}

// checkLog refuses a file whose log is gone or is none. A process that ended in the middle of beginLog has left one. A log that was cut
// short is not noticed.
func (s *Store) checkLog(ctx context.Context) error {
	var mark int
	if err := s.db.QueryRowContext(ctx, "pragma application_id").Scan(&mark); err != nil {
		return s.unreadable(err)
	}
	if mark == logFollows && !isLog(s.path+walSuffix) {
		return &DamagedError{Path: s.path, Err: errors.New("its newest steps are missing, which were in " + FileName + walSuffix + " beside it")}
	}
	return nil
}

// isLog looks at the first bytes of a file (SQLite, "The WAL File Format").
func isLog(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [4]byte
	_, err = io.ReadFull(f, magic[:])
	return err == nil && binary.BigEndian.Uint32(magic[:])&^1 == 0x377f0682
}

// Close closes the file. What was returned as done is on disk without it.
func (s *Store) Close() error {
	if s.logs { // where this fails, the log stays, or SQLite brings it into the file as it is; both are in order
		s.db.Exec(fmt.Sprintf("pragma application_id=%d", logEmptied))
	}
	return s.db.Close()
}
