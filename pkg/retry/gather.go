package retry

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/sources"
)

// OnlyCorrected in Job.Only stands for the rows that the corrected file has.
const OnlyCorrected = "corrected"

// Job says which rows of one job of a finished run are to be sent again.
type Job struct {
	Folder  string    // of the job's reports
	Earlier []Earlier // retries that have sent rows of the job already
	// Only are the codes of the rows to send, without regard to case, or OnlyCorrected; none means all. Rejected rows, which were never
	// sent, are sent as they were only if their code is named.
	Only []string
	// With is a CSV file with rows that were put right, the corrected file; "" = none.
	With   string
	Source Source        // what the job first read
	Types  *arrow.Schema // the columns of that, where they are more than text; nil = they are text
	Out    string        // the file to write; it appears whole or not at all, and only if there are rows
}

// Earlier is a retry of the same run.
type Earlier struct {
	Run  string
	Path string // the file that it read
}

// Source is what the rows came from at first, for a corrected file that is the source itself.
type Source struct {
	// Files are the CSV files that were read, by the names in the reports, with the number of their rows; -1 = not known.
	Files map[string]int64
	// Rows is the number of rows of all files where that of each is not known: a corrected file must then have the name of the only file.
	// Where there are neither Files nor Rows, the corrected file cannot be the source.
	Rows int64
	Read sources.CSVOptions // how they were read, as far as the user said so
	Key  string             // source column that names a row; "" = none
}

// Counts is what became of the rows that are in reports.
type Counts struct {
	Sent        int64            // into the file
	Corrected   int64            // of these, with another value than in the report
	Retried     map[string]int64 // left out: an earlier retry has sent them, by its run
	Others      map[string]int64 // left out: of another code, by code
	Rejected    int64            // left out: stopped before they were sent, and not put right
	Unaccounted int64            // left out: they may be in the org
	Missing     []string         // source columns that the corrected file lacks; their values are those of the report
	File        string           // the source file that the corrected file was taken for; "" = it is a copy of a report
}

// report is the kind of report that a row is in.
type report byte

const (
	none report = iota
	failed
	unprocessed
	rejected
	unaccounted
)

// files are the reports, in the order in which their rows are sent.
var files = map[report]string{failed: pipeline.FailedFile, unprocessed: pipeline.UnprocessedFile, rejected: pipeline.RejectedFile, unaccounted: pipeline.UnaccountedFile}

// gathering is the work on one job.
type gathering struct {
	Job
	Counts
	reports map[report]*rows
	columns []string // of the reports
	own     int      // of these, the source's
	inFile  map[string]int64
	table   *table     // nil: no row needs to be known
	fixed   *corrected // nil: there is no corrected file
}

// Gather writes the rows to send into Job.Out, in the order of the reports and with their columns. Its errors are *RefusedError where
// the corrected file cannot be taken, and those of reading and writing files.
func (j Job) Gather(ctx context.Context) (Counts, error) {
	g := &gathering{Job: j, reports: map[report]*rows{}, inFile: map[string]int64{}}
	g.Retried, g.Others = map[string]int64{}, map[string]int64{}
	if err := g.open(); err != nil || len(g.reports) == 0 {
		return g.Counts, err
	}
	if j.With != "" || len(j.Earlier) > 0 {
		if err := g.index(ctx); err != nil {
			return g.Counts, err
		}
		defer g.table.close()
	}
	if j.With != "" {
		if err := g.correct(ctx); err != nil {
			return g.Counts, err
		}
		defer g.fixed.close()
	}
	if r := g.reports[unaccounted]; r != nil {
		if err := r.each(ctx, func(row) error { g.Unaccounted++; return nil }, r.whole); err != nil {
			return g.Counts, err
		}
	}
	return g.Counts, g.write(ctx)
}

// open opens the reports that are there.
func (g *gathering) open() error {
	for kind := failed; kind <= unaccounted; kind++ {
		path := filepath.Join(g.Folder, files[kind])
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		r, err := openReport(path)
		if err != nil {
			return err
		}
		if g.columns == nil {
			g.columns, g.own = r.columns, r.own()
		} else if !slices.Equal(g.columns, r.columns) {
			return fmt.Errorf("the columns of %s are not those of the other reports; bring it back as it was, and change a copy", path)
		}
		g.reports[kind] = r
	}
	return nil
}

// index enters the rows of all reports into the table, and marks those that earlier retries have sent.
func (g *gathering) index(ctx context.Context) (err error) {
	if g.table, err = newTable(filepath.Dir(g.Out)); err != nil {
		return err
	}
	for kind := failed; kind <= unaccounted; kind++ {
		r := g.reports[kind]
		if r == nil {
			continue
		}
		err := r.each(ctx, func(w row) error {
			file, line := r.place(w)
			s, known, err := g.table.find(keyOf(file, line))
			if err != nil {
				return err
			}
			if known {
				return fmt.Errorf("%s line %d: the row of %s line %s stands in the reports twice; bring them back as they were, and change a copy", r.path, w.line, file, line)
			}
			if _, ok := g.inFile[file]; ok || len(g.inFile) < manyFiles {
				g.inFile[strings.Clone(file)]++
			}
			s.report = kind
			return g.table.add(s)
		}, r.whole)
		if err != nil {
			return err
		}
	}
	for i, e := range g.Earlier {
		r, err := openReport(e.Path)
		if err != nil {
			return fmt.Errorf("which rows run %s has sent again cannot be told: %w", e.Run, err)
		}
		err = r.each(ctx, func(w row) error {
			s, known, err := g.table.find(keyOf(r.place(w)))
			if err != nil || !known {
				return err
			}
			s.taken = uint16(i + 1)
			return g.table.put(s)
		}, r.whole)
		if err != nil {
			return err
		}
	}
	return nil
}

// manyFiles is how many source files are counted one by one.
const manyFiles = 10_000

// write writes the rows to send.
func (g *gathering) write(ctx context.Context) (err error) {
	f, err := os.CreateTemp(filepath.Dir(g.Out), "."+filepath.Base(g.Out)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		os.Remove(f.Name())
	}()
	out := bufio.NewWriterSize(f, 256<<10)
	if _, err := out.Write(bulk2.AppendRecord(nil, g.columns...)); err != nil {
		return err
	}
	var line []byte
	values := make([]string, len(g.columns))
	for kind := failed; kind <= rejected; kind++ {
		r := g.reports[kind]
		if r == nil {
			continue
		}
		err := r.each(ctx, func(w row) error {
			send, err := g.take(r, w, kind, values)
			if err != nil || !send {
				return err
			}
			line = bulk2.AppendRecord(line[:0], values...)
			g.Sent++
			_, err = out.Write(line)
			return err
		}, r.whole)
		if err != nil {
			return err
		}
	}
	if g.fixed != nil && g.fixed.refused.err() != nil {
		return g.fixed.refused.err()
	}
	if g.Sent == 0 {
		return nil
	}
	if err := errors.Join(out.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), g.Out); err != nil {
		return err
	}
	return checkpoint.SyncDir(filepath.Dir(g.Out))
}

// take decides about one row of a report, and gives the values with which it is sent.
func (g *gathering) take(r *rows, w row, kind report, values []string) (bool, error) {
	var s slot
	if g.table != nil {
		var err error
		if s, _, err = g.table.find(keyOf(r.place(w))); err != nil {
			return false, err
		}
	}
	code, named := r.code(w), s.value > 0
	switch {
	case s.taken > 0:
		g.Retried[g.Earlier[s.taken-1].Run]++
		return false, nil
	case kind == rejected && !named && (len(g.Only) == 0 || !g.wants(code, false) || sources.IsMalformed(code)):
		g.Rejected++
		return false, nil
	case !g.wants(code, named):
		g.Others[strings.Clone(code)]++
		return false, nil
	}
	for i := range values {
		values[i] = w.value(i)
	}
	changed := false
	if named {
		var err error
		if changed, err = g.fixed.put(s, values[:g.own], r, w); err != nil {
			return false, err
		}
	}
	if kind == rejected && sources.IsMalformed(code) && !changed { // what stands in the report may not be all of the record
		g.Rejected++
		return false, nil
	}
	if changed {
		g.Corrected++
	}
	return true, nil
}

// wants reports whether rows of a code are to be sent.
func (g *gathering) wants(code string, named bool) bool {
	return len(g.Only) == 0 || slices.ContainsFunc(g.Only, func(o string) bool {
		return strings.EqualFold(o, code) || named && strings.EqualFold(o, OnlyCorrected)
	})
}
