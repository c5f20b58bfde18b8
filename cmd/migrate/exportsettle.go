package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"migrate/pkg/export"
	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
	"migrate/pkg/salesforce"
)

// orgNow is the org's clock. It is told with every answer, and describe was one.
func orgNow(client *salesforce.Client) time.Time {
	if now, ok := client.Now(); ok {
		return now
	}
	return time.Now()
}

// settleExports decides what exports bring and where it goes, and adds those that ask for ids. begin is export.Begin, or export.Foresee where nothing
// is to be written.
func (a *app) settleExports(ctx context.Context, list []exportSpec, dir string, conn *connection, run string, begin beginner) (all []exportSpec, err error) {
	now := orgNow(conn.Client)
	names := map[string]string{"run": run, "run_date": now.UTC().Format(time.DateOnly), "run_time": now.UTC().Format("20060102T150405Z")}
	places := map[string]exportSpec{}
	for _, x := range list {
		ids, err := a.settleExport(ctx, &x, dir, conn, now, names, begin)
		if err != nil {
			return nil, err
		}
		merges := x.To.Merge && x.Watermark == nil
		if other, ok := places[x.place()]; ok && !(merges && other.To.Merge && other.Watermark == nil) {
			return nil, &plan.Error{Findings: []plan.Finding{{Path: x.Path, Line: x.Line, Job: x.Name, Message: "it goes to the same place as job " + other.Name + ", and would replace its rows; give it another"}}}
		}
		places[x.place()] = x
		if ids != nil {
			all = append(all, *ids)
		}
		all = append(all, x)
	}
	return all, nil
}

// place is where the rows go, as far as the words for it tell.
func (x exportSpec) place() string { return x.To.Path + " " + strings.ToLower(x.To.Table) }

type beginner func(dir string, w export.Wanted, now time.Time) (*export.Increment, []string, error)

// settleExport decides what this run of an export brings, and gives the export that asks for ids, where one is needed.
func (a *app) settleExport(ctx context.Context, x *exportSpec, dir string, conn *connection, now time.Time, names map[string]string, begin beginner) (ids *exportSpec, err error) {
	place, err := x.To.Place(a.env) // the same from whatever folder the plan is named
	if err != nil {
		return nil, usagef("job %s: to: %w", x.Name, err)
	}
	names["job"], names["object"] = x.Name, strings.ToLower(x.Extract.Object)
	if x.To, err = x.To.Settle(x.Extract.Object, names); err != nil {
		return nil, usagef("job %s: to: %w", x.Name, err)
	}
	place += " " + x.To.Table
	if x.Files != "" {
		place += " " + mustAbs(x.Files) // else records that do not change would have none
		if x.Files, err = x.SettleFiles(names); err != nil {
			return nil, usagef("job %s: %w", x.Name, err)
		}
	}
	if x.Watermark == nil {
		return nil, nil
	}
	if x.To.Database() && x.Drift != plan.DriftFail {
		x.To.AddColumns = true
	}
	w := export.Wanted{Run: filepath.Base(dir), Org: conn.place(dir), Query: x.asked(), Target: place, Field: x.Extract.Stamp,
		Overlap: x.Watermark.Overlap, Refresh: x.Refresh, Drift: string(x.Drift),
		Stands: func() (bool, error) {
			return x.To.Stands(ctx, pipeline.ExportSchema(x.Extract.Columns), a.env)
		}}
	for _, c := range x.Extract.Columns {
		w.Columns = append(w.Columns, export.Column{Name: c.Name, Type: c.Type})
	}
	if x.Deletes != nil {
		w.Deletes, w.Compare = true, x.Deletes.Compare
		x.AllRows = true // which has the recycle bin
	}
	inc, notes, err := begin(markDir(dir, x.Name, conn), w, now)
	var drift *export.DriftError
	switch {
	case errors.As(err, &drift):
		return nil, &plan.Error{Findings: []plan.Finding{{Path: x.Path, Line: x.Line, Job: x.Name, Message: drift.Error()}}}
	case errors.Is(err, export.ErrOtherOrg):
		return nil, usagef("job %s: %w", x.Name, err)
	case err != nil:
		return nil, fmt.Errorf("job %s: %w", x.Name, err)
	}
	x.Increment = inc
	x.Extract.Notes = append(x.Extract.Notes, notes...)
	base := x.Extract.Query
	x.Extract.Query.Where = append(slices.Clone(base.Where), inc.Asks(pipeline.SOQLTime)...)
	if !inc.Compare {
		return nil, nil
	}
	// Archived activities are shown by queries only that see the recycle bin.
	base.Fields, base.Where = "Id", append(slices.Clone(base.Where), "IsDeleted = false")
	return &exportSpec{Export: plan.Export{Name: x.Name + ".ids", Query: x.Query, AllRows: true, SliceRows: x.SliceRows, Line: x.Line}, Of: x.Name,
		Extract: plan.Extract{Object: x.Extract.Object, Query: base, Columns: []pipeline.ExportColumn{{Name: "Id", Type: "id"}}}}, nil
}

// asked is the query as far as it says which records there are.
func (x exportSpec) asked() string {
	text := x.Extract.Object + " " + strings.Join(x.Extract.Query.Where, " ")
	if x.Extract.Query.Tail != "" {
		text += " " + x.Extract.Query.Tail
	}
	return text
}
