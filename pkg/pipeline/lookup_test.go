package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/idmap"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
)

// badPages spoils pages of a query job on their way.
type badPages struct {
	pipeline.Querier
	spoil func(n int, p *bulk2.Page)
	asked int
}

func (b *badPages) Page(ctx context.Context, id, locator string, most int) (bulk2.Page, error) {
	p, err := b.Querier.Page(ctx, id, locator, 7) // small pages
	b.asked++
	if err == nil && b.spoil != nil {
		b.spoil(b.asked, &p)
	}
	return p, err
}

// fewer takes the last row of a page away, which has two lines, with a clean end.
func fewer(p *bulk2.Page) {
	body, _ := io.ReadAll(p.Body)
	p.Body.Close()
	lines := bytes.SplitAfter(body, []byte("\n"))
	p.Body = io.NopCloser(bytes.NewReader(bytes.Join(lines[:len(lines)-3], nil)))
}

// ends cuts a page behind the first byte of the last occurrence of a text, with a clean end.
func ends(p *bulk2.Page, text string) {
	body, _ := io.ReadAll(p.Body)
	p.Body.Close()
	i := bytes.LastIndex(body, []byte(text))
	p.Body = io.NopCloser(bytes.NewReader(body[:i+1]))
}

// TestLookupNeverShort: all records of the org are in the file, or there is an error and no file.
func TestLookupNeverShort(t *testing.T) {
	const rows = 40
	var text strings.Builder
	text.WriteString("Name,Legacy_Id__c\n")
	for i := range rows {
		fmt.Fprintf(&text, "\"A \"\"%d\"\", line\n2\",%d\n", i, i)
	}
	for _, test := range []struct {
		name  string
		spoil func(n int, p *bulk2.Page)
		fails string // part of the error; "" = it works
	}{
		{"as it is", nil, ""},
		{"a page is short once", func(n int, p *bulk2.Page) {
			if n == 2 {
				fewer(p)
			}
		}, ""},
		{"a page is short always", func(n int, p *bulk2.Page) {
			if n > 1 {
				fewer(p)
			}
		}, "a page has 6 rows where the org says 7"},
		{"a page breaks off once", func(n int, p *bulk2.Page) {
			if n == 3 {
				p.Body = io.NopCloser(io.MultiReader(io.LimitReader(p.Body, 50), failing{}))
			}
		}, ""},
		{"a page lacks half a value always", func(n int, p *bulk2.Page) {
			if n > 2 {
				ends(p, `"", line`)
			}
		}, "a page did not come whole"},
		{"a page lacks its last value", func(n int, p *bulk2.Page) {
			if n == 2 {
				ends(p, `,"A `)
			}
		}, ""},
		{"the pages end early", func(n int, p *bulk2.Page) {
			if n == 3 {
				p.Next = ""
			}
		}, "found 40 rows and gave 21"},
		{"the pages go round", func(n int, p *bulk2.Page) {
			if n > 3 {
				p.Next = "MTQ"
			}
		}, "lead back"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, localorg.Config{}, text.String(), nil)
				if _, err := b.run(t.Context()); err != nil {
					t.Fatal(err)
				}
				l := pipeline.Lookup{Object: "Account", Field: "Name"}
				path := filepath.Join(t.TempDir(), "lookup.db")
				n, err := l.Write(t.Context(), &badPages{Querier: b.client, spoil: test.spoil}, path, 0)
				file, openErr := idmap.OpenLookup(t.Context(), path)
				if test.fails != "" {
					if err == nil || !strings.Contains(err.Error(), test.fails) || !errors.Is(err, salesforce.ErrTemporary) || openErr == nil {
						t.Fatalf("%v; opening: %v", err, openErr)
					}
					return
				}
				if err != nil || openErr != nil || n != rows {
					t.Fatal(n, err, openErr)
				}
				defer file.Close()
				for i := range rows {
					name := fmt.Sprintf("A \"%d\", line\n2", i)
					if found, err := file.Find(t.Context(), []string{name}); err != nil || len(found[name]) != 1 {
						t.Fatalf("%q: %v, %v", name, found, err)
					}
				}
			})
		})
	}
}

// TestLookupKey: values that mean the same have one key, and others have not.
func TestLookupKey(t *testing.T) {
	number, text, fold := pipeline.Lookup{Number: true}, pipeline.Lookup{}, pipeline.Lookup{Fold: true}
	for _, test := range []struct {
		l    pipeline.Lookup
		a, b string
		same bool
	}{
		{number, "7", "7.0", true}, {number, "007", "7", true}, {number, "70", "7E1", true}, {number, "+7", "7", true}, {number, "-7", "7", false},
		{number, "-0", "0.00", true}, {number, ".5", "0.5", true}, {number, "5.", "5", true}, {number, "9.1226E8", "912260000", true},
		{number, "9007199254740992", "9007199254740993", false}, // one float64
		{number, "1e400", "2e400", false}, {number, "1e400", "10e399", true}, {number, "1e99999999999999999999", "1", false},
		{number, "0x10", "16", false}, {number, "1_0", "10", false}, {number, "Inf", "inf", false}, {number, " 7", "7", false},
		{number, "", "0", false}, {number, ".", "0", false}, {number, "--7", "7", false}, {number, "7e", "7", false}, {number, "٧", "7", false},
		{text, "007", "7", false}, {text, "a", "A", false}, {text, "a ", "a", false}, {text, "#N/A", "", false},
		{fold, "ΣΊΣΥΦΟΣ", "Σίσυφος", true}, {fold, "İ", "i", false}, {fold, "straße", "STRASSE", false},
	} {
		if a, b := test.l.Key(test.a), test.l.Key(test.b); (a == b) != test.same {
			t.Errorf("%+v: %q has key %q, %q has %q", test.l, test.a, a, test.b, b)
		}
	}
}

// TestLookupKeyOfNumbers holds the keys of random numbers against math/big.
func TestLookupKeyOfNumbers(t *testing.T) {
	number := pipeline.Lookup{Number: true}
	value := rapid.StringMatching(`[-+]?0{0,2}[0-9]{0,3}0{0,2}(\.0{0,2}[0-9]{0,3}0{0,2})?([eE][-+]?[0-3])?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := value.Draw(t, "a"), value.Draw(t, "b")
		x, isX := new(big.Rat).SetString(a)
		y, isY := new(big.Rat).SetString(b)
		same := isX && isY && x.Cmp(y) == 0 || a == b
		if (number.Key(a) == number.Key(b)) != same {
			t.Fatalf("%q has key %q, %q has %q", a, number.Key(a), b, number.Key(b))
		}
	})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
