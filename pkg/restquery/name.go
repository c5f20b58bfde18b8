package restquery

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"migrate/pkg/bulk2"
)

// question is a query over REST and what the org has said to it first. As text it stands for a job:
//
//	query?found=4711&q=SELECT+Id+FROM+Attachment
type question struct {
	soql   string
	all    bool
	found  int64
	failed string // why the org could not answer; "" = it has
}

func (q question) name() string {
	values := url.Values{"q": {q.soql}}
	if q.failed != "" {
		values.Set("failed", q.failed)
	} else {
		values.Set("found", strconv.FormatInt(q.found, 10))
	}
	return operation(q.all) + "?" + values.Encode()
}

func operation(all bool) string {
	if all {
		return "queryAll"
	}
	return "query"
}

// job is what a query job would say.
func (q question) job() bulk2.QueryJob {
	j := bulk2.QueryJob{ID: q.name(), State: bulk2.StateJobComplete, Rows: q.found}
	if q.failed != "" {
		j.State, j.Message = bulk2.StateFailed, q.failed
	}
	return j
}

// isName says whether the id of a job is the name of a question. Ids of jobs are letters and digits.
func isName(id string) bool { return strings.Contains(id, "?") }

func parseName(id string) (q question, err error) {
	op, rest, _ := strings.Cut(id, "?")
	values, err := url.ParseQuery(rest)
	if err != nil {
		return q, fmt.Errorf("%q names no query: %w", id, err)
	}
	q = question{soql: values.Get("q"), all: op == operation(true), failed: values.Get("failed")}
	if q.failed == "" {
		q.found, err = strconv.ParseInt(values.Get("found"), 10, 64)
	}
	if err != nil || q.name() != id {
		return q, fmt.Errorf("%q names no query", id)
	}
	return q, nil
}

// place is where a page is. The zero value is the first.
type place struct {
	before int64  // records on the pages before it
	next   string // as the page before it says
}

// locator is the place as text: "2000 /services/data/v66.0/query/01g…-2000".
func (p place) locator() string {
	if p.next == "" {
		return ""
	}
	return strconv.FormatInt(p.before, 10) + " " + p.next
}

func parseLocator(text string) (p place, err error) {
	if text == "" {
		return p, nil
	}
	before, next, _ := strings.Cut(text, " ")
	if p.before, err = strconv.ParseInt(before, 10, 64); err != nil || p.before < 0 || !strings.HasPrefix(next, "/services/") {
		return p, fmt.Errorf("%q is no place of a page", text)
	}
	p.next = next
	return p, nil
}
