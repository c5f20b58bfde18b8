package benchmarks

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// setting says how large the table is.
type setting struct {
	dir            string // keeps the data and what npm has installed
	rows, tenTimes int
	resumed        int // rows of the file whose load is broken off
	resumedJobs    int // that it is cut into, or more if they would be too large
	runs           int // of each contestant; the table has their median
	paced          []pace
	quick          bool
}

// settingOf reads the environment. With BENCH_QUICK it is the quick form, which leaves nothing behind.
func settingOf(t *testing.T) setting {
	t.Helper()
	s := setting{rows: 1_000_000, tenTimes: 10_000_000, resumed: 10_000_000, resumedJobs: 100, runs: 5, paced: fullPace}
	s.quick = os.Getenv("BENCH") == "" || os.Getenv("BENCH_QUICK") != ""
	if s.quick {
		s.rows, s.tenTimes, s.resumed, s.resumedJobs, s.runs, s.paced = 10_000, 100_000, 100_000, 20, 1, quickPace
	} else if os.Getenv("BENCH_LARGE") != "" {
		s.resumed = 52_000_000 // 10 GB
	}
	if text := os.Getenv("BENCH_RUNS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("BENCH_RUNS is %q: how many runs of each contestant, 1 or more", text)
		}
		s.runs = n
	}
	s.dir = os.Getenv("BENCH_DIR")
	switch {
	case s.dir != "":
	case os.Getenv("BENCH") == "":
		s.dir = t.TempDir()
	default:
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatalf("there is no cache folder, set BENCH_DIR: %v", err)
		}
		s.dir = filepath.Join(cache, "migrate-bench")
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}
