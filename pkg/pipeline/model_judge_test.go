package pipeline_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
)

// modelReport is a row of a report.
type modelReport struct {
	no      int // of the row in the source
	file    string
	job     string
	code    string
	attempt int
	id      string
}

// judge holds what the run says of its rows against what the org knows. It reads the reports as far as they are recorded, and may be called
// while the run goes on; whole says that nothing is being written, so that the reports hold nothing else, final adds what must be true at the end.
func (m *modelRun) judge(whole, final bool) {
	ctx := context.Background()
	ledger, err := m.store.Ledger(ctx, "model")
	offsets, err2 := m.store.Offsets(ctx)
	var rows []modelReport
	for _, file := range append([]string{pipeline.SuccessFile}, pipeline.ReportFiles...) {
		rows = append(rows, m.report(file, offsets[file], whole)...)
	}
	o := m.org
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dead {
		return
	}
	if err != nil || err2 != nil {
		o.fault("the books cannot be read: %v, %v", err, err2)
		return
	}
	if !ledger.Balanced() {
		o.fault("ledger %+v", ledger)
	}
	seen := map[int]modelReport{}
	ids := map[string]bool{}
	for _, r := range rows {
		if other, twice := seen[r.no]; twice {
			o.fault("row %d is in %s and in %s", r.no, other.file, r.file)
		}
		seen[r.no] = r
		if r.id != "" && ids[r.id] {
			o.fault("row %d has the id %s, as another one", r.no, r.id)
		}
		ids[r.id] = true
		m.judgeRow(r)
	}
	if final {
		m.judgeEnd(ledger, seen)
	}
}

// judgeRow holds one row of a report against its job. mu is held.
func (m *modelRun) judgeRow(r modelReport) {
	o, row := m.org, m.row(r.no)
	if row.Kind == "filtered" || (row.Kind == "malformed") != (r.file == pipeline.RejectedFile) {
		o.fault("row %d, %q, is in %s", r.no, row.Kind, r.file)
	}
	if r.file == pipeline.RejectedFile {
		return
	}
	i := slices.IndexFunc(o.jobs, func(j *modelJob) bool { return j.id == r.job })
	if i < 0 || !slices.Contains(o.jobs[i].values, row.Value) {
		o.fault("row %d is in %s because of job %q, which did not have it", r.no, r.file, r.job)
		return
	}
	j := o.jobs[i]
	t := slices.IndexFunc(j.tries, func(t modelTry) bool {
		return t.value == row.Value && t.code == r.code && (r.id == "" || t.id == r.id)
	})
	switch r.file {
	case pipeline.SuccessFile, pipeline.FailedFile:
		if t < 0 {
			o.fault("row %d is in %s with %q %q, but job %s says %+v", r.no, r.file, r.code, r.id, j.id, j.tries)
		}
		if m.script.Equal {
			return
		}
		closed, whole, failed := 0, 0, 0
		for _, other := range o.jobs[:i+1] {
			if other.whole && slices.Contains(other.values, row.Value) {
				whole++
				if other.closed {
					closed++
				}
			}
			for _, t := range other.tries {
				if t.value == row.Value && t.code != "" {
					failed++
				}
			}
		}
		if r.file == pipeline.FailedFile && (r.attempt < closed || r.attempt > whole) { // a job that is aborted while it may have been closed counts
			o.fault("row %d: attempt %d in the report, it was in %d jobs, %d of them closed", r.no, r.attempt, whole, closed)
		}
		if r.file == pipeline.FailedFile && failed-1 < m.script.retries(r.code) {
			o.fault("row %d failed with %s, and was not sent again", r.no, r.code)
		}
	case pipeline.UnprocessedFile:
		had, tried := 0, 0
		for _, v := range j.values {
			if v == row.Value {
				had++
			}
		}
		for _, t := range j.tries {
			if t.value == row.Value {
				tried++
			}
		}
		if j.gone || tried == had {
			o.fault("row %d is in %s, but job %s has tried it", r.no, r.file, j.id)
		}
		fruitless := 0
		for _, other := range o.jobs[:i+1] {
			if other.whole && slices.Contains(other.values, row.Value) && len(other.tries) == 0 {
				fruitless++
			}
		}
		if j.end != "refused" && (len(j.tries) > 0 || fruitless < 3) {
			o.fault("row %d is given up after %d jobs of which the org has tried nothing; job %s: %q, %d rows tried", r.no, fruitless, j.id, j.end, len(j.tries))
		}
	case pipeline.UnaccountedFile:
		if !j.gone || !j.whole {
			o.fault("row %d is unaccounted, but job %s is there", r.no, j.id)
		}
	}
}

// judgeEnd holds the whole against the org: each row has one end, and it is the true one. mu is held.
func (m *modelRun) judgeEnd(l checkpoint.Ledger, seen map[int]modelReport) {
	o := m.org
	count := map[string]int{}
	byValue := map[int]map[string]int{}
	n := 0
	for _, split := range m.script.Splits {
		for _, r := range split {
			file := seen[n].file
			if file == "" {
				if r.Kind == "" && !m.script.Options.NoSuccess {
					o.fault("row %d is nowhere", n)
				}
				file = pipeline.SuccessFile
				if r.Kind != "" {
					file = r.Kind
				}
			}
			n++
			count[file]++
			if byValue[r.Value] == nil {
				byValue[r.Value] = map[string]int{}
			}
			byValue[r.Value][file]++
		}
	}
	want := checkpoint.Ledger{Read: int64(n), Filtered: int64(count["filtered"]), Rejected: int64(count[pipeline.RejectedFile]),
		Outcome: checkpoint.Outcome{Succeeded: int64(count[pipeline.SuccessFile]), Failed: int64(count[pipeline.FailedFile]),
			Unprocessed: int64(count[pipeline.UnprocessedFile]), Unaccounted: int64(count[pipeline.UnaccountedFile])},
		Chunks: l.Chunks, Jobs: l.Jobs, Resent: l.Resent}
	if l != want {
		o.fault("ledger %+v, the reports say %+v", l, want)
	}
	for v, saved := range o.saved {
		if s := byValue[v][pipeline.SuccessFile]; saved < s || saved > s+byValue[v][pipeline.UnaccountedFile] {
			o.fault("value %d is saved %d times, the reports say %v", v, saved, byValue[v])
		}
	}
	for file, c := range count {
		modelSeen.add("rows: "+file, c)
	}
}

func (m *modelRun) row(no int) modelRow {
	for _, split := range m.script.Splits {
		if no < len(split) {
			return split[no]
		}
		no -= len(split)
	}
	return modelRow{Kind: "not there"}
}

// report reads a report as far as it is recorded. When nothing is being written that must be all of it.
func (m *modelRun) report(file string, recorded int64, whole bool) []modelReport {
	if recorded == 0 && !whole {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(m.dir, file))
	if recorded == 0 && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if n := int64(len(text)); err != nil || n < recorded || whole && n > recorded {
		m.org.lockedFault("%s has %d bytes, %d are recorded (%v)", file, n, recorded, err)
		return nil
	}
	records, err := csv.NewReader(bytes.NewReader(text[:recorded])).ReadAll()
	if err != nil || len(records) == 0 {
		m.org.lockedFault("%s: %v", file, err)
		return nil
	}
	var rows []modelReport
	for _, rec := range records[1:] {
		at := func(column string) string {
			if i := slices.Index(records[0], column); i >= 0 {
				return rec[i]
			}
			return ""
		}
		r := modelReport{file: file, job: at("migrate_job"), id: at("sf__Id")}
		if file == pipeline.FailedFile {
			r.code = at("migrate_code")
		}
		r.attempt, _ = strconv.Atoi(at("migrate_attempt"))
		if r.no, err = strconv.Atoi(at("no")); err != nil {
			m.org.lockedFault("%s: %q", file, rec)
		}
		rows = append(rows, r)
	}
	return rows
}

func (o *modelOrg) lockedFault(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fault(format, args...)
}
