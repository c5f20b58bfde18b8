package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"migrate/pkg/sinks"
)

// where names the target as the user does.
func (x exportSpec) where() string {
	if x.To.Database() {
		return "table " + x.To.Table + " in " + x.To.Path
	}
	return shownPath(x.To.Path)
}

// export tells what is asked and where it goes.
func (o *output) export(x exportSpec) {
	brings := "all rows"
	if i := x.Increment; i != nil && i.Whole() {
		brings = "all rows: " + i.Why
	} else if i != nil {
		brings = fmt.Sprintf("changes of %s from %s until %s", i.Field, i.Floor.Format(time.RFC3339), i.Until.Format(time.RFC3339))
		if i.Compare {
			brings += ", and the ids of all records"
		}
	}
	if o.json != nil {
		fields := map[string]any{"job": x.Name, "object": x.Extract.Object, "operation": exportOperation, "query": x.Extract.Query.SOQL(), "to": x.where(), "brings": brings, "notes": x.Extract.Notes}
		o.json.write("plan", fields)
		return
	}
	o.text("%s: export %s", x.Name, x.Extract.Object)
	o.text("  asks    %s", x.Extract.Query.SOQL())
	o.text("  brings  %s", brings)
	o.text("  writes  %s, %s", x.where(), count(int64(len(x.Extract.Columns)), "column"))
	if x.Extract.Content != nil {
		o.text("  files   %s, %s of each record, an API call each", shownPath(x.Files)+"/", x.Extract.Content.Field)
	}
	for _, n := range x.Extract.Notes {
		o.text("  note    %s", n)
	}
}

// warning is for what the user should know although the run goes on.
func (o *output) warning(text string) { o.events().Warning("", text) }

// published tells where the rows are.
func (o *output) published(x exportSpec, files []sinks.File, deleted int64) {
	var told []string
	for _, f := range files {
		name := f.Path
		if rel, err := filepath.Rel(mustAbs("."), mustAbs(f.Path)); !x.To.Database() && err == nil && !strings.HasPrefix(rel, "..") {
			name = rel
		}
		text := fmt.Sprintf("%s: %s", name, count(f.Rows, "row"))
		if f.Bytes > 0 {
			text += fmt.Sprintf(", %s", count(f.Bytes, "byte"))
		}
		told = append(told, text)
	}
	if x.Increment != nil && x.Increment.Deletes {
		told = append(told, count(deleted, "record")+" deleted")
	}
	if o.json != nil {
		o.json.write("published", map[string]any{"job": x.Name, "files": told})
		return
	}
	for _, t := range told {
		o.progress.print("published " + t)
	}
}
