package restquery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"migrate/pkg/bulk2"
	"migrate/pkg/salesforce"
)

// PageRows is how many records a call brings at most.
const PageRows = 2000

// Jobs runs query jobs. *bulk2.Client is one.
type Jobs interface {
	CreateQuery(ctx context.Context, q bulk2.Query) (bulk2.QueryJob, error)
	QueryJob(ctx context.Context, id string) (bulk2.QueryJob, error)
	Page(ctx context.Context, id, locator string, most int) (bulk2.Page, error)
	Pages(ctx context.Context, id, more string) (locators []string, next string, err error)
}

// Config says what a Pager asks, and whom.
type Config struct {
	Jobs    Jobs
	Org     *salesforce.Client
	Columns []Column // of all of its queries, in their order
	// Refused is called when the org first refuses a query job for its object, from any goroutine; nil calls nobody.
	Refused func()
}

// Pager runs the queries of one object by query jobs, or over REST where those do not know the object. Several goroutines may use it at once.
type Pager struct {
	Config
	outside atomic.Bool // query jobs do not know the object
	mu      sync.Mutex
	// first are first pages that have come with the number of records and were not fetched yet. A process that does not have them asks again.
	first map[string]salesforce.QueryPage
}

// New makes a Pager; it asks nothing yet.
func New(c Config) *Pager { return &Pager{Config: c, first: map[string]salesforce.QueryPage{}} }

// CreateQuery begins a query job, or asks over REST and waits for the first page. It may be repeated. A query that takes the org too long over
// REST is a job that has failed.
func (p *Pager) CreateQuery(ctx context.Context, q bulk2.Query) (bulk2.QueryJob, error) {
	if !p.outside.Load() {
		job, err := p.Jobs.CreateQuery(ctx, q)
		var api *salesforce.APIError
		if !errors.As(err, &api) || api.Code != "INVALIDENTITY" {
			return job, err
		}
		if !p.outside.Swap(true) && p.Refused != nil {
			p.Refused()
		}
	}
	name := question{soql: q.SOQL, all: q.All}
	page, err := p.Org.QueryPage(ctx, q.SOQL, q.All)
	if why, ok := timedOut(err); ok {
		name.failed = why
		return name.job(), nil
	}
	if err != nil {
		return bulk2.QueryJob{}, fmt.Errorf("query over REST: %w", err)
	}
	name.found = page.Total
	p.mu.Lock()
	p.first[name.name()] = page
	p.mu.Unlock()
	return name.job(), nil
}

// timedOut tells a query that takes the org too long.
func timedOut(err error) (why string, ok bool) {
	var api *salesforce.APIError
	if !errors.As(err, &api) || api.Code != "QUERY_TIMEOUT" {
		return "", false
	}
	return strings.TrimSpace(api.Code + ": " + api.Message), true
}

// QueryJob reads the state of a query job. A query over REST is at its end, and the org is not asked.
func (p *Pager) QueryJob(ctx context.Context, id string) (bulk2.QueryJob, error) {
	if !isName(id) {
		return p.Jobs.QueryJob(ctx, id)
	}
	q, err := parseName(id)
	return q.job(), err
}

// Pages lists pages as bulk2.Client.Pages does. Over REST each leads to the next, which bulk2.ErrNoPages says.
func (p *Pager) Pages(ctx context.Context, id, more string) (locators []string, next string, err error) {
	if isName(id) {
		return nil, "", bulk2.ErrNoPages
	}
	return p.Jobs.Pages(ctx, id, more)
}

// Page opens a page as bulk2.Client.Page does. Over REST it is in memory and whole, and most is not heeded beyond what the org does by
// itself: it has PageRows records at most. When not all pages of the answer can come any more, the error matches salesforce.ErrGone.
func (p *Pager) Page(ctx context.Context, id, locator string, most int) (bulk2.Page, error) {
	if !isName(id) {
		return p.Jobs.Page(ctx, id, locator, most)
	}
	q, err := parseName(id)
	if err != nil {
		return bulk2.Page{}, err
	}
	at, err := parseLocator(locator)
	if err != nil {
		return bulk2.Page{}, err
	}
	page, err := p.fetch(ctx, id, q, at)
	if why, ok := timedOut(err); ok {
		return bulk2.Page{}, fmt.Errorf("query over REST: %s: %w", why, salesforce.ErrGone)
	}
	if err != nil {
		return bulk2.Page{}, fmt.Errorf("query over REST: %w", err)
	}
	rows := at.before + int64(len(page.Records))
	if rows > q.found || page.Next == "" && rows < q.found {
		return bulk2.Page{}, fmt.Errorf("query over REST: the org counted %d records and has sent %d; were some deleted meanwhile? %w", q.found, rows, salesforce.ErrGone)
	}
	text := appendHeader(nil, p.Columns)
	for i, record := range page.Records {
		if text, err = appendRow(text, p.Columns, record); err != nil {
			return bulk2.Page{}, fmt.Errorf("query over REST: record %d: %w", at.before+int64(i)+1, err)
		}
	}
	next := place{before: rows, next: page.Next}
	return bulk2.Page{Body: io.NopCloser(bytes.NewReader(text)), Rows: int64(len(page.Records)), Next: next.locator()}, nil
}

// fetch gets a page from the org, but for a first one that has come already. One that is asked for again belongs to another answer, whose pages
// may be taken only if it has as many records.
func (p *Pager) fetch(ctx context.Context, id string, q question, at place) (salesforce.QueryPage, error) {
	if at.next != "" {
		return p.Org.QueryNext(ctx, at.next)
	}
	p.mu.Lock()
	page, ok := p.first[id]
	delete(p.first, id)
	p.mu.Unlock()
	if ok {
		return page, nil
	}
	page, err := p.Org.QueryPage(ctx, q.soql, q.all)
	if err == nil && page.Total != q.found {
		err = fmt.Errorf("the org counts %d records where it has counted %d before: %w", page.Total, q.found, salesforce.ErrGone)
	}
	return page, err
}
