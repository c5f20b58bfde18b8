package pipeline

import (
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"migrate/pkg/cell"
	"migrate/pkg/sources"
)

// A source may itself be a report: a row that is sent again comes from there, but the user knows it by the file and line
// that it first came from. Its report columns are therefore carried on, not added once more.

// sourceColumns is the number of columns of the source that are the user's own.
func (j *jobRun) sourceColumns() int {
	fields := j.Source.Schema().Fields()
	own := len(fields) - len(ReportColumns)
	if own < 0 || !slices.EqualFunc(fields[own:], ReportColumns, func(f arrow.Field, name string) bool { return f.Name == name }) {
		return len(fields)
	}
	return own
}

// sourceValues are the user's own columns of a row.
func (j *jobRun) sourceValues(b arrow.RecordBatch, row int) []string {
	values := make([]string, j.sourceColumns())
	for i := range values {
		values[i] = string(cell.AppendText(nil, b.Column(i), row))
	}
	return values
}

// origin begins a report row with the file and line by which the user knows the row, and with the attempts of earlier runs.
func (j *jobRun) origin(s sources.Split, pos sources.Position, b arrow.RecordBatch, row int) reportRow {
	own := j.sourceColumns()
	if own < int(b.NumCols()) {
		attempt, _ := strconv.Atoi(b.Column(own + 2).ValueStr(row)) // empty: it was never sent
		return reportRow{File: b.Column(own).ValueStr(row), Line: b.Column(own + 1).ValueStr(row), Attempt: attempt}
	}
	return reportRow{File: pos.PathOr(s), Line: strconv.FormatInt(pos.Line, 10)}
}
