package benchmarks

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestTable prints the table of benchmarks; README.md says how to read it. make bench runs it in full, and with BENCH_QUICK in small, which says that
// every contestant still runs and does the work, and nothing about time.
func TestTable(t *testing.T) {
	if os.Getenv("BENCH") == "" {
		t.Skip("it takes minutes: make bench, or BENCH_QUICK=1 make bench")
	}
	s := settingOf(t)
	p := buildPrograms(t)
	fmt.Printf("migrate at %s, %s, %s/%s, %d cores; medians of %d\n", commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), s.runs)
	c := installClients(t, s)

	run := func(name string, make func(t *testing.T) race) (all map[string]*result) {
		t.Run(name, func(t *testing.T) { all = make(t).run(t, s.runs) })
		return all
	}
	sink := func(t *testing.T) loader { return loader{p, serveOrg(t, p, "--choice", "sink")} }

	var f found
	f.wide = run("wide", func(t *testing.T) race {
		d, l := accountsAs(t, s, "wide", wide, s.rows), sink(t)
		return race{titleOf("load", d), d.bytes, []contestant{l.sends(d), l.sendsThrough(d), l.load(csvLoad, d.csv, d.rows, d.maps()...),
			l.load(parquetLoad, d.parquet, d.rows, d.maps()...), l.postgres(t, d), l.baseline(d), c.duckdb(d)}}
	})
	f.typed = run("typed", func(t *testing.T) race { return typedRace(t, s, sink(t), s.rows) })
	run("narrow", func(t *testing.T) race { return narrowRace(t, s, sink(t), s.rows) })
	run("others", func(t *testing.T) race {
		d, l := firstPart(t, accountsAs(t, s, "wide", wide, s.rows)), sink(t)
		file := d.parts[0]
		return race{titleOf("load of one job", d), d.bytes, append([]contestant{l.sends(d), l.load("migrate load, CSV", file, d.rows)}, l.others(t, c, file, d.rows)...)}
	})
	f.exports = run("export", func(t *testing.T) race { return exportRace(t, p, c, accountsAs(t, s, "wide", wide, s.rows)) })
	f.wideLarge = run("wide, 10 x", func(t *testing.T) race {
		d, l := accountsAs(t, s, "wide", wide, s.tenTimes), sink(t)
		return race{titleOf("load", d), d.bytes, []contestant{l.sends(d), l.load(csvLoad, d.csv, d.rows, d.maps()...), l.load(parquetLoad, d.parquet, d.rows, d.maps()...)}}
	})
	f.typedLarge = run("typed, 10 x", func(t *testing.T) race { return typedRace(t, s, sink(t), s.tenTimes) })
	run("narrow, 10 x", func(t *testing.T) race { return narrowRace(t, s, sink(t), s.tenTimes) })
	f.paced = pacedTable(t, p, s)
	t.Run("resumed", func(t *testing.T) { f.firstUpload = resumedTable(t, p, s) })
	f.version, f.size = startTable(t, p)
	if !s.quick { // where fixed costs would be all that it tells
		f.print()
	}
}

// Names of contestants whose figures have a bound.
const (
	sendLimit     = "limit: files sent as they are"
	copyLimit     = "the same, the bytes through the program"
	duckCopy      = "DuckDB COPY Parquet to CSV, no upload"
	pageLimit     = "limit: pages saved as they are"
	csvExport     = "migrate export, CSV"
	parquetExport = "migrate export, Parquet"
	csvLoad       = "migrate load, CSV, columns renamed"
	parquetLoad   = "migrate load, Parquet"
	typedLoad     = "migrate run, CSV, ten transforms"
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

// firstPart is what fits into one job.
func firstPart(t *testing.T, d *dataset) *dataset {
	t.Helper()
	part := &dataset{columns: d.columns, parts: d.parts[:1]}
	rows, err := csvRows(part.parts[0])
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(part.parts[0])
	if err != nil {
		t.Fatal(err)
	}
	part.rows, part.bytes = rows, info.Size()
	return part
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
