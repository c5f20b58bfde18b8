package localorg

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

var describeRoutes = []route{
	{pattern: "", methods: map[string]handler{"GET": (*Org).resources}},
	{pattern: "limits", methods: map[string]handler{"GET": (*Org).limits}},
	{pattern: "sobjects", methods: map[string]handler{"GET": (*Org).sobjects}},
	{pattern: "sobjects/{}/describe", methods: map[string]handler{"GET": (*Org).describe}},
}

type versionInfo struct {
	Label   string `json:"label"`
	URL     string `json:"url"`
	Version string `json:"version"`
}

// versions answers GET /services/data/, which needs no token and is not counted.
func versions(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return refuse(405, "METHOD_NOT_ALLOWED", "HTTP Method '%s' not allowed. Allowed are GET", r.Method)
	}
	seasons := []string{"Spring", "Summer", "Winter"}
	var list []versionInfo
	for v := firstVersion; v <= lastVersion; v++ {
		// 66 is Spring '26; three releases a year, and Winter bears the next year's number
		n := v - 66 + 3*26
		year := n / 3
		if n%3 == 2 {
			year++
		}
		list = append(list, versionInfo{fmt.Sprintf("%s '%02d", seasons[n%3], year), fmt.Sprintf("/services/data/v%d.0", v), fmt.Sprintf("%d.0", v)})
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	return json.NewEncoder(w).Encode(list)
}

func (o *Org) resources(c *call) error {
	base := "/services/data/v" + c.version
	return c.reply(200, map[string]string{
		"sobjects": base + "/sobjects", "query": base + "/query", "queryAll": base + "/queryAll", "limits": base + "/limits", "jobs": base + "/jobs", "composite": base + "/composite",
		"identity": identityURL(baseURL(c.r), c.user),
	})
}

// headKeys are the parts of a describe that the list of objects repeats.
var headKeys = []string{"activateable", "associateEntityType", "associateParentEntity", "createable", "custom", "customSetting",
	"deepCloneable", "deletable", "deprecatedAndHidden", "feedEnabled", "hasSubtypes", "isInterface", "isSubtype", "keyPrefix", "label",
	"labelPlural", "layoutable", "mergeable", "mruEnabled", "name", "queryable", "replicateable", "retrieveable", "searchable",
	"triggerable", "undeletable", "updateable", "urls"}

func (o *Org) sobjects(c *call) error {
	if o.fresh(c) {
		return nil
	}
	list := []map[string]json.RawMessage{}
	for _, obj := range o.schema.objects {
		var all map[string]json.RawMessage
		if err := json.Unmarshal(obj.shape().describe, &all); err != nil {
			return err
		}
		head := map[string]json.RawMessage{}
		for _, k := range headKeys {
			if v, ok := all[k]; ok {
				head[k] = v
			}
		}
		list = append(list, head)
	}
	return c.reply(200, map[string]any{"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": list})
}

// fresh answers 304 or 412 where the client's condition says so, and is true when that was the answer.
func (o *Org) fresh(c *call) bool {
	o.mu.RLock()
	changed := o.reshaped
	o.mu.RUnlock()
	c.w.Header().Set("Last-Modified", changed.Format(http.TimeFormat))
	if t, err := http.ParseTime(c.r.Header.Get("If-Modified-Since")); err == nil && !changed.After(t) {
		c.w.WriteHeader(http.StatusNotModified)
		return true
	}
	if t, err := http.ParseTime(c.r.Header.Get("If-Unmodified-Since")); err == nil && changed.After(t) {
		c.w.WriteHeader(http.StatusPreconditionFailed)
		return true
	}
	return false
}

// schemaDate is how old a schema is that was never changed, in the calendar of the org.
var schemaDate = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (o *Org) describe(c *call) error {
	obj := o.schema.object(c.args[0])
	if obj == nil {
		return errNotFound
	}
	if o.fresh(c) {
		return nil
	}
	return c.send(200, "application/json;charset=UTF-8", obj.shape().describe)
}
