package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
	"migrate/pkg/sources"
)

// group writes the rows of jobs in groups with common parents into the run folder, where that is asked for or worth it, and lets the jobs
// read them from there.
func (a *app) group(ctx context.Context, dir string, jobs []pipeline.Job, decided []plan.Decisions, out *output) error {
	for i := range jobs {
		g := decided[i].Group
		rows, worth, err := g.Worth(ctx, jobs[i].Source)
		if err != nil {
			return fmt.Errorf("job %s: %w", jobs[i].Name, err)
		}
		if !worth {
			continue
		}
		out.grouping(jobs[i].Name, g)
		path := filepath.Join(mustAbs(dir), jobs[i].Name+".groups"+spoolExt)
		if err := sources.Group(ctx, jobs[i].Source, sources.GroupOptions{Columns: g.Columns, Groups: g.Groups(rows), Path: path}); err != nil {
			return fmt.Errorf("job %s: %w", jobs[i].Name, err)
		}
		groups, err := sources.OpenGroups(path, sources.SpoolOptions{})
		if err != nil {
			return fmt.Errorf("job %s: %w", jobs[i].Name, err)
		}
		jobs[i].Source, jobs[i].Grouped = groups, true // the columns are the same, so the mapping holds
		decided[i].Pinned.Source = plan.Source{Kind: plan.KindGroups, Paths: []string{path}}
	}
	return nil
}

// grouping tells that the rows of a job are grouped before they are sent.
func (o *output) grouping(job string, g plan.Grouping) {
	if o.json != nil {
		o.json.write("plan", map[string]any{"job": job, "group_by_parent": g.Field, "columns": g.Columns})
		return
	}
	o.text("%s: rows with the same %s (%s) are brought together, and loaded one job after another", job, g.Field, strings.Join(g.Columns, ", "))
}
