package checkpoint

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSelectionRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Selection(rapid.SliceOfDistinct(rapid.Int64Range(0, 1<<40), rapid.ID).Draw(t, "rows"))
		slices.Sort(want)
		got, err := unpackSelection(want.pack())
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v: got %v, want %v", err, got, want)
		}
	})
}

func FuzzUnpackSelection(f *testing.F) {
	f.Add([]byte{1, 1, 5})
	f.Add([]byte{0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, buf []byte) {
		s, err := unpackSelection(buf)
		if err != nil {
			return
		}
		for i := 1; i < len(s); i++ {
			if s[i] <= s[i-1] {
				t.Fatalf("not ascending at %d: %v", i, s)
			}
		}
	})
}
