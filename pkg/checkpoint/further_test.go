package checkpoint_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"migrate/pkg/checkpoint"
)

// TestFurther: the rest of a chunk's rows is carried by several jobs, one after another, those first whose rows have failed least often. A
// restart finds the one that is under way, else the one whose turn is next, and the books balance all the while.
func TestFurther(t *testing.T) {
	s, _ := create(t)
	_, b := cut(t, s, 0, 12, 10)
	ledger := func() checkpoint.Ledger {
		t.Helper()
		l, err := s.Ledger(ctx, "accounts")
		if err != nil || !l.Balanced() {
			t.Fatalf("ledger %+v, %v", l, err)
		}
		return l
	}
	found := func(want checkpoint.BulkJob) {
		t.Helper()
		u, err := s.Unsettled(ctx, "accounts")
		if err != nil || len(u) != 1 {
			t.Fatalf("%d unsettled chunks, %v", len(u), err)
		}
		if diff := cmp.Diff(want, u[0].BulkJob); diff != "" {
			t.Errorf("a restart finds (-want +got):\n%s", diff)
		}
	}
	settle := func(b checkpoint.BulkJob, o checkpoint.Outcome, further ...checkpoint.Further) checkpoint.BulkJob {
		t.Helper()
		b.SalesforceID, b.State = fmt.Sprint("750", b.ID), checkpoint.BulkClosed
		if err := s.Advance(ctx, b, b.State); err != nil {
			t.Fatal(err)
		}
		found(b)
		next, err := s.Settle(ctx, checkpoint.Settlement{BulkJob: b, Outcome: o, Further: further})
		if err != nil {
			t.Fatal(err)
		}
		if next.ID != 0 {
			found(next)
		}
		return next
	}
	is := func(b checkpoint.BulkJob, attempt, retries int, rows ...int64) {
		t.Helper()
		want := checkpoint.BulkJob{ID: b.ID, Chunk: b.Chunk, Attempt: attempt, Retries: retries, State: checkpoint.BulkCut, Rows: int64(len(rows)), Selection: rows}
		if diff := cmp.Diff(want, b); diff != "" {
			t.Errorf("next job (-want +got):\n%s", diff)
		}
	}
	rows := func(rows ...int64) checkpoint.Further { return checkpoint.Further{Selection: rows} }
	failed := func(rows ...int64) checkpoint.Further { return checkpoint.Further{Selection: rows, Failed: true} }

	b = settle(b, checkpoint.Outcome{Succeeded: 3}, failed(0, 1), failed(5, 6, 7), rows(8, 9))
	is(b, 2, 0, 8, 9)
	if l := ledger(); l.Pending != 7 || l.Again != 5 || l.Resent != 0 {
		t.Errorf("ledger %+v", l)
	}
	b = settle(b, checkpoint.Outcome{}, failed(8), failed(9))
	is(b, 2, 1, 0, 1)
	next, err := s.Replace(ctx, b, "never closed")
	if err != nil {
		t.Fatal(err)
	}
	is(next, 2, 1, 0, 1)
	b = settle(next, checkpoint.Outcome{Succeeded: 1}, failed(1))
	is(b, 2, 1, 5, 6, 7)
	if l := ledger(); l.Pending != 6 || l.Again != 6 || l.Resent != 2 {
		t.Errorf("ledger %+v", l)
	}
	b = settle(b, checkpoint.Outcome{Succeeded: 2, Failed: 1})
	is(b, 3, 1, 8)
	b = settle(b, checkpoint.Outcome{Unaccounted: 1})
	is(b, 3, 1, 9)
	b = settle(b, checkpoint.Outcome{Succeeded: 1})
	is(b, 3, 2, 1)
	if b = settle(b, checkpoint.Outcome{Failed: 1}); b.ID != 0 {
		t.Errorf("a job is left: %+v", b)
	}
	want := checkpoint.Ledger{Read: 12, Rejected: 2, Outcome: checkpoint.Outcome{Succeeded: 7, Failed: 2, Unaccounted: 1}, Chunks: 1, Jobs: 7, Resent: 8}
	if diff := cmp.Diff(want, ledger()); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	if u, err := s.Unsettled(ctx, "accounts"); err != nil || len(u) != 0 {
		t.Errorf("%d unsettled chunks, %v", len(u), err)
	}
}
