package datagen

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Trader makes a trading house in a database without tables: those of the Northwind sample database that tell of customers,
// suppliers, employees, products, orders and their lines, with the same names, columns and types. What Shop says of its rows holds
// here, too; moreover customers have words for keys, among them 00071 beside 71, lines have a key of two columns, some orders
// have no customer, no employee or no lines, and employees have a picture.
func Trader(ctx context.Context, db *sql.DB, dialect Dialect, seed uint64) error {
	const staff, suppliers, products, orders = 25, 45, 120, 700
	customers := traderKeys(newDraw(seed, 10), 130)
	return dialect.write(ctx, db, traderCustomers(newDraw(seed, 11), customers), traderSuppliers(newDraw(seed, 12), suppliers),
		traderEmployees(newDraw(seed, 13), staff), traderProducts(newDraw(seed, 14), products, suppliers),
		traderOrders(newDraw(seed, 15), orders, customers, staff), traderLines(newDraw(seed, 16), orders, products))
}

// traderKeys makes words for keys, no two of which differ in case alone.
func traderKeys(d draw, n int) []string {
	keys := []string{"71", "00071", "O'HAN", "ÅKERÖ", "A-B C", "1E5", "NULL"}
	for len(keys) < n {
		_, latin := spell(pick(d, pick(d, countries).family))
		keys = append(keys, fmt.Sprintf("%s%02d", strings.ToUpper(latin[:3]), len(keys)))
	}
	return keys
}

func traderCustomers(d draw, keys []string) *dbTable {
	t := &dbTable{name: "Customers", key: "CustomerID", columns: []string{"CustomerID word", "CompanyName text", "ContactName text", "ContactTitle text", "Address text", "City text",
		"Region text", "PostalCode text", "Country text", "Phone text", "Fax text"}}
	for _, key := range keys {
		s := newSomeone(d)
		t.add(key, s.company(d), s.called(d), nilled(pick(d, jobTitles)), d.null(4, s.street(d)), d.null(4, pick(d, s.home.cities)), d.null(60, "Süd"), d.null(5, postal(d, s.home)),
			d.null(4, s.home.name), d.null(5, phone(d, s.home)), d.null(30, phone(d, s.home)))
	}
	return t
}

func traderSuppliers(d draw, n int) *dbTable {
	t := &dbTable{name: "Suppliers", key: "SupplierID", columns: []string{"SupplierID integer not null", "CompanyName text not null", "ContactName text", "ContactTitle text", "Address text",
		"City text", "Region text", "PostalCode text", "Country text", "Phone text", "Fax text", "HomePage text"}}
	for i := range n {
		s := newSomeone(d)
		t.add(i+1, s.company(d), s.called(d), nilled(pick(d, jobTitles)), s.street(d), pick(d, s.home.cities), d.null(60, ""), postal(d, s.home), s.home.name,
			phone(d, s.home), d.null(50, phone(d, s.home)), d.null(70, s.last+"#https://www.trader.example.com/#"))
	}
	return t
}

func traderEmployees(d draw, n int) *dbTable {
	t := &dbTable{name: "Employees", key: "EmployeeID", columns: []string{"EmployeeID integer not null", "LastName text", "FirstName text", "Title text", "TitleOfCourtesy text",
		"BirthDate date", "HireDate date", "Address text", "City text", "Region text", "PostalCode text", "Country text", "HomePhone text", "Extension text",
		"Photo blob", "Notes text", "ReportsTo integer", "PhotoPath text"}}
	for rank := range n {
		s := newSomeone(d)
		t.add(rankedID(rank, n), s.last, d.null(5, s.first), nilled(pick(d, jobTitles)), pick(d, words("Dr.,Ms.,Mr.")), d.null(10, day(d, 1950, 2004)), day(d, 2005, 2025),
			s.street(d), pick(d, s.home.cities), d.null(50, "WA"), postal(d, s.home), s.home.name, phone(d, s.home), fmt.Sprintf("%04d", d.below(10_000)),
			[]byte{0xff, 0xd8, 0, byte(rank), 0x27}, pick(d, contactRemarks)+" "+strings.Repeat(pick(d, descriptions)+". ", d.between(1, 12))+"Ω", bossOf(d, rank, n), nil)
	}
	return t
}

func traderProducts(d draw, n, suppliers int) *dbTable {
	t := &dbTable{name: "Products", key: "ProductID", columns: []string{"ProductID integer not null", "ProductName text not null", "SupplierID integer", "CategoryID integer",
		"QuantityPerUnit text", "UnitPrice numeric(10,2)", "UnitsInStock integer", "UnitsOnOrder integer", "ReorderLevel integer", "Discontinued word not null"}}
	for i := range n {
		home := pick(d, countries)
		t.add(i+1, fmt.Sprintf("%s, %s %d", pick(d, home.trades), pick(d, products), i+1), d.null(5, d.between(1, suppliers)), d.between(1, 8), "10 boxes × 20", cents(d.between(50, 30_000)),
			d.below(130), d.below(100), d.below(30), pick(d, words("0,1")))
	}
	return t
}

func traderOrders(d draw, n int, customers []string, staff int) *dbTable {
	t := &dbTable{name: "Orders", key: "OrderID", columns: []string{"OrderID integer not null", "CustomerID word", "EmployeeID integer", "OrderDate datetime", "RequiredDate datetime",
		"ShippedDate datetime", "ShipVia integer", "Freight numeric(10,2)", "ShipName text", "ShipAddress text", "ShipCity text", "ShipRegion text",
		"ShipPostalCode text", "ShipCountry text"}}
	for i := range n {
		s := newSomeone(d)
		t.add(orderID(i), d.null(5, pick(d, customers)), d.null(5, d.between(1, staff)), moment(d, 2018, 2025)+".000", d.null(5, moment(d, 2018, 2026)+".000"),
			d.null(10, moment(d, 2018, 2026)+".000"), d.between(1, 3), pick(d, []string{cents(d.below(200_00)), "0", "12.5"}), s.company(d), s.street(d),
			pick(d, s.home.cities), d.null(60, "WY"), d.null(5, postal(d, s.home)), s.home.name)
	}
	return t
}

func orderID(i int) int { return 10_001 + 3*i }

func traderLines(d draw, orders, products int) *dbTable {
	t := &dbTable{name: "Order Details", key: "OrderID,ProductID", columns: []string{"OrderID integer not null", "ProductID integer not null", "UnitPrice numeric(10,2) not null",
		"Quantity integer not null", "Discount real not null"}}
	for i := range orders {
		if i%40 == 9 {
			continue // an order without lines
		}
		product := d.below(products)
		for range d.between(1, 5) {
			t.add(orderID(i), product+1, cents(d.between(1, 300_00)), d.between(1, 130), pick(d, []float64{0, 0, 0, 0.05, 0.15, 0.25}))
			product = (product + d.between(1, 9)) % products // at most 45 further on: never the same again
		}
	}
	return t
}

// called is the whole name of someone; a few have but one word.
func (s someone) called(d draw) string {
	if d.percent(5) {
		return s.last
	}
	return s.first + " " + s.last
}
