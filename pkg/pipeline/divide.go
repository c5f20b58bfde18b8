package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"migrate/pkg/checkpoint"
	"migrate/pkg/salesforce"
)

// Slice is one of the queries of an export, as Split.Spec has it in JSON: all of it, or a span of time of it. The slices of an export
// together find each record once, since no record changes the time that it is cut by.
type Slice struct {
	Fields string   `json:"fields"` // of the SELECT list, as SOQL has them
	Object string   `json:"object"`
	Where  []string `json:"where,omitempty"` // conditions that all hold
	Tail   string   `json:"tail,omitempty"`  // what else is behind the object, such as ORDER BY
	// By is a datetime field that is never null and never changes; "" = the query cannot be divided.
	By    string    `json:"by,omitempty"`
	From  time.Time `json:"from,omitzero"`  // least value of By; zero = there is no bound
	Until time.Time `json:"until,omitzero"` // the first value of By beyond it; zero = there is no bound
}

// SOQL is the query.
func (s Slice) SOQL() string { return s.ask(s.Fields) }

func (s Slice) ask(fields string) string {
	where := slices.Clone(s.Where)
	if !s.From.IsZero() {
		where = append(where, s.By+" >= "+SOQLTime(s.From))
	}
	if !s.Until.IsZero() {
		where = append(where, s.By+" < "+SOQLTime(s.Until))
	}
	text := "SELECT " + fields + " FROM " + s.Object
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	if s.Tail != "" {
		text += " " + s.Tail
	}
	return text
}

// SOQLTime writes a time as queries have it (SOQL reference, Date Formats and Date Literals in WHERE).
func SOQLTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

var (
	// earliest is where the times that a slice is cut by begin: there was no Salesforce before. Older ones are of records that were brought along.
	earliest = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	// ancient is the least time that there is (SOQL reference, Date Formats and Date Literals in WHERE).
	ancient = time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC)
)

// halves cuts the span of time in the middle; now is where one without a bound is taken to end.
func (s Slice) halves(now time.Time) (a, b Slice, ok bool) {
	if s.By == "" {
		return a, b, false
	}
	from, until := s.From, s.Until
	if until.IsZero() {
		until = now.Add(time.Second)
	}
	switch {
	case !from.IsZero():
	case until.After(earliest.AddDate(1, 0, 0)):
		from = earliest
	default:
		from = until.AddDate(-10, 0, 0)
	}
	if from.Before(ancient) {
		return a, b, false
	}
	middle := from.Add(until.Sub(from) / 2).UTC().Truncate(time.Second)
	if !middle.After(from) || !middle.Before(until) {
		return a, b, false
	}
	a, b = s, s
	a.Until, b.From = middle, middle
	return a, b, true
}

// Counter counts the records of a query SELECT COUNT() FROM …. *salesforce.Client is one.
type Counter interface {
	Count(ctx context.Context, soql string) (int64, error)
}

// The bounds of what becomes of one query.
const (
	// SliceRows is how many records a slice may have before it is divided, where nothing else is said: a few minutes of the org's time.
	SliceRows = 2_000_000
	maxSlices = 64   // when the export begins
	maxHalves = 1000 // when the org cannot answer what it is asked
)

// Count is how many records a slice has, as the org counts them now without the recycle bin. ok is false when it cannot count them in its time, or
// when the query is not one whose records can be counted without giving them.
func (s Slice) Count(ctx context.Context, org Counter) (n int64, ok bool, err error) {
	if s.Tail != "" {
		return 0, false, nil
	}
	n, err = org.Count(ctx, s.ask("COUNT()"))
	var api *salesforce.APIError
	if errors.As(err, &api) && api.Code == "QUERY_TIMEOUT" || errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return 0, false, nil
	}
	return n, err == nil, err
}

// Divide cuts a slice until none has more than so many rows, as far as they can be counted and cut. The org is asked twice for each
// slice or so. rows is how many there are in all, -1 = it is not known.
func (s Slice) Divide(ctx context.Context, org Counter, most int64, now time.Time) (list []Slice, rows int64, err error) {
	if s.By == "" || s.Tail != "" { // what cannot be counted is cut when the org cannot answer it
		return []Slice{s}, -1, nil
	}
	rows, ok, err := s.Count(ctx, org)
	if err != nil {
		return nil, 0, err
	}
	if !ok {
		rows = -1
	}
	if ok && rows <= most {
		return []Slice{s}, rows, nil
	}
	type part struct {
		Slice
		rows  int64
		known bool
	}
	parts := []part{{s, rows, ok}}
	for i := 0; i < len(parts); {
		p := parts[i]
		a, b, can := p.halves(now)
		if p.known && p.rows <= most || !can || len(parts) == maxSlices {
			i++
			continue
		}
		n, known, err := a.Count(ctx, org)
		if err != nil {
			return nil, 0, err
		}
		left, right := part{a, n, known}, part{b, p.rows - n, known && p.known}
		if p.known && n > p.rows { // it has grown meanwhile
			right.rows = 0
		}
		parts = slices.Replace(parts, i, i+1, left, right)
	}
	// Times at which hardly anything was made become one again.
	for i := 0; i+1 < len(parts); {
		a, b := parts[i], parts[i+1]
		if !a.known || !b.known || a.rows+b.rows > most {
			i++
			continue
		}
		a.Until, a.rows = b.Until, a.rows+b.rows
		parts = slices.Replace(parts, i, i+2, a)
	}
	for _, p := range parts {
		list = append(list, p.Slice)
	}
	return list, rows, nil
}

// halve makes two slices of one that the org cannot answer in its time; the other one is returned. why is that the org could not.
func (s *slice) halve(ctx context.Context, why error) (*slice, error) {
	first, second, ok := s.Slice.halves(time.Now())
	splits, err := s.j.Checkpoint.Splits(ctx, s.Job)
	if err != nil {
		return nil, err
	}
	if !ok || len(splits) > maxHalves {
		return nil, fmt.Errorf("split %s: %w; export fewer records at a time, or leave ORDER BY and LIMIT out: %w", s.ID, why, salesforce.ErrTemporary)
	}
	a, err := json.Marshal(first)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(second)
	if err != nil {
		return nil, err
	}
	s.j.Events.warn(s.j.Name, fmt.Sprintf("%v; it is asked in two halves, before and after %s", why, first.Until.Format(time.RFC3339)))
	s.j.halves.Lock() // so that no two get the same name
	defer s.j.halves.Unlock()
	if splits, err = s.j.Checkpoint.Splits(ctx, s.Job); err != nil {
		return nil, err
	}
	one, two := s.Split, checkpoint.Split{Job: s.Job, ID: strconv.Itoa(len(splits) + 1), Spec: string(b), Next: "{}"}
	one.Spec, one.Next = string(a), "{}"
	s.j.Events.step(StepWriteHalves)
	if err := s.j.Checkpoint.Halve(ctx, one, two); err != nil {
		return nil, err
	}
	for n := range s.pages {
		os.Remove(s.j.pageFile(s.ID, n))
	}
	s.forget()
	s.Split, s.Slice, s.state = one, Slice{}, sliceState{}
	return &slice{j: s.j, Split: two, number: int64(len(splits)), pages: map[int64]pagePlace{}}, nil
}

// timedOut says whether a query job has failed since it took too long. That the text is there at all is not documented; these words are of
// the messages of QUERY_TIMEOUT and of the Bulk API (Bulk API 2.0 guide, Troubleshooting Query Timeouts).
func timedOut(message string) bool {
	text := strings.ToLower(message)
	for _, words := range []string{"timeout", "timed out", "time limit", "running for too long", "retried more than", "more than 15 times"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}
