package idmap

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

func open(t testing.TB, path string) *Map {
	t.Helper()
	m, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func view(t testing.TB, m *Map, org, run string, upTo int64) *View {
	t.Helper()
	v, err := m.View(t.Context(), org, run, upTo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// TestView: a run sees what was there when it began and what it put in itself, and nothing else.
func TestView(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ids #1?.db")
	m := open(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	put := func(v *View, job string, pairs ...Pair) {
		t.Helper()
		if err := v.Put(t.Context(), job, pairs); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(v *View, job, source, want string) {
		t.Helper()
		got, err := v.Find(t.Context(), job, []string{source, "none", source})
		if _, found := got[source]; err != nil || got[source] != want || found != (want != "") {
			t.Errorf("run %s, %s %s: %v %v, want %q", v.run, job, source, got, err, want)
		}
	}
	first := view(t, m, "org", "r1", 0)
	expect(first, "accounts", "1", "")
	put(first, "accounts", Pair{"1", "001A"}, Pair{"2", "001B"})
	expect(first, "accounts", "1", "001A")
	expect(first, "contacts", "1", "")
	last, err := m.Last(t.Context())
	if err != nil || last != 2 {
		t.Fatalf("last %d %v", last, err)
	}
	second := view(t, m, "org", "r2", last)
	expect(second, "accounts", "2", "001B")
	put(first, "accounts", Pair{"3", "001C"}, Pair{"1", "001A"}) // again, as after a crash
	expect(second, "accounts", "3", "")
	expect(second, "accounts", "1", "001A")
	put(second, "accounts", Pair{"1", "001Z"})
	expect(second, "accounts", "1", "001Z")
	expect(first, "accounts", "1", "001A")
	expect(view(t, m, "other", "r3", 99), "accounts", "1", "")
	for job, want := range map[string]bool{"accounts": true, "contacts": false} {
		if got, err := second.Has(t.Context(), job); err != nil || got != want {
			t.Errorf("has %s: %v %v", job, got, err)
		}
	}
	// another process finds the same
	expect(view(t, open(t, path), "org", "r2", last), "accounts", "1", "001Z")
	expect(view(t, open(t, path), "org", "r4", 0), "accounts", "1", "")
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	m := open(t, filepath.Join(t.TempDir(), "ids.db"))
	v := view(t, m, "org", "r", 0)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 20 {
				name := fmt.Sprintf("%d-%d", g, i)
				if err := v.Put(t.Context(), "j", []Pair{{name, "001" + name}}); err != nil {
					t.Error(err)
				}
				if got, err := v.Find(t.Context(), "j", []string{name}); err != nil || got[name] != "001"+name {
					t.Errorf("%s: %v %v", name, got, err)
				}
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.Put(ctx, "j", []Pair{{"x", "y"}}); err == nil {
		t.Error("put with a context that has ended")
	}
}

// TestMemory: entries do not stay in memory.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	m := open(t, filepath.Join(t.TempDir(), "ids.db"))
	v := view(t, m, "org", "r", 0)
	pairs := make([]Pair, 10_000)
	const rows = 60_000
	for n := 0; n < rows; n += len(pairs) {
		for i := range pairs {
			pairs[i] = Pair{fmt.Sprint("source-", n+i), fmt.Sprintf("001%015d", n+i)}
		}
		if err := v.Put(t.Context(), "j", pairs); err != nil {
			t.Fatal(err)
		}
	}
	names := make([]string, 8192)
	for n := 0; n < rows; n += len(names) {
		for i := range names {
			names[i] = fmt.Sprint("source-", n+i)
		}
		got, err := v.Find(t.Context(), "j", names)
		if err != nil || len(got) != min(len(names), rows-n) || got[names[0]] != fmt.Sprintf("001%015d", n) {
			t.Fatalf("from %d on: %d %v", n, len(got), err)
		}
	}
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	if mem.HeapAlloc > 64<<20 {
		t.Errorf("%d MiB of heap after %d entries", mem.HeapAlloc>>20, rows)
	}
}

func BenchmarkPut(b *testing.B) {
	v := view(b, open(b, filepath.Join(b.TempDir(), "ids.db")), "org", "r", 0)
	pairs := make([]Pair, 10_000)
	n := 0
	for b.Loop() {
		for i := range pairs {
			n++
			pairs[i] = Pair{fmt.Sprint(n), fmt.Sprintf("001%015d", n)}
		}
		if err := v.Put(b.Context(), "j", pairs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkFind(b *testing.B) {
	v := view(b, open(b, filepath.Join(b.TempDir(), "ids.db")), "org", "r", 0)
	pairs := make([]Pair, 500_000)
	for i := range pairs {
		pairs[i] = Pair{fmt.Sprint(i), fmt.Sprintf("001%015d", i)}
	}
	if err := v.Put(b.Context(), "j", pairs); err != nil {
		b.Fatal(err)
	}
	n := 0
	names := make([]string, 8192)
	for b.Loop() {
		for i := range names {
			n++
			names[i] = fmt.Sprint(n * 7919 % 500_000)
		}
		if got, err := v.Find(b.Context(), "j", names); err != nil || len(got) != len(names) {
			b.Fatal(len(got), err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "ids/s")
}
