package plan

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadSDL(t *testing.T) {
	t.Parallel()
	const text = `# import: source column = Salesforce field
! another comment
Company\ Name=Name
LEGACY_NO=Legacy_Id__c
STATE=BillingState, ShippingState
STREET1, STREET2=BillingStreet
PARENT_NO=Parent\:Account-Legacy_Id__c
OWNER=Owner\:username
"Aerospace"=Industry
"Some\ text"=Description
UNUSED=
  caf\u00e9 \uD83C\uDFF0 : Site
a\=b = Phone
long\
   er=Fax
BRANCH=Industry
Stra` + "\xdfe" + `=BillingCity
`
	path := filepath.Join(t.TempDir(), "m.sdl")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "\n", "\r\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSDL(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []Field{
		{From: "Company Name", To: "Name", Line: 3},
		{From: "LEGACY_NO", To: "Legacy_Id__c", Line: 4},
		{From: "STATE", To: "BillingState", Line: 5},
		{From: "STATE", To: "ShippingState", Line: 5},
		{Columns: []string{"STREET1", "STREET2"}, With: ", ", To: "BillingStreet", Line: 6},
		{From: "PARENT_NO", To: "Parent.Legacy_Id__c", ParentType: "Account", Line: 7},
		{From: "OWNER", To: "Owner.username", Line: 8},
		{From: "UNUSED", Line: 11},
		{From: "café 🏰", To: "Site", Line: 12},
		{From: "a=b", To: "Phone", Line: 13},
		{From: "longer", To: "Fax", Line: 14},
		{From: "Straße", To: "BillingCity", Line: 17},
		{Const: ptr("Aerospace"), To: "Industry", Line: 9},
		{Const: ptr("Some text"), To: "Description", Line: 10},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-want +got)\n%s", diff)
	}
	for name, test := range map[string]struct{ text, want string }{
		"no column": {"=Name\n", "line 1: the column is missing"},
		"lookup":    {"\nA=Parent\\:\n", "line 2: Parent: is no lookup"},
		"unicode":   {"A\\u12=Name\n", `line 1: \u is followed by four hex digits`},
	} {
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSDL(path); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// No text makes the reader panic.
func FuzzProperties(f *testing.F) {
	f.Add("a\\ b=c\n\\u00e9:d\\\n e")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := properties(text)
		if err != nil {
			return
		}
		for _, p := range list {
			p.fields()
		}
	})
}
