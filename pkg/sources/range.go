package sources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/singleflight"
)

// RangeSplit is what a Split of a query in ranges holds beyond the rest: the rows with From ≤ Key < Below. Bounds are literals of
// the database's SQL.
type RangeSplit struct {
	Key   string `json:"key"`             // a column
	From  string `json:"from,omitempty"`  // "" = no bound
	Below string `json:"below,omitempty"` // "" = no bound
	Nulls bool   `json:"nulls,omitempty"` // rows without a key are among them, too
}

// condition is what is true for the rows of the range, with the name of the key as given; "" where all rows are.
func (s RangeSplit) condition(key string) string {
	var bounds []string
	if s.From != "" {
		bounds = append(bounds, key+" >= "+s.From)
	}
	if s.Below != "" {
		bounds = append(bounds, key+" < "+s.Below)
	}
	text := strings.Join(bounds, " and ")
	if s.Nulls && text != "" {
		text += " or " + key + " is null"
	}
	return text
}

// RangesOptions say how a query that Query.Divide has cut is read.
type RangesOptions struct {
	// Query is the one that was cut. Its DSN may be another one now, and is not needed when all ranges are Spooled.
	Query Query
	// BatchRows ends a batch; batches are also those of the files. Default 8192.
	BatchRows int
	// Allocator is where record batches get their memory. Default memory.DefaultAllocator.
	Allocator memory.Allocator
}

// Ranges is a query that is read in ranges of a key. The database is asked for a range when it is first opened: its rows go into a file
// beside the one that Query.Divide wrote, from which this and every later reader reads. Together the ranges hold each row
// once, if keys stay what they are; each range is as the database was when it was read.
//
// The End of a split says how many rows it would have if keys were spread evenly. The sum of them is the number of rows that the query had
// when it was cut.
//
// Ranges is safe for concurrent use, also by several of them over the same files in one process.
type Ranges struct {
	opt    RangesOptions
	schema *arrow.Schema
	splits []Split

	mu   sync.Mutex
	seen map[string]bool // files that were opened: they do not come again
}

var _ Source = (*Ranges)(nil)

// spooling makes readers that want the same file wait for the one that asks the database.
var spooling singleflight.Group

// OpenRanges reads the file that Query.Divide wrote. The database is not asked.
func OpenRanges(path string, opt RangesOptions) (*Ranges, error) {
	if opt.BatchRows <= 0 {
		opt.BatchRows = queryBatch
	}
	if opt.Allocator == nil {
		opt.Allocator = memory.DefaultAllocator
	}
	name := opt.Query.Name
	f, r, err := openSpool(Split{Path: name, File: path}, opt.Allocator)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	defer r.Close()
	text, found := r.Schema().Metadata().GetValue(rangesKey)
	var list []divided
	if err := json.Unmarshal([]byte(text), &list); !found || err != nil {
		return nil, fmt.Errorf("%s: %s holds no ranges of a query", name, path)
	}
	out := &Ranges{opt: opt, schema: arrow.NewSchema(r.Schema().Fields(), nil), seen: map[string]bool{}}
	for i, d := range list {
		s := Split{ID: fmt.Sprintf("range %d", i+1), Path: name, File: fmt.Sprintf("%s.%03d", path, i+1), Start: Position{Line: 1},
			End: d.Rows, Spool: true, Range: &d.RangeSplit}
		if bounds := d.condition(d.Key); bounds != "" {
			s.Path = fmt.Sprintf("%s (%s)", name, bounds)
		}
		out.splits = append(out.splits, s)
	}
	return out, nil
}

// Schema has the columns of the query with the types that they have in the database.
func (r *Ranges) Schema() *arrow.Schema { return r.schema }

// Splits are the ranges, the lowest keys first.
func (r *Ranges) Splits() []Split { return slices.Clone(r.splits) }

// Rows is how many rows the query had when it was cut.
func (r *Ranges) Rows() int64 {
	var n int64
	for _, s := range r.splits {
		n += s.End
	}
	return n
}

// Spooled reports whether all ranges are in files, so that the database is not needed any more.
func (r *Ranges) Spooled() bool {
	return !slices.ContainsFunc(r.splits, func(s Split) bool { _, err := os.Stat(s.File); return err != nil })
}

// Open opens a range at a row. The first to do so asks the database and waits until it has all rows of the range.
func (r *Ranges) Open(ctx context.Context, s Split, from Position) (Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.Range == nil {
		return nil, fmt.Errorf("open split %s: it is no range of a query", s.ID)
	}
	if err := r.fetch(ctx, s, from.Row > 0); err != nil {
		return nil, err
	}
	f, file, err := openSpool(s, r.opt.Allocator)
	if err != nil {
		return nil, err
	}
	if err := unaltered(s, r.schema, file.Schema()); err != nil {
		file.Close()
		f.Close()
		return nil, err
	}
	r.mu.Lock()
	r.seen[s.File] = true
	r.mu.Unlock()
	return newSpoolReader(s, from, f, file, r.opt.BatchRows)
}

// fetch sees to it that the file of a range is there. One that was read before is not made again: it might have other rows.
func (r *Ranges) fetch(ctx context.Context, s Split, begun bool) error {
	r.mu.Lock()
	begun = begun || r.seen[s.File]
	r.mu.Unlock()
	for {
		if _, err := os.Stat(s.File); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if begun {
			return altered(fmt.Sprintf("%s: rows of it were read already, and %s, which held them, is gone", s.Path, s.File))
		}
		_, err, shared := spooling.Do(s.File, func() (any, error) {
			if _, err := os.Stat(s.File); err == nil { // since it was looked for
				return nil, nil
			}
			return nil, r.spool(ctx, s)
		})
		if shared && errors.Is(err, context.Canceled) && ctx.Err() == nil {
			continue // it was the other one's context that ended
		}
		if err != nil {
			return err
		}
	}
}

// spool asks the database for a range.
func (r *Ranges) spool(ctx context.Context, s Split) error {
	q := r.opt.Query
	q.Name = s.Path
	return q.read(ctx, func(t reading) error {
		result, err := t.query(ctx, q.where(s.Range.condition(quoteColumn(t.driver, s.Range.Key))))
		if err != nil {
			return err
		}
		defer result.Close()
		if err := unaltered(s, r.schema, result.schema); err != nil {
			return err
		}
		_, err = writeSpool(s.File, result.schema, result.append)
		return err
	})
}

// unaltered refuses a range whose columns are not those that the query had when it was cut.
func unaltered(s Split, want, got *arrow.Schema) error {
	if err := sameFields("the query as it was", want, s.Path, got); err != nil {
		return altered(fmt.Sprintf("%v; the table has been altered", err))
	}
	return nil
}

// altered is an ErrChanged in other words.
type altered string

func (a altered) Error() string { return string(a) }
func (a altered) Unwrap() error { return ErrChanged }
