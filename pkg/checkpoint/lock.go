package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// lockFile is the name of the lock inside a run folder.
const lockFile = "lock"

// Lock keeps other processes from working on the same run. The operating system gives it up when the process ends, however it ends, so a
// dead holder never blocks, and a process number that somebody else has by now means nothing.
type Lock struct {
	f *os.File
	// Dead is the holder that ended without giving the lock up, by a kill or a crash; nil when there was none.
	Dead *Holder
}

// Holder says who works on a run. It is what stands in the lock file, for people and for other machines.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Since   time.Time `json:"since"`
	Command string    `json:"command"` // what the user typed, without secrets
}

func (o Holder) String() string {
	if o.PID == 0 {
		return "another process"
	}
	s := fmt.Sprintf("process %d on %s, since %s", o.PID, o.Host, o.Since.Local().Format("2006-01-02 15:04:05"))
	if o.Command != "" {
		s += ": " + o.Command
	}
	return s
}

// LockedError says who works on the run.
type LockedError struct {
	Dir    string
	Holder Holder
	// Elsewhere says that the holder is on another machine, and that this one cannot tell whether it is still there.
	Elsewhere bool
}

func (e *LockedError) Error() string {
	if e.Elsewhere {
		return fmt.Sprintf("run %s was begun by %s; from here nobody can tell whether it still works on it. If it does, wait for it or end it there; "+
			"if it is surely gone, remove %s and go on", filepath.Base(e.Dir), e.Holder, filepath.Join(e.Dir, lockFile))
	}
	return fmt.Sprintf("run %s is being worked on by %s; wait for it or end it", filepath.Base(e.Dir), e.Holder)
}

// Acquire takes the lock of a run folder for a command, as the user typed it, or returns a *LockedError at once. A folder that several
// machines share is refused where the last holder was on another one and has not given the lock up: not every file system tells
// one machine of the locks of another.
func Acquire(dir, command string) (*Lock, error) {
	path := filepath.Join(dir, lockFile)
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("lock run: %w", err)
		}
		l, err := acquire(f, dir, command)
		if err != nil {
			f.Close()
			return nil, err
		}
		if same(f, path) {
			return l, nil
		}
		f.Close() // somebody removed the file meanwhile; a lock on it keeps nobody out
	}
}

// same reports whether the path still leads to the open file.
func same(f *os.File, path string) bool {
	open, err1 := f.Stat()
	there, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(open, there)
}

func acquire(f *os.File, dir, command string) (*Lock, error) {
	held, err := tryLock(f)
	if err != nil {
		return nil, fmt.Errorf("lock run %s: %w", dir, err)
	}
	last, err := readHolder(f)
	if err != nil {
		return nil, fmt.Errorf("lock run %s: %w", dir, err)
	}
	if held {
		e := &LockedError{Dir: dir}
		if last != nil {
			e.Holder = *last
		}
		return nil, e
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("lock run %s: %w", dir, err)
	}
	if last != nil && last.Host != host && last.PID != 0 {
		return nil, &LockedError{Dir: dir, Holder: *last, Elsewhere: true}
	}
	text, err := json.Marshal(Holder{PID: os.Getpid(), Host: host, Since: time.Now().Truncate(time.Second), Command: command})
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(0); err != nil {
		return nil, fmt.Errorf("lock run: %w", err)
	}
	if _, err := f.WriteAt(append(text, '\n'), 0); err != nil {
		return nil, fmt.Errorf("lock run: %w", errors.Join(err, f.Truncate(0)))
	}
	return &Lock{f: f, Dead: last}, nil
}

// maxHolder bounds what is read of a lock file, in bytes. A command line may name many files.
const maxHolder = 1 << 20

// readHolder reads what the last holder has left, nil when it gave the lock up. The zero Holder stands for one that cannot be read: it
// ended while it wrote its name.
func readHolder(f *os.File) (*Holder, error) {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, maxHolder))
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(string(text)) == "" {
		return nil, nil
	}
	var o Holder
	if json.Unmarshal(text, &o) != nil {
		return &Holder{}, nil
	}
	return &o, nil
}

// Release gives the lock up.
func (l *Lock) Release() error { return errors.Join(l.f.Truncate(0), l.f.Close()) }
