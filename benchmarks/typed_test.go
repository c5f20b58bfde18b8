package benchmarks

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// typed are the columns of a file that needs ten transforms: two texts to be trimmed, two mapped, three numbers and two times in another
// notation, and a boolean. The other two go as they are.
var typed = []column{{name: "id", field: "Legacy_Id__c"}, {name: "name", field: "Name"}, {name: "city", field: "BillingCity"}, {name: "country", field: "BillingCountry"},
	{name: "branch", field: "Industry"}, {name: "revenue", field: "AnnualRevenue"}, {name: "staff", field: "NumberOfEmployees"}, {name: "score", field: "Score__c"},
	{name: "created", field: "CreatedDate"}, {name: "changed", field: "LastModifiedDate"}, {name: "active", field: "Active__c"}, {name: "notes", field: "Description"}}

// typedPlan loads it; %q is the file.
const typedPlan = `version: 1
jobs:
  accounts:
    load: Account
    operation: insert
    source: { csv: %q }
    timezone: UTC
    fields:
      Legacy_Id__c: id
      Name: { from: name, trim: true }
      BillingCity: { from: city, trim: true }
      BillingCountry: { from: country, map: { DE: Germany, FR: France, PL: Poland, SE: Sweden }, missing: error }
      Industry: { from: branch, map: { "10": Banking, "20": Chemicals, "30": Energy, "40": Retail, "50": Utilities }, missing: error }
      AnnualRevenue: { from: revenue, number: { decimal: ",", thousands: "." } }
      NumberOfEmployees: { from: staff, number: { decimal: ",", thousands: "." } }
      Score__c: { from: score, number: { decimal: "," } }
      CreatedDate: { from: created, format: "dd.MM.yyyy HH:mm:ss" }
      LastModifiedDate: { from: changed, format: "yyyy/MM/dd HH:mm" }
      Active__c: { from: active, boolean: { true: [ja], false: [nein] } }
      Description: notes
`

var (
	typedCities   = []string{"Aachen", " Lyon", "Gdynia ", "Umeå", "  Köln", "Nice", "Łódź", "Freiburg im Breisgau"}
	typedNotes    = []string{"", "Prefers to be called in the morning", "Two delivery addresses, one for invoices", "Key account since 2009", "see contract"}
	typedCountry  = []string{"DE", "FR", "PL", "SE"}
	typedBranches = []string{"10", "20", "30", "40", "50"}
)

// typedRows makes the file.
func typedRows(t *testing.T, s setting, rows int) *dataset {
	t.Helper()
	return makeDataset(t, s, "typed", typed, rows, false, func(add func([]string) error) error {
		r := rand.New(rand.NewPCG(1, 0))
		pick := func(list []string) string { return list[r.IntN(len(list))] }
		from := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
		for n := range rows {
			created := from.Add(time.Duration(r.IntN(600_000_000)) * time.Second)
			cents := r.IntN(1_000_000_000)
			err := add([]string{fmt.Sprintf("t-%09d", n), fmt.Sprintf(" Company no. %d of the north ", n), pick(typedCities), pick(typedCountry), pick(typedBranches),
				dotted(cents/100) + fmt.Sprintf(",%02d", cents%100), dotted(r.IntN(50_000)), fmt.Sprintf("%d,%d", r.IntN(100), r.IntN(10)),
				created.Format("02.01.2006 15:04:05"), created.Add(time.Hour).Format("2006/01/02 15:04"), pick([]string{"ja", "nein"}), pick(typedNotes)})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// dotted writes a number with dots between its thousands.
func dotted(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "." + text[i:]
	}
	return text
}
