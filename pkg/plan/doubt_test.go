package plan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"migrate/pkg/bulk2"
	"migrate/pkg/salesforce"
	"migrate/pkg/sources"
)

// TestDoubtAgainstOrg: what is doubted is refused by an org that shares no code with the doubts, or changed; and what is not doubted is
// taken as it is. What makes an e-mail address, only the org knows: there a doubt must be right, but need not come.
func TestDoubtAgainstOrg(t *testing.T) {
	t.Parallel()
	client := localClient(t)
	r := rand.New(rand.NewPCG(11, 24))
	for _, test := range []struct {
		object, field string
		also          string // columns and values beside it, as header=value
		value         func() string
	}{
		{"Account", "Name", "", func() string { return textOf(r, 255) }},
		{"Account", "BillingCity", "Name=x", func() string { return textOf(r, 40) }},
		{"Account", "AnnualRevenue", "Name=x", func() string { return numberOf(r) }},
		{"Account", "NumberOfEmployees", "Name=x", func() string { return numberOf(r) }},
		{"Account", "Score__c", "Name=x", func() string { return numberOf(r) }},
		{"Account", "Active__c", "Name=x", func() string {
			return pickOf(r, "true", "false", "TRUE", "False", "1", "0", "yes", "2", "t", "tru", "01")
		}},
		{"Account", "Tier__c", "Name=x", func() string { return pickOf(r, "Gold", "Silver", "gold", "Platinum", "Gold;Silver") }},
		{"Account", "Regions__c", "Name=x", func() string { return pickOf(r, "EMEA", "APAC", "EMEA;APAC", "EMEA;Moon", "emea", ";", "EMEA;") }},
		{"Account", "CreatedDate", "Name=x", func() string { return timeOf(r) }},
		{"Contact", "Birthdate", "LastName=x", func() string { return timeOf(r) }},
		{"Contact", "Email", "LastName=x", func() string { return pickOf(r, "a@b.de", "a.b", "", "@", "a@b", "nobody") }},
	} {
		t.Run(test.object+"."+test.field, func(t *testing.T) {
			described, err := client.Describe(t.Context(), test.object)
			if err != nil {
				t.Fatal(err)
			}
			field := described.Field(test.field)
			doubt := doubtOf(field)
			var values []string
			header := []string{"Legacy_Id__c", test.field}
			row := []string{"", ""}
			if name, v, ok := strings.Cut(test.also, "="); ok {
				header, row = append(header, name), append(row, v)
			}
			body := bulk2.AppendRecord(nil, header...)
			for i := range 400 {
				v := test.value()
				values = append(values, v)
				row[0], row[1] = fmt.Sprintf("%s-%d", test.field, i), v
				body = bulk2.AppendRecord(body, row...)
			}
			refused := loadAll(t, bulk2.New(client), test.object, header, body)
			doubted := 0
			for i, v := range values {
				if v == "" {
					continue
				}
				rule, why := doubt(v)
				fault, isRefused := refused[fmt.Sprintf("%s-%d", test.field, i)]
				if rule != "" {
					doubted++
				}
				switch {
				case rule == doubtDigits && isRefused, rule != doubtDigits && rule != "" && !isRefused:
					t.Errorf("%q is doubted (%s: %s), and the org says %q", v, rule, why, fault)
				case rule == "" && isRefused && field.Type != "email":
					t.Errorf("%q is not doubted, and the org says %q", v, fault)
				}
			}
			if doubted == 0 || len(refused) == len(values) {
				t.Errorf("%d values, %d doubted, %d refused: this shows nothing", len(values), doubted, len(refused))
			}
		})
	}
}

// loadAll inserts rows and gives what the org says of those that it refuses, by their first column.
func loadAll(t *testing.T, c *bulk2.Client, object string, header []string, body []byte) map[string]string {
	t.Helper()
	ctx := t.Context()
	job, err := c.Create(ctx, bulk2.Spec{Object: object, Operation: bulk2.Insert})
	if err != nil {
		t.Fatal(err)
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	if err := c.Upload(ctx, job.ID, open, int64(len(body))); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Close(ctx, job.ID); err != nil {
		t.Fatal(err)
	}
	for !job.State.Terminal() {
		time.Sleep(2 * time.Millisecond)
		if job, err = c.Job(ctx, job.ID); err != nil {
			t.Fatal(err)
		}
	}
	if job.State != bulk2.StateJobComplete {
		t.Fatalf("the job ended as %s: %s", job.State, job.Message)
	}
	set, err := c.Results(ctx, job.ID, bulk2.Failed)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	r, err := bulk2.NewResultReader(set, bulk2.Failed, header)
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]string{}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return refused
		}
		if err != nil {
			t.Fatal(err)
		}
		refused[string(row.Fields[0])] = string(row.Error)
	}
}

func pickOf(r *rand.Rand, values ...string) string { return values[r.IntN(len(values))] }

// textOf draws texts about as long as the field, in letters of one to four bytes.
func textOf(r *rand.Rand, length int) string {
	letter := pickOf(r, "a", "é", "漢", "😀", "a😀")
	return strings.Repeat(letter, max(1, length/len(letter)+r.IntN(length))) + "."
}

func numberOf(r *rand.Rand) string {
	n := strconv.FormatInt(r.Int64N(1<<uint(1+r.IntN(62))), 10)
	switch r.IntN(8) {
	case 0:
		return n + "." + strconv.Itoa(r.IntN(1000))
	case 1:
		return "-" + n
	case 2:
		return pickOf(r, "1,5", "1.000,00", "0x10", "1e", "e5", "NaN", "Infinity", " 1", "1 ", "--1", "1_000", "1.5.5", ".", "+", "1e400")
	case 3:
		return fmt.Sprintf("%d.%dE%d", r.IntN(10), r.IntN(100), r.IntN(20)-3)
	case 4:
		return pickOf(r, "+7", "7.", ".5", "-0", "1e3", "1.50", "0.005", "00012")
	}
	return n
}

func timeOf(r *rand.Rand) string {
	at := time.Unix(r.Int64N(90_000_000_000)-9_000_000_000, 0).UTC() // 1684 to 4536
	form := pickOf(r, "2006-01-02", "2006-01-02Z", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.000Z", "2006-01-02T15:04:05", "02.01.2006", "2006-1-2",
		"2006-01-02 15:04:05Z", "2006-01-02T15:04Z", "2006-01-02T15:04:05,000Z")
	if r.IntN(20) == 0 {
		return pickOf(r, "2026-02-30", "2026-13-01", "0000-00-00", "2026-01-01T24:00:00Z", "2026-01-01T23:59:60Z", "2026-01-01T00:00:00+25:00", "2024-02-29", "1699-12-31", "1700-01-01", "4000-12-31", "4001-01-01")
	}
	return at.Format(form)
}

// TestDoubtOfPlan: what the plan itself says is doubted before anything is sent, and so is a typed column that cannot fit.
func TestDoubtOfPlan(t *testing.T) {
	t.Parallel()
	client := localClient(t)
	p, err := read("p.yaml", `version: 1
jobs:
  a:
    load: Account
    operation: insert
    source: { parquet: a.parquet }
    fields:
      Name: { from: s, default: "`+strings.Repeat("x", 256)+`" }
      Tier__c: { const: Golden }
      Rating: { from: s, map: { x: Hot, y: Warmish } }
      Active__c: n
      NumberOfEmployees: b
      AnnualRevenue: { const: "1.5" }
      Score__c: { expr: "n + 1" }
      CreatedDate: { const: 31.12.2020 }
      BillingCity: { from: s, default: "`+strings.Repeat("x", 41)+`", truncate: true }
      BillingState: { from: s, map: { x: "`+strings.Repeat("x", 300)+`" }, truncate: 80 }
      BillingCountry: { from: s, default: "`+strings.Repeat("x", 300)+`", truncate: 299 }
`, environment)
	if err != nil {
		t.Fatal(err)
	}
	src := typed{arrow.NewSchema([]arrow.Field{{Name: "s", Type: arrow.BinaryTypes.String}, {Name: "b", Type: arrow.FixedWidthTypes.Boolean}, {Name: "n", Type: arrow.PrimitiveTypes.Float64}}, nil)}
	_, _, err = p.Jobs[0].Compile(src, func(object string) (*salesforce.SObject, error) { return client.Describe(t.Context(), object) }, nil)
	if err == nil {
		t.Fatal("no finding")
	}
	for _, want := range []string{
		`p.yaml:8: job a: field Name: default: "` + strings.Repeat("x", 60) + `"… has 256 characters, and the field takes 255`,
		`p.yaml:9: job a: field Tier__c: const: "Golden" is not in the picklist: `,
		`p.yaml:11: job a: field Active__c: is of type boolean, and column n holds float64; an expr can make one of the other`,
		`p.yaml:12: job a: field NumberOfEmployees: is of type int, and column b holds bool; an expr can make one of the other`,
		`p.yaml:15: job a: field CreatedDate: const: "31.12.2020" is no datetime`,
		`p.yaml:18: job a: field BillingCountry: default: "` + strings.Repeat("x", 60) + `"… has 300 characters, and the field takes 80`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing: %s", want)
		}
	}
	for _, not := range []string{"AnnualRevenue", "Score__c", "BillingCity", "BillingState"} {
		if strings.Contains(err.Error(), not) {
			t.Errorf("%s is told, too", not)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

// typed is a source that has columns and no rows.
type typed struct{ schema *arrow.Schema }

func (s typed) Schema() *arrow.Schema   { return s.schema }
func (s typed) Splits() []sources.Split { return nil }
func (s typed) Open(context.Context, sources.Split, sources.Position) (sources.Reader, error) {
	return nil, errors.New("there is nothing to open")
}
