package benchmarks

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// contestant is one program that does the work of a race.
type contestant struct {
	name    string
	command func(folder string) *exec.Cmd            // folder is a new one for each run, and goes with it
	check   func(folder, out string) (string, error) // looks at what the run has done, not timed; a word of it goes into the table
	skipped string                                   // why it does not take part
}

// race is work that contestants do side by side. The first of them is the limit, which the others are held against.
type race struct {
	title       string
	bytes       int64 // of the CSV that goes over the wire
	contestants []contestant
}

// result is what a contestant took in each run.
type result struct {
	contestant
	bytes  int64 // of the race
	runs   []spent
	said   []string // by check
	failed error
}

// run lets each contestant do the work, A B C A B C …, and prints a table with the medians. It gives the results by name.
func (r race) run(t *testing.T, runs int) map[string]*result {
	t.Helper()
	list := make([]*result, len(r.contestants))
	for i, c := range r.contestants {
		list[i] = &result{contestant: c, bytes: r.bytes}
	}
	for range runs {
		for _, c := range list {
			if c.skipped == "" && c.failed == nil {
				c.failed = c.once(t)
			}
		}
	}
	r.print(list)
	all := map[string]*result{}
	for _, c := range list {
		all[c.name] = c
		if c.failed != nil {
			t.Errorf("%s, %s: %v", r.title, c.name, c.failed)
		}
	}
	return all
}

func (c *result) once(t *testing.T) error {
	folder, err := os.MkdirTemp(t.TempDir(), "run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	s, out, err := spend(c.command(folder))
	if err != nil {
		return err
	}
	said, err := c.check(folder, out)
	if err != nil {
		return err
	}
	c.runs, c.said = append(c.runs, s), append(c.said, said)
	return nil
}

// print writes the table in the form of Markdown.
func (r race) print(list []*result) {
	limit := list[0]
	rows := [][]string{{r.title, "wall s", "spread", "CPU s", "peak MiB", "MB/s", "MB/CPU s", "x wall", "x CPU", ""}}
	for _, c := range list {
		row := []string{c.name}
		switch {
		case c.skipped != "":
			row = append(row, "SKIPPED", "", "", "", "", "", "", "", c.skipped)
		case c.failed != nil:
			row = append(row, "FAILED", "", "", "", "", "", "", "", "")
		default:
			wall, cpu := median(c.runs, spent.seconds), median(c.runs, spent.cpuSeconds)
			walls := figures(c.runs, spent.seconds)
			row = append(row, fmt.Sprintf("%.2f", wall), fmt.Sprintf("%.0f %%", 100*(walls[len(walls)-1]-walls[0])/wall), fmt.Sprintf("%.2f", cpu),
				fmt.Sprintf("%.0f", median(c.runs, spent.mebibytes)), fmt.Sprintf("%.0f", float64(r.bytes)/1e6/wall), fmt.Sprintf("%.0f", float64(r.bytes)/1e6/cpu),
				decimals(ratio(c, limit, spent.seconds)), decimals(ratio(c, limit, spent.cpuSeconds)), c.said[len(c.said)/2])
		}
		rows = append(rows, row)
	}
	printTable(rows)
}

// ratio is the median of what a contestant took in each run by what another one took in the same run; not a number where one of them did not run.
func ratio(c, by *result, figure func(spent) float64) float64 {
	if c == nil || by == nil {
		return math.NaN()
	}
	var list []float64
	for i := range min(len(c.runs), len(by.runs)) {
		list = append(list, figure(c.runs[i])/figure(by.runs[i]))
	}
	if len(list) == 0 || c.failed != nil || by.failed != nil {
		return math.NaN()
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// middle is the median of a figure of a contestant; not a number where it did not run.
func middle(c *result, figure func(spent) float64) float64 {
	if c == nil || len(c.runs) == 0 || c.failed != nil {
		return math.NaN()
	}
	return median(c.runs, figure)
}

func decimals(f float64) string {
	if math.IsNaN(f) {
		return "-"
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

func (s spent) seconds() float64    { return s.wall.Seconds() }
func (s spent) cpuSeconds() float64 { return max(s.cpu, time.Millisecond).Seconds() }
func (s spent) mebibytes() float64  { return float64(s.peak) / (1 << 20) }

// figures are those of all runs, sorted.
func figures(runs []spent, figure func(spent) float64) (list []float64) {
	for _, s := range runs {
		list = append(list, figure(s))
	}
	slices.Sort(list)
	return list
}

func median(runs []spent, figure func(spent) float64) float64 {
	list := figures(runs, figure)
	return list[len(list)/2]
}

// printTable writes rows of cells, the first of them the header, to stdout: the table is the result of the command, not a log of a test.
func printTable(rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-len([]rune(cell)))
			if i == 0 || i == len(row)-1 {
				cell += pad
			} else {
				cell = pad + cell
			}
			b.WriteString("| " + cell + " ")
		}
		b.WriteString("|\n")
		if n == 0 {
			for i := range row {
				end := "-"
				if i > 0 && i < len(row)-1 {
					end = ":"
				}
				b.WriteString("|" + strings.Repeat("-", width[i]+1) + end)
			}
			b.WriteString("|\n")
		}
	}
	fmt.Println("\n" + b.String())
}
