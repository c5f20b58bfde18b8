//go:build unix

package testdb

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// asNobody prepares a command that does not run as root, which servers refuse. It dies with this process.
func asNobody(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8")
	cmd.SysProcAttr = dieWithParent()
	if os.Getuid() != 0 {
		return cmd
	}
	for _, who := range []string{"postgres", "mysql", "nobody"} {
		u, err := user.Lookup(who)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
			break
		}
	}
	return cmd
}

// kill ends a server. What it held is thrown away.
func kill(cmd *exec.Cmd) { cmd.Process.Signal(syscall.SIGQUIT) }
