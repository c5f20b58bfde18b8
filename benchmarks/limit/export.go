package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"
)

const downloads = 4 // pages at once, as migrate has

// export runs a query job and saves each page as a file of the folder. It prints how long the job took, which no client can make shorter.
func (o *org) export(ctx context.Context, query, folder string) error {
	begun := time.Now()
	var j job
	in := map[string]string{"operation": "query", "query": query, "contentType": "CSV", "columnDelimiter": "COMMA", "lineEnding": "LF"}
	if err := o.call(ctx, http.MethodPost, api+"/jobs/query", in, &j); err != nil {
		return err
	}
	path := api + "/jobs/query/" + j.ID
	if _, err := o.finish(ctx, path); err != nil {
		return err
	}
	fmt.Printf("%.3f\n", time.Since(begun).Seconds())
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(downloads)
	n := 0
	for more := path + "/resultPages"; more != ""; {
		var list struct {
			Pages []struct {
				URL string `json:"resultUrl"`
			} `json:"resultPages"`
			Next string `json:"nextRecordsUrl"`
		}
		if err := o.call(ctx, http.MethodGet, more, nil, &list); err != nil {
			return errors.Join(err, g.Wait())
		}
		for _, p := range list.Pages {
			to := filepath.Join(folder, fmt.Sprintf("page-%06d.csv", n))
			n++
			g.Go(func() error { return o.save(ctx, p.URL, to) })
		}
		more = list.Next
	}
	return g.Wait()
}

// save writes one page to a file.
func (o *org) save(ctx context.Context, path, to string) error {
	resp, err := o.send(ctx, http.MethodGet, path, "", nil, 0)
	if err != nil {
		return err
	}
	r, err := plain(resp)
	if err != nil {
		resp.Body.Close()
		return err
	}
	defer r.Close()
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// plain is the body of an answer, unpacked. Closing it closes the answer.
func plain(resp *http.Response) (io.ReadCloser, error) {
	if resp.Header.Get("Content-Encoding") != "gzip" {
		return resp.Body, nil
	}
	z, err := gzip.NewReader(resp.Body)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{z, resp.Body}, nil
}
