package restquery_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"migrate/pkg/bulk2"
	"migrate/pkg/restquery"
	"migrate/pkg/salesforce"
)

// noJobs are query jobs that do not know the object.
type noJobs struct{ restquery.Jobs }

func (noJobs) CreateQuery(context.Context, bulk2.Query) (bulk2.QueryJob, error) {
	return bulk2.QueryJob{}, fmt.Errorf("create query job: %w", &salesforce.APIError{Status: http.StatusBadRequest, Code: "INVALIDENTITY"})
}

// answering is a Pager whose org gives these answers over REST, one after another: JSON, or a status and JSON.
func answering(t testing.TB, columns string, answers ...string) *restquery.Pager {
	t.Helper()
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n == len(answers) {
			t.Errorf("more is asked than there are answers: %s", r.URL)
			w.WriteHeader(500)
			return
		}
		a := answers[n]
		n++
		w.Header().Set("Content-Type", "application/json")
		var status int
		if k, _ := fmt.Sscanf(a, "%d ", &status); k == 1 {
			w.WriteHeader(status)
			a = a[4:]
		}
		io.WriteString(w, a)
	}))
	t.Cleanup(server.Close)
	sf, err := salesforce.Open(t.Context(), salesforce.Config{InstanceURL: server.URL, Auth: salesforce.AccessToken("token-of-the-test"), Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sf.CloseIdleConnections)
	cfg := restquery.Config{Jobs: noJobs{}, Org: sf}
	for c := range strings.FieldsSeq(columns) {
		name, kind, _ := strings.Cut(c, ":")
		cfg.Columns = append(cfg.Columns, restquery.Column{Name: name, Type: kind})
	}
	return restquery.New(cfg)
}

var attachments = bulk2.Query{SOQL: "SELECT Id FROM Attachment WHERE Name = 'a?&=+ \"ä\"'"}

// TestPage tells what becomes of answers of all kinds.
func TestPage(t *testing.T) {
	t.Parallel()
	const next = `"nextRecordsUrl":"/services/data/v66.0/query/01g-1",`
	for _, tt := range []struct {
		name, columns string
		answers       []string
		want          []string // pages
		gone          bool
		say           string // part of the error
	}{
		{"one page", "Id N:double B:boolean T:datetime X:string D:date", []string{`{"totalSize":2,"done":true,"records":[
			{"attributes":{},"Id":"1","N":1.0E7,"B":true,"T":"2026-01-31T19:00:00.000+0000","X":"2026-01-31T19:00:00.000+0000","D":"2026-01-31"},
			{"Id":"2" , "N" : null,"B":false,"T":null,"X":"\"a\",\r\nb","D":null}]}`},
			[]string{"\"Id\",\"N\",\"B\",\"T\",\"X\",\"D\"\n\"1\",\"1.0E7\",\"true\",\"2026-01-31T19:00:00.000Z\",\"2026-01-31T19:00:00.000+0000\",\"2026-01-31\"\n" +
				"\"2\",\"\",\"false\",\"\",\"\"\"a\"\",\r\nb\",\"\"\n"}, false, ""},
		{"parents", "Id Owner.Name Owner.Manager.T:datetime", []string{`{"totalSize":4,"done":true,"records":[{"Id":"1","Owner":null},{"Id":"2","Owner":{"Name":"x"}},
			{"Id":"3","Owner":{"Name":null,"Manager":{"T":"2026-01-31T19:00:00.000+0000"}}},{"Id":"4","Owner":{"Manager":null}}]}`},
			[]string{"\"Id\",\"Owner.Name\",\"Owner.Manager.T\"\n\"1\",\"\",\"\"\n\"2\",\"x\",\"\"\n\"3\",\"\",\"2026-01-31T19:00:00.000Z\"\n\"4\",\"\",\"\"\n"}, false, ""},
		{"two pages", "Id", []string{`{"totalSize":2,"done":false,` + next + `"records":[{"Id":"1"}]}`, `{"totalSize":2,"done":true,"records":[{"Id":"2"}]}`},
			[]string{"\"Id\"\n\"1\"\n", "\"Id\"\n\"2\"\n"}, false, ""},
		{"nothing", "Id", []string{`{"totalSize":0,"done":true,"records":[]}`}, []string{"\"Id\"\n"}, false, ""},
		{"an empty page between", "Id", []string{`{"totalSize":1,"done":false,` + next + `"records":[]}`, `{"totalSize":1,"done":true,"records":[{"Id":"2"}]}`},
			[]string{"\"Id\"\n", "\"Id\"\n\"2\"\n"}, false, ""},
		{"too few", "Id", []string{`{"totalSize":3,"done":false,` + next + `"records":[{"Id":"1"}]}`, `{"totalSize":3,"done":true,"records":[{"Id":"2"}]}`},
			[]string{"\"Id\"\n\"1\"\n"}, true, "counted 3 records and has sent 2"},
		{"too many", "Id", []string{`{"totalSize":1,"done":false,` + next + `"records":[{"Id":"1"},{"Id":"2"}]}`}, nil, true, "counted 1 records and has sent 2"},
		{"forgotten", "Id", []string{`{"totalSize":3,"done":false,` + next + `"records":[{"Id":"1"}]}`, `400 [{"errorCode":"INVALID_QUERY_LOCATOR","message":"invalid query locator"}]`},
			[]string{"\"Id\"\n\"1\"\n"}, true, "INVALID_QUERY_LOCATOR"},
		{"slow behind the first page", "Id", []string{`{"totalSize":3,"done":false,` + next + `"records":[{"Id":"1"}]}`, `400 [{"errorCode":"QUERY_TIMEOUT","message":"too long"}]`},
			[]string{"\"Id\"\n\"1\"\n"}, true, "QUERY_TIMEOUT: too long"},
		{"refused behind the first page", "Id", []string{`{"totalSize":3,"done":false,` + next + `"records":[{"Id":"1"}]}`, `403 [{"errorCode":"INSUFFICIENT_ACCESS","message":"no"}]`},
			[]string{"\"Id\"\n\"1\"\n"}, false, "INSUFFICIENT_ACCESS"},
		{"a field is left out", "Id Name", []string{`{"totalSize":2,"done":true,"records":[{"Id":"1","Name":null},{"Id":"2"}]}`}, nil, false, "record 2: Name: the org leaves it out"},
		{"no value", "Id A", []string{`{"totalSize":1,"done":true,"records":[{"Id":"1","A":{"city":"x"}}]}`}, nil, false, "A: the org gives"},
		{"no parent", "Id A.B", []string{`{"totalSize":1,"done":true,"records":[{"Id":"1","A":7}]}`}, nil, false, "A.B: json"},
		{"no record", "Id", []string{`{"totalSize":1,"done":true,"records":[7]}`}, nil, false, "record 1: json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := answering(t, tt.columns, tt.answers...)
			job, err := p.CreateQuery(t.Context(), attachments)
			if err != nil || job.State != bulk2.StateJobComplete {
				t.Fatalf("%+v, %v", job, err)
			}
			var got []string
			for locator := ""; ; {
				page, pageErr := p.Page(t.Context(), job.ID, locator, 0)
				if err = pageErr; err != nil {
					break
				}
				text, _ := io.ReadAll(page.Body)
				got = append(got, string(text))
				if locator = page.Next; locator == "" {
					break
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if (err == nil) != (tt.say == "") || err != nil && !strings.Contains(err.Error(), tt.say) || bulk2.IsGone(err) != tt.gone {
				t.Errorf("gone %v, error %v", bulk2.IsGone(err), err)
			}
			if _, _, err := p.Pages(t.Context(), job.ID, ""); !errors.Is(err, bulk2.ErrNoPages) {
				t.Errorf("pages are listed: %v", err)
			}
		})
	}
}

// TestCreate tells what becomes of answers to the query.
func TestCreate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, answer, say string
		want              bulk2.QueryJob // with the name left out
	}{
		{"found", `{"totalSize":7,"done":false,"nextRecordsUrl":"/services/data/v66.0/query/01g-1","records":[]}`, "", bulk2.QueryJob{State: bulk2.StateJobComplete, Rows: 7}},
		{"slow", `400 [{"errorCode":"QUERY_TIMEOUT","message":"Your query request was running for too long."}]`, "",
			bulk2.QueryJob{State: bulk2.StateFailed, Message: "QUERY_TIMEOUT: Your query request was running for too long."}},
		{"refused", `400 [{"errorCode":"MALFORMED_QUERY","message":"unexpected token"}]`, "MALFORMED_QUERY", bulk2.QueryJob{}},
		{"leads away", `{"totalSize":7,"done":false,"nextRecordsUrl":"https://evil.example/","records":[]}`, "no address of the API", bulk2.QueryJob{}},
		{"leads nowhere", `{"totalSize":7,"done":false,"records":[]}`, "no address of the API", bulk2.QueryJob{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := answering(t, "Id", tt.answer)
			job, err := p.CreateQuery(t.Context(), attachments)
			if (err == nil) != (tt.say == "") || err != nil && !strings.Contains(err.Error(), tt.say) {
				t.Fatal(err)
			}
			if err == nil {
				if again, err := answering(t, "Id").QueryJob(t.Context(), job.ID); err != nil || again != job { // another process asks nobody
					t.Errorf("%+v, %v; want %+v", again, err, job)
				}
			}
			job.ID = ""
			if job != tt.want {
				t.Errorf("%+v, want %+v", job, tt.want)
			}
		})
	}
}

// TestAnotherProcess: the first page is asked for again, and taken if there are still as many records.
func TestAnotherProcess(t *testing.T) {
	t.Parallel()
	const one = `{"totalSize":1,"done":true,"records":[{"Id":"1"}]}`
	job, err := answering(t, "Id", one).CreateQuery(t.Context(), attachments)
	if err != nil {
		t.Fatal(err)
	}
	if page, err := answering(t, "Id", one).Page(t.Context(), job.ID, "", 0); err != nil || page.Rows != 1 {
		t.Errorf("%+v, %v", page, err)
	}
	for _, other := range []string{`{"totalSize":0,"done":true,"records":[]}`, `{"totalSize":2,"done":false,"nextRecordsUrl":"/services/data/v66.0/query/01g-1","records":[{"Id":"1"}]}`} {
		if _, err := answering(t, "Id", other).Page(t.Context(), job.ID, "", 0); !bulk2.IsGone(err) {
			t.Errorf("there are others meanwhile: %v", err)
		}
	}
}

// TestKnown: where query jobs know the object, they do all, and other errors than that of the object are their own.
func TestKnown(t *testing.T) {
	t.Parallel()
	p := restquery.New(restquery.Config{Jobs: jobs{}, Refused: func() { t.Error("told that they do not") }})
	if job, err := p.CreateQuery(t.Context(), attachments); err != nil || job.ID != "750" {
		t.Errorf("%+v, %v", job, err)
	}
	if job, err := p.QueryJob(t.Context(), "750"); err != nil || job.Rows != 5 {
		t.Errorf("%+v, %v", job, err)
	}
	if page, err := p.Page(t.Context(), "750", "x", 3); err != nil || page.Next != "x 3" {
		t.Errorf("%+v, %v", page, err)
	}
	if l, next, err := p.Pages(t.Context(), "750", "y"); err != nil || next != "y" || len(l) != 1 {
		t.Errorf("%q, %q, %v", l, next, err)
	}
	var api *salesforce.APIError
	if _, err := p.CreateQuery(t.Context(), bulk2.Query{}); !errors.As(err, &api) || api.Code != "MALFORMED_QUERY" {
		t.Errorf("%v", err)
	}
}

// jobs are query jobs that know all objects.
type jobs struct{}

func (jobs) CreateQuery(_ context.Context, q bulk2.Query) (bulk2.QueryJob, error) {
	if q.SOQL == "" {
		return bulk2.QueryJob{}, &salesforce.APIError{Status: 400, Code: "MALFORMED_QUERY"}
	}
	return bulk2.QueryJob{ID: "750"}, nil
}

func (jobs) QueryJob(_ context.Context, id string) (bulk2.QueryJob, error) {
	return bulk2.QueryJob{ID: id, Rows: 5}, nil
}

func (jobs) Page(_ context.Context, id, locator string, most int) (bulk2.Page, error) {
	return bulk2.Page{Next: fmt.Sprint(locator, " ", most)}, nil
}

func (jobs) Pages(_ context.Context, id, more string) ([]string, string, error) {
	return []string{id}, more, nil
}

// TestRefusedOnce: the org is asked for a query job once, and the user is told once.
func TestRefusedOnce(t *testing.T) {
	t.Parallel()
	const none = `{"totalSize":0,"done":true,"records":[]}`
	p := answering(t, "Id", none, none)
	told := 0
	p.Refused = func() { told++ }
	for _, all := range []bool{false, true} {
		job, err := p.CreateQuery(t.Context(), bulk2.Query{SOQL: "SELECT Id FROM Attachment", All: all})
		if want := map[bool]string{false: "query?", true: "queryAll?"}[all]; err != nil || !strings.HasPrefix(job.ID, want) {
			t.Errorf("%+v, %v", job, err)
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

// BenchmarkPage turns a page of the fields of Attachment into CSV, with what its answer takes on the way from the same machine.
func BenchmarkPage(b *testing.B) {
	record := `{"attributes":{"type":"Attachment","url":"/services/data/v66.0/sobjects/Attachment/00P5g00000AbCdEAAV"},"Id":"00P5g00000AbCdEAAV","IsDeleted":false,` +
		`"CreatedDate":"2026-01-31T19:00:00.000+0000","CreatedById":"0055g000001XyZAAA0","ParentId":"0015g00000AbCdEAAV","Name":"Plan of the \"house\", 2nd.pdf",` +
		`"IsPrivate":false,"ContentType":"application/pdf","BodyLength":123456,"Description":null}`
	answer := fmt.Sprintf(`{"totalSize":%d,"done":true,"records":[%s]}`, restquery.PageRows, strings.Repeat(record+",", restquery.PageRows-1)+record)
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	p := answering(b, "Id IsDeleted CreatedDate:datetime CreatedById ParentId Name IsPrivate ContentType BodyLength Description", slices.Repeat([]string{answer}, b.N)...)
	b.ResetTimer()
	for range b.N {
		job, err := p.CreateQuery(b.Context(), attachments)
		if err != nil {
			b.Fatal(err)
		}
		if page, err := p.Page(b.Context(), job.ID, "", 0); err != nil || page.Rows != restquery.PageRows {
			b.Fatalf("%+v, %v", page, err)
		}
	}
}

// FuzzRow: whatever a record holds comes out of its page as it was.
func FuzzRow(f *testing.F) {
	f.Add("a", "\"b\",\r\nc", "😀\x00\u2028<&>", 1.5e300, true, uint8(0))
	f.Add("", "2026-01-31T19:00:00.000+0000", "\r", math.Copysign(0, -1), false, uint8(255))
	f.Fuzz(func(t *testing.T, a, b, c string, n float64, yes bool, nulls uint8) {
		a, b, c = strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?"), strings.ToValidUTF8(c, "?")
		if n != n || n-n != 0 { // JSON has no such numbers
			n = 0
		}
		parent := map[string]any{"attributes": map[string]any{"type": "User"}, "Name": c}
		record := map[string]any{"attributes": map[string]any{"type": "X"}, "A": a, "B": b, "N": n, "Yes": yes, "Owner": parent}
		number, _ := json.Marshal(n)
		want := []string{a, b, string(number), fmt.Sprint(yes), c}
		for i, name := range []string{"A", "B", "N", "Yes", "Owner"} {
			if nulls>>i&1 == 1 {
				record[name], want[i] = nil, ""
			}
		}
		if nulls>>5&1 == 1 {
			want[4] = ""
			delete(parent, "Name")
		}
		text, err := json.Marshal(map[string]any{"totalSize": 2, "done": true, "records": []any{record, record}})
		if err != nil {
			t.Fatal(err)
		}
		p := answering(t, "A B N:double Yes:boolean Owner.Name", string(text))
		job, err := p.CreateQuery(t.Context(), attachments)
		if err != nil {
			t.Fatal(err)
		}
		page, err := p.Page(t.Context(), job.ID, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		r, err := bulk2.NewPageReader(page.Body, []string{"A", "B", "N", "Yes", "Owner.Name"})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			row, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(row, want, func(v []byte, w string) bool { return string(v) == w }) {
				t.Fatalf("%q, want %q", row, want)
			}
		}
		if _, err := r.Next(); err != io.EOF {
			t.Fatal(err)
		}
	})
}

// FuzzName: no text that a damaged checkpoint may hold is taken for the name of a query that it is not, and none is a panic.
func FuzzName(f *testing.F) {
	f.Add("query?found=7&q=SELECT+Id+FROM+Attachment", "2000 /services/data/v66.0/query/01g-2000")
	f.Add("queryAll?failed=QUERY_TIMEOUT&q=x", "")
	f.Add("query?found=-1&found=2&q=%zz", "-1 /services/")
	f.Fuzz(func(t *testing.T, id, locator string) {
		if !strings.Contains(id, "?") {
			return
		}
		p := answering(t, "Id", `500 [{"errorCode":"UNKNOWN_EXCEPTION","message":"x"}]`)
		job, err := p.QueryJob(t.Context(), id)
		if _, pageErr := p.Page(t.Context(), id, locator, 0); pageErr == nil {
			t.Errorf("there is a page of %q", id)
		}
		if err != nil {
			return
		}
		_, query, _ := strings.Cut(id, "?")
		values, err := url.ParseQuery(query)
		if err != nil || job.ID != id || len(values) != 2 || !slices.Contains(slices.Collect(maps.Keys(values)), "q") {
			t.Errorf("%q is taken for %+v", id, job)
		}
	})
}
