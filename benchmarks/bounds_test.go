package benchmarks

import (
	"fmt"
	"math"
	"time"
)

// found are the figures that the project has set itself bounds for. Races are by the names of their contestants.
type found struct {
	wide, typed, exports, wideLarge, typedLarge map[string]*result
	paced                                       []busy
	firstUpload, version                        time.Duration
	size                                        int64
}

// print holds the figures against the bounds. They are printed and not judged: a machine that does other work meanwhile proves nothing.
func (f *found) print() {
	rows := [][]string{{"bound", "wanted", "found", ""}}
	bound := func(what string, figure float64, sign string, wanted float64, unit string) {
		row := []string{what, fmt.Sprintf("%s %g%s", sign, wanted, unit), "-", ""}
		if !math.IsNaN(figure) && figure != 0 {
			row[2], row[3] = fmt.Sprintf("%.2f%s", figure, unit), "missed"
			if sign == "<=" && figure <= wanted || sign == ">=" && figure >= wanted {
				row[3] = "reached"
			}
		}
		rows = append(rows, row)
	}
	csv, limit := f.wide[csvLoad], f.wide[sendLimit]
	bound("CSV, columns renamed: wall by the limit", ratio(csv, limit, spent.seconds), "<=", 1.3, "")
	bound("its CPU by the limit", ratio(csv, limit, spent.cpuSeconds), "<=", 1.3, "")
	bound("its CPU by the limit with the bytes through the program", ratio(csv, f.wide[copyLimit], spent.cpuSeconds), "<=", 1.3, "")
	bound("its peak memory", middle(csv, spent.mebibytes), "<=", 64, " MiB")
	bound("ten transforms: of CSV by the CPU second", f.typedSpeed(), ">=", 300, " MB")
	bound("their peak memory", middle(f.typed[typedLoad], spent.mebibytes), "<=", 256, " MiB")
	bound("their peak memory, 10 x the rows", middle(f.typedLarge[typedLoad], spent.mebibytes), "<=", 256, " MiB")
	bound("Parquet: CPU by that of DuckDB's COPY", ratio(f.wide[parquetLoad], f.wide[duckCopy], spent.cpuSeconds), "<=", 0.6, "")
	bound("export to CSV: wall by the limit", ratio(f.exports[csvExport], f.exports[pageLimit], spent.seconds), "<=", 1.3, "")
	bound("export to Parquet: wall by the limit", ratio(f.exports[parquetExport], f.exports[pageLimit], spent.seconds), "<=", 2, "")
	for i, b := range f.paced {
		bound(fmt.Sprintf("paced org %d: efficiency", i+1), b.efficiency, ">=", 0.95, "")
		bound(fmt.Sprintf("paced org %d: polls by the job-minute", i+1), b.polls, "<=", 2, "")
	}
	for _, c := range []struct {
		name         string
		large, small map[string]*result
	}{{csvLoad, f.wideLarge, f.wide}, {parquetLoad, f.wideLarge, f.wide}, {typedLoad, f.typedLarge, f.typed}} {
		bound("10 x the rows, "+c.name+": x the time", middle(c.large[c.name], spent.seconds)/middle(c.small[c.name], spent.seconds), "<=", 10.5, "")
	}
	bound("resume: first upload", f.firstUpload.Seconds(), "<=", 2, " s")
	bound("migrate version", float64(f.version.Microseconds())/1000, "<=", 20, " ms")
	bound("the stripped binary", float64(f.size)/1e6, "<=", 60, " MB")
	printTable(rows)
}

// typedSpeed is in MB of the source for a second of one core.
func (f *found) typedSpeed() float64 {
	c := f.typed[typedLoad]
	if c == nil {
		return math.NaN()
	}
	return float64(c.bytes) / 1e6 / middle(c, spent.cpuSeconds)
}
