package localorg

var queryScenarios = []scenario{
	{name: "query", cfg: Config{QueryPage: 1}, exchanges: []exchange{
		{call: "GET query?q=SELECT+COUNT()+FROM+User", status: 200, want: `{"totalSize":2,"done":true,"records":[]}`},
		{call: "GET query?q=SELECT+Alias+FROM+User", status: 200, keep: []string{"cursor=/nextRecordsUrl"},
			want: `{"totalSize":2,"done":false,"nextRecordsUrl":"*","records":[{"attributes":{"type":"User","url":"*"},"Alias":"admin"}]}`},
		{call: "GET query/{cursor}", status: 200,
			want: `{"totalSize":2,"done":true,"records":[{"attributes":{"type":"User","url":"*"},"Alias":"integ"}]}`},
		{call: "GET queryAll?q=SELECT+Alias+FROM+User+WHERE+Alias='admin'", status: 200,
			want: `{"totalSize":1,"done":true,"records":[{"attributes":{"type":"User","url":"*"},"Alias":"admin"}]}`},
		{call: "GET query?q=SELECT+Id,IsActive+FROM+User&columns=true", status: 200, want: `{"entityName":"User","groupBy":false,"idSelected":true,"keyPrefix":"005","columnMetadata":[
			{"aggregate":false,"apexType":"Id","booleanType":false,"columnName":"Id","custom":false,"displayName":"Id","foreignKeyName":null,"insertable":false,"joinColumns":[],"numberType":false,"textType":false,"updatable":false},
			{"aggregate":false,"apexType":"Boolean","booleanType":true,"columnName":"IsActive","custom":false,"displayName":"IsActive","foreignKeyName":null,"insertable":true,"joinColumns":[],"numberType":false,"textType":false,"updatable":true}]}`},
		{call: "GET query?q=SELECT+Owner.Alias+FROM+Account&columns=true", status: 200, want: `{"columnMetadata":[{"columnName":"Owner","foreignKeyName":"OwnerId","joinColumns":[{"columnName":"Alias","*":"*"}],"*":"*"}],"*":"*"}`},
		{call: "GET query", status: 400, want: `[{"errorCode":"MALFORMED_QUERY","message":"A query string has to be specified"}]`},
		{call: "GET query/01g000000000000-2000", status: 404, want: `[{"errorCode":"INVALID_QUERY_LOCATOR","message":"invalid query locator"}]`},
	}},
}
