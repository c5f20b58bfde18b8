package sources

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sort"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// SpoolOptions say how a file that Query.Spool wrote is read.
type SpoolOptions struct {
	Name string // what messages and reports call it; "" is its path
	// Rows is how many rows the query has, where the file holds only the first of them. They are the end of the split then.
	Rows int64
	// BatchRows ends a batch; batches are also those of the file. Default 8192.
	BatchRows int
	// Allocator is where record batches get their memory. Default memory.DefaultAllocator.
	Allocator memory.Allocator
}

// Spooled is the result of a query in a file. It is safe for concurrent use.
type Spooled struct {
	opt    SpoolOptions
	schema *arrow.Schema
	split  Split
}

var _ Source = (*Spooled)(nil)

// OpenSpool reads the end of a file that Query.Spool wrote. The file does not stay open.
func OpenSpool(path string, opt SpoolOptions) (*Spooled, error) {
	if opt.BatchRows <= 0 {
		opt.BatchRows = queryBatch
	}
	if opt.Allocator == nil {
		opt.Allocator = memory.DefaultAllocator
	}
	s := &Spooled{opt: opt}
	name, file := named(path, map[string]string{path: opt.Name})
	s.split = Split{ID: "query", Path: name, File: file, Start: Position{Line: 1}, Spool: true}
	f, r, err := openSpool(s.split, opt.Allocator)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	defer r.Close()
	s.schema = r.Schema()
	starts, err := spoolIndex(s.split, r.NumRecords())
	if err != nil {
		return nil, err
	}
	s.split.End = max(starts[len(starts)-1], opt.Rows)
	if s.split.Fingerprint, err = fingerprint(f); err != nil {
		return nil, err
	}
	return s, nil
}

func openSpool(s Split, mem memory.Allocator) (f *os.File, r *ipc.FileReader, err error) {
	if f, err = openRegular(s.disk()); err != nil {
		return nil, nil, err
	}
	err = unharmed(func() (err error) {
		r, err = ipc.NewFileReader(f, ipc.WithAllocator(mem))
		return err
	})
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("%s: the spooled result in %s cannot be read: %w", s.Path, s.disk(), err)
	}
	return f, r, nil
}

// unharmed turns a panic of the library, which a damaged file may bring about, into an error.
func unharmed(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file is damaged: %v", p)
		}
	}()
	return f()
}

// spoolIndex gives the first row of each batch, and the number of all rows behind them.
func spoolIndex(s Split, batches int) ([]int64, error) {
	index, err := os.ReadFile(s.disk() + indexSuffix)
	if err != nil {
		return nil, fmt.Errorf("%s: the index of the spooled result: %w", s.Path, err)
	}
	if len(index) != 4*batches {
		return nil, fmt.Errorf("%s: the index of the spooled result in %s does not belong to it", s.Path, s.disk())
	}
	starts := []int64{0}
	for ; len(index) > 0; index = index[4:] {
		starts = append(starts, starts[len(starts)-1]+int64(binary.LittleEndian.Uint32(index)))
	}
	return starts, nil
}

// Schema has the columns of the query with the types that they have in the database.
func (s *Spooled) Schema() *arrow.Schema { return s.schema }

// Splits is the file as a whole.
func (s *Spooled) Splits() []Split { return []Split{s.split} }

// Open opens the file at a row; the rows before it are not read.
func (s *Spooled) Open(ctx context.Context, sp Split, from Position) (Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, r, err := openSpool(sp, s.opt.Allocator)
	if err != nil {
		return nil, err
	}
	now, err := fingerprint(f)
	if err == nil {
		if d := sp.Fingerprint.Diff(now); d != "" {
			err = fmt.Errorf("%s: %w: %s", sp.Path, ErrChanged, d)
		}
	}
	if err != nil {
		r.Close()
		f.Close()
		return nil, err
	}
	return newSpoolReader(sp, from, f, r, s.opt.BatchRows)
}

// newSpoolReader reads an open file from a row on. The file is closed with the reader, or when there is none.
func newSpoolReader(s Split, from Position, f *os.File, r *ipc.FileReader, batchRows int) (_ Reader, err error) {
	defer func() {
		if err != nil {
			r.Close()
			f.Close()
		}
	}()
	starts, err := spoolIndex(s, r.NumRecords())
	if err != nil {
		return nil, err
	}
	if rows := starts[len(starts)-1]; from.Row < 0 || from.Row > rows {
		return nil, fmt.Errorf("open split %s: position %+v is outside its file, which has %d rows", s.ID, from, rows)
	}
	return &spoolReader{split: s, file: f, ipc: r, starts: starts, row: from.Row, most: int64(batchRows)}, nil
}

type spoolReader struct {
	split  Split
	file   *os.File
	ipc    *ipc.FileReader
	starts []int64 // first row of each batch
	row    int64
	most   int64
	err    error
}

func (r *spoolReader) Next(ctx context.Context) (Batch, error) {
	if r.err != nil {
		return Batch{}, r.err
	}
	if err := ctx.Err(); err != nil {
		return Batch{}, err
	}
	if r.row >= r.starts[len(r.starts)-1] {
		r.err = io.EOF
		return Batch{}, r.err
	}
	at := sort.Search(len(r.starts), func(i int) bool { return r.starts[i] > r.row }) - 1
	var whole arrow.RecordBatch
	err := unharmed(func() (err error) {
		whole, err = r.ipc.RecordBatchAt(at)
		return err
	})
	if err == nil && whole.NumRows() != r.starts[at+1]-r.starts[at] {
		whole.Release()
		err = fmt.Errorf("the batch has %d rows, the index says %d", whole.NumRows(), r.starts[at+1]-r.starts[at])
	}
	if err != nil {
		r.err = fmt.Errorf("%s: row %d: %w", r.split.Path, r.row+1, err)
		return Batch{}, r.err
	}
	defer whole.Release()
	first := r.row - r.starts[at]
	n := min(whole.NumRows()-first, r.most)
	b := Batch{Rows: whole.NewSlice(first, first+n)}
	for i := range n {
		b.Pos = append(b.Pos, rowPosition(r.row+i))
	}
	r.row += n
	b.Next = rowPosition(r.row)
	return b, nil
}

// rowPosition is the position of a row where there are no lines.
func rowPosition(row int64) Position { return Position{Row: row, Offset: row, Line: row + 1} }

func (r *spoolReader) Close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	r.err = fmt.Errorf("read %s: %w", r.split.Path, os.ErrClosed)
	r.ipc.Close()
	return f.Close()
}
