package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/idmap"
	"migrate/pkg/salesforce"
	"migrate/pkg/transform"
)

// Lookup names records that are in the org by the value of one of their fields.
type Lookup struct {
	Object string `json:"object"`
	Field  string `json:"field"`
	Where  string `json:"where,omitempty"`  // a condition in SOQL; "" = all records
	Fold   bool   `json:"fold,omitempty"`   // case does not matter
	Number bool   `json:"number,omitempty"` // the field holds numbers: 7 and 7.0 are the same
	Turn   int    `json:"turn,omitempty"`   // how often the run writes such records before: a lookup of another turn has other answers
}

// SOQL is the query that gives the records.
func (l Lookup) SOQL() string {
	q := fmt.Sprintf("SELECT Id, %s FROM %s WHERE %s != null", l.Field, l.Object, l.Field)
	if l.Where != "" {
		q += " AND (" + l.Where + ")"
	}
	return q
}

// Key is what a value is found by. Text counts as it stands, as nothing is guessed: not without case, unless Fold says so.
func (l Lookup) Key(value string) string {
	switch {
	case l.Number:
		return numberKey(value)
	case l.Fold:
		return transform.Fold(value)
	}
	return value
}

// numberKey is the same for all texts of a number: 70, 070.0 and 7E1. All digits count: two numbers that no float64 tells apart are
// still two. A text that is no number stands for itself, and is no number's key.
func numberKey(text string) string {
	unsigned := strings.TrimPrefix(text, "-")
	negative := len(unsigned) < len(text)
	if !negative {
		unsigned = strings.TrimPrefix(text, "+")
	}
	mantissa, power := unsigned, 0
	if i := strings.IndexAny(unsigned, "eE"); i >= 0 {
		var err error
		if power, err = strconv.Atoi(unsigned[i+1:]); err != nil {
			return text
		}
		mantissa = unsigned[:i]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return text
	}
	digits = strings.TrimLeft(digits, "0")
	short := strings.TrimRight(digits, "0")
	if short == "" {
		return "0"
	}
	power += len(digits) - len(short) - len(fraction)
	if negative {
		short = "-" + short
	}
	return short + "e" + strconv.Itoa(power)
}

// Querier runs query jobs. *bulk2.Client is one.
type Querier interface {
	CreateQuery(ctx context.Context, q bulk2.Query) (bulk2.QueryJob, error)
	QueryJob(ctx context.Context, id string) (bulk2.QueryJob, error)
	Page(ctx context.Context, id, locator string, most int) (bulk2.Page, error)
}

// Write asks the org once, by a query job, and writes what it says to a file for idmap.OpenLookup. It gives the number of records.
// every is the least time between two looks at the job; 0 = 1 s.
func (l Lookup) Write(ctx context.Context, org Querier, path string, every time.Duration) (n int64, err error) {
	err = idmap.WriteLookup(ctx, path, func(put func(idmap.Record) error) error {
		n, err = queryRows(ctx, org, l.SOQL(), []string{"Id", l.Field}, every, func(row [][]byte) error {
			return put(idmap.Record{ID: string(row[0]), Key: l.Key(string(row[1]))})
		})
		return err
	})
	if err == nil {
		err = checkpoint.SyncDir(filepath.Dir(path)) // rows that were made from it must find it after a crash
	}
	if err != nil {
		return n, fmt.Errorf("%s by %s: %w", l.Object, l.Field, err)
	}
	return n, nil
}

// The bounds of a page that is held in memory, and of what is tried for it.
const (
	pageRows  = 20_000
	pageTries = 5
)

// queryRows runs a query job to its end and gives its rows to each. As many rows come as each page and the job itself say, or an error
// tells that it was not so.
func queryRows(ctx context.Context, org Querier, soql string, columns []string, every time.Duration, each func(row [][]byte) error) (rows int64, err error) {
	job, err := queryJob(ctx, org, soql, every)
	if err != nil {
		return 0, err
	}
	seen := map[string]bool{}
	for locator := ""; ; {
		page, next, err := wholePage(ctx, org, job.ID, locator, columns)
		if err != nil {
			return rows, err
		}
		r, err := bulk2.NewPageReader(bytes.NewReader(page), columns)
		if err != nil {
			return rows, fmt.Errorf("query job %s: %w", job.ID, err)
		}
		for {
			row, err := r.Next()
			if err == io.EOF {
				break
			}
			if err == nil {
				err = each(row)
			}
			if err != nil {
				return rows, fmt.Errorf("query job %s: %w", job.ID, err)
			}
			rows++
		}
		switch {
		case next == "" && rows != job.Rows:
			return rows, fmt.Errorf("query job %s found %d rows and gave %d: %w", job.ID, job.Rows, rows, salesforce.ErrTemporary)
		case next == "":
			return rows, nil
		case seen[next]:
			return rows, fmt.Errorf("query job %s: the pages lead back to one that was read: %w", job.ID, salesforce.ErrTemporary)
		}
		seen[next] = true
		locator = next
	}
}

// queryJob creates a query job and waits for its end.
func queryJob(ctx context.Context, org Querier, soql string, every time.Duration) (bulk2.QueryJob, error) {
	if every <= 0 {
		every = minPoll
	}
	job, err := org.CreateQuery(ctx, bulk2.Query{SOQL: soql})
	if err != nil {
		return job, err
	}
	for pause := every; !job.State.Terminal(); pause = min(pause*3/2, maxPoll) {
		if err := sleep(ctx, pause); err != nil {
			return job, err
		}
		if job, err = org.QueryJob(ctx, job.ID); err != nil {
			return job, err
		}
	}
	if job.State != bulk2.StateJobComplete {
		return job, fmt.Errorf("query job %s ended as %s: %s: %w", job.ID, job.State, job.Message, salesforce.ErrTemporary)
	}
	return job, nil
}

// wholePage fetches a page until it is there whole: all of its bytes, and as many rows as the org says it has, with these columns.
func wholePage(ctx context.Context, org Querier, id, locator string, columns []string) (body []byte, next string, err error) {
	for try := range pageTries {
		if err := sleep(ctx, time.Duration(try)*minPoll); err != nil {
			return nil, "", err
		}
		var page bulk2.Page
		if page, err = org.Page(ctx, id, locator, pageRows); err != nil {
			return nil, "", err
		}
		body, err = io.ReadAll(page.Body)
		page.Body.Close()
		var n int64
		if err == nil {
			n, err = bulk2.CheckPage(bytes.NewReader(body), columns)
		}
		switch {
		case ctx.Err() != nil:
			return nil, "", ctx.Err()
		case err != nil:
			err = fmt.Errorf("query job %s: a page did not come whole: %w: %w", id, err, salesforce.ErrTemporary)
		case n != page.Rows:
			err = fmt.Errorf("query job %s: a page has %d rows where the org says %d: %w", id, n, page.Rows, salesforce.ErrTemporary)
		default:
			return body, page.Next, nil
		}
	}
	return nil, "", err
}
