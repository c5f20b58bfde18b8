package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unsafe"

	"migrate/pkg/bulk2"
	"migrate/pkg/sources"
	"migrate/pkg/transform"
)

// A load whose mapping leaves all values as they are needs no batches: the records of a CSV file go into the body of the upload as they stand, see
// sources.RawReader. What becomes of a record depends on that record alone, so that a body which is made again is the same: it goes as it
// stands, or where it cannot, it is written anew from its values, or it goes through the mapping by itself.

// rawReader is the reader of a split whose records go as they stand, nil when they do not.
func (j *jobRun) rawReader(s sources.Split, r sources.Reader) sources.RawReader {
	if raw, ok := r.(sources.RawReader); ok && j.mayStand(s) {
		return raw
	}
	return nil
}

// mayStand says whether records of a split go as they stand, if its reader can hand them on so.
func (j *jobRun) mayStand(s sources.Split) bool { return s.Raw() && j.Mapping.Verbatim() }

// reserved are the bytes that the mapping is to judge.
var reserved = []byte(transform.NullToken)

// addRaw takes the next records of a split into the chunk, up to row end. took is false when the next one must go through the mapping, or when there
// is none.
func (c *cutter) addRaw(ctx context.Context, r sources.RawReader, end int64) (took bool, err error) {
	if err := c.next(ctx, c.at); err != nil {
		return false, err
	}
	room := c.j.ChunkBytes - int64(len(c.header))
	if c.body != nil {
		room = c.j.ChunkBytes - c.body.size
	}
	raw, err := r.NextRaw(ctx, sources.RawWant{Rows: min(end, c.start.Row+c.j.chunkRows()) - c.at.Row, Bytes: int(room), Without: reserved})
	if err != nil {
		return false, err
	}
	c.at = raw.At
	text := raw.Text
	if raw.Fields != nil {
		c.row = c.j.encodeFields(c.row[:0], raw.Fields)
		text = c.row
		switch {
		case int64(len(c.header)+len(text)) > c.j.ChunkBytes:
			return false, c.tooLarge(raw.At, len(text))
		case int64(len(text)) > room:
			if err := c.cut(ctx); err != nil {
				return false, err
			}
		}
	}
	if raw.Rows > 0 {
		if err := c.begin(); err != nil {
			return false, err
		}
		if _, err := c.body.Write(text); err != nil {
			return false, err
		}
		c.sent += raw.Rows
	}
	c.at = raw.Next
	if raw.Full && c.sent > 0 {
		return true, c.cut(ctx)
	}
	return raw.Rows > 0, nil
}

// encodeFields writes a record anew from its values, as encode does.
func (j *jobRun) encodeFields(dst []byte, fields [][]byte) []byte {
	for i, v := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		var changed bool
		if dst, changed = bulk2.AppendValue(dst, unsafe.String(unsafe.SliceData(v), len(v))); changed {
			j.newlines.Add(1)
		}
	}
	return append(dst, '\n')
}

// writeRaw writes the records of a chunk once more, as addRaw has done. ok is false when they do not go as they stand.
func (j *jobRun) writeRaw(ctx context.Context, c *chunk, to io.Writer) (ok bool, err error) {
	if !j.mayStand(c.split) {
		return false, nil
	}
	r, err := j.Source.Open(ctx, c.split, c.start)
	if err != nil {
		return false, fmt.Errorf("read chunk %d again: %w", c.ID, err)
	}
	defer r.Close()
	raw := j.rawReader(c.split, r)
	if raw == nil {
		return false, nil
	}
	var row []byte
	end := c.FirstRow + c.SourceRows
	for at := c.FirstRow; at < end; {
		run, err := raw.NextRaw(ctx, sources.RawWant{Rows: end - at, Bytes: int(j.ChunkBytes), Without: reserved})
		if err != nil {
			return false, fmt.Errorf("read chunk %d again: %w", c.ID, err)
		}
		text := run.Text
		if run.Fields != nil {
			row = j.encodeFields(row[:0], run.Fields)
			text = row
		}
		if at = run.Next.Row; run.Rows > 0 {
			if _, err := to.Write(text); err != nil {
				return false, err
			}
			continue
		}
		b, err := raw.NextOne(ctx)
		if errors.Is(err, io.EOF) {
			break // the hash tells
		}
		if err != nil {
			return false, fmt.Errorf("read chunk %d again: %w", c.ID, err)
		}
		at = b.Next.Row
		out, err := j.Mapping.Apply(b.Rows, nil)
		b.Rows.Release()
		if err != nil {
			return false, err
		}
		cols := stringColumns(out.Rows)
		for i := range int(out.Rows.NumRows()) {
			row = j.encode(row[:0], cols, i)
			if _, err := to.Write(row); err != nil {
				return false, err
			}
		}
		out.Rows.Release()
	}
	return true, nil
}
