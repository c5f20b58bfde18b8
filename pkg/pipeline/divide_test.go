package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"migrate/internal/localorg"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
)

// census counts records by the time that they were made, as long as there are not too many.
type census struct {
	times []time.Time
	most  int // more than so many are not counted in time; 0 = there is no bound
	asked int
}

func (c *census) Count(_ context.Context, soql string) (int64, error) {
	c.asked++
	n := int64(0)
	for _, at := range c.times {
		if covers(soql, at) {
			n++
		}
	}
	if c.most > 0 && n > int64(c.most) {
		return 0, &salesforce.APIError{Status: 400, Code: "QUERY_TIMEOUT"}
	}
	return n, nil
}

// covers evaluates the bounds of a query.
func covers(soql string, at time.Time) bool {
	_, where, _ := strings.Cut(soql, " WHERE ")
	for _, condition := range strings.Split(where, " AND ") {
		f := strings.Fields(condition)
		if len(f) != 3 || f[0] != "CreatedDate" {
			continue
		}
		bound, err := time.Parse(time.RFC3339, f[2])
		if err != nil {
			panic(err)
		}
		if f[1] == ">=" && at.Before(bound) || f[1] == "<" && !at.Before(bound) {
			return false
		}
	}
	return true
}

// TestDivide: whatever the times of the records, each is in exactly one slice, and none has too many where seconds tell them apart.
func TestDivide(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		c := &census{}
		ages := rapid.SliceOfN(rapid.Int64Range(0, 40*365*24*3600), 0, 300).Draw(t, "ages") // some are older than Salesforce
		for _, age := range ages {
			if rapid.Bool().Draw(t, "recent") {
				age %= 100_000
			}
			c.times = append(c.times, now.Add(-time.Duration(age)*time.Second))
		}
		c.most = rapid.SampledFrom([]int{0, 40, 100}).Draw(t, "counted at most")
		most := rapid.Int64Range(5, 400).Draw(t, "rows of a slice")
		whole := pipeline.Slice{Fields: "Id", Object: "Account", Where: []string{"(Name != 'x')"}, By: "CreatedDate"}
		list, rows, err := whole.Divide(t.Context(), c, most, now)
		if err != nil {
			t.Fatal(err)
		}
		if c.most == 0 && rows != int64(len(c.times)) {
			t.Fatalf("%d rows of %d", rows, len(c.times))
		}
		counted := make([]int64, len(list))
		for _, at := range append(c.times, now.Add(1e6*time.Second), time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)) {
			found := 0
			for i, s := range list {
				if covers(s.SOQL(), at) {
					found++
					counted[i]++
				}
			}
			if found != 1 {
				t.Fatalf("a record of %s is in %d of %d slices", at, found, len(list))
			}
		}
		for i, s := range list {
			narrow := !s.From.IsZero() && !s.Until.IsZero() && s.Until.Sub(s.From) <= 2*time.Second
			if counted[i] > most+2 && !narrow && len(list) < 60 {
				t.Errorf("slice %d of %d, %s to %s, has %d rows, more than %d", i, len(list), s.From, s.Until, counted[i], most)
			}
		}
		if c.asked > 4*64 {
			t.Errorf("the org was asked %d times for %d slices", c.asked, len(list))
		}
	})
}

// TestDivideNot: a query that cannot be divided costs no call, and what the org says of a wrong one comes back.
func TestDivideNot(t *testing.T) {
	t.Parallel()
	c := &census{}
	whole := pipeline.Slice{Fields: "Id", Object: "Account", Tail: "ORDER BY Name LIMIT 3"}
	list, rows, err := whole.Divide(t.Context(), c, 1, time.Now())
	if err != nil || rows != -1 || c.asked != 0 || len(list) != 1 || list[0].SOQL() != "SELECT Id FROM Account ORDER BY Name LIMIT 3" {
		t.Errorf("%v, %d rows, %d calls, error %v", list, rows, c.asked, err)
	}
	refused := &salesforce.APIError{Status: 400, Code: "MALFORMED_QUERY"}
	if _, _, err := (pipeline.Slice{Fields: "Id", Object: "Account", By: "CreatedDate"}).Divide(t.Context(), refuser{refused}, 1, time.Now()); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
}

type refuser struct{ error }

func (r refuser) Count(context.Context, string) (int64, error) { return 0, r.error }

// TestExportHalves: where the org cannot answer in its time, a slice is asked in halves until it can, also across processes that end at any step.
func TestExportHalves(t *testing.T) {
	t.Parallel()
	for _, step := range []pipeline.Step{"none", pipeline.StepWriteHalves, pipeline.StepCallQuery, pipeline.StepWriteQuery, pipeline.StepWritePage, pipeline.StepWriteSplit} {
		t.Run(string(step), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOuting(t, localorg.Config{QueryRows: 100})
				o.divisible()
				random := rand.New(rand.NewPCG(1, 2))
				for i := range 700 {
					at := time.Now().Add(-time.Duration(random.Int64N(3*365*24*3600)) * time.Second)
					if i%3 == 0 {
						at = time.Now().Add(-time.Duration(random.Int64N(600)) * time.Second) // many in a short time
					}
					if _, err := o.org.Save("Account", map[string]string{"Name": fmt.Sprint("A", i)}, at); err != nil {
						t.Fatal(err)
					}
				}
				for end := 0; ; end++ {
					ctx, cancel := context.WithCancel(t.Context())
					var met atomic.Int64
					o.cfg = func(c *pipeline.Config) {
						c.Events.Step = func(s pipeline.Step) {
							if n := met.Add(1); s == step && end < 12 && n%3 == 0 {
								cancel()
							}
						}
					}
					_, err := o.run(ctx)
					cancel()
					if err == nil {
						break
					}
					if !errors.Is(err, context.Canceled) {
						t.Fatal(err)
					}
				}
				want := map[string]bool{} // over REST the org is as slow
				for row := range o.org.Records("Account", "Id", "Name") {
					want[row[0]] = true
					if got := o.shelf.rows[row[0]]; !o.shelf.published || got == nil || got[1] != row[1] {
						t.Fatalf("published %v; %q is %q", o.shelf.published, row, got)
					}
				}
				if len(want) != 700 || len(o.shelf.rows) != 700 {
					t.Fatalf("%d rows published, %d in the org", len(o.shelf.rows), len(want))
				}
				splits, err := o.store.Splits(t.Context(), "out")
				if err != nil {
					t.Fatal(err)
				}
				if len(splits) < 8 || len(splits) > 60 {
					t.Errorf("%d slices", len(splits))
				}
				var names []string
				for _, s := range splits {
					names = append(names, s.ID)
				}
				slices.Sort(names)
				if len(slices.Compact(names)) != len(splits) {
					t.Errorf("two slices have one name: %q", names)
				}
				if step == "none" && len(o.warns) != len(splits)-1 {
					t.Errorf("%d halves, told: %q", len(splits)-1, o.warns)
				}
			})
		})
	}
}

// TestExportTooLarge: what cannot be halved ends with what to do, and publishes nothing.
func TestExportTooLarge(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"not divisible", "all in one second"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOuting(t, localorg.Config{QueryRows: 100})
				if name != "not divisible" {
					o.divisible()
				}
				at := time.Now().Add(-time.Hour)
				for i := range 150 {
					if _, err := o.org.Save("Account", map[string]string{"Name": fmt.Sprint("A", i)}, at); err != nil {
						t.Fatal(err)
					}
				}
				_, err := o.run(t.Context())
				if !errors.Is(err, salesforce.ErrTemporary) || !strings.Contains(err.Error(), "export fewer records at a time") || o.shelf.published {
					t.Errorf("published %v, error %v", o.shelf.published, err)
				}
			})
		})
	}
}

// divisible lets the export of an outing be divided by the time that records were made.
func (o *outing) divisible() {
	o.t.Helper()
	fields := strings.TrimSuffix(strings.TrimPrefix(exported, "SELECT "), " FROM Account")
	spec, err := json.Marshal(pipeline.Slice{Fields: fields, Object: "Account", By: "CreatedDate"})
	if err != nil {
		o.t.Fatal(err)
	}
	o.store.Close()
	o.dir = o.t.TempDir()
	o.store, err = checkpoint.Create(o.t.Context(), o.dir, checkpoint.Run{ID: "r", Created: time.Now(), Plan: "{}", Org: "{}"},
		[]checkpoint.Job{{Name: "out", Object: "Account", Operation: "query", Spec: "{}"}}, []checkpoint.Split{{Job: "out", ID: "0", Spec: string(spec), Next: "{}"}})
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { o.store.Close() })
}

// TestDivideUncountable: what is behind the condition, such as WITH SECURITY_ENFORCED, keeps a query from being counted. That is no reason to cut it.
func TestDivideUncountable(t *testing.T) {
	t.Parallel()
	c := &census{}
	whole := pipeline.Slice{Fields: "Id", Object: "Account", Tail: "WITH SECURITY_ENFORCED", By: "CreatedDate"}
	list, rows, err := whole.Divide(t.Context(), c, 5, time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC))
	if err != nil || rows != -1 || len(list) != 1 || list[0].SOQL() != whole.SOQL() {
		t.Errorf("%d slices, %d rows, %v", len(list), rows, err)
	}
}
