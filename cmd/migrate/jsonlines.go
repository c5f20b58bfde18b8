package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
)

// jsonLines writes what happens as JSON, one object a line, typed by message_type: plan, status, limit, job, warning,
// row_error, summary, error.
type jsonLines struct {
	mu       sync.Mutex
	enc      *json.Encoder
	interval time.Duration
	last     map[string]time.Time // by job
}

func newJSONLines(w io.Writer, interval time.Duration) *jsonLines {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &jsonLines{enc: enc, interval: interval, last: map[string]time.Time{}}
}

func (l *jsonLines) write(kind string, fields map[string]any) {
	fields["message_type"] = kind
	fields["time"] = time.Now().UTC().Format(time.RFC3339Nano)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.enc.Encode(fields)
}

func (l *jsonLines) start([]pipeline.Job) {}
func (l *jsonLines) stop()                {}
func (l *jsonLines) print(line string)    { l.write("warning", map[string]any{"message": line}) }

func (l *jsonLines) update(p pipeline.Progress) {
	l.mu.Lock()
	due := time.Since(l.last[p.Job]) >= l.interval
	if due {
		l.last[p.Job] = time.Now()
	}
	l.mu.Unlock()
	if !due {
		return
	}
	fields := ledgerFields(p.Ledger)
	fields["job"] = p.Job
	fields["bytes"], fields["total_bytes"] = p.Bytes, p.TotalBytes
	fields["uploading"], fields["queued"], fields["processing"], fields["settling"] = p.Uploading, p.Queued, p.Processing, p.Settling
	fields["eased_to"] = p.Eased
	l.write("status", fields)
}

func ledgerFields(l checkpoint.Ledger) map[string]any {
	return map[string]any{"read": l.Read, "filtered": l.Filtered, "rejected": l.Rejected, "succeeded": l.Succeeded, "failed": l.Failed,
		"unprocessed": l.Unprocessed, "unaccounted": l.Unaccounted, "pending": l.Pending, "blank_lines": l.Blank,
		"chunks": l.Chunks, "ingest_jobs": l.Jobs, "balanced": l.Balanced()}
}

// summary writes one row_error for each code and the summary of the run.
func (l *jsonLines) summary(dir string, sum pipeline.Summary, client *salesforce.Client, err error) {
	var jobs []map[string]any
	for _, j := range sum.Jobs {
		folder := reportFolder(dir, sum, j.Name)
		for _, file := range pipeline.ReportFiles {
			codes, countErr := pipeline.CountErrors(filepath.Join(folder, file))
			if countErr != nil {
				l.write("warning", map[string]any{"job": j.Name, "message": countErr.Error()})
			}
			for _, c := range codes {
				l.write("row_error", map[string]any{"job": j.Name, "report": filepath.Join(folder, file), "code": c.Code, "rows": c.Rows,
					"example": map[string]any{"file": c.File, "line": c.Line, "message": c.Message}})
			}
		}
		fields := ledgerFields(j.Ledger)
		fields["job"], fields["object"], fields["operation"], fields["state"], fields["reports"] = j.Name, j.Object, j.Operation, j.State, folder
		jobs = append(jobs, fields)
	}
	fields := ledgerFields(sum.Total)
	fields["run"], fields["folder"], fields["state"], fields["jobs"] = sum.Run.ID, dir, sum.Run.State, jobs
	if sum.Run.State != checkpoint.RunDone {
		fields["resume"] = fmt.Sprintf("%s resume %s", invocation(), runArg(dir))
	}
	if client != nil {
		fields["api_calls"] = client.Calls()
	}
	if err != nil {
		fields["error"] = err.Error()
	}
	l.write("summary", fields)
}
