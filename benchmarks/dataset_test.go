package benchmarks

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"migrate/internal/datagen"
)

// column is a column of the data and the field that it goes to.
type column struct {
	name, field string
	integer     bool // in Parquet and in a database
}

// wide are the columns of datagen.Accounts under the names of a source, so that a load has to rename each.
var wide = []column{{"id", "Legacy_Id__c", false}, {"name", "Name", false}, {"phone", "Phone", false}, {"website", "Website", false}, {"street", "BillingStreet", false},
	{"city", "BillingCity", false}, {"postal_code", "BillingPostalCode", false}, {"country", "BillingCountry", false}, {"branch", "Industry", false},
	{"revenue", "AnnualRevenue", true}, {"staff", "NumberOfEmployees", true}, {"notes", "Description", false}}

// narrow are four of them.
var narrow = []column{wide[0], wide[1], wide[5], wide[9]}

// dataset is one set of rows in the forms that contestants read.
type dataset struct {
	columns []column
	rows    int
	bytes   int64    // of the CSV file
	csv     string   // with the names of the source
	parquet string   // "" where there is none
	parts   []string // the CSV as the org is to get it: with the names of the fields, cut as migrate cuts it
}

// maps are the arguments of a load that renames the columns.
func (d *dataset) maps() (args []string) {
	for _, c := range d.columns {
		args = append(args, "--map", c.name+"="+c.field)
	}
	return args
}

// dataVersion names the folder of the data; another generator needs another one.
const dataVersion = "data-1"

// A part takes as much as a job of migrate by default.
const (
	partBytes = 100_000_000
	partRows  = 500_000
)

// accountsAs makes rows of datagen.Accounts with some of their columns.
func accountsAs(t *testing.T, s setting, kind string, columns []column, rows int) *dataset {
	t.Helper()
	at := make([]int, len(columns))
	for i, c := range columns {
		for n := range wide {
			if wide[n] == c {
				at[i] = n
			}
		}
	}
	return makeDataset(t, s, kind, columns, rows, true, func(add func([]string) error) error {
		r, w := io.Pipe()
		go func() { w.CloseWithError(datagen.Accounts(w, 1, rows)) }()
		defer r.Close()
		in := csv.NewReader(r)
		in.ReuseRecord = true
		if _, err := in.Read(); err != nil {
			return err
		}
		cells := make([]string, len(columns))
		for {
			record, err := in.Read()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			for i, n := range at {
				cells[i] = record[n]
			}
			if err := add(cells); err != nil {
				return err
			}
		}
	})
}

// makeDataset writes the rows that each gives, unless an earlier call has done so.
func makeDataset(t *testing.T, s setting, kind string, columns []column, rows int, withParquet bool, each func(add func([]string) error) error) *dataset {
	t.Helper()
	name := fmt.Sprintf("%s-%d", kind, rows)
	folder := filepath.Join(s.dir, dataVersion, name)
	if _, err := os.Stat(folder); err != nil {
		fmt.Printf("making %s …\n", folder)
		fresh := folder + ".part"
		if err := writeDataset(fresh, columns, withParquet, each); err != nil {
			t.Fatalf("make %s: %v", folder, err)
		}
		if err := os.Rename(fresh, folder); err != nil {
			t.Fatal(err)
		}
	}
	d := &dataset{columns: columns, rows: rows, csv: filepath.Join(folder, "all.csv")}
	if withParquet {
		d.parquet = filepath.Join(folder, "all.parquet")
	}
	info, err := os.Stat(d.csv)
	if err == nil {
		d.bytes = info.Size()
		d.parts, err = filepath.Glob(filepath.Join(folder, "part-*.csv"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func writeDataset(folder string, columns []column, withParquet bool, each func(add func([]string) error) error) (err error) {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	var names, fields []string
	for _, c := range columns {
		names, fields = append(names, c.name), append(fields, c.field)
	}
	all, err := newTextFile(filepath.Join(folder, "all.csv"), names)
	if err != nil {
		return err
	}
	defer all.f.Close()
	var table *parquetTable
	if withParquet {
		if table, err = newParquetTable(filepath.Join(folder, "all.parquet"), columns); err != nil {
			return err
		}
	}
	var part *textFile
	parts, rows := 0, 0
	var line []byte
	err = each(func(cells []string) error {
		line = appendRecord(line[:0], cells)
		if part == nil || rows == partRows || part.size+len(line) > partBytes {
			if part != nil {
				if err := part.close(); err != nil {
					return err
				}
			}
			var err error
			if part, err = newTextFile(filepath.Join(folder, fmt.Sprintf("part-%04d.csv", parts)), fields); err != nil {
				return err
			}
			parts, rows = parts+1, 0
		}
		rows++
		if err := part.write(line); err != nil {
			return err
		}
		if err := all.write(line); err != nil || table == nil {
			return err
		}
		return table.add(cells)
	})
	if err != nil {
		return err
	}
	if part != nil {
		if err := part.close(); err != nil {
			return err
		}
	}
	if table != nil {
		if err := table.close(); err != nil {
			return err
		}
	}
	return all.close()
}
