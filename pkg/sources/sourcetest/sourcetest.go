// Package sourcetest is the suite that every driver of package sources must pass. It reads a source in
// many ways and checks that they all tell the same story:
//
//   - the same splits with the same ids, each time, and after a trip through JSON;
//   - the same records, whatever the size of a batch;
//   - opened at the position of record n, the records from n on, for every n;
//   - the same records for several readers at once, one of which ends early;
//   - every record in exactly one of Rows and Bad, numbered without a gap;
//   - all memory released.
//
// A driver's test calls Run with a function that opens the source anew.
package sourcetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"migrate/pkg/cell"
	"migrate/pkg/sources"
)

// Opener opens the source under test. Batches are to have at most batchRows records and to take their
// memory from mem.
type Opener func(batchRows int, mem memory.Allocator) (sources.Source, error)

// Record is a record as a batch delivered it, good or bad.
type Record struct {
	Pos     sources.Position
	Fields  []string
	Rule    string // "" for a good one
	Column  int
	Message string
	Raw     string
}

// Read is all that came out of a split.
type Read struct {
	Records []Record
	Next    sources.Position // after the last batch
	Err     error            // what ended it: io.EOF when all was well
}

// Run holds a source to the contract of sources.Source. Its splits must be small: each is opened once
// for every record it has.
func Run(t *testing.T, open Opener) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	src, err := open(1000, mem)
	if err != nil {
		t.Fatal(err)
	}
	again, err := open(1000, mem)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(src.Splits(), again.Splits()); d != "" {
		t.Errorf("another run has other splits (-first +second):\n%s", d)
	}
	if !src.Schema().Equal(again.Schema()) {
		t.Errorf("another run has another schema: %v, before %v", again.Schema(), src.Schema())
	}
	ids := map[string]bool{}
	for _, s := range src.Splits() {
		if ids[s.ID] {
			t.Errorf("split id %q occurs twice", s.ID)
		}
		ids[s.ID] = true
		runSplit(t, open, src, s, mem)
	}
}

func runSplit(t *testing.T, open Opener, src sources.Source, s sources.Split, mem memory.Allocator) {
	t.Helper()
	if s.Start.Row != 0 || s.Start.Line < 1 {
		t.Errorf("split %s starts at %+v; want row 0 and a line from 1", s.ID, s.Start)
	}
	want, err := ReadSplit(src, s, sources.Position{})
	if err != nil {
		t.Fatalf("split %s: %v", s.ID, err)
	}
	for i, r := range want.Records {
		if r.Pos.Row != int64(i) {
			t.Fatalf("split %s: record %d says it is row %d", s.ID, i, r.Pos.Row)
		}
		if i > 0 && (r.Pos.Offset <= want.Records[i-1].Pos.Offset || r.Pos.Line <= want.Records[i-1].Pos.Line) {
			t.Fatalf("split %s: record %d stands at %+v, not behind %+v", s.ID, i, r.Pos, want.Records[i-1].Pos)
		}
	}
	same := func(how string, got Read, from int) {
		t.Helper()
		if d := cmp.Diff(want.Records[from:], got.Records); d != "" {
			t.Fatalf("split %s, %s (-want +got):\n%s", s.ID, how, d)
		}
		if got.Next != want.Next || fmt.Sprint(got.Err) != fmt.Sprint(want.Err) {
			t.Fatalf("split %s, %s: ended at %+v with %v, want %+v with %v", s.ID, how, got.Next, got.Err, want.Next, want.Err)
		}
	}

	var stored sources.Split
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSplit(src, stored, s.Start)
	if err != nil {
		t.Fatalf("split %s after a trip through JSON: %v", s.ID, err)
	}
	same("after a trip through JSON", got, 0)

	for _, rows := range []int{1, 2, 3, 7} {
		small, err := open(rows, mem)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadSplit(small, s, sources.Position{})
		if err != nil {
			t.Fatal(err)
		}
		same(fmt.Sprintf("in batches of %d", rows), got, 0)
		if got.Next.Blank != want.Next.Blank {
			t.Fatalf("split %s, in batches of %d: %d blank lines, want %d", s.ID, rows, got.Next.Blank, want.Next.Blank)
		}
	}
	for n := 1; n < len(want.Records); n++ {
		got, err := ReadSplit(src, s, want.Records[n].Pos)
		if err != nil {
			t.Fatalf("split %s at record %d: %v", s.ID, n, err)
		}
		same(fmt.Sprintf("opened at record %d, %+v", n, want.Records[n].Pos), got, n)
	}
	if n := len(want.Records); n > 0 {
		got, err := ReadSplit(src, s, want.Next)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Records) > 0 {
			t.Fatalf("split %s opened at its end: %d records", s.ID, len(got.Records))
		}
	}
	var readers sync.WaitGroup
	all := make([]Read, 3)
	errs := make([]error, len(all))
	for i := range all {
		readers.Go(func() { all[i], errs[i] = ReadSplit(src, s, sources.Position{}) })
	}
	if err := leaveEarly(src, s); err != nil {
		t.Errorf("split %s: %v", s.ID, err)
	}
	readers.Wait()
	for i, got := range all {
		if errs[i] != nil {
			t.Fatalf("split %s, one of several readers: %v", s.ID, errs[i])
		}
		same("one of several readers", got, 0)
	}
	cancelled(t, src, s)
}

// leaveEarly reads one batch and closes the reader; the batch stays.
func leaveEarly(src sources.Source, s sources.Split) error {
	r, err := src.Open(context.Background(), s, sources.Position{})
	if err != nil {
		return err
	}
	b, err := r.Next(context.Background())
	if e := r.Close(); e != nil {
		return e
	}
	if err != nil {
		return nil // an end, or an error that every reader meets there
	}
	defer b.Rows.Release()
	_, err = records(src, b)
	return err
}

// cancelled: a context that has ended stops Open and Next; a reader can be closed twice.
func cancelled(t *testing.T, src sources.Source, s sources.Split) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := src.Open(ctx, s, sources.Position{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("split %s: Next after the context ended: %v", s.ID, err)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Errorf("split %s: close: %v", s.ID, err)
		}
	}
	if _, err := r.Next(context.Background()); err == nil || err == io.EOF {
		t.Errorf("split %s: Next after Close: %v", s.ID, err)
	}
	if r, err := src.Open(ctx, s, sources.Position{}); !errors.Is(err, context.Canceled) {
		t.Errorf("split %s: Open after the context ended: %v", s.ID, err)
		if r != nil {
			r.Close()
		}
	}
}

// ReadSplit reads a split from a position to its end, checks that each batch is sound in itself, and
// releases them. Its own error is a broken promise of the reader, or that of Open.
func ReadSplit(src sources.Source, s sources.Split, from sources.Position) (Read, error) {
	ctx := context.Background()
	r, err := src.Open(ctx, s, from)
	if err != nil {
		return Read{}, err
	}
	defer r.Close()
	at := from
	if from.Row == 0 {
		at = s.Start
	}
	out := Read{Next: at}
	for {
		b, err := r.Next(ctx)
		if err != nil {
			out.Err = err
			if _, again := r.Next(ctx); again != err {
				return out, fmt.Errorf("after the end with %v, Next says %v", err, again)
			}
			return out, nil
		}
		recs, err := records(src, b)
		b.Rows.Release()
		if err != nil {
			return out, err
		}
		if got := b.Next.Row - out.Next.Row; got != int64(len(recs)) {
			return out, fmt.Errorf("a batch of %d records goes from row %d to %d", len(recs), out.Next.Row, b.Next.Row)
		}
		if len(recs) == 0 && b.Next.Blank == out.Next.Blank {
			return out, fmt.Errorf("a batch with nothing in it at %+v", b.Next)
		}
		out.Records = append(out.Records, recs...)
		out.Next = b.Next
	}
}

// records puts the good and the bad of a batch back in order.
func records(src sources.Source, b sources.Batch) ([]Record, error) {
	if !b.Rows.Schema().Equal(src.Schema()) {
		return nil, fmt.Errorf("the batch has the schema %v, the source %v", b.Rows.Schema(), src.Schema())
	}
	if int(b.Rows.NumRows()) != len(b.Pos) {
		return nil, fmt.Errorf("%d rows with %d positions", b.Rows.NumRows(), len(b.Pos))
	}
	var recs []Record
	for i, p := range b.Pos {
		rec := Record{Pos: p}
		for _, col := range b.Rows.Columns() {
			text := cell.AppendText(nil, col, i) // a copy: the batch is released
			if col.IsNull(i) {
				text = []byte("NULL")
			}
			rec.Fields = append(rec.Fields, string(text))
		}
		recs = append(recs, rec)
	}
	for _, bad := range b.Bad {
		if bad.Rule == "" || bad.Message == "" {
			return nil, fmt.Errorf("a bad row without a rule or message: %+v", bad)
		}
		recs = append(recs, Record{bad.Pos, bad.Fields, bad.Rule, bad.Column, bad.Message, bad.Raw})
	}
	if !slices.IsSortedFunc(b.Bad, func(x, y sources.BadRow) int { return int(x.Pos.Row - y.Pos.Row) }) {
		return nil, fmt.Errorf("the bad rows are not in order")
	}
	slices.SortStableFunc(recs, func(x, y Record) int { return int(x.Pos.Row - y.Pos.Row) })
	for i := 1; i < len(recs); i++ {
		if recs[i].Pos.Row == recs[i-1].Pos.Row {
			return nil, fmt.Errorf("row %d is in the batch twice", recs[i].Pos.Row)
		}
	}
	return recs, nil
}
