package main

import "testing"

func TestReserve(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want reserve
		text string
	}{
		{"", reserve{}, ""}, {"0", reserve{}, ""}, {"0%", reserve{}, ""}, {"5000", reserve{Calls: 5000}, "5000"}, {"20%", reserve{Percent: 20}, "20%"}, {"0.5 %", reserve{Percent: 0.5}, "0.5%"},
	} {
		r := reserve{Calls: 3, Percent: 3}
		if err := r.Set(tt.in); err != nil || r != tt.want || r.String() != tt.text {
			t.Errorf("%q: %+v %q, %v; want %+v %q", tt.in, r, r.String(), err, tt.want, tt.text)
		}
	}
	for _, in := range []string{"-1", "x", "101%", "-1%", "NaN%", "%", "1e3", "20 percent"} {
		r := reserve{Calls: 3}
		if err := r.Set(in); err == nil || r != (reserve{Calls: 3}) {
			t.Errorf("%q is taken as %+v", in, r)
		}
	}
}
