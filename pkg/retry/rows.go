package retry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"migrate/pkg/pipeline"
	"migrate/pkg/sources"
)

// rows is a CSV file that is read from its start to its end.
type rows struct {
	path    string
	source  *sources.CSV
	columns []string
}

// row is one of its rows. It is good until the next one is read.
type row struct {
	batch arrow.RecordBatch
	at    int
	line  int64
}

// value is the text in a column.
func (r row) value(column int) string { return r.batch.Column(column).(*array.String).Value(r.at) }

// longestRow is the most bytes that a row may have: a report has rows of any source.
const longestRow = 512 << 20

func openRows(path string, opt sources.CSVOptions) (*rows, error) {
	opt.MaxRecord = longestRow
	src, err := sources.OpenCSV([]string{path}, opt)
	if err != nil {
		return nil, err
	}
	r := &rows{path: path, source: src}
	for _, f := range src.Schema().Fields() {
		r.columns = append(r.columns, f.Name)
	}
	return r, nil
}

// openReport opens a file that has the columns of a report behind those of the source, as this program writes it.
func openReport(path string) (*rows, error) {
	r, err := openRows(path, sources.CSVOptions{Delimiter: ",", Quote: `"`, Escape: `"`, Encoding: "utf-8"})
	if err != nil {
		return nil, err
	}
	if own := r.own(); own < 0 || !slices.Equal(r.columns[own:], pipeline.ReportColumns) {
		return nil, fmt.Errorf("%s is no report of this program, or its columns were changed; bring it back as it was, and change a copy", path)
	}
	return r, nil
}

// own is the number of columns of a report that are the source's.
func (r *rows) own() int { return len(r.columns) - len(pipeline.ReportColumns) }

// place gives the file and line by which the user knows a row of a report.
func (r *rows) place(w row) (file, line string) { return w.value(r.own()), w.value(r.own() + 1) }

// code is the error code of a row of a report.
func (r *rows) code(w row) string { return w.value(r.own() + 4) }

// each gives the rows and the malformed records to functions, which end it by an error.
func (r *rows) each(ctx context.Context, good func(row) error, bad func(sources.BadRow) error) error {
	for _, split := range r.source.Splits() {
		if err := r.eachOf(ctx, split, good, bad); err != nil {
			return err
		}
	}
	return nil
}

func (r *rows) eachOf(ctx context.Context, split sources.Split, good func(row) error, bad func(sources.BadRow) error) error {
	in, err := r.source.Open(ctx, split, sources.Position{})
	if err != nil {
		return err
	}
	defer in.Close()
	for {
		b, err := in.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = func() error {
			defer b.Rows.Release()
			for i := range int(b.Rows.NumRows()) {
				if err := good(row{batch: b.Rows, at: i, line: b.Pos[i].Line}); err != nil {
					return err
				}
			}
			for _, w := range b.Bad {
				if err := bad(w); err != nil {
					return err
				}
			}
			return nil
		}()
		if err != nil {
			return err
		}
	}
}

// whole is for a report, in which no record is malformed unless it was changed by hand.
func (r *rows) whole(b sources.BadRow) error {
	return fmt.Errorf("%s: %s; bring the report back as it was, and change a copy", r.path, b.Message)
}
