package pipeline_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"migrate/internal/localorg"
	"migrate/pkg/bulk2"
	"migrate/pkg/pipeline"
	"migrate/pkg/salesforce"
	"migrate/pkg/sources"
	"migrate/pkg/transform"
)

// echoField is a field with texts that an org may take for one value, or nearly, or not at all.
type echoField struct {
	name, kind string
	texts      []string
}

func echoFields(user string) []echoField {
	return []echoField{
		{"Amount__c", "currency", []string{"1000", "1000.0", "1e3", "+1000", "1000.001", "1000.01", "9.1226E8", "912260000", "0", "-0", "0.00", "", "much",
			" 1000", "1000 ", "1,000", "1_000", "0x3E8", "1e400", "123456789012345678901", "NaN"}},
		{"Issued__c", "date", []string{"2024-02-29", "2024-02-29Z", "2024-03-01", "2024-02-30", "2024-02-29T00:00:00Z", "2024-02-29T10:00:00+02:00", "29.02.2024", ""}},
		{"Due__c", "datetime", []string{"2024-05-01T10:00:00Z", "2024-05-01T10:00:00.000Z", "2024-05-01T12:00:00+02:00", "2024-05-01T12:00:00.999+02:00",
			"2024-05-01T12:00:00+0200", "2024-05-01T10:00:01Z", "2024-05-01T00:00:00Z", "2024-05-01", "2024-05-01 10:00:00", "", "soon"}},
		{"Paid__c", "boolean", []string{"1", "true", "TRUE", "0", "false", "yes", ""}},
		{"Status__c", "picklist", []string{"Draft", "draft", "Nonsense", ""}},
		{"Notes__c", "textarea", []string{"a\r\nb", "a\nb", "a\rb", "a", " a", "a ", "A", "\"a\"", "ä", "a\u0308", ""}},
		{"OwnerId", "reference", []string{user, user[:15], user[:15] + "AAB", strings.ToLower(user), "", "nobody"}},
	}
}

// echoFate is what becomes of a row: why the org refuses it, or the record that it makes.
type echoFate struct{ refused, record string }

// TestRowsMeetTheirResults holds the reports of rows whose values are equal or nearly equal, in all the notations that there
// are, against an org that got each row in a job of its own: each row must have the outcome that it has alone.
func TestRowsMeetTheirResults(t *testing.T) {
	for _, typed := range []bool{false, true} {
		cfg := localorg.Config{EchoTyped: typed, AccessToken: "t", Schema: schemaWithout(t), Seed: 3}
		org, _ := echoOrg(t, t, cfg)
		var user string
		for r := range org.Records("User", "Id") {
			user = r[0]
		}
		if err := org.Close(); err != nil {
			t.Fatal(err)
		}
		fields := echoFields(user)
		name := fmt.Sprintf("typed=%v", typed)
		t.Run(name+"/each", func(t *testing.T) {
			t.Parallel()
			// One good row, and its neighbours: each text of each field.
			var rows [][]string
			for k, f := range fields {
				for _, text := range f.texts {
					row := []string{"1000", "2024-02-29", "2024-05-01T10:00:00Z", "1", "Draft", "a", user}
					row[k] = text
					rows = append(rows, row)
				}
			}
			for _, nulls := range []transform.Nulls{transform.NullsKeep, transform.NullsClear} {
				checkEcho(t, t, t.TempDir(), cfg, fields, rows, nulls, false)
				checkEcho(t, t, t.TempDir(), cfg, fields, rows, nulls, true)
			}
		})
		t.Run(name+"/random", func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			rapid.Check(t, func(rt *rapid.T) {
				dir, err := os.MkdirTemp(root, "")
				if err != nil {
					rt.Fatal(err)
				}
				defer os.RemoveAll(dir)
				nulls := rapid.SampledFrom([]transform.Nulls{transform.NullsKeep, transform.NullsClear}).Draw(rt, "nulls")
				checkEcho(t, rt, dir, cfg, fields, drawRows(rt, fields), nulls, rapid.Bool().Draw(rt, "no success"))
			})
		})
	}
}

// drawRows draws rows of which many are like another.
func drawRows(rt *rapid.T, fields []echoField) (rows [][]string) {
	draw := func(f echoField) string { return rapid.SampledFrom(f.texts).Draw(rt, f.name) }
	for i := range rapid.IntRange(1, 12).Draw(rt, "rows") {
		var row []string
		if i > 0 && rapid.IntRange(0, 3).Draw(rt, "kind") > 0 {
			row = slices.Clone(rows[rapid.IntRange(0, i-1).Draw(rt, "like")])
			for range rapid.IntRange(0, 2).Draw(rt, "changes") {
				k := rapid.IntRange(0, len(fields)-1).Draw(rt, "change")
				row[k] = draw(fields[k])
			}
		} else {
			for _, f := range fields {
				row = append(row, draw(f))
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func checkEcho(t *testing.T, rt rapid.TB, dir string, cfg localorg.Config, fields []echoField, rows [][]string, nulls transform.Nulls, noSuccess bool) {
	org, client := echoOrg(t, rt, cfg)
	defer org.Close()
	want := fatesAlone(t, rt, cfg, fields, rows, nulls)

	var text bytes.Buffer
	w := csv.NewWriter(&text)
	header := []string{"_no"}
	for _, f := range fields {
		header = append(header, f.name)
	}
	w.Write(header)
	for i, row := range rows {
		w.Write(append([]string{fmt.Sprint(i)}, row...))
	}
	w.Flush()
	in := text.String()
	l := &load{Name: "invoices", Object: "Invoice__c", Operation: bulk2.Insert, Paths: []string{filepath.Join(dir, "in.csv")}}
	if err := os.WriteFile(l.Paths[0], []byte(in), 0o600); err != nil {
		rt.Fatal(err)
	}
	src, err := sources.OpenCSV(l.Paths, sources.CSVOptions{Delimiter: ",", Quote: `"`, Encoding: "utf-8"})
	if err != nil {
		rt.Fatal(err)
	}
	job := pipeline.Job{Name: l.Name, Object: l.Object, Operation: l.Operation, Source: src, Key: "_no", Reports: l.Name}
	m := transform.Mapping{Nulls: nulls}
	for _, f := range fields {
		m.Fields = append(m.Fields, transform.Field{To: f.name, From: f.name})
		job.Columns = append(job.Columns, pipeline.Column{Header: f.name, Type: f.kind})
	}
	if job.Mapping, err = transform.Compile(m, src.Schema()); err != nil {
		rt.Fatal(err)
	}
	store := newRun(t, dir, l)
	defer store.Close()
	sum, err := pipeline.Run(t.Context(), pipeline.Config{Dir: dir, Checkpoint: store, Org: client, Jobs: []pipeline.Job{job},
		Options: pipeline.Options{NoSuccess: noSuccess}, PollEvery: time.Millisecond})
	if err != nil {
		rt.Fatalf("%v\n%s", err, in)
	}

	records := echoRecords(org, fields)
	got := make([]echoFate, len(rows))
	seen := make([]bool, len(rows))
	for _, name := range []string{pipeline.FailedFile, pipeline.SuccessFile} {
		list, err := readReport(filepath.Join(dir, l.Name, name))
		if err != nil {
			rt.Fatal(err)
		}
		for _, r := range list {
			var i int
			fmt.Sscan(r["_no"], &i)
			if seen[i] {
				rt.Fatalf("row %d is reported twice", i)
			}
			seen[i] = true
			if name == pipeline.FailedFile {
				got[i].refused = r["migrate_code"] + ": " + r["migrate_message"]
			} else {
				got[i].record = records[r["sf__Id"]]
				delete(records, r["sf__Id"]) // each id once
			}
		}
	}
	var refused int64
	for i := range rows {
		if noSuccess && !seen[i] {
			got[i] = echoFate{record: want[i].record} // not told
		}
		if want[i].refused != "" {
			refused++
		}
		if got[i] != want[i] {
			rt.Errorf("row %d %q ended as %+v, alone as %+v", i, rows[i], got[i], want[i])
		}
	}
	if sum.Total.Failed != refused {
		rt.Errorf("%d rows failed, want %d", sum.Total.Failed, refused)
	}
}

func echoOrg(t *testing.T, rt rapid.TB, cfg localorg.Config) (*localorg.Org, *bulk2.Client) {
	org, err := localorg.Open(cfg)
	if err != nil {
		rt.Fatal(err)
	}
	sf, err := salesforce.Open(t.Context(), salesforce.Config{InstanceURL: "http://localhost", Auth: salesforce.AccessToken("t"), Transport: org.Transport()})
	if err != nil {
		rt.Fatal(err)
	}
	return org, bulk2.New(sf)
}

// echoRecords are the values of all records by id.
func echoRecords(org *localorg.Org, fields []echoField) map[string]string {
	names := []string{"Id"}
	for _, f := range fields {
		names = append(names, f.name)
	}
	records := map[string]string{}
	for r := range org.Records("Invoice__c", names...) {
		records[r[0]] = fmt.Sprintf("%q", r[1:])
	}
	return records
}

// fatesAlone sends each row in a job of its own to an org of its own, without the pipeline.
func fatesAlone(t *testing.T, rt rapid.TB, cfg localorg.Config, fields []echoField, rows [][]string, nulls transform.Nulls) []echoFate {
	org, client := echoOrg(t, rt, cfg)
	defer org.Close()
	ids := make([]string, len(rows))
	fates := make([]echoFate, len(rows))
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	for i, row := range rows {
		body := bulk2.AppendRecord(nil, names...)
		for k, v := range row {
			if k > 0 {
				body = append(body, ',')
			}
			if v == "" && nulls == transform.NullsClear {
				v = transform.NullToken
			}
			v = strings.ReplaceAll(strings.ReplaceAll(v, "\r\n", "\n"), "\r", "\n")
			body = append(body, `"`+strings.ReplaceAll(v, `"`, `""`)+`"`...)
		}
		body = append(body, '\n')
		job, err := client.Create(t.Context(), bulk2.Spec{Object: "Invoice__c", Operation: bulk2.Insert})
		if err != nil {
			rt.Fatal(err)
		}
		if err := client.Upload(t.Context(), job.ID, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }, int64(len(body))); err != nil {
			rt.Fatal(err)
		}
		for job, err = client.Close(t.Context(), job.ID); err == nil && !job.State.Terminal(); job, err = client.Job(t.Context(), job.ID) {
			time.Sleep(50 * time.Microsecond)
		}
		if err != nil || job.State != bulk2.StateJobComplete {
			rt.Fatalf("%+v %v", job, err)
		}
		kind := bulk2.Successful
		if job.Failed > 0 {
			kind = bulk2.Failed
		}
		set, err := client.Results(t.Context(), job.ID, kind)
		if err != nil {
			rt.Fatal(err)
		}
		table, err := csv.NewReader(set).ReadAll()
		set.Close()
		if err != nil || len(table) != 2 {
			rt.Fatalf("%q %v", table, err)
		}
		if kind == bulk2.Successful {
			ids[i] = table[1][0]
			continue
		}
		why := bulk2.ParseRowError(table[1][1])
		fates[i].refused = why.Error()
	}
	records := echoRecords(org, fields)
	for i, id := range ids {
		if id != "" {
			fates[i].record = records[id]
		}
	}
	return fates
}
