package transform_test

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"migrate/pkg/transform"
)

// TestFold: what Fold makes equal is what strings.EqualFold takes for equal: each letter with all of its cases, and random texts.
func TestFold(t *testing.T) {
	t.Parallel()
	byForm := map[string]string{}
	for r := range rune(unicode.MaxRune + 1) {
		one := string(r)
		form := transform.Fold(one)
		if first, known := byForm[form]; known && !strings.EqualFold(first, one) {
			t.Fatalf("%q and %q have one form", first, one)
		}
		byForm[form] = one
		if other := string(unicode.SimpleFold(r)); transform.Fold(other) != form {
			t.Fatalf("%q and %q have two forms", one, other)
		}
	}
	text := rapid.StringOf(rapid.SampledFrom([]rune("aAbkKKsSſßσςΣiİıIµμ ")))
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		if (transform.Fold(a) == transform.Fold(b)) != strings.EqualFold(a, b) {
			t.Fatalf("%q and %q", a, b)
		}
	})
}
