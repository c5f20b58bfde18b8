package plan

import (
	"context"
	"slices"
	"strings"

	"migrate/pkg/bulk2"
	"migrate/pkg/sources"
)

// The words that stand where group_by_parent names no field.
const (
	groupAuto = "auto"
	groupOff  = "off"
)

// Grouping says by which lookup the rows of a job are grouped before they are sent, so that children of one parent are never in two
// places at once: Salesforce locks the parent while they are saved.
type Grouping struct {
	Field   string   // "" = the rows stay as they are
	Columns []string // of the source, from which the values of the lookup come
	Asked   bool     // the plan names the field; else Worth decides
}

// grouping finds the lookup. With auto it is a master-detail relationship, or else the first lookup whose parents are locked.
func (c *compiler) grouping() Grouping {
	if c.Source.Kind == KindGroups || c.GroupByParent == groupOff {
		return Grouping{}
	}
	locks := func(t target) bool {
		return t.field.Type == "reference" && len(t.sourceColumns()) > 0 &&
			!slices.ContainsFunc(t.field.ReferenceTo, func(o string) bool { return slices.Contains(neverLocked, o) })
	}
	if c.GroupByParent == "" || c.GroupByParent == groupAuto {
		saves := c.Operation == bulk2.Insert || c.Operation == bulk2.Update || c.Operation == bulk2.Upsert
		if !saves || c.Limit > 0 || len(c.Unique) > 0 {
			return Grouping{}
		}
		var best Grouping
		for _, t := range c.targets {
			if locks(t) && (best.Field == "" || t.field.CascadeDelete) {
				best = Grouping{Field: t.header, Columns: t.sourceColumns()}
				if t.field.CascadeDelete {
					break
				}
			}
		}
		return best
	}
	i := slices.IndexFunc(c.targets, func(t target) bool {
		return strings.EqualFold(t.header, c.GroupByParent) || strings.EqualFold(t.field.Name, c.GroupByParent)
	})
	var names []string
	for _, t := range c.targets {
		if t.field.Type == "reference" {
			names = append(names, t.header)
		}
	}
	switch {
	case i < 0 || c.targets[i].field.Type != "reference":
		c.find(nil, "group_by_parent: %s is no lookup that the job sets%s; name one, or write auto or off", c.GroupByParent, didYouMean(c.GroupByParent, names))
	case len(c.targets[i].sourceColumns()) == 0:
		c.find(nil, "group_by_parent: %s comes from no source column", c.targets[i].header)
	case len(c.Unique) > 0:
		c.find(nil, "group_by_parent and unique exclude one another: which of two equal rows is the first is told by the order of the files")
	default:
		return Grouping{Field: c.targets[i].header, Columns: c.targets[i].sourceColumns(), Asked: true}
	}
	return Grouping{}
}

const oneBatch = 10_000 // rows of an internal batch: so few rows cannot be in two places at once

// Worth says whether rows are to be grouped: with auto where they do not fit into one internal batch and parents occur more than once.
func (g Grouping) Worth(ctx context.Context, src sources.Source) (rows int64, worth bool, err error) {
	if g.Field == "" {
		return 0, false, nil
	}
	s, err := sources.Sample(ctx, src, g.Columns, oneBatch)
	return s.Rows, g.Asked || s.Rows > oneBatch && s.Repeated, err
}

// Groups is how many groups about so many rows come into: each about an internal batch, some for each job in flight, and not more than
// a process may have files open.
func (g Grouping) Groups(rows int64) int {
	return int(min(max((rows+oneBatch-1)/oneBatch, 8), 128))
}
