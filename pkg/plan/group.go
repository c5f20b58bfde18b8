package plan

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"migrate/pkg/bulk2"
	"migrate/pkg/cell"
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

// The sample by which auto decides.
const (
	groupSample = 20_000
	manyRows    = 500_000
	oneBatch    = 10_000 // rows of an internal batch: so few rows cannot be in two places at once
)

// Worth reads the first rows of a source and says whether its rows are to be grouped: with auto where they do not fit into one internal
// batch and parents occur more than once. rows is about how many there are, at least those that were looked at.
func (g Grouping) Worth(ctx context.Context, src sources.Source) (rows int64, worth bool, err error) {
	if g.Field == "" {
		return 0, false, nil
	}
	var keys []int
	for _, name := range g.Columns {
		keys = append(keys, src.Schema().FieldIndices(name)...)
	}
	seen := map[string]bool{}
	repeated, unknown := false, false
	var looked, lookedAt, whole int64 // rows, and how much of the splits they are
	for _, s := range src.Splits() {
		size := s.End - s.Start.Offset
		whole += max(size, 0)
		unknown = unknown || size <= 0
		if looked >= groupSample {
			continue
		}
		n, at, err := g.look(ctx, src, s, groupSample-looked, keys, seen, &repeated)
		if err != nil {
			return 0, false, err
		}
		looked += n
		lookedAt += at.Offset - s.Start.Offset
	}
	rows = looked
	switch {
	case looked < groupSample: // all of them
	case unknown:
		rows = max(rows, manyRows) // compressed: nobody knows
	case lookedAt > 0:
		rows = max(rows, int64(float64(looked)*float64(whole)/float64(lookedAt)))
	}
	return rows, g.Asked || rows > oneBatch && repeated, nil
}

// look reads up to most rows of a split.
func (g Grouping) look(ctx context.Context, src sources.Source, s sources.Split, most int64, keys []int, seen map[string]bool, repeated *bool) (n int64, at sources.Position, err error) {
	at = s.Start
	r, err := src.Open(ctx, s, s.Start)
	if err != nil {
		return 0, at, err
	}
	defer r.Close()
	var key []byte
	for n < most {
		b, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return n, at, nil
		}
		if err != nil {
			return n, at, nil // the load will say so, and send the rows before it
		}
		for i := range int(b.Rows.NumRows()) {
			key = key[:0]
			for _, k := range keys {
				key = cell.AppendText(key, b.Rows.Column(k), i)
				key = append(key, 0)
			}
			if len(key) == len(keys) {
				continue // no parent
			}
			*repeated = *repeated || seen[string(key)]
			seen[string(key)] = true
		}
		n, at = b.Next.Row-s.Start.Row, b.Next
		b.Rows.Release()
	}
	return n, at, nil
}

// Groups is how many groups about so many rows come into: each about an internal batch, some for each job in flight, and not more than
// a process may have files open.
func (g Grouping) Groups(rows int64) int {
	return int(min(max((rows+oneBatch-1)/oneBatch, 8), 128))
}
