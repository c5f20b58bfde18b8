package retry

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
)

// The table holds what a map holds, also when it is many times larger than the pages in memory, and rows come in any order.
func TestTableIsAMap(t *testing.T) {
	tab, err := newTable(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { tab.close() }()
	rng := rand.New(rand.NewPCG(1, 2))
	want := map[[2]string]slot{}
	for i := range 400_000 {
		file, line := fmt.Sprintf("%d.csv", i%3), strconv.Itoa(i/3+1)
		if i%4 == 0 {
			line = strconv.Itoa(rng.IntN(1 << 40))
		}
		s, known, err := tab.find(keyOf(file, line))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := want[[2]string{file, line}]; ok != known {
			t.Fatalf("%s %s: known %t, want %t", file, line, known, ok)
		}
		if known {
			continue
		}
		s.value, s.size, s.taken, s.report = rng.Int64(), rng.Uint32(), uint16(i), report(i%4)
		if err := tab.add(s); err != nil {
			t.Fatal(err)
		}
		want[[2]string{file, line}] = s
	}
	if tab.used != int64(len(want)) || tab.slots < 2*tab.used {
		t.Errorf("%d rows in %d slots, want %d", tab.used, tab.slots, len(want))
	}
	if inMemory := int64(pagesKept * pageSlots); tab.slots <= inMemory {
		t.Fatalf("the test has %d slots, all of which fit in memory", tab.slots)
	}
	for place, w := range want {
		s, known, err := tab.find(keyOf(place[0], place[1]))
		w.at = s.at
		if err != nil || !known || s != w {
			t.Fatalf("%v: got %+v %t %v, want %+v", place, s, known, err, w)
		}
		if _, known, _ := tab.find(keyOf(place[0]+"x", place[1])); known {
			t.Fatalf("%v: known under another name", place)
		}
	}
}
