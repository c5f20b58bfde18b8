package datagen

import (
	"fmt"
	"io"
	"strconv"
)

const (
	accountHeader = "Legacy_Id__c," + equalHeader
	equalHeader   = "Name,Phone,Website,BillingStreet,BillingCity,BillingPostalCode,BillingCountry,Industry,AnnualRevenue,NumberOfEmployees,Description"

	blockSize = 256 << 10 // bytes handed to the writer at once
)

// Accounts writes a header and rows of the Account object as CSV (UTF-8, comma, LF): 12 columns, about 190 bytes a row.
// Every row is valid for the local org. Legacy_Id__c is different in every row, and for every seed. A few per cent of
// the rows hold commas, quotes or newlines in quotes; revenues run from 0 to numbers like 912260000, which an org
// echoes as 9.1226E8. Errors are those of w.
func Accounts(w io.Writer, seed uint64, rows int) error {
	a := newAccountRows(seed)
	prefix := strconv.AppendUint(nil, seed, 36)
	return writeRows(w, accountHeader, rows, func(b []byte, row int) []byte {
		b = append(b, prefix...)
		b = append(b, '-')
		b = appendPadded(b, row+1, 9)
		b = append(b, ',')
		return a.append(b, -1)
	})
}

// writeRows writes a header and the given number of records, a block at a time.
func writeRows(w io.Writer, header string, rows int, record func(b []byte, row int) []byte) error {
	if rows < 0 {
		return fmt.Errorf("%d rows asked for: the number cannot be negative", rows)
	}
	b := append(make([]byte, 0, blockSize+4096), header...)
	b = append(b, '\n')
	for row := range rows {
		b = append(record(b, row), '\n')
		if len(b) >= blockSize {
			if _, err := w.Write(b); err != nil {
				return fmt.Errorf("write row %d: %w", row+1, err)
			}
			b = b[:0]
		}
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("write row %d: %w", rows, err)
	}
	return nil
}

// accountRows draws the eleven columns of Account that follow the legacy id.
type accountRows struct {
	draw   draw
	places []place
	texts  []string // descriptions as CSV fields
}

// A place is a country with what is needed often made ready.
type place struct {
	country
	stems []stem
}

// A stem is the first word of a company's name and its form in a host name.
type stem struct{ name, host string }

func newAccountRows(seed uint64) *accountRows {
	a := &accountRows{draw: newDraw(seed, 0)}
	for _, c := range countries {
		p := place{country: c}
		for _, s := range c.stems {
			name, host := spell(s)
			p.stems = append(p.stems, stem{name, host})
		}
		a.places = append(a.places, p)
	}
	for _, text := range descriptions {
		a.texts = append(a.texts, string(commas.appendField(nil, text)))
	}
	return a
}

// append adds one record without the line end. A number of zero or more becomes part of the name, which is then unique.
func (a *accountRows) append(b []byte, number int) []byte {
	d := a.draw
	p := &a.places[d.below(len(a.places))]
	s := p.stems[d.below(len(p.stems))]
	trade, form := pick(d, p.trades), pick(d, p.forms)

	switch style := d.below(100); { // Name
	case style < 2: // a comma
		b = append(b, '"')
		b = append(b, s.name...)
		b = append(b, ", "...)
		b = append(b, pick(d, p.stems).name...)
		b = append(b, " & "...)
		b = append(b, trade...)
		b = appendNumber(b, number)
		b = append(b, '"')
	case style < 3: // quotes
		b = append(b, '"')
		b = append(b, trade...)
		b = append(b, ` ""`...)
		b = append(b, s.name...)
		b = append(b, `"" `...)
		b = append(b, form...)
		b = appendNumber(b, number)
		b = append(b, '"')
	default:
		b = append(b, s.name...)
		b = append(b, ' ')
		b = append(b, trade...)
		b = append(b, ' ')
		b = append(b, form...)
		b = appendNumber(b, number)
	}
	b = append(b, ',')
	b = append(b, p.dial...)
	b = append(b, ' ')
	b = appendPadded(b, d.below(10_000_000), 7)
	b = append(b, ',')

	if !d.percent(8) { // Website
		b = append(b, "www."...)
		b = append(b, s.host...)
		b = append(b, pick(d, domains)...)
	}
	b = append(b, ',')

	street := d.below(1000) // BillingStreet, and the parts of it
	switch {
	case street < 15:
		b = append(b, '"')
		b = append(b, pick(d, p.streets)...)
		b = append(b, ' ')
		b = strconv.AppendInt(b, int64(street+1), 10)
		b = append(b, ", 2/B\nP.O. Box "...)
		b = appendPadded(b, d.below(10_000), 4)
		b = append(b, '"')
	default:
		b = append(b, pick(d, p.streets)...)
		b = append(b, ' ')
		b = strconv.AppendInt(b, int64(street%190+1), 10)
	}
	b = append(b, ',')
	b = append(b, pick(d, p.cities)...)
	b = append(b, ',')
	b = appendPattern(b, d, p.postal)
	b = append(b, ',')
	b = append(b, p.name...)
	b = append(b, ',')
	b = append(b, pick(d, industries)...)
	b = append(b, ',')
	b = appendRevenue(b, d)
	b = append(b, ',')
	if !d.percent(10) { // NumberOfEmployees
		b = strconv.AppendInt(b, int64(1+d.below(1<<(3+d.below(13)))), 10)
	}
	b = append(b, ',')
	return append(b, pick(d, a.texts)...)
}

// appendRevenue adds a whole number of at most ten digits, or nothing: small ones, odd ones, and round ones.
func appendRevenue(b []byte, d draw) []byte {
	switch kind := d.below(10); {
	case kind == 0:
		return b
	case kind < 4:
		return strconv.AppendInt(b, int64(d.below(2_000_000)), 10)
	case kind < 7:
		return strconv.AppendInt(b, int64(1_000_000+d.below(900_000_000)), 10)
	default: // 912260000: five digits and four noughts
		return strconv.AppendInt(b, int64(1000+d.below(99_000))*10_000, 10)
	}
}

func appendNumber(b []byte, number int) []byte {
	if number < 0 {
		return b
	}
	b = append(b, " No. "...)
	return strconv.AppendInt(b, int64(number), 10)
}

// appendPadded adds a number with leading zeros up to a width.
func appendPadded(b []byte, n, width int) []byte {
	var digits [20]byte
	s := strconv.AppendInt(digits[:0], int64(n), 10)
	for range width - len(s) {
		b = append(b, '0')
	}
	return append(b, s...)
}

// appendPattern adds a postal code: # becomes a digit, @ a capital letter, anything else stands for itself.
func appendPattern(b []byte, d draw, pattern string) []byte {
	bits := d.pcg.Uint64()
	for i := range len(pattern) {
		switch c := pattern[i]; c {
		case '#':
			b = append(b, '0'+byte(bits%10))
			bits /= 10
		case '@':
			b = append(b, "ABCEGHJKLMNPRSTVXY"[bits%18])
			bits /= 18
		default:
			b = append(b, c)
		}
	}
	return b
}
