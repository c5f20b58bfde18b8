package plan_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"migrate/pkg/bulk2"
	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
	"migrate/pkg/salesforce"
	"migrate/pkg/sources"
	"migrate/pkg/transform"
)

// table is a source with these columns and no rows.
type table []string

func (t table) Schema() *arrow.Schema {
	var fields []arrow.Field
	for _, name := range t {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.BinaryTypes.String})
	}
	return arrow.NewSchema(fields, nil)
}

func (t table) Splits() []sources.Split { return nil }

func (t table) Open(context.Context, sources.Split, sources.Position) (sources.Reader, error) {
	return nil, errors.New("a table has no rows")
}

// planned returns a job as Read makes it, with the columns that its fields read.
func planned(operation bulk2.Operation, object, key string, fields ...string) (plan.Job, table) {
	j := plan.Job{Name: "j", Object: object, Operation: operation, Key: key, Path: "p.yaml", Line: 3}
	var columns table
	for i, f := range fields {
		to, from, _ := strings.Cut(f, "=")
		if from == "" {
			from = strings.ToLower(to)
		}
		j.Fields = append(j.Fields, plan.Field{To: to, From: from, Line: 10 + i})
		columns = append(columns, from)
	}
	return j, columns
}

// adhoc returns a job as it is made without a plan.
func adhoc(operation bulk2.Operation, object, key string, maps ...string) plan.Job {
	j := plan.Job{Name: "j", Object: object, Operation: operation, Key: key, AutoMap: true}
	for _, m := range maps {
		f, err := plan.ParseMap(m)
		if err != nil {
			panic(err)
		}
		j.Fields = append(j.Fields, f)
	}
	return j
}

func text(s string) *string { return &s }

// odd describes objects that the snapshots of the local org do not have.
func odd(object string) (*salesforce.SObject, error) {
	id := salesforce.Field{Name: "Id", Label: "Record ID", Type: "id", IDLookup: true, DefaultedOnCreate: true}
	name := salesforce.Field{Name: "Name", Label: "Full Name", Type: "string", Nillable: true, Createable: true, Updateable: true}
	switch object {
	case "Odd__c":
		return &salesforce.SObject{Name: "Odd__c", Createable: true, Updateable: true, Deletable: true, Fields: []salesforce.Field{id, name,
			{Name: "Sum__c", Type: "currency", Calculated: true, Nillable: true},
			{Name: "No__c", Type: "string", AutoNumber: true, DefaultedOnCreate: true},
			{Name: "CreatedDate", Type: "datetime", DefaultedOnCreate: true},
			{Name: "Once__c", Type: "reference", Createable: true, Nillable: true, ReferenceTo: []string{"Account"}, RelationshipName: "Once__r"},
			{Name: "Later__c", Type: "string", Updateable: true, Nillable: true},
			{Name: "Lost__c", Type: "reference", Createable: true, Updateable: true, Nillable: true, RelationshipName: "Lost__r"},
			{Name: "Gone__c", Type: "reference", Createable: true, Updateable: true, Nillable: true, ReferenceTo: []string{"Gone__c"}, RelationshipName: "Gone__r"},
			{Name: "Place__c", Type: "location", Nillable: true},
			{Name: "Place__Latitude__s", Type: "double", Createable: true, Updateable: true, Nillable: true, CompoundFieldName: "Place__c"},
		}}, nil
	case "Locked__c":
		return &salesforce.SObject{Name: "Locked__c", Fields: []salesforce.Field{id, name}}, nil
	}
	return describe(object)
}

func TestCompileFindings(t *testing.T) {
	t.Parallel()
	const at = "p.yaml:3: job j: "
	tests := []struct {
		name string
		make func() (plan.Job, table)
		want []string
	}{
		{"operation", func() (plan.Job, table) { return planned("merge", "Account", "", "Name") },
			[]string{at + `unknown operation "merge": insert, update, upsert, delete or hardDelete`}},
		{"limit", func() (plan.Job, table) {
			j, c := planned("insert", "Account", "", "Name")
			j.Limit = -1
			return j, c
		}, []string{at + `the limit is -1 rows; 0 means all`}},
		{"no such object", func() (plan.Job, table) { return planned("insert", "Acount", "", "Name") },
			[]string{at + `the org has no object Acount, or the user may not see it`}},
		{"not the name of an object", func() (plan.Job, table) { return planned("insert", "../limits", "", "Name") },
			[]string{at + `"../limits" is not the API name of an object, such as Account or Invoice__c`}},

		{"no right to create", func() (plan.Job, table) { return planned("insert", "Locked__c", "") }, []string{
			at + `Locked__c records cannot be created by this user; ask for the permission, or take another user`}},
		{"no right to update", func() (plan.Job, table) { return planned("update", "Locked__c", "", "Id") }, []string{
			at + `Locked__c records cannot be updated by this user; ask for the permission, or take another user`}},
		{"no right to upsert", func() (plan.Job, table) { return planned("upsert", "Locked__c", "Id", "Id") }, []string{
			at + `Locked__c records cannot be created by this user; ask for the permission, or take another user`,
			at + `Locked__c records cannot be updated by this user; ask for the permission, or take another user`}},
		{"no right to delete", func() (plan.Job, table) { return planned("hardDelete", "Locked__c", "", "Id") }, []string{
			at + `Locked__c records cannot be deleted by this user; ask for the permission, or take another user`}},

		{"fields", func() (plan.Job, table) {
			return planned("insert", "Account", "", "Name", "Nmae", "Website", "Rank__c", "Account Phone", "tier", "CreatedDate", "SystemModstamp", "BillingAddress")
		}, []string{
			`p.yaml:11: job j: field Nmae: Account has no such field; did you mean Name?`,
			`p.yaml:13: job j: field Rank__c: Account has no such field`,
			`p.yaml:14: job j: field Account Phone: Account has no such field; did you mean Phone?`,
			`p.yaml:15: job j: field tier: Account has no such field; did you mean Tier__c?`,
			`p.yaml:17: job j: field SystemModstamp: is read-only for this user; take it out of the fields`,
			`p.yaml:18: job j: field BillingAddress: is a compound field and read-only; map its parts: BillingStreet, BillingCity, BillingState, BillingPostalCode, BillingCountry`,
		}},
		{"compound name", func() (plan.Job, table) { return planned("insert", "Contact", "", "Name", "LastName") },
			[]string{`p.yaml:10: job j: field Name: is a compound field and read-only; map its parts: LastName, FirstName`}},
		{"fields that are read-only", func() (plan.Job, table) {
			return planned("insert", "Odd__c", "", "Sum__c", "No__c", "CreatedDate", "Later__c", "Place__c", "Once__c")
		}, []string{
			`p.yaml:10: job j: field Sum__c: is a formula or a roll-up and read-only; take it out of the fields`,
			`p.yaml:11: job j: field No__c: is numbered by the org and read-only; take it out of the fields`,
			`p.yaml:12: job j: field CreatedDate: can be set by a user with the permission "Set Audit Fields upon Record Creation" only; take it out of the fields`,
			`p.yaml:13: job j: field Later__c: cannot be set when a record is created, which insert may do; take it out of the fields`,
			`p.yaml:14: job j: field Place__c: is a compound field and read-only; map its parts: Place__Latitude__s`,
		}},
		{"fields that cannot be changed", func() (plan.Job, table) {
			return planned("update", "Odd__c", "", "Id", "Once__c", "Once__r.Legacy_Id__c", "Later__c")
		}, []string{
			`p.yaml:11: job j: field Once__c: cannot be changed once a record is there, which update may do; take it out of the fields`,
			`p.yaml:12: job j: field Once__r.Legacy_Id__c: cannot be changed once a record is there, which update may do; take it out of the fields`,
		}},
		{"fields of an upsert", func() (plan.Job, table) { return planned("upsert", "Odd__c", "Id", "Id", "Once__c", "Later__c") }, []string{
			`p.yaml:11: job j: field Once__c: cannot be changed once a record is there, which upsert may do; take it out of the fields`,
			`p.yaml:12: job j: field Later__c: cannot be set when a record is created, which upsert may do; take it out of the fields`,
		}},

		{"columns", func() (plan.Job, table) {
			j, _ := planned("insert", "Account", "", "Name=compny", "Phone=phone", "Fax=zzz")
			return j, table{"company", "phone", "phone"}
		}, []string{
			`p.yaml:10: job j: field Name: the source has no column "compny"; did you mean company?`,
			`p.yaml:11: job j: field Phone: the source has 2 columns named "phone"; rename all but one`,
			`p.yaml:12: job j: field Fax: the source has no column "zzz"`,
		}},
		{"mapped twice", func() (plan.Job, table) { return planned("insert", "Account", "", "Name=a", "name=b") },
			[]string{`p.yaml:11: job j: field name: is mapped twice: from column a and from column b; take it out of the fields`}},
		{"mapped twice, once as a constant", func() (plan.Job, table) {
			j, c := planned("insert", "Account", "", "Name=a")
			j.Fields = append(j.Fields, plan.Field{To: "NAME", Const: text("x"), Line: 11})
			return j, c
		}, []string{`p.yaml:11: job j: field NAME: is mapped twice: from column a and as a constant; take it out of the fields`}},
		{"policy", func() (plan.Job, table) {
			j, c := planned("insert", "Account", "", "Name=a")
			j.Fields[0].Nulls = "skip"
			return j, c
		}, []string{`p.yaml:10: job j: field Name: unknown policy for empty values "skip": keep, clear or error`}},

		{"required", func() (plan.Job, table) { return planned("insert", "Opportunity", "", "Amount") }, []string{
			at + `field Name: is required on insert and not mapped; add it to the fields, as in "Name: COLUMN"`,
			at + `field StageName: is required on insert and not mapped; add it to the fields, as in "StageName: COLUMN"`,
			at + `field CloseDate: is required on insert and not mapped; add it to the fields, as in "CloseDate: COLUMN"`,
		}},
		{"Id on insert", func() (plan.Job, table) { return planned("insert", "Account", "", "Name", "Id") },
			[]string{`p.yaml:11: job j: field Id: is given by the org on insert; take it out of the fields`}},
		{"key on insert", func() (plan.Job, table) { return planned("insert", "Account", "Legacy_Id__c", "Name") },
			[]string{at + `the key Legacy_Id__c is given, but only an upsert has one; take it out`}},

		{"update without Id", func() (plan.Job, table) { return planned("update", "Account", "", "Name") },
			[]string{at + `update finds records by Id, which is not mapped; add it to the fields, as in "Id: COLUMN"`}},
		{"update with a constant Id", func() (plan.Job, table) {
			j, c := planned("update", "Account", "", "Name")
			j.Fields = append(j.Fields, plan.Field{To: "Id", Const: text("001"), Line: 11})
			return j, c
		}, []string{`p.yaml:11: job j: field Id: is a constant, so all rows would mean the same record; map a column`}},
		{"delete without Id", func() (plan.Job, table) { return planned("delete", "Account", "", "Legacy_Id__c") }, []string{
			at + `delete finds records by Id, which is not mapped; add it to the fields, as in "Id: COLUMN"`,
			`p.yaml:10: job j: field Legacy_Id__c: delete takes the column Id alone; take it out of the fields`,
		}},
		{"hardDelete with more than Id", func() (plan.Job, table) { return planned("hardDelete", "Account", "", "Id", "Name") },
			[]string{`p.yaml:11: job j: field Name: hardDelete takes the column Id alone; take it out of the fields`}},

		{"upsert without a key", func() (plan.Job, table) { return planned("upsert", "Account", "", "Name") },
			[]string{at + `an upsert needs a key, by which the org finds the record; Account can take Id, Legacy_Id__c`}},
		{"upsert by an unknown key", func() (plan.Job, table) { return planned("upsert", "Account", "Legacy_Id", "Name") },
			[]string{at + `key: Account has no field Legacy_Id; did you mean Legacy_Id__c?`}},
		{"upsert by what is no key", func() (plan.Job, table) { return planned("upsert", "Account", "Phone", "Name", "Phone") },
			[]string{at + `key: Phone does not identify a record; take one of Id, Legacy_Id__c`}},
		{"upsert without its key", func() (plan.Job, table) { return planned("upsert", "Account", "legacy_id__c", "Name") },
			[]string{at + `the key Legacy_Id__c is not mapped; add it to the fields, as in "Legacy_Id__c: COLUMN"`}},
		{"upsert with Id beside its key", func() (plan.Job, table) {
			return planned("upsert", "Account", "Legacy_Id__c", "Legacy_Id__c", "Id", "Name")
		},
			[]string{`p.yaml:11: job j: field Id: cannot be sent in an upsert by Legacy_Id__c; take it out of the fields`}},
		{"upsert that clears its key", func() (plan.Job, table) {
			j, c := planned("upsert", "Account", "Legacy_Id__c", "Legacy_Id__c", "Name")
			j.Fields[0].Nulls = transform.NullsClear
			return j, c
		}, []string{`p.yaml:10: job j: field Legacy_Id__c: says which record is meant and cannot be cleared; nulls: keep or error`}},
		{"upsert by the key of a parent", func() (plan.Job, table) {
			return planned("upsert", "Contact", "Legacy_Id__c", "LastName", "Account.Legacy_Id__c")
		},
			[]string{at + `the key Legacy_Id__c is not mapped; add it to the fields, as in "Legacy_Id__c: COLUMN"`}},

		{"relationships", func() (plan.Job, table) {
			return planned("insert", "Contact", "", "LastName", "Acount.Legacy_Id__c", "AccountId.Legacy_Id__c", "Nope.Legacy_Id__c", "Account.Legacy_Id", "Account.Phone",
				"Account:Account.Legacy_Id__c", "Account.Parent.Legacy_Id__c", "Account.", ".Legacy_Id__c", "Account:Legacy_Id__c", ":Account.Id")
		}, []string{
			`p.yaml:11: job j: field Acount.Legacy_Id__c: Contact has no relationship "Acount"; did you mean Account?`,
			`p.yaml:12: job j: field AccountId.Legacy_Id__c: Contact has no relationship "AccountId"; did you mean Account?`,
			`p.yaml:13: job j: field Nope.Legacy_Id__c: Contact has no relationship "Nope"`,
			`p.yaml:14: job j: field Account.Legacy_Id: the parent Account has no field "Legacy_Id"; did you mean Legacy_Id__c?`,
			`p.yaml:15: job j: field Account.Phone: Phone of Account does not identify a record; take one of Id, Legacy_Id__c`,
			`p.yaml:16: job j: field Account:Account.Legacy_Id__c: Account leads to Account alone, so no type stands before it; write Account.Legacy_Id__c`,
			`p.yaml:17: job j: field Account.Parent.Legacy_Id__c: goes over more than one relationship; only a key of the parent itself can be given`,
			`p.yaml:18: job j: field Account.: a lookup is set by a key of its parent as in Account.Legacy_Id__c, or where it may lead to several objects as in Contact:Who.Legacy_Id__c`,
			`p.yaml:19: job j: field .Legacy_Id__c: a lookup is set by a key of its parent as in Account.Legacy_Id__c, or where it may lead to several objects as in Contact:Who.Legacy_Id__c`,
			`p.yaml:20: job j: field Account:Legacy_Id__c: a lookup is set by a key of its parent as in Account.Legacy_Id__c, or where it may lead to several objects as in Contact:Who.Legacy_Id__c`,
			`p.yaml:21: job j: field :Account.Id: a lookup is set by a key of its parent as in Account.Legacy_Id__c, or where it may lead to several objects as in Contact:Who.Legacy_Id__c`,
		}},
		{"relationships with several types", func() (plan.Job, table) {
			return planned("insert", "Task", "", "Who.Legacy_Id__c", "Contct:Who.Legacy_Id__c", "Invoice__c:Who.Legacy_Id__c", "Contact:Who.Phone")
		}, []string{
			`p.yaml:10: job j: field Who.Legacy_Id__c: Who may lead to Contact, Lead; say which, as in Contact:Who.Legacy_Id__c`,
			`p.yaml:11: job j: field Contct:Who.Legacy_Id__c: Who does not lead to Contct; it may lead to Contact, Lead; did you mean Contact?`,
			`p.yaml:12: job j: field Invoice__c:Who.Legacy_Id__c: Who does not lead to Invoice__c; it may lead to Contact, Lead`,
			`p.yaml:13: job j: field Contact:Who.Phone: Phone of Contact does not identify a record; take one of Id, Email, Legacy_Id__c`,
		}},
		{"relationships of which the org says little", func() (plan.Job, table) {
			return planned("insert", "Odd__c", "", "Lost__r.Name", "Gone__r.Name")
		}, []string{
			`p.yaml:10: job j: field Lost__r.Name: the org does not say where Lost__r leads to; map Lost__c instead`,
			`p.yaml:11: job j: field Gone__r.Name: the org has no object Gone__c, or the user may not see it`,
		}},

		{"load without a plan", func() (plan.Job, table) {
			return adhoc("insert", "Account", "", "fone=Phone", "nix=", "notes=Descripton"), table{"Name", "Phone", "turnover", "Websit", "", "Id", "SystemModstamp", "Nope.Name", "notes", "Fax", "Fax"}
		}, []string{
			`job j: field Phone: the source has no column "fone"`,
			`job j: the source has no column "nix"`,
			`job j: field Descripton: Account has no such field; did you mean Description?`,
			`job j: source column "turnover" fits no field of Account; send it to one with --map "turnover=FIELD" or leave it out with --map "turnover="`,
			`job j: source column "Websit" fits no field of Account; did you mean Website?; send it to one with --map "Websit=FIELD" or leave it out with --map "Websit="`,
			`job j: column 5 of the source has no name; give it one`,
			`job j: field SystemModstamp: is read-only for this user; leave it out with --map "SystemModstamp="`,
			`job j: source column "Nope.Name" fits no field of Account; send it to one with --map "Nope.Name=FIELD" or leave it out with --map "Nope.Name="`,
			`job j: field Fax: the source has 2 columns named "Fax"; rename all but one`,
			`job j: field Phone: is mapped twice: from column fone and from column Phone; leave it out with --map "Phone="`,
			`job j: field Id: is given by the org on insert; leave it out with --map "Id="`,
		}},
		{"load without a plan and without what is required", func() (plan.Job, table) { return adhoc("insert", "Account", ""), table{"Phone"} },
			[]string{`job j: field Name: is required on insert and not mapped; send a column to it with --map COLUMN=Name`}},
		{"delete without a plan", func() (plan.Job, table) { return adhoc("delete", "Account", ""), table{"Id", "Name", "x"} }, []string{
			`job j: source column "Name": delete takes the column Id alone; leave it out with --map "Name="`,
			`job j: source column "x": delete takes the column Id alone; leave it out with --map "x="`,
		}},
		{"nothing to send", func() (plan.Job, table) {
			j := adhoc("insert", "Odd__c", "")
			j.IgnoreUnmapped = true
			return j, table{"x", "y"}
		}, []string{`job j: no field is mapped, so nothing would be sent; send a column to it with --map COLUMN=Name`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j, columns := tt.make()
			_, _, err := j.Compile(columns, odd, nil)
			var found *plan.Error
			if !errors.As(err, &found) {
				t.Fatalf("error %v, want an *Error", err)
			}
			if diff := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("findings, want -, got +:\n%s", diff)
			}
		})
	}
}

func TestCompile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		make      func() (plan.Job, table)
		want      pipeline.Job // without Source and Mapping
		decisions plan.Decisions
	}{
		{"names get the case of the describe", func() (plan.Job, table) {
			return planned("upsert", "account", "legacy_id__C", "LEGACY_ID__C=no", "name=company", "parent.legacy_id__c=top")
		}, pipeline.Job{Name: "j", Object: "Account", Operation: bulk2.Upsert, ExternalID: "Legacy_Id__c", Key: "no", Columns: []pipeline.Column{
			{Header: "Legacy_Id__c", Type: "string", Key: true}, {Header: "Name", Type: "string"}, {Header: "Parent.Legacy_Id__c", Type: "string"}}},
			plan.Decisions{Mapped: []string{"no → Legacy_Id__c", "company → Name", "top → Parent.Legacy_Id__c"}, Notes: []string{
				"Parent.Legacy_Id__c: parents that the same file brings are not seen by the org until their job has ended; rows that come too early fail and can be sent again"}}},
		{"owner without a type", func() (plan.Job, table) {
			return planned("insert", "Task", "", "contact:who.email=a", "Lead:Who.Id=b", "WhatId=c", "owner.username=d")
		}, pipeline.Job{Name: "j", Object: "Task", Operation: bulk2.Insert, Columns: []pipeline.Column{{Header: "Contact:Who.Email", Type: "email"},
			{Header: "Lead:Who.Id", Type: "id"}, {Header: "WhatId", Type: "reference"}, {Header: "Owner.Username", Type: "string"}}},
			plan.Decisions{Mapped: []string{"a → Contact:Who.Email", "b → Lead:Who.Id", "c → WhatId", "d → Owner.Username"},
				Notes: []string{"Contact:Who.Email and Lead:Who.Id both set WhoId; a row with values in both fails"}}},
		{"an upsert that may not insert", func() (plan.Job, table) {
			return planned("upsert", "Contact", "Id", "Id=a", "Phone=b", "Legacy_Id__c=c")
		},
			pipeline.Job{Name: "j", Object: "Contact", Operation: bulk2.Upsert, ExternalID: "Id", Key: "a", Columns: []pipeline.Column{
				{Header: "Id", Type: "id", Key: true}, {Header: "Phone", Type: "phone"}, {Header: "Legacy_Id__c", Type: "string", Key: true}}},
			plan.Decisions{Mapped: []string{"a → Id", "b → Phone", "c → Legacy_Id__c"},
				Notes: []string{"LastName is required and not mapped: rows that are not in the org yet will fail"}}},
		{"a key that the org numbers", func() (plan.Job, table) { return planned("upsert", "Case", "CaseNumber", "CaseNumber=a", "Subject=b") },
			pipeline.Job{Name: "j", Object: "Case", Operation: bulk2.Upsert, ExternalID: "CaseNumber", Key: "a", Columns: []pipeline.Column{
				{Header: "CaseNumber", Type: "string", Key: true}, {Header: "Subject", Type: "string"}}},
			plan.Decisions{Mapped: []string{"a → CaseNumber", "b → Subject"}}},
		{"constants", func() (plan.Job, table) {
			j, _ := planned("update", "Account", "", "Id=id")
			j.Fields = append(j.Fields, plan.Field{To: "Legacy_Id__c", Const: text("x")}, plan.Field{To: "Phone", Const: text("#N/A")})
			return j, table{"rest", "id"}
		}, pipeline.Job{Name: "j", Object: "Account", Operation: bulk2.Update, Key: "id", Columns: []pipeline.Column{
			{Header: "Id", Type: "id", Key: true}, {Header: "Legacy_Id__c", Type: "string"}, {Header: "Phone", Type: "phone"}}},
			plan.Decisions{Mapped: []string{"id → Id", `"x" → Legacy_Id__c`, `"#N/A" → Phone`}, Unsent: []string{"rest"},
				Notes: []string{"Phone: the constant #N/A clears the field in every row"}}},
		{"delete", func() (plan.Job, table) { return planned("delete", "Account", "", "id=x") },
			pipeline.Job{Name: "j", Object: "Account", Operation: bulk2.Delete, Key: "x", Columns: []pipeline.Column{{Header: "Id", Type: "id", Key: true}}},
			plan.Decisions{Mapped: []string{"x → Id"}}},
		{"no column names a row", func() (plan.Job, table) { return planned("insert", "Account", "", "Name=x") },
			pipeline.Job{Name: "j", Object: "Account", Operation: bulk2.Insert, Columns: []pipeline.Column{{Header: "Name", Type: "string"}}},
			plan.Decisions{Mapped: []string{"x → Name"}}},
		{"without a plan", func() (plan.Job, table) {
			j := adhoc("insert", "Contact", "", "name=LastName", "skip=")
			j.Limit = 7
			return j, table{"account.legacy_id__c", "skip", "EMAIL", "name", "migrate_line", "migrate_code"}
		}, pipeline.Job{Name: "j", Object: "Contact", Operation: bulk2.Insert, Limit: 7, Columns: []pipeline.Column{
			{Header: "LastName", Type: "string"}, {Header: "Account.Legacy_Id__c", Type: "string"}, {Header: "Email", Type: "email"}}},
			plan.Decisions{Mapped: []string{"name → LastName", "account.legacy_id__c → Account.Legacy_Id__c", "EMAIL → Email"},
				Unsent: []string{"skip", "migrate_line", "migrate_code"},
				Notes:  []string{"not sent, since they belong to a report of failed rows: migrate_line, migrate_code"}}},
		{"without a plan, other columns left out", func() (plan.Job, table) {
			j := adhoc("delete", "Contact", "")
			j.IgnoreUnmapped = true
			return j, table{"Name", "", "id"}
		}, pipeline.Job{Name: "j", Object: "Contact", Operation: bulk2.Delete, Key: "id", Columns: []pipeline.Column{{Header: "Id", Type: "id", Key: true}}},
			plan.Decisions{Mapped: []string{"id → Id"}, Unsent: []string{"Name", ""}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			j, columns := tt.make()
			got, decisions, err := j.Compile(columns, odd, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, f := range got.Mapping.Schema().Fields() {
				if f.Name != got.Columns[i].Header {
					t.Errorf("column %d of the mapping is %s, want %s", i, f.Name, got.Columns[i].Header)
				}
			}
			if got.Source == nil {
				t.Error("the job has no source")
			}
			again, pinned, err := decisions.Pinned.Compile(columns, odd, nil)
			if err != nil {
				t.Fatalf("the pinned job does not compile: %v", err)
			}
			if diff := cmp.Diff([]any{got.Columns, decisions.Mapped}, []any{again.Columns, pinned.Mapped}, cmpopts.IgnoreFields(pipeline.Column{}, "Doubt")); diff != "" || decisions.Pinned.AutoMap {
				t.Errorf("the pinned job compiles to something else, want -, got +:\n%s", diff)
			}
			decisions.Pinned, decisions.Group = plan.Job{}, plan.Grouping{}                     // see TestGrouping
			got.Source, got.Mapping, got.After, got.Writes, got.Reads = nil, nil, nil, nil, nil // see TestTurnsOfJobs
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(pipeline.Column{}, "Doubt")); diff != "" {
				t.Errorf("job, want -, got +:\n%s", diff)
			}
			if diff := cmp.Diff(tt.decisions, decisions); diff != "" {
				t.Errorf("decisions, want -, got +:\n%s", diff)
			}
		})
	}
}

// An empty key says that no record is meant, whatever the job does with empty values.
func TestKeyIsNotCleared(t *testing.T) {
	t.Parallel()
	j, columns := planned("upsert", "Account", "Legacy_Id__c", "Legacy_Id__c=no", "Name=company")
	j.Nulls = transform.NullsClear
	out, _, err := j.Compile(columns, describe, nil)
	if err != nil {
		t.Fatal(err)
	}
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	b := array.NewRecordBuilder(mem, columns.Schema())
	defer b.Release()
	for i := range columns {
		b.Field(i).(*array.StringBuilder).Append("")
	}
	in := b.NewRecordBatch()
	defer in.Release()
	res, err := out.Mapping.Apply(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Rows.Release()
	for i, want := range []string{"", transform.NullToken} {
		if got := res.Rows.Column(i).ValueStr(0); got != want {
			t.Errorf("%s is sent as %q, want %q", out.Columns[i].Header, got, want)
		}
	}
}

// An error of the org is not the plan's fault.
func TestCompileDescribeFails(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"Contact", "Account"} {
		j, columns := planned("insert", "Contact", "", "Account.Legacy_Id__c", "Nope")
		_, _, err := j.Compile(columns, func(object string) (*salesforce.SObject, error) {
			if object == broken {
				return nil, salesforce.ErrTemporary
			}
			return describe(object)
		}, nil)
		var found *plan.Error
		if !errors.Is(err, salesforce.ErrTemporary) || errors.As(err, &found) {
			t.Errorf("describe of %s fails: error %v, want ErrTemporary and no findings", broken, err)
		}
	}
}

func TestParseMap(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   string
		want plan.Field
		err  string
	}{
		{in: "company=Name", want: plan.Field{From: "company", To: "Name"}},
		{in: "company = Name ", want: plan.Field{From: "company ", To: "Name"}},
		{in: "customer=Account.Legacy_Id__c", want: plan.Field{From: "customer", To: "Account.Legacy_Id__c"}},
		{in: "rep=", want: plan.Field{From: "rep"}},
		{in: "a=b=c", want: plan.Field{From: "a", To: "b=c"}},
		{in: "company", err: `"company" has no =; write COLUMN=FIELD, or COLUMN= to leave the column out`},
		{in: "", err: `"" has no =; write COLUMN=FIELD, or COLUMN= to leave the column out`},
		{in: "=Name", err: `"=Name" names no source column; write COLUMN=Name`},
		{in: "=", err: `"=" names nothing; write COLUMN=FIELD, or COLUMN= to leave the column out`},
	}
	for _, tt := range tests {
		got, err := plan.ParseMap(tt.in)
		message := ""
		if err != nil {
			message = err.Error()
		}
		if message != tt.err {
			t.Errorf("ParseMap(%q): error %q, want %q", tt.in, message, tt.err)
		}
		if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(pipeline.Column{}, "Doubt")); diff != "" {
			t.Errorf("ParseMap(%q), want -, got +:\n%s", tt.in, diff)
		}
	}
}
