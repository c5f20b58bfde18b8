//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package localorg

import "os"

// lockFile does nothing where the system has no flock; there the user must not open a folder twice.
func lockFile(*os.File) error { return nil }
