package datagen_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"migrate/internal/datagen"
)

// TestCRMVariety asks for what the README of the folder promises to a reader of files, with any seed.
func TestCRMVariety(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, sampleSeed, 1 << 60} {
		files, err := datagen.CRM(seed)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		data := map[string][]byte{}
		var text strings.Builder
		for _, f := range files {
			data[f.Name] = f.Data
			if f.Name == "accounts.csv" {
				utf, err := charmap.Windows1252.NewDecoder().Bytes(f.Data)
				if err != nil {
					t.Fatal(err)
				}
				f.Data = utf
			}
			text.Write(f.Data)
		}
		all := text.String()
		for what, ok := range map[string]bool{
			"accounts is not UTF-8":               !utf8.Valid(data["accounts.csv"]),
			"accounts has semicolons in quotes":   strings.Contains(all, `; `),
			"contacts begins with a BOM":          bytes.HasPrefix(data["contacts.csv"], []byte("\ufeff")),
			"contacts has LF in quotes":           bytes.Count(data["contacts.csv"], []byte("\n")) > bytes.Count(data["contacts.csv"], []byte("\r\n")),
			"cases has CRLF in quotes":            bytes.Contains(data["cases.csv"], []byte("\r\n")),
			"opportunities has an empty \"\"":     bytes.Contains(data["opportunities.csv"], []byte(`,"",`)),
			"doubled quotes":                      strings.Contains(all, `""mini""`),
			"apostrophes":                         strings.Contains(all, "O'Hanlon"),
			"a person named Null":                 strings.Contains(all, "\tNull\t"),
			"Greek":                               strings.ContainsFunc(all, func(r rune) bool { return unicode.Is(unicode.Greek, r) }),
			"Han":                                 strings.ContainsFunc(all, func(r rune) bool { return unicode.Is(unicode.Han, r) }),
			"Hiragana":                            strings.ContainsFunc(all, func(r rune) bool { return unicode.Is(unicode.Hiragana, r) }),
			"four time zones":                     strings.Contains(all, ":00Z,") && strings.Contains(all, "+01:00,") && strings.Contains(all, "-03:00,") && strings.Contains(all, "+05:30,"),
			"negative amounts":                    strings.Contains(string(data["invoices.csv"]), ",-"),
			"a tab inside quotes of contacts":     strings.Contains(all, "\"Met at the fair in hall 4, stand B\t12\""),
			"tasks without contact, without deal": strings.Contains(string(data["tasks.csv"]), ",,D-") && strings.Contains(string(data["tasks.csv"]), ",,"),
		} {
			if !ok {
				t.Errorf("seed %d: missing: %s", seed, what)
			}
		}
	}
}

func TestSameSeedSameFiles(t *testing.T) {
	t.Parallel()
	for name, generate := range map[string]func(uint64) ([]datagen.File, error){"CRM": datagen.CRM, "BrokenCRM": datagen.BrokenCRM} {
		joined := func(seed uint64) []byte {
			files, err := generate(seed)
			if err != nil {
				t.Fatalf("%s, seed %d: %v", name, seed, err)
			}
			var b []byte
			for _, f := range files {
				b = append(append(b, f.Name...), f.Data...)
			}
			return b
		}
		if !bytes.Equal(joined(5), joined(5)) {
			t.Errorf("%s: two calls with the same seed differ", name)
		}
		if bytes.Equal(joined(5), joined(6)) {
			t.Errorf("%s: seeds 5 and 6 give the same files", name)
		}
	}
}
