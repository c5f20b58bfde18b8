package datagen

import (
	"fmt"
	"slices"
	"strings"
)

// A fault is what is done to one row of a table, and what must come back for it.
type fault struct {
	table  *table
	row    int    // from 1
	column string // the cell that gets the value; empty when raw is used
	value  string
	raw    string   // the whole row as it stands in the file
	codes  []string // one for each line that is wrong, from the row's first line on; none for a row that only looks wrong
	why    string
}

// BrokenCRM returns three files of the same CRM with faults of every kind, and two files about them: expected.csv, which names
// for each wrong row the file, the line on which it begins, and the code of the org or the rule of the reader; and a
// README.md that says the same for people. All other rows are valid.
func BrokenCRM(seed uint64) ([]File, error) {
	accounts, contacts, invoices := newAccountTable(), newContactTable(), newInvoiceTable()
	accounts.format = commas
	contacts.format = format{delimiter: ';', lineEnd: "\r\n"}

	d := newDraw(seed, 11)
	customers := make([]customer, 80)
	for i := range customers {
		customers[i] = newCustomer(d, i)
		accounts.add(accountCells(d, customers[i])...)
	}
	faults := accountFaults(accounts)

	// Children have parents that get in, unless a fault says otherwise.
	parents := slices.Clone(customers)
	for _, f := range slices.Backward(faults) {
		if len(f.codes) > 0 {
			parents = slices.Delete(parents, f.row-1, f.row)
		}
	}
	d = newDraw(seed, 12)
	for i := range 120 {
		contacts.add(contactCells(d, newPerson(d, i, pick(d, parents)))...)
	}
	faults = append(faults, contactFaults(contacts, accounts)...)
	d = newDraw(seed, 13)
	for i := range 100 {
		invoices.add(invoiceCells(d, i, pick(d, parents), fmt.Sprintf("D-2024-%04d", i))...)
	}
	faults = append(faults, invoiceFaults(invoices)...)

	for _, f := range faults {
		f.apply()
	}
	var files []File
	lines := map[*table][]int{}
	for _, t := range []*table{accounts, contacts, invoices} {
		file, starts, err := t.file()
		if err != nil {
			return nil, err
		}
		files, lines[t] = append(files, file), starts
	}
	expected := &table{name: "expected.csv", format: commas, header: words("file,line,code_or_rule")}
	var wrong, right strings.Builder
	for _, f := range faults {
		line := lines[f.table][f.row-1]
		for i, code := range f.codes {
			expected.add(f.table.name, fmt.Sprint(line+i), code)
			fmt.Fprintf(&wrong, "| %s | %d | %s | `%s` |\n", f.table.name, line+i, f.why, code)
		}
		if len(f.codes) == 0 {
			fmt.Fprintf(&right, "| %s | %d | %s |\n", f.table.name, line, f.why)
		}
	}
	file, _, err := expected.file()
	if err != nil {
		return nil, err
	}
	readme := strings.NewReplacer("{wrong}", wrong.String(), "{right}", right.String()).Replace(brokenReadme)
	return append(files, file, File{"README.md", []byte(readme)}), nil
}

func (f fault) apply() {
	row := &f.table.rows[f.row-1]
	if f.raw != "" {
		*row = record{raw: f.raw}
		return
	}
	row.cells[f.table.column(f.column)] = f.value
}

func (t *table) column(name string) int {
	i := slices.Index(t.header, name)
	if i < 0 {
		panic(t.name + " has no column " + name) // a slip in this package, not in anybody's input
	}
	return i
}

func (t *table) cell(row int, column string) string { return t.rows[row-1].cells[t.column(column)] }

// The codes an org gives to a row, and the rules by which a row is stopped before it is sent.
const (
	missing    = "REQUIRED_FIELD_MISSING"
	unreadable = "INVALID_FIELD" // also for a parent that is not found
	tooLong    = "STRING_TOO_LONG"
	outOfRange = "NUMBER_OUTSIDE_VALID_RANGE"
	picklist   = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
	duplicate  = "DUPLICATE_VALUE"
	badEmail   = "INVALID_EMAIL_ADDRESS"

	tooFew   = "too_few_columns"
	tooMany  = "too_many_columns"
	badQuote = "bad_quote"
	reserved = "reserved_value"
)

func accountFaults(t *table) []fault {
	cell := func(row int, column, value, code, why string) fault {
		return fault{table: t, row: row, column: column, value: value, codes: []string{code}, why: why}
	}
	return []fault{
		cell(5, "company", "", missing, "no name"),
		{table: t, row: 9, raw: t.line(9, map[string]string{"company": `"Molkerei "Grünlauf" GmbH"`}, 0, 0), codes: []string{badQuote}, why: "quotes inside quotes that are not doubled"},
		cell(14, "turnover", "1.200.000,50", unreadable, "a number with a decimal comma"),
		cell(18, "tier", "Platinum", picklist, "a tier that the restricted picklist does not have"),
		{table: t, row: 23, raw: t.line(23, nil, 0, 5), codes: []string{tooFew}, why: "the row ends early"},
		cell(27, "city", "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch", tooLong, "a city of 58 characters in a field of 40"),
		cell(31, "customer_no", t.cell(2, "customer_no"), duplicate, "the customer number of the second row again"),
		{table: t, row: 36, raw: t.line(36, map[string]string{"company": "Wexcombe Foods, Ltd"}, 0, 0), codes: []string{tooMany}, why: "a comma in the name, without quotes"},
		cell(40, "company", strings.Repeat("Österåker och Söner ", 12)+"Österåker och Sö", tooLong, "a name of 256 characters in a field of 255"),
		cell(44, "staff", "about 40", unreadable, "words where a number belongs"),
		cell(47, "customer_no", strings.ToLower(t.cell(11, "customer_no")), duplicate, "the customer number of the eleventh row, in small letters: the key does not tell them apart"),
		cell(52, "turnover", "1234567890123456789", outOfRange, "19 digits in a field of 18"),
		cell(56, "active", "ja", unreadable, "a boolean that is neither true, false, 1 nor 0"),
		cell(60, "notes", "#N/A", reserved, "the text #N/A, by which an org empties a field: it cannot be stored"),
		{table: t, row: 64, column: "company", value: strings.Repeat("é", 255), why: "a name of exactly 255 characters (510 bytes)"},
		{table: t, row: 66, raw: t.line(66, map[string]string{"company": `Harrowmere 10" Instruments Ltd`}, 0, 0), why: "a quote inside a value that has none around it: an inch"},
		{table: t, row: 70, raw: t.line(70, map[string]string{"street": "Mill Lane 5\n2nd floor left"}, 0, 0), codes: []string{tooFew, tooFew}, why: "a line break in the street, without quotes, makes two short rows of one"},
		{table: t, row: 73, column: "turnover", value: "9.1226E8", why: "scientific notation"},
	}
}

func contactFaults(t, accounts *table) []fault {
	cell := func(row int, column, value, code, why string) fault {
		return fault{table: t, row: row, column: column, value: value, codes: []string{code}, why: why}
	}
	return []fault{
		cell(4, "last", "", missing, "no last name"),
		cell(12, "e_mail", "anna.lindgren.example.org", badEmail, "an e-mail address without @"),
		cell(19, "e_mail", "jo ann@example.com", badEmail, "an e-mail address with a blank"),
		cell(25, "born", "31.01.1987", unreadable, "a date in the German way"),
		cell(33, "born", "1990-02-30", unreadable, "a day that does not exist"),
		cell(41, "customer_no", "K-99999", unreadable, "a customer that nobody knows"),
		cell(48, "customer_no", accounts.cell(5, "customer_no"), unreadable, "a customer whose own row fails (no name)"),
		cell(50, "contact_no", t.cell(50, "contact_no"), duplicate, "a contact number that comes twice: an upsert takes neither"),
		cell(55, "contact_no", t.cell(50, "contact_no"), duplicate, "the same contact number again"),
		cell(62, "last", strings.Repeat("Wolkenstein-", 6)+"Ödenburgs", tooLong, "a last name of 81 characters in a field of 80"),
		cell(70, "no_calls", "nein", unreadable, "a boolean that is neither true, false, 1 nor 0"),
		{table: t, row: 77, raw: t.line(77, nil, 0, 1), codes: []string{tooFew}, why: "the last column is missing"},
		{table: t, row: 84, raw: t.line(84, nil, 2, 0), codes: []string{tooMany}, why: "two columns too many, both empty"},
		{table: t, row: 90, raw: t.line(90, map[string]string{"remarks": `"The "new" buyer"`}, 0, 0), codes: []string{badQuote}, why: "quotes inside quotes that are not doubled"},
		cell(97, "customer_no", accounts.cell(23, "customer_no"), unreadable, "a customer whose own row was rejected (ends early)"),
		{table: t, row: 101, column: "born", value: "1988-02-29", why: "a leap day"},
		{table: t, row: 105, column: "last", value: "Null", why: "a person whose name is Null"},
	}
}

func invoiceFaults(t *table) []fault {
	cell := func(row int, column, value, code, why string) fault {
		return fault{table: t, row: row, column: column, value: value, codes: []string{code}, why: why}
	}
	return []fault{
		cell(6, "issued", "2024-13-05", unreadable, "a month that does not exist"),
		cell(13, "issued", "", missing, "no date"),
		cell(20, "amount", "12,50", unreadable, "a number with a decimal comma"),
		cell(27, "state", "Overdue", picklist, "a state that the restricted picklist does not have"),
		cell(34, "due", "2024-01-31 17:00", unreadable, "a time without T, seconds and zone"),
		cell(41, "invoice_no", t.cell(40, "invoice_no"), duplicate, "the invoice number of the row before again"),
		cell(48, "customer_no", "K-00000", unreadable, "a customer that nobody knows"),
		cell(55, "paid", "yes", unreadable, "a boolean that is neither true, false, 1 nor 0"),
		cell(62, "amount", "123456789012345.00", outOfRange, "15 digits before the point in a field of 14"),
		cell(69, "notes", strings.Repeat("Paid by instalments; see the file.\n", 915), tooLong, "a note of 32,025 characters in a field of 32,000"),
		{table: t, row: 76, raw: t.line(76, nil, 0, 2), codes: []string{tooFew}, why: "the row ends early"},
		{table: t, row: 83, raw: t.line(83, nil, 1, 0), codes: []string{tooMany}, why: "one column too many"},
		{table: t, row: 90, raw: t.line(90, map[string]string{"notes": `"Discount "on top" of it"`}, 0, 0), codes: []string{badQuote}, why: "quotes inside quotes that are not doubled"},
		{table: t, row: 94, column: "amount", value: "-0.00", why: "minus nothing"},
		{table: t, row: 97, column: "due", value: "2024-02-29T23:59:59.999+14:00", why: "a leap day in the zone furthest east, with fractions of a second"},
	}
}

// line writes a row by hand: some cells in other words and as they stand, some empty ones too many, some too few.
func (t *table) line(row int, instead map[string]string, more, fewer int) string {
	var cells []string
	for i, value := range t.rows[row-1].cells {
		if raw, ok := instead[t.header[i]]; ok {
			cells = append(cells, raw)
			continue
		}
		cells = append(cells, string(t.format.appendField(nil, value)))
	}
	cells = append(cells[:len(cells)-fewer], make([]string, more)...)
	return strings.Join(cells, string(t.format.delimiter))
}

const brokenReadme = `# A CRM with faults

Three tables like those in ../crm, smaller, each with rows that cannot be loaded. [migrate.yaml](migrate.yaml) loads
what can be loaded and ends with exit code 3. All names are invented. The files, this page too, are written by
internal/datagen; after a change there run ` + "`go test ./internal/datagen -run TestSamples -update`" + `.

| file | rows as read | written as |
|---|---|---|
| accounts.csv | 81 (one of 80 was torn in two) | comma, UTF-8, LF |
| contacts.csv | 120 | semicolon, UTF-8, CRLF |
| invoices.csv | 100 | comma, UTF-8, LF |

## Rows that do not get in

A code in capitals comes from the org, and the row is in failed.csv. A rule in small letters stopped the row before it
was sent, and the row is in rejected.csv. The line is the one on which the row begins; the header is line 1, and line
breaks inside quotes count. Of two rows with the same key an insert refuses the second, an upsert both, as they stand
in one chunk of 200 rows. [expected.csv](expected.csv) holds the same table for programs.

| file | line | what is wrong | code or rule |
|---|---|---|---|
{wrong}
## Rows that look wrong and get in

| file | line | what it is |
|---|---|---|
{right}`
