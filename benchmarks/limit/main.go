// Command limit is what the table of benchmarks is measured against: the least that a client of the Bulk API can do.
//
//	limit load ADDRESS OBJECT FILE…         sends files as they are, each by a job of its own, two at a time
//	limit copy ADDRESS OBJECT FILE…         the same, but the bytes pass through the program, as they must where the connection is TLS
//	limit csv ADDRESS OBJECT FILE OLD=NEW…  reads a file with encoding/csv, renames its columns, writes them with encoding/csv,
//	                                        and sends them, a job at a time: what a script of an afternoon does
//	limit export ADDRESS QUERY FOLDER       runs a query job and saves its pages as they are, four at a time
//
// It keeps no state, tries nothing twice and looks at no row, so nobody should use it for anything else. It polls faster than a client of a real
// org may, since it stands for the bound. The token is in MIGRATE_ACCESS_TOKEN.
package main

import (
	"context"
	"fmt"
	"os"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "limit:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) < 4 {
		return fmt.Errorf("what to do, the address of the org, and more: see the comment of the program")
	}
	o := newOrg(args[1], os.Getenv("MIGRATE_ACCESS_TOKEN"))
	switch args[0] {
	case "load":
		return o.load(ctx, args[2], args[3:], false)
	case "copy":
		return o.load(ctx, args[2], args[3:], true)
	case "csv":
		return o.rewrite(ctx, args[2], args[3], args[4:])
	case "export":
		return o.export(ctx, args[2], args[3])
	}
	return fmt.Errorf("%q is none of load, copy, csv and export", args[0])
}
