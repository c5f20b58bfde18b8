package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	api       = "/services/data/v66.0"
	pollEvery = 10 * time.Millisecond
)

// org is one org at its address.
type org struct {
	address, token string
	client         *http.Client
}

// newOrg has a client whose buffers are those of migrate. Files go from the page cache to the socket without a copy.
func newOrg(address, token string) *org {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true // answers are unpacked where they are read
	t.MaxIdleConnsPerHost = 16
	t.WriteBufferSize, t.ReadBufferSize = 256<<10, 64<<10
	return &org{address, token, &http.Client{Transport: t}}
}

// send makes a call. The caller closes the body of the answer, which is a good one. size is that of the body.
func (o *org) send(ctx context.Context, method, path, kind string, body io.Reader, size int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, o.address+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+o.token)
	req.Header.Set("Accept-Encoding", "gzip")
	if body != nil {
		req.Header.Set("Content-Type", kind)
		req.ContentLength = size
	}
	resp, err := o.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		resp.Body.Close()
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return resp, nil
}

// call makes a call with JSON both ways; in and out may be nil.
func (o *org) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	var size int64
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body, size = bytes.NewReader(text), int64(len(text))
	}
	resp, err := o.send(ctx, method, path, "application/json", body, size)
	if err != nil {
		return err
	}
	r, err := plain(resp)
	if err != nil {
		resp.Body.Close()
		return err
	}
	defer r.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, r)
		return err
	}
	return json.NewDecoder(r).Decode(out)
}

// job is what the org says of an ingest or query job.
type job struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Message string `json:"errorMessage"`
	Rows    int64  `json:"numberRecordsProcessed"`
	Failed  int64  `json:"numberRecordsFailed"`
}

// finish waits until a job is complete, with all rows in.
func (o *org) finish(ctx context.Context, path string) (j job, err error) {
	for {
		if err := o.call(ctx, http.MethodGet, path, nil, &j); err != nil {
			return j, err
		}
		switch {
		case j.State == "JobComplete" && j.Failed == 0:
			return j, nil
		case j.State == "JobComplete" || j.State == "Failed" || j.State == "Aborted":
			return j, fmt.Errorf("job %s is %s, %d rows failed: %s", j.ID, j.State, j.Failed, j.Message)
		}
		select {
		case <-ctx.Done():
			return j, ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}
