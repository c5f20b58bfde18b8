package sinks

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// Sink takes the rows of one export and makes them visible all at once. It belongs to one goroutine.
type Sink interface {
	// Write adds the rows of a batch, which has the schema that the sink was opened with. The batch stays the caller's.
	Write(ctx context.Context, rows arrow.RecordBatch) error
	// Publish makes everything that was written visible and durable, and returns what there is now. A crash before it returns leaves
	// what was there before or all that is new; the same rows may then be written and published again with the same result.
	Publish(ctx context.Context) ([]File, error)
	// Close ends the sink. Without Publish before it, nothing is left of what was written. It may be called twice.
	Close() error
}

// File is what a sink has published: a file, or a table.
type File struct {
	Path   string `json:"path"`             // as it was named; of a table its name, without the database
	Rows   int64  `json:"rows"`             // written by this export
	Bytes  int64  `json:"bytes,omitempty"`  // of a file
	SHA256 string `json:"sha256,omitempty"` // of a file, in hexadecimal
}

// Manifest says what an export has published. It is written last: where it stands, all is there.
type Manifest struct {
	Version   int        `json:"version"` // 1
	Run       string     `json:"run"`
	Job       string     `json:"job"`
	Org       string     `json:"org"` // its address
	Object    string     `json:"object"`
	Query     string     `json:"query"`
	Rows      int64      `json:"rows"`
	Files     []File     `json:"files"`
	Schema    []Column   `json:"schema"`
	Deletes   *File      `json:"deletes,omitempty"`  // ids of records that are gone, where an export keeps count of them
	Contents  *File      `json:"contents,omitempty"` // the list of the contents that were fetched beside the rows
	Watermark *Watermark `json:"watermark,omitempty"`
	Published time.Time  `json:"published"`
}

// Column is a column of an export.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"` // Salesforce's field type: string, double, datetime, …
	As   string `json:"as"`   // what it is in the output: utf8, float64, timestamp[ms, tz=UTC], …
}

// Watermark is the span of time whose changes an incremental export has.
type Watermark struct {
	Field string    `json:"field"`
	From  time.Time `json:"from,omitzero"` // inclusive; zero = from the beginning
	Until time.Time `json:"until"`         // exclusive
}
