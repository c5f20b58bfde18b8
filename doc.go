// Package migrate is the root of the module; it holds no code of its own.
//
// To follow one row from a file to Salesforce and back into a report, read in this order:
//
//  1. pkg/pipeline/pipeline.go: readers and loaders joined by one channel of chunks
//  2. pkg/sources/csv.go: a split of a file becomes Arrow record batches; each row gets a position
//  3. pkg/transform/apply.go: source columns become Salesforce fields; a bad row becomes a reject
//  4. pkg/pipeline/chunk.go: batches are encoded into the CSV body of one ingest job
//  5. pkg/bulk2/job.go: create the job, upload, close, watch, open the result files
//  6. pkg/pipeline/settle.go: results meet their rows; ledger and reports
package migrate
