package sources

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// TestShortDecimal: what it takes is what exact arithmetic makes of it, and it takes what databases send.
func TestShortDecimal(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text  string
		scale int
		want  int64
		ok    bool
	}{
		{"12.50", 2, 1250, true}, {"-0.05", 2, -5, true}, {"7", 3, 7000, true}, {"+7.", 0, 7, true}, {"1.500", 1, 15, true}, {".5", 1, 5, true},
		{"999999999999999999", 0, 999999999999999999, true}, {"1000000000000000000", 0, 0, false}, {"99999999999999999", 2, 0, false},
		{"1.55", 1, 0, false}, {"1e3", 0, 0, false}, {"", 0, 0, false}, {"-", 2, 0, false}, {".", 2, 0, false}, {"0", 0, 0, true}, {".0", 0, 0, true}, {"NaN", 2, 0, false}, {"1.2.3", 3, 0, false}, {"١", 0, 0, false},
	} {
		if got, ok := shortDecimal(test.text, test.scale); got != test.want || ok != test.ok {
			t.Errorf("%q with %d places: %d %v, want %d %v", test.text, test.scale, got, ok, test.want, test.ok)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[-+]?[0-9]{0,19}(\.[0-9]{0,6}0{0,3})?`).Draw(t, "text")
		scale := rapid.IntRange(0, 8).Draw(t, "scale")
		got, ok := shortDecimal(text, scale)
		want, number := new(big.Rat).SetString(text)
		if !ok {
			return
		}
		if !number {
			t.Fatalf("%q is a number here", text)
		}
		want.Mul(want, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
		if !want.IsInt() || want.Num().Cmp(big.NewInt(got)) != 0 {
			t.Fatalf("%q with %d places: %d, want %v", text, scale, got, want)
		}
	})
}
