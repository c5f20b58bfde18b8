package benchmarks

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// startTable prints how long the program takes to do nothing, and how large it is.
func startTable(t *testing.T, p programs) (version time.Duration, size int64) {
	var runs []time.Duration
	for range 20 {
		begun := time.Now()
		if err := exec.Command(p.migrate, "version").Run(); err != nil {
			t.Fatal(err)
		}
		runs = append(runs, time.Since(begun))
	}
	slices.Sort(runs)
	info, err := os.Stat(p.migrate)
	if err != nil {
		t.Fatal(err)
	}
	printTable([][]string{{"start", "", ""}, {"migrate version, median of 20", fmt.Sprintf("%.1f ms", float64(runs[10].Microseconds())/1000), ""},
		{"the stripped binary", fmt.Sprintf("%.1f MB", float64(info.Size())/1e6), ""}})
	return runs[10], info.Size()
}
