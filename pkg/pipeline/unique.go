package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"migrate/pkg/checkpoint"
	"migrate/pkg/sources"
	"migrate/pkg/transform"
)

// claim lets the rows of a batch claim what must be theirs alone, nil when the mapping asks for nothing of the kind. A row that is read
// once more finds itself: the same chunk comes out the same.
func (j *jobRun) claim(ctx context.Context, split sources.Split, pos []sources.Position) transform.Claim {
	if j.claims == nil {
		return nil
	}
	return func(rows []int, keys []string) ([]string, error) {
		list := make([]checkpoint.Claimant, len(rows))
		for i, row := range rows {
			list[i] = checkpoint.Claimant{Key: keys[i], Row: pos[row].Row, Line: pos[row].Line}
		}
		if j.run != nil { // nil: a forecast
			j.Events.step(StepWriteClaims)
		}
		owners, err := j.claims.Claim(ctx, split.ID, list)
		if err != nil {
			return nil, err
		}
		names := make([]string, len(owners))
		for i, o := range owners {
			if !o.Mine {
				names[i] = fmt.Sprintf("%s line %d", j.pathOf(o.Split), o.Line)
			}
		}
		return names, nil
	}
}

// pathOf is what the user calls the file of a split.
func (j *jobRun) pathOf(split string) string {
	for _, s := range j.Source.Splits() {
		if s.ID == split {
			return s.Path
		}
	}
	return split
}

// openClaims opens what the rows of the job claim. A second pass over a source finds the claims of the first. They must not be lost while
// rows are sent: the next row with a key would be the first.
func (j *jobRun) openClaims(ctx context.Context, dir string) error {
	if !j.Mapping.Unique() {
		return nil
	}
	job := cmp.Or(j.First, j.Name)
	path := filepath.Join(dir, claimsPrefix+job+".db")
	if j.run != nil { // nil: a forecast
		l, err := j.Checkpoint.Ledger(ctx, job)
		if err != nil {
			return err
		}
		if _, err := os.Stat(path); l.Read > 0 && errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is gone; it says which rows of job %s were the first with their key, and some of them were sent: bring it back, or begin a new run with the rows that are left", path, job)
		}
	}
	var err error
	j.claims, err = checkpoint.OpenClaims(ctx, path)
	return err
}

func (j *jobRun) closeClaims() error {
	if j.claims == nil {
		return nil
	}
	return j.claims.Close()
}

// claimsPrefix begins the names of the files with claims in the run folder, and of no others.
const claimsPrefix = "unique-"

// forgetClaims removes the files with claims of all jobs, also of those that an earlier process has done.
func (r *run) forgetClaims() error {
	entries, err := os.ReadDir(r.Dir)
	for _, e := range entries {
		if !e.IsDir() && strings.HasPrefix(e.Name(), claimsPrefix) {
			err = errors.Join(err, os.Remove(filepath.Join(r.Dir, e.Name())))
		}
	}
	return err
}
