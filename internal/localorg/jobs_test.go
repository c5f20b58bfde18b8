package localorg

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func errorOf(t *testing.T, a answer) (code, message string) {
	t.Helper()
	var list []struct{ ErrorCode, Message string }
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || len(list) != 1 {
		t.Fatalf("not an error: %d %s", a.status, a.body)
	}
	return list[0].ErrorCode, list[0].Message
}

// want checks that an answer refuses with a status, a code, and a text.
func (a answer) want(t *testing.T, name string, status int, code, message string) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: status %d, want %d; %s", name, a.status, status, a.body)
		return
	}
	if gotCode, got := errorOf(t, a); gotCode != code || got != message {
		t.Errorf("%s: got %s %q, want %s %q", name, gotCode, got, code, message)
	}
}

func TestCreateRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body    string
		cfg           Config
		status        int
		code, message string
	}{
		{name: "unknown object", body: `{"object":"Foo__c","operation":"insert"}`, status: 400, code: "INVALIDJOB", message: "InvalidJob : Unable to find object: Foo__c"},
		{name: "no object", body: `{"operation":"insert"}`, status: 400, code: "INVALIDJOB", message: "InvalidJob : Unable to find object: "},
		{name: "no external id", body: `{"object":"Account","operation":"upsert","externalIdFieldName":"Phone"}`, status: 400, code: "INVALIDJOB", message: "InvalidJob : Field name provided, Phone does not match an External ID for Account"},
		{name: "unknown external id", body: `{"object":"Account","operation":"upsert","externalIdFieldName":"Foo__c"}`, status: 400, code: "INVALIDJOB", message: "InvalidJob : Field name provided, Foo__c does not match an External ID for Account"},
		{name: "blank external id", body: `{"object":"Account","operation":"upsert"}`, status: 400, code: "INVALIDJOB", message: "InvalidJob : External ID was blank for Account. An External ID must be specified for upsert."},
		{name: "operation", body: `{"object":"Account","operation":"foo"}`, status: 400, code: "API_ERROR", message: "Invalid value: 'foo' supplied for property: 'operation'"},
		{name: "case of operation", body: `{"object":"Account","operation":"Insert"}`, status: 400, code: "API_ERROR", message: "Invalid value: 'Insert' supplied for property: 'operation'"},
		{name: "content type", body: `{"object":"Account","operation":"insert","contentType":"XML"}`, status: 400, code: "API_ERROR", message: "Invalid value: 'XML' supplied for property: 'contentType'"},
		{name: "delimiter", body: `{"object":"Account","operation":"insert","columnDelimiter":","}`, status: 400, code: "API_ERROR", message: "Invalid value: ',' supplied for property: 'columnDelimiter'"},
		{name: "line ending", body: `{"object":"Account","operation":"insert","lineEnding":"CR"}`, status: 400, code: "API_ERROR", message: "Invalid value: 'CR' supplied for property: 'lineEnding'"},
		{name: "outside bulk", body: `{"object":"CaseStatus","operation":"insert"}`, status: 400, code: "INVALIDENTITY", message: "Entity 'CaseStatus' is not supported by the Bulk API."},
		{name: "read only object", body: `{"object":"RecordType","operation":"insert"}`, status: 400, code: "INVALIDENTITY", message: "Entity 'RecordType' is not supported by the Bulk API."},
		{name: "hard delete", cfg: Config{NoHardDelete: true}, body: `{"object":"Account","operation":"hardDelete"}`, status: 400, code: "FEATURENOTENABLED", message: "FeatureNotEnabled : hardDelete operation requires special user profile permission, please contact your system administrator"},
		{name: "assignment rule", body: `{"object":"Account","operation":"insert","assignmentRuleId":"01Q5g0000000001"}`, status: 400, code: "API_ERROR", message: "Invalid value: '01Q5g0000000001' supplied for property: 'assignmentRuleId'"},
		{name: "unknown property", body: `{"object":"Account","operation":"insert","concurrencyMode":"Serial"}`, status: 400, code: "JSON_PARSER_ERROR", message: `Unrecognized field "concurrencyMode"`},
		{name: "no json", body: `{`, status: 400, code: "JSON_PARSER_ERROR", message: "unexpected EOF"},
	}
	for _, test := range tests {
		c := open(t, test.cfg)
		c.do("POST", "jobs/ingest", "application/json", test.body).want(t, test.name, test.status, test.code, test.message)
	}
	c := open(t, Config{})
	c.do("POST", "jobs/ingest", "text/plain", `{"object":"Account","operation":"insert"}`).want(t, "media type", 415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type")
	c.version = "40.0"
	c.do("POST", "jobs/ingest", "application/json", `{"object":"Account","operation":"insert"}`).want(t, "old version", 404, "NOT_FOUND", "The requested resource does not exist")
}

func TestCreateAnswer(t *testing.T) {
	t.Parallel()
	c := open(t, Config{Now: func() time.Time { return time.Date(2026, 1, 2, 21, 33, 43, 0, time.UTC) }})
	a := c.do("POST", "jobs/ingest/", "application/json", `{"object":"contact","operation":"upsert","externalIdFieldName":"Legacy_Id__c","columnDelimiter":"TAB","lineEnding":"CRLF"}`)
	var got map[string]any
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
		t.Fatal(a, err)
	}
	id := got["id"].(string)
	want := map[string]any{"id": id, "operation": "upsert", "object": "Contact", "createdById": string(c.org.user), "createdDate": "2026-01-02T21:33:43.000+0000",
		"systemModstamp": "2026-01-02T21:33:43.000+0000", "state": "Open", "externalIdFieldName": "Legacy_Id__c", "concurrencyMode": "Parallel", "contentType": "CSV",
		"apiVersion": 66.0, "contentUrl": "services/data/v66.0/jobs/ingest/" + id + "/batches", "lineEnding": "CRLF", "columnDelimiter": "TAB"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(id) != 18 || !strings.HasPrefix(id, "750") || !strings.Contains(a.body, `"apiVersion":66.0`) {
		t.Errorf("answer %s", a.body)
	}
}

// Every call on a job in every state.
func TestJobStates(t *testing.T) {
	t.Parallel()
	const (
		open_    = "Open"
		uploaded = "Open with data"
		queued   = "UploadComplete"
		running  = "InProgress"
		complete = "JobComplete"
		failed   = "Failed"
		aborted  = "Aborted"
		deleted  = "deleted"
	)
	make_ := func(c *client, state string) string {
		j := c.create(spec{"object": "Account", "operation": "insert"})
		if state == open_ {
			return j.ID
		}
		if state == failed {
			c.upload(j.ID, "Nonsense\nx\n")
		} else {
			c.upload(j.ID, "Name\nx\n")
		}
		switch state {
		case uploaded:
		case aborted:
			c.patch(j.ID, "Aborted")
		case queued, running:
			c.patch(j.ID, "UploadComplete")
			for state == running && c.stateOf(j.ID) != stateInProgress {
				time.Sleep(time.Millisecond)
			}
		default:
			c.patch(j.ID, "UploadComplete")
			c.wait(j.ID)
			if state == deleted {
				if a := c.do("DELETE", "jobs/ingest/"+j.ID, "", ""); a.status != 204 || a.body != "" {
					t.Fatalf("delete: %+v", a)
				}
			}
		}
		return j.ID
	}
	gone := "404 NOT_FOUND The requested resource does not exist"
	notTerminated := "400 API_ERROR Error encountered when deleting the job because the job is not terminated"
	closeDone := "400 INVALIDJOBSTATE Closing already Completed Job not allowed"
	abortDone := "400 INVALIDJOBSTATE Aborting already Completed Job not allowed"
	notOpen := func(s string) string {
		return "400 INVALIDJOBSTATE InvalidJobState : Job is not in Open state, it is in " + s + " state"
	}
	notEnded := func(s string) string {
		return "400 INVALIDJOBSTATE InvalidJobState : Job is in " + s + " state, results are available when it has ended"
	}
	tests := []struct{ call, state, want string }{
		{"get", open_, "200"}, {"get", queued, "200"}, {"get", running, "200"}, {"get", complete, "200"}, {"get", failed, "200"}, {"get", aborted, "200"}, {"get", deleted, gone},
		{"put", open_, "201"},
		{"put", uploaded, "400 BULK_API_ERROR Found multipe contents for job: <ID>, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job and make sure you only do 'PUT' once on a given Job."},
		{"put", queued, notOpen(queued)}, {"put", running, notOpen(running)}, {"put", complete, notOpen(complete)}, {"put", failed, notOpen(failed)}, {"put", aborted, notOpen(aborted)}, {"put", deleted, gone},
		{"close", open_, "400 INVALIDJOBSTATE Closing Job without data not allowed"},
		{"close", uploaded, "200"}, {"close", queued, closeDone}, {"close", running, closeDone}, {"close", complete, closeDone}, {"close", failed, closeDone},
		{"close", aborted, "400 INVALIDJOBSTATE Closing already Aborted Job not allowed"}, {"close", deleted, gone},
		{"abort", open_, "200"}, {"abort", uploaded, "200"}, {"abort", queued, "200"}, {"abort", running, "200"}, {"abort", complete, abortDone}, {"abort", failed, abortDone},
		{"abort", aborted, "400 INVALIDJOBSTATE Aborting already Aborted Job not allowed"}, {"abort", deleted, gone},
		{"delete", open_, notTerminated}, {"delete", uploaded, notTerminated}, {"delete", queued, "204"}, {"delete", running, notTerminated}, {"delete", complete, "204"},
		{"delete", failed, "204"}, {"delete", aborted, "204"}, {"delete", deleted, gone},
		{"results", open_, notEnded(open_)}, {"results", queued, notEnded(queued)}, {"results", running, notEnded(running)}, {"results", complete, "200"},
		{"results", failed, "200"}, {"results", aborted, "200"}, {"results", deleted, gone},
	}
	for _, test := range tests {
		t.Run(test.call+" "+test.state, func(t *testing.T) {
			t.Parallel()
			cfg := Config{}
			switch test.state {
			case queued:
				cfg.StartDelay = time.Hour
			case running:
				cfg.BatchTime = 100_000 * time.Hour
			}
			c := open(t, cfg)
			id := make_(c, test.state)
			var a answer
			switch test.call {
			case "get":
				a = c.get("jobs/ingest/" + id)
			case "put":
				a = c.do("PUT", "jobs/ingest/"+id+"/batches/", "text/csv; charset=UTF-8", "Name\ny\n")
			case "close":
				a = c.do("PATCH", "jobs/ingest/"+id[:15], "application/json", `{"state":"UploadComplete"}`)
			case "abort":
				a = c.do("PATCH", "jobs/ingest/"+id, "application/json", `{"state":"Aborted"}`)
			case "delete":
				a = c.do("DELETE", "jobs/ingest/"+id, "", "")
			case "results":
				a = c.get("JOBS/ingest/" + id + "/unprocessedRecords")
			}
			got := fmt.Sprint(a.status)
			if a.status >= 400 {
				code, message := errorOf(t, a)
				got += " " + code + " " + message
			}
			if want := strings.Replace(test.want, "<ID>", "<"+id[:15]+">", 1); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func (c *client) stateOf(id string) state {
	c.t.Helper()
	c.org.mu.RLock()
	defer c.org.mu.RUnlock()
	j, err := c.org.job(id)
	if err != nil {
		c.t.Fatal(err)
	}
	return j.state
}

func TestPatchRefused(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	j := c.create(spec{"object": "Account", "operation": "insert"})
	path := "jobs/ingest/" + j.ID
	c.do("PATCH", path, "application/json", `{"state":"Closed"}`).want(t, "state", 400, "API_ERROR", "Invalid value: 'Closed' supplied for property: 'state'")
	c.do("PATCH", path, "application/json", `{"state":"Aborted","object":"Contact"}`).want(t, "more than the state", 400, "JSON_PARSER_ERROR", `Unrecognized field "object"`)
	c.do("PATCH", path, "text/csv", `{"state":"Aborted"}`).want(t, "media type", 415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type")
	c.do("POST", path, "application/json", `{}`).want(t, "method", 405, "METHOD_NOT_ALLOWED", "HTTP Method 'POST' not allowed. Allowed are DELETE,GET,PATCH")
	c.do("PUT", path+"/batches", "application/json", "Name\n").want(t, "upload of json", 415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type")
	c.get("jobs/ingest/0015g00000AbCdEAAV").want(t, "not a job id", 404, "NOT_FOUND", "The requested resource does not exist")
	c.get("jobs/ingest/nonsense").want(t, "not an id", 404, "NOT_FOUND", "The requested resource does not exist")
}

func TestUploadLimit(t *testing.T) {
	t.Parallel()
	c := open(t, Config{MaxUpload: 400}) // 300 bytes as sent
	j := c.create(spec{"object": "Account", "operation": "insert"})
	long := "Name\n" + strings.Repeat("x\n", 148) // 301 bytes
	c.do("PUT", "jobs/ingest/"+j.ID+"/batches", "text/csv", long).want(t, "too long", 413, "REQUEST_ENTITY_TOO_LARGE",
		"The upload of job "+j.ID[:15]+" exceeds the limit of 400 bytes after base64")
	c.upload(j.ID, long[:300]) // what was refused was not taken
	if got := c.org.Audit().Violations; len(got) != 1 || got[0].Kind != ViolationUploadSize || got[0].Job != j.ID {
		t.Errorf("violations %+v", got)
	}
}

func TestListJobs(t *testing.T) {
	t.Parallel()
	c := open(t, Config{JobsPerPage: 2})
	var want []string
	for range 5 {
		want = append(want, c.create(spec{"object": "Account", "operation": "insert"}).ID)
	}
	type page struct {
		Done    bool
		Records []jobAnswer
		Next    *string `json:"nextRecordsUrl"`
	}
	var got []string
	pages := 0
	for path := "jobs/ingest?jobType=V2Ingest"; path != ""; pages++ {
		var p page
		c.json("GET", path, nil, 200, &p)
		for _, j := range p.Records {
			got = append(got, j.ID)
			if j.JobType != "V2Ingest" || j.State != "Open" {
				t.Errorf("listed %+v", j)
			}
		}
		if p.Done != (p.Next == nil) {
			t.Errorf("done %v, next %v", p.Done, p.Next)
		}
		if path = ""; p.Next != nil {
			path = *p.Next
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || pages != 3 {
		t.Errorf("%d pages (-want +got)\n%s", pages, diff)
	}
	var classic page
	c.json("GET", "jobs/ingest?jobType=Classic", nil, 200, &classic)
	if len(classic.Records) != 0 || !classic.Done {
		t.Errorf("classic: %+v", classic)
	}
	c.get("jobs/ingest?jobType=Foo").want(t, "job type", 400, "API_ERROR", "Invalid value: 'Foo' supplied for property: 'jobType'")
	c.get("jobs/ingest?queryLocator=x").want(t, "locator", 400, "API_ERROR", "Invalid value: 'x' supplied for property: 'queryLocator'")
}

// What a whole job fails with; no row of it is saved, and the upload comes back as it was.
func TestJobErrors(t *testing.T) {
	t.Parallel()
	insert := spec{"object": "Contact", "operation": "insert"}
	crlf := spec{"object": "Contact", "operation": "insert", "lineEnding": "CRLF"}
	const unescaped = "InvalidBatch : Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote"
	tests := []struct {
		name string
		cfg  Config
		spec spec
		body string
		want string
	}{
		{name: "crlf in lf job", spec: insert, body: "LastName\r\na\r\n", want: "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"},
		{name: "crlf inside quotes", spec: insert, body: "LastName\n\"a\r\nb\"\n", want: "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"},
		{name: "lf in crlf job", spec: crlf, body: "LastName\na\n", want: "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is CRLF"},
		{name: "lf after crlf", spec: crlf, body: "LastName\r\na\nb\r\n", want: "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is CRLF"},
		{name: "unknown column", spec: insert, body: "LastName,Foo__c,Bar__c\na,b,c\n", want: "InvalidBatch : Field name not found : Foo__c"},
		{name: "compound column", spec: insert, body: "LastName,MailingAddress\na,b\n", want: "InvalidBatch : Field name not found : MailingAddress"},
		{name: "empty column", spec: insert, body: "LastName,\na,b\n", want: "InvalidBatch : Field name not found : "},
		{name: "delimiter", spec: insert, body: "LastName;FirstName\na;b\n", want: "InvalidBatch : Field name not found : LastName;FirstName"},
		{name: "byte order mark", spec: insert, body: "\ufeffLastName\na\n", want: "InvalidBatch : Field name not found : \ufeffLastName"},
		{name: "byte order mark and quote", spec: insert, body: "\ufeff\"LastName\"\na\n", want: unescaped},
		{name: "quote in value", spec: insert, body: "LastName\na\"b\n", want: unescaped},
		{name: "quote late in the file", spec: insert, body: "LastName\n" + strings.Repeat("a\n", 15_000) + "a\"b\n", want: unescaped},
		{name: "quote never closed", spec: insert, body: "LastName\n\"a\n", want: "InvalidBatch : Failed to parse CSV. EOF reached before closing an opened quote"},
		{name: "blank before quote in header", spec: insert, body: "LastName, \"FirstName\"\na,b\n", want: unescaped},
		{name: "blank before quote as setting", cfg: Config{BlankByQuoteFailsJob: true}, spec: insert, body: "LastName,FirstName\na, \"b\"\n", want: unescaped},
		{name: "columns as setting", cfg: Config{WrongColumnsFailJob: true}, spec: insert, body: "LastName,FirstName\na,b\nc\n", want: "InvalidBatch : Failed to parse CSV. Row 2 has 1 columns, the header has 2"},
		{name: "same column twice", spec: insert, body: "LastName,lastname\na,b\n", want: "InvalidBatch : Duplicate field name found : lastname"},
		{name: "case as setting", cfg: Config{CaseSensitiveHeaders: true}, spec: insert, body: "lastname\na\n", want: "InvalidBatch : Field name not found : lastname"},
		{name: "no relationship", spec: insert, body: "LastName,Acount.Legacy_Id__c\na,b\n", want: "InvalidBatch : Unable to find relationship: Acount"},
		{name: "lookup's own name", spec: insert, body: "LastName,AccountId.Legacy_Id__c\na,b\n", want: "InvalidBatch : Unable to find relationship: AccountId"},
		{name: "type not needed", spec: spec{"object": "Account", "operation": "insert"}, body: "Name,Account:Parent.Legacy_Id__c\na,b\n", want: "InvalidBatch : type is not needed for non polymorphic foreign key references: Parent"},
		{name: "type missing", spec: spec{"object": "Task", "operation": "insert"}, body: "Subject,Who.Legacy_Id__c\na,b\n", want: "InvalidBatch : Field name not found : Who.Legacy_Id__c"},
		{name: "type not of the lookup", spec: spec{"object": "Task", "operation": "insert"}, body: "Subject,Account:Who.Legacy_Id__c\na,b\n", want: "InvalidBatch : Field name not found : Account:Who.Legacy_Id__c"},
		{name: "parent's field is no key", spec: insert, body: "LastName,Account.Phone\na,b\n", want: "InvalidBatch : Field name not found : Account.Phone"},
		{name: "two levels", spec: insert, body: "LastName,Account.Parent.Legacy_Id__c\na,b\n", want: "InvalidBatch : Field name not found : Account.Parent.Legacy_Id__c"},
		{name: "delete with more", spec: spec{"object": "Contact", "operation": "delete"}, body: "Id,LastName\na,b\n", want: "InvalidBatch : The 'delete' batch must contain only ids"},
		{name: "delete without id", spec: spec{"object": "Contact", "operation": "delete"}, body: "LastName\nb\n", want: "InvalidBatch : The 'delete' batch must contain only ids"},
		{name: "hard delete with more", spec: spec{"object": "Contact", "operation": "hardDelete"}, body: "Id,LastName\na,b\n", want: "InvalidBatch : The 'hardDelete' batch must contain only ids"},
		{name: "nothing at all", spec: insert, body: "", want: "InvalidBatch : Failed to parse CSV. The header row is missing"},
		{name: "header too long", spec: insert, body: strings.Repeat("x", 32_001) + "\n", want: "InvalidBatch : The header row is longer than 32000 characters"},
		{name: "too many columns", spec: insert, body: strings.Repeat("x,", 5_000) + "x\n", want: "InvalidBatch : The header has more than 5000 fields"},
		{name: "no batches left", cfg: Config{DailyBatches: 1}, spec: insert, body: "LastName\na\n", want: "ExceededQuota : ApiBatchItems Limit exceeded"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, test.cfg)
			j := c.load(test.spec, test.body)
			if j.State != "Failed" || j.ErrorMessage != test.want || j.Processed != 0 || j.Failed != 0 {
				t.Errorf("got %+v, want %q", j, test.want)
			}
			if got := c.org.Count("Contact"); got != 0 {
				t.Errorf("%d rows saved", got)
			}
			got := c.get("jobs/ingest/" + j.ID + "/unprocessedrecords").body
			if len(got) != len(test.body) || len(test.body) < 100 && got != test.body {
				t.Errorf("unprocessed %.100q, want %.100q", got, test.body)
			}
			for _, set := range []string{"successfulResults", "failedResults"} {
				if got := c.get("jobs/ingest/" + j.ID + "/" + set).body; strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, `"sf__Id","sf__`) {
					t.Errorf("%s: %q", set, got)
				}
			}
		})
	}
}

func TestHeaderOnly(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	j := c.load(spec{"object": "Account", "operation": "insert"}, "Name\n")
	if j.State != "JobComplete" || j.Processed != 0 {
		t.Errorf("%+v", j)
	}
	if got := c.get("jobs/ingest/" + j.ID + "/successfulResults").body; got != "\"sf__Id\",\"sf__Created\",Name\n" {
		t.Errorf("results %q", got)
	}
	c = open(t, Config{CloseEmpty: true})
	empty := c.create(spec{"object": "Account", "operation": "insert"})
	c.patch(empty.ID, "UploadComplete")
	if j := c.wait(empty.ID); j.State != "JobComplete" || j.Processed != 0 {
		t.Errorf("closed without data: %+v", j)
	}
}

// With the setting for it, results show what is there while the job runs.
func TestEarlyResults(t *testing.T) {
	t.Parallel()
	c := open(t, Config{EarlyResults: true, BatchTime: 100 * time.Millisecond, Slots: 1})
	j := c.create(spec{"object": "Account", "operation": "insert"})
	if got := c.get("jobs/ingest/" + j.ID + "/successfulResults").body; got != "\"sf__Id\",\"sf__Created\"\n" {
		t.Errorf("before the upload: %q", got)
	}
	const rows = 30_000
	c.upload(j.ID, "Name\n"+strings.Repeat("x\n", rows))
	c.patch(j.ID, "UploadComplete")
	for c.org.Count("Account") == 0 {
		time.Sleep(time.Millisecond)
	}
	good := strings.Count(c.get("jobs/ingest/"+j.ID+"/successfulResults").body, "\n") - 1
	left := strings.Count(c.get("jobs/ingest/"+j.ID+"/unprocessedrecords").body, "\n") - 1
	if good <= 0 || good > rows || left > rows-good || good%chunkRows != 0 {
		t.Errorf("%d rows went in, %d are left", good, left)
	}
	if j := c.wait(j.ID); j.Processed != rows {
		t.Errorf("%+v", j)
	}
}
