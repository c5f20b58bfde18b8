package plan

import (
	"errors"
	"fmt"
	"strings"

	"migrate/pkg/bulk2"
	"migrate/pkg/sources"
	"migrate/pkg/transform"
)

// Version is the version of plan files that Read understands.
const Version = 1

// Plan is a plan file, read and checked for form. Stored as JSON it comes back the same.
type Plan struct {
	Version int    `json:"version"`
	Org     string `json:"org,omitempty"` // name of the org; "" = the plan does not say
	Jobs    []Job  `json:"jobs"`          // in the order of the file
	Path    string `json:"path,omitempty"`
}

// Job loads one source into one object. It is made by Read, or by hand for a load without a plan.
type Job struct {
	Name      string          `json:"name"`
	Object    string          `json:"object"` // API name
	Operation bulk2.Operation `json:"operation"`
	Key       string          `json:"key,omitempty"` // of an upsert: an external id field, an idLookup field, or Id
	Source    CSV             `json:"source"`
	Fields    []Field         `json:"fields,omitempty"`
	Nulls     transform.Nulls `json:"nulls,omitempty"` // for fields that do not say; "" = keep

	// AutoMap sends each source column that Fields does not name to the field of the same name. A column without such a
	// field is a finding, or with IgnoreUnmapped it is not sent.
	AutoMap        bool  `json:"auto_map,omitempty"`
	IgnoreUnmapped bool  `json:"ignore_unmapped,omitempty"`
	Limit          int64 `json:"limit,omitempty"` // source rows to read; 0 = all

	Path string `json:"path,omitempty"` // the plan file; "" = none
	Line int    `json:"line,omitempty"` // where the job stands in it; 0 = no file
}

// Field says where the value of one field comes from: a source column or a constant.
type Field struct {
	// To is a field of the object, or a lookup set by a key of its parent, such as Account.Legacy_Id__c. When it is empty,
	// From is left out.
	To    string          `json:"to,omitempty"`
	From  string          `json:"from,omitempty"`  // source column
	Const *string         `json:"const,omitempty"` // the same value in every row
	Nulls transform.Nulls `json:"nulls,omitempty"` // "" = as the job says
	Line  int             `json:"line,omitempty"`  // where it stands in the plan; 0 = no file
}

// CSV is a table in one or more CSV files. What is left empty is found out from each file; sources.CSVOptions says what
// the values mean.
type CSV struct {
	Paths       []string `json:"paths"` // as one types them from the working folder
	Delimiter   string   `json:"delimiter,omitempty"`
	Quote       string   `json:"quote,omitempty"`
	Escape      string   `json:"escape,omitempty"`
	Encoding    string   `json:"encoding,omitempty"`
	SkipLines   int      `json:"skip_lines,omitempty"`
	HeaderLines int      `json:"header_lines,omitempty"` // 0 = 1, unless NoHeader
	NoHeader    bool     `json:"no_header,omitempty"`
}

// Open finds out how the files are to be read. Its errors are those of sources.OpenCSV.
func (c CSV) Open() (*sources.CSV, error) {
	return sources.OpenCSV(c.Paths, sources.CSVOptions{Delimiter: c.Delimiter, Quote: c.Quote, Escape: c.Escape, Encoding: c.Encoding,
		SkipLines: c.SkipLines, HeaderLines: c.HeaderLines, NoHeader: c.NoHeader})
}

// ParseMap reads a mapping as one types it on a command line: COLUMN=FIELD sends a source column to a field, COLUMN= leaves
// it out. The first = divides, since names of fields have none.
func ParseMap(s string) (Field, error) {
	from, to, ok := strings.Cut(s, "=")
	switch to = strings.TrimSpace(to); {
	case !ok:
		return Field{}, fmt.Errorf("%q has no =; write COLUMN=FIELD, or COLUMN= to leave the column out", s)
	case from == "" && to == "":
		return Field{}, errors.New(`"=" names nothing; write COLUMN=FIELD, or COLUMN= to leave the column out`)
	case from == "":
		return Field{}, fmt.Errorf("%q names no source column; write COLUMN=%s", s, to)
	}
	return Field{From: from, To: to}, nil
}
