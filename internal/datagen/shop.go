package datagen

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// Shop makes a shop in a database without tables: those of the Chinook sample database that tell of customers, employees,
// invoices and their lines, with the same names, columns and types. All rows are made up, and valid for the local org. There are
// nulls beside empty texts, quotes, line breaks of both kinds, scripts from four corners, lookups that lead to later rows, a chain of
// bosses, amounts down to the cent, and names of tracks that are longer than an org's fields.
func Shop(ctx context.Context, db *sql.DB, dialect Dialect, seed uint64) error {
	const staff, customers, tracks, invoices = 40, 170, 300, 640
	return dialect.write(ctx, db, shopEmployees(newDraw(seed, 1), staff), shopCustomers(newDraw(seed, 2), customers, staff),
		shopTracks(newDraw(seed, 3), tracks), shopInvoices(newDraw(seed, 4), invoices, customers), shopLines(newDraw(seed, 5), invoices, tracks))
}

func shopEmployees(d draw, n int) *dbTable {
	t := &dbTable{name: "Employee", key: "EmployeeId", columns: []string{"EmployeeId integer not null", "LastName nvarchar(20) not null", "FirstName nvarchar(20) not null",
		"Title nvarchar(30)", "ReportsTo integer", "BirthDate datetime", "HireDate datetime", "Address nvarchar(70)", "City nvarchar(40)", "State nvarchar(40)",
		"Country nvarchar(40)", "PostalCode nvarchar(10)", "Phone nvarchar(24)", "Fax nvarchar(24)", "Email nvarchar(60)"}}
	for rank := range n {
		s := newSomeone(d)
		t.add(rankedID(rank, n), s.last, s.first, nilled(pick(d, jobTitles)), bossOf(d, rank, n), d.null(10, moment(d, 1950, 2004)), moment(d, 2005, 2025),
			s.street(d), pick(d, s.home.cities), d.null(40, "NW"), s.home.name, postal(d, s.home), phone(d, s.home), d.null(60, phone(d, s.home)), d.null(5, s.mail))
	}
	return t
}

func shopCustomers(d draw, n, staff int) *dbTable {
	t := &dbTable{name: "Customer", key: "CustomerId", columns: []string{"CustomerId integer not null", "FirstName nvarchar(40) not null", "LastName nvarchar(20) not null",
		"Company nvarchar(80)", "Address nvarchar(70)", "City nvarchar(40)", "State nvarchar(40)", "Country nvarchar(40)", "PostalCode nvarchar(10)",
		"Phone nvarchar(24)", "Fax nvarchar(24)", "Email nvarchar(60) not null", "SupportRepId integer"}}
	for i := range n {
		s := newSomeone(d)
		company := d.null(50, s.company(d))
		if i%20 == 0 {
			company = "" // says the same as null, and is something else in a database
		}
		t.add(i+1, s.first, s.last, company, d.null(4, s.street(d)), pick(d, s.home.cities), d.null(70, "SO"), s.home.name, d.null(6, postal(d, s.home)),
			d.null(3, phone(d, s.home)), d.null(80, phone(d, s.home)), s.mail, d.null(15, d.between(1, staff)))
	}
	return t
}

func shopTracks(d draw, n int) *dbTable {
	t := &dbTable{name: "Track", key: "TrackId", columns: []string{"TrackId integer not null", "Name nvarchar(200) not null", "AlbumId integer", "MediaTypeId integer not null",
		"GenreId integer", "Composer nvarchar(220)", "Milliseconds integer not null", "Bytes integer", "UnitPrice numeric(10,2) not null"}}
	for i := range n {
		s := newSomeone(d)
		name := pick(d, s.home.streets) + ", " + pick(d, words("live,take 2,demo \"A\",remix 🎧,Pt. I / II,(reprise)"))
		if i%25 == 0 { // 120 units of UTF-16 end inside of a character
			name = strings.Repeat(string([]rune(name)[:1]), 119) + strings.Repeat("🎻", 9)
		}
		t.add(i+1, name, d.null(10, d.between(1, 60)), d.between(1, 5), d.null(10, d.between(1, 25)), d.null(30, s.first+" "+s.last+"; "+pick(d, s.home.family)),
			d.between(1000, 5_000_000), d.null(10, d.between(1, 1_000_000_000)), pick(d, words("0.99,1.99")))
	}
	return t
}

func shopInvoices(d draw, n, customers int) *dbTable {
	t := &dbTable{name: "Invoice", key: "InvoiceId", columns: []string{"InvoiceId integer not null", "CustomerId integer not null", "InvoiceDate datetime not null",
		"BillingAddress nvarchar(70)", "BillingCity nvarchar(40)", "BillingState nvarchar(40)", "BillingCountry nvarchar(40)", "BillingPostalCode nvarchar(10)",
		"Total numeric(10,2) not null"}}
	for i := range n {
		s := newSomeone(d)
		total := pick(d, []string{cents(d.between(1, 99)), cents(d.between(1_00, 99_99)), cents(d.between(100, 999_999) * 10_00), cents(-d.between(1, 50_00)), "0.00", "99999999.99"})
		t.add(i+1, d.between(1, customers), moment(d, 2018, 2026), d.null(5, s.street(d)), d.null(5, pick(d, s.home.cities)), d.null(60, "SO"), s.home.name,
			d.null(10, postal(d, s.home)), total)
	}
	return t
}

func shopLines(d draw, invoices, tracks int) *dbTable {
	t := &dbTable{name: "InvoiceLine", key: "InvoiceLineId", columns: []string{"InvoiceLineId integer not null", "InvoiceId integer not null", "TrackId integer not null",
		"UnitPrice numeric(10,2) not null", "Quantity integer not null"}}
	for i := range invoices {
		if i%50 == 7 {
			continue // an invoice without lines
		}
		for range d.between(1, 6) {
			t.add(len(t.rows)+1, i+1, d.between(1, tracks), pick(d, words("0.99,1.99,0.00,1234.50,7.10")), pick(d, []int{1, 1, 1, 2, 12, 1000}))
		}
	}
	return t
}

// someone is a person with what belongs to one.
type someone struct {
	first, last, mail string
	home              country
}

func newSomeone(d draw) someone {
	home := pick(d, countries)
	first, firstLatin := spell(pick(d, home.first))
	last, lastLatin := spell(pick(d, home.family))
	return someone{first, last, firstLatin + "." + lastLatin + "@shop" + pick(d, domains), home}
}

func (s someone) company(d draw) string {
	name, _ := spell(pick(d, s.home.stems))
	if d.percent(10) {
		return pick(d, s.home.trades) + ` "` + name + `", ` + pick(d, s.home.forms)
	}
	return name + " " + pick(d, s.home.trades) + " " + pick(d, s.home.forms)
}

func (s someone) street(d draw) string {
	street := fmt.Sprintf("%s %d", pick(d, s.home.streets), d.between(1, 140))
	switch d.below(16) {
	case 0:
		return street + "\n2nd floor, left"
	case 1:
		return street + "\r\nPO Box 7"
	case 2:
		return `"Villa" ` + street + `\B`
	}
	return street
}

// rankedID gives the n members of a staff ids from 1 to n, in another order than their ranks. n is no multiple of 7.
func rankedID(rank, n int) int { return 1 + rank*7%n }

// bossOf gives the id of the boss. The first two have none; the next eight are a chain; the others report to anybody above them,
// which may be a later row.
func bossOf(d draw, rank, n int) any {
	switch {
	case rank < 2:
		return nil
	case rank < 10:
		return rankedID(rank-1, n)
	}
	return d.null(5, rankedID(d.below(rank), n))
}

// moment is a time of day in the years from first to last, without a zone; mostly midnight, as where only the day is meant.
func moment(d draw, first, last int) string {
	at := day(d, first, last)
	switch d.below(12) {
	case 0:
		return at + " 23:59:59"
	case 1:
		return at + " 00:00:01"
	case 2:
		return time.Date(2024, 2, 29, d.below(24), d.below(60), 0, 0, time.UTC).Format(time.DateTime)
	}
	return at + " 00:00:00"
}

// nilled is nil for an empty text.
func nilled(text string) any {
	if text == "" {
		return nil
	}
	return text
}
