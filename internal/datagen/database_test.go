package datagen_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"migrate/internal/datagen"
)

// TestDatabaseVariety asks for what Shop and Trader promise, with any seed. Each query must find a row.
func TestDatabaseVariety(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, sampleSeed, 1 << 60} {
		db := shopAndTrader(t, seed)
		for what, query := range map[string]string{
			"empty beside null":              "SELECT 1 FROM Customer WHERE Company = '' AND EXISTS (SELECT 1 FROM Customer WHERE Company IS NULL)",
			"double quotes":                  `SELECT 1 FROM Customer WHERE Company LIKE '%"%'`,
			"apostrophes":                    "SELECT 1 FROM Customer WHERE LastName LIKE '%''%'",
			"a person named Null":            "SELECT 1 FROM Customer WHERE LastName = 'Null'",
			"LF":                             "SELECT 1 FROM Customer WHERE Address LIKE '%' || char(10) || '%' AND Address NOT LIKE '%' || char(13) || '%'",
			"CR LF":                          "SELECT 1 FROM Customer WHERE Address LIKE '%' || char(13, 10) || '%'",
			"Greek and Japanese":             "SELECT 1 FROM Customer WHERE Country = 'Greece' AND EXISTS (SELECT 1 FROM Customer WHERE Country = 'Japan')",
			"employees without a boss":       "SELECT max(1) FROM Employee WHERE ReportsTo IS NULL HAVING count(*) > 1",
			"a boss in a later row":          "SELECT 1 FROM Employee WHERE ReportsTo > EmployeeId",
			"a chain of nine":                "WITH RECURSIVE c(id, n) AS (SELECT EmployeeId, 1 FROM Employee WHERE ReportsTo IS NULL UNION ALL SELECT EmployeeId, n + 1 FROM Employee JOIN c ON ReportsTo = id) SELECT 1 FROM c WHERE n >= 9",
			"no circle of bosses":            "WITH RECURSIVE c(id) AS (SELECT EmployeeId FROM Employee WHERE ReportsTo IS NULL UNION SELECT EmployeeId FROM Employee JOIN c ON ReportsTo = id) SELECT max(1) FROM c HAVING count(*) = (SELECT count(*) FROM Employee)",
			"customers nobody looks after":   "SELECT 1 FROM Customer WHERE SupportRepId IS NULL",
			"negative totals, and naught":    "SELECT 1 FROM Invoice WHERE Total < 0 AND EXISTS (SELECT 1 FROM Invoice WHERE Total = 0)",
			"the last second of a day":       "SELECT 1 FROM Invoice WHERE InvoiceDate LIKE '% 23:59:59'",
			"a leap day":                     "SELECT 1 FROM Invoice WHERE InvoiceDate LIKE '2024-02-29%'",
			"names longer than the field":    "SELECT 1 FROM InvoiceLine JOIN Track USING (TrackId) WHERE length(Name) > 120",
			"characters of four bytes":       "SELECT 1 FROM InvoiceLine JOIN Track USING (TrackId) WHERE Name LIKE '%🎧%'",
			"invoices without lines":         "SELECT 1 FROM Invoice WHERE InvoiceId NOT IN (SELECT InvoiceId FROM InvoiceLine)",
			"invoices lead to customers":     "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM Invoice WHERE CustomerId NOT IN (SELECT CustomerId FROM Customer))",
			"leading zeros in a key":         "SELECT 1 FROM Orders WHERE CustomerID = '00071' AND EXISTS (SELECT 1 FROM Orders WHERE CustomerID = '71')",
			"orders without a customer":      "SELECT 1 FROM Orders WHERE CustomerID IS NULL",
			"orders without an employee":     "SELECT 1 FROM Orders WHERE EmployeeID IS NULL",
			"orders without lines":           `SELECT 1 FROM Orders WHERE OrderID NOT IN (SELECT OrderID FROM "Order Details")`,
			"orders that are on their way":   "SELECT 1 FROM Orders WHERE ShippedDate IS NULL",
			"several lines of one order":     `SELECT 1 FROM "Order Details" GROUP BY OrderID HAVING count(*) > 2`,
			"names of one word":              "SELECT 1 FROM Customers WHERE ContactName NOT LIKE '% %'",
			"pictures that are no text":      "SELECT 1 FROM Employees WHERE typeof(Photo) = 'blob'",
			"traders lead to what there is":  `SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM "Order Details" WHERE OrderID NOT IN (SELECT OrderID FROM Orders) OR ProductID NOT IN (SELECT ProductID FROM Products))`,
			"keys are no others in capitals": "SELECT max(1) FROM Customers HAVING count(*) = count(DISTINCT lower(CustomerID))",
		} {
			var n int
			if err := db.QueryRow(query).Scan(&n); err != nil {
				t.Errorf("seed %d: missing: %s: %v", seed, what, err)
			}
		}
	}
}

// TestDatabaseSeed makes the same databases twice, and others with another seed.
func TestDatabaseSeed(t *testing.T) {
	t.Parallel()
	one, again, other := content(t, shopAndTrader(t, 5)), content(t, shopAndTrader(t, 5)), content(t, shopAndTrader(t, 6))
	if len(one) < 100_000 || one != again {
		t.Errorf("%d bytes, and %d bytes with the same seed", len(one), len(again))
	}
	if one == other {
		t.Error("another seed makes the same")
	}
}

func shopAndTrader(t *testing.T, seed uint64) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "sample.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := datagen.Shop(t.Context(), db, datagen.SQLite, seed); err != nil {
		t.Fatal(err)
	}
	if err := datagen.Trader(t.Context(), db, datagen.SQLite, seed); err != nil {
		t.Fatal(err)
	}
	return db
}

// content is all rows as text.
func content(t *testing.T, db *sql.DB) string {
	t.Helper()
	var b strings.Builder
	for _, table := range []string{"Employee", "Customer", "Track", "Invoice", "InvoiceLine", "Customers", "Suppliers", "Employees", "Products", "Orders", "Order Details"} {
		rows, err := db.Query(`SELECT * FROM "` + table + `"`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		row, places := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			places[i] = &row[i]
		}
		for rows.Next() {
			if err := rows.Scan(places...); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&b, row...)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}
