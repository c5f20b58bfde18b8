package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/sinks"
)

// Fetcher opens the content of a field of type base64 of a record. The caller reads and closes it. Calls come from several goroutines, may be
// repeated, and count towards the org's limits. A content that is not there is a salesforce.ErrGone; an error of opening was worth no other try, one of
// reading that matches salesforce.ErrTemporary is. *salesforce.Client is one.
type Fetcher interface {
	Blob(ctx context.Context, object, id, field string) (io.ReadCloser, error)
}

// Content names the columns of an export that tell of the contents of its records; "" = there is none such.
type Content struct {
	Field     string // of type base64; no column
	Length    string // bytes; always there
	Checksum  string // MD5 in hexadecimal
	Stamp     string // when the record has changed last; without a Checksum it tells whether a file is still what the org has
	Extension string
	FileName  string // has an extension at its end
}

// FilesConfig says which contents are fetched, and where they go.
type FilesConfig struct {
	Dir     string // a folder, which is made if need be
	List    string // name of the list of them, see FilesList
	Object  string
	Columns []pipeline.ExportColumn // of the rows; Id is one
	Content Content
	Org     Fetcher
	// More is asked before each call of the org; see pipeline.Export. nil = there is no bound.
	More      func() error
	Overwrite bool // the list, if an earlier export has left one
	Resumed   bool // an earlier process of the run may have left the list
	Tell      func(text string)
}

// FilesList names the list of the contents of a run: files.csv, or, where an increment brings some of them only, a list of its own beside it.
func FilesList(i *Increment, run string) string {
	if i == nil || i.Whole() {
		return "files.csv"
	}
	return "files-" + run + ".csv"
}

// FilesTaken are figures of the contents of an export.
type FilesTaken struct {
	Records int64
	Bytes   int64 // of the files
	Fetched int64 // by this process; the others were there
	None    int64 // records without a content
	Missing int64 // contents that the org does not have any more, or does not show
}

const (
	filesAtOnce = 4
	// filesAhead is how many contents are on their way or wait for one before them, so that the list has the order of the rows.
	filesAhead = 256
	// missingTold is how many missing contents are told one by one; the list has all.
	missingTold = 5
)

var filesSchema = arrow.NewSchema([]arrow.Field{
	{Name: "Id", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "file", Type: arrow.BinaryTypes.String, Nullable: true}, // beside the list; null where there is none
	{Name: "bytes", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "sha256", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "state", Type: arrow.BinaryTypes.String, Nullable: true},
}, nil)

// The states of a content in the list.
const (
	FileThere   = "there"
	FileNone    = "none"    // the record has no content
	FileMissing = "missing" // the org does not have it, or does not show it
)

// Files fetches the contents of the records of an export, some at once, into a file for each. A file is whole and durable when it gets its name,
// and what is there already is not fetched again. It belongs to one goroutine; Close ends those that it has started.
type Files struct {
	FilesConfig
	columns
	taken   FilesTaken
	list    *listing
	parts   string
	odd     bool // a checksum that cannot be compared was told of
	todo    chan *content
	waiting []*content // in the order of the rows
	workers sync.WaitGroup
	halted  bool // no more may be fetched, but what is on its way may come
	cancel  context.CancelCauseFunc
	cause   func() error
}

// OpenFiles prepares the folder, so that what is in the way is found out now. When ctx ends, so does the fetching.
func OpenFiles(ctx context.Context, cfg FilesConfig) (f *Files, err error) {
	f = &Files{FilesConfig: cfg}
	if f.columns, err = cfg.Content.columns(cfg.Columns); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("the folder for the contents: %w", err)
	}
	// The list is held against other processes, and with it the parts.
	if f.list, err = openListing(sinks.FileOptions{Path: f.Path(), Overwrite: cfg.Overwrite, Resume: cfg.Resumed}, filesSchema); err != nil {
		return nil, err
	}
	f.parts = filepath.Join(cfg.Dir, "."+strings.TrimSuffix(cfg.List, ".csv")+".parts")
	if err = os.RemoveAll(f.parts); err == nil {
		err = os.Mkdir(f.parts, 0o700)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the folder for the contents: %w", err), f.list.close())
	}
	if f.More == nil {
		f.More = func() error { return nil }
	}
	f.todo = make(chan *content)
	ctx, f.cancel = context.WithCancelCause(ctx)
	f.cause = func() error { return context.Cause(ctx) }
	for range filesAtOnce {
		f.workers.Go(func() { f.work(ctx) })
	}
	return f, nil
}

// Path is that of the list.
func (f *Files) Path() string { return filepath.Join(f.Dir, f.List) }

// work brings contents until there are none. After an error it goes on without bringing any, so that nobody waits for ever.
func (f *Files) work(ctx context.Context) {
	buf := make([]byte, 64<<10)
	for c := range f.todo {
		if c.err = ctx.Err(); c.err == nil {
			c.err = f.bring(ctx, c, buf)
		}
		if c.err != nil && !c.halted {
			f.cancel(c.err)
		}
		close(c.done)
	}
}

// take has the content of a row fetched. An error may be of a row before it.
func (f *Files) take(row [][]byte) error {
	c, err := f.content(row)
	if err != nil {
		return err
	}
	f.waiting = append(f.waiting, c)
	if c.bytes < 0 {
		close(c.done)
	} else {
		f.todo <- c
	}
	return f.collect(filesAhead)
}

// collect enters contents into the list, until at most so many are waited for.
func (f *Files) collect(most int) error {
	for len(f.waiting) > 0 {
		c := f.waiting[0]
		if len(f.waiting) <= most {
			select {
			case <-c.done:
			default:
				return nil
			}
		}
		<-c.done
		if c.err != nil {
			f.halted = f.halted || c.halted
			if cause := f.cause(); cause != nil {
				return cause // the others are only its echo
			}
			return c.err
		}
		f.waiting = f.waiting[1:]
		if err := f.enter(c); err != nil {
			return err
		}
	}
	return nil
}

// enter writes the line of a content.
func (f *Files) enter(c *content) error {
	state := c.state()
	f.taken.Records++
	var name, sum []byte
	bytes := f.list.rows.Field(2).(*array.Int64Builder)
	if state == FileThere {
		name, sum = []byte(c.name), []byte(c.sha256)
		bytes.Append(c.bytes)
	} else {
		bytes.AppendNull()
	}
	f.list.text(0, []byte(c.id))
	f.list.text(1, name)
	f.list.text(3, sum)
	f.list.text(4, []byte(state))
	switch state {
	case FileThere:
		f.taken.Bytes += c.bytes
	case FileNone:
		f.taken.None++
	case FileMissing:
		if f.taken.Missing++; f.taken.Missing <= missingTold && f.Tell != nil {
			f.Tell(fmt.Sprintf("%s: the org does not have it any more, or does not show it; its row is exported, and %s says that it is missing", f.name(c), f.List))
		}
	}
	if c.fetched {
		f.taken.Fetched++
	}
	return f.list.end(context.Background())
}

// finish waits for all contents and makes their names durable.
func (f *Files) finish() error {
	if err := f.collect(0); err != nil {
		return err
	}
	if err := f.list.flush(context.Background()); err != nil {
		return err
	}
	return checkpoint.SyncDir(f.Dir)
}

// publish puts the list in place.
func (f *Files) publish(ctx context.Context) (*sinks.File, error) { return f.list.publish(ctx) }

// Close ends the fetching. Files that are there stay, so that they need not be fetched again.
func (f *Files) Close() error {
	if f.todo == nil {
		return nil
	}
	if !f.halted {
		f.cancel(context.Canceled)
	}
	close(f.todo)
	f.workers.Wait()
	f.cancel(context.Canceled)
	f.todo = nil
	return errors.Join(os.RemoveAll(f.parts), f.list.close())
}
