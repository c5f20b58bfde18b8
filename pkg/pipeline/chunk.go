package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/sources"
	"migrate/pkg/transform"
)

// chunk is the rows of one ingest job on their way.
type chunk struct {
	checkpoint.Chunk
	bulk  checkpoint.BulkJob // the job that carries them now; ID 0 when all is settled
	split sources.Split
	start sources.Position
	body  *spool // nil: to be made again from the source

	// What this process has met with the chunk, to bound how often it tries.
	jobs         int       // ingest jobs made since the org has carried one through
	asked        int       // questions in a row that left the state as it was
	fruitless    int       // jobs in a row of which the org has processed nothing
	closeRefused bool      // the org would not close the present job
	began        int64     // number of the present job, see throttle; 0 = of an earlier process
	looked       time.Time // when the present job's state was read apart from waiting for its end, or may have been by an earlier process

	rest time.Duration // how long the rows of the present job are to rest before it is made; they have failed before
}

// errHalted ends the cutting when the job takes no new rows.
var errHalted = errors.New("no more chunks are cut")

// cutter turns the batches of one split into chunks. Every row of the split is in the range of exactly one chunk.
type cutter struct {
	j       *jobRun
	split   sources.Split
	emit    func(*chunk) error
	header  []byte
	start   sources.Position // of the chunk that is being cut
	at      sources.Position // of the first row that is not in it yet
	body    *spool
	row     []byte // the encoded row
	sent    int64  // of the chunk that is being cut
	dropped int64  // by a filter
	bad     int64
	rejects *spool // report rows; nil: none
}

func (j *jobRun) newCutter(split sources.Split, from sources.Position, emit func(*chunk) error) *cutter {
	return &cutter{j: j, split: split, emit: emit, header: j.header(), start: from, at: from}
}

// add takes one batch, up to the given row number of the split (exclusive; rows behind it are not looked at).
func (c *cutter) add(ctx context.Context, b sources.Batch, end int64) error {
	out, err := c.j.Mapping.Apply(b.Rows, c.j.claim(ctx, c.split, b.Pos))
	if err != nil {
		return err
	}
	defer out.Rows.Release()
	c.j.cut.add(out.Cut)
	cols := stringColumns(out.Rows)
	rejects, next := out.Rejects, 0
	bad := b.Bad
	for i, pos := range b.Pos {
		for len(bad) > 0 && bad[0].Pos.Row < pos.Row {
			if bad[0].Pos.Row >= end {
				c.at = bad[0].Pos
				return nil
			}
			if err := c.malformed(ctx, bad[0]); err != nil {
				return err
			}
			bad = bad[1:]
		}
		if pos.Row >= end {
			c.at = pos
			return nil
		}
		switch {
		case len(rejects) > 0 && rejects[0].Row == i:
			err = c.rejected(ctx, pos, b.Rows, rejects[0])
			rejects = rejects[1:]
		case next < int(out.Rows.NumRows()) && out.Input(next) == i:
			err = c.send(ctx, pos, cols, next)
			next++
		default:
			err = c.next(ctx, pos)
			c.dropped++
		}
		if err != nil {
			return err
		}
	}
	for _, r := range bad {
		if r.Pos.Row >= end {
			c.at = r.Pos
			return nil
		}
		if err := c.malformed(ctx, r); err != nil {
			return err
		}
	}
	if next != int(out.Rows.NumRows()) || len(rejects) > 0 {
		return fmt.Errorf("%s: the mapping gave %d rows and %d rejects too many", c.split.Path, int(out.Rows.NumRows())-next, len(rejects))
	}
	c.at = b.Next
	return nil
}

// next takes the row at pos into the chunk, cutting before it when the chunk has all the rows that it may have.
func (c *cutter) next(ctx context.Context, pos sources.Position) error {
	c.at = pos
	if pos.Row-c.start.Row >= c.j.chunkRows() {
		if err := c.cut(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *cutter) send(ctx context.Context, pos sources.Position, cols []*array.String, i int) error {
	if err := c.next(ctx, pos); err != nil {
		return err
	}
	c.row = c.j.encode(c.row[:0], cols, i)
	if int64(len(c.header)+len(c.row)) > c.j.ChunkBytes {
		return c.tooLarge(pos, len(c.row))
	}
	if c.body != nil && c.body.size+int64(len(c.row)) > c.j.ChunkBytes {
		if err := c.cut(ctx); err != nil {
			return err
		}
	}
	if err := c.begin(); err != nil {
		return err
	}
	_, err := c.body.Write(c.row)
	c.sent++
	return err
}

// begin makes a body with the header, unless there is one.
func (c *cutter) begin() (err error) {
	if c.body != nil {
		return nil
	}
	if c.body, err = newSpool(c.j.Dir, "chunk-*.csv"); err == nil {
		_, err = c.body.Write(c.header)
	}
	return err
}

func (c *cutter) tooLarge(pos sources.Position, size int) error {
	return &ConfigError{fmt.Errorf("%s line %d: the row takes %d bytes and does not fit into a chunk of %d; raise the chunk size",
		pos.PathOr(c.split), pos.Line, size, c.j.ChunkBytes)}
}

// rejected takes a row that the mapping refuses.
func (c *cutter) rejected(ctx context.Context, pos sources.Position, rows arrow.RecordBatch, r transform.Reject) error {
	if err := c.next(ctx, pos); err != nil {
		return err
	}
	where := c.j.origin(c.split, pos, rows, r.Row)
	where.Code, where.Message = r.Rule, r.Message
	return c.reject(c.j.sourceValues(rows, r.Row), where)
}

// malformed takes a record that is no row of the table.
func (c *cutter) malformed(ctx context.Context, b sources.BadRow) error {
	if err := c.next(ctx, b.Pos); err != nil {
		return err
	}
	values := make([]string, c.j.sourceColumns())
	copy(values, b.Fields)
	message := b.Message
	if b.Rule != sources.RuleTooFewColumns {
		message += "; as it stands: " + b.Raw // its fields may not show all of it
	}
	return c.reject(values, reportRow{File: b.Pos.PathOr(c.split), Line: strconv.FormatInt(b.Pos.Line, 10), Code: b.Rule, Message: message})
}

func (c *cutter) reject(values []string, why reportRow) error {
	if c.rejects == nil {
		var err error
		if c.rejects, err = newSpool(c.j.Dir, "rejects-*.csv"); err != nil {
			return err
		}
	}
	c.bad++
	_, err := c.rejects.Write(appendReportRow(nil, values, why))
	return err
}

// cut ends the chunk before the row at c.at, makes it durable and hands it on.
func (c *cutter) cut(ctx context.Context) error {
	rec := checkpoint.Chunk{Job: c.j.Name, Split: c.split.ID, FirstRow: c.start.Row, SourceRows: c.at.Row - c.start.Row,
		Rows: c.sent, Filtered: c.dropped, Rejected: c.bad}
	if rec.SourceRows == 0 {
		return nil
	}
	if c.j.stopped() {
		return errHalted // its rows stay uncut, for a later resume
	}
	if rec.SourceRows != rec.Rows+rec.Filtered+rec.Rejected {
		return fmt.Errorf("%s: rows %d to %d: %d sent, %d filtered, %d rejected: %w", c.split.Path, rec.FirstRow, c.at.Row,
			rec.Rows, rec.Filtered, rec.Rejected, ErrAccounting)
	}
	start, err := json.Marshal(c.start)
	if err != nil {
		return err
	}
	next, err := json.Marshal(c.at)
	if err != nil {
		return err
	}
	rec.Start = string(start)
	body := c.body
	if body != nil {
		if rec.Hash, err = body.finish(); err != nil {
			return err
		}
		rec.Bytes = body.size
	}
	rec, bulk, err := c.j.recordCut(ctx, rec, checkpoint.Split{Next: string(next), Rows: c.at.Row, Blank: c.at.Blank}, c.rejects)
	c.rejects.remove()
	if err != nil {
		return err
	}
	done := &chunk{Chunk: rec, bulk: bulk, split: c.split, start: c.start, body: body}
	c.start, c.sent, c.dropped, c.bad, c.body, c.rejects = c.at, 0, 0, 0, nil, nil
	if rec.Rows == 0 {
		return nil
	}
	return c.emit(done)
}

// close frees what a cutter that stops early still holds.
func (c *cutter) close() {
	c.body.remove()
	c.rejects.remove()
}

// header is the first line of every upload of the job.
func (j *jobRun) header() []byte {
	names := make([]string, len(j.Columns))
	for i, c := range j.Columns {
		names[i] = c.Header
	}
	return bulk2.AppendRecord(nil, names...)
}

// encode appends row i as one record of an upload.
func (j *jobRun) encode(dst []byte, cols []*array.String, i int) []byte {
	for k, c := range cols {
		if k > 0 {
			dst = append(dst, ',')
		}
		var changed bool
		if dst, changed = bulk2.AppendValue(dst, c.Value(i)); changed {
			j.newlines.Add(1)
		}
	}
	if len(cols) == 1 && len(dst) == 0 {
		dst = append(dst, '"', '"') // a lone empty value would be a blank line
	}
	return append(dst, '\n')
}

func stringColumns(b arrow.RecordBatch) []*array.String {
	cols := make([]*array.String, b.NumCols())
	for i := range cols {
		cols[i] = b.Column(i).(*array.String) // the mapping makes no others
	}
	return cols
}

// sentRow is one row of a chunk as it was sent, met again in its source.
type sentRow struct {
	n    int64 // number among the rows sent
	pos  sources.Position
	in   arrow.RecordBatch // the source row
	inAt int
	out  []*array.String // the row as sent
	at   int
}

// eachSent reads a chunk's range from the source again and calls f for each row that was sent, in order; only those of the
// selection, when there is one.
func (j *jobRun) eachSent(ctx context.Context, c *chunk, selection checkpoint.Selection, f func(sentRow) error) error {
	r, err := j.Source.Open(ctx, c.split, c.start)
	if err != nil {
		return fmt.Errorf("read chunk %d again: %w", c.ID, err)
	}
	defer r.Close()
	end := c.FirstRow + c.SourceRows
	var n, found int64
	for {
		b, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read chunk %d again: %w", c.ID, err)
		}
		err = func() error {
			defer b.Rows.Release()
			out, err := j.Mapping.Apply(b.Rows, j.claim(ctx, c.split, b.Pos))
			if err != nil {
				return err
			}
			defer out.Rows.Release()
			row := sentRow{in: b.Rows, out: stringColumns(out.Rows)}
			for row.at = 0; row.at < int(out.Rows.NumRows()); row.at++ {
				row.inAt = out.Input(row.at)
				if row.pos = b.Pos[row.inAt]; row.pos.Row >= end {
					break
				}
				row.n = n
				n++
				if selection != nil {
					if found == int64(len(selection)) || selection[found] != row.n {
						continue
					}
				}
				found++
				if err := f(row); err != nil {
					return err
				}
			}
			return nil
		}()
		if err != nil {
			return err
		}
		if b.Next.Row >= end {
			break
		}
	}
	want := c.Rows
	if selection != nil {
		want = int64(len(selection))
	}
	if found != want {
		return fmt.Errorf("chunk %d had %d rows when it was cut, and now has %d: %s has changed; go on only with the file as it was",
			c.ID, want, found, c.split.Path)
	}
	return nil
}

// bodyOf returns the upload of the chunk's present job, made again from the source when it is not at hand.
func (j *jobRun) bodyOf(ctx context.Context, c *chunk) (*spool, error) {
	if c.body != nil {
		return c.body, nil
	}
	body, err := newSpool(j.Dir, "chunk-*.csv")
	if err != nil {
		return nil, err
	}
	var row []byte
	if _, err = body.Write(j.header()); err != nil {
		body.remove()
		return nil, err
	}
	asIs := false
	if c.bulk.Selection == nil {
		asIs, err = j.writeRaw(ctx, c, body)
	}
	if err == nil && !asIs {
		err = j.eachSent(ctx, c, c.bulk.Selection, func(r sentRow) error {
			row = j.encode(row[:0], r.out, r.at)
			_, err := body.Write(row)
			return err
		})
	}
	var hash string
	if err == nil {
		hash, err = body.finish()
	}
	if err == nil && c.bulk.Selection == nil && hash != c.Hash {
		err = fmt.Errorf("chunk %d is not what it was when it was cut: %s has changed; go on only with the file as it was", c.ID, c.split.Path)
	}
	if err != nil {
		body.remove()
		return nil, err
	}
	c.body = body
	return body, nil
}
