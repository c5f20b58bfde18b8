package export

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"migrate/pkg/pipeline"
	"migrate/pkg/sinks"
)

// Config says what a Copy is made of.
type Config struct {
	Sink    sinks.Sink // the Copy closes it
	Path    string     // of files; "" for a table
	Columns []pipeline.ExportColumn
	// Manifest is that of files, as far as it is known before.
	Manifest  sinks.Manifest
	Increment *Increment // nil: there is no watermark, all rows are written
	OrgIDs    string     // file with the ids that the org has, for an Increment with Compare
	Scratch   string     // a folder that may be made and filled; Close removes it
	Tell      func(text string)
	// Files fetches the contents of the records that are written; the Copy closes it. nil: there are none.
	Files *Files
	// Published is called when all is in place. When that was so before, there are no files, and the deletes are not all. contents is the zero
	// FilesTaken where there are none.
	Published func(files []sinks.File, deleted int64, contents FilesTaken)
}

// Copy is the target of an export, see pipeline.Target.
type Copy struct {
	Config
	moved    bool // the mark was moved by this run before it died
	deletes  deleter
	had      seen
	keep     seen
	lost     int64  // rows that were not remembered
	ids      *idLog // nil: none are remembered
	idsFile  string // its name
	idsFrom  int64
	id       int // columns; -1 = there is none
	stamp    int
	binned   int
	rows     int64
	deleted  int64
	vanished int64
}

// ErrOvertaken says that a later run has moved the mark that this one began from, or has begun to publish, so that what this one would publish is
// there already or comes too late.
var ErrOvertaken = errors.New("a later run has exported these changes already, or has begun to; resume that one, or begin a new one, and remove the folder of this one")

// Open makes a Copy. When it fails, the sink is closed.
func Open(cfg Config) (c *Copy, err error) {
	c = &Copy{Config: cfg, deletes: noDeletes{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	i := c.Increment
	if i == nil {
		return c, nil
	}
	c.id, c.stamp, c.binned = c.column("Id"), c.column(i.Field), -1
	if i.Deletes {
		c.binned = c.column("IsDeleted")
	}
	if c.id < 0 || c.stamp < 0 || i.Deletes && c.binned < 0 {
		return c, fmt.Errorf("the export lacks Id, %s or IsDeleted", i.Field)
	}
	if c.moved, err = i.moved(); err != nil {
		return c, err
	}
	if !c.moved {
		if c.deletes, err = openDeletes(i, cfg.Path, cfg.Sink); err != nil {
			c.deletes = noDeletes{}
			return c, err
		}
	}
	if !i.Whole() && i.Was.Seen != "" {
		c.had, err = readSeen(i.file(i.Was.Seen))
		if err != nil && !(c.moved && c.Files == nil && errors.Is(err, fs.ErrNotExist)) {
			return c, err // else a run that has begun since then has put it away, and its rows count as written
		}
	}
	return c, c.openIDs()
}

// moved reports whether this run has moved the mark already; an error if another one has.
func (i *Increment) moved() (bool, error) {
	now, err := ReadMark(i.Dir)
	switch {
	case err != nil:
		return false, err
	case now != nil && now.Run == i.Next.Run:
		return true, nil
	case (now == nil) != (i.Was == nil) || now != nil && now.Run != i.Was.Run:
		return false, ErrOvertaken
	}
	last, err := readPublishing(i.Dir)
	if err == nil && last.Run != i.Next.Run && last.Until.After(i.Until) {
		err = ErrOvertaken // it may have died before it moved the mark; what is older does not come behind it
	}
	return false, err
}

func (c *Copy) column(name string) int {
	return slices.IndexFunc(c.Columns, func(col pipeline.ExportColumn) bool { return col.Name == name })
}

// Take looks at a row, and has its content fetched if it is written.
func (c *Copy) Take(row [][]byte) (pipeline.Fate, error) {
	fate, err := c.fate(row)
	if err == nil && fate == pipeline.Written && c.Files != nil {
		err = c.Files.take(row)
	}
	return fate, err
}

// fate asks of a row: was it had before, is it a delete, must it be remembered?
func (c *Copy) fate(row [][]byte) (pipeline.Fate, error) {
	i := c.Increment
	if i == nil {
		return pipeline.Written, nil
	}
	at, err := time.Parse(time.RFC3339, string(row[c.stamp]))
	if err != nil {
		return 0, fmt.Errorf("%s of record %s is %q and no time; a watermark needs a field that every record has, such as SystemModstamp", i.Field, row[c.id], row[c.stamp])
	}
	had := false
	if again := !at.Before(i.Keep); again || len(c.had) > 0 {
		p := printOf(row)
		switch {
		case !again:
		case len(c.keep) < maxSeen:
			c.keep = append(c.keep, p)
		default:
			c.lost++
		}
		had = c.had.has(p)
	}
	gone := c.binned >= 0 && string(row[c.binned]) == "true"
	if c.ids != nil { // also of a row that was had: it is there, whatever the query for ids has seen
		sign := byte(inCopy)
		if gone {
			sign = outCopy
		}
		if err := c.ids.add(sign, row[c.id]); err != nil {
			return 0, err
		}
	}
	switch {
	case had:
		return pipeline.Filtered, nil
	case !gone:
		return pipeline.Written, nil
	}
	c.deleted++
	return pipeline.Taken, c.deletes.add(context.Background(), row[c.id], row[c.stamp], Binned)
}

// Write writes rows that Take has let through.
func (c *Copy) Write(ctx context.Context, rows arrow.RecordBatch) error {
	c.rows += rows.NumRows()
	if c.moved {
		return nil
	}
	return c.Sink.Write(ctx, rows)
}

// Publish waits for the contents, makes the rows, the deletes and the list of the contents visible, then the manifest, then moves the mark. Where this
// run has moved the mark before it died, all is in place.
func (c *Copy) Publish(ctx context.Context) error {
	if c.Files != nil {
		if err := c.Files.finish(); err != nil {
			return err
		}
	}
	var files []sinks.File
	var gone, list *sinks.File
	var err error
	if !c.moved {
		if i := c.Increment; i != nil {
			if err := (publishing{i.Next.Run, i.Until}).write(i.Dir); err != nil {
				return err
			}
		}
		if files, gone, err = c.publishRows(ctx); err != nil {
			return err
		}
	}
	var contents FilesTaken
	if c.Files != nil {
		if list, err = c.Files.publish(ctx); err != nil {
			return err
		}
		contents = c.Files.taken
	}
	if c.Path != "" && !c.moved {
		m := c.manifest(files, gone)
		if list != nil {
			m.Contents = besideManifest(c.Path, *list)
		}
		if err := sinks.WriteManifest(c.Path, m); err != nil {
			return err
		}
	}
	if c.Increment != nil && !c.moved {
		if err := c.move(); err != nil {
			return fmt.Errorf("the rows are published, but the watermark has not moved: %w", err)
		}
		c.moved = true
	}
	if c.Published != nil {
		gone := c.deleted + c.vanished
		if _, none := c.deletes.(noDeletes); none {
			gone = 0
		}
		c.Published(files, gone, contents)
	}
	return nil
}

// publishRows makes the rows and the deletes visible, once it is durable which these may be.
func (c *Copy) publishRows(ctx context.Context) (files []sinks.File, gone *sinks.File, err error) {
	if c.ids != nil {
		if err := c.ids.sync(); err != nil {
			return nil, nil, err
		}
	}
	if err := c.compare(ctx); err != nil {
		return nil, nil, err
	}
	if err := c.deletes.flush(ctx); err != nil {
		return nil, nil, err
	}
	if files, err = c.Sink.Publish(ctx); err != nil {
		return nil, nil, err
	}
	gone, err = c.deletes.publish(ctx)
	return slices.Clone(files), gone, err
}

// move makes what is remembered durable, and then the mark.
func (c *Copy) move() error {
	i := c.Increment
	next := i.Next
	next.Seen = seenPrefix + next.Run
	if err := c.keep.write(i.file(next.Seen)); err != nil {
		return err
	}
	if i.IDs {
		if err := c.ids.sync(); err != nil {
			return err
		}
		next.IDs, next.IDBytes = c.idsFile, c.ids.n
	}
	if c.lost > 0 && c.Tell != nil {
		c.Tell(fmt.Sprintf("%d rows of the overlap are not remembered, since they are more than %d; they will come again the next time", c.lost, maxSeen))
	}
	return next.write(i.Dir)
}

// Close ends the copy and its sink.
func (c *Copy) Close() error {
	errs := []error{c.deletes.close(), c.Sink.Close()}
	if c.Files != nil {
		errs = append(errs, c.Files.Close())
	}
	if c.ids != nil {
		errs = append(errs, c.ids.close())
		c.ids = nil
	}
	return errors.Join(errs...)
}
