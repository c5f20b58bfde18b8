//go:build unix

package sinks

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks the open file without waiting and reports whether somebody else holds it.
func tryLock(f *os.File) (held bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}
