package restquery_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/restquery"
	"migrate/pkg/salesforce"
)

// TestTwin: a query job and REST give the same pages of the same query, byte for byte. Numbers of floating point are compared as such, since a query job
// writes them as Java does.
func TestTwin(t *testing.T) {
	t.Parallel()
	for _, object := range []string{"Account", "Contact", "Opportunity", "Invoice_Line__c", "Task", "Lead"} {
		t.Run(object, func(t *testing.T) {
			t.Parallel()
			o := newTwin(t, object)
			floating := func(c restquery.Column) bool {
				return c.Type == "double" || c.Type == "currency" || c.Type == "percent"
			}
			numbers := slices.DeleteFunc(slices.Clone(o.columns), func(c restquery.Column) bool { return !floating(c) })
			others := slices.DeleteFunc(slices.Clone(o.columns), floating)
			for _, all := range []bool{false, true} {
				byJob, overREST := o.pages(t, others, all)
				if !slices.EqualFunc(byJob, overREST, bytes.Equal) {
					t.Errorf("by a query job: %q\nover REST: %q", byJob, overREST)
				}
				if want := map[bool]int{false: 350, true: 357}[all]; len(byJob) != 4 || len(rowsOf(t, byJob, others)) != want {
					t.Errorf("%d pages of %d rows", len(byJob), len(rowsOf(t, byJob, others)))
				}
				if len(numbers) == 0 {
					continue
				}
				byJob, overREST = o.pages(t, numbers, all)
				same := func(a, b string) bool {
					x, errX := strconv.ParseFloat(a, 64)
					y, errY := strconv.ParseFloat(b, 64)
					return a == b || errX == nil && errY == nil && x == y
				}
				if !slices.EqualFunc(rowsOf(t, byJob, numbers), rowsOf(t, overREST, numbers), func(a, b []string) bool { return slices.EqualFunc(a, b, same) }) {
					t.Errorf("by a query job: %q\nover REST: %q", byJob, overREST)
				}
			}
		})
	}
}

// twin is an org that has 357 records of an object with values of all kinds, 7 of them deleted, and gives 100 a page.
type twin struct {
	object  string
	columns []restquery.Column
	org     *localorg.Org
	sf      *salesforce.Client
	jobs    *bulk2.Client
}

func newTwin(t *testing.T, object string) *twin {
	t.Helper()
	o := &twin{object: object}
	var err error
	if o.org, err = localorg.Open(localorg.Config{AccessToken: "t", ResultPage: 100, QueryPage: 100}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.org.Close() })
	o.sf, err = salesforce.Open(t.Context(), salesforce.Config{InstanceURL: "http://localhost", Auth: salesforce.AccessToken("t"), Transport: o.org.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	d, err := o.sf.Describe(t.Context(), object)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range d.Fields {
		if f.Type != "address" && f.Type != "base64" {
			o.columns = append(o.columns, restquery.Column{Name: f.Name, Type: f.Type})
		}
	}
	o.columns = append(o.columns, restquery.Column{Name: "CreatedBy.CreatedDate", Type: "datetime"}, restquery.Column{Name: "CreatedBy.Name", Type: "string"})
	o.fill(t, d)
	o.jobs = bulk2.New(o.sf)
	return o
}

// fill saves records with random values, and deletes some of them.
func (o *twin) fill(t *testing.T, d *salesforce.SObject) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	random := func(f salesforce.Field) string {
		text := []string{"a", `"`, `""`, ",", "\n", " ", "é", "日本", "😀", "2026-01-31T19:00:00.000+0000", "\t", "0"}
		switch f.Type {
		case "string", "textarea":
			var b strings.Builder
			b.WriteString("x")
			for range r.IntN(6) {
				if p := text[r.IntN(len(text))]; p != "\n" || f.Type == "textarea" {
					b.WriteString(p)
				}
			}
			b.WriteString("x") // blanks at the ends are the org's affair
			if b.Len() > f.Length && f.Length > 0 {
				return "x"
			}
			return b.String()
		case "currency", "double":
			return []string{"0", "100", "-2.5", "912260000", "0.0001", strconv.Itoa(r.IntN(1e9))}[r.IntN(6)]
		case "percent":
			return strconv.Itoa(r.IntN(101))
		case "int":
			return strconv.Itoa(r.IntN(1e6))
		case "date":
			return "2026-01-31"
		case "datetime":
			return time.Unix(r.Int64N(2e9), 0).UTC().Format(time.RFC3339)
		case "boolean":
			return []string{"true", "false"}[r.IntN(2)]
		case "email":
			return "a@example.com"
		case "phone":
			return "+49 1"
		case "url":
			return "https://example.com"
		case "picklist", "combobox", "multipicklist":
			if len(f.PicklistValues) > 0 {
				return f.PicklistValues[r.IntN(len(f.PicklistValues))].Value
			}
		}
		return ""
	}
	parents := map[string]string{"Invoice_Line__c": "Invoice__c"}
	var parent string
	if p := parents[d.Name]; p != "" {
		var err error
		if parent, err = o.org.Save(p, map[string]string{"Issued__c": "2026-01-31"}, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 357 {
		values := map[string]string{}
		for _, f := range d.Fields {
			if !f.Createable || f.Unique || strings.HasPrefix(f.Name, "Created") || strings.HasPrefix(f.Name, "LastModified") || !f.Required() && r.IntN(3) == 0 {
				continue
			}
			if v := random(f); v != "" {
				values[f.Name] = v
			}
			if parent != "" && slices.Contains(f.ReferenceTo, parents[d.Name]) {
				values[f.Name] = parent
			}
		}
		id, err := o.org.Save(d.Name, values, time.Now().Add(-time.Minute))
		if err != nil {
			t.Fatalf("%v: %v", values, err)
		}
		if i%51 == 50 {
			if err := o.org.Delete(d.Name, id, false, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// pages are those of a query by a query job and over REST.
func (o *twin) pages(t *testing.T, columns []restquery.Column, all bool) (byJob, overREST [][]byte) {
	t.Helper()
	q := bulk2.Query{SOQL: "SELECT " + strings.Join(namesOf(columns), ", ") + " FROM " + o.object, All: all}
	return pages(t, o.jobs, q), pages(t, restquery.New(restquery.Config{Jobs: noJobs{o.jobs}, Org: o.sf, Columns: columns}), q)
}

// pages are the texts of the pages of a query.
func pages(t *testing.T, org restquery.Jobs, q bulk2.Query) (list [][]byte) {
	t.Helper()
	job, err := org.CreateQuery(t.Context(), q)
	for ; err == nil && !job.State.Terminal(); job, err = org.QueryJob(t.Context(), job.ID) {
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil || job.State != bulk2.StateJobComplete {
		t.Fatalf("%+v, %v", job, err)
	}
	var rows int64
	for locator := ""; ; {
		p, err := org.Page(t.Context(), job.ID, locator, 0)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(p.Body)
		if err = errors.Join(err, p.Body.Close()); err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
		rows += p.Rows
		if locator = p.Next; locator == "" {
			break
		}
	}
	if job, err := org.QueryJob(t.Context(), job.ID); err != nil || rows != job.Rows {
		t.Errorf("%d rows on the pages; %+v, %v", rows, job, err)
	}
	return list
}

func namesOf(columns []restquery.Column) (names []string) {
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return names
}

// rowsOf reads pages.
func rowsOf(t *testing.T, pages [][]byte, columns []restquery.Column) (rows [][]string) {
	t.Helper()
	for _, text := range pages {
		r, err := bulk2.NewPageReader(bytes.NewReader(text), namesOf(columns))
		for err == nil {
			var row [][]byte
			if row, err = r.Next(); err == nil {
				var values []string
				for _, v := range row {
					values = append(values, string(v))
				}
				rows = append(rows, values)
			}
		}
		if err != io.EOF {
			t.Fatal(err)
		}
	}
	return rows
}
