package localorg

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// faults loads rows and gives sf__Id and sf__Error of each in the order of the rows; both are "" for a row that went in.
func (c *client) faults(s spec, body string) (ids, errors []string) {
	c.t.Helper()
	j := c.load(s, body)
	if j.State != "JobComplete" {
		c.t.Fatalf("job %+v", j)
	}
	c.org.mu.RLock()
	defer c.org.mu.RUnlock()
	in, _ := c.org.job(j.ID)
	for _, oc := range in.outcomes {
		var f failure
		if oc&outcomeFailed != 0 {
			f = in.failures[oc&^outcomeFailed]
		}
		ids, errors = append(ids, f.id), append(errors, f.text)
	}
	return ids, errors
}

func TestRowErrorsOnInsert(t *testing.T) {
	t.Parallel()
	no := false
	tests := []struct {
		name, object, body string
		cfg                Config
		want               []string // by row
	}{
		{name: "required", object: "Opportunity", body: "Name,StageName,CloseDate\n,Prospecting,2026-01-31\n,,\na,#N/A,2026-01-31\n",
			want: []string{"REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --",
				"REQUIRED_FIELD_MISSING:Required fields are missing: [Name, StageName, CloseDate]:Name,StageName,CloseDate --",
				"REQUIRED_FIELD_MISSING:Required fields are missing: [StageName]:StageName --"}},
		{name: "required column missing", object: "Contact", body: "FirstName\na\n", want: []string{"REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"}},
		{name: "defaulted field set to null", object: "Lead", body: "LastName,Company,Status\na,b,#N/A\na,b,\n",
			want: []string{"REQUIRED_FIELD_MISSING:Required fields are missing: [Status]:Status --", ""}},
		{name: "text too long", object: "Contact", body: "LastName\n" + strings.Repeat("x", 81) + "\n" + strings.Repeat("x", 80) + "\n",
			want: []string{"STRING_TOO_LONG:Last Name: data value too large: " + strings.Repeat("x", 81) + " (max length=80):LastName --", ""}},
		{name: "wrong types", object: "Opportunity", body: "Name,StageName,CloseDate,Amount\na,b,31.01.2026,1\na,b,2026-01-31,x\na,b,x,y\n",
			want: []string{"INVALID_FIELD:Failed to deserialize field at col 2. Due to, '31.01.2026' is not a valid value for the type xsd:date:CloseDate --",
				"INVALID_FIELD:Failed to deserialize field at col 3. Due to, 'x' is not a valid value for the type xsd:double:Amount --",
				"INVALID_FIELD:Failed to deserialize field at col 2. Due to, 'x' is not a valid value for the type xsd:date:CloseDate --"}},
		{name: "columns from one", cfg: Config{ColumnsFromOne: true}, object: "Account", body: "Name,NumberOfEmployees\na,many\n",
			want: []string{"INVALID_FIELD:Failed to deserialize field at col 2. Due to, 'many' is not a valid value for the type xsd:int:NumberOfEmployees --"}},
		{name: "boolean and datetime", object: "Invoice__c", body: "Issued__c,Paid__c,Due__c\n2026-01-31,maybe,\n2026-01-31,,tomorrow\n",
			want: []string{"INVALID_FIELD:Failed to deserialize field at col 1. Due to, 'maybe' is not a valid value for the type xsd:boolean:Paid__c --",
				"INVALID_FIELD:Failed to deserialize field at col 2. Due to, 'tomorrow' is not a valid value for the type xsd:dateTime:Due__c --"}},
		{name: "checkbox set to null", object: "Invoice__c", body: "Issued__c,Paid__c\n2026-01-31,#N/A\n",
			want: []string{"INVALID_TYPE_ON_FIELD_IN_RECORD:Paid: value not of required type: :Paid__c --"}},
		{name: "range", object: "Account", body: "Name,NumberOfEmployees\na,100000000\n",
			want: []string{"NUMBER_OUTSIDE_VALID_RANGE:Employees: value outside of valid range on numeric field: 100000000:NumberOfEmployees --"}},
		{name: "restricted picklist", object: "Account", body: "Name,Tier__c,Industry\na,Platinum,Whatever\na,Gold,Whatever\n",
			want: []string{"INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST:Tier: bad value for restricted picklist field: Platinum:Tier__c --", ""}},
		{name: "email", object: "Contact", body: "LastName,Email\na,foo\n", want: []string{"INVALID_EMAIL_ADDRESS:Email: invalid email address: foo:Email --"}},
		{name: "references", object: "Contact", body: "LastName,AccountId\na,x\na,0035g00000AbCdE\na,0015g00000AbCdE\na,0015g00000AbCdEAAA\n",
			want: []string{"MALFORMED_ID:Account ID: id value of incorrect type: x:AccountId --",
				"MALFORMED_ID:Account ID: id value of incorrect type: 0035g00000AbCdE:AccountId --",
				"INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--",
				"MALFORMED_ID:Account ID: id value of incorrect type: 0015g00000AbCdEAAA:AccountId --"}},
		{name: "parent not found", object: "Contact", body: "LastName,Account.Legacy_Id__c\na,x-9\n",
			want: []string{"INVALID_FIELD:Foreign key external ID: x-9 not found for field Legacy_Id__c in entity Account:--"}},
		{name: "not writeable", object: "Contact", body: "LastName,Name,IsDeleted\na,b,true\na,,\n",
			want: []string{"INVALID_FIELD_FOR_INSERT_UPDATE:Unable to create/update fields: IsDeleted, Name. Please check the security settings of this field and verify that it is read/write for your profile or permission set.:IsDeleted,Name --", ""}},
		{name: "audit fields off", cfg: Config{AuditFields: &no}, object: "Contact", body: "LastName,CreatedDate\na,2020-01-01T00:00:00Z\n",
			want: []string{"INVALID_FIELD_FOR_INSERT_UPDATE:Unable to create/update fields: CreatedDate. Please check the security settings of this field and verify that it is read/write for your profile or permission set.:CreatedDate --"}},
		{name: "id on insert", object: "Contact", body: "LastName,Id\na,0035g00000AbCdE\nb,\n",
			want: []string{"INVALID_FIELD_FOR_INSERT_UPDATE:cannot specify Id in an insert call:Id --", ""}},
		{name: "shape of the row", object: "Contact", body: "LastName,FirstName\na\na,b,c\na, \"b\"\n\"a\" ,b\na,b\n\na,b\n",
			want: []string{"INVALID_FIELD:Number of columns in the row is 1, the header has 2:--",
				"INVALID_FIELD:Number of columns in the row is 3, the header has 2:--",
				"INVALID_FIELD:Failed to parse CSV. Found a blank between a delimiter and a quote:--",
				"INVALID_FIELD:Failed to parse CSV. Found a blank between a delimiter and a quote:--", "", ""}},
		{name: "row too long", object: "Contact", body: "LastName,Description\na," + strings.Repeat("x", 400_001) + "\n",
			want: []string{"INVALID_FIELD:The row is longer than 400000 characters:--"}},
		{name: "date outside the calendar", object: "Contact", body: "LastName,Birthdate\na,0205-06-07\n",
			want: []string{"FIELD_INTEGRITY_EXCEPTION:Birthdate: invalid date: 0205-06-07:Birthdate --"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, test.cfg)
			_, got := c.faults(spec{"object": test.object, "operation": "insert"}, test.body)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			saved := 0
			for _, e := range test.want {
				if e == "" {
					saved++
				}
			}
			if got := c.org.Count(test.object); got != saved {
				t.Errorf("%d rows saved, want %d", got, saved)
			}
		})
	}
}

func TestUnique(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	ids := c.insert("Account", "Name,Legacy_Id__c", "a,K-1")
	_, got := c.faults(spec{"object": "Account", "operation": "insert"}, "Name,Legacy_Id__c\nb,k-1\nc,K-2\nd,K-2\ne,\nf,\n")
	second := c.values("Account", "Id")[1][0]
	want := []string{
		"DUPLICATE_VALUE:duplicate value found: Legacy_Id__c duplicates value on record with id: " + ids[0][:15] + ":--", "",
		"DUPLICATE_VALUE:duplicate value found: Legacy_Id__c duplicates value on record with id: " + second[:15] + ":--", "", "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// an update may keep its own value, but not take another's
	gotIDs, got := c.faults(spec{"object": "Account", "operation": "update"}, "Id,Legacy_Id__c\n"+ids[0]+",K-1\n"+ids[0]+",K-2\n")
	want = []string{"", "DUPLICATE_VALUE:duplicate value found: Legacy_Id__c duplicates value on record with id: " + second[:15] + ":--"}
	if diff := cmp.Diff(want, got); diff != "" || gotIDs[1] != ids[0] {
		t.Errorf("ids %v (-want +got)\n%s", gotIDs, diff)
	}
	// a value is free again when its record is gone
	c.load(spec{"object": "Account", "operation": "delete"}, "Id\n"+ids[0]+"\n")
	if _, got := c.faults(spec{"object": "Account", "operation": "insert"}, "Name,Legacy_Id__c\nb,k-1\n"); got[0] != "" {
		t.Errorf("after delete: %s", got[0])
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	clk := newClock()
	c := open(t, Config{Now: clk.now})
	ids := c.insert("Account", "Name,Phone,AnnualRevenue,Active__c,Legacy_Id__c", "Acme,1,2.5,1,A-1", "Beta,2,,0,A-2", "Gone,3,,,A-3", "Purged,4,,,A-4")
	c.load(spec{"object": "Account", "operation": "delete"}, "Id\n"+ids[2]+"\n")
	c.load(spec{"object": "Account", "operation": "hardDelete"}, "Id\n"+ids[3]+"\n")
	clk.add(time.Hour)
	// an empty cell leaves a field alone, #N/A clears it
	body := "Phone,Id,AnnualRevenue,Name\n" +
		"#N/A," + ids[0][:15] + ",,\n" +
		",,,\n,x,,\n,0035g00000AbCdE,,\n,0015g00000zzzzz,,\n," + ids[2] + ",,\n," + ids[3] + ",,\n" +
		"9," + ids[1] + ",#N/A,#N/A\n" +
		"9," + ids[1] + ",7,\n"
	gotIDs, got := c.faults(spec{"object": "Account", "operation": "update"}, body)
	want := []string{"", "MISSING_ARGUMENT:Id not specified in an update call:--", "MALFORMED_ID:malformed id x:Id --",
		"MALFORMED_ID:Account ID: id value of incorrect type: 0035g00000AbCdE:Id --", "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--",
		"ENTITY_IS_DELETED:entity is deleted:--", "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--",
		"REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --", ""}
	if diff := cmp.Diff(want, got); diff != "" || gotIDs[7] != ids[1] {
		t.Errorf("ids %v (-want +got)\n%s", gotIDs, diff)
	}
	wantRows := [][]string{
		{"Acme", "", "2", "true", "2026-01-02T03:04:05Z", "2026-01-02T04:04:05Z"},
		{"Beta", "9", "7", "false", "2026-01-02T03:04:05Z", "2026-01-02T04:04:05Z"},
	}
	if diff := cmp.Diff(wantRows, c.values("Account", "Name", "Phone", "AnnualRevenue", "Active__c", "CreatedDate", "SystemModstamp")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	_, got = c.faults(spec{"object": "Account", "operation": "update"}, "Id,CreatedDate\n"+ids[0]+",2020-01-01T00:00:00Z\n")
	if !strings.HasPrefix(got[0], "INVALID_FIELD_FOR_INSERT_UPDATE:Unable to create/update fields: CreatedDate.") {
		t.Errorf("audit field on update: %s", got[0])
	}
	if _, got = c.faults(spec{"object": "Account", "operation": "update"}, "Name\nx\n"); got[0] != want[1] {
		t.Errorf("update without the column Id: %s", got[0])
	}
}

func TestUpsert(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	s := spec{"object": "Account", "operation": "upsert", "externalIdFieldName": "Legacy_Id__c"}
	ids := c.insert("Account", "Name,Legacy_Id__c", "Acme,A-1")
	j := c.load(s, "Name,Phone,Legacy_Id__c\nAcme 2,7,a-1\nBeta,8,A-2\n,9,A-3\nNobody,9,\nTwin,1,T-1\nTwin,2,t-1\n")
	if j.Processed != 6 || j.Failed != 4 {
		t.Fatalf("%+v", j)
	}
	good := c.rows(j.ID, "successfulResults", `"sf__Id","sf__Created",Name,Phone,Legacy_Id__c`)
	if diff := cmp.Diff([]string{"true", "Beta", "8", "A-2"}, good[0][1:]); diff != "" {
		t.Errorf("inserted (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{ids[0], "false", "Acme 2", "7", "a-1"}, good[1]); diff != "" {
		t.Errorf("updated (-want +got)\n%s", diff)
	}
	bad := c.rows(j.ID, "failedResults", `"sf__Id","sf__Error",Name,Phone,Legacy_Id__c`)
	want := [][]string{
		{"", "MISSING_ARGUMENT:Legacy_Id__c not specified:--", "Nobody", "9", ""},
		{"", "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --", "", "9", "A-3"},
		{"", "DUPLICATE_VALUE:Duplicate external id specified: T-1:Legacy_Id__c --", "Twin", "1", "T-1"},
		{"", "DUPLICATE_VALUE:Duplicate external id specified: t-1:Legacy_Id__c --", "Twin", "2", "t-1"},
	}
	if diff := cmp.Diff(want, bad); diff != "" {
		t.Errorf("failed (-want +got)\n%s", diff)
	}
	if _, got := c.faults(s, "Name\nx\n"); got[0] != "MISSING_ARGUMENT:Legacy_Id__c not specified:--" {
		t.Errorf("upsert without its column: %s", got[0])
	}
	_, got := c.faults(s, "Name,Legacy_Id__c,Id\nx,A-9,"+ids[0]+"\n")
	if got[0] != "INVALID_FIELD:The Id field should not be specified in the sobject data.:Id --" {
		t.Errorf("upsert with an id: %s", got[0])
	}
	c = open(t, Config{FirstDuplicateWins: true})
	_, got = c.faults(s, "Name,Legacy_Id__c\nTwin,T-1\nTwin,t-1\n")
	if got[0] != "" || got[1] != "DUPLICATE_VALUE:Duplicate external id specified: t-1:Legacy_Id__c --" {
		t.Errorf("first wins: %q", got)
	}
}

func TestUpsertByID(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	ids := c.insert("Account", "Name", "Acme")
	j := c.load(spec{"object": "Account", "operation": "upsert", "externalIdFieldName": "Id"}, "Id,Name\n"+ids[0]+",Acme 2\n,Beta\n")
	if j.Failed != 0 || j.Processed != 2 {
		t.Fatalf("%+v", j)
	}
	if diff := cmp.Diff([][]string{{"Acme 2"}, {"Beta"}}, c.values("Account", "Name")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Username is a standard field that works as a key; Email of a contact is one that several records may share.
func TestOtherKeys(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	ids := c.insert("Contact", "Email,LastName", "a@example.com,a", "A@example.com,b", "c@example.com,c")
	_, got := c.faults(spec{"object": "Contact", "operation": "upsert", "externalIdFieldName": "Email"}, "Email,FirstName\na@example.com,x\nc@example.com,y\n")
	want := []string{fmt.Sprintf("DUPLICATE_EXTERNAL_ID:Email: more than one record found for external id field: [%s, %s]:Email --", ids[0], ids[1]), ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("upsert (-want +got)\n%s", diff)
	}
	_, got = c.faults(spec{"object": "Contact", "operation": "insert"},
		"LastName,ReportsTo.Email\nd,c@example.com\ne,A@EXAMPLE.com\n")
	want = []string{"", "INVALID_FIELD:Foreign key external ID: A@EXAMPLE.com matches more than one record for field Email in entity Contact:--"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parents (-want +got)\n%s", diff)
	}
	if row := c.values("Contact", "LastName", "ReportsToId")[3]; row[0] != "d" || row[1] != ids[2] {
		t.Errorf("row %q, want d reporting to %s", row, ids[2])
	}
}

func TestRelationships(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	account := c.insert("Account", "Name,RecordType.DeveloperName,Legacy_Id__c", "Acme,Household,A-1")[0]
	lead := c.insert("Lead", "LastName,Company,Legacy_Id__c", "Ng,Beta,L-1")[0]
	contact := c.insert("Contact", "LastName,Account.Legacy_Id__c,Owner.Email", "Ng,a-1,INTEGRATION@example.com")[0]
	opportunity := c.insert("Opportunity", "Name,StageName,CloseDate,AccountId,Legacy_Id__c", "Deal,Prospecting,2026-01-31,"+account[:15]+",O-1")[0]
	invoice := c.insert("Invoice__c", "Issued__c,Account__r.Legacy_Id__c,Opportunity__r.Legacy_Id__c,Owner.Id", "2026-01-31,A-1,O-1,"+string(c.org.user))[0]
	c.insert("Task", "Lead:Who.Legacy_Id__c,Invoice__c:What.Name,Subject", "L-1,INV-000001,a")
	c.insert("Task", "WhoId,WhatId,Subject", contact+","+account+",b")
	if diff := cmp.Diff([][]string{{lead, invoice, "Not Started", "Normal"}, {contact, account, "Not Started", "Normal"}}, c.values("Task", "WhoId", "WhatId", "Status", "Priority")); diff != "" {
		t.Errorf("tasks (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{account, c.values("User", "Id")[1][0], "Ng"}}, c.values("Contact", "AccountId", "OwnerId", "Name")); diff != "" {
		t.Errorf("contacts (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"INV-000001", account, opportunity, string(c.org.user), "false"}}, c.values("Invoice__c", "Name", "Account__c", "Opportunity__c", "OwnerId", "Paid__c")); diff != "" {
		t.Errorf("invoices (-want +got)\n%s", diff)
	}
	if got := c.values("Account", "RecordTypeId")[0][0]; got != c.values("RecordType", "Id")[1][0] {
		t.Errorf("record type %s", got)
	}
	_, got := c.faults(spec{"object": "Contact", "operation": "insert"}, "LastName,AccountId,Account.Legacy_Id__c\na,"+account+",A-1\nb,"+account+",\nc,,A-1\n")
	want := []string{"INVALID_FIELD:Cannot specify both an external ID reference Account and a salesforce id, AccountId:AccountId --", "", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("both forms (-want +got)\n%s", diff)
	}
	c.load(spec{"object": "Account", "operation": "delete"}, "Id\n"+account+"\n")
	_, got = c.faults(spec{"object": "Contact", "operation": "insert"}, "LastName,AccountId,Account.Legacy_Id__c\na,"+account+",\nb,,A-1\n")
	want = []string{"INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY:insufficient access rights on cross-reference id:--",
		"INVALID_FIELD:Foreign key external ID: A-1 not found for field Legacy_Id__c in entity Account:--"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deleted parent (-want +got)\n%s", diff)
	}
}

func TestInactiveOwner(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	user := c.values("User", "Id")[1][0]
	if _, got := c.faults(spec{"object": "User", "operation": "update"}, "Id,IsActive\n"+user+",false\n"); got[0] != "" {
		t.Fatal(got)
	}
	_, got := c.faults(spec{"object": "Contact", "operation": "insert"}, "LastName,OwnerId\na,"+user+"\n")
	if want := "INACTIVE_OWNER_OR_USER:operation performed with inactive user [" + user[:15] + "] as owner of contact:--"; got[0] != want {
		t.Errorf("got %s, want %s", got[0], want)
	}
}

// Rows do not see parents that the same job made, whatever batch they are in.
func TestSiblings(t *testing.T) {
	t.Parallel()
	body := "Name,Legacy_Id__c,Parent.Legacy_Id__c\nTop,P-1,\n" + strings.Repeat("x,,\n", 250) + "Child,P-2,P-1\n"
	for _, see := range []bool{false, true} {
		c := open(t, Config{SeeSiblings: see})
		_, got := c.faults(spec{"object": "Account", "operation": "insert"}, body)
		want := "INVALID_FIELD:Foreign key external ID: P-1 not found for field Legacy_Id__c in entity Account:--"
		if see {
			want = ""
		}
		if last := got[len(got)-1]; last != want {
			t.Errorf("see %v: got %q, want %q", see, last, want)
		}
		if _, got := c.faults(spec{"object": "Account", "operation": "insert"}, "Name,Parent.Legacy_Id__c\nx,P-1\n"); got[0] != "" {
			t.Errorf("next job: %s", got[0])
		}
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	ids := c.insert("Account", "Name", "a", "b", "c")
	gotIDs, got := c.faults(spec{"object": "Account", "operation": "delete"}, "id\n"+ids[0]+"\n"+ids[0]+"\nx\n\"\"\n")
	want := []string{"", "ENTITY_IS_DELETED:entity is deleted:--", "MALFORMED_ID:malformed id x:Id --", "MISSING_ARGUMENT:Id not specified in a delete call:--"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ids %v (-want +got)\n%s", gotIDs, diff)
	}
	_, got = c.faults(spec{"object": "Account", "operation": "hardDelete"}, "Id\n"+ids[0]+"\n"+ids[1]+"\n"+ids[1]+"\n")
	if diff := cmp.Diff([]string{"", "", "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--"}, got); diff != "" {
		t.Errorf("hard delete (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{ids[2], "c"}}, c.values("Account", "Id", "Name")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := c.org.Audit().Objects["Account"]; got != (ObjectAudit{Rows: 1}) {
		t.Errorf("audit %+v", got)
	}
}

func TestAuditFields(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	c.insert("Account", "CreatedDate,LastModifiedDate,CreatedById,Name", "2001-02-03T04:05:06.789+01:00,2002-01-01T00:00:00Z,"+c.values("User", "Id")[1][0]+",a")
	want := [][]string{{"2001-02-03T03:05:06Z", "2002-01-01T00:00:00Z", c.values("User", "Id")[1][0], string(c.org.user)}}
	if diff := cmp.Diff(want, c.values("Account", "CreatedDate", "LastModifiedDate", "CreatedById", "LastModifiedById")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDialects(t *testing.T) {
	t.Parallel()
	for name, delim := range delimiters {
		for _, ending := range []string{"LF", "CRLF"} {
			eol := map[string]string{"LF": "\n", "CRLF": "\r\n"}[ending]
			d := string(delim)
			for _, comma := range []bool{false, true} {
				c := open(t, Config{CommaResults: comma})
				header := "Name" + d + "AnnualRevenue" + d + "Legacy_Id__c"
				j := c.load(spec{"object": "Account", "operation": "insert", "columnDelimiter": name, "lineEnding": ending},
					header+eol+"\"a"+d+"b\""+d+"1e7"+d+"A-1"+eol)
				if j.State != "JobComplete" || j.Failed != 0 {
					t.Errorf("%s %s: %+v", name, ending, j)
					continue
				}
				row := c.values("Account", "Id", "Name", "AnnualRevenue")[0]
				if row[1] != "a"+d+"b" || row[2] != "10000000" {
					t.Errorf("%s %s: %q", name, ending, row)
				}
				out, outHeader := d, header
				if comma && d != "," {
					out, outHeader = ",", `"Name","AnnualRevenue","Legacy_Id__c"`
				}
				want := `"sf__Id"` + out + `"sf__Created"` + out + outHeader + eol + `"` + row[0] + `"` + out + `"true"` + out + `"a` + d + `b"` + out + `"1.0E7"` + out + `"A-1"` + eol
				if got := c.get("jobs/ingest/" + j.ID + "/successfulResults").body; got != want {
					t.Errorf("%s %s comma %v: got %q, want %q", name, ending, comma, got, want)
				}
			}
		}
	}
}

func TestEcho(t *testing.T) {
	t.Parallel()
	const header = "Issued__c,Due__c,Paid__c,Amount__c,Status__c,Notes__c,Legacy_Id__c"
	row := "2026-01-31Z,2026-01-31T10:00:00+01:00,1,1234.50,Void,#N/A,x\n"
	tests := []struct {
		typed bool
		want  []string
	}{
		{false, []string{"2026-01-31Z", "2026-01-31T10:00:00+01:00", "1", "1234.5", "Void", "#N/A", "x"}},
		{true, []string{"2026-01-31", "2026-01-31T09:00:00.000Z", "true", "1234.5", "Void", "", "x"}},
	}
	for _, test := range tests {
		c := open(t, Config{EchoTyped: test.typed})
		j := c.load(spec{"object": "Invoice__c", "operation": "insert"}, header+"\n"+row+"bad,,2,1,Unknown,,y\n")
		good := c.rows(j.ID, "successfulResults", `"sf__Id","sf__Created",`+header)
		if diff := cmp.Diff(test.want, good[0][2:]); diff != "" {
			t.Errorf("typed %v (-want +got)\n%s", test.typed, diff)
		}
		bad := c.rows(j.ID, "failedResults", `"sf__Id","sf__Error",`+header)
		if diff := cmp.Diff([]string{"bad", "", "2", "1.0", "Unknown", "", "y"}, bad[0][2:]); diff != "" {
			t.Errorf("typed %v, failed (-want +got)\n%s", test.typed, diff)
		}
	}
}

func TestInvalidUTF8(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	c.load(spec{"object": "Account", "operation": "insert"}, "Name\nM\xfcller\n")
	if diff := cmp.Diff([][]string{{"M\ufffdller"}}, c.values("Account", "Name")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := c.org.Audit().Violations; len(got) != 1 || got[0].Kind != ViolationEncoding {
		t.Errorf("violations %+v", got)
	}
}

// An abort, and a daily limit inside a job, leave the three result sets in balance: every row is in one of them.
func TestPartialJobs(t *testing.T) {
	t.Parallel()
	const rows = 35_000
	var b strings.Builder
	b.WriteString("Name,AnnualRevenue\n")
	for i := range rows {
		if i%1000 == 7 {
			fmt.Fprintf(&b, ",%d\n", i) // fails
		} else {
			fmt.Fprintf(&b, "\"n %d\",%d\n", i, i)
		}
	}
	check := func(c *client, id, state string) {
		t.Helper()
		j := c.wait(id)
		if j.State != state || j.Processed == 0 || j.Processed == rows {
			t.Fatalf("%+v", j)
		}
		seen := map[string]int{}
		counts := map[string]int{}
		for set, meta := range map[string]int{"successfulResults": 2, "failedResults": 2, "unprocessedrecords": 0} {
			body := c.get("jobs/ingest/" + id + "/" + set).body
			for line := range strings.Lines(body[strings.IndexByte(body, '\n')+1:]) {
				parts := strings.Split(strings.TrimSuffix(line, "\n"), ",")
				key := strings.Trim(parts[len(parts)-1], `"`)
				if set == "unprocessedrecords" && strings.Count(line, `"`) == 4 {
					t.Fatalf("unprocessed row is not verbatim: %s", line)
				}
				if meta > 0 { // 12.0 or 1.2E1 is 12
					v, _, _ := (&field{kind: kindDouble, Precision: 18}).parse([]byte(key))
					key = string(v)
				}
				seen[key]++
				counts[set]++
			}
		}
		if len(seen) != rows || counts["failedResults"] != j.Failed || counts["successfulResults"] != j.Processed-j.Failed || c.org.Count("Account") != j.Processed-j.Failed {
			t.Errorf("%d different rows; %v of %+v", len(seen), counts, j)
		}
	}
	t.Run("daily batches", func(t *testing.T) {
		t.Parallel()
		c := open(t, Config{DailyBatches: 3}) // one for the job
		j := c.load(spec{"object": "Account", "operation": "insert"}, b.String())
		if j.ErrorMessage != "ExceededQuota : ApiBatchItems Limit exceeded" {
			t.Errorf("message %q", j.ErrorMessage)
		}
		check(c, j.ID, "Failed")
	})
	t.Run("daily records", func(t *testing.T) {
		t.Parallel()
		c := open(t, Config{DailyRecords: 20_000, Slots: 1})
		j := c.load(spec{"object": "Account", "operation": "insert"}, b.String())
		if !strings.HasPrefix(j.ErrorMessage, "ExceededQuota : ") || j.Processed != 20_000 {
			t.Errorf("%+v", j)
		}
		check(c, j.ID, "Failed")
	})
	t.Run("abort", func(t *testing.T) {
		t.Parallel()
		c := open(t, Config{BatchTime: 200 * time.Millisecond, Slots: 1})
		j := c.create(spec{"object": "Account", "operation": "insert"})
		c.upload(j.ID, b.String())
		c.patch(j.ID, "UploadComplete")
		for c.org.Count("Account") == 0 {
			time.Sleep(time.Millisecond)
		}
		if got := c.patch(j.ID, "Aborted").State; got != "Aborted" {
			t.Errorf("state %s", got)
		}
		check(c, j.ID, "Aborted")
	})
}
