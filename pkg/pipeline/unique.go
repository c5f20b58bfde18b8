package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"

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

// openClaims opens what the rows of the job claim. A second pass over a source finds the claims of the first.
func (j *jobRun) openClaims(ctx context.Context, dir string) (err error) {
	if j.Mapping.Unique() {
		j.claims, err = checkpoint.OpenClaims(ctx, claimsFile(dir, cmp.Or(j.First, j.Name)))
	}
	return err
}

func (j *jobRun) closeClaims() error {
	if j.claims == nil {
		return nil
	}
	return j.claims.Close()
}

func claimsFile(dir, job string) string { return filepath.Join(dir, "unique-"+job+".db") }

// forgetClaims removes the files of jobs that are all done.
func (r *run) forgetClaims() error {
	var errs []error
	for _, j := range r.Jobs {
		if j.Mapping.Unique() {
			errs = append(errs, checkpoint.RemoveClaims(claimsFile(r.Dir, j.Name)))
		}
	}
	return errors.Join(errs...)
}
