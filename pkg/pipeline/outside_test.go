package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
)

// meddler lets a test do something to a job behind the back of the run.
type meddler struct {
	pipeline.Org
	job     func(bulk2.Job, error) (bulk2.Job, error)                                              // after a look
	abort   func(id string) error                                                                  // before an abort
	close   func(id string, job bulk2.Job, err error) (bulk2.Job, error)                           // after a close
	results func(id string, kind bulk2.Kind, body io.ReadCloser, err error) (io.ReadCloser, error) // after the opening of results
}

func (m *meddler) Job(ctx context.Context, id string) (bulk2.Job, error) {
	job, err := m.Org.Job(ctx, id)
	if m.job != nil {
		return m.job(job, err)
	}
	return job, err
}

func (m *meddler) Abort(ctx context.Context, id string) (bulk2.Job, error) {
	if m.abort != nil {
		if err := m.abort(id); err != nil {
			return bulk2.Job{}, err
		}
	}
	return m.Org.Abort(ctx, id)
}

func (m *meddler) Close(ctx context.Context, id string) (bulk2.Job, error) {
	job, err := m.Org.Close(ctx, id)
	if m.close != nil {
		return m.close(id, job, err)
	}
	return job, err
}

func (m *meddler) Results(ctx context.Context, id string, kind bulk2.Kind) (io.ReadCloser, error) {
	body, err := m.Org.Results(ctx, id, kind)
	if m.results != nil {
		return m.results(id, kind, body, err)
	}
	return body, err
}

// meddle puts a meddler before the org.
func (r *trial) meddle() *meddler {
	m := &meddler{Org: r.client}
	r.client = m
	return m
}

// delete deletes a job from outside.
func (r *trial) delete(id string) {
	r.t.Helper()
	resp, err := r.sf.Do(r.t.Context(), &salesforce.Request{Method: http.MethodDelete, Path: "/jobs/ingest/" + id})
	if err != nil {
		r.t.Fatal(err)
	}
	resp.Body.Close()
}

// waitInOrg waits, from outside, for the end of a job.
func (r *trial) waitInOrg(id string) {
	r.t.Helper()
	for {
		time.Sleep(2 * time.Second)
		job, err := bulk2.New(r.sf).Job(r.t.Context(), id)
		if err != nil {
			r.t.Fatal(err)
		}
		if job.State.Terminal() {
			return
		}
	}
}

func (r *trial) report(name string) []map[string]string {
	r.t.Helper()
	rows, err := readReport(filepath.Join(r.dir, r.loads[0].Name, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return rows
}

// uploads is how many bodies the org has been sent.
func (r *trial) uploads() int { return r.org.Audit().Calls["PUT jobs/ingest/{}/batches"] }

// TestAbortedFromOutside: somebody aborts jobs of which the org has saved a part. Their other rows go into further jobs.
func TestAbortedFromOutside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTrial(t, localorg.Config{})
		r.loads = []*load{accountLoad(t, t.TempDir(), 1, 1500)}
		r.restart()
		r.options.ChunkRows = 600 // in 3 parts of 4 seconds
		var aborted atomic.Int32
		r.meddle().job = func(job bulk2.Job, err error) (bulk2.Job, error) {
			if err == nil && job.State == bulk2.StateInProgress && job.Processed > 0 && aborted.Add(1) <= 2 {
				if _, err := bulk2.New(r.sf).Abort(t.Context(), job.ID); err != nil {
					t.Error(err)
				}
			}
			return job, err
		}
		sum, err := r.run()
		if err != nil {
			t.Fatal(err)
		}
		if sum.Total.Chunks != 3 || sum.Total.Jobs != 5 {
			t.Errorf("%d jobs for %d chunks, want 5 for 3: two were aborted", sum.Total.Jobs, sum.Total.Chunks)
		}
		checkExact(t, r.org, r.dir, r.loads...)
	})
}

// TestGoneWhileClosing: the answer to a close is lost, the org saves the rows, and the job is deleted before anybody asks.
// Whether its rows are in the org nobody can tell any more: they are unaccounted, and never sent again.
func TestGoneWhileClosing(t *testing.T) {
	for _, when := range []string{"while closing", "after the close", "before its results"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newTrial(t, localorg.Config{})
				r.options.Concurrency = 1
				var victim string // the second job
				closes := 0
				m := r.meddle()
				m.close = func(id string, job bulk2.Job, err error) (bulk2.Job, error) {
					if closes++; closes != 2 {
						return job, err
					}
					victim = id
					switch when {
					case "while closing":
						r.waitInOrg(id)
						r.delete(id)
						return bulk2.Job{}, salesforce.ErrOutcomeUnknown
					case "after the close":
						r.waitInOrg(id)
						r.delete(id)
					}
					return job, err
				}
				m.job = func(job bulk2.Job, err error) (bulk2.Job, error) {
					if when == "before its results" && job.ID == victim && job.State.Terminal() {
						r.delete(victim)
					}
					return job, err
				}
				_, err := r.run()
				if !errors.Is(err, pipeline.ErrAccounting) {
					t.Fatalf("run ended with %v", err)
				}
				sent := r.uploads()
				if _, err := r.run(); !errors.Is(err, pipeline.ErrAccounting) {
					t.Errorf("the next run ended with %v", err)
				}
				if sent != 3 || r.uploads() != sent {
					t.Errorf("%d uploads, then %d, want 3 of 3 chunks", sent, r.uploads())
				}
				list := r.report(pipeline.UnaccountedFile)
				in := map[string]int{}
				for rec := range r.org.Records("Account", "Description") {
					in[rec[0]]++
				}
				for _, rec := range list {
					if rec["migrate_job"] != victim || rec["migrate_code"] != pipeline.CodeUnaccounted {
						t.Errorf("unaccounted: %v", rec)
					}
				}
				for _, rec := range append(list, r.report(pipeline.SuccessFile)...) {
					in[r.loads[0].rows[rec["_no"]].mark]--
				}
				for mark, n := range in {
					if n > 0 {
						t.Errorf("%d rows with %q are in the org and in no report", n, mark)
					}
				}
				if len(list) < 90 {
					t.Errorf("%d rows are unaccounted, want those of a chunk", len(list))
				}
			})
		})
	}
}

// restart begins the run anew, with other loads.
func (r *trial) restart() {
	r.t.Helper()
	r.store.Close()
	if err := os.Remove(filepath.Join(r.dir, checkpoint.FileName)); err != nil {
		r.t.Fatal(err)
	}
	r.store = newRun(r.t, r.dir, r.loads...)
}

// TestShortResults: a result set that ends early, at any place, is noticed and fetched again.
func TestShortResults(t *testing.T) {
	for _, endpoint := range []string{"GET jobs/ingest/{}/failedResults", "GET jobs/ingest/{}/successfulResults", "GET jobs/ingest/{}/unprocessedrecords"} {
		for bytes := int64(0); bytes < 4000; bytes += 331 { // gzip has an end of its own, plain text has not
			t.Run(endpoint[19:], func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newTrial(t, localorg.Config{NoGzip: true})
					if strings.HasSuffix(endpoint, "unprocessedrecords") {
						r.abortOne()
					}
					r.fault(localorg.Fault{Endpoint: endpoint, Kind: localorg.FaultShort, Bytes: bytes, Times: 2})
					if _, err := r.run(); err != nil {
						t.Fatal(err)
					}
					checkExact(t, r.org, r.dir, r.loads...)
				})
			})
		}
	}
}

// TestRowMissingInResults: the org's failed results lack a row, at first or for good. They are fetched again; if the row
// does not come it is unaccounted, by its own line, and the run says that its books do not balance.
func TestRowMissingInResults(t *testing.T) {
	for _, times := range []int{1, 2, -1} {
		t.Run(fmt.Sprint(times), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newTrial(t, localorg.Config{})
				r.options.Concurrency = 1
				var lost, job string
				left := times
				r.meddle().results = func(id string, kind bulk2.Kind, body io.ReadCloser, err error) (io.ReadCloser, error) {
					if kind != bulk2.Failed || err != nil || left == 0 || job != "" && id != job {
						return body, err
					}
					left--
					job = id
					defer body.Close()
					set, err := io.ReadAll(body)
					if err != nil {
						return nil, err
					}
					i := bytes.LastIndexByte(bytes.TrimSuffix(set, []byte("\n")), '\n') + 1
					lost = string(set[i:])
					if strings.Count(lost, `"`)%2 != 0 {
						t.Errorf("the last row %q is over several lines", lost)
					}
					return io.NopCloser(bytes.NewReader(set[:i])), nil
				}
				sum, err := r.run()
				if times > 0 {
					if err != nil || lost == "" {
						t.Errorf("run ended with %v, lost was %q", err, lost)
					}
					checkExact(t, r.org, r.dir, r.loads...)
					return
				}
				if !errors.Is(err, pipeline.ErrAccounting) {
					t.Fatalf("run ended with %v", err)
				}
				if sum.Total.Unaccounted != 1 || !sum.Total.Balanced() || sum.Total.Pending != 0 {
					t.Errorf("ledger %+v", sum.Total)
				}
				list := r.report(pipeline.UnaccountedFile)
				if len(list) != 1 {
					t.Fatalf("unaccounted: %v", list)
				}
				row := r.loads[0].rows[list[0]["_no"]]
				if !strings.Contains(lost, `"`+row.mark+`"`) || list[0]["migrate_line"] != fmt.Sprint(row.line) || list[0]["migrate_job"] != job {
					t.Errorf("unaccounted is %v, lost was %s of job %s", list[0], lost, job)
				}
			})
		})
	}
}

// TestLastValueCut: a result set ends inside the last value of its last row, where it still looks whole. It is fetched again.
func TestLastValueCut(t *testing.T) {
	for cut := range 8 {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newTrial(t, localorg.Config{})
				r.abortOne()
				var cuts atomic.Int32
				r.client.(*meddler).results = func(id string, kind bulk2.Kind, body io.ReadCloser, err error) (io.ReadCloser, error) {
					if kind != bulk2.Unprocessed || err != nil || cuts.Add(1) > 1 {
						return body, err
					}
					defer body.Close()
					set, err := io.ReadAll(body)
					return io.NopCloser(bytes.NewReader(set[:len(set)-cut])), err
				}
				if _, err := r.run(); err != nil || cuts.Load() == 0 {
					t.Fatalf("%v, %d sets cut", err, cuts.Load())
				}
				checkExact(t, r.org, r.dir, r.loads...)
			})
		})
	}
}

// TestCloseRefused: the org will not close a job, for no reason that its state would show. It is aborted, and its rows go
// into another.
func TestCloseRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTrial(t, localorg.Config{})
		f := apiFault(400, "INVALIDJOBSTATE", "Closing Job not allowed")
		f.Endpoint = "PATCH jobs/ingest/{}"
		r.fault(f)
		sum, err := r.run()
		if err != nil {
			t.Fatal(err)
		}
		if sum.Total.Jobs != 4 || r.org.Audit().Jobs["Open"] != 0 {
			t.Errorf("%d jobs, want 4; in the org %v", sum.Total.Jobs, r.org.Audit().Jobs)
		}
		checkExact(t, r.org, r.dir, r.loads...)
	})
}

// TestAbortWithoutEffect: an abort that was not carried out, although it seemed so, leaves no job behind that could still be
// closed.
func TestAbortWithoutEffect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTrial(t, localorg.Config{})
		r.loseUpload()
		calls := 0
		r.meddle().abort = func(string) error {
			if calls++; calls < 3 {
				return salesforce.ErrOutcomeUnknown
			}
			return nil
		}
		if _, err := r.run(); err != nil {
			t.Fatal(err)
		}
		if n := r.org.Audit().Jobs["Open"]; n != 0 || calls != 3 {
			t.Errorf("%d jobs are open after %d aborts", n, calls)
		}
		checkExact(t, r.org, r.dir, r.loads...)
	})
}

// TestUnknownColumn: the org fails the whole job for its header. Its rows come back as unprocessed, and no other chunk is
// sent.
func TestUnknownColumn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTrial(t, localorg.Config{Schema: schemaWithout(t, "Score__c")})
		r.options.Concurrency = 1
		sum, err := r.run()
		var failed *pipeline.JobFailedError
		if !errors.As(err, &failed) || failed.Quota() || !strings.Contains(err.Error(), "Score__c") {
			t.Fatalf("run ended with %v", err)
		}
		if n := r.uploads(); n != 1 || sum.Total.Jobs != 1 {
			t.Errorf("%d uploads, %d jobs, want 1", n, sum.Total.Jobs)
		}
		list := r.report(pipeline.UnprocessedFile)
		if int64(len(list)) != sum.Total.Unprocessed || sum.Total.Unprocessed < 90 || !sum.Total.Balanced() {
			t.Errorf("%d rows in the report, ledger %+v", len(list), sum.Total)
		}
		for _, rec := range list {
			if want := r.loads[0].rows[rec["_no"]]; rec["migrate_line"] != fmt.Sprint(want.line) || rec["migrate_code"] != pipeline.CodeUnprocessed {
				t.Errorf("unprocessed: %v, stands on line %d", rec, want.line)
			}
		}
		if n := r.org.Count("Account"); n != 0 {
			t.Errorf("%d accounts in the org", n)
		}
		if sum.Run.State != checkpoint.RunStopped {
			t.Errorf("run is %s", sum.Run.State)
		}
	})
}

// TestDailyQuota: a daily allocation ends in the middle. The run stops at once, without a stream of jobs that must fail,
// and the next day it goes on.
func TestDailyQuota(t *testing.T) {
	tests := map[string]struct {
		org   localorg.Config
		rows  int
		blank bool // unprocessed rows are in no result set, as the documents say of this case
	}{
		"batches":                 {localorg.Config{DailyBatches: 3}, 300, false},
		"records":                 {localorg.Config{DailyRecords: 150}, 300, false},
		"within a job":            {localorg.Config{DailyBatches: 2, Slots: 1}, 11_000, false},
		"within a job, no result": {localorg.Config{DailyBatches: 2, Slots: 1}, 11_000, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newTrial(t, test.org)
				if test.rows != 300 {
					r.loads = []*load{accountLoad(t, t.TempDir(), 1, test.rows)}
					r.restart()
					r.options.ChunkRows = 20_000
				}
				if test.blank {
					r.meddle().results = func(id string, kind bulk2.Kind, body io.ReadCloser, err error) (io.ReadCloser, error) {
						if kind == bulk2.Unprocessed && err == nil {
							body.Close()
							body = io.NopCloser(strings.NewReader(""))
						}
						return body, err
					}
				}
				_, err := r.run()
				var failed *pipeline.JobFailedError
				if !errors.As(err, &failed) || !failed.Quota() {
					t.Fatalf("run ended with %v", err)
				}
				if n := r.uploads(); n > 3 {
					t.Errorf("%d uploads on the first day, for 3 chunks", n)
				}
				for day := 2; err != nil; day++ {
					if day > 4 {
						t.Fatalf("on day %d: %v", day, err)
					}
					time.Sleep(25 * time.Hour)
					_, err = r.run()
				}
				checkExact(t, r.org, r.dir, r.loads...)
			})
		})
	}
}
