package checkpoint

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Lock keeps other processes from working on the same run. The operating system gives it up when the process ends,
// however it ends, so a dead owner never blocks.
type Lock struct{ f *os.File }

// LockedError says who works on the run.
type LockedError struct {
	Dir, Owner string
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("run %s is being worked on by %s; wait for it or end it", filepath.Base(e.Dir), e.Owner)
}

// Acquire takes the lock of a run folder, or returns a *LockedError at once.
func Acquire(dir string) (*Lock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock run: %w", err)
	}
	if held, err := tryLock(f); err != nil || held {
		owner, _ := io.ReadAll(io.LimitReader(f, 200))
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("lock run %s: %w", dir, err)
		}
		who := strings.TrimSpace(string(owner))
		if who == "" {
			who = "another process"
		}
		return nil, &LockedError{Dir: dir, Owner: who}
	}
	host, _ := os.Hostname()
	if err := f.Truncate(0); err == nil {
		_, err = f.WriteAt(fmt.Appendf(nil, "process %d on %s\n", os.Getpid(), host), 0)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock run: %w", err)
		}
	}
	return &Lock{f: f}, nil
}

// Release gives the lock up.
func (l *Lock) Release() error { return l.f.Close() }
