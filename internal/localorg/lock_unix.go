//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package localorg

import (
	"os"
	"syscall"
)

// lockFile keeps other processes out until the file is closed or the process ends.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
