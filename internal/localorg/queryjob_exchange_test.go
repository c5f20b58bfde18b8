package localorg

import "strings"

const (
	createQuery      = `{"operation":"query","query":"SELECT Username, CreatedDate, IsActive FROM User ORDER BY Alias"}`
	queryJobBodyJSON = `{"id":"{job}","operation":"query","object":"User","createdById":"*","createdDate":"*","systemModstamp":"*","state":"STATE",
		"concurrencyMode":"Parallel","contentType":"CSV","apiVersion":66.0,"lineEnding":"LF","columnDelimiter":"COMMA"MORE}`
)

func queryJobJSON(state, more string) string {
	return strings.NewReplacer("STATE", state, "MORE", more).Replace(queryJobBodyJSON)
}

var queryJobScenarios = []scenario{
	{name: "query job", cfg: Config{ResultPage: 1}, exchanges: []exchange{
		{call: "POST jobs/query", body: createQuery, status: 200, keep: []string{"job=id"},
			want: strings.Replace(queryJobJSON("UploadComplete", ""), "{job}", "*", 1)},
		{call: "WAIT {job}"},
		{call: "GET jobs/query/{job}", status: 200,
			want: queryJobJSON("JobComplete", `,"jobType":"V2Query","numberRecordsProcessed":2,"retries":0,"totalProcessingTime":"*","isPkChunkingSupported":false`)},
		{call: "GET jobs/query", status: 200, want: `{"done":true,"nextRecordsUrl":null,"records":[` + queryJobJSON("JobComplete", `,"jobType":"V2Query"`) + `]}`},
		{call: "GET jobs/query?jobType=Classic", status: 200, want: `{"done":true,"nextRecordsUrl":null,"records":[]}`},
		{call: "GET jobs/query?jobType=Nonsense", status: 400, want: `[{"errorCode":"API_ERROR","message":"Invalid value: 'Nonsense' supplied for property: 'jobType'"}]`},
		{call: "GET jobs/query/{job}/results?maxRecords=5", status: 200, wantHeader: []string{"Sforce-Locator: null", "Sforce-NumberOfRecords: 2", "Content-Type: text/csv; charset=UTF-8"},
			want: `"Username","CreatedDate","IsActive"` + "\n" + `"admin@local.example.com","2026-01-01T00:00:00.000Z","true"` + "\n" + `"integration@local.example.com","2026-01-01T00:00:00.000Z","true"` + "\n"},
		{call: "GET jobs/query/{job}/results", status: 200, wantHeader: []string{"Sforce-Locator: MQ", "Sforce-NumberOfRecords: 1"}, keep: []string{"next=@Sforce-Locator"},
			want: `"Username","CreatedDate","IsActive"` + "\n" + `"admin@local.example.com","2026-01-01T00:00:00.000Z","true"` + "\n"},
		{call: "GET jobs/query/{job}/results?locator={next}", status: 200, wantHeader: []string{"Sforce-Locator: null", "Sforce-NumberOfRecords: 1"},
			want: `"Username","CreatedDate","IsActive"` + "\n" + `"integration@local.example.com","2026-01-01T00:00:00.000Z","true"` + "\n"},
		{call: "GET jobs/query/{job}/results?locator=nonsense", status: 400, want: `[{"errorCode":"INVALID_QUERY_LOCATOR","message":"invalid query locator"}]`},
		{call: "GET jobs/query/{job}/results?maxRecords=0", status: 400, want: `[{"errorCode":"API_ERROR","message":"Invalid value: '0' supplied for property: 'maxRecords'"}]`},
		{call: "GET jobs/query/{job}/resultPages", status: 200, want: `{"resultPages":[{"resultUrl":"/services/data/v66.0/jobs/query/{job}/results?locator=MA"},
			{"resultUrl":"/services/data/v66.0/jobs/query/{job}/results?locator=MQ"}],"nextRecordsUrl":null,"done":true}`},
		{call: "GET /services/data/v65.0/jobs/query/{job}/results", status: 409, want: `[{"errorCode":"API_VERSION_MISMATCH","message":"*"}]`},
		{call: "GET /services/data/v65.0/jobs/query/{job}/resultPages", status: 409, want: `[{"errorCode":"API_VERSION_MISMATCH","message":"*"}]`},
		{call: "GET /services/data/v57.0/jobs/query/{job}/resultPages", status: 404, want: notFoundBody},
		{call: "PATCH jobs/query/{job}", body: `{"state":"Aborted"}`, status: 400, want: `[{"errorCode":"INVALIDJOBSTATE","message":"Aborting already Completed Job not allowed"}]`},
		{call: "PATCH jobs/query/{job}", body: `{"state":"UploadComplete"}`, status: 400, want: `[{"errorCode":"API_ERROR","message":"Invalid value: 'UploadComplete' supplied for property: 'state'"}]`},
		{call: "GET jobs/ingest/{job}", status: 404, want: notFoundBody},
		{call: "DELETE jobs/query/{job}", status: 204},
		{call: "GET jobs/query/{job}", status: 404, want: notFoundBody},
		{call: "GET jobs/query/{job}/results", status: 404, want: notFoundBody},
	}},
	{name: "query job aborted", cfg: Config{StartDelay: 1 << 40}, exchanges: []exchange{
		{call: "POST jobs/query", body: createQuery, status: 200, keep: []string{"job=id"}, want: `{"state":"UploadComplete","*":"*"}`},
		{call: "GET jobs/query/{job}/results", status: 400, want: `[{"errorCode":"INVALIDJOBSTATE","message":"*"}]`},
		{call: "DELETE jobs/query/{job}", status: 400, want: `[{"errorCode":"API_ERROR","message":"Error encountered when deleting the job because the job is not terminated"}]`},
		{call: "PATCH jobs/query/{job}", body: `{"state":"Aborted"}`, status: 200, want: queryJobJSON("Aborted", "")},
		{call: "PATCH jobs/query/{job}", body: `{"state":"Aborted"}`, status: 400, want: `[{"errorCode":"INVALIDJOBSTATE","message":"Aborting already Aborted Job not allowed"}]`},
		{call: "GET jobs/query/{job}/results", status: 400, want: `[{"errorCode":"INVALIDJOBSTATE","message":"*"}]`},
		{call: "DELETE jobs/query/{job}", status: 204},
	}},
	{name: "query job that finds nothing", exchanges: []exchange{
		{call: "POST jobs/query", body: `{"operation":"queryAll","query":"SELECT Id, Owner.Name FROM Account","columnDelimiter":"PIPE","lineEnding":"CRLF"}`, status: 200, keep: []string{"job=id"}, want: `{"*":"*"}`},
		{call: "WAIT {job}"},
		{call: "GET jobs/query/{job}/results", status: 200, wantHeader: []string{"Sforce-Locator: null", "Sforce-NumberOfRecords: 0"}, want: `"Id"|"Owner.Name"` + "\r\n"},
		{call: "GET jobs/query/{job}/resultPages", status: 200, want: `{"resultPages":[{"resultUrl":"*"}],"nextRecordsUrl":null,"done":true}`},
	}},
	{name: "query jobs refused", cfg: Config{DailyQueryJobs: 1}, exchanges: []exchange{
		{call: "POST jobs/query", body: `{"operation":"export","query":"SELECT Id FROM User"}`, status: 400, want: `[{"errorCode":"API_ERROR","message":"Invalid value: 'export' supplied for property: 'operation'"}]`},
		{call: "POST jobs/query", body: `{"operation":"query","query":"SELECT Id FROM User","contentType":"JSON"}`, status: 400, want: `[{"errorCode":"API_ERROR","message":"Invalid value: 'JSON' supplied for property: 'contentType'"}]`},
		{call: "POST jobs/query", body: `{"operation":"query","query":"SELECT Id FROM User","columnDelimiter":"DOT"}`, status: 400, want: `[{"errorCode":"API_ERROR","message":"Invalid value: 'DOT' supplied for property: 'columnDelimiter'"}]`},
		{call: "POST jobs/query", body: `{"operation":"query","query":"SELECT Id FROM User","lineEnding":"CR"}`, status: 400, want: `[{"errorCode":"API_ERROR","message":"Invalid value: 'CR' supplied for property: 'lineEnding'"}]`},
		{call: "POST jobs/query", body: `{"operation":"query"}`, status: 400, want: `[{"errorCode":"MALFORMED_QUERY","message":"A query string has to be specified"}]`},
		{call: "POST /services/data/v46.0/jobs/query", body: createQuery, status: 404, want: notFoundBody},
		{call: "POST jobs/query", body: createQuery, status: 200, want: `{"*":"*"}`},
		{call: "POST jobs/query", body: createQuery, status: 400, want: `[{"errorCode":"LIMIT_EXCEEDED","message":"*"}]`},
	}},
}
