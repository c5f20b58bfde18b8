package sinks

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// lockTarget keeps other processes from writing to the same place. The operating system gives the lock up when the process ends, however it
// ends; the file that is left then is taken over by the next one.
func lockTarget(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("its folder cannot be written: %w", err)
		}
		held, err := tryLock(f)
		if err != nil || held {
			f.Close()
			if held {
				return nil, fmt.Errorf("another process writes there (it holds %s); wait for it or end it", path)
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		open, err1 := f.Stat()
		there, err2 := os.Lstat(path)
		if err1 == nil && err2 == nil && os.SameFile(open, there) {
			return f, nil
		}
		f.Close() // the one that held it removed it meanwhile: a lock on it keeps nobody out
	}
}

func unlockTarget(f *os.File) error {
	if f == nil {
		return nil
	}
	if runtime.GOOS == "windows" { // which removes no open file; whoever has locked it since keeps it
		err := f.Close()
		os.Remove(f.Name())
		return err
	}
	return errors.Join(os.Remove(f.Name()), f.Close())
}
