package localorg

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Each documented or recorded text by which a job is refused or fails, and how a client comes to it.
func TestJobErrorTexts(t *testing.T) {
	t.Parallel()
	const (
		lineEndingLF   = "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"
		lineEndingCRLF = "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is CRLF"
		unescaped      = "InvalidBatch : Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote"
	)
	job := func(more ...string) spec {
		s := spec{"object": "Contact", "operation": "insert"}
		for i := 0; i < len(more); i += 2 {
			s[more[i]] = more[i+1]
		}
		return s
	}
	type test struct {
		text string // "CODE message" of a refusal, or the errorMessage of a job
		how  string
		cfg  Config
		spec spec
		body string // "" refuses to create
	}
	tests := []test{
		{text: "INVALIDJOB InvalidJob : Unable to find object: Foo__c", how: "unknown object", spec: job("object", "Foo__c")},
		{text: "INVALIDJOB InvalidJob : Field name provided, Foo__c does not match an External ID for Account", how: "unknown external id",
			spec: job("object", "Account", "operation", "upsert", "externalIdFieldName", "Foo__c")},
		{text: "INVALIDJOB InvalidJob : External ID was blank for Account. An External ID must be specified for upsert.", how: "upsert without external id",
			spec: job("object", "Account", "operation", "upsert")},
		{text: "API_ERROR Invalid value: 'foo' supplied for property: 'operation'", how: "operation", spec: job("operation", "foo")},
		{text: "API_ERROR Invalid value: 'XML' supplied for property: 'contentType'", how: "content type", spec: job("contentType", "XML")},
		{text: "API_ERROR Invalid value: 'DOT' supplied for property: 'columnDelimiter'", how: "delimiter", spec: job("columnDelimiter", "DOT")},
		{text: "API_ERROR Invalid value: 'CR' supplied for property: 'lineEnding'", how: "line ending", spec: job("lineEnding", "CR")},
		{text: "INVALIDENTITY Entity 'CaseStatus' is not supported by the Bulk API.", how: "object outside bulk", spec: job("object", "CaseStatus")},
		{text: "FEATURENOTENABLED FeatureNotEnabled : hardDelete operation requires special user profile permission, please contact your system administrator",
			how: "hardDelete without permission", cfg: Config{NoHardDelete: true}, spec: job("operation", "hardDelete")},

		{text: lineEndingLF, how: "CR LF in an LF job", spec: job(), body: "LastName\r\na\r\n"},
		{text: lineEndingLF, how: "the last line only", spec: job(), body: "LastName\na\nb\r\n"},
		{text: lineEndingLF, how: "stray CR LF inside quotes", spec: job(), body: "LastName\n\"a\r\nb\"\n"},
		{text: lineEndingCRLF, how: "LF in a CRLF job", spec: job("lineEnding", "CRLF"), body: "LastName\na\n"},
		{text: lineEndingCRLF, how: "LF on one line of a CRLF job", spec: job("lineEnding", "CRLF"), body: "LastName\r\na\r\nb\nc\r\n"},
		{text: "", how: "LF inside quotes of a CRLF job", spec: job("lineEnding", "CRLF"), body: "LastName\r\n\"a\nb\"\r\n"},
		{text: "", how: "CR alone inside quotes of an LF job", spec: job(), body: "LastName\n\"a\rb\"\n"},
		{text: "InvalidBatch : Field name not found : Foo__c", how: "unknown column; the first one is named", spec: job(), body: "LastName,Foo__c,Bar__c\na,b,c\n"},
		{text: "InvalidBatch : InvalidBatch : Field name not found : Foo. Batch will not be retried.", how: "the older form", cfg: Config{OlderBatchTexts: true},
			spec: job(), body: "LastName,Foo\na,b\n"},
		{text: lineEndingLF, how: "the older form is of batches only", cfg: Config{OlderBatchTexts: true}, spec: job(), body: "LastName\r\na\r\n"},
		{text: unescaped, how: "quote in a bare value", spec: job(), body: "LastName\na\"b\n"},
		{text: unescaped, how: "text behind a quoted value", spec: job(), body: "LastName\n\"a\"b\n"},
		{text: unescaped, how: "byte order mark before a quoted header", spec: job(), body: "\ufeff\"LastName\",FirstName\na,b\n"},
		{text: "InvalidBatch : Field name not found : \ufeffLastName", how: "byte order mark before a plain header", spec: job(), body: "\ufeffLastName,FirstName\na,b\n"},
		{text: "InvalidBatch : type is not needed for non polymorphic foreign key references: Parent", how: "type before a plain lookup",
			spec: job("object", "Account"), body: "Name,Account:Parent.Legacy_Id__c\na,b\n"},
		{text: "InvalidBatch : Unable to find relationship: Acount", how: "misspelt relationship", spec: job(), body: "LastName,Acount.Legacy_Id__c\na,b\n"},
		{text: "InvalidBatch : The 'delete' batch must contain only ids", how: "delete with more than ids", spec: job("operation", "delete"), body: "Id,LastName\na,b\n"},
		{text: "InvalidBatch : The 'hardDelete' batch must contain only ids", how: "hardDelete with more than ids", spec: job("operation", "hardDelete"), body: "Id,LastName\na,b\n"},
		{text: "ExceededQuota : ApiBatchItems Limit exceeded", how: "no batches left today", cfg: Config{DailyBatches: 1}, spec: job(), body: "LastName\na\n"},
		{text: "TXN_SECURITY_METERING_ERROR : the policy blocks it", how: "a fault", spec: job("object", "Lead"), body: "LastName,Company\na,b\n"},
	}
	names := map[byte]string{}
	for name, delim := range delimiters {
		names[delim] = name
	}
	for delim, name := range names { // each delimiter is taken, and names the whole header line where another one was meant
		header := "LastName" + string(delim) + "FirstName"
		row := "a" + string(delim) + "b"
		tests = append(tests, test{how: name, spec: job("columnDelimiter", name), body: header + "\n" + row + "\n"})
		for _, other := range names {
			if other != name {
				tests = append(tests, test{text: "InvalidBatch : Field name not found : " + header, how: name + " in a job with " + other,
					spec: job("columnDelimiter", other), body: header + "\n" + row + "\n"})
			}
		}
	}
	for _, test := range tests {
		t.Run(test.how, func(t *testing.T) {
			t.Parallel()
			c := open(t, test.cfg)
			c.fault(Fault{Kind: FaultFailJob, Object: "Lead", Text: "TXN_SECURITY_METERING_ERROR : the policy blocks it"})
			if test.body == "" {
				code, message, _ := strings.Cut(test.text, " ")
				body := "{"
				for k, v := range test.spec {
					body += fmt.Sprintf("%q:%q,", k, v)
				}
				c.do("POST", "jobs/ingest", "application/json", strings.TrimSuffix(body, ",")+"}").want(t, test.how, 400, code, message)
				return
			}
			j := c.load(test.spec, test.body)
			want, left := "Failed", test.body
			if test.text == "" {
				want, left = "JobComplete", test.body[:strings.IndexByte(test.body, '\n')+1]
			}
			if j.State != want || j.ErrorMessage != test.text || j.Failed != 0 {
				t.Errorf("%s, want %q; %+v", want, test.text, j)
			}
			if got := c.get("jobs/ingest/" + j.ID + "/unprocessedrecords").body; got != left {
				t.Errorf("unprocessed %q, want %q", got, left)
			}
		})
	}
}

// Peaks count jobs and batches that are there at the same time.
func TestAuditPeaks(t *testing.T) {
	t.Parallel()
	inBubble(t, Config{Slots: 3, BatchTime: time.Hour}, func(t *testing.T, c *client) {
		first := c.begin(insertAccounts, accountRows(15_000))
		second := c.begin(insertAccounts, accountRows(25_000))
		c.create(insertAccounts) // an open job is not in flight
		c.waitLong(first)
		c.waitLong(second)
		c.waitLong(c.begin(insertAccounts, accountRows(1)))
		a := c.org.Audit()
		if want := (PeakAudit{Jobs: 2, Batches: 3}); a.Peak != want || c.org.audit.jobs.now != 0 || c.org.audit.batches.now != 0 {
			t.Errorf("got %+v, want %+v", a.Peak, want)
		}
		if got := a.Ingested["Account"]; got != (IngestAudit{Rows: 40_001}) {
			t.Errorf("ingested %+v", got)
		}
		c.fault(Fault{Kind: FaultStuckQueue})
		queued := c.begin(insertAccounts, accountRows(1))
		if a := c.do("DELETE", "jobs/ingest/"+queued, "", ""); a.status != 204 {
			t.Errorf("delete: %+v", a)
		}
		if c.org.audit.jobs.now != 0 {
			t.Errorf("%d jobs are still in flight", c.org.audit.jobs.now)
		}
	})
}
