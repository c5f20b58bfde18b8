package sources_test

import (
	"context"
	"io"
	"runtime"
	"testing"
)

// The heap that is alive stays flat while 200 MB go through.
func TestCSVMemoryIsFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 200 MB")
	}
	path, _, rows := crmFile(t, 200, 1)
	src := mustOpen(t, path)
	ctx := context.Background()
	r, err := src.Open(ctx, src.Splits()[0], position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := live()
	var most uint64
	n := int64(0)
	for i := 0; ; i++ {
		b, err := r.Next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n += b.Rows.NumRows()
		if i%20 == 0 {
			most = max(most, live())
		}
		b.Rows.Release()
	}
	if n != rows {
		t.Errorf("%d rows, want %d", n, rows)
	}
	// One batch with its positions, its offsets and the window come to about 3 MiB.
	if grown := int64(most) - int64(before); grown > 8<<20 {
		t.Errorf("%d bytes more were alive while reading, want at most 8 MiB", grown)
	}
}
