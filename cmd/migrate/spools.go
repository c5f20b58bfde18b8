package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/sources"
)

// spoolExt is in the names of the files of a run folder that hold rows of a query, and of no others: JOB.arrow, JOB.arrow.001,
// JOB.arrow.index. Those that begin with a dot were being written when the process ended.
const spoolExt = ".arrow"

// removeSpools removes the files with rows of queries and with answers to lookups: all of them, or those that were never finished.
func removeSpools(dir string, all bool) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		name := e.Name()
		spool, lookup := strings.Contains(name, spoolExt), strings.HasPrefix(name, lookupPrefix)
		if !e.IsDir() && (spool && strings.HasPrefix(name, ".") || all && (spool || lookup)) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, name)))
		}
	}
	return err
}

// goneRange says that the file of a range is missing although rows of it were sent. One of which none was is read anew.
func goneRange(sp checkpoint.Split, s sources.Split) error {
	var next sources.Position
	if err := json.Unmarshal([]byte(sp.Next), &next); err != nil {
		return fmt.Errorf("split %s: %w", sp.ID, err)
	}
	if next.Row == 0 {
		return nil
	}
	if _, err := os.Stat(s.File); err != nil {
		return fmt.Errorf("%s: %s, from which rows were sent, %w", s.Path, s.File, errSourceGone)
	}
	return nil
}

// withCounts adds a warning when a query that was read in ranges gave not as many rows as it had when the run began.
func withCounts(e pipeline.Events, jobs []pipeline.Job) pipeline.Events {
	ranges := map[string]*sources.Ranges{}
	for _, j := range jobs {
		if r, ok := j.Source.(*sources.Ranges); ok && j.Limit == 0 {
			ranges[j.Name] = r
		}
	}
	done := e.JobDone
	e.JobDone = func(job string, l checkpoint.Ledger) {
		if r := ranges[job]; r != nil && r.Rows() != l.Read {
			e.Warning(job, fmt.Sprintf("%s read, but the query had %s when the run began: the table was written to in between", count(l.Read, "row"), number(r.Rows())))
		}
		if done != nil {
			done(job, l)
		}
	}
	return e
}
