package plan

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestClosest(t *testing.T) {
	t.Parallel()
	fields := []string{"Id", "Name", "Phone", "Fax", "Legacy_Id__c", "BillingCity", "BillingCountry", "AnnualRevenue"}
	tests := []struct{ word, want string }{
		{"name", "Name"},
		{"Nmae", "Name"},
		{"legacy id", "Legacy_Id__c"},
		{"LegacyId", "Legacy_Id__c"},
		{"billing-city", "BillingCity"},
		{"BilingContry", "BillingCountry"},
		{"anual_revenue", "AnnualRevenue"},
		{"Fx", ""},
		{"x", ""},
		{"", ""},
		{"__c", ""},
		{"turnover", ""},
		{strings.Repeat("Name", 100), ""},
	}
	for _, tt := range tests {
		if got := closest(tt.word, fields); got != tt.want {
			t.Errorf("closest to %q is %q, want %q", tt.word, got, tt.want)
		}
	}
}

// slowDistance says what distance is by its definition: the last characters are the same, or are edited in one of four ways.
func slowDistance(a, b []rune) int {
	n, m := len(a), len(b)
	if n == 0 || m == 0 {
		return n + m
	}
	cost := 1
	if a[n-1] == b[m-1] {
		cost = 0
	}
	d := min(slowDistance(a[:n-1], b[:m-1])+cost, slowDistance(a[:n-1], b)+1, slowDistance(a, b[:m-1])+1)
	if n > 1 && m > 1 && a[n-1] == b[m-2] && a[n-2] == b[m-1] {
		d = min(d, slowDistance(a[:n-2], b[:m-2])+1)
	}
	return d
}

func TestDistance(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SliceOfN(rapid.SampledFrom([]rune("abü")), 0, 6)
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		got, want := distance(slices.Clone(a), slices.Clone(b)), slowDistance(a, b)
		if got != want {
			t.Errorf("distance of %q and %q is %d, want %d", string(a), string(b), got, want)
		}
	})
}
