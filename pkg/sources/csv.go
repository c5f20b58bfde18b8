package sources

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// CSVOptions say how CSV files are to be read. What is left zero is found out from each file.
type CSVOptions struct {
	// Encoding is utf-8, utf-16 (the BOM decides), utf-16le, utf-16be, windows-1252 or latin-1.
	// latin-1 is read as windows-1252, which has printable characters where latin-1 has none.
	Encoding string
	// Delimiter is one ASCII character, "tab", or "none" for a file of one column in which nothing
	// separates.
	Delimiter string
	// Quote is `"`, `'` or "none".
	Quote string
	// Escape says how a quote inside quotes is written: `"` (doubled, whatever the quote) or `\`.
	// With `\` a backslash takes the meaning from a delimiter, quote, backslash or line break after
	// it, in quotes and out of them; before anything else it is an ordinary character. Doubled
	// quotes are understood then, too.
	Escape string
	// SkipLines is the number of physical lines before the header. Default 0.
	SkipLines int
	// HeaderLines is the number of header records. With more than one, the name of a column is
	// made of its non-empty parts, joined by a blank. Default 1.
	HeaderLines int
	// NoHeader means that the first record is a row already; columns are named column1, column2, …
	NoHeader bool
	// MaxRecord is the length of the longest record, in bytes of UTF-8. A longer one is a bad row;
	// inside quotes it ends the split, since then a quote was probably not closed. Default 4 MiB,
	// at most 512 MiB. (Salesforce takes records of up to 400,000 characters.)
	MaxRecord int64

	// Names says what messages and reports call a file, by its path; by default that is its path. A file into which
	// standard input was spooled is called StandardInput.
	Names map[string]string

	// BatchRows and BatchBytes (as on disk) end a batch, whichever is reached first. They do not
	// change what is read. Defaults 8192 and 1 MiB.
	BatchRows  int
	BatchBytes int64
	// Allocator is where record batches get their memory. Default memory.DefaultAllocator.
	Allocator memory.Allocator
}

const (
	defaultBatchRows  = 8192
	defaultBatchBytes = 1 << 20
	defaultMaxRecord  = 4 << 20
	largestMaxRecord  = 512 << 20
)

func (o CSVOptions) withDefaults() CSVOptions {
	if o.BatchRows <= 0 {
		o.BatchRows = defaultBatchRows
	}
	if o.BatchBytes <= 0 {
		o.BatchBytes = defaultBatchBytes
	}
	if o.MaxRecord == 0 {
		o.MaxRecord = defaultMaxRecord
	}
	if o.HeaderLines == 0 && !o.NoHeader {
		o.HeaderLines = 1
	}
	if o.Allocator == nil {
		o.Allocator = memory.DefaultAllocator
	}
	return o
}

// CSV is a table in one or more CSV files. It is safe for concurrent use.
type CSV struct {
	opt    CSVOptions
	schema *arrow.Schema
	splits []Split
}

var _ Source = (*CSV)(nil)

// OpenCSV reads the head of each file, and samples of the rest, and decides how to read it. Files are
// read as one table, in the order given, so their columns must be the same (else ErrHeader); their
// encodings and delimiters need not be. Files may be compressed with gzip (also of several members) or zstd; it shows in
// their first bytes, whatever their name, and then the first MiB of what comes out is sampled, not the whole file. A file with a header and no rows is fine; one without even a
// header is ErrEmpty. No file stays open.
func OpenCSV(paths []string, opt CSVOptions) (*CSV, error) {
	opt = opt.withDefaults()
	if err := opt.check(); err != nil {
		return nil, err
	}
	if err := distinctFiles(paths); err != nil {
		return nil, err
	}
	c := &CSV{opt: opt}
	for i, path := range paths {
		s, err := inspect(path, opt)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			if err := sameColumns(c.splits[0].Dialect, s.Dialect); err != nil {
				return nil, err
			}
		}
		c.splits = append(c.splits, s)
	}
	c.schema = schemaOf(c.splits[0].Dialect.Header)
	return c, nil
}

// sameColumns says in what way the columns of b are not those of a.
func sameColumns(a, b Dialect) error {
	for i := range min(len(a.Header), len(b.Header)) {
		if x, y := a.Header[i], b.Header[i]; x != y {
			return fmt.Errorf("%w: column %d is %q in %s and %q in %s", ErrHeader, i+1, x, a.Path, y, b.Path)
		}
	}
	switch x, y := len(a.Header), len(b.Header); {
	case x > y:
		return fmt.Errorf("%w: %s has %d, %s has %d; %q is missing", ErrHeader, a.Path, x, b.Path, y, a.Header[y])
	case x < y:
		return fmt.Errorf("%w: %s has %d, %s has %d; %q is new", ErrHeader, a.Path, x, b.Path, y, b.Header[x])
	}
	return nil
}

// Schema has one utf8 field per column, named as in the header; names that occur twice stay so.
func (c *CSV) Schema() *arrow.Schema { return c.schema }

// Splits are the files, in the order they were named.
func (c *CSV) Splits() []Split { return slices.Clone(c.splits) }

// Dialects says for each file what was decided and why.
func (c *CSV) Dialects() []Dialect {
	var d []Dialect
	for _, s := range c.splits {
		d = append(d, s.Dialect)
	}
	return d
}

// Open opens one of the splits.
func (c *CSV) Open(ctx context.Context, s Split, from Position) (Reader, error) {
	return OpenCSVSplit(ctx, s, from, c.opt)
}
