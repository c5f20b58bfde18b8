package checkpoint_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"migrate/pkg/checkpoint"
)

// TestClaims: of all rows with a key one has it, whoever asks how often, several splits at once, over a restart.
func TestClaims(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "claims.db")
	const keys, splits = 3_000, 4
	ask := func(c *checkpoint.Claims) map[string]checkpoint.Owner {
		var mu sync.Mutex
		var wg sync.WaitGroup
		mine := map[string]checkpoint.Owner{}
		all := map[string]int{}
		for s := range splits {
			wg.Go(func() {
				split := fmt.Sprintf("s%d", s)
				for from := 0; from < keys; from += 500 {
					var list []checkpoint.Claimant
					for k := from; k < from+500; k++ {
						list = append(list, checkpoint.Claimant{Key: fmt.Sprint(k), Row: int64(2 * k), Line: int64(k)},
							checkpoint.Claimant{Key: fmt.Sprint(k), Row: int64(2*k + 1), Line: int64(k + 1)})
					}
					owners, err := c.Claim(t.Context(), split, list)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					for i, o := range owners {
						if o.Mine {
							all[list[i].Key]++
							mine[list[i].Key] = checkpoint.Owner{Split: split, Line: list[i].Line}
						}
					}
					for i, o := range owners {
						if m, known := mine[list[i].Key]; known && !o.Mine && (o.Split != m.Split || o.Line != m.Line) {
							t.Errorf("key %s belongs to %v, and line %d of %s is told %v", list[i].Key, m, list[i].Line, split, o)
						}
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for k := range keys {
			if n := all[fmt.Sprint(k)]; n != 1 {
				t.Fatalf("key %d has %d owners", k, n)
			}
		}
		return mine
	}
	var first map[string]checkpoint.Owner
	for range 2 {
		c, err := checkpoint.OpenClaims(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		again := ask(c)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = again
		}
		for key, o := range first {
			if again[key] != o {
				t.Fatalf("key %s belonged to %v, after a restart to %v", key, o, again[key])
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Dir(path) + "/*"); len(left) != 1 {
		t.Errorf("beside the file: %v", left)
	}
}

func BenchmarkClaims(b *testing.B) {
	c, err := checkpoint.OpenClaims(b.Context(), filepath.Join(b.TempDir(), "claims.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	list := make([]checkpoint.Claimant, 8192)
	n := 0
	for b.Loop() {
		for i := range list {
			list[i] = checkpoint.Claimant{Key: fmt.Sprint(n * 7919 % 1_000_003), Row: int64(n), Line: int64(n)}
			n++
		}
		if _, err := c.Claim(b.Context(), "s", list); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}
