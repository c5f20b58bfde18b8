package main

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// What SQLite says of disks; the upper bits of a code say more of it.
const (
	sqliteReadOnly = 8
	sqliteIO       = 10 // a write that failed for want of space, for a quota or a limit, among others
	sqliteFull     = 13
)

// diskFull reports whether something could not be written for want of space, or for a disk that fails. What is on disk is as it was.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) || sqliteSays(err, sqliteFull, sqliteIO)
}

// readOnly reports whether something could not be written, or read, for want of a permission.
func readOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || sqliteSays(err, sqliteReadOnly)
}

// sqliteSays looks for one of the codes in all errors that err consists of.
func sqliteSays(err error, codes ...int) bool {
	if e, ok := err.(interface{ Code() int }); ok {
		for _, code := range codes {
			if e.Code()&0xff == code {
				return true
			}
		}
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return sqliteSays(e.Unwrap(), codes...)
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			if sqliteSays(part, codes...) {
				return true
			}
		}
	}
	return false
}

// withAdvice adds to an error of the disk what helps.
func withAdvice(err error) error {
	switch {
	case diskFull(err):
		return fmt.Errorf("%w; make room on the disk and go on: nothing is lost", err)
	case sqliteSays(err, sqliteReadOnly):
		return fmt.Errorf("%w; the state folder, and all in it, must be writable", err)
	}
	return err
}
