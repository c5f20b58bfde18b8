package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"migrate/pkg/export"
	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
	"migrate/pkg/restquery"
	"migrate/pkg/salesforce"
)

// exportForecast is what an export would do.
type exportForecast struct {
	Rows    int64 // that the org counts now; -1 = it does not count them
	Queries int64 // query jobs
	Calls   int64 // of the API, about
	// About says that there may be more: deleted records, which are not counted, and those that the plan loads before.
	About bool
}

const (
	callsOfAQuery = 1 + 4 + 1 // create it, look at it, list its pages
	pageRows      = 50_000    // of a page as the org makes them, about
)

// foreseeExports tells what the exports of a plan would bring, and what is in the way of their targets. Nothing is written, so the mark is read
// without a lock.
func (a *app) foreseeExports(ctx context.Context, p *plan.Plan, list []exportSpec, conn *connection, out *output) ([]exportSpec, map[string]exportForecast, error) {
	dir := filepath.Join(a.stateDir(p.Path), runsDirName, "plan")
	list, err := a.settleExports(ctx, list, dir, conn, "{run}", export.Foresee)
	if err != nil {
		return nil, nil, err
	}
	forecasts := map[string]exportForecast{}
	var wrong []error
	for _, x := range list {
		if x.Of == "" {
			out.export(x)
			if restquery.Outside(x.Extract.Object) {
				out.overREST(x)
			}
			if err := x.To.Look(ctx, pipeline.ExportSchema(x.Extract.Columns), x.opening(false, out.warning), a.env); err != nil {
				wrong = append(wrong, x.refused(err))
			}
			if err := x.lookFiles(dir); err != nil {
				wrong = append(wrong, err)
			}
		}
		f, err := x.foresee(ctx, conn)
		if err != nil {
			return nil, nil, err
		}
		f.About = x.AllRows || slices.ContainsFunc(p.Jobs, func(j plan.Job) bool { return strings.EqualFold(j.Object, x.Extract.Object) && j.Line < x.Line })
		forecasts[x.Name] = f
	}
	return list, forecasts, errors.Join(wrong...)
}

// rows are the rows as they are shown.
func (f exportForecast) rows() string {
	switch {
	case f.Rows < 0:
		return "?"
	case f.About:
		return "~" + number(f.Rows)
	}
	return number(f.Rows)
}

func (x exportSpec) foresee(ctx context.Context, conn *connection) (exportForecast, error) {
	slices, rows, err := x.slices(ctx, conn, orgNow(conn.Client))
	if err != nil {
		return exportForecast{}, err
	}
	if q := x.Extract.Query; rows < 0 && q.By == "" {
		n, ok, err := q.Count(ctx, conn.Client)
		if err != nil {
			return exportForecast{}, x.uncounted(err)
		}
		if ok {
			rows = n
		}
	}
	f := exportForecast{Rows: rows, Queries: int64(len(slices))}
	f.Calls = f.Queries*callsOfAQuery + max(f.Queries, (rows+pageRows-1)/pageRows)
	if restquery.Outside(x.Extract.Object) { // a query job is asked for once, to hear so
		f.Queries, f.Calls = 0, 1+max(f.Queries, (rows+restquery.PageRows-1)/restquery.PageRows)
	}
	if x.Extract.Content != nil {
		f.Calls += max(rows, 0) // but for those that are there
	}
	return f, nil
}

// uncounted says why the records cannot be counted. What the org does not understand is a fault of the query, which is counted before it is asked.
func (x exportSpec) uncounted(err error) error {
	var api *salesforce.APIError
	if errors.As(err, &api) && api.Status == http.StatusBadRequest {
		return &plan.Error{Findings: []plan.Finding{{Path: x.Path, Line: x.Line, Job: x.Name, Message: "the org refuses the query: " + api.Code + ": " + api.Message}}}
	}
	return fmt.Errorf("job %s: the records cannot be counted: %w", x.Name, err)
}
