package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"migrate/pkg/bulk2"
	"migrate/pkg/checkpoint"
	"migrate/pkg/idmap"
	"migrate/pkg/sources"
	"migrate/pkg/transform"
)

// Org is what a load needs of an org. *bulk2.Client is one. Calls may come from many goroutines at once. Upload and Close
// must return an error that wraps salesforce.ErrOutcomeUnknown when they may have taken effect.
type Org interface {
	Create(ctx context.Context, s bulk2.Spec) (bulk2.Job, error)
	Upload(ctx context.Context, id string, body func() (io.ReadCloser, error), size int64) error
	Close(ctx context.Context, id string) (bulk2.Job, error)
	Abort(ctx context.Context, id string) (bulk2.Job, error)
	Job(ctx context.Context, id string) (bulk2.Job, error)
	Results(ctx context.Context, id string, kind bulk2.Kind) (io.ReadCloser, error)
}

// Config is everything that Run needs.
type Config struct {
	Dir        string            // run folder; it exists and belongs to this run alone
	Checkpoint *checkpoint.Store // holds the run, its jobs and their splits
	Org        Org
	IDs        *idmap.View // where jobs with an ID enter what their rows became; nil when none has
	Jobs       []Job       // each waits for some of those before it, see Job; those that the checkpoint calls done are skipped
	Options
	// Spent gives the reason for which no more ingest jobs may be begun, nil as long as they may. It is asked before each of them; the run then
	// takes no new rows, sees through what is in the org, and ends with that error, to be resumed. nil: they always may.
	Spent func() error
	// PutOff counts the requests that the org has put off because of too many at once; while it grows, fewer ingest jobs are kept in flight. nil:
	// nobody counts them.
	PutOff    func() int64
	PollEvery time.Duration // least time between two looks at one job, the first comes sooner; 0 = 1 s, less only for a local org
	Events    Events
}

// Options are the settings that a run keeps for its whole life, over every resume: where chunks end depends on them.
type Options struct {
	Concurrency int   `json:"concurrency"` // ingest jobs in flight, at most; fewer while the org has trouble with so many; 0 = 8
	Uploads     int   `json:"uploads"`     // uploads at once; 0 = 2
	Readers     int   `json:"readers"`     // splits read at once; 0 = 2
	ChunkBytes  int64 `json:"chunk_bytes"` // upper bound of an upload in bytes; 0 = 100,000,000 (bulk2.MaxUpload)
	ChunkRows   int64 `json:"chunk_rows"`  // source rows in a chunk; 0 = 500,000
	MaxErrors   Limit `json:"max_errors"`  // rejected, failed and unprocessed rows after which no more chunks are cut
	NoSuccess   bool  `json:"no_success"`  // write no success.csv, and do not fetch the results that it needs
	RowRetries  int   `json:"row_retries"` // how often a row is sent again that failed for a reason that passes; 0 = never
}

// Defaults of Options.
const (
	DefaultConcurrency = 8
	DefaultUploads     = 2
	DefaultReaders     = 2
	DefaultChunkRows   = 500_000
	DefaultRowRetries  = 3 // of the command; in Options 0 means what it says
	maxChunkRows       = 5_000_000
)

func (o Options) withDefaults() Options {
	fill := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	fill(&o.Concurrency, DefaultConcurrency)
	fill(&o.Uploads, DefaultUploads)
	fill(&o.Readers, DefaultReaders)
	if o.ChunkBytes == 0 {
		o.ChunkBytes = bulk2.MaxUpload
	}
	if o.ChunkRows == 0 {
		o.ChunkRows = DefaultChunkRows
	}
	return o
}

// Check reports every setting that cannot be.
func (o Options) Check() error {
	var errs []error
	for name, v := range map[string]int{"concurrency": o.Concurrency, "uploads": o.Uploads, "readers": o.Readers} {
		if v < 0 || v > 1000 {
			errs = append(errs, fmt.Errorf("%s is %d; at most 1000, and 0 for the default", name, v))
		}
	}
	if o.RowRetries < 0 || o.RowRetries > 100 {
		errs = append(errs, fmt.Errorf("row retries is %d; at most 100, and 0 to send no row again", o.RowRetries))
	}
	if o.ChunkBytes < 0 || o.ChunkBytes > 112_000_000 {
		errs = append(errs, fmt.Errorf("chunk bytes is %d; at most 112,000,000 fit into a job's 150 MB after base64", o.ChunkBytes))
	}
	if o.ChunkRows < 0 || o.ChunkRows > maxChunkRows {
		errs = append(errs, fmt.Errorf("chunk rows is %d; at most %d, since the results of a chunk take 32 bytes a row of memory", o.ChunkRows, maxChunkRows))
	}
	return errors.Join(errs...)
}

// Job is one object, one operation, one mapping.
type Job struct {
	Name       string // unique in the run
	Object     string
	Operation  bulk2.Operation
	ExternalID string // field of an upsert
	Source     sources.Source
	Mapping    *transform.Plan
	Columns    []Column // of the upload, in the order of Mapping.Schema
	Key        string   // source column copied into success.csv; "" = none
	ID         string   // source column whose value names the row in the id map; "" = none
	Limit      int64    // source rows to read; 0 = all
	First      string   // job that has worked on the same source before; which rows were unique then holds again. "" = none
	Export     *Export  // nil = the job is a load; else it has no source, mapping, key, id and limit
	Reports    string   // folder of the reports below the run folder; "" = the run folder itself
	// Grouped says that no two splits have rows with the same parent: rows of one split are in one ingest job at a time, of one internal
	// batch, so that they cannot lock each other out.
	Grouped bool
	After   []string // jobs that are to be done before, as far as they stand before this one
	// Writes are the objects whose records are written, or locked because they are parents; Reads are those that must not change
	// meanwhile. Two jobs take turns where one writes what the other writes or reads.
	Writes, Reads []string
}

// waitsFor says whether the job cannot run beside one that stands before it.
func (j Job) waitsFor(earlier Job) bool {
	common := func(a, b []string) bool {
		return slices.ContainsFunc(a, func(o string) bool { return slices.Contains(b, o) })
	}
	return slices.Contains(j.After, earlier.Name) || common(j.Writes, earlier.Writes) || common(j.Writes, earlier.Reads) || common(j.Reads, earlier.Writes)
}

// Column is one column of the upload.
type Column struct {
	Header string
	Type   string // Salesforce's field type, "" = unknown; it decides which values count as equal when results are matched
	Key    bool   // its value names the row by itself: Id, external id
	// Doubt says why the org would refuse a value, or change it; rule is "" when it takes it as it is. Foresee asks it; nil has no doubt.
	Doubt func(value string) (rule, why string)
}
