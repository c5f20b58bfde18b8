package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"

	"migrate/pkg/sources"
)

// Forecast is what a job would do. Without Exact it is reckoned from the first rows of each split.
type Forecast struct {
	Read, Filtered, Rejected int64
	Rows                     int64              // that would be sent
	Bytes                    int64              // of their uploads
	Rules                    map[string]int64   // rejected rows by rule, of those that were looked at
	Doubts                   map[string]int64   // values that the org would refuse or change, by field and reason: "Name too_long"
	Example                  map[string]Example // the first for each rule and each doubt
	Exact                    bool               // all rows were looked at

	Jobs    int64 // ingest jobs
	Batches int64 // of the org's daily allocation: one for 10,000 rows and one for each job
	Calls   int64 // of the API, at least: each job is created, uploaded, closed, looked at a few times, and its results are read
}

// Example is a row.
type Example struct {
	File    string
	Line    int64
	Message string
}

const (
	// SampleRows is how many rows of a split are read for a forecast, where not all are.
	SampleRows = 20_000
	// CallsOfAJob is about how many API calls an ingest job takes: create, upload and close it, look at it, read its results.
	CallsOfAJob = 3 + 4 + 2
	batchRows   = 10_000 // of the org's internal batches (Bulk API 2.0 guide, Limits)
)

// Foresee reads a job's rows and tells what would become of them before they are sent. Nothing is written and the org is not
// asked, save by lookups that the mapping brings along. With all it reads every row, else the first of each split. dir is a folder for
// what it must remember meanwhile.
func Foresee(ctx context.Context, j Job, o Options, all bool, dir string) (total Forecast, err error) {
	o = o.withDefaults()
	total = Forecast{Rules: map[string]int64{}, Doubts: map[string]int64{}, Example: map[string]Example{}, Exact: true}
	run := &jobRun{Job: j}
	if err := run.openClaims(ctx, dir); err != nil {
		return Forecast{}, err
	}
	defer func() { err = errors.Join(err, run.closeClaims()) }()
	left := j.Limit
	chunkRows := o.ChunkRows
	if j.Grouped {
		chunkRows = min(chunkRows, batchRows)
	}
	for _, s := range j.Source.Splits() {
		if j.Limit > 0 && left == 0 {
			break
		}
		most := int64(0)
		if !all {
			most = SampleRows
		}
		if j.Limit > 0 && (most == 0 || left < most) {
			most = left
		}
		f, share, err := run.foresee(ctx, s, most, &total)
		if err != nil {
			return Forecast{}, fmt.Errorf("split %s: %w", s.ID, err)
		}
		if j.Limit > 0 && f.Read >= most { // the limit ended it, not the sample
			share = 1
		}
		if share < 1 {
			total.Exact = false
		}
		if share == 0 {
			share = 1 // at least these
		}
		grow := func(n int64) int64 { return int64(float64(n) / share) }
		total.Read += grow(f.Read)
		total.Filtered += grow(f.Filtered)
		total.Rejected += grow(f.Rejected)
		total.Rows += grow(f.Rows)
		total.Bytes += grow(f.Bytes)
		if j.Limit > 0 {
			left = max(0, left-f.Read)
		}
		if rows := grow(f.Read); rows > 0 { // a chunk belongs to one split
			chunks := max((rows+chunkRows-1)/chunkRows, (grow(f.Bytes)+o.ChunkBytes-1)/o.ChunkBytes)
			if f.Rows == 0 {
				chunks = 0
			}
			total.Jobs += chunks
		}
	}
	total.Batches = (total.Rows+batchRows-1)/batchRows + total.Jobs
	total.Calls = CallsOfAJob * total.Jobs
	return total, nil
}

// foresee reads up to most rows of a split, 0 for all, and gives the share of the split that they are; 0 when nobody knows, as in a
// compressed file.
func (j *jobRun) foresee(ctx context.Context, s sources.Split, most int64, total *Forecast) (Forecast, float64, error) {
	var f Forecast
	r, err := j.Source.Open(ctx, s, s.Start)
	if err != nil {
		return f, 1, err
	}
	defer r.Close()
	header := int64(len(j.header()))
	var row []byte
	var at int64 // byte where the looked at rows end
	for {
		b, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			f.Bytes += header
			return f, 1, nil
		}
		if err != nil {
			return f, 1, err
		}
		err = func() error {
			defer b.Rows.Release()
			end := b.Next.Row
			if most > 0 {
				end = min(end, s.Start.Row+most)
			}
			n := sort.Search(len(b.Pos), func(i int) bool { return b.Pos[i].Row >= end })
			if at = b.Next.Offset; n < len(b.Pos) {
				at = b.Pos[n].Offset
			}
			rows := b.Rows.NewSlice(0, int64(n))
			defer rows.Release()
			b.Bad = b.Bad[:sort.Search(len(b.Bad), func(i int) bool { return b.Bad[i].Pos.Row >= end })]
			out, err := j.Mapping.Apply(rows, j.claim(ctx, s, b.Pos))
			if err != nil {
				return err
			}
			defer out.Rows.Release()
			cols := stringColumns(out.Rows)
			for i := range int(out.Rows.NumRows()) {
				row = j.encode(row[:0], cols, i)
				f.Bytes += int64(len(row))
				for k, column := range j.Columns {
					if column.Doubt == nil {
						continue
					}
					if rule, why := column.Doubt(cols[k].Value(i)); rule != "" {
						note(total.Doubts, total.Example, column.Header+" "+rule, b.Pos[out.Input(i)].PathOr(s), b.Pos[out.Input(i)].Line, why)
					}
				}
			}
			f.Read = end - s.Start.Row
			f.Rows += out.Rows.NumRows()
			f.Rejected += int64(len(out.Rejects) + len(b.Bad))
			for _, bad := range out.Rejects {
				note(total.Rules, total.Example, bad.Rule, b.Pos[bad.Row].PathOr(s), b.Pos[bad.Row].Line, bad.Message)
			}
			for _, bad := range b.Bad {
				note(total.Rules, total.Example, bad.Rule, bad.Pos.PathOr(s), bad.Pos.Line, bad.Message)
			}
			f.Filtered = f.Read - f.Rows - f.Rejected
			return nil
		}()
		if err != nil {
			return f, 1, err
		}
		if most > 0 && f.Read >= most {
			share := 0.0
			if whole := s.End - s.Start.Offset; whole > 0 {
				share = min(1, max(float64(at-s.Start.Offset)/float64(whole), 1e-9))
			}
			return f, share, nil
		}
	}
}

// note counts by a reason and keeps the first example.
func note(counts map[string]int64, examples map[string]Example, reason, file string, line int64, message string) {
	counts[reason]++
	if _, known := examples[reason]; !known {
		examples[reason] = Example{file, line, message}
	}
}
