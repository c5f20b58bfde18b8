package pipeline_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/pipeline"
	"migrate/pkg/transform"
)

// TestClaimsLastAsLongAsTheRun: what rows claim is there until the last job is done, gone then, whichever process ended which job; and a
// run does not go on without it.
func TestClaimsLastAsLongAsTheRun(t *testing.T) {
	b := newBench(t, localorg.Config{}, "Name\na\nb\na\n", nil)
	var err error
	b.job.Mapping, err = transform.Compile(transform.Mapping{Unique: []string{"Name"}, Fields: []transform.Field{{To: "Name", From: "Name"}}}, b.job.Source.Schema())
	if err != nil {
		t.Fatal(err)
	}
	store, jobs := b.several(t, []pipeline.Job{{Name: "one"}, {Name: "two", First: "one", After: []string{"one"}}})
	claims := filepath.Join(b.dir, "unique-one.db")
	away := errors.New("the org is away")
	calls, breaks := 0, 2
	org := &gate{b.client, func(context.Context) error {
		if calls++; calls == breaks {
			return away
		}
		return nil
	}}
	run := func(jobs []pipeline.Job) (pipeline.Summary, error) {
		return pipeline.Run(t.Context(), pipeline.Config{Dir: b.dir, Checkpoint: store, Org: org, Jobs: jobs, PollEvery: time.Millisecond})
	}
	if _, err := run(jobs); !errors.Is(err, away) {
		t.Fatal(err)
	}
	text, err := os.ReadFile(claims)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(claims); err != nil {
		t.Fatal(err)
	}
	if _, err := run(jobs[1:]); err == nil || !strings.Contains(err.Error(), "unique-one.db is gone; it says which rows of job one were the first") {
		t.Fatal(err)
	}
	if err := os.WriteFile(claims, text, 0o600); err != nil {
		t.Fatal(err)
	}
	sum, err := run(jobs[1:])
	if err != nil || sum.Total.Succeeded != 4 || sum.Total.Rejected != 2 {
		t.Fatal(err, sum.Total)
	}
	if left, _ := filepath.Glob(filepath.Join(b.dir, "unique-*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}
