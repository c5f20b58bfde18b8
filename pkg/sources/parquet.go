package sources

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// ErrEncrypted is returned for Parquet files, or columns of them, that are encrypted.
var ErrEncrypted = errors.New("it is encrypted, and there is no way to give the key here; write it again without encryption")

// ParquetOptions say what is read of Parquet files.
type ParquetOptions struct {
	// Columns are the columns to read, named as in the schema; the name of a record stands for all that is in it
	// ("address" for "address.city" and "address.street"). They keep the order of the file. What is not named is
	// not read from disk. Empty means all.
	Columns []string
	// BinaryAsText takes bytes for which the file states no type as text. Old writers (Impala, Hive, early Spark)
	// stored text so. Default false: they are bytes.
	BinaryAsText bool
	// SplitRows ends a split after the row group with which it has this many rows. 0 means one split per file.
	SplitRows int64

	// Names says what messages and reports call a file, by its path; by default that is its path.
	Names map[string]string

	// BatchRows and BatchBytes (of values in memory) end a batch, whichever is reached first. They do not change
	// what is read. Defaults 8192 and 4 MiB.
	BatchRows  int
	BatchBytes int64
	// Allocator is where record batches get their memory. Default memory.DefaultAllocator.
	Allocator memory.Allocator
}

const defaultParquetBatch = 4 << 20

func (o ParquetOptions) withDefaults() ParquetOptions {
	if o.BatchRows <= 0 {
		o.BatchRows = defaultBatchRows
	}
	if o.BatchBytes <= 0 {
		o.BatchBytes = defaultParquetBatch
	}
	o.BatchBytes = min(o.BatchBytes, 1<<30) // offsets of text count in 32 bits
	if o.Allocator == nil {
		o.Allocator = memory.DefaultAllocator
	}
	return o
}

// ParquetSplit is what a Split of a Parquet file holds beyond the rest: a run of row groups.
type ParquetSplit struct {
	FirstGroup int `json:"first_group"`
	Groups     int `json:"groups"`
	// Columns and BinaryAsText are those of ParquetOptions.
	Columns      []string `json:"columns,omitempty"`
	BinaryAsText bool     `json:"binary_as_text,omitempty"`
}

// Parquet is a table in one or more Parquet files. It is safe for concurrent use.
type Parquet struct {
	opt    ParquetOptions
	schema *arrow.Schema
	splits []Split
}

var _ Source = (*Parquet)(nil)

// OpenParquet reads the footer of each file. Files are read as one table, in the order given, so their columns must be
// the same, in name and type (else ErrHeader). Columns that have no place in a table (maps, lists of records) are refused
// with the reason, unless opt.Columns leaves them out. No file stays open.
func OpenParquet(paths []string, opt ParquetOptions) (*Parquet, error) {
	opt = opt.withDefaults()
	if err := distinctFiles(paths); err != nil {
		return nil, err
	}
	p := &Parquet{opt: opt}
	for _, path := range paths {
		schema, splits, err := inspectParquet(path, opt)
		if err != nil {
			return nil, err
		}
		if p.schema == nil {
			p.schema = schema
		} else if err := sameFields(paths[0], p.schema, path, schema); err != nil {
			return nil, err
		}
		p.splits = append(p.splits, splits...)
	}
	return p, nil
}

func inspectParquet(path string, opt ParquetOptions) (*arrow.Schema, []Split, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	print, err := fingerprint(f)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	name, disk := named(path, opt.Names)
	pf, err := readFooter(f, name, print.Size, opt.Columns, opt.BinaryAsText)
	if err != nil {
		return nil, nil, err
	}
	part := func(first, groups int) Split {
		start, end := pf.starts[first], pf.starts[first+groups]
		return Split{
			ID: fmt.Sprintf("%s@%d", name, start), Path: name, File: disk, Fingerprint: print,
			Start: Position{Offset: start, Line: start + 1}, End: end,
			Parquet: &ParquetSplit{FirstGroup: first, Groups: groups, Columns: opt.Columns, BinaryAsText: opt.BinaryAsText},
		}
	}
	var splits []Split
	first, all := 0, len(pf.starts)-1
	if opt.SplitRows > 0 {
		for g := range all {
			if n := pf.starts[g+1] - pf.starts[first]; n >= opt.SplitRows && g+1 < all {
				splits = append(splits, part(first, g+1-first))
				first = g + 1
			}
		}
	}
	return pf.schema(), append(splits, part(first, all-first)), nil
}

// sameFields says in what way the columns of b are not those of a.
func sameFields(pathA string, a *arrow.Schema, pathB string, b *arrow.Schema) error {
	for i := range min(a.NumFields(), b.NumFields()) {
		x, y := a.Field(i), b.Field(i)
		if x.Name != y.Name {
			return fmt.Errorf("%w: column %d is %q in %s and %q in %s", ErrHeader, i+1, x.Name, pathA, y.Name, pathB)
		}
		if !arrow.TypeEqual(x.Type, y.Type) {
			return fmt.Errorf("%w: column %d, %q, is %s in %s and %s in %s; write them with one type, or read them as two tables",
				ErrHeader, i+1, x.Name, x.Type, pathA, y.Type, pathB)
		}
	}
	switch x, y := a.NumFields(), b.NumFields(); {
	case x > y:
		return fmt.Errorf("%w: %s has %d, %s has %d; %q is missing", ErrHeader, pathA, x, pathB, y, a.Field(y).Name)
	case x < y:
		return fmt.Errorf("%w: %s has %d, %s has %d; %q is new", ErrHeader, pathA, x, pathB, y, b.Field(x).Name)
	}
	return nil
}

// Schema has one field per column of values. A column inside records is named by its path ("address.city"); lists of
// single values are Arrow lists.
func (p *Parquet) Schema() *arrow.Schema { return p.schema }

// Splits are the files, or with SplitRows runs of their row groups, in the order they were named.
func (p *Parquet) Splits() []Split { return slices.Clone(p.splits) }

// Open opens one of the splits.
func (p *Parquet) Open(ctx context.Context, s Split, from Position) (Reader, error) {
	return OpenParquetSplit(ctx, s, from, p.opt)
}
