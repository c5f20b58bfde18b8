package localorg

import (
	"strings"
	"testing"
)

// TestRowErrors provokes each error of a row that is known from recorded answers: by a row that breaks a rule of the describe
// where that can be, else by a rule of the org's own setup. What a failed file says is compared as a whole; {id} in
// a wanted text stands for the id of the record that the setup made, with 15 characters.
func TestRowErrors(t *testing.T) {
	t.Parallel()
	no := false
	const (
		account = "Account insert Name,Legacy_Id__c|Acme,A-1"
		contact = "Contact insert LastName,Email|Ng,ng@example.com"
	)
	rule := func(code, message string, fields ...string) *Rule {
		return &Rule{Code: code, Message: message, Fields: fields}
	}
	tests := []struct {
		setup []string // jobs: object, operation, header|row…
		cfg   Config
		rule  *Rule
		job   string // {id} and {id18} stand for the record of the last setup job
		want  string
	}{
		{rule: rule("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: 0015g00000AbCdE"), job: account,
			want: "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records: 0015g00000AbCdE:--"},
		{rule: rule("TOO_MANY_APEX_REQUESTS", "Too many concurrent Apex requests"), job: account, want: "TOO_MANY_APEX_REQUESTS:Too many concurrent Apex requests:--"},
		{rule: rule("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "MyTrigger: System.LimitException: ns:Too many DML statements: 151"), job: account,
			want: "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:MyTrigger: System.LimitException: ns:Too many DML statements: 151:--"},
		{rule: rule("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "MyTrigger: execution of BeforeInsert\n\ncaused by: System.NullPointerException: Attempt to de-reference a null object\n\nTrigger.MyTrigger: line 3, column 1"), job: account,
			want: "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:MyTrigger: execution of BeforeInsert\n\ncaused by: System.NullPointerException: Attempt to de-reference a null object\n\nTrigger.MyTrigger: line 3, column 1:--"},
		{rule: rule("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "Too many retries of batch save in the presence of Apex triggers with failures"), job: account,
			want: "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:Too many retries of batch save in the presence of Apex triggers with failures:--"},
		{rule: rule("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "MyTrigger: System.LimitException: Apex CPU time limit exceeded"), job: account,
			want: "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:MyTrigger: System.LimitException: Apex CPU time limit exceeded:--"},
		{rule: rule("CANNOT_EXECUTE_FLOW_TRIGGER", "We can't save this record because the “Score” process failed."), job: account,
			want: "CANNOT_EXECUTE_FLOW_TRIGGER:We can't save this record because the “Score” process failed.:--"},
		{rule: rule("UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId if you contact support: 1730955361-49792 (-1117026034)"), job: account,
			want: "UNKNOWN_EXCEPTION:An unexpected error occurred. Please include this ErrorId if you contact support: 1730955361-49792 (-1117026034):--"},
		{setup: []string{account}, job: account, want: "DUPLICATE_VALUE:duplicate value found: Legacy_Id__c duplicates value on record with id: {id}:--"},
		{job: "Account upsert/Legacy_Id__c Name,Legacy_Id__c|One,x-1|Two,X-1", want: "DUPLICATE_VALUE:Duplicate external id specified: x-1:Legacy_Id__c --"},
		{setup: []string{contact, contact}, job: "Contact upsert/Email LastName,Email|Ng,ng@example.com", want: "DUPLICATE_EXTERNAL_ID:Email: more than one record found for external id field: [{before18}, {id18}]:Email --"},
		{rule: rule("DUPLICATES_DETECTED", "Use one of these records?"), job: account, want: "DUPLICATES_DETECTED:Use one of these records?:--"},
		{job: "Opportunity insert Name,CloseDate|Deal,", want: "REQUIRED_FIELD_MISSING:Required fields are missing: [StageName, CloseDate]:StageName,CloseDate --"},
		{rule: rule("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Phone numbers have a country code: +49 …", "Phone"), job: "Account insert Name,Phone|Acme,1",
			want: "FIELD_CUSTOM_VALIDATION_EXCEPTION:Phone numbers have a country code: +49 …:Phone --"},
		{rule: rule("FIELD_FILTER_VALIDATION_EXCEPTION", "Value does not exist or does not match filter criteria.", "ParentId"), job: account,
			want: "FIELD_FILTER_VALIDATION_EXCEPTION:Value does not exist or does not match filter criteria.:ParentId --"},
		{rule: rule("FIELD_INTEGRITY_EXCEPTION", "There's a problem with this state, even though it may appear correct. Please select a state from the list of valid states.: Billing State/Province", "BillingState"), job: account,
			want: "FIELD_INTEGRITY_EXCEPTION:There's a problem with this state, even though it may appear correct. Please select a state from the list of valid states.: Billing State/Province:BillingState --"},
		{job: "Contact insert LastName|" + strings.Repeat("é", 81), want: "STRING_TOO_LONG:Last Name: data value too large: " + strings.Repeat("é", 81) + " (max length=80):LastName --"},
		{job: "Account insert Name,NumberOfEmployees|Acme,1431655766", want: "NUMBER_OUTSIDE_VALID_RANGE:Employees: value outside of valid range on numeric field: 1431655766:NumberOfEmployees --"},
		{job: "Account insert Name,Tier__c|Acme,Lukewarm", want: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST:Tier: bad value for restricted picklist field: Lukewarm:Tier__c --"},
		{job: "Account insert Name,Regions__c|Acme,EMEA;MARS", want: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST:Regions: bad value for restricted picklist field: MARS:Regions__c --"},
		{job: "Account insert Name,ParentId|Acme,0015g0000000000", want: "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--"},
		{rule: rule("INVALID_CROSS_REFERENCE_KEY", "Record Type ID: this ID value isn't valid for the user: 0125g0000000001AAA", "RecordTypeId"), job: account,
			want: "INVALID_CROSS_REFERENCE_KEY:Record Type ID: this ID value isn't valid for the user: 0125g0000000001AAA:RecordTypeId --"},
		{setup: []string{account, "Account delete Id|{id18}"}, job: "Account insert Name,ParentId|Child,{id18}", want: "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY:insufficient access rights on cross-reference id:--"},
		{rule: rule("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"), job: account, want: "INSUFFICIENT_ACCESS_OR_READONLY:insufficient access rights on object id:--"},
		{job: "Contact insert LastName,AccountId|Ng,0035g00000AbCdE", want: "MALFORMED_ID:Account ID: id value of incorrect type: 0035g00000AbCdE:AccountId --"},
		{job: "Account update Id,Name|nonsense,x", want: "MALFORMED_ID:malformed id nonsense:Id --"},
		{setup: []string{contact}, job: "Account update Id,Name|{id},x", want: "MALFORMED_ID:Account ID: id value of incorrect type: {id}:Id --"},
		{job: "Opportunity insert Name,StageName,Amount,CloseDate|Deal,Prospecting,1,31.01.2026",
			want: "INVALID_FIELD:Failed to deserialize field at col 3. Due to, '31.01.2026' is not a valid value for the type xsd:date:CloseDate --"},
		{job: "Contact insert LastName,Account.Legacy_Id__c|Ng,x-9", want: "INVALID_FIELD:Foreign key external ID: x-9 not found for field Legacy_Id__c in entity Account:--"},
		{cfg: Config{AuditFields: &no}, job: "Account insert Name,CreatedDate|Acme,2020-01-01T00:00:00Z",
			want: "INVALID_FIELD_FOR_INSERT_UPDATE:Unable to create/update fields: CreatedDate. Please check the security settings of this field and verify that it is read/write for your profile or permission set.:CreatedDate --"},
		{setup: []string{"Invoice__c insert Issued__c,Legacy_Id__c|2026-01-01,I-1", "Invoice_Line__c insert Invoice__r.Legacy_Id__c,Product__c,Quantity__c|I-1,Nail,1"},
			job:  "Invoice_Line__c update Id,Invoice__r.Legacy_Id__c|{id},I-1",
			want: "INVALID_FIELD_FOR_INSERT_UPDATE:Unable to create/update fields: Invoice__c. Please check the security settings of this field and verify that it is read/write for your profile or permission set.:Invoice__c --"},
		{job: "Account insert Name,Active__c|Acme,#N/A", want: "INVALID_TYPE_ON_FIELD_IN_RECORD:Active: value not of required type: :Active__c --"},
		{job: "Contact insert LastName,Email|Ng,foo", want: "INVALID_EMAIL_ADDRESS:Email: invalid email address: foo:Email --"},
		{setup: []string{account, "Account delete Id|{id18}"}, job: "Account update Id,Name|{id},x", want: "ENTITY_IS_DELETED:entity is deleted:--"},
		{setup: []string{account, "Account delete Id|{id18}"}, job: "Account delete Id|{id}", want: "ENTITY_IS_DELETED:entity is deleted:--"},
		{rule: rule("ENTITY_IS_LOCKED", "the entity is locked for editing"), job: account, want: "ENTITY_IS_LOCKED:the entity is locked for editing:--"},
		{setup: []string{"Case insert Subject,Account.Legacy_Id__c|Broken,A-1"}, job: "Account delete Id|{account}",
			want: "DELETE_FAILED:Your attempt to delete Acme could not be completed because it is associated with the following cases.:--"},
		{rule: &Rule{Operation: "delete", Code: "DEPENDENCY_EXISTS", Message: "Your attempt to delete Acme could not be completed because it is associated with the following records: Nightly job"}, setup: []string{account}, job: "Account delete Id|{id}",
			want: "DEPENDENCY_EXISTS:Your attempt to delete Acme could not be completed because it is associated with the following records: Nightly job:--"},
		{setup: []string{"User insert Username,LastName,Email,Alias,IsActive|gone@example.com,Gone,gone@example.com,gone,false"}, job: "Contact insert LastName,OwnerId|Ng,{id}",
			want: "INACTIVE_OWNER_OR_USER:operation performed with inactive user [{id}] as owner of contact:--"},
		{rule: rule("OP_WITH_INVALID_USER_TYPE_EXCEPTION", "Operation not valid for this user type"), job: account, want: "OP_WITH_INVALID_USER_TYPE_EXCEPTION:Operation not valid for this user type:--"},
		{rule: rule("LIMIT_EXCEEDED", "You have reached the limit."), job: account, want: "LIMIT_EXCEEDED:You have reached the limit.:--"},
	}
	for _, test := range tests {
		test.cfg.KeepOrder = true
		c := open(t, test.cfg)
		fill := strings.NewReplacer()
		if len(test.setup) > 0 && strings.Contains(test.job, "{account}") {
			test.setup = append([]string{account}, test.setup...)
		}
		var ids []string
		replace := func() {
			if n := len(ids); n > 0 {
				pairs := []string{"{id18}", ids[n-1], "{id}", ids[n-1][:15], "{account}", ids[0]}
				if n > 1 {
					pairs = append(pairs, "{before18}", ids[n-2])
				}
				fill = strings.NewReplacer(pairs...)
			}
		}
		for _, s := range test.setup {
			if _, saved := c.runLine(fill.Replace(s)); saved != "" {
				ids = append(ids, saved)
				replace()
			} else {
				t.Fatalf("setup %s of %s failed", s, test.want)
			}
		}
		if test.rule != nil {
			if err := c.org.Rule(*test.rule); err != nil {
				t.Fatal(err)
			}
		}
		got, _ := c.runLine(fill.Replace(test.job))
		if want := fill.Replace(test.want); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", test.job, got, want)
		}
	}
}

// runLine runs the ingest job of a line such as "Account upsert/Legacy_Id__c Name,Legacy_Id__c|Acme,A-1". It gives the error of the first row that
// fails and the id of the first one that is saved.
func (c *client) runLine(line string) (fault, id string) {
	c.t.Helper()
	object, rest, _ := strings.Cut(line, " ")
	operation, body, _ := strings.Cut(rest, " ")
	operation, key, _ := strings.Cut(operation, "/")
	j := c.load(spec{"object": object, "operation": operation, "externalIdFieldName": key}, strings.ReplaceAll(body, "|", "\n")+"\n")
	if j.State != "JobComplete" {
		c.t.Fatalf("%s: %s %s", line, j.State, j.ErrorMessage)
	}
	header, _, _ := strings.Cut(body, "|")
	for _, row := range c.unsorted(j.ID, "failedResults", `"sf__Id","sf__Error",`+header) {
		fault = row[1]
		break
	}
	for _, row := range c.unsorted(j.ID, "successfulResults", `"sf__Id","sf__Created",`+header) {
		id = row[0]
		break
	}
	return fault, id
}

// TestErrorsOfCollections: the two errors that only several records at once can have.
func TestErrorsOfCollections(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	a := c.do("POST", "composite/sobjects", "application/json", `{"allOrNone":true,"records":[{"attributes":{"type":"Account"},"Name":"A"},{"attributes":{"type":"Account"}}]}`)
	if want := `"ALL_OR_NONE_OPERATION_ROLLED_BACK","message":"Record rolled back because not all records were valid and the request was using AllOrNone header"`; !strings.Contains(a.body, want) {
		t.Errorf("got %s", a.body)
	}
	a = c.do("POST", "composite", "application/json", `{"allOrNone":true,"compositeRequest":[{"method":"POST","url":"/services/data/v66.0/sobjects/Account","referenceId":"a","body":{"Name":"A"}},{"method":"POST","url":"/services/data/v66.0/sobjects/Account","referenceId":"b","body":{}}]}`)
	if want := `"PROCESSING_HALTED","message":"The transaction was rolled back since another operation in the same transaction failed."`; !strings.Contains(a.body, want) {
		t.Errorf("got %s", a.body)
	}
	if n := c.org.Count("Account"); n != 0 {
		t.Errorf("%d accounts were saved", n)
	}
}

// TestRules: which rows a rule means, and how often.
func TestRules(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	for _, body := range []string{
		`{"object":"Account","operation":"insert","field":"Phone","value":"13","code":"FIELD_CUSTOM_VALIDATION_EXCEPTION","message":"bad luck","fields":["Phone"]}`,
		`{"object":"Account","every":3,"times":2,"code":"UNABLE_TO_LOCK_ROW","message":"unable to obtain exclusive access to this record or 1 records: {id}"}`,
	} {
		if a := c.do("POST", "/local/rules", "application/json", body); a.status != 200 {
			t.Fatalf("%s: %d %s", body, a.status, a.body)
		}
	}
	var rows []string
	for i := range 20 {
		rows = append(rows, "x,"+itoa(i))
	}
	j := c.load(spec{"object": "Account", "operation": "insert"}, "Name,Phone\n"+strings.Join(rows, "\n")+"\n")
	failed := c.rows(j.ID, "failedResults", `"sf__Id","sf__Error",Name,Phone`)
	var phones []string
	for _, r := range failed {
		phones = append(phones, r[3]+" "+strings.SplitN(r[1], ":", 2)[0])
	}
	if got := strings.Join(phones, ", "); got != "13 FIELD_CUSTOM_VALIDATION_EXCEPTION, 2 UNABLE_TO_LOCK_ROW, 5 UNABLE_TO_LOCK_ROW" {
		t.Errorf("failed: %s", got)
	}
	if a := c.do("POST", "sobjects/Account", "application/json", `{"Name":"x","Phone":"13"}`); a.status != 400 || !strings.Contains(a.body, "bad luck") {
		t.Errorf("over REST: %d %s", a.status, a.body)
	}
	if a := c.do("DELETE", "/local/rules", "", ""); a.status != 200 {
		t.Errorf("clear: %d", a.status)
	}
	if a := c.do("POST", "sobjects/Account", "application/json", `{"Name":"x","Phone":"13"}`); a.status != 201 {
		t.Errorf("after clearing: %d %s", a.status, a.body)
	}
	for _, bad := range []string{`{"object":"Account"}`, `{"object":"Nothing","code":"X"}`, `{"object":"Account","field":"Nothing","code":"X"}`, `{"code":"X","every":-1}`, `{"nonsense":1}`} {
		if a := c.do("POST", "/local/rules", "application/json", bad); a.status != 400 {
			t.Errorf("%s: %d", bad, a.status)
		}
	}
}

// TestDeletesTakeChildrenAlong: cascade, restriction, and lookups that are cleared, by job and over REST.
func TestDeletesTakeChildrenAlong(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"delete", "hardDelete", "REST"} {
		dir := t.TempDir()
		c := openIn(t, dir)
		ids := c.insert("Account", "Name,Legacy_Id__c", "Parent,A-1", "Other,A-2")
		c.insert("Account", "Parent.Legacy_Id__c,Name", "A-1,Child")
		c.insert("Contact", "Account.Legacy_Id__c,LastName", "A-1,Gone", "A-2,Stays")
		c.insert("Invoice__c", "Account__r.Legacy_Id__c,Issued__c,Legacy_Id__c", "A-1,2026-01-01,I-1")
		c.insert("Invoice_Line__c", "Invoice__r.Legacy_Id__c,Quantity__c,Product__c", "I-1,1,Nail")
		remove := func(object, id string) {
			t.Helper()
			if operation != "REST" {
				if j := c.load(spec{"object": object, "operation": operation}, "Id\n"+id+"\n"); j.Failed > 0 {
					t.Fatalf("%s: %s", operation, c.get("jobs/ingest/"+j.ID+"/failedResults").body)
				}
			} else if a := c.do("DELETE", "sobjects/"+object+"/"+id, "", ""); a.status != 204 {
				t.Fatalf("delete: %d %s", a.status, a.body)
			}
		}
		check := func(when string) {
			t.Helper()
			if got := c.values("Contact", "LastName"); len(got) != 1 || got[0][0] != "Stays" {
				t.Errorf("%s %s: contacts %v", operation, when, got)
			}
			if got := c.values("Account", "Name", "ParentId"); len(got) != 2 || got[1][0] != "Child" || got[1][1] != "" {
				t.Errorf("%s %s: accounts %v", operation, when, got)
			}
			if c.org.Count("Invoice_Line__c") != 0 || c.org.Count("Invoice__c") != 0 {
				t.Errorf("%s %s: invoices are left", operation, when)
			}
		}
		remove("Account", ids[0])
		if got := c.values("Invoice__c", "Account__c"); len(got) != 1 || got[0][0] != "" {
			t.Errorf("%s: invoice %v", operation, got)
		}
		remove("Invoice__c", c.values("Invoice__c", "Id")[0][0])
		check("at once")
		if err := c.org.Close(); err != nil {
			t.Fatal(err)
		}
		c = openIn(t, dir)
		check("after a restart")
		if err := c.org.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// openIn opens an org that is kept in a folder; the caller closes it.
func openIn(t *testing.T, dir string) *client {
	t.Helper()
	o, err := Open(Config{Dir: dir, AccessToken: testToken})
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, org: o, rt: o.Transport(), token: testToken, version: "66.0"}
}
