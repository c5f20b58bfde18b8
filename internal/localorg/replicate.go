package localorg

import (
	"encoding/json"
	"strings"
	"time"
)

var replicationRoutes = []route{
	{pattern: "sobjects/{}/updated", methods: map[string]handler{"GET": (*Org).updatedRecords}},
	{pattern: "sobjects/{}/deleted", methods: map[string]handler{"GET": (*Org).deletedRecords}},
	{pattern: "limits/recordCount", methods: map[string]handler{"GET": (*Org).recordCount}},
}

const (
	updatedWindow = 30 * 24 * time.Hour
	deletedWindow = 15 * 24 * time.Hour
	maxReplicated = 600_000
)

// replication reads object, start and end of a call; seconds are ignored.
func (o *Org) replication(c *call, window time.Duration) (t *table, start, end time.Time, err error) {
	obj, err := o.objectOf(c.args[0])
	if err != nil {
		return nil, start, end, err
	}
	var head struct {
		Replicateable bool `json:"replicateable"`
	}
	if err := json.Unmarshal(obj.shape().describe, &head); err != nil || !head.Replicateable { // the text is a guess
		return nil, start, end, refuse(400, "INVALID_TYPE", "entity type %s is not replicateable", obj.Name)
	}
	q := c.r.URL.Query()
	for name, at := range map[string]*time.Time{"start": &start, "end": &end} {
		parsed, ok := parseDatetime([]byte(strings.ReplaceAll(q.Get(name), " ", "+"))) // a + that was not escaped
		if !ok {                                                                       // the text is a guess
			return nil, start, end, refuse(400, "MALFORMED_QUERY", "%s must be a date and time, such as 2026-01-01T00:00:00Z", name)
		}
		*at = parsed.Truncate(time.Minute)
	}
	now := o.now()
	switch {
	case end.Sub(start) < time.Minute: // the texts are a guess
		return nil, start, end, refuse(400, "INVALID_REPLICATION_DATE", "endDate must be at least one minute greater than startDate")
	case now.Sub(start) > window:
		return nil, start, end, refuse(400, "INVALID_REPLICATION_DATE", "startDate before org replication enabled date or more than %d days ago", int(window.Hours()/24))
	}
	if end.After(now) {
		end = now.Truncate(time.Minute)
	}
	return o.table(obj), start, end, nil
}

// changed walks over the records whose SystemModstamp lies in a window.
func (o *Org) changed(t *table, start, end time.Time, deleted bool, visit func(id string, at int64)) {
	o.mu.RLock()
	n := len(t.places)
	o.mu.RUnlock()
	o.steps(n, func(i int) bool {
		if t.places[i] != 0 {
			r := t.record(uint32(i))
			if at := r.stamps().stamp; r.deleted() == deleted && at >= start.Unix() && at < end.Unix() {
				visit(t.id(uint32(i)).String(), at)
			}
		}
		return true
	}, goOn)
}

func (o *Org) updatedRecords(c *call) error {
	t, start, end, err := o.replication(c, updatedWindow)
	if err != nil {
		return err
	}
	ids := []string{}
	o.changed(t, start, end, false, func(id string, _ int64) { ids = append(ids, id) })
	if len(ids) > maxReplicated {
		return refuse(400, "EXCEEDED_ID_LIMIT", "too many ids: %d", len(ids))
	}
	return c.reply(200, map[string]any{"ids": ids, "latestDateCovered": end.UTC().Format(jsonTime)})
}

func (o *Org) deletedRecords(c *call) error {
	t, start, end, err := o.replication(c, deletedWindow)
	if err != nil {
		return err
	}
	type deletion struct {
		ID   string `json:"id"`
		Date string `json:"deletedDate"`
	}
	list := []deletion{}
	add := func(id string, at int64) {
		list = append(list, deletion{id, time.Unix(at, 0).UTC().Format(jsonTime)})
	}
	o.changed(t, start, end, true, add)
	o.mu.RLock()
	for _, g := range t.gone {
		if g.at >= start.Unix() && g.at < end.Unix() {
			add(t.id(g.ord).String(), g.at)
		}
	}
	o.mu.RUnlock()
	if len(list) > maxReplicated {
		return refuse(400, "EXCEEDED_ID_LIMIT", "too many ids: %d", len(list))
	}
	return c.reply(200, map[string]any{"deletedRecords": list, "earliestDateAvailable": o.now().Add(-deletedWindow).UTC().Format(jsonTime),
		"latestDateCovered": end.UTC().Format(jsonTime)})
}

// recordCount answers with the number of records of some objects, or of all.
func (o *Org) recordCount(c *call) error {
	type count struct {
		Count int    `json:"count"`
		Name  string `json:"name"`
	}
	list := []count{}
	wanted := c.r.URL.Query().Get("sObjects")
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, t := range o.tables {
		if wanted == "" || containsFold(strings.Split(wanted, ","), t.obj.Name) {
			list = append(list, count{t.live, t.obj.Name})
		}
	}
	return c.reply(200, map[string]any{"sObjects": list})
}

func containsFold(list []string, name string) bool {
	for _, s := range list {
		if strings.EqualFold(strings.TrimSpace(s), name) {
			return true
		}
	}
	return false
}
