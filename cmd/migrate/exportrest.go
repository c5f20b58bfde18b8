package main

import (
	"fmt"

	"migrate/pkg/bulk2"
	"migrate/pkg/pipeline"
	"migrate/pkg/restquery"
)

// pager asks the queries of an export: by query jobs, or over REST where the org says that those do not know the object. Which of the two it was
// is told by the names of the jobs in the checkpoint, so nothing else has to be kept.
func (x exportSpec) pager(conn *connection, out *output) pipeline.Pager {
	cfg := restquery.Config{Jobs: bulk2.New(conn.Client), Org: conn.Client, Refused: func() { out.overREST(x) }}
	for _, c := range x.Extract.Columns {
		cfg.Columns = append(cfg.Columns, restquery.Column{Name: c.Name, Type: c.Type})
	}
	return restquery.New(cfg)
}

// overREST tells that an export takes more calls than others.
func (o *output) overREST(x exportSpec) {
	if o.json != nil {
		o.json.write("plan", map[string]any{"job": x.Name, "object": x.Extract.Object, "over": "rest", "page_rows": restquery.PageRows})
		return
	}
	o.progress.print(fmt.Sprintf("%s: query jobs do not know %s; it is asked over REST, %s records a call", x.Name, x.Extract.Object, number(restquery.PageRows)))
}
