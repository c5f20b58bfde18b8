package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
)

// shelf is a sink that keeps rows as text, by their id.
type shelf struct {
	rows      map[string][]string
	published bool
	fail      error                            // of Publish
	fate      func(row [][]byte) pipeline.Fate // nil = all rows are written
}

func (s *shelf) Write(_ context.Context, b arrow.RecordBatch) error {
	for i := range int(b.NumRows()) {
		var row []string
		for _, c := range b.Columns() {
			switch c := c.(type) {
			case *array.String:
				row = append(row, c.Value(i))
			case *array.Float64:
				row = append(row, strconv.FormatFloat(c.Value(i), 'f', -1, 64))
			case *array.Timestamp:
				row = append(row, c.Value(i).ToTime(arrow.Millisecond).UTC().Format(time.RFC3339))
			default:
				row = append(row, c.ValueStr(i))
			}
			if c.IsNull(i) {
				row[len(row)-1] = "null"
			}
		}
		if s.rows[row[0]] != nil {
			return fmt.Errorf("%s came twice", row[0])
		}
		s.rows[row[0]] = row
	}
	return nil
}

func (s *shelf) Publish(context.Context) error {
	if s.fail == nil {
		s.published = true
	}
	return s.fail
}

// Take lets through what it is not told to filter or take.
func (s *shelf) Take(row [][]byte) (pipeline.Fate, error) {
	if s.fate == nil {
		return pipeline.Written, nil
	}
	return s.fate(row), nil
}

func (s *shelf) Close() error { return nil }

// outing is an export of the accounts of a local org, page by page of 100.
type outing struct {
	t     *testing.T
	org   *localorg.Org
	sf    *salesforce.Client
	dir   string
	store *checkpoint.Store
	shelf *shelf
	again bool // a look at a job may be repeated soon
	cfg   func(*pipeline.Config)
	mu    sync.Mutex
	warns []string
}

const exported = "SELECT Id, Name, Legacy_Id__c, AnnualRevenue, CreatedDate, IsDeleted FROM Account"

func newOuting(t *testing.T, cfg localorg.Config, slices ...string) *outing {
	t.Helper()
	cfg.AccessToken, cfg.ResultPage = "t", 100
	org, err := localorg.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { org.Close() })
	o := &outing{t: t, org: org, dir: t.TempDir()}
	if o.sf, err = salesforce.Open(t.Context(), salesforce.Config{InstanceURL: "http://localhost", Auth: salesforce.AccessToken("t"), Transport: org.Transport()}); err != nil {
		t.Fatal(err)
	}
	var splits []checkpoint.Split
	if len(slices) == 0 {
		slices = []string{exported}
	}
	for i, soql := range slices {
		fields, rest, _ := strings.Cut(strings.TrimPrefix(soql, "SELECT "), " FROM ")
		object, tail, _ := strings.Cut(rest, " ")
		spec, err := json.Marshal(pipeline.Slice{Fields: fields, Object: object, Tail: tail})
		if err != nil {
			t.Fatal(err)
		}
		splits = append(splits, checkpoint.Split{Job: "out", ID: strconv.Itoa(i), Spec: string(spec), Next: "{}"})
	}
	o.store, err = checkpoint.Create(t.Context(), o.dir, checkpoint.Run{ID: "r", Created: time.Now(), Plan: "{}", Org: "{}"},
		[]checkpoint.Job{{Name: "out", Object: "Account", Operation: "query", Spec: "{}"}}, splits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.store.Close() })
	return o
}

// fill puts accounts into the org.
func (o *outing) fill(from, rows int) {
	o.t.Helper()
	var csv strings.Builder
	csv.WriteString("Legacy_Id__c,Name,AnnualRevenue\n")
	for i := from; i < from+rows; i++ {
		revenue := strconv.Itoa(i * 12345678)
		if i%7 == 0 {
			revenue = ""
		}
		fmt.Fprintf(&csv, "L%d,\"Account, \"\"%d\"\"\nand more\",%s\n", i, i, revenue)
	}
	b := bulk2.New(o.sf)
	job, err := b.Create(o.t.Context(), bulk2.Spec{Object: "Account", Operation: bulk2.Insert})
	if err != nil {
		o.t.Fatal(err)
	}
	text := csv.String()
	if err := b.Upload(o.t.Context(), job.ID, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }, int64(len(text))); err != nil {
		o.t.Fatal(err)
	}
	if _, err := b.Close(o.t.Context(), job.ID); err != nil {
		o.t.Fatal(err)
	}
	for !job.State.Terminal() {
		time.Sleep(time.Second)
		if job, err = b.Job(o.t.Context(), job.ID); err != nil {
			o.t.Fatal(err)
		}
	}
	if job.Failed > 0 || job.Processed != int64(rows) {
		o.t.Fatalf("%+v", job)
	}
}

func (o *outing) run(ctx context.Context) (pipeline.Summary, error) {
	o.shelf = &shelf{rows: map[string][]string{}}
	columns := []pipeline.ExportColumn{{Name: "Id", Type: "id"}, {Name: "Name", Type: "string"}, {Name: "Legacy_Id__c", Type: "string"},
		{Name: "AnnualRevenue", Type: "currency"}, {Name: "CreatedDate", Type: "datetime"}, {Name: "IsDeleted", Type: "boolean"}}
	cfg := pipeline.Config{Dir: o.dir, Checkpoint: o.store, Jobs: []pipeline.Job{{Name: "out", Object: "Account",
		Export: &pipeline.Export{Columns: columns, Query: bulk2.New(o.sf), Open: func(context.Context, func() error) (pipeline.Target, error) { return o.shelf, nil }}}},
		Events: pipeline.Events{Warning: func(_, m string) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.warns = append(o.warns, m)
		}}}
	if o.cfg != nil {
		o.cfg(&cfg)
	}
	return pipeline.Run(ctx, cfg)
}

// check compares what was published with what the org says over REST.
func (o *outing) check() {
	o.t.Helper()
	if !o.shelf.published {
		o.t.Fatal("nothing was published")
	}
	for _, v := range o.org.Audit().Violations {
		if o.again && v.Kind == localorg.ViolationFastPoll {
			continue
		}
		o.t.Errorf("the org complains: %s, job %s: %s", v.Kind, v.Job, v.Text)
	}
	want := map[string][]string{}
	for raw, err := range o.sf.Query(o.t.Context(), exported) {
		if err != nil {
			o.t.Fatal(err)
		}
		var r struct {
			ID, Name      string
			Legacy        string `json:"Legacy_Id__c"`
			AnnualRevenue *float64
			CreatedDate   string
			IsDeleted     bool
		}
		if err := json.Unmarshal(raw, &r); err != nil {
			o.t.Fatal(err)
		}
		revenue := "null"
		if r.AnnualRevenue != nil {
			revenue = strconv.FormatFloat(*r.AnnualRevenue, 'f', -1, 64)
		}
		created, err := time.Parse("2006-01-02T15:04:05.000-0700", r.CreatedDate)
		if err != nil {
			o.t.Fatal(err)
		}
		want[r.ID] = []string{r.ID, r.Name, r.Legacy, revenue, created.UTC().Format(time.RFC3339), strconv.FormatBool(r.IsDeleted)}
	}
	if !maps.EqualFunc(want, o.shelf.rows, slices.Equal) {
		for id, row := range want {
			if !slices.Equal(row, o.shelf.rows[id]) {
				o.t.Fatalf("%d rows published, %d in the org; %s is %q instead of %q", len(o.shelf.rows), len(want), id, o.shelf.rows[id], row)
			}
		}
		o.t.Fatalf("%d rows published, %d in the org", len(o.shelf.rows), len(want))
	}
}

func (o *outing) calls(endpoint string) int64 { return int64(o.org.Audit().Calls[endpoint]) }

// TestExport: what is published is what the org has, whatever way the pages come.
func TestExport(t *testing.T) {
	t.Parallel()
	half := exported + " WHERE Legacy_Id__c < 'L5'"
	for _, test := range []struct {
		name    string
		rows    int
		slices  []string
		version string
		pages   int64
	}{
		{"pages side by side", 1234, nil, "", 13},
		{"one after another", 1234, nil, "57.0", 13},
		{"no rows", 0, nil, "", 1},
		{"two slices", 777, []string{half, exported + " WHERE NOT Legacy_Id__c < 'L5'"}, "", 9},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOuting(t, localorg.Config{BatchTime: time.Minute}, test.slices...)
				if test.rows > 0 {
					o.fill(0, test.rows)
				}
				if test.version != "" {
					var err error
					if o.sf, err = salesforce.Open(t.Context(), salesforce.Config{InstanceURL: "http://localhost", APIVersion: test.version, Auth: salesforce.AccessToken("t"), Transport: o.org.Transport()}); err != nil {
						t.Fatal(err)
					}
				}
				sum, err := o.run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				o.check()
				if l := sum.Total; l.Read != int64(test.rows) || l.Succeeded != l.Read || !l.Balanced() || sum.Run.State != checkpoint.RunDone {
					t.Errorf("%+v", sum)
				}
				if n := o.calls("GET jobs/query/{}/results"); n != test.pages {
					t.Errorf("%d pages were fetched", n)
				}
				if left, _ := filepath.Glob(filepath.Join(o.dir, "pages", "out", "*")); len(left) > 0 || len(o.warns) > 0 {
					t.Errorf("left %q, warnings %q", left, o.warns)
				}
			})
		})
	}
}

// TestExportResumes: a process that ends anywhere leaves what it has to the next, which fetches only the pages that are not there.
func TestExportResumes(t *testing.T) {
	t.Parallel()
	steps := []pipeline.Step{pipeline.StepCallQuery, pipeline.StepWriteQuery, pipeline.StepCallPage, pipeline.StepWritePage, pipeline.StepWriteSplit,
		pipeline.StepCallPublish, pipeline.StepWriteJobDone}
	for _, step := range steps {
		for _, walk := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", step, walk), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := newOuting(t, localorg.Config{BatchTime: time.Minute})
					o.fill(0, 950)
					if walk {
						var err error
						if o.sf, err = salesforce.Open(t.Context(), salesforce.Config{InstanceURL: "http://localhost", APIVersion: "57.0", Auth: salesforce.AccessToken("t"), Transport: o.org.Transport()}); err != nil {
							t.Fatal(err)
						}
					}
					for end := 1; ; end++ {
						ctx, cancel := context.WithCancel(t.Context())
						var met atomic.Int64
						o.cfg = func(c *pipeline.Config) {
							c.Events.Step = func(s pipeline.Step) {
								if s == step {
									if n := met.Add(1); n == 3 || n == 1 && end > 3 {
										cancel()
									}
								}
							}
						}
						if end == 8 {
							o.cfg = nil
						}
						_, err := o.run(ctx)
						cancel()
						if err == nil {
							break
						}
						if !errors.Is(err, context.Canceled) {
							t.Fatal(err)
						}
						if o.shelf.published && step != pipeline.StepWriteJobDone && step != pipeline.StepCallPublish {
							t.Fatal("something was published although the process has ended before")
						}
					}
					o.check()
					if n := o.calls("GET jobs/query/{}/results"); n < 10 || n > 10+7*4 { // four are on their way whenever it ends
						t.Errorf("%d fetches of 10 pages", n)
					}
					if n := o.calls("POST jobs/query"); n > 8 || step != pipeline.StepCallQuery && step != pipeline.StepWriteQuery && n != 1 {
						t.Errorf("%d query jobs", n)
					}
				})
			})
		}
	}
}

// TestExportAsksAnew: a query job that fails or vanishes is followed by another, whose pages alone count.
func TestExportAsksAnew(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*outing, *atomic.Int64){
		"vanishes": func(o *outing, pages *atomic.Int64) {
			o.cfg = func(c *pipeline.Config) {
				c.Events.Step = func(s pipeline.Step) {
					if s == pipeline.StepWritePage {
						if pages.Add(1) == 4 {
							for job, err := range bulk2.New(o.sf).List(o.t.Context(), bulk2.QueryJobs) {
								if err != nil {
									o.t.Error(err)
								}
								if err := o.sf.JSON(o.t.Context(), "DELETE", "/jobs/query/"+job.ID, salesforce.Repeat, nil, nil); err != nil {
									o.t.Error(err)
								}
							}
							o.fill(5000, 50) // the next one finds others, too
						}
					}
				}
			}
		},
		"is aborted": func(o *outing, _ *atomic.Int64) {
			first := true
			o.cfg = func(c *pipeline.Config) {
				c.Events.Step = func(s pipeline.Step) {
					if s == pipeline.StepWriteQuery && first {
						first = false
						for job, err := range bulk2.New(o.sf).List(o.t.Context(), bulk2.QueryJobs) {
							if err == nil {
								err = bulk2.New(o.sf).AbortQuery(o.t.Context(), job.ID)
							}
							if err != nil {
								o.t.Error(err)
							}
						}
					}
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOuting(t, localorg.Config{BatchTime: time.Minute})
				o.fill(0, 950)
				var pages atomic.Int64
				spoil(o, &pages)
				if _, err := o.run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if len(o.warns) != 1 || o.calls("POST jobs/query") != 2 {
					t.Errorf("warnings %q, %d query jobs", o.warns, o.calls("POST jobs/query"))
				}
				time.Sleep(time.Hour)
				if name == "vanishes" {
					return // what it found depends on when the others came
				}
				o.check()
			})
		})
	}
}

// TestExportNeverShort: faults of every kind on the query endpoints end complete, or with an error and nothing published.
func TestExportNeverShort(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"POST jobs/query", "GET jobs/query/{}", "GET jobs/query/{}/resultPages", "GET jobs/query/{}/results"} {
		for i, kind := range faultKinds {
			name, fault := kind.name, kind.fault
			often := []int{1, 3, -1}
			if os.Getenv("MIGRATE_TORTURE") == "" {
				often = often[i%3 : i%3+1] // a sample
			}
			for _, times := range often {
				t.Run(fmt.Sprintf("%s/%s/%d", endpoint, name, times), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						o := newOuting(t, localorg.Config{BatchTime: time.Minute})
						o.fill(0, 350)
						o.again = endpoint == "GET jobs/query/{}"
						f := fault
						f.Endpoint, f.Times = endpoint, times
						if err := o.org.Fault(f); err != nil {
							t.Fatal(err)
						}
						for try := 1; ; try++ {
							_, err := o.run(t.Context())
							if err == nil {
								break
							}
							if o.shelf.published {
								t.Fatal("published although the run has failed")
							}
							if name == "expired token" { // which this login cannot renew
								return
							}
							if !errors.Is(err, salesforce.ErrTemporary) && !errors.Is(err, salesforce.ErrLimit) && !errors.Is(err, salesforce.ErrAuth) || try > 3 {
								t.Fatal(err)
							}
							o.org.ClearFaults()
							time.Sleep(time.Minute)
						}
						o.check()
					})
				})
			}
		}
	}
}

// TestExportPageIsChanged: a page that was tampered with in the run folder is found, and nothing is published.
func TestExportPageIsChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOuting(t, localorg.Config{BatchTime: time.Minute})
		o.fill(0, 350)
		ctx, cancel := context.WithCancel(t.Context())
		o.cfg = func(c *pipeline.Config) {
			c.Events.Step = func(s pipeline.Step) {
				if s == pipeline.StepWriteSplit {
					cancel()
				}
			}
		}
		o.run(ctx)
		pages, _ := filepath.Glob(filepath.Join(o.dir, "pages", "out", "*.zst"))
		if len(pages) != 4 {
			t.Fatalf("%q", pages)
		}
		if err := os.Rename(pages[0], pages[1]); err != nil { // as many rows
			t.Fatal(err)
		}
		if data, err := os.ReadFile(pages[1]); err != nil || os.WriteFile(pages[0], data, 0o600) != nil {
			t.Fatal(err)
		}
		o.cfg = nil
		if _, err := o.run(t.Context()); !errors.Is(err, pipeline.ErrAccounting) || o.shelf.published {
			t.Errorf("published %v, error %v", o.shelf.published, err)
		}
	})
}
