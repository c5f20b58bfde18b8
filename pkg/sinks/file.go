package sinks

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/apache/arrow-go/v18/arrow"
)

// FileOptions say where the files of an export go and what they look like.
type FileOptions struct {
	// Path is a file; or a folder, with a slash at its end, whose files are part-00000.csv, part-00001.csv and so on. The folder of a
	// file must be there, a folder is made.
	Path string
	// Format is csv or jsonl, with .gz or .zst behind it where the file is compressed, or parquet. Empty means that the name of the
	// file tells; a folder needs it.
	Format string
	// Schema are the columns: utf8, bool, int64, float64, decimal128, date32, timestamp[ms, UTC] and time32[ms]. Any may be null.
	Schema *arrow.Schema
	// Overwrite replaces what an earlier export has left: the file, or in a folder every part and the manifest. Without it, they are a
	// reason not to begin.
	Overwrite bool
	// Resume says that an earlier process of the same run may have published already. What stands there is then no reason not to
	// begin; Publish accepts a file that holds the very same bytes, and refuses any other.
	Resume bool

	// PartRows and PartBytes bound each file of a folder. A file ends with the row that reaches one of them, Parquet with the row group
	// that reaches PartBytes. Bytes are those before compression, for Parquet those of the file. 0 means any number of rows, and 512 MiB.
	PartRows  int64
	PartBytes int64

	CSV     CSVOptions
	Parquet ParquetOptions
}

// ErrClosed is what a sink answers that was closed, or that has published and is asked to write more.
var ErrClosed = errors.New("the sink is closed")

// FileSink writes the rows of an export to one file or to the parts of a folder. Until they are published, the files have hidden names
// beside the final ones (.NAME.migrating); no other process can write to the same target meanwhile. The same rows give the same bytes,
// however they are cut into batches.
//
// Publish puts a single file in place in one step. The parts of a folder appear one by one, while no manifest stands there: only the
// manifest, see WriteManifest, says that all are there.
type FileSink struct {
	o      FileOptions
	format format
	target *target
	parts  []*draft // all of them; the last is the one that is being written where enc is not nil
	enc    encoder
	rows   int64 // in all parts
	files  []File
	err    error // of Write; a sink that failed stays so
	closed bool
}

// encoder writes the rows of one file.
type encoder interface {
	// write takes rows of a batch from one row to another, at most until the file is full, and returns how many it took.
	write(rows arrow.RecordBatch, from, to int) (int, error)
	// full reports whether the file has reached its bytes.
	full() bool
	// close writes what is left of the format. The file stays open.
	close() error
}

// OpenFile prepares the target, so that whatever can be found out to be in the way is found out now: a folder that cannot be written, a
// file that is there already, another export to the same place. What a process that was killed has left of its own is removed.
func OpenFile(o FileOptions) (*FileSink, error) {
	s := &FileSink{o: o}
	var err error
	if err = checkSchema(o.Schema); err != nil {
		return nil, fmt.Errorf("export to %s: %w", o.Path, err)
	}
	if s.format, err = formatOf(o); err != nil {
		return nil, fmt.Errorf("export to %s: %w", o.Path, err)
	}
	if s.o.PartBytes <= 0 {
		s.o.PartBytes = 512 << 20
	}
	if s.o.PartRows <= 0 || !isFolder(o.Path) {
		s.o.PartRows = math.MaxInt64
	}
	if !isFolder(o.Path) {
		s.o.PartBytes = math.MaxInt64
	}
	if s.target, err = openTarget(o.Path, s.format.ext, !o.Overwrite && !o.Resume); err != nil {
		return nil, fmt.Errorf("export to %s: %w", o.Path, err)
	}
	if err := s.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("export to %s: %w", o.Path, err), s.Close())
	}
	return s, nil
}

// begin opens the next file.
func (s *FileSink) begin() error {
	d, err := openDraft(s.target.draft(len(s.parts)), s.target.named(len(s.parts)))
	if err != nil {
		return err
	}
	s.parts = append(s.parts, d)
	s.enc, err = s.format.encoder(d, s.o)
	return err
}

// end finishes the file that is being written.
func (s *FileSink) end() error {
	if s.enc == nil {
		return nil
	}
	err := s.enc.close()
	s.enc = nil
	if err != nil {
		return err
	}
	return s.parts[len(s.parts)-1].finish()
}

// Write adds the rows of a batch. After an error the sink can only be closed.
func (s *FileSink) Write(ctx context.Context, rows arrow.RecordBatch) error {
	if s.closed || s.files != nil {
		return ErrClosed
	}
	if s.err == nil {
		if s.err = s.write(ctx, rows); s.err != nil {
			s.err = fmt.Errorf("export to %s: %w", s.o.Path, s.err)
		}
	}
	return s.err
}

func (s *FileSink) write(ctx context.Context, rows arrow.RecordBatch) error {
	if err := checkBatch(s.o.Schema, rows, s.format.kind == formatJSONL, s.rows); err != nil {
		return err
	}
	for from, end := 0, int(rows.NumRows()); from < end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.enc == nil {
			if err := s.begin(); err != nil {
				return err
			}
		}
		part := s.parts[len(s.parts)-1]
		to := int(min(int64(end), int64(from)+min(s.o.PartRows-part.rows, 1<<20)))
		n, err := s.enc.write(rows, from, to)
		if err != nil {
			return err
		}
		from += n
		part.rows += int64(n)
		s.rows += int64(n)
		if part.rows >= s.o.PartRows || s.enc.full() {
			if err := s.end(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Publish makes the files durable and gives them their names. Where one of them stands there already with the same content, it is taken
// for the work of an earlier Publish that did not live to tell; where there is anything else and Overwrite is not set, nothing is moved.
// It may be called again after an error.
func (s *FileSink) Publish(ctx context.Context) ([]File, error) {
	if s.files != nil {
		return s.files, nil
	}
	if s.closed {
		return nil, ErrClosed
	}
	if s.err != nil {
		return nil, s.err
	}
	if s.err = s.end(); s.err != nil {
		s.err = fmt.Errorf("export to %s: %w", s.o.Path, s.err)
		return nil, s.err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.target.publish(s.parts, s.o.Overwrite); err != nil {
		return nil, fmt.Errorf("publish %s: %w", s.o.Path, err)
	}
	for _, d := range s.parts {
		s.files = append(s.files, File{Path: d.named, Rows: d.rows, Bytes: d.bytes, SHA256: d.sum()})
	}
	return s.files, nil
}

// Close removes what was not published and lets others write to the target.
func (s *FileSink) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	placed := 0
	for _, d := range s.parts {
		if d.placed {
			placed++
		}
	}
	var errs []error
	for _, d := range s.parts {
		if d.ours && placed < len(s.parts) { // Publish came to a stop in the middle: some of it is worse than nothing
			errs = append(errs, os.Remove(d.path))
		}
		errs = append(errs, d.discard())
	}
	return errors.Join(append(errs, s.target.close())...)
}

// isFolder tells by its end whether a path names a folder.
func isFolder(path string) bool {
	return path != "" && (path[len(path)-1] == '/' || os.IsPathSeparator(path[len(path)-1]))
}
