package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// JSONLOptions say how files of JSON lines are to be read.
type JSONLOptions struct {
	// Columns are the columns of the table, by the path of their keys ("address.city"). By default they are what is
	// found in the first Sample lines of each file.
	Columns []string
	// LeaveOut passes over keys that are no column. By default a record with such a key is a bad row (unknown_key).
	LeaveOut bool
	// Sample is the number of lines of each file in which columns are looked for. Default 1000.
	Sample int
	// MaxRecord is the length of the longest line, in bytes. A longer one is a bad row. Default 4 MiB, at most 512 MiB.
	MaxRecord int64
	// Names says what messages and reports call a file, by its path; by default that is its path. A file into which
	// standard input was spooled is called StandardInput.
	Names map[string]string

	// BatchRows and BatchBytes (of the file) end a batch, whichever is reached first. They do not change what is
	// read. Defaults 8192 and 1 MiB.
	BatchRows  int
	BatchBytes int64
	// Allocator is where record batches get their memory. Default memory.DefaultAllocator.
	Allocator memory.Allocator
}

const (
	defaultSample = 1000
	mostColumns   = 2000
)

func (o JSONLOptions) withDefaults() JSONLOptions {
	if o.Sample <= 0 {
		o.Sample = defaultSample
	}
	if o.MaxRecord == 0 {
		o.MaxRecord = defaultMaxRecord
	}
	if o.BatchRows <= 0 {
		o.BatchRows = defaultBatchRows
	}
	if o.BatchBytes <= 0 {
		o.BatchBytes = defaultBatchBytes
	}
	if o.Allocator == nil {
		o.Allocator = memory.DefaultAllocator
	}
	return o
}

// JSONLSplit is what a Split of JSON lines holds beyond the rest.
type JSONLSplit struct {
	Columns   []string `json:"columns"`
	LeaveOut  bool     `json:"leave_out,omitempty"`
	MaxRecord int64    `json:"max_record"`
}

// JSONL is a table in one or more files of JSON lines: one object per line, in UTF-8. It is safe for concurrent use.
//
// Every column is text, or null where the key is missing or null. Strings are their text; numbers, true and false are as
// they are written; objects fall into one column per key, named by its path ("address.city"); arrays stay JSON.
type JSONL struct {
	opt    JSONLOptions
	schema *arrow.Schema
	splits []Split
}

var _ Source = (*JSONL)(nil)

// OpenJSONL reads the first lines of each file to find the columns, unless they are told. Files are read as one table, in the
// order given; its columns are those of all files. Files may be compressed with gzip or zstd. One without a line is ErrEmpty
// when columns have to be found. No file stays open.
func OpenJSONL(paths []string, opt JSONLOptions) (*JSONL, error) {
	opt = opt.withDefaults()
	if opt.MaxRecord < 1 || opt.MaxRecord > largestMaxRecord {
		return nil, fmt.Errorf("longest record %d bytes: it must be from 1 byte to 512 MiB", opt.MaxRecord)
	}
	for i, name := range opt.Columns {
		if slices.Contains(opt.Columns[:i], name) {
			return nil, fmt.Errorf("column %q is named twice", name)
		}
	}
	if err := distinctFiles(paths); err != nil {
		return nil, err
	}
	j := &JSONL{opt: opt}
	found := newJSONColumns(opt.Columns)
	for _, path := range paths {
		s, err := inspectJSONL(path, opt, found)
		if err != nil {
			return nil, err
		}
		j.splits = append(j.splits, s)
	}
	columns := opt.Columns
	if len(columns) == 0 {
		columns = found.columns()
	}
	for i := range j.splits {
		j.splits[i].JSONL = &JSONLSplit{Columns: columns, LeaveOut: opt.LeaveOut, MaxRecord: opt.MaxRecord}
	}
	j.schema = schemaOf(columns)
	return j, nil
}

func inspectJSONL(path string, opt JSONLOptions, found *jsonColumns) (Split, error) {
	f, err := openRegular(path)
	if err != nil {
		return Split{}, err
	}
	defer f.Close()
	print, err := fingerprint(f)
	if err != nil {
		return Split{}, fmt.Errorf("%s: %w", path, err)
	}
	name, disk := named(path, opt.Names)
	head, err := headOf(f, name, print.Size)
	if err != nil {
		return Split{}, err
	}
	bom, err := jsonEncoding(head)
	if err != nil {
		return Split{}, fmt.Errorf("%s: %w", name, err)
	}
	s := Split{Path: name, File: disk, Fingerprint: print, Compression: head.compression, Start: Position{Offset: bom, Line: 1}}
	if s.Compression == "" {
		s.End = print.Size
	}
	s.ID = fmt.Sprintf("%s@%d", name, bom)
	if len(opt.Columns) == 0 {
		err = sampleJSONL(f, s, opt, found)
	}
	return s, err
}

// jsonEncoding finds the byte order mark, and refuses what is not UTF-8.
func jsonEncoding(head textHead) (bom int64, err error) {
	b := make([]byte, min(head.size, guessBlock))
	if _, err := head.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	marked, n := readBOM(b)
	if marked != "" && marked != encUTF8 || zeroBytes(b) != "" {
		return 0, errors.New("it is UTF-16 text; JSON lines are read as UTF-8, so save it as that")
	}
	for _, f := range foreign {
		if strings.HasPrefix(string(b), f.magic) {
			return 0, fmt.Errorf("this is %s", f.what)
		}
	}
	return int64(n), nil
}

// sampleJSONL looks for columns in the first lines of a file.
func sampleJSONL(f *os.File, s Split, opt JSONLOptions, found *jsonColumns) error {
	ctx := context.Background()
	text, done, err := textBytes(ctx, f, s, s.Start.Offset)
	if err != nil {
		return err
	}
	defer done()
	r := jsonlReader{split: s, win: newWindow(text, utf8Codec), at: s.Start, longest: opt.MaxRecord}
	objects := 0
	var first *BadRow
	for n := 0; n < opt.Sample; n++ {
		line, bad, err := r.line(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if objects == 0 {
				return err
			}
			break // it is met again after the rows before it
		}
		if bad == nil {
			bad = r.found(line, found)
		}
		if bad == nil {
			objects++
		} else if first == nil {
			first = bad
		}
		if len(found.order) > mostColumns {
			return fmt.Errorf("%s: there are more than %d different keys in the first lines; perhaps they are values, not names; name the columns to read", s.Path, mostColumns)
		}
	}
	switch {
	case objects == 0 && first == nil:
		return fmt.Errorf("%s: %w", s.Path, ErrEmpty)
	case objects == 0 && strings.HasPrefix(strings.TrimSpace(first.Raw), "["):
		return fmt.Errorf("%s: it is a JSON array, not one object per line; write it so, as with jq -c '.[]'", s.Path)
	case objects == 0:
		return fmt.Errorf("%s: none of its first lines is a JSON object; %s; if objects go over several lines, write each on one (jq -c does it)", s.Path, first.Message)
	}
	return nil
}

// Schema has one utf8 field per column.
func (j *JSONL) Schema() *arrow.Schema { return j.schema }

// Splits are the files, in the order they were named.
func (j *JSONL) Splits() []Split { return slices.Clone(j.splits) }

// Open opens one of the splits.
func (j *JSONL) Open(ctx context.Context, s Split, from Position) (Reader, error) {
	return OpenJSONLSplit(ctx, s, from, j.opt)
}
