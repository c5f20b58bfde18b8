package localorg

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// schemaOf takes snapshots out of the built-in set.
func schemaOf(t *testing.T, objects ...string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range objects {
		data, err := fs.ReadFile(builtInSchema(), name+".json")
		if err != nil {
			t.Fatal(err)
		}
		files[name+".json"] = &fstest.MapFile{Data: data}
	}
	return files
}

// replaceIn replaces a text that must be in a snapshot.
func replaceIn(t *testing.T, files fstest.MapFS, name, old, text string) {
	t.Helper()
	if !bytes.Contains(files[name].Data, []byte(old)) {
		t.Fatalf("%s does not hold %s", name, old)
	}
	files[name].Data = bytes.Replace(files[name].Data, []byte(old), []byte(text), 1)
}

func TestSchemaErrors(t *testing.T) {
	t.Parallel()
	account := string(schemaOf(t, "Account")["Account.json"].Data)
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"nothing", nil, "the schema folder is not there or holds no describe snapshot (OBJECT.json)"},
		{"no JSON", map[string]string{"A.json": "<html>"}, "snapshot A.json: it is no describe of an object: invalid character '<'"},
		{"an answer of errors", map[string]string{"A.json": `[{"errorCode":"NOT_FOUND"}]`}, "snapshot A.json: it is no describe of an object: json: cannot unmarshal array"},
		{"another answer", map[string]string{"A.json": `{"sobjects":[]}`}, "snapshot A.json: it is no describe of an object: it has no name or no fields; write it again with migrate describe"},
		{"no fields", map[string]string{"A.json": `{"name":"A","keyPrefix":"a00","fields":[]}`}, "no name or no fields"},
		{"no prefix", map[string]string{"A.json": `{"name":"A","keyPrefix":null,"fields":[{"name":"Id"}]}`}, `object A has the key prefix ""; records of an object without one cannot be kept; remove the file`},
		{"strange prefix", map[string]string{"A.json": `{"name":"A","keyPrefix":"a/0","fields":[{"name":"Id"}]}`}, `key prefix "a/0"`},
		{"null field", map[string]string{"A.json": `{"name":"A","keyPrefix":"a00","fields":[null]}`}, "field 1 of object A has no name"},
		{"field twice", map[string]string{"A.json": `{"name":"A","keyPrefix":"a00","fields":[{"name":"Id","type":"id"},{"name":"ID","type":"id"}]}`}, "field ID is there twice"},
		{"no id", map[string]string{"A.json": `{"name":"A","keyPrefix":"a00","fields":[{"name":"Name","type":"string"}]}`}, "object A has no field Id"},
		{"object twice", map[string]string{"Account.json": account, "B.json": account}, "snapshot B.json: Account.json describes object Account, too; remove one of them"},
		{"prefix twice", map[string]string{"Account.json": account, "B.json": `{"name":"B","keyPrefix":"001","fields":[{"name":"Id","type":"id"}]}`}, "snapshot B.json: Account.json has the key prefix 001, too"},
		{"record type", map[string]string{"A.json": `{"name":"A","keyPrefix":"a00","fields":[{"name":"Id","type":"id"}],"recordTypeInfos":[{"name":"X","recordTypeId":"x"}]}`}, `snapshot A.json: record type "X" has the id "x"`},
		{"record types of one id", map[string]string{"A.json": `{"name":"A","keyPrefix":"a00","fields":[{"name":"Id","type":"id"}],"recordTypeInfos":[{"name":"X","recordTypeId":"0125g0000000001AAA"},{"name":"Y","recordTypeId":"0125g0000000001"}]}`}, `record type "Y" has an id that another one has`},
	} {
		files := fstest.MapFS{}
		for name, text := range test.files {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
		o, err := Open(Config{Schema: files})
		var config *ConfigError
		if err == nil {
			o.Close()
		}
		if !errors.As(err, &config) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
}

// TestSchemaOfARealOrg opens an org from what real describes hold and the built-in ones do not.
func TestSchemaOfARealOrg(t *testing.T) {
	t.Parallel()
	files := schemaOf(t, "Account", "Contact")
	var more strings.Builder
	for i := range 600 {
		fmt.Fprintf(&more, `{"name":"Custom%d__c","label":"Custom %d","type":%q,"nillable":true,"createable":true,"updateable":true,"newThing":{"a":[1]},"length":80},`, i, i,
			[]string{"anyType", "complexvalue", "json", "base64", "string"}[i%5])
	}
	replaceIn(t, files, "Account.json", `"fields": [`, `"fields": [`+more.String())
	master := `"recordTypeInfos":[`
	replaceIn(t, files, "Account.json", master, master+`{"active":true,"available":true,"developerName":"Partner","master":false,"name":"Partner","recordTypeId":"0124x000000AbCdAAK"},`+
		`{"active":false,"available":true,"developerName":"Old","master":false,"name":"Old","recordTypeId":"0124x000000AbCeAAK"},`)
	replaceIn(t, files, "Contact.json", master, master+`{"active":true,"available":true,"developerName":"Partner","master":false,"name":"Partner","recordTypeId":"0124x000000AbCfAAK"},`)
	files["Account.json"].Data = append([]byte("\ufeff"), files["Account.json"].Data...)
	files["notes.txt"] = &fstest.MapFile{Data: []byte("not a snapshot")}
	c := open(t, Config{Schema: files})

	if got := c.values("RecordType", "Id", "DeveloperName", "SobjectType", "IsActive"); !cmp.Equal(got, [][]string{
		{"0124x000000AbCdAAK", "Partner", "Account", "true"}, {"0124x000000AbCeAAK", "Old", "Account", "false"}, {"0124x000000AbCfAAK", "Partner", "Contact", "true"}}) {
		t.Errorf("record types: %v", got)
	}
	j := c.load(spec{"object": "Account", "operation": "insert"}, "Name,RecordTypeId,Custom4__c,Legacy_Id__c\n"+
		"a,0124x000000AbCdAAK,x,1\nb,0124x000000AbCd,x,2\nc,0124x000000AbCeAAK,x,3\nd,0124x000000AbCfAAK,x,4\ne,0124x000000AbCzAAK,x,5\n")
	var got [][]string
	for _, r := range c.rows(j.ID, "failedResults", `"sf__Id","sf__Error",Name,RecordTypeId,Custom4__c,Legacy_Id__c`) {
		got = append(got, r[1:3])
	}
	if diff := cmp.Diff([][]string{
		{"INVALID_CROSS_REFERENCE_KEY:Record Type ID: this ID value isn't valid for the user: 0124x000000AbCeAAK:RecordTypeId --", "c"},
		{"INVALID_CROSS_REFERENCE_KEY:Record Type ID: this ID value isn't valid for the user: 0124x000000AbCfAAK:RecordTypeId --", "d"},
		{"INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--", "e"},
	}, got); diff != "" {
		t.Errorf("failed rows (-want +got)\n%s", diff)
	}
	c.insert("Account", "Name,RecordType.DeveloperName,Legacy_Id__c", "f,Partner,6")
	if diff := cmp.Diff([][]string{{"a", "0124x000000AbCdAAK"}, {"b", "0124x000000AbCdAAK"}, {"f", "0124x000000AbCdAAK"}}, c.values("Account", "Name", "RecordTypeId")); diff != "" {
		t.Errorf("accounts (-want +got)\n%s", diff)
	}
	if a := c.soql("SELECT Name FROM Account WHERE RecordType.DeveloperName = 'Partner' AND Owner.Username = 'admin@local.example.com'"); !strings.Contains(a.body, `"totalSize":3`) {
		t.Errorf("query: %s", a.body)
	}
	// a user is found by name also where the snapshot does not make the name a key
	files = schemaOf(t, "User")
	for _, key := range []string{`"idLookup":`, `"unique":`, `"externalId":`} {
		files["User.json"].Data = bytes.ReplaceAll(files["User.json"].Data, []byte(key+"true"), []byte(key+"false"))
	}
	bare := open(t, Config{Schema: files, Password: "pw"})
	if a := bare.do("POST", "/services/Soap/u/64.0", "text/xml", soap("64.0", "INTEGRATION@local.example.com", "pw", 0, "").body); a.status != 200 {
		t.Errorf("login without a key on the name: %d %s", a.status, a.body)
	}
	// what the user of the snapshots may not set, nobody may, unless the org's setting says otherwise
	for _, audit := range []*bool{nil, new(true)} {
		files := schemaOf(t, "Lead")
		at := bytes.Index(files["Lead.json"].Data, []byte(`"name":"CreatedDate"`))
		head := bytes.LastIndex(files["Lead.json"].Data[:at], []byte(`"createable":true`))
		files["Lead.json"].Data = slices.Concat(files["Lead.json"].Data[:head], []byte(`"createable":false`), files["Lead.json"].Data[head+len(`"createable":true`):])
		c := open(t, Config{Schema: files, AuditFields: audit})
		j := c.load(spec{"object": "Lead", "operation": "insert"}, "LastName,Company,CreatedDate\na,b,2020-01-01T00:00:00Z\n")
		if want := audit != nil; (j.State == "JobComplete" && j.Failed == 0) != want {
			t.Errorf("CreatedDate, setting %v: %+v", want, j)
		}
	}
	if got := c.org.Dangling(); len(got) != 0 {
		t.Errorf("dangling: %v", got)
	}
}

// TestDanglingLookups opens an org without the parents of its objects: their lookups take no value.
func TestDanglingLookups(t *testing.T) {
	t.Parallel()
	c := open(t, Config{Schema: schemaOf(t, "Contact")})
	if diff := cmp.Diff([]string{"Contact.AccountId"}, c.org.Dangling()); diff != "" {
		t.Errorf("dangling (-want +got)\n%s", diff)
	}
	j := c.load(spec{"object": "Contact", "operation": "insert"}, "LastName,AccountId\na,\nb,0015g00000000001\n")
	if j.State != "JobComplete" || j.Failed != 1 {
		t.Errorf("%+v", j)
	}
	for _, header := range []string{"Account.Legacy_Id__c", "Account.Id"} {
		if j := c.load(spec{"object": "Contact", "operation": "insert"}, "LastName,"+header+"\na,x\n"); j.State != "Failed" || !strings.HasPrefix(j.ErrorMessage, "InvalidBatch : Field name not found") {
			t.Errorf("%s: %+v", header, j)
		}
	}
	for _, q := range []string{"SELECT Account.Name FROM Contact", "SELECT Id, (SELECT Id FROM Cases) FROM Contact"} {
		if a := c.soql(q); a.status != 400 {
			t.Errorf("%s: %d %s", q, a.status, a.body)
		}
	}
}
