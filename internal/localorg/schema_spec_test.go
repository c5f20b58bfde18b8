package localorg

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the files that a test compares with")

// schemaSpec is the built-in schema in short form; the snapshots in schema/ are made from it by
//
//	go test ./internal/localorg -run TestBuiltInSchema -update
//
// An object line: name, key prefix, label, plural label, flags. A field line: name, type(length or
// precision,scale), label, flags. Flags: req not nillable, ro neither createable nor updateable, audit
// createable only and defaulted, once createable only, ext external id, uniq, cs case sensitive, lookup idLookup, name the name field,
// def=V default value, ref=A;B, rel=N relationship name, in=F compound field, restricted, v=A;B picklist values,
// auto auto number, casc children are deleted with the parent, restr parents with such children may not be deleted,
// kids=N name of the relationship from the parent to its children.
const schemaSpec = `
object Account 001 Account Accounts
 $std(Account ID)
 Name string(255) "Account Name" req name
 Type picklist(255) "Account Type" v=Prospect;Customer - Direct;Customer - Channel;Channel Partner / Reseller;Installation Partner;Technology Partner;Other
 RecordTypeId reference(18) "Record Type ID" ref=RecordType rel=RecordType
 ParentId reference(18) "Parent Account ID" ref=Account rel=Parent kids=ChildAccounts
 $address(Billing)
 Phone phone(40) "Account Phone"
 Fax phone(40) "Account Fax"
 AccountNumber string(40) "Account Number"
 Website url(255) "Website"
 Industry picklist(255) "Industry" v=$industry
 AnnualRevenue currency(18,0) "Annual Revenue"
 NumberOfEmployees int(8) "Employees"
 Description textarea(32000) "Account Description"
 Rating picklist(255) "Account Rating" v=Hot;Warm;Cold
 OwnerId reference(18) "Owner ID" req def=$user ref=User rel=Owner
 Legacy_Id__c string(40) "Legacy Id" ext uniq
 Tier__c picklist(255) "Tier" restricted v=Gold;Silver;Bronze
 Active__c boolean "Active"
 Score__c double(16,2) "Score"
 Regions__c multipicklist(4099) "Regions" restricted v=AMER;APAC;EMEA
object Contact 003 Contact Contacts
 $std(Contact ID)
 AccountId reference(18) "Account ID" ref=Account rel=Account casc kids=Contacts
 LastName string(80) "Last Name" req in=Name
 FirstName string(40) "First Name" in=Name
 Name string(121) "Full Name" ro name
 $address(Mailing)
 Phone phone(40) "Business Phone"
 MobilePhone phone(40) "Mobile Phone"
 ReportsToId reference(18) "Reports To ID" ref=Contact rel=ReportsTo
 Email email(80) "Email" lookup
 Title string(128) "Title"
 Department string(80) "Department"
 LeadSource picklist(255) "Lead Source" v=$source
 Birthdate date "Birthdate"
 Description textarea(32000) "Contact Description"
 HasOptedOutOfEmail boolean "Email Opt Out"
 DoNotCall boolean "Do Not Call"
 OwnerId reference(18) "Owner ID" req def=$user ref=User rel=Owner
 Legacy_Id__c string(40) "Legacy Id" ext uniq
object Opportunity 006 Opportunity Opportunities
 $std(Opportunity ID)
 AccountId reference(18) "Account ID" ref=Account rel=Account casc kids=Opportunities
 Name string(120) "Name" req name
 Description textarea(32000) "Description"
 StageName picklist(255) "Stage" req v=Prospecting;Qualification;Needs Analysis;Value Proposition;Id. Decision Makers;Perception Analysis;Proposal/Price Quote;Negotiation/Review;Closed Won;Closed Lost
 Amount currency(18,2) "Amount"
 Probability percent(3,0) "Probability (%)"
 CloseDate date "Close Date" req
 Type picklist(255) "Opportunity Type" v=Existing Customer - Upgrade;Existing Customer - Replacement;Existing Customer - Downgrade;New Customer
 NextStep string(255) "Next Step"
 LeadSource picklist(255) "Lead Source" v=$source
 OwnerId reference(18) "Owner ID" req def=$user ref=User rel=Owner
 Legacy_Id__c string(40) "Legacy Id" ext uniq
object Case 500 Case Cases
 $std(Case ID)
 CaseNumber string(30) "Case Number" req ro auto name lookup
 ContactId reference(18) "Contact ID" ref=Contact rel=Contact restr kids=Cases
 AccountId reference(18) "Account ID" ref=Account rel=Account restr kids=Cases
 SuppliedEmail email(80) "Email Address"
 Type picklist(255) "Case Type" v=Mechanical;Electrical;Electronic;Structural;Other
 Status picklist(255) "Status" def=New v=New;Working;Escalated;Closed
 Origin picklist(255) "Case Origin" v=Phone;Email;Web
 Subject string(255) "Subject"
 Priority picklist(255) "Priority" def=Medium v=High;Medium;Low
 Description textarea(32000) "Description"
 OwnerId reference(18) "Owner ID" req def=$user ref=Group;User rel=Owner
 Legacy_Id__c string(40) "Legacy Id" ext uniq
object Lead 00Q Lead Leads
 $std(Lead ID)
 LastName string(80) "Last Name" req in=Name
 FirstName string(40) "First Name" in=Name
 Name string(121) "Full Name" ro name
 Title string(128) "Title"
 Company string(255) "Company" req
 $address()
 Phone phone(40) "Phone"
 MobilePhone phone(40) "Mobile Phone"
 Email email(80) "Email" lookup
 Website url(255) "Website"
 Description textarea(32000) "Description"
 LeadSource picklist(255) "Lead Source" v=$source
 Status picklist(255) "Status" req def=Open - Not Contacted v=Open - Not Contacted;Working - Contacted;Closed - Converted;Closed - Not Converted
 Industry picklist(255) "Industry" v=$industry
 Rating picklist(255) "Rating" v=Hot;Warm;Cold
 AnnualRevenue currency(18,0) "Annual Revenue"
 NumberOfEmployees int(8) "Employees"
 OwnerId reference(18) "Owner ID" req def=$user ref=Group;User rel=Owner
 Legacy_Id__c string(40) "Legacy Id" ext uniq
object Task 00T Task Tasks
 $std(Activity ID)
 WhoId reference(18) "Name ID" ref=Contact;Lead rel=Who kids=Tasks
 WhatId reference(18) "Related To ID" ref=Account;Opportunity;Case;Invoice__c rel=What kids=Tasks
 Subject combobox(255) "Subject" v=Call;Email;Send Letter;Send Quote;Other
 ActivityDate date "Due Date Only"
 Status picklist(255) "Status" req def=Not Started v=Not Started;In Progress;Completed;Waiting on someone else;Deferred
 Priority picklist(255) "Priority" req def=Normal v=High;Normal;Low
 Description textarea(32000) "Description"
 OwnerId reference(18) "Assigned To ID" req def=$user ref=Group;User rel=Owner
 Legacy_Id__c string(40) "Legacy Id" ext uniq
object Invoice__c a00 Invoice Invoices
 $std(Record ID)
 OwnerId reference(18) "Owner ID" req def=$user ref=Group;User rel=Owner
 Name string(80) "Invoice Number" req ro auto name lookup
 Account__c reference(18) "Account" ref=Account rel=Account__r kids=Invoices__r
 Opportunity__c reference(18) "Opportunity" ref=Opportunity rel=Opportunity__r kids=Invoices__r
 Amount__c currency(16,2) "Amount"
 Issued__c date "Issued" req
 Due__c datetime "Due"
 Paid__c boolean "Paid"
 Status__c picklist(255) "Status" restricted v=Draft;Sent;Paid;Void
 Notes__c textarea(32000) "Notes"
 Legacy_Id__c string(40) "Legacy Id" ext uniq
object Invoice_Line__c a01 "Invoice Line" "Invoice Lines"
 $std(Record ID)
 Name string(80) "Line Number" req ro auto name lookup
 Invoice__c reference(18) "Invoice" req audit ref=Invoice__c rel=Invoice__r casc kids=Lines__r
 Product__c string(120) "Product" req
 Quantity__c double(18,2) "Quantity" req
 Price__c currency(16,2) "Price"
 Legacy_Id__c string(40) "Legacy Id" ext uniq
object Attachment 00P Attachment Attachments
 $std(Attachment ID)
 ParentId reference(18) "Parent ID" req once ref=Account;Contact;Lead;Opportunity;Case;Task rel=Parent casc kids=Attachments
 Name string(255) "File Name" req name
 IsPrivate boolean "Private"
 ContentType string(120) "Content Type"
 BodyLength int(9) "Body Length" ro
 Body base64 "Body" req
 OwnerId reference(18) "Owner ID" req def=$user ref=User rel=Owner
 Description string(500) "Description"
object ContentDocument 069 "Content Document" "Content Documents" nocreate
 $std(ContentDocument ID)
 Title string(255) "Title" req name
 LatestPublishedVersionId reference(18) "Latest Published Version ID" ro ref=ContentVersion rel=LatestPublishedVersion
 FileType string(20) "File Type" ro
 FileExtension string(40) "File Extension" ro
 ContentSize int(9) "Size" ro
 OwnerId reference(18) "Owner ID" req def=$user ref=User rel=Owner
object ContentVersion 068 "Content Version" "Content Versions" nodelete
 $std(ContentVersion ID)
 ContentDocumentId reference(18) "ContentDocument ID" req audit ref=ContentDocument rel=ContentDocument casc kids=ContentVersions
 IsLatest boolean "Is Latest" ro
 VersionNumber string(20) "Version Number" ro
 Title string(255) "Title" name
 Description textarea(1000) "Description"
 PathOnClient string(500) "Path On Client" req once
 FileType string(20) "File Type" ro
 FileExtension string(40) "File Extension" ro
 ContentSize int(9) "Size" ro
 Checksum string(50) "Checksum" ro
 VersionData base64 "Version Data" req once
 OwnerId reference(18) "Owner ID" req def=$user ref=User rel=Owner
object User 005 User Users nodelete
 $std(User ID)
 Username string(80) "Username" req uniq lookup
 LastName string(80) "Last Name" req in=Name
 FirstName string(40) "First Name" in=Name
 Name string(121) "Full Name" ro name
 Email email(128) "Email" req lookup
 Alias string(8) "Alias" req
 Title string(80) "Title"
 IsActive boolean "Active"
object RecordType 012 "Record Type" "Record Types" readonly nodelete
 Id id(18) "Record Type ID" req ro lookup
 Name string(80) "Name" req name ro
 DeveloperName string(80) "Record Type Name" req lookup ro
 SobjectType picklist(40) "SObject Type Name" req ro v=Account
 Description textarea(255) "Description" ro
 IsActive boolean "Active" ro
 CreatedById reference(18) "Created By ID" req ro ref=User rel=CreatedBy
 CreatedDate datetime "Created Date" req ro
 LastModifiedById reference(18) "Last Modified By ID" req ro ref=User rel=LastModifiedBy
 LastModifiedDate datetime "Last Modified Date" req ro
 SystemModstamp datetime "System Modstamp" req ro
`

var specMacros = map[string]string{
	"$industry": "Agriculture;Apparel;Banking;Biotechnology;Chemicals;Communications;Construction;Consulting;Education;Electronics;Energy;Engineering;Entertainment;Environmental;Finance;Food & Beverage;Government;Healthcare;Hospitality;Insurance;Machinery;Manufacturing;Media;Not For Profit;Recreation;Retail;Shipping;Technology;Telecommunications;Transportation;Utilities;Other",
	"$source":   "Web;Phone Inquiry;Partner Referral;Purchased List;Other",
}

// expand replaces the lines that start with $ by the fields that they stand for.
func expand(line string) []string {
	name, arg, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(line), ")"), "(")
	switch name {
	case "$std":
		return []string{
			`Id id(18) "` + arg + `" req ro lookup`,
			`IsDeleted boolean "Deleted" ro`,
			`CreatedDate datetime "Created Date" req audit`,
			`CreatedById reference(18) "Created By ID" req audit ref=User rel=CreatedBy`,
			`LastModifiedDate datetime "Last Modified Date" req audit`,
			`LastModifiedById reference(18) "Last Modified By ID" req audit ref=User rel=LastModifiedBy`,
			`SystemModstamp datetime "System Modstamp" req ro`,
		}
	case "$address":
		label := strings.TrimSpace(arg + " ")
		if label != "" {
			label += " "
		}
		in := " in=" + arg + "Address"
		return []string{
			arg + `Street textarea(255) "` + label + `Street"` + in,
			arg + `City string(40) "` + label + `City"` + in,
			arg + `State string(80) "` + label + `State/Province"` + in,
			arg + `PostalCode string(20) "` + label + `Zip/Postal Code"` + in,
			arg + `Country string(80) "` + label + `Country"` + in,
			arg + `Address address "` + label + `Address" ro`,
		}
	}
	return []string{line}
}

// words splits at blanks; a quoted word may hold blanks, and so may the value of the last key=value.
func words(line string) []string {
	var out []string
	line = strings.TrimSpace(line)
	for line != "" {
		var w string
		if line[0] == '"' {
			w, line, _ = strings.Cut(line[1:], `"`)
		} else {
			w, line, _ = strings.Cut(line, " ")
			if strings.HasPrefix(w, "v=") {
				w, line = w+" "+line, ""
			} else if strings.HasPrefix(w, "def=") { // up to the next flag
				head, tail, found := strings.Cut(line, " v=")
				if found {
					w, line = w+" "+head, "v="+tail
				}
			}
		}
		out = append(out, strings.TrimSpace(w))
		line = strings.TrimSpace(line)
	}
	return out
}

type node = map[string]any

func specField(object, line string) node {
	w := words(line)
	typ, size, _ := strings.Cut(strings.TrimSuffix(w[1], ")"), "(")
	soap := map[string]string{"id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "date": "xsd:date",
		"datetime": "xsd:dateTime", "currency": "xsd:double", "double": "xsd:double", "percent": "xsd:double", "int": "xsd:int", "address": "urn:address", "base64": "xsd:base64Binary"}[typ]
	if soap == "" {
		soap = "xsd:string"
	}
	f := node{
		"name": w[0], "label": w[2], "type": typ, "soapType": soap, "custom": strings.HasSuffix(w[0], "__c"),
		"length": 0, "byteLength": 0, "precision": 0, "scale": 0, "digits": 0,
		"nillable": typ != "boolean", "createable": true, "updateable": true, "defaultedOnCreate": typ == "boolean", "defaultValue": nil, "defaultValueFormula": nil,
		"externalId": false, "idLookup": false, "unique": false, "caseSensitive": false, "nameField": false, "autoNumber": false,
		"calculated": false, "calculatedFormula": nil, "restrictedPicklist": false, "picklistValues": []node{}, "dependentPicklist": false, "controllerName": nil,
		"referenceTo": []string{}, "relationshipName": nil, "relationshipOrder": nil, "referenceTargetField": nil, "polymorphicForeignKey": false,
		"namePointing": false, "cascadeDelete": false, "restrictedDelete": false, "writeRequiresMasterRead": false, "compoundFieldName": nil, "extraTypeInfo": nil,
		"aggregatable": typ != "address" && typ != "boolean", "aiPredictionField": false, "deprecatedAndHidden": false, "displayLocationInDecimal": false, "encrypted": false,
		"filterable": typ != "textarea", "filteredLookupInfo": nil, "formulaTreatNullNumberAsZero": false, "groupable": typ != "textarea" && typ != "address" && typ != "datetime",
		"highScaleNumber": false, "htmlFormatted": false, "inlineHelpText": nil, "mask": nil, "maskType": nil, "permissionable": true,
		"queryByDistance": typ == "address", "searchPrefilterable": typ == "reference", "sortable": typ != "textarea" && typ != "address",
	}
	if typ == "boolean" {
		f["defaultValue"] = false
	}
	if typ == "base64" {
		f["aggregatable"], f["filterable"], f["groupable"], f["sortable"] = false, false, false, false
	}
	if a, b, two := strings.Cut(size, ","); two {
		f["precision"], _ = strconv.Atoi(a)
		f["scale"], _ = strconv.Atoi(b)
	} else if n, err := strconv.Atoi(size); err == nil {
		if typ == "int" {
			f["digits"] = n
		} else {
			f["length"], f["byteLength"] = n, 3*n
			if typ == "id" || typ == "reference" {
				f["byteLength"] = n
			}
		}
	}
	for _, flag := range w[3:] {
		key, val, _ := strings.Cut(flag, "=")
		if m, ok := specMacros[val]; ok {
			val = m
		}
		switch key {
		case "req":
			f["nillable"], f["permissionable"] = false, false
		case "ro":
			f["createable"], f["updateable"] = false, false
		case "once":
			f["updateable"] = false
		case "audit":
			f["updateable"], f["defaultedOnCreate"] = false, true
		case "ext":
			f["externalId"], f["idLookup"] = true, true
		case "uniq":
			f["unique"] = true
		case "cs":
			f["caseSensitive"] = true
		case "lookup":
			f["idLookup"] = true
		case "name":
			f["nameField"] = true
		case "auto":
			f["autoNumber"] = true
		case "casc":
			f["cascadeDelete"] = true
		case "restr":
			f["restrictedDelete"] = true
		case "kids":
			f["kids"] = val // not a part of the field; taken out below
		case "restricted":
			f["restrictedPicklist"] = true
		case "in":
			f["compoundFieldName"] = val
			if val == "Name" {
				f["extraTypeInfo"] = "personname"
			}
		case "rel":
			f["relationshipName"] = val
		case "ref":
			targets := strings.Split(val, ";")
			f["referenceTo"] = targets
			f["polymorphicForeignKey"] = len(targets) > 1
			f["namePointing"] = len(targets) > 1
		case "def":
			f["defaultedOnCreate"] = true
			if val != "$user" {
				f["defaultValue"] = val
			}
		case "v":
			var values []node
			for v := range strings.SplitSeq(val, ";") {
				values = append(values, node{"active": true, "defaultValue": v == f["defaultValue"], "label": v, "validFor": nil, "value": v})
			}
			f["picklistValues"] = values
		default:
			panic("unknown flag " + flag + " in " + object + "." + w[0])
		}
	}
	if f["autoNumber"] == true || w[0] == "Id" || w[0] == "SystemModstamp" || w[0] == "IsDeleted" {
		f["defaultedOnCreate"] = true
	}
	return f
}

// snapshots turns the short form into describe answers, one line per field.
func snapshots() map[string][]byte {
	type object struct {
		head   node
		fields []node
	}
	var objects []*object
	for line := range strings.Lines(schemaSpec) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "":
		case strings.HasPrefix(line, "object "):
			w := words(line)
			name, flags := w[1], strings.Join(w[5:], " ")
			write := !strings.Contains(flags, "readonly")
			gone := !strings.Contains(flags, "nodelete")
			o := &object{head: node{
				"name": name, "keyPrefix": w[2], "label": w[3], "labelPlural": w[4], "custom": strings.HasSuffix(name, "__c"),
				"createable": write && !strings.Contains(flags, "nocreate"), "updateable": write, "deletable": gone && write, "undeletable": gone, "queryable": true, "retrieveable": true,
				"replicateable": true, "searchable": true, "layoutable": write, "triggerable": write, "mergeable": name == "Account" || name == "Contact" || name == "Lead",
				"activateable": false, "associateEntityType": nil, "associateParentEntity": nil, "compactLayoutable": write, "customSetting": false,
				"deepCloneable": false, "defaultImplementation": nil, "deprecatedAndHidden": false, "extendedBy": nil, "extendsInterfaces": nil,
				"feedEnabled": write, "hasSubtypes": name == "Account", "implementedBy": nil, "implementsInterfaces": nil, "isInterface": false, "isSubtype": false,
				"listviewable": nil, "lookupLayoutable": nil, "mruEnabled": write, "namedLayoutInfos": []node{}, "networkScopeFieldName": nil,
				"searchLayoutable": true, "sobjectDescribeOption": "FULL", "supportedScopes": []node{{"label": "All", "name": "everything"}},
				"actionOverrides": []node{}, "recordTypeInfos": []node{{"active": true, "available": true, "defaultRecordTypeMapping": true,
					"developerName": "Master", "master": true, "name": "Master", "recordTypeId": "012000000000000AAA", "urls": node{"layout": nil}}},
				"urls": node{"describe": "/services/data/v66.0/sobjects/" + name + "/describe", "sobject": "/services/data/v66.0/sobjects/" + name,
					"rowTemplate": "/services/data/v66.0/sobjects/" + name + "/{ID}"},
			}}
			objects = append(objects, o)
		default:
			o := objects[len(objects)-1]
			for _, l := range expand(line) {
				o.fields = append(o.fields, specField(o.head["name"].(string), l))
			}
		}
	}
	files := map[string][]byte{}
	names := map[string]any{} // of child relationships, by object and field
	for _, o := range objects {
		for _, f := range o.fields {
			if kids, ok := f["kids"]; ok {
				names[fmt.Sprint(o.head["name"], ".", f["name"])] = kids
				delete(f, "kids")
			}
		}
	}
	for _, o := range objects {
		children := []node{}
		for _, child := range objects {
			for _, f := range child.fields {
				for _, target := range f["referenceTo"].([]string) {
					if target == o.head["name"] {
						children = append(children, node{"cascadeDelete": f["cascadeDelete"], "childSObject": child.head["name"], "deprecatedAndHidden": false,
							"field": f["name"], "junctionIdListNames": []string{}, "junctionReferenceTo": []string{}, "relationshipName": names[fmt.Sprint(child.head["name"], ".", f["name"])], "restrictedDelete": f["restrictedDelete"]})
					}
				}
			}
		}
		var b bytes.Buffer
		b.WriteString("{\n")
		writeLines := func(key string, list []node, last bool) {
			fmt.Fprintf(&b, "%q: [", key)
			for i, n := range list {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString("\n ")
				b.Write(oneLine(n))
			}
			b.WriteString("\n]")
			if !last {
				b.WriteByte(',')
			}
			b.WriteByte('\n')
		}
		head := oneLine(o.head)
		b.Write(head[1 : len(head)-1])
		b.WriteString(",\n")
		writeLines("childRelationships", children, false)
		writeLines("fields", o.fields, true)
		b.WriteString("}\n")
		files[o.head["name"].(string)+".json"] = b.Bytes()
	}
	return files
}

func oneLine(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

func TestBuiltInSchema(t *testing.T) {
	for name, want := range snapshots() {
		path := "schema/" + name
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(got) {
			t.Errorf("%s is not JSON", path)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from the short form in this file; rewrite it with -update", path)
		}
	}
}
