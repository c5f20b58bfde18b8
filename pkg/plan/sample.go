package plan

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"migrate/pkg/sources"
	"migrate/pkg/transform"
)

// Sample is the beginning of a source: the rows that a sketch looks at. It is not safe for concurrent use.
type Sample struct {
	Source sources.Source
	Rows   int64 // in the sample
	Bad    int64 // malformed ones that were passed over

	batches []arrow.RecordBatch
}

// ReadSample reads the first rows of a source, at most so many. The caller releases the sample.
func ReadSample(ctx context.Context, src sources.Source, rows int64) (_ *Sample, err error) {
	s := &Sample{Source: src}
	defer func() {
		if err != nil {
			s.Release()
		}
	}()
	for _, split := range src.Splits() {
		if s.Rows >= rows {
			break
		}
		if err := s.read(ctx, split, rows); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Sample) read(ctx context.Context, split sources.Split, rows int64) error {
	r, err := s.Source.Open(ctx, split, split.Start)
	if err != nil {
		return err
	}
	defer r.Close()
	for s.Rows < rows {
		b, err := r.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		n := min(b.Rows.NumRows(), rows-s.Rows)
		s.batches = append(s.batches, b.Rows.NewSlice(0, n))
		b.Rows.Release()
		s.Rows += n
		s.Bad += int64(len(b.Bad))
	}
	return nil
}

// SpoolHead is Spool of the first rows of a table; the query is one that Table made.
func (q Query) SpoolHead(ctx context.Context, path string, rows int64, lookup func(string) (string, bool)) (Source, error) {
	dsn, err := expand(q.DSN, lookup)
	if err != nil {
		return Source{}, fmt.Errorf("database %s: %w", q.From, err)
	}
	q.SQL = sources.Query{DSN: dsn}.Head(q.Name, rows).SQL
	return q.Spool(ctx, path, lookup)
}

// Release gives the memory of the rows back.
func (s *Sample) Release() {
	for _, b := range s.batches {
		b.Release()
	}
	s.batches = nil
}

// part is a smaller sample: from a row on, at most so many, as far as they lie together. The caller releases it.
func (s *Sample) part(row, rows int64) *Sample {
	p := &Sample{Source: s.Source}
	for _, b := range s.batches {
		if n := b.NumRows(); row < n {
			p.Rows = min(rows, n-row)
			p.batches = []arrow.RecordBatch{b.NewSlice(row, row+p.Rows)}
			break
		}
		row -= b.NumRows()
	}
	return p
}

// String says how much the sample is, in a sentence: the first 1000 rows.
func (s *Sample) String() string {
	if s.Rows == 1 {
		return "the first row"
	}
	return fmt.Sprintf("the first %d rows", s.Rows)
}

// trial is what the sample's values of one column become.
type trial struct {
	values []string // by row; "" where the value is empty or refused
	filled int      // values that are neither
	bad    int      // refused
}

// try carries out the steps of a field on the sample. The error is that of transform.Compile: the column does not go with the field.
func (s *Sample) try(f transform.Field, timezone string) (trial, error) {
	p, err := transform.Compile(transform.Mapping{Fields: []transform.Field{f}, Timezone: timezone}, s.Source.Schema())
	if err != nil {
		return trial{}, err
	}
	var t trial
	for _, b := range s.batches {
		result, err := p.Apply(b, nil)
		if err != nil {
			return trial{}, err
		}
		values := make([]string, b.NumRows())
		column := result.Rows.Column(0).(*array.String)
		for i := range column.Len() {
			if v := column.Value(i); v != "" {
				values[result.Input(i)] = v
				t.filled++
			}
		}
		t.values = append(t.values, values...)
		t.bad += len(result.Rejects)
		result.Rows.Release()
	}
	return t, nil
}
