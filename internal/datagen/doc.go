// Package datagen makes up rows: for tests, for benchmarks, and for the sample data of this repository.
//
// The same seed gives the same bytes, on every machine and with every version of Go. All names are invented, all hosts
// lie under example.com, example.org and example.net, which nobody owns. Nothing here depends on the rest of the module,
// so a fault of the code under test cannot hide in its data.
//
// There are three kinds of data:
//
//	Accounts, EqualAccounts   any number of rows, written as fast as a disk takes them; constant memory
//	CRM, BrokenCRM            a few thousand linked rows in the ways real exports come; the folders testdata/crm and
//	                          testdata/crm-broken hold exactly what these two return
//	Shop, Trader              databases in the shape of two well-known samples, Chinook and Northwind
//
// Accounts, CRM, Shop and Trader are valid for the local org's schema in every row: whatever is not accepted is a fault of the reader,
// the loader or the org. BrokenCRM is the opposite. It knows which of its rows are wrong, and which code or rule must
// come back for each.
package datagen
