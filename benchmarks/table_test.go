package benchmarks

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestTable prints the table of benchmarks; README.md says how to read it. make bench runs it in full. Without BENCH it is small and quick, so
// that it does not rot: then it says that every contestant still runs and does the work, and nothing about time.
func TestTable(t *testing.T) {
	s := settingOf(t)
	p := buildPrograms(t)
	fmt.Printf("migrate at %s, %s, %s/%s, %d cores; medians of %d\n", commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), s.runs)
	c := installClients(t, s)

	var small, large map[string]*result
	run := func(name string, make func(t *testing.T) race) (all map[string]*result) {
		t.Run(name, func(t *testing.T) { all = make(t).run(t, s.runs) })
		return all
	}
	sink := func(t *testing.T) loader { return loader{p, serveOrg(t, p, "--choice", "sink")} }

	small = run("wide", func(t *testing.T) race {
		d, l := accountsAs(t, s, "wide", wide, s.rows), sink(t)
		return race{titleOf("load", d), d.bytes, []contestant{l.sends(d), l.load(csvLoad, d.csv, d.rows, d.maps()...), l.load(parquetLoad, d.parquet, d.rows, d.maps()...),
			l.postgres(t, d), l.baseline(d), c.duckdb(d)}}
	})
	typedSmall := run("typed", func(t *testing.T) race { return typedRace(t, s, sink(t), s.rows) })
	run("narrow", func(t *testing.T) race { return narrowRace(t, s, sink(t), s.rows) })
	run("others", func(t *testing.T) race {
		d, l := accountsAs(t, s, "wide", wide, s.rows), sink(t)
		one := *d
		one.parts = d.parts[:1]
		one.rows = rowsIn(t, one.parts[0])
		info, err := os.Stat(one.parts[0])
		if err != nil {
			t.Fatal(err)
		}
		one.bytes = info.Size()
		return race{titleOf("load of one job", &one), one.bytes, append([]contestant{l.sends(&one), l.load("migrate load, CSV", one.parts[0], one.rows)}, l.others(t, c, one.parts[0], one.rows)...)}
	})
	run("export", func(t *testing.T) race { return exportRace(t, p, c, accountsAs(t, s, "wide", wide, s.rows)) })

	large = run("wide, 10 x", func(t *testing.T) race {
		d, l := accountsAs(t, s, "wide", wide, s.tenTimes), sink(t)
		return race{titleOf("load", d), d.bytes, []contestant{l.sends(d), l.load(csvLoad, d.csv, d.rows, d.maps()...), l.load(parquetLoad, d.parquet, d.rows, d.maps()...)}}
	})
	typedLarge := run("typed, 10 x", func(t *testing.T) race { return typedRace(t, s, sink(t), s.tenTimes) })
	run("narrow, 10 x", func(t *testing.T) race { return narrowRace(t, s, sink(t), s.tenTimes) })
	printTable([][]string{{fmt.Sprintf("%s rows, by %s", grouped(s.tenTimes), grouped(s.rows)), "x wall", ""},
		{csvLoad, times(large[csvLoad], small[csvLoad]), ""}, {parquetLoad, times(large[parquetLoad], small[parquetLoad]), ""},
		{typedLoad, times(typedLarge[typedLoad], typedSmall[typedLoad]), ""}})

	pacedTable(t, p, s)
	t.Run("resumed", func(t *testing.T) { resumedTable(t, p, s) })
	startTable(t, p)
}

const (
	csvLoad     = "migrate load, CSV, columns renamed"
	parquetLoad = "migrate load, Parquet"
	typedLoad   = "migrate run, CSV, ten transforms"
)

func typedRace(t *testing.T, s setting, l loader, rows int) race {
	d := typedRows(t, s, rows)
	return race{titleOf("load, typed", d), d.bytes, []contestant{l.sends(d), l.plan(t, typedLoad, fmt.Sprintf(typedPlan, d.csv), d.rows)}}
}

func narrowRace(t *testing.T, s setting, l loader, rows int) race {
	d := accountsAs(t, s, "narrow", narrow, rows)
	return race{titleOf("load", d), d.bytes, []contestant{l.sends(d), l.load(csvLoad, d.csv, d.rows, d.maps()...), l.load(parquetLoad, d.parquet, d.rows, d.maps()...)}}
}

func titleOf(what string, d *dataset) string {
	return fmt.Sprintf("%s, %s rows x %d columns, %d MB", what, grouped(d.rows), len(d.columns), d.bytes/1e6)
}

func rowsIn(t *testing.T, path string) int {
	t.Helper()
	n, err := csvRows(path)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// times is how much longer one took than the other, by their medians.
func times(large, small *result) string {
	if large == nil || small == nil || len(large.runs) == 0 || len(small.runs) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", median(large.runs, spent.seconds)/median(small.runs, spent.seconds))
}

// startTable prints how long the program takes to do nothing, and how large it is.
func startTable(t *testing.T, p programs) {
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
}

// commit names what is measured.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err != nil {
		return "an unknown commit"
	}
	return strings.TrimSpace(string(out))
}

// grouped writes a number with commas between its thousands.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
