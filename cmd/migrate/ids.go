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

// openParents opens what finds the parents of a run's rows. upTo is the newest entry of the id map when the run began; -1 for a run
// that begins now.
func openParents(ctx context.Context, p *plan.Plan, dir string, conn *connection, upTo int64, out *output) (*parents, int64, error) {
	known, upTo, err := openIDs(ctx, p, dir, conn, upTo)
	if err != nil {
		return nil, 0, err
	}
	list := &parents{ctx: ctx, ids: known, org: conn.Client, dir: dir, tell: out.progress.print}
	if conn.local != nil {
		list.every = localPoll
	}
	return list, upTo, nil
}

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
