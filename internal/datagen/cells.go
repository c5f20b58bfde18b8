package datagen

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maybe returns the value in p of 100 cases, else nothing.
func (d draw) maybe(p int, value string) string {
	if d.percent(p) {
		return value
	}
	return ""
}

func phone(d draw, c country) string {
	return fmt.Sprintf("%s %03d-%04d", c.dial, d.below(1000), d.below(10_000))
}

func postal(d draw, c country) string { return string(appendPattern(nil, d, c.postal)) }

// day returns a date of the years from first to last.
func day(d draw, first, last int) string {
	return time.Date(d.between(first, last), time.January, d.between(1, 365), 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

// cents writes hundredths as a number with two places.
func cents(n int) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

// fill replaces the words in braces of a phrase.
func fill(d draw, phrase string, c country) string {
	first, _ := spell(pick(d, c.first))
	last, _ := spell(pick(d, c.family))
	return strings.NewReplacer(
		"{product}", pick(d, products),
		"{city}", pick(d, c.cities),
		"{person}", first+" "+last,
		"{n}", strconv.Itoa(d.between(2, 24)),
		"{serial}", fmt.Sprintf("%02d/%05d", d.between(11, 25), d.below(100_000)),
	).Replace(phrase)
}
