package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/salesforce"
)

// sliceState is where a slice stands: Split.Next, in JSON.
type sliceState struct {
	Job      string `json:"job,omitempty"`      // the query job
	Jobs     int    `json:"jobs,omitempty"`     // query jobs before it that did not get to their end
	Complete bool   `json:"complete,omitempty"` // the query job is, with so many rows:
	Rows     int64  `json:"rows,omitempty"`
	Walk     bool   `json:"walk,omitempty"` // the API lists no pages, so each leads to the next
}

// pagePlace is Chunk.Start of a page, in JSON.
type pagePlace struct {
	Locator string `json:"locator"`
	Next    string `json:"next"` // locator of the page behind it, when the pages are walked
}

// The bounds of what is tried for an export.
const (
	maxQueries   = 5 // query jobs for one slice
	maxDownloads = 4 // pages at once
)

var (
	// errAgain says that the query job of a slice cannot give what it should, and another one may.
	errAgain = errors.New("the query is asked anew")
	// errTooLarge says that the org cannot answer the query in its time.
	errTooLarge = errors.New("it takes the org too long")
)

// slice is a slice of an export while it is fetched.
type slice struct {
	j *jobRun
	checkpoint.Split
	Slice
	state  sliceState
	taken  bool  // the query job is of an earlier process
	number int64 // among the slices

	mu    sync.Mutex
	pages map[int64]pagePlace // that are there, by number
	rows  int64               // of them
}

func (s *slice) know(c checkpoint.Chunk) error {
	var p pagePlace
	if err := json.Unmarshal([]byte(c.Start), &p); err != nil {
		return fmt.Errorf("page %d of split %s: %w", c.FirstRow, c.Split, err)
	}
	s.pages[c.FirstRow] = p
	s.rows += c.Rows
	return nil
}

// slice brings all pages of a slice into the run folder. Where the org cannot answer it in its time, it becomes two, and the other one joins
// the group.
func (j *jobRun) slice(ctx context.Context, g *errgroup.Group, s *slice) error {
	for {
		err := s.fetch(ctx)
		if !errors.Is(err, errTooLarge) {
			return err
		}
		other, err := s.halve(ctx, err)
		if err != nil {
			return err
		}
		g.Go(func() error { return j.slice(ctx, g, other) })
	}
}

// fetch brings all pages of the slice into the run folder.
func (s *slice) fetch(ctx context.Context) error {
	if err := errors.Join(json.Unmarshal([]byte(s.Spec), &s.Slice), json.Unmarshal([]byte(s.Next), &s.state)); err != nil {
		return fmt.Errorf("split %s: %w", s.ID, err)
	}
	s.taken = s.state.Job != ""
	if err := s.j.flights.acquire(ctx); err != nil {
		return err
	}
	defer s.j.flights.release()
	for !s.j.stopped() {
		err := s.fetchOnce(ctx)
		if !errors.Is(err, errAgain) && !bulk2.IsGone(err) {
			return err
		}
		if s.state.Jobs+1 >= maxQueries {
			return fmt.Errorf("split %s: %d query jobs did not bring it: %w: %w", s.ID, s.state.Jobs+1, err, salesforce.ErrTemporary)
		}
		s.j.Events.warn(s.j.Name, err.Error())
		if err := s.restart(ctx); err != nil {
			return err
		}
	}
	return nil
}

// restart forgets the query job of the slice and what it has brought: another job may find other rows.
func (s *slice) restart(ctx context.Context) error {
	if s.state.Complete {
		s.j.track.change(func() { s.j.track.p.Found -= s.state.Rows })
	}
	s.state = sliceState{Jobs: s.state.Jobs + 1}
	next, err := json.Marshal(s.state)
	if err != nil {
		return err
	}
	if err := s.j.Checkpoint.DropPages(ctx, s.Job, s.ID, string(next)); err != nil {
		return err
	}
	for n := range s.pages {
		os.Remove(s.j.pageFile(s.ID, n)) // or it is written over
	}
	s.forget()
	return nil
}

// forget forgets the pages that are there.
func (s *slice) forget() {
	s.j.track.change(func() { s.j.track.p.Ledger.Read -= s.rows; s.j.track.p.Ledger.Pending -= s.rows })
	s.pages, s.rows = map[int64]pagePlace{}, 0
}

func (s *slice) record(ctx context.Context) error {
	next, err := json.Marshal(s.state)
	if err != nil {
		return err
	}
	return s.j.Checkpoint.SetNext(ctx, s.Job, s.ID, string(next))
}

func (s *slice) fetchOnce(ctx context.Context) error {
	if s.state.Job == "" {
		if s.j.spent() {
			return nil
		}
		s.j.Events.step(StepCallQuery)
		job, err := s.j.Export.Query.CreateQuery(ctx, bulk2.Query{SOQL: s.SOQL(), All: s.j.Export.All})
		if err != nil {
			return err
		}
		s.state.Job, s.taken = job.ID, false
		s.j.Events.step(StepWriteQuery)
		if err := s.record(ctx); err != nil {
			return err
		}
		s.j.track.created()
	}
	if !s.state.Complete {
		if err := s.await(ctx); err != nil || s.j.stopped() {
			return err
		}
		s.state.Complete = true
		if err := s.record(ctx); err != nil {
			return err
		}
	}
	s.j.track.change(func() { s.j.track.p.Found += s.state.Rows })
	if err := s.download(ctx); err != nil || s.j.stopped() {
		return err
	}
	if err := s.count(ctx); err != nil {
		return err
	}
	s.j.Events.step(StepWriteSplit)
	return s.j.Checkpoint.SetSplitRead(ctx, s.Job, s.ID, 0)
}

// await waits for the end of the query job.
func (s *slice) await(ctx context.Context) error {
	every := s.j.waiter.every
	begun := time.Now()
	first := every / 3
	if s.taken { // its process may have looked just now
		first = every
	}
	for pause := first; ; pause = min(max(every, time.Since(begun)/10), maxPoll) {
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		if s.j.spent() {
			return nil
		}
		job, err := s.j.Export.Query.QueryJob(ctx, s.state.Job)
		if err != nil {
			return err
		}
		s.j.track.fly(checkpoint.BulkJob{ID: s.number}, flight{state: job.State, processed: job.Rows})
		if !job.State.Terminal() {
			continue
		}
		s.j.track.land(checkpoint.BulkJob{ID: s.number})
		if job.State != bulk2.StateJobComplete {
			again := errAgain
			if timedOut(job.Message) {
				again = errTooLarge
			}
			return fmt.Errorf("query job %s ended as %s: %s: %w", job.ID, job.State, job.Message, again)
		}
		s.state.Rows = job.Rows
		return nil
	}
}

// download fetches the pages that are not there.
func (s *slice) download(ctx context.Context) error {
	if s.state.Walk {
		return s.walk(ctx)
	}
	g, work := errgroup.WithContext(ctx)
	err := s.list(work, func(n int64, locator string) error {
		if known, ok := s.has(n); ok {
			if known.Locator != locator {
				return fmt.Errorf("query job %s lists page %d at another place than before: %w", s.state.Job, n, errAgain)
			}
			return nil
		}
		if err := s.j.downloads.Acquire(work, 1); err != nil {
			return err
		}
		g.Go(func() error {
			defer s.j.downloads.Release(1)
			_, err := s.page(work, n, locator)
			return err
		})
		return nil
	})
	if waited := g.Wait(); waited != nil {
		err = waited // the other one is only its echo
	}
	if errors.Is(err, bulk2.ErrNoPages) {
		s.state.Walk = true
		if err := s.record(ctx); err != nil {
			return err
		}
		return s.walk(ctx)
	}
	return err
}

// has gives the place of a page that is there.
func (s *slice) has(n int64) (pagePlace, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pages[n]
	return p, ok
}

// list tells the pages that the org lists, in order.
func (s *slice) list(ctx context.Context, each func(n int64, locator string) error) error {
	seen := map[string]bool{}
	n := int64(0)
	for more := ""; !s.j.stopped(); {
		locators, next, err := s.j.Export.Query.Pages(ctx, s.state.Job, more)
		if err != nil {
			return err
		}
		for _, l := range locators {
			if seen[l] {
				return fmt.Errorf("query job %s lists a page twice: %w", s.state.Job, errAgain)
			}
			seen[l] = true
			if err := each(n, l); err != nil {
				return err
			}
			n++
		}
		if next == "" {
			return nil
		}
		if len(locators) == 0 {
			return fmt.Errorf("query job %s says that there are more pages and lists none: %w", s.state.Job, salesforce.ErrTemporary)
		}
		more = next
	}
	return nil
}

// walk goes from page to page where the API does not list them.
func (s *slice) walk(ctx context.Context) error {
	seen := map[string]bool{}
	locator := ""
	for n := int64(0); !s.j.stopped(); n++ {
		if seen[locator] {
			return fmt.Errorf("query job %s: the pages lead back to one that was read: %w", s.state.Job, errAgain)
		}
		seen[locator] = true
		p, ok := s.has(n)
		if !ok {
			if err := s.j.downloads.Acquire(ctx, 1); err != nil {
				return err
			}
			var err error
			p, err = s.page(ctx, n, locator)
			s.j.downloads.Release(1)
			if err != nil {
				return err
			}
		}
		if locator = p.Next; locator == "" {
			return nil
		}
	}
	return nil
}

// page fetches a page and records it.
func (s *slice) page(ctx context.Context, n int64, locator string) (pagePlace, error) {
	place := pagePlace{Locator: locator}
	if s.j.stopped() || s.j.spent() {
		return place, nil
	}
	most := 0 // as the org likes it
	for try := 1; ; try++ {
		got, err := s.j.savePage(ctx, s.state.Job, locator, most, s.j.pageFile(s.ID, n))
		switch {
		case err == nil:
			place.Next = got.next
			start, err := json.Marshal(place)
			if err != nil {
				return place, err
			}
			s.j.Events.step(StepWritePage)
			err = s.j.Checkpoint.AddPage(ctx, checkpoint.Chunk{Job: s.Job, Split: s.ID, Start: string(start), FirstRow: n, Rows: got.rows, Bytes: got.bytes, Hash: got.hash})
			if err != nil {
				return place, err
			}
			s.mu.Lock()
			s.pages[n] = place
			s.rows += got.rows
			s.mu.Unlock()
			s.j.track.change(func() {
				l := &s.j.track.p.Ledger
				l.Read += got.rows
				l.Pending += got.rows
				l.Chunks++
			})
			return place, nil
		case ctx.Err() != nil:
			return place, ctx.Err()
		case bulk2.IsGone(err), !errors.Is(err, salesforce.ErrTemporary), try == pageTries:
			return place, err
		}
		if s.state.Walk { // what is behind the page is told by the page itself, so it may as well be a smaller one
			most = max(smallerPage(most), 1000)
		}
		if err := sleep(ctx, time.Duration(try)*s.j.waiter.every); err != nil {
			return place, err
		}
	}
}

// smallerPage is how many rows to ask for after a page of so many was too much; 0 = as many as the org liked.
func smallerPage(most int) int {
	if most == 0 {
		return 50_000
	}
	return most / 2
}

// count compares the rows that came with those that the org has counted.
func (s *slice) count(ctx context.Context) error {
	for try := range fetchTries {
		if s.rows == s.state.Rows {
			return nil
		}
		if err := sleep(ctx, time.Duration(try)*s.j.waiter.every); err != nil {
			return err
		}
		job, err := s.j.Export.Query.QueryJob(ctx, s.state.Job) // its count may have come later than its state
		if err != nil {
			return err
		}
		s.state.Rows = job.Rows
	}
	if s.rows == s.state.Rows {
		return nil
	}
	return fmt.Errorf("query job %s found %d rows and its pages have %d: %w; nothing was published", s.state.Job, s.state.Rows, s.rows, ErrAccounting)
}
