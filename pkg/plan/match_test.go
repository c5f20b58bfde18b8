package plan_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"migrate/pkg/plan"
	"migrate/pkg/salesforce"
)

// twins describes an object with two fields of one label.
func twins(object string) (*salesforce.SObject, error) {
	o, err := odd(object)
	if err == nil && object == "Odd__c" {
		for _, name := range []string{"Left__c", "Right__c"} {
			o.Fields = append(o.Fields, salesforce.Field{Name: name, Label: "Side", Type: "string", Nillable: true, Createable: true, Updateable: true})
		}
		o.Fields = append(o.Fields, salesforce.Field{Name: "Due__c", Label: "Due", Type: "datetime", Nillable: true, Createable: true, Updateable: true})
		o.Fields = append(o.Fields, salesforce.Field{Name: "Sum2__c", Label: "Total", Type: "currency", Calculated: true, Nillable: true})
	}
	return o, err
}

// TestAutoMapByLabel: a load without a mapping sends a column by the label of a field where that leaves no choice, and says so.
func TestAutoMapByLabel(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		job     plan.Job
		columns table
		mapped  []string
		note    string
		refused []string
	}{
		{"names and labels", adhoc("insert", "Account", ""), table{"account name", "Phone", "Legacy Id"},
			[]string{"account name → Name", "Phone → Phone", "Legacy Id → Legacy_Id__c"}, "by the labels of the fields: account name → Name, Legacy Id → Legacy_Id__c", nil},
		{"the name wins", adhoc("insert", "Account", ""), table{"Name", "Account Name"}, nil, "",
			[]string{`job j: source column "Account Name" fits no field for sure: the label of Name, to which column "Name" goes by its name; send it to one with --map "Account Name=FIELD" or leave it out with --map "Account Name="`}},
		{"two columns", adhoc("insert", "Account", ""), table{"Name", "Account Fax", "ACCOUNT FAX"}, nil, "", []string{
			`job j: source column "Account Fax" fits no field for sure: the label of Fax, and column "ACCOUNT FAX" could go there as well; send it to one with --map "Account Fax=FIELD" or leave it out with --map "Account Fax="`,
			`job j: source column "ACCOUNT FAX" fits no field for sure: the label of Fax, and column "Account Fax" could go there as well; send it to one with --map "ACCOUNT FAX=FIELD" or leave it out with --map "ACCOUNT FAX="`,
		}},
		{"two columns of one name", adhoc("insert", "Account", ""), table{"Name", "Account Fax", "Account Fax"}, nil, "", []string{
			`job j: source column "Account Fax" fits no field for sure: the label of Fax, and column "Account Fax" could go there as well; send it to one with --map "Account Fax=FIELD" or leave it out with --map "Account Fax="`,
		}},
		{"two fields", adhoc("insert", "Odd__c", ""), table{"Name", "side"}, nil, "", []string{
			`job j: source column "side" fits no field for sure: the label of Left__c and Right__c, so say which is meant; send it to one with --map "side=FIELD" or leave it out with --map "side="`}},
		{"read-only fields do not count", adhoc("insert", "Odd__c", ""), table{"Name", "total"}, nil, "", []string{
			`job j: source column "total" fits no field of Odd__c; did you mean Sum2__c?; send it to one with --map "total=FIELD" or leave it out with --map "total="`}},
		{"set already", adhoc("insert", "Account", "", "company=Name"), table{"company", "Account Name"}, nil, "", []string{
			`job j: source column "Account Name" fits no field for sure: the label of Name, which is set from column company already; send it to one with --map "Account Name=FIELD" or leave it out with --map "Account Name="`}},
		{"a delete goes by the name Id", adhoc("delete", "Account", ""), table{"Account ID"}, nil, "", []string{
			`job j: source column "Account ID": delete takes the column Id alone; leave it out with --map "Account ID="`,
			`job j: delete finds records by Id, which is not mapped; send a column to it with --map COLUMN=Id`}},
		{"an update goes by the label of Id", adhoc("update", "Account", ""), table{"Account ID", "Website"},
			[]string{"Account ID → Id", "Website → Website"}, "by the labels of the fields: Account ID → Id", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, d, err := tt.job.Compile(tt.columns, twins, nil)
			var refused []string
			if found := new(plan.Error); errors.As(err, &found) {
				refused = strings.Split(err.Error(), "\n")
			} else if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.refused, refused); diff != "" {
				t.Errorf("findings, want -, got +:\n%s", diff)
			}
			if diff := cmp.Diff(tt.mapped, d.Mapped); diff != "" {
				t.Errorf("mapped, want -, got +:\n%s", diff)
			}
			if tt.note != "" && !slices.Contains(d.Notes, tt.note) {
				t.Errorf("notes %q lack %q", d.Notes, tt.note)
			}
			ignoring := tt.job // what leaves a choice is not sent either
			ignoring.IgnoreUnmapped = true
			_, d, err = ignoring.Compile(tt.columns, twins, nil)
			for _, r := range tt.refused {
				_, column, ofColumn := strings.Cut(r, `source column "`)
				column, _, _ = strings.Cut(column, `"`)
				if ofColumn && err == nil && !slices.Contains(d.Unsent, column) {
					t.Errorf("column %s is sent: %v", column, d.Mapped)
				}
			}
		})
	}
}
