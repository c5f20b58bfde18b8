package localorg

var describeScenarios = []scenario{
	{name: "describe and limits", exchanges: []exchange{
		{call: "GET ", status: 200, want: `{"sobjects":"/services/data/v66.0/sobjects","query":"/services/data/v66.0/query","queryAll":"/services/data/v66.0/queryAll",
			"limits":"/services/data/v66.0/limits","jobs":"/services/data/v66.0/jobs","identity":"*","*":"*"}`},
		{call: "GET sobjects", status: 200, want: `{"encoding":"UTF-8","maxBatchSize":200,"sobjects":"*"}`},
		{call: "GET sobjects/Account/describe", status: 200, want: `{"name":"Account","keyPrefix":"001","fields":"*","*":"*"}`},
		{call: "GET limits", status: 200, wantHeader: []string{"Sforce-Limit-Info: api-usage=4/100000"},
			want: `{"DailyApiRequests":{"Max":100000,"Remaining":99996},"DailyBulkApiBatches":{"Max":15000,"Remaining":15000},"*":"*"}`},
	}},
}
