package main

import (
	"context"
	"errors"
	"path/filepath"

	"migrate/pkg/idmap"
	"migrate/pkg/plan"
)

// idsFileName is the id map in the state folder, for all runs that share it.
const idsFileName = "ids.db"

// ids is the id map as a run sees it. The zero value belongs to a run that needs none.
type ids struct {
	m    *idmap.Map
	view *idmap.View
}

// openIDs opens the id map of a run. upTo is the newest entry when the run began; -1 for a run that begins now.
func openIDs(ctx context.Context, p *plan.Plan, dir string, conn *connection, upTo int64) (ids, int64, error) {
	if !p.UsesIDs() {
		return ids{}, 0, nil
	}
	m, err := idmap.Open(ctx, filepath.Join(filepath.Dir(filepath.Dir(dir)), idsFileName))
	if err != nil {
		return ids{}, 0, err
	}
	if upTo < 0 {
		upTo, err = m.Last(ctx)
	}
	var view *idmap.View
	if err == nil {
		view, err = m.View(ctx, conn.place(dir), filepath.Base(dir), upTo)
	}
	if err != nil {
		return ids{}, 0, errors.Join(err, m.Close())
	}
	return ids{m, view}, upTo, nil
}

func (i ids) Close() error {
	if i.m == nil {
		return nil
	}
	return errors.Join(i.view.Close(), i.m.Close())
}

// lookup gives the id map as a plan asks it.
func (i ids) lookup(ctx context.Context) plan.IDs {
	if i.m == nil {
		return nil
	}
	return planIDs{ctx, i.view}
}

// planIDs asks the id map for as long as a run lasts.
type planIDs struct {
	ctx  context.Context
	view *idmap.View
}

func (p planIDs) Has(job string) (bool, error) { return p.view.Has(p.ctx, job) }

func (p planIDs) Find(job string, sources []string) (map[string]string, error) {
	return p.view.Find(p.ctx, job, sources)
}
