package salesforce_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"migrate/pkg/salesforce"
)

const accountDescribe = `{"name":"Account","label":"Account","labelPlural":"Accounts","keyPrefix":"001","custom":false,
 "createable":true,"updateable":true,"deletable":true,"queryable":true,"undeletable":true,"urls":{"sobject":"/x"},
 "childRelationships":[{"childSObject":"Contact","field":"AccountId","relationshipName":"Contacts","cascadeDelete":true,"restrictedDelete":false}],
 "recordTypeInfos":[{"recordTypeId":"012000000000000AAA","developerName":"Master","name":"Master","available":true,"active":true,"master":true,"defaultRecordTypeMapping":true}],
 "fields":[
  {"name":"Id","type":"id","length":18,"byteLength":18,"idLookup":true,"nillable":false,"defaultedOnCreate":true,"relationshipName":null,"referenceTo":[],"picklistValues":[],"defaultValue":null},
  {"name":"Name","label":"Account Name","type":"string","soapType":"xsd:string","length":255,"byteLength":765,"createable":true,"updateable":true,"nillable":false},
  {"name":"Active__c","type":"boolean","createable":true,"nillable":false,"defaultedOnCreate":true,"defaultValue":false,"custom":true},
  {"name":"AnnualRevenue","type":"currency","precision":18,"scale":2,"digits":0,"createable":true,"nillable":true},
  {"name":"Rating","type":"picklist","restrictedPicklist":true,"nillable":true,"picklistValues":[{"value":"Hot","label":"Hot","active":true,"defaultValue":false,"validFor":"gAAA"},{"value":"Cold","label":"Kalt","active":false,"defaultValue":true}]},
  {"name":"ParentId","type":"reference","referenceTo":["Account"],"relationshipName":"Parent","nillable":true,"createable":true,"newProperty":{"x":1}},
  {"name":"BillingCity","type":"string","compoundFieldName":"BillingAddress","nillable":true},
  {"name":"Legacy_Id__c","type":"string","externalId":true,"unique":true,"caseSensitive":true,"idLookup":true,"nillable":true,"length":20}]}`

func TestDescribe(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/services/data/v66.0/sobjects/Account/describe", "/services/data/v66.0/sobjects/account/describe":
			w.Write([]byte(accountDescribe))
		case "/services/data/v66.0/sobjects":
			w.Write([]byte(`{"encoding":"UTF-8","maxBatchSize":200,"sobjects":[{"name":"Account","keyPrefix":"001","queryable":true},{"name":"Thing__c","keyPrefix":"a00"}]}`))
		case "/services/data/v66.0/sobjects/Other/describe":
			w.Write([]byte(accountDescribe))
		case "/services/data/v66.0/sobjects/Empty/describe":
			w.Write([]byte(`{}`))
		case "/services/data/v66.0/sobjects/Secret/describe":
			answerJSON(403, `[{"errorCode":"INSUFFICIENT_ACCESS","message":"no"}]`)(w)
		default:
			answerJSON(404, `[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]`)(w)
		}
	})
	o, err := c.Describe(t.Context(), "account")
	if err != nil {
		t.Fatal(err)
	}
	if o.Name != "Account" || o.KeyPrefix != "001" || !o.Createable || len(o.Fields) != 8 || len(o.ChildRelationships) != 1 || len(o.RecordTypes) != 1 {
		t.Errorf("got %+v", o)
	}
	for _, tt := range []struct {
		name string
		want *salesforce.Field
	}{
		{"NAME", &salesforce.Field{Name: "Name", Label: "Account Name", Type: "string", SOAPType: "xsd:string", Length: 255, ByteLength: 765, Createable: true, Updateable: true}},
		{"annualrevenue", &salesforce.Field{Name: "AnnualRevenue", Type: "currency", Precision: 18, Scale: 2, Createable: true, Nillable: true}},
		{"Rating", &salesforce.Field{Name: "Rating", Type: "picklist", RestrictedPicklist: true, Nillable: true, PicklistValues: []salesforce.PicklistValue{
			{Value: "Hot", Label: "Hot", Active: true, ValidFor: "gAAA"}, {Value: "Cold", Label: "Kalt", DefaultValue: true}}}},
		{"ParentId", &salesforce.Field{Name: "ParentId", Type: "reference", ReferenceTo: []string{"Account"}, RelationshipName: "Parent", Nillable: true, Createable: true}},
		{"BillingCity", &salesforce.Field{Name: "BillingCity", Type: "string", CompoundFieldName: "BillingAddress", Nillable: true}},
		{"legacy_id__C", &salesforce.Field{Name: "Legacy_Id__c", Type: "string", ExternalID: true, Unique: true, CaseSensitive: true, IDLookup: true, Nillable: true, Length: 20}},
		{"Active__c", &salesforce.Field{Name: "Active__c", Type: "boolean", Createable: true, DefaultedOnCreate: true, DefaultValue: json.RawMessage("false"), Custom: true}},
		{"Missing", nil},
	} {
		if diff := gocmp.Diff(tt.want, o.Field(tt.name)); diff != "" {
			t.Errorf("field %s (-want +got):\n%s", tt.name, diff)
		}
	}
	var required []string
	for i := range o.Fields {
		if o.Fields[i].Required() {
			required = append(required, o.Fields[i].Name)
		}
	}
	if diff := gocmp.Diff([]string{"Name"}, required); diff != "" {
		t.Errorf("required fields (-want +got):\n%s", diff)
	}

	if _, raw, err := c.DescribeRaw(t.Context(), "Account"); err != nil || string(raw) != accountDescribe {
		t.Errorf("raw: %v, got %s", err, raw)
	}
	list, err := c.SObjects(t.Context())
	if diff := gocmp.Diff([]salesforce.SObject{{Name: "Account", KeyPrefix: "001", Queryable: true}, {Name: "Thing__c", KeyPrefix: "a00"}}, list); err != nil || diff != "" {
		t.Errorf("objects: %v (-want +got):\n%s", err, diff)
	}

	for _, tt := range []struct{ object, outcome, say string }{
		{"Nothing__c", "404", "no object Nothing__c"},
		{"Secret", "403", "describe Secret"},
		{"Empty", "error", "with 0 fields"},
		{"Other", "error", `describes "Account"`},
		{"../limits", "error", "not the API name"},
		{"", "error", "not the API name"},
	} {
		_, err := c.Describe(t.Context(), tt.object)
		if got := outcome(err); got != tt.outcome || !strings.Contains(err.Error(), tt.say) {
			t.Errorf("%s: got %s: %v, want %s with %q", tt.object, got, err, tt.outcome, tt.say)
		}
	}
}
