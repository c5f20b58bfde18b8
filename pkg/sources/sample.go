package sources

import (
	"context"
	"errors"
	"io"

	"migrate/pkg/cell"
)

// Looks is what the first rows of a source say of the whole.
type Looks struct {
	Rows     int64 // about how many there are, at least those that were looked at
	Repeated bool  // some rows are equal in the columns, and not empty in all of them
}

const (
	sampleRows = 20_000
	manyRows   = 500_000 // where nothing says how many there are
)

// Sample looks at up to 20,000 rows of a source, whether they repeat one another in the columns. Where it is known that there are only few
// rows it looks at none, and Looks has their number alone.
func Sample(ctx context.Context, src Source, columns []string, few int64) (Looks, error) {
	if n, ok := countOf(src.Splits()); ok && n <= few {
		return Looks{Rows: n}, nil
	}
	s := sampler{src: src, seen: map[string]bool{}}
	for _, name := range columns {
		s.keys = append(s.keys, src.Schema().FieldIndices(name)...)
	}
	unknown := false
	var looked, lookedAt, whole int64 // rows, and how much of the splits they are
	for _, sp := range src.Splits() {
		size := sp.End - sp.Start.Offset
		whole += max(size, 0)
		unknown = unknown || size <= 0
		if looked >= sampleRows {
			continue
		}
		n, at, err := s.look(ctx, sp, sampleRows-looked)
		if err != nil {
			return Looks{}, err
		}
		looked += n
		lookedAt += at.Offset - sp.Start.Offset
	}
	rows := looked
	switch {
	case looked < sampleRows: // all of them
	case unknown:
		rows = max(rows, manyRows)
	case lookedAt > 0:
		rows = max(rows, int64(float64(looked)*float64(whole)/float64(lookedAt)))
	}
	return Looks{Rows: rows, Repeated: s.repeated}, nil
}

// countOf is how many rows splits have, where they say it.
func countOf(splits []Split) (n int64, ok bool) {
	for _, s := range splits {
		if s.Parquet == nil && !s.Spool {
			return 0, false
		}
		n += s.End - s.Start.Offset
	}
	return n, true
}

type sampler struct {
	src      Source
	keys     []int // columns
	key      []byte
	seen     map[string]bool
	repeated bool
}

// look reads up to most rows of a split.
func (s *sampler) look(ctx context.Context, sp Split, most int64) (n int64, at Position, err error) {
	at = sp.Start
	r, err := s.src.Open(ctx, sp, sp.Start)
	if err != nil {
		return 0, at, err
	}
	defer r.Close()
	for n < most {
		b, err := r.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return n, at, nil
		case ctx.Err() != nil:
			return n, at, ctx.Err()
		case err != nil:
			return n, at, nil // who reads all of it meets the error, behind the rows before it
		}
		s.batch(b)
		n, at = b.Next.Row-sp.Start.Row, b.Next
		b.Rows.Release()
	}
	return n, at, nil
}

func (s *sampler) batch(b Batch) {
	for i := range int(b.Rows.NumRows()) {
		s.key = s.key[:0]
		for _, k := range s.keys {
			s.key = append(cell.AppendText(s.key, b.Rows.Column(k), i), 0)
		}
		if len(s.key) == len(s.keys) {
			continue // empty
		}
		s.repeated = s.repeated || s.seen[string(s.key)]
		s.seen[string(s.key)] = true
	}
}
