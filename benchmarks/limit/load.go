package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"

	"golang.org/x/sync/errgroup"
)

const uploads = 2 // at once, as migrate has by default

// load sends files, each by a job of its own. Without through, the operating system takes them from its cache to the socket by itself.
func (o *org) load(ctx context.Context, object string, files []string, through bool) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(uploads)
	for _, path := range files {
		g.Go(func() error {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				return err
			}
			var body io.Reader = f
			if through {
				body = struct{ io.Reader }{f}
			}
			return o.ingest(ctx, object, body, info.Size())
		})
	}
	return g.Wait()
}

// ingest sees one job through.
func (o *org) ingest(ctx context.Context, object string, body io.Reader, size int64) error {
	var j job
	in := map[string]string{"object": object, "operation": "insert", "contentType": "CSV", "lineEnding": "LF"}
	if err := o.call(ctx, http.MethodPost, api+"/jobs/ingest", in, &j); err != nil {
		return err
	}
	path := api + "/jobs/ingest/" + j.ID
	resp, err := o.send(ctx, http.MethodPut, path+"/batches", "text/csv", body, size)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, resp.Body); errors.Join(err, resp.Body.Close()) != nil {
		return err
	}
	if err := o.call(ctx, http.MethodPatch, path, map[string]string{"state": "UploadComplete"}, nil); err != nil {
		return err
	}
	_, err = o.finish(ctx, path)
	return err
}
