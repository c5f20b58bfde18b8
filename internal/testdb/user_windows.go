package testdb

import "os/exec"

func asNobody(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	return cmd
}

func kill(cmd *exec.Cmd) { cmd.Process.Kill() }
