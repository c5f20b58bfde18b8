package localorg

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseID(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, want string // "" is refused
	}{
		{"0015g00000AbCdE", "0015g00000AbCdEAAV"},
		{"0015g00000AbCdEAAV", "0015g00000AbCdEAAV"},
		{"0015g00000AbCdEaav", "0015g00000AbCdEAAV"}, // the last three in any case
		{"7505g00000QrStUAAV", "7505g00000QrStUAAV"},
		{"0015g00000AbCdEAAA", ""},  // does not fit the case of the others
		{"0015G00000AbCdEAAV", ""},  // case of one lost
		{"0015g00000AbCd", ""},      // 14
		{"0015g00000AbCdEAA", ""},   // 17
		{"0015g00000AbCdEAAVx", ""}, // 19
		{"0015g00000Ab-dE", ""},
		{"0015g00000Ab dE", ""},
		{"0015g0000\xc3\xa4AbCd", ""},
		{"", ""},
	}
	for _, test := range tests {
		id, ok := parseID([]byte(test.text))
		if got := id.String(); ok != (test.want != "") || ok && got != test.want {
			t.Errorf("%q: got %s %v, want %q", test.text, got, ok, test.want)
		}
	}
}

func TestIDNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(0, 62*62*62*62*62*62*62*62*62-1).Draw(t, "n")
		id := makeID("a00", n)
		for _, text := range []string{id.String(), id.short(), id.short() + strings.ToLower(id.String()[15:])} {
			back, ok := parseID([]byte(text))
			if got, ours := back.number(); !ok || !ours || got != n || back.prefix() != "a00" {
				t.Fatalf("%s: number %d, want %d", text, got, n)
			}
		}
	})
}
