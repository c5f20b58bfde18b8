// Package sources reads records.
package sources
