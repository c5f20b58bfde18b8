package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/restquery"
	"migrate/pkg/salesforce"
)

// noJobs are query jobs that do not know the object, as those of Attachment.
type noJobs struct{ restquery.Jobs }

func (noJobs) CreateQuery(context.Context, bulk2.Query) (bulk2.QueryJob, error) {
	return bulk2.QueryJob{}, fmt.Errorf("create query job: %w", &salesforce.APIError{Status: http.StatusBadRequest, Code: "INVALIDENTITY", Message: "Entity 'Account' is not supported by the Bulk API."})
}

// overREST lets the export of an outing go over REST, with a Pager of its own for each process. more is what else is set.
func (o *outing) overREST(more func(*pipeline.Config)) {
	o.cfg = func(c *pipeline.Config) {
		x := c.Jobs[0].Export
		cfg := restquery.Config{Jobs: noJobs{bulk2.New(o.sf)}, Org: o.sf}
		for _, col := range x.Columns {
			cfg.Columns = append(cfg.Columns, restquery.Column{Name: col.Name, Type: col.Type})
		}
		x.Query = restquery.New(cfg)
		if more != nil {
			more(c)
		}
	}
}

const (
	firstCall = "GET query"
	nextCall  = "GET query/{}"
)

// TestExportOverREST: what is published is what the org has, with a call for each page.
func TestExportOverREST(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{0, 1, 100, 101, 1234} {
		t.Run(fmt.Sprint(rows), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOuting(t, localorg.Config{QueryPage: 100})
				if rows > 0 {
					o.fill(0, rows)
				}
				o.overREST(nil)
				sum, err := o.run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				calls := o.calls(firstCall) + o.calls(nextCall)
				o.check()
				if l := sum.Total; l.Read != int64(rows) || l.Succeeded != l.Read || !l.Balanced() || sum.Run.State != checkpoint.RunDone {
					t.Errorf("%+v", sum)
				}
				if calls != max(1, int64(rows+99)/100) || o.calls("POST jobs/query") != 0 || len(o.warns) > 0 {
					t.Errorf("%d calls, %d query jobs, warnings %q", calls, o.calls("POST jobs/query"), o.warns)
				}
			})
		})
	}
}

// TestExportOverRESTResumes: a process that ends anywhere leaves what it has to the next, which goes on behind it.
func TestExportOverRESTResumes(t *testing.T) {
	t.Parallel()
	for _, step := range []pipeline.Step{pipeline.StepCallQuery, pipeline.StepWriteQuery, pipeline.StepCallPage, pipeline.StepWritePage, pipeline.StepWriteSplit,
		pipeline.StepCallPublish, pipeline.StepWriteJobDone} {
		t.Run(string(step), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOuting(t, localorg.Config{QueryPage: 100})
				o.fill(0, 950)
				ends := int64(0)
				for ; ; ends++ {
					ctx, cancel := context.WithCancel(t.Context())
					var met atomic.Int64
					o.overREST(func(c *pipeline.Config) {
						c.Events.Step = func(s pipeline.Step) {
							if s == step && met.Add(1) == 1+ends%3 && ends < 7 {
								cancel()
							}
						}
					})
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
				first, next := o.calls(firstCall), o.calls(nextCall)
				o.check()
				if ends == 0 || first > 1+ends || next < 9 || next > 9+ends || len(o.warns) > 0 {
					t.Errorf("%d processes have ended; %d first and %d further pages of 1 and 9, warnings %q", ends, first, next, o.warns)
				}
			})
		})
	}
}

// TestExportOverRESTAsksAnew: an answer that the org has forgotten, and one of which records are deleted meanwhile, are followed by another, whose
// pages alone count.
func TestExportOverRESTAsksAnew(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*outing) error{
		"two days": func(*outing) error { time.Sleep(49 * time.Hour); return nil },
		"400": func(o *outing) error {
			return o.org.Fault(localorg.Fault{Endpoint: nextCall, Kind: localorg.FaultStatus, Status: 400, ContentType: "application/json",
				Body: `[{"errorCode":"INVALID_QUERY_LOCATOR","message":"invalid query locator"}]`})
		},
		"deleted": func(o *outing) error {
			last := ""
			for row := range o.org.Records("Account", "Id") {
				last = row[0]
			}
			return o.org.Delete("Account", last, true, time.Now())
		},
	} {
		for _, resumed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", name, resumed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := newOuting(t, localorg.Config{QueryPage: 100})
					o.fill(0, 950)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					pages := 0
					o.overREST(func(c *pipeline.Config) {
						c.Events.Step = func(s pipeline.Step) {
							if s != pipeline.StepCallPage {
								return
							}
							if pages++; pages == 5 {
								if err := spoil(o); err != nil {
									t.Error(err)
								}
								o.fill(5000, 50) // the next one finds others, too
								if resumed {
									cancel()
								}
							}
						}
					})
					_, err := o.run(ctx)
					if resumed {
						if !errors.Is(err, context.Canceled) {
							t.Fatal(err)
						}
						_, err = o.run(t.Context())
					}
					if err != nil {
						t.Fatal(err)
					}
					first := o.calls(firstCall)
					o.check()
					if len(o.warns) != 1 || first != 2 {
						t.Errorf("warnings %q, asked %d times", o.warns, first)
					}
				})
			})
		}
	}
}

// TestExportOverRESTNeverShort: faults of every kind end complete, or with an error and nothing published.
func TestExportOverRESTNeverShort(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{firstCall, nextCall} {
		for i, kind := range faultKinds {
			times := []int{1, 3, -1}[i%3]
			t.Run(fmt.Sprintf("%s/%s/%d", endpoint, kind.name, times), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					o := newOuting(t, localorg.Config{QueryPage: 100})
					o.fill(0, 350)
					o.overREST(nil)
					f := kind.fault
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
						if kind.name == "expired token" { // which this login cannot renew
							return
						}
						if !errors.Is(err, salesforce.ErrTemporary) && !errors.Is(err, salesforce.ErrLimit) && !errors.Is(err, salesforce.ErrAuth) || try > 3 {
							t.Fatal(err)
						}
						o.org.ClearFaults()
						time.Sleep(time.Minute)
					}
					o.org.ClearFaults()
					o.check()
				})
			})
		}
	}
}

// TestExportOverRESTHalves: a query that takes the org too long is asked in halves, as one of a query job is.
func TestExportOverRESTHalves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOuting(t, localorg.Config{QueryRows: 100, QueryPage: 30})
		o.divisible()
		for i := range 700 {
			if _, err := o.org.Save("Account", map[string]string{"Name": fmt.Sprint("A", i)}, time.Now().Add(-time.Duration(i)*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		o.overREST(nil)
		if _, err := o.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		splits, err := o.store.Splits(t.Context(), "out")
		if err != nil {
			t.Fatal(err)
		}
		if !o.shelf.published || len(o.shelf.rows) != 700 || len(splits) < 8 || len(o.warns) != len(splits)-1 {
			t.Errorf("published %v, %d rows of %d slices, told: %q", o.shelf.published, len(o.shelf.rows), len(splits), o.warns)
		}
	})
}
