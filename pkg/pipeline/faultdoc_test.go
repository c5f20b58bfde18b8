package pipeline_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"migrate/pkg/bulk2"
)

var update = flag.Bool("update", false, "write docs/faults.md anew; with MIGRATE_TORTURE=1 and -run TestTortureFaults")

// faultDoc is where the matrix is kept. What stands above faultDocMark is written by hand.
var faultDoc = filepath.Join("..", "..", "docs", "faults.md")

const faultDocMark = "<!-- What follows is written by a test; see above. -->\n"

var rates = []rate{once, threeTimes, thirtyOf, untilEnd}

// section is a class of calls of one operation.
type section struct {
	op bulk2.Operation
	faultAt
}

func (s section) title() string { return fmt.Sprintf("%s, %s", s.name, s.op) }

// sections are those of the matrix: all calls for an insert, those about jobs for an upsert.
func sections() (list []section) {
	for _, e := range append(outerEndpoints[:len(outerEndpoints):len(outerEndpoints)], endpoints...) {
		list = append(list, section{bulk2.Insert, e})
	}
	for _, e := range endpoints {
		if e.name != "any" {
			list = append(list, section{bulk2.Upsert, e})
		}
	}
	return list
}

// outcomes are what the matrix has come to: by title of the section and name of the fault a text for each rate, then rows lost, rows twice.
type outcomes map[string]map[string][]string

// text is the part of the page that is not written by hand.
func (o outcomes) text() string {
	var b strings.Builder
	b.WriteString("\n## The faults\n\n| fault | what happens |\n|---|---|\n")
	for _, k := range faultKinds {
		what := k.what
		if what == "" {
			what = "the same"
		}
		fmt.Fprintf(&b, "| %s | %s |\n", k.name, what)
	}
	b.WriteString("\n## The calls\n\n| name | call | when nobody knows whether the org has acted |\n|---|---|---|\n")
	for _, e := range append(outerEndpoints[:len(outerEndpoints):len(outerEndpoints)], endpoints...) {
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", e.name, e.endpoint, e.does)
	}
	b.WriteString("\n## The table\n")
	for _, s := range sections() {
		fmt.Fprintf(&b, "\n### %s\n\n| fault |", s.title())
		for _, r := range rates {
			fmt.Fprintf(&b, " %s |", r.name)
		}
		b.WriteString(" lost | twice |\n|---|---|---|---|---|---|---|\n")
		for _, k := range faultKinds {
			fmt.Fprintf(&b, "| %s | %s |\n", k.name, strings.Join(o[s.title()][k.name], " | "))
		}
	}
	return b.String()
}

// readOutcomes takes them from the page.
func readOutcomes(text string) outcomes {
	o := outcomes{}
	title := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if t, ok := strings.CutPrefix(line, "### "); ok {
			title = t
			o[title] = map[string][]string{}
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if title != "" && len(cells) == len(rates)+3 && strings.HasPrefix(line, "|") {
			o[title][cells[0]] = cells[1:]
		}
	}
	return o
}

// TestFaultDoc: the page has a row for each class of calls and each fault, every one with its outcomes, and explains them as they are.
func TestFaultDoc(t *testing.T) {
	page, err := os.ReadFile(faultDoc)
	if err != nil {
		t.Fatal(err)
	}
	_, kept, ok := strings.Cut(string(page), faultDocMark)
	if !ok {
		t.Fatalf("%s lacks the line %q", faultDoc, faultDocMark)
	}
	o := readOutcomes(kept)
	for _, s := range sections() {
		for _, k := range faultKinds {
			cells := o[s.title()][k.name]
			if len(cells) != len(rates)+2 || cells[len(rates)] != "0" || cells[len(rates)+1] != "0" {
				t.Errorf("%s, %s: the page says %q", s.title(), k.name, cells)
				continue
			}
			for i, r := range rates {
				if !strings.HasSuffix(cells[i], " calls") {
					t.Errorf("%s, %s, %s: the page says %q", s.title(), k.name, r.name, cells[i])
				}
			}
		}
	}
	if o.text() != kept {
		t.Errorf("%s is not what the test would write; write it anew as it says itself", faultDoc)
	}
}

// TestTortureFaults: every fault at every class of calls, once, three times, at 30 % of the calls, and until it is mended. It prints the
// table of docs/faults.md, and writes it with -update; -run may name a part of it. It takes minutes, so that it wants to be asked: MIGRATE_TORTURE=1.
func TestTortureFaults(t *testing.T) {
	if os.Getenv("MIGRATE_TORTURE") == "" {
		t.Skip("TestFaults is a sample of it; for all: set MIGRATE_TORTURE=1, or use make torture")
	}
	_, seed := random(t)
	var mu sync.Mutex
	page, err := os.ReadFile(faultDoc)
	if err != nil {
		t.Fatal(err)
	}
	hand, kept, ok := strings.Cut(string(page), faultDocMark)
	if !ok {
		t.Fatalf("%s lacks the line %q", faultDoc, faultDocMark)
	}
	before, o := readOutcomes(kept), outcomes{}
	sum := map[rate]*tallyOfTrials{}
	for _, s := range sections() {
		o[s.title()] = map[string][]string{}
		for _, k := range faultKinds {
			row := make([]string, len(rates)+2)
			copy(row, before[s.title()][k.name]) // what -run leaves out stays as it is
			o[s.title()][k.name] = row
		}
	}
	for _, r := range rates {
		sum[r] = &tallyOfTrials{}
	}
	t.Run("matrix", func(t *testing.T) {
		cell := uint64(0)
		for _, s := range sections() {
			for _, k := range faultKinds {
				row := o[s.title()][k.name]
				lost, twice := 0, 0
				for i, often := range rates {
					cell++
					rng := rand.New(rand.NewPCG(seed, cell))
					t.Run(strings.ReplaceAll(s.title()+"/"+k.name+"/"+often.name, " ", "_"), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							m := newMatrixTrial(t, rng, s.op, 300, strings.HasPrefix(s.name, "query"))
							if s.prepare != nil {
								s.prepare(m.trial)
							}
							m.fault(k.at(s.faultAt, often, rng))
							m.complete(often)
							m.check(s.name != "state" && s.name != "query state" && s.name != "any")
							if m.struck(s.faultAt, k) == 0 {
								t.Errorf("%s never failed by %q", s.name, k.name)
							}
							l, tw := m.loads[0].balance(m.org)
							mu.Lock()
							defer mu.Unlock()
							lost, twice = lost+l, twice+tw
							row[i] = fmt.Sprintf("at once, %d calls", m.calls)
							switch {
							case m.stops == 1:
								row[i] = fmt.Sprintf("1 resume, %d calls", m.calls)
							case m.stops > 1:
								row[i] = fmt.Sprintf("%d resumes, %d calls", m.stops, m.calls)
							}
							row[len(rates)], row[len(rates)+1] = fmt.Sprint(lost), fmt.Sprint(twice)
							sum[often].add(m)
						})
					})
				}
			}
		}
	})
	t.Log(o.text())
	for _, r := range rates {
		t.Logf("%s: %v", r.name, sum[r])
	}
	if !*update || t.Failed() {
		return
	}
	if err := os.WriteFile(faultDoc, []byte(hand+faultDocMark+o.text()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tallyOfTrials sums trials up.
type tallyOfTrials struct {
	trials, atOnce, stops, mostStops int
	calls, mostCalls                 int64
}

func (s *tallyOfTrials) add(m *matrixTrial) {
	s.trials++
	if m.stops == 0 {
		s.atOnce++
	}
	s.stops += m.stops
	s.mostStops = max(s.mostStops, m.stops)
	s.calls += m.calls
	s.mostCalls = max(s.mostCalls, m.calls)
}

func (s *tallyOfTrials) String() string {
	return fmt.Sprintf("%d trials, %d complete at once, %d resumes in all, at most %d; %d calls, at most %d", s.trials, s.atOnce, s.stops, s.mostStops, s.calls, s.mostCalls)
}
