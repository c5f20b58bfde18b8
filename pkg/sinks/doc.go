// Package sinks writes the rows of an export to files and databases. Rows come as Arrow record batches whose columns have the types that
// describe gives to fields; a sink knows nothing of jobs, pages and orgs. What it writes is published whole or not at all.
package sinks
