package localorg

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

func TestJavaDouble(t *testing.T) {
	t.Parallel()
	tests := []struct {
		x    float64
		want string
	}{
		{0, "0.0"}, {math.Copysign(0, -1), "-0.0"}, {1, "1.0"}, {100, "100.0"}, {-9.5, "-9.5"}, {123.45, "123.45"}, {0.1, "0.1"},
		{0.001, "0.001"}, {0.003, "0.003"}, {0.00123, "0.00123"}, {9.999e-4, "9.999E-4"}, {1e-5, "1.0E-5"},
		{1234567, "1234567.0"}, {9999999, "9999999.0"}, {9999999.999, "9999999.999"}, {1e7, "1.0E7"}, {12345678, "1.2345678E7"},
		{912260000, "9.1226E8"}, {1.6147805824397e13, "1.6147805824397E13"}, {9007199254740993, "9.007199254740992E15"},
		{1e21, "1.0E21"}, {2e23, "2.0E23"}, {-1e-100, "-1.0E-100"}, {math.SmallestNonzeroFloat64, "4.9E-324"},
		{math.MaxFloat64, "1.7976931348623157E308"}, {2.2250738585072014e-308, "2.2250738585072014E-308"},
		{math.NaN(), "NaN"}, {math.Inf(1), "Infinity"}, {math.Inf(-1), "-Infinity"},
	}
	for _, test := range tests {
		if got := string(appendJavaDouble(nil, test.x)); got != test.want {
			t.Errorf("%v: got %s, want %s", test.x, got, test.want)
		}
	}
}

// Whatever the number, its text reads back as the same, has a digit on both sides of the point, and an exponent
// only outside 1e-3 … 1e7.
func FuzzJavaDouble(f *testing.F) {
	for _, x := range []float64{0, 1, 9.1226e8, 1e-3, 1e7, math.SmallestNonzeroFloat64} {
		f.Add(math.Float64bits(x))
	}
	f.Fuzz(func(t *testing.T, bits uint64) {
		x := math.Float64frombits(bits)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return
		}
		s := string(appendJavaDouble(nil, x))
		back, err := strconv.ParseFloat(s, 64)
		if err != nil || math.Float64bits(back) != bits {
			t.Fatalf("%v became %s", x, s)
		}
		whole, frac, ok := strings.Cut(s, ".")
		frac, exp, isExp := strings.Cut(frac, "E")
		if !ok || strings.Trim(whole, "-0123456789") != "" || whole == "" || whole == "-" || frac == "" || len(frac) > 1 && frac[len(frac)-1] == '0' {
			t.Fatalf("%v: form of %s", x, s)
		}
		plain := x == 0 || math.Abs(x) >= 1e-3 && math.Abs(x) < 1e7
		if isExp == plain || isExp && exp == "" {
			t.Fatalf("%v: exponent of %s", x, s)
		}
	})
}
