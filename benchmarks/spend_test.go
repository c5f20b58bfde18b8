package benchmarks

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// spent is what a process took.
type spent struct {
	wall, cpu time.Duration // cpu is user and system, of the process and of its children
	peak      int64         // largest memory in bytes
}

// spend runs a command to its end, and gives what it took and what it printed. What the operating system tells of a process that has
// ended counts the memory of its parent before it became itself, so the process is looked at while it runs.
func spend(cmd *exec.Cmd) (s spent, out string, err error) {
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return s, "", err
	}
	over := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)); err == nil {
				if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
					var kib int64
					fmt.Sscan(rest, &kib)
					s.peak = max(s.peak, kib<<10)
				}
			}
			select {
			case <-over:
				return
			case <-time.After(min(20*time.Millisecond, time.Millisecond+time.Since(begun)/10)):
			}
		}
	})
	err = cmd.Wait()
	s.wall = time.Since(begun)
	close(over)
	looking.Wait()
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if s.peak == 0 { // no such files here
		s.peak = int64(usage.Maxrss) << 10
	}
	s.cpu = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args[:min(len(cmd.Args), 3)], " "), err, text.Bytes())
	}
	return s, text.String(), err
}
