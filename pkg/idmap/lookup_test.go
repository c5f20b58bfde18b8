package idmap_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"migrate/pkg/idmap"
)

// TestLookup: what was written is found by its key, all of it, against a map in memory.
func TestLookup(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lookup.db")
	r := rand.New(rand.NewPCG(1, 2))
	want := map[string][]string{}
	err := idmap.WriteLookup(t.Context(), path, func(put func(idmap.Record) error) error {
		for i := range 20_000 {
			key := fmt.Sprintf("k'%d\"\\ü\x01", r.IntN(10_000))
			id := fmt.Sprintf("001%012d", i)
			want[key] = append(want[key], id)
			if err := put(idmap.Record{Key: key, ID: id}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	l, err := idmap.OpenLookup(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var keys []string
	for i := range 12_000 {
		keys = append(keys, fmt.Sprintf("k'%d\"\\ü\x01", i))
	}
	got, err := l.Find(t.Context(), append(keys, "nothing", "", keys[0], keys[0])) // two values may have one key
	if err != nil {
		t.Fatal(err)
	}
	for _, ids := range want {
		slices.Sort(ids)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("found (-want +got)\n%s", diff)
	}
}

// TestLookupWholeOrNot: a file that was not finished is not there, and does not stand in the way of the next.
func TestLookupWholeOrNot(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lookup.db")
	broken := errors.New("the org went away")
	for range 2 {
		err := idmap.WriteLookup(t.Context(), path, func(put func(idmap.Record) error) error {
			if err := put(idmap.Record{Key: "a", ID: "1"}); err != nil {
				return err
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if _, err := idmap.OpenLookup(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("a lookup that was not finished opens: %v", err)
		}
		if err := os.WriteFile(path+".draft", []byte("of a process that was killed"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := idmap.WriteLookup(t.Context(), path, func(put func(idmap.Record) error) error { return put(idmap.Record{Key: "a", ID: "1"}) }); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Dir(path) + "/*")
	if err != nil || len(left) != 1 {
		t.Errorf("left over: %v, %v", left, err)
	}
}
