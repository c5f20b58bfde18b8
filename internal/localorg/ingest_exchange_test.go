package localorg

import "strings"

const (
	createInsert = `{"object":"Account","operation":"insert","contentType":"CSV","lineEnding":"LF","columnDelimiter":"COMMA"}`
	notFoundBody = `[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]`

	multipartB = "Content-Type: multipart/form-data; boundary=B"
	jobPart    = "--B\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name=\"job\"\r\n\r\n" +
		`{"object":"Contact","contentType":"CSV","operation":"insert","lineEnding":"LF"}` + "\r\n"
)

func csvPart(data string) string {
	return "--B\r\nContent-Type: text/csv\r\nContent-Disposition: form-data; name=\"content\"; filename=\"content\"\r\n\r\n" + data + "\r\n"
}

func refusedWhole(header, body, message string) exchange {
	return exchange{call: "POST jobs/ingest", header: []string{header}, body: body, status: 400, want: `[{"errorCode":"INVALID_MULTIPART_REQUEST","message":"` + message + `"}]`}
}

var ingestScenarios = []scenario{
	{name: "ingest job", exchanges: []exchange{
		{call: "POST jobs/ingest", body: `{"object":"Account","operation":"upsert","externalIdFieldName":"Legacy_Id__c"}`, status: 200, keep: []string{"job=id"},
			want: `{"id":"*","operation":"upsert","object":"Account","createdById":"*","createdDate":"*","systemModstamp":"*","state":"Open","externalIdFieldName":"Legacy_Id__c",
				"concurrencyMode":"Parallel","contentType":"CSV","apiVersion":66.0,"contentUrl":"*","lineEnding":"LF","columnDelimiter":"COMMA"}`},
		{call: "PUT jobs/ingest/{job}/batches", body: "Name,Legacy_Id__c,AnnualRevenue\nAcme Ltd,A-1,912260000\n,A-2,\n", status: 201},
		{call: "PATCH jobs/ingest/{job}", body: `{"state":"UploadComplete"}`, status: 200,
			want: `{"id":"{job}","operation":"upsert","object":"Account","createdById":"*","createdDate":"*","systemModstamp":"*","state":"UploadComplete","externalIdFieldName":"Legacy_Id__c",
				"concurrencyMode":"Parallel","contentType":"CSV","apiVersion":66.0}`},
		{call: "WAIT {job}"},
		{call: "GET jobs/ingest/{job}", status: 200,
			want: `{"id":"{job}","operation":"upsert","object":"Account","createdById":"*","createdDate":"*","systemModstamp":"*","state":"JobComplete","externalIdFieldName":"Legacy_Id__c",
				"concurrencyMode":"Parallel","contentType":"CSV","apiVersion":66.0,"jobType":"V2Ingest","lineEnding":"LF","columnDelimiter":"COMMA","numberRecordsProcessed":2,"numberRecordsFailed":1,
				"retries":0,"totalProcessingTime":"*","apiActiveProcessingTime":"*","apexProcessingTime":0}`},
		{call: "GET jobs/ingest/{job}/failedResults/", status: 200, wantHeader: []string{"Content-Type: text/csv; charset=UTF-8"},
			want: `"sf__Id","sf__Error",Name,Legacy_Id__c,AnnualRevenue` + "\n" + `"","REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --","","A-2",""` + "\n"},
		{call: "GET jobs/ingest/{job}/unprocessedrecords/", status: 200, want: "Name,Legacy_Id__c,AnnualRevenue\n"},
		{call: "GET jobs/ingest", status: 200, want: `{"done":true,"nextRecordsUrl":null,"records":[{"id":"{job}","operation":"upsert","object":"Account","createdById":"*","createdDate":"*","systemModstamp":"*",
			"state":"JobComplete","externalIdFieldName":"Legacy_Id__c","concurrencyMode":"Parallel","contentType":"CSV","apiVersion":66.0,"jobType":"V2Ingest","lineEnding":"LF","columnDelimiter":"COMMA"}]}`},
		{call: "DELETE jobs/ingest/{job}", status: 204},
		{call: "GET jobs/ingest/{job}", status: 404, want: notFoundBody},
	}},
	{name: "ingest job in one step", exchanges: []exchange{
		{call: "POST jobs/ingest", header: []string{multipartB, "Sforce-Call-Options: client=x, defaultNamespace=y"}, status: 200, keep: []string{"job=id"},
			body: jobPart + csvPart("LastName,Email\nNg,ng@example.com\n") + "--B--\r\n",
			want: `{"id":"*","operation":"insert","object":"Contact","createdById":"*","createdDate":"*","systemModstamp":"*","state":"UploadComplete",
				"concurrencyMode":"Parallel","contentType":"CSV","apiVersion":66.0,"lineEnding":"LF","columnDelimiter":"COMMA"}`},
		{call: "WAIT {job}"},
		{call: "GET jobs/ingest/{job}/successfulResults", status: 200, want: `"sf__Id","sf__Created",LastName,Email` + "\n" + `"0035g00000TAZzSAAX","true","Ng","ng@example.com"` + "\n"},
	}},
	{name: "ingest job in one step refused", exchanges: []exchange{
		refusedWhole("Content-Type: multipart/form-data", jobPart+csvPart("LastName\nNg\n")+"--B--\r\n", "The multipart request has no boundary"),
		refusedWhole("Content-Type: multipart/form-data; boundary=C", jobPart+csvPart("LastName\nNg\n")+"--B--\r\n", "The multipart request cannot be read: multipart: NextPart: EOF"),
		refusedWhole(multipartB, "--B--\r\n", "The part job is missing"),
		refusedWhole(multipartB, jobPart+"--B--\r\n", "The part content is missing"),
		refusedWhole(multipartB, csvPart("LastName\nNg\n")+jobPart+"--B--\r\n", `The part \"content\" stands where job is expected`),
		refusedWhole(multipartB, jobPart+jobPart+"--B--\r\n", `The part \"job\" stands where content is expected`),
		refusedWhole(multipartB, strings.Replace(jobPart, "application/json", "text/plain", 1)+csvPart("LastName\nNg\n")+"--B--\r\n", "The part job is not application/json"),
		refusedWhole(multipartB, jobPart+strings.Replace(csvPart("LastName\nNg\n"), "text/csv", "text/plain", 1)+"--B--\r\n", "The part content is not text/csv"),
		refusedWhole(multipartB, jobPart+csvPart("LastName\nNg\n")+csvPart("x")+"--B--\r\n", "The multipart request must have the parts job and content and no other"),
		refusedWhole(multipartB, jobPart+csvPart("LastName\nNg\n"), "The multipart request ends early: unexpected EOF"),
		{call: "POST jobs/ingest", header: []string{multipartB}, body: strings.Replace(jobPart, "Contact", "Foo__c", 1) + csvPart("a\n") + "--B--\r\n", status: 400,
			want: `[{"errorCode":"INVALIDJOB","message":"InvalidJob : Unable to find object: Foo__c"}]`},
		{call: "POST jobs/ingest", header: []string{multipartB}, body: strings.Replace(jobPart, "operation", "operatio", 1) + csvPart("a\n") + "--B--\r\n", status: 400,
			want: `[{"errorCode":"JSON_PARSER_ERROR","message":"Unrecognized field \"operatio\""}]`},
		{call: "GET jobs/ingest", status: 200, want: `{"done":true,"nextRecordsUrl":null,"records":[]}`},
		{call: "GET jobs/ingest?isPkChunkingEnabled=maybe", status: 400,
			want: `[{"errorCode":"API_ERROR","message":"Invalid value: 'maybe' supplied for property: 'isPkChunkingEnabled'"}]`},
	}},
	{name: "size of an ingest job in one step", exchanges: []exchange{
		{call: "POST jobs/ingest", header: []string{multipartB}, body: jobPart + csvPart("LastName\n"+strings.Repeat("ä", 99_990)+"\n") + "--B--\r\n", status: 200, want: `{"state":"UploadComplete","*":"*"}`},
		{call: "POST jobs/ingest", header: []string{multipartB}, body: jobPart + csvPart("LastName\n"+strings.Repeat("ä", 99_991)+"\n") + "--B--\r\n", status: 400,
			want: `[{"errorCode":"INVALIDJOB","message":"InvalidJob : The job data of a multipart request exceeds the limit of 100000 characters"}]`},
		{call: "GET jobs/ingest?isPkChunkingEnabled=false", status: 200, want: `{"done":true,"nextRecordsUrl":null,"records":["*"]}`},
		{call: "GET jobs/ingest?isPkChunkingEnabled=true", status: 200, want: `{"done":true,"nextRecordsUrl":null,"records":[]}`},
	}},
	{name: "deprecated version", cfg: Config{DeprecatedBelow: 60}, exchanges: []exchange{
		{call: "GET /services/data/v59.0/jobs/ingest", status: 200, want: `{"*":"*"}`, wantHeader: []string{`Warning: 299 - "API version 59.0 is deprecated and will be retired. Use a later version."`}},
		{call: "GET /services/data/v60.0/jobs/ingest", status: 200, want: `{"*":"*"}`, wantHeader: []string{"Warning: "}},
	}},
	{name: "results of an ingest job without rows", exchanges: []exchange{
		{call: "POST jobs/ingest", body: createInsert, status: 200, want: `{"*":"*"}`, keep: []string{"job=id"}},
		{call: "PUT jobs/ingest/{job}/batches", body: "Name\n", status: 201},
		{call: "PATCH jobs/ingest/{job}", body: `{"state":"UploadComplete"}`, status: 200, want: `{"state":"UploadComplete","*":"*"}`},
		{call: "WAIT {job}"},
		{call: "GET jobs/ingest/{job}/successfulResults", status: 200, want: `"sf__Id","sf__Created",Name` + "\n"},
		{call: "GET jobs/ingest/{job}/failedResults", status: 200, want: `"sf__Id","sf__Error",Name` + "\n"},
		{call: "GET jobs/ingest/{job}/unprocessedRecords", status: 200, want: "Name\n"},
	}},
}
