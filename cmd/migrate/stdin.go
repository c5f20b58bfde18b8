package main

import (
	"context"
	"io"
)

// input is standard input for one reader, who hears at once of the end of ctx. A read of standard input itself cannot be interrupted; it
// goes on until the process ends.
func (a *app) input(ctx context.Context) io.Reader {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { w.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.Copy(w, a.stdin)
		w.CloseWithError(err)
	}()
	return r
}
