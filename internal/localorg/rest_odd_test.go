package localorg

import (
	"fmt"
	"strings"
	"testing"
)

// oddScenarios are requests that no well-behaved client sends, and some that one may send.
var oddScenarios = []scenario{
	{name: "odd records", exchanges: []exchange{
		{call: "POST sobjects/Account", body: `{"Name":"A","Legacy_Id__c":"A-1","AnnualRevenue":1234567890123.5}`, status: 201, keep: []string{"a=id"}, want: `{"*":"*"}`},
		{call: "POST sobjects/Contact", body: `{"LastName":"C","Legacy_Id__c":"C-1","AccountId":"{a}"}`, status: 201, keep: []string{"c=id"}, want: `{"*":"*"}`},
		// a lookup to nothing is a fault of the value; the record itself is there
		{call: "PATCH sobjects/Contact/{c}", body: `{"AccountId":"0015g00000zzzzz"}`, status: 400, want: `[{"errorCode":"INVALID_CROSS_REFERENCE_KEY","message":"invalid cross reference id"}]`},
		{call: "PATCH sobjects/Contact/Legacy_Id__c/C-9", body: `{"LastName":"x","AccountId":"0015g00000zzzzz"}`, status: 400, want: `[{"errorCode":"INVALID_CROSS_REFERENCE_KEY","message":"invalid cross reference id"}]`},
		{call: "PATCH sobjects/Account/0015g00000zzzzz", body: `{"Name":"x"}`, status: 404, want: notFoundBody},
		{call: "POST sobjects/Account", body: `{"Name":"A","name":"B"}`, status: 400, want: `[{"errorCode":"INVALID_FIELD","message":"Duplicate field: Name","fields":["Name"]}]`},
		{call: "POST sobjects/Contact", body: `{"LastName":"x","Account.Legacy_Id__c":"A-1"}`, status: 400, want: `[{"errorCode":"INVALID_FIELD","message":"No such column 'Account.Legacy_Id__c' on sobject of type Contact","fields":["Account.Legacy_Id__c"]}]`},
		{call: "POST sobjects/Contact", body: `{"LastName":"x","AccountId":"{a}","Account":{"Legacy_Id__c":"A-1"}}`, status: 400, want: `[{"errorCode":"INVALID_FIELD","message":"Cannot specify both an external ID reference Account and a salesforce id, AccountId","fields":["AccountId"]}]`},
		{call: "POST sobjects/Account", body: `{"Name":"A"} and more`, status: 400, want: `[{"errorCode":"JSON_PARSER_ERROR","message":"*"}]`},
		{call: "POST sobjects/Account", body: `[]`, status: 400, want: `[{"errorCode":"JSON_PARSER_ERROR","message":"Cannot deserialize instance of object from START_ARRAY value or request may be missing a required field at [line:1, column:1]"}]`},
		{call: "POST sobjects/Account", header: []string{"Content-Type: application/json"}, body: `null`, status: 400, want: `[{"errorCode":"REQUIRED_FIELD_MISSING","message":"Required fields are missing: [Name]","fields":["Name"]}]`},
		{call: "POST sobjects/Account", body: `{"Name":["x"]}`, status: 400, want: `[{"errorCode":"JSON_PARSER_ERROR","message":"Cannot deserialize instance of string from START_ARRAY value"}]`},
		{call: "POST sobjects/Account", body: `{"Name":{"x":{"y":1}}}`, status: 400, want: `[{"errorCode":"INVALID_FIELD","message":"No such column 'Name' on sobject of type Account","fields":["Name"]}]`},
		{call: "POST sobjects/Account", body: `{"Name":"x","NumberOfEmployees":1e400}`, status: 400, want: `[{"errorCode":"NUMBER_OUTSIDE_VALID_RANGE","message":"*","fields":["NumberOfEmployees"]}]`},
		{call: "GET sobjects/Account/{a}?fields=.Name", status: 400, want: `[{"errorCode":"INVALID_FIELD","message":"*"}]`},
		{call: "GET sobjects/Account/{c}", status: 404, want: `[{"errorCode":"NOT_FOUND","message":"*"}]`},
		{call: "DELETE sobjects/Account/{c}", status: 400, want: `[{"errorCode":"MALFORMED_ID","message":"Account ID: id value of incorrect type: {c}","fields":["Id"]}]`},
	}},
	{name: "odd collections", exchanges: []exchange{
		{call: "POST composite/sobjects", header: []string{"Content-Type: application/json"}, body: `null`, status: 400, want: `[{"errorCode":"INVALID_FIELD","message":"*"}]`},
		{call: "POST composite/sobjects", body: `{"records":[null]}`, status: 400, want: `[{"errorCode":"INVALID_FIELD","message":"*"}]`},
		{call: "POST composite/sobjects", body: `{"records":[{"attributes":{"type":"RecordType"},"Name":"x"}]}`, status: 200,
			want: `[{"success":false,"errors":[{"statusCode":"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY","message":"*","fields":[]}]}]`},
		// an external id that stands twice in a call fails each time
		{call: "PATCH composite/sobjects/Account/Legacy_Id__c", body: `{"records":[{"attributes":{"type":"Account"},"Legacy_Id__c":"D-1","Name":"1"},{"attributes":{"type":"Account"},"Legacy_Id__c":"D-2","Name":"2"},{"attributes":{"type":"Account"},"legacy_id__c":"d-1","Name":"3"}]}`, status: 200,
			want: `[{"success":false,"errors":[{"statusCode":"DUPLICATE_VALUE","message":"Duplicate external id specified: D-1","fields":["Legacy_Id__c"]}]},{"id":"*","success":true,"errors":[],"created":true},
				{"success":false,"errors":[{"statusCode":"DUPLICATE_VALUE","message":"Duplicate external id specified: d-1","fields":["Legacy_Id__c"]}]}]`},
		{call: "DELETE composite/sobjects?ids=zzz000000000000,0055g000000001,0015g00000zzzzz", status: 200,
			want: `[{"success":false,"errors":[{"statusCode":"INVALID_CROSS_REFERENCE_KEY","message":"invalid cross reference id","fields":[]}]},
				{"success":false,"errors":[{"statusCode":"MALFORMED_ID","message":"malformed id 0055g000000001","fields":["Id"]}]},
				{"success":false,"errors":[{"statusCode":"INVALID_CROSS_REFERENCE_KEY","message":"invalid cross reference id","fields":[]}]}]`},
		{call: "DELETE composite/sobjects?ids=0055g0000000001", status: 200, want: `[{"success":false,"errors":[{"statusCode":"INSUFFICIENT_ACCESS_OR_READONLY","message":"insufficient access rights on object id","fields":[]}]}]`},
		{call: "POST composite/sobjects/Account", body: `{"ids":[null,1],"fields":["Name"]}`, status: 400, want: `[{"errorCode":"JSON_PARSER_ERROR","message":"*"}]`},
		{call: "POST composite/sobjects/Account", body: `{"ids":[null],"fields":["Name"]}`, status: 200, want: `[null]`},
	}},
	{name: "odd composites", exchanges: []exchange{
		{call: "POST composite", body: `{"compositeRequest":[null]}`, status: 400, want: `[{"errorCode":"INVALID_INPUT","message":"*"}]`},
		{call: "POST composite", header: []string{"Content-Type: application/json"}, body: `null`, status: 400, want: `[{"errorCode":"INVALID_INPUT","message":"*"}]`},
		// values of earlier answers: out of arrays, and such as JSON and addresses must escape
		{call: "POST composite", body: `{"compositeRequest":[
			{"method":"POST","url":"/services/data/v66.0/composite/sobjects","referenceId":"list","body":{"records":[{"attributes":{"type":"Account"},"Name":"a \"b\" & c+d","Phone":"\\","Legacy_Id__c":"A-1","AnnualRevenue":12345678901}]}},
			{"method":"GET","url":"/services/data/v66.0/sobjects/Account/@{list[0].id}?fields=Name,AnnualRevenue,Phone,Industry","referenceId":"acc"},
			{"method":"POST","url":"/services/data/v66.0/sobjects/Contact","referenceId":"con","body":{"LastName":"of @{acc.Name}: @{acc.AnnualRevenue} @{acc.Phone}","AccountId":"@{list[0].id}"}},
			{"method":"GET","url":"/services/data/v66.0/query?q=SELECT+LastName,AccountId+FROM+Contact+WHERE+Account.Name='@{acc.Name}'","referenceId":"q"},
			{"method":"GET","url":"/services/data/v66.0/sobjects/Account/@{list[1].id}","referenceId":"none"},
			{"method":"GET","url":"/services/data/v66.0/sobjects/Account/@{acc.Industry}","referenceId":"empty"},
			{"method":"GET","url":"/services/data/v66.0/sobjects/Account/@{acc}","referenceId":"whole"}]}`, status: 200,
			want: `{"compositeResponse":[{"body":"*","httpHeaders":{},"httpStatusCode":200,"referenceId":"list"},
				{"body":{"attributes":"*","Name":"a \"b\" & c+d","AnnualRevenue":12345678901,"Phone":"\\","Industry":null},"httpHeaders":{},"httpStatusCode":200,"referenceId":"acc"},
				{"body":{"id":"*","success":true,"errors":[]},"httpHeaders":{"Location":"*"},"httpStatusCode":201,"referenceId":"con"},
				{"body":{"totalSize":1,"done":true,"records":[{"attributes":"*","LastName":"of a \"b\" & c+d: 12345678901 \\","AccountId":"*"}]},"httpHeaders":{},"httpStatusCode":200,"referenceId":"q"},
				{"body":[{"errorCode":"PROCESSING_HALTED","message":"Invalid reference specified. No value for [1].id found in list"}],"httpHeaders":{},"httpStatusCode":400,"referenceId":"none"},
				{"body":[{"errorCode":"PROCESSING_HALTED","message":"Invalid reference specified. No value for Industry found in acc"}],"httpHeaders":{},"httpStatusCode":400,"referenceId":"empty"},
				{"body":[{"errorCode":"PROCESSING_HALTED","message":"*"}],"httpHeaders":{},"httpStatusCode":400,"referenceId":"whole"}]}`},
		{call: "POST composite", header: []string{"Accept: application/xml"}, body: `{"compositeRequest":[{"method":"POST","url":"/services/data/v66.0/sobjects/Account","referenceId":"a","body":{}},
			{"method":"","url":"/services/data/v66.0/sobjects/Account","referenceId":"b"},{"method":"GET","url":"http://elsewhere/services/data/v66.0/sobjects","referenceId":"c"},{"method":"GET","url":"%","referenceId":"d"},{"method":"GET","url":"","referenceId":"e"}]}`, status: 200,
			want: `{"compositeResponse":[{"body":[{"errorCode":"REQUIRED_FIELD_MISSING","message":"*","fields":["Name"]}],"httpHeaders":{},"httpStatusCode":400,"referenceId":"a"},
				{"body":[{"errorCode":"INVALID_INPUT","message":"*"}],"httpHeaders":{},"httpStatusCode":400,"referenceId":"b"},{"body":[{"errorCode":"INVALID_INPUT","message":"*"}],"httpHeaders":{},"httpStatusCode":400,"referenceId":"c"},
				{"body":[{"errorCode":"INVALID_INPUT","message":"*"}],"httpHeaders":{},"httpStatusCode":400,"referenceId":"d"},{"body":[{"errorCode":"INVALID_INPUT","message":"*"}],"httpHeaders":{},"httpStatusCode":400,"referenceId":"e"}]}`},
		{call: "POST composite/graph", body: `{"graphs":[null]}`, status: 400, want: `[{"errorCode":"INVALID_INPUT","message":"*"}]`},
		{call: "POST composite/graph", body: `{"graphs":[{"graphId":"g","compositeRequest":[{"method":"GET","url":"/services/data/v66.0/sobjects/Account","referenceId":"a"}]},{"graphId":"g","compositeRequest":[{"method":"GET","url":"/services/data/v66.0/sobjects/Account","referenceId":"a"}]}]}`,
			status: 400, want: `[{"errorCode":"INVALID_INPUT","message":"*"}]`},
		{call: "POST composite/graph", body: graphOf(16, func(i int) string { return fmt.Sprintf("/services/data/v66.0/sobjects/Thing%d", i) }), status: 400, want: `[{"errorCode":"LIMIT_EXCEEDED","message":"The request has 16 kinds of nodes, 15 are allowed"}]`},
		{call: "POST composite/graph", body: graphOf(16, func(i int) string { return fmt.Sprintf("/services/data/v66.0/sobjects/Account/@{r%d.id}", i-1) }), status: 400, want: `[{"errorCode":"LIMIT_EXCEEDED","message":"Graph g has a depth of 16, 15 are allowed"}]`},
	}},
	{name: "odd trees", exchanges: []exchange{
		{call: "POST composite/tree/Account", body: `{"records":[null]}`, status: 400, want: `[{"errorCode":"INVALID_INPUT","message":"*"}]`},
		{call: "POST composite/tree/Account", body: `{"records":[{"attributes":{"type":"Account","referenceId":"r1"},"Name":"T","Contacts":null,"Opportunities":{"records":[{"attributes":{"type":"Opportunity","referenceId":"o1"},"Name":"O","StageName":"Prospecting","CloseDate":"2026-01-01"}]},
			"ChildAccounts":{"records":[{"attributes":{"type":"Account","referenceId":"k1"},"Name":"K"}]}}]}`, status: 201, keep: []string{}, want: `{"hasErrors":false,"results":[{"referenceId":"r1","id":"*"},{"referenceId":"k1","id":"*"},{"referenceId":"o1","id":"*"}]}`},
		{call: "POST composite/tree/Account", body: `{"records":[{"attributes":{"type":"Account","referenceId":"r1"},"Contacts":{"records":[{"attributes":{"type":"Contact","referenceId":"c1"},"LastName":"x"}]}},{"attributes":{"type":"Account","referenceId":"r2"},"Name":"Good"}]}`, status: 400,
			want: `{"hasErrors":true,"results":[{"referenceId":"r1","errors":[{"statusCode":"REQUIRED_FIELD_MISSING","message":"*","fields":["Name"]}]}]}`},
		{call: "GET query?q=SELECT+COUNT()+FROM+Account", status: 200, want: `{"totalSize":2,"done":true,"records":[]}`},
		{call: "POST composite/tree/Account", body: `{"records":[` + strings.TrimSuffix(strings.Repeat(`{"attributes":{"type":"Account","referenceId":"x"},"Name":"T"},`, 300), ",") + `]}`, status: 400, want: `[{"errorCode":"INVALID_INPUT","message":"*"}]`},
	}},
}

// graphOf makes the body of a graph call of one graph.
func graphOf(n int, address func(i int) string) string {
	var list []string
	for i := range n {
		url := "/services/data/v66.0/sobjects/Account/x"
		if i > 0 || !strings.Contains(address(1), "@{") {
			url = address(i)
		}
		list = append(list, fmt.Sprintf(`{"method":"GET","url":%q,"referenceId":"r%d"}`, url, i))
	}
	return `{"graphs":[{"graphId":"g","compositeRequest":[` + strings.Join(list, ",") + `]}]}`
}

func TestOddExchanges(t *testing.T) {
	t.Parallel()
	for _, s := range oddScenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, s.cfg)
			kept := map[string]string{}
			for _, e := range s.exchanges {
				e.run(c, kept)
			}
		})
	}
}
