package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"migrate/internal/localorg"
	"migrate/pkg/pipeline"
)

// TestRecordsAsTheyStand: what comes into the org is the same whether records go as they stand or through the mapping, which an extra column
// that is not sent makes them do; also when a process ends at any moment and the next one makes bodies again.
func TestRecordsAsTheyStand(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	names := []string{"plain", "Müller", `"with, comma"`, "\"two\nlines\"", "\"two\r\nlines\"", `"said ""yes"""`, `"needless"`, `in"side`, "a\rb", "#N/A", `"#N/A"`, "about #N/A", `""`, strings.Repeat("long ", 40), "bad \xff"}
	for _, ending := range []string{"\n", "\r\n"} {
		var asIs, mapped strings.Builder
		asIs.WriteString("Legacy_Id__c,Name,Description" + ending)
		mapped.WriteString("Legacy_Id__c,Name,Description,_note" + ending)
		for i := range 500 {
			name, text := names[random.IntN(3)], names[0]
			if random.IntN(3) == 0 {
				name = names[random.IntN(len(names))]
			}
			if random.IntN(6) == 0 {
				text = names[random.IntN(len(names))]
			}
			switch random.IntN(60) {
			case 0:
				asIs.WriteString(ending)
				mapped.WriteString(ending)
			case 1:
				fmt.Fprintf(&asIs, "%d,%s%s", i, name, ending)
				fmt.Fprintf(&mapped, "%d,%s%s", i, name, ending)
				continue
			}
			fmt.Fprintf(&asIs, "%d,%s,%s%s", i, name, text, ending)
			fmt.Fprintf(&mapped, "%d,%s,%s,x%s", i, name, text, ending)
		}
		options := pipeline.Options{ChunkRows: 70, ChunkBytes: 3000, Concurrency: 2}
		load := func(text string, stop func(pipeline.Step) bool) (map[string]string, string) {
			b := newBench(t, localorg.Config{}, text, accountTypes)
			b.options = options
			for again := 0; ; again++ {
				ctx, cancel := context.WithCancel(t.Context())
				b.events.Step = func(s pipeline.Step) {
					if again < 30 && stop(s) {
						cancel()
					}
				}
				sum, err := b.run(ctx)
				cancel()
				if errors.Is(err, context.Canceled) {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				got := map[string]string{}
				for r := range b.org.Records("Account", "Legacy_Id__c", "Name", "Description") {
					if _, twice := got[r[0]]; twice {
						t.Fatalf("row %s is there twice", r[0])
					}
					got[r[0]] = r[1] + "|" + r[2]
				}
				rejects := map[string]int{}
				for _, r := range b.report(pipeline.RejectedFile) {
					rejects[r["migrate_code"]+" "+r["migrate_line"]]++
				}
				for _, v := range b.org.Audit().Violations {
					if v.Kind != localorg.ViolationFastPoll {
						t.Errorf("the org complains: %+v", v)
					}
				}
				l := outcome(sum)
				return got, fmt.Sprintf("%d read, %d rejected, %+v, %d blank, %v", l.Read, l.Rejected, l.Outcome, l.Blank, slices.Sorted(maps.Keys(rejects)))
			}
		}
		want, wantText := load(mapped.String(), func(pipeline.Step) bool { return false })
		if len(want) < 300 {
			t.Fatalf("%d rows came in: %s", len(want), wantText)
		}
		for _, step := range []pipeline.Step{"none", pipeline.StepDoneCut, pipeline.StepCallCreate, pipeline.StepCallUpload, pipeline.StepWriteUploaded} {
			var n atomic.Int64
			got, text := load(asIs.String(), func(s pipeline.Step) bool { return s == step && n.Add(1)%4 == 0 })
			if !maps.Equal(want, got) || wantText != text {
				for id := range want {
					if want[id] != got[id] {
						t.Errorf("row %s is %q, through the mapping %q", id, got[id], want[id])
						break
					}
				}
				t.Fatalf("killed at %s: %d rows, through the mapping %d\n%s\n%s", step, len(got), len(want), text, wantText)
			}
		}
	}
}
