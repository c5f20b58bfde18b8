package plan_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"migrate/pkg/bulk2"
	"migrate/pkg/pipeline"
	"migrate/pkg/plan"
	"migrate/pkg/salesforce"
)

// describe answers from the describe snapshots of the local org, and with 404 for other objects.
func describe(object string) (*salesforce.SObject, error) {
	const folder = "../../internal/localorg/schema"
	files, err := filepath.Glob(folder + "/*.json")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if strings.EqualFold(strings.TrimSuffix(filepath.Base(f), ".json"), object) {
			text, err := os.ReadFile(f)
			if err != nil {
				return nil, err
			}
			o := new(salesforce.SObject)
			return o, json.Unmarshal(text, o)
		}
	}
	return nil, &salesforce.APIError{Status: 404, Code: "NOT_FOUND"}
}

func TestCRM(t *testing.T) {
	t.Parallel()
	tests := []struct {
		path   string
		unsent map[string][]string
		jobs   []string
	}{
		{"../../testdata/crm/migrate.yaml", map[string][]string{"accounts": {"rep"}},
			[]string{"accounts", "contacts", "opportunities", "cases", "tasks", "invoices"}},
		{"../../testdata/crm-broken/migrate.yaml", map[string][]string{"accounts": {"rep"}, "invoices": {"deal_no"}}, []string{"accounts", "contacts", "invoices"}},
	}
	for _, tt := range tests {
		t.Run(filepath.Base(filepath.Dir(tt.path)), func(t *testing.T) {
			t.Parallel()
			p, err := plan.Read(tt.path)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, j := range p.Jobs {
				names = append(names, j.Name)
				src, _, err := j.Source.Open(os.LookupEnv)
				if err != nil {
					t.Fatal(err)
				}
				out, decisions, err := j.Compile(src, describe, nil)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.unsent[j.Name], decisions.Unsent); diff != "" {
					t.Errorf("job %s: unsent columns, want -, got +:\n%s", j.Name, diff)
				}
				if len(decisions.Notes) > 0 {
					t.Errorf("job %s: notes %q, want none", j.Name, decisions.Notes)
				}
				if got, want := len(out.Columns), len(j.Fields); got != want {
					t.Errorf("job %s: %d columns, want %d", j.Name, got, want)
				}
				for i, c := range out.Columns {
					if got, want := c.Header, j.Fields[i].To; got != want {
						t.Errorf("job %s: header %s, want %s", j.Name, got, want)
					}
					if got := out.Mapping.Schema().Field(i).Name; got != c.Header {
						t.Errorf("job %s: the mapping has column %s, want %s", j.Name, got, c.Header)
					}
					if want := c.Header == "Legacy_Id__c"; c.Key != want {
						t.Errorf("job %s: column %s is key %t, want %t", j.Name, c.Header, c.Key, want)
					}
				}
				i := slices.IndexFunc(j.Fields, func(f plan.Field) bool { return f.To == "Legacy_Id__c" })
				if got, want := out.Key, j.Fields[i].From; got != want {
					t.Errorf("job %s: key column %q, want %q", j.Name, got, want)
				}
			}
			if diff := cmp.Diff(tt.jobs, names); diff != "" {
				t.Errorf("jobs, want -, got +:\n%s", diff)
			}
		})
	}
}

func TestCRMTasks(t *testing.T) {
	t.Parallel()
	p, err := plan.Read("../../testdata/crm/migrate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	j := p.Jobs[4]
	src, _, err := j.Source.Open(os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	out, decisions, err := j.Compile(src, describe, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []pipeline.Column{
		{Header: "Legacy_Id__c", Type: "string", Key: true},
		{Header: "Contact:Who.Legacy_Id__c", Type: "string"},
		{Header: "Opportunity:What.Legacy_Id__c", Type: "string"},
		{Header: "Subject", Type: "combobox"},
		{Header: "ActivityDate", Type: "date"},
		{Header: "Status", Type: "picklist"},
		{Header: "Priority", Type: "picklist"},
		{Header: "Description", Type: "textarea"},
	}
	if diff := cmp.Diff(want, out.Columns, cmpopts.IgnoreFields(pipeline.Column{}, "Doubt")); diff != "" {
		t.Errorf("columns, want -, got +:\n%s", diff)
	}
	if got, want := decisions.Mapped[1], "contact_no → Contact:Who.Legacy_Id__c"; got != want {
		t.Errorf("mapped %q, want %q", got, want)
	}
	if out.Name != "tasks" || out.Object != "Task" || out.Operation != bulk2.Insert || out.ExternalID != "" || out.Key != "activity_no" {
		t.Errorf("job %+v", out)
	}
}
