package localorg

const (
	createInsert = `{"object":"Account","operation":"insert","contentType":"CSV","lineEnding":"LF","columnDelimiter":"COMMA"}`
	notFoundBody = `[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]`
)

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
