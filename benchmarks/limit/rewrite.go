package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"strings"
)

// A job takes as much as one of migrate by default.
const (
	jobBytes = 100_000_000
	jobRows  = 500_000
)

// rewrite sends a file with other names in its header. names are OLD=NEW.
func (o *org) rewrite(ctx context.Context, object, path string, names []string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := csv.NewReader(bufio.NewReaderSize(f, 1<<20))
	header, err := r.Read()
	if err != nil {
		return err
	}
	r.ReuseRecord = true
	for i, old := range header {
		for _, pair := range names {
			if from, to, ok := strings.Cut(pair, "="); ok && from == old {
				header[i] = to
			}
		}
	}
	var body bytes.Buffer
	for done := false; !done; {
		body.Reset()
		w := csv.NewWriter(&body)
		if err := w.Write(header); err != nil {
			return err
		}
		rows := 0
		for ; rows < jobRows && body.Len() < jobBytes; rows++ {
			record, err := r.Read()
			if err == io.EOF {
				done = true
				break
			}
			if err == nil {
				err = w.Write(record)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		if w.Flush(); w.Error() != nil {
			return w.Error()
		}
		if rows == 0 {
			break
		}
		if err := o.ingest(ctx, object, bytes.NewReader(body.Bytes()), int64(body.Len())); err != nil {
			return err
		}
	}
	return nil
}
