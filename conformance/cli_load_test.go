package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCLIWithAccessToken drives an org over plain http on loopback. Each step works on what the ones before it left.
func TestCLIWithAccessToken(t *testing.T) {
	installed := need(t)
	o := serve(t)
	c := &cli{clients: installed, home: t.TempDir(), env: []string{"SF_ACCESS_TOKEN=" + token}}
	var login struct {
		Username    string `json:"username"`
		OrgID       string `json:"orgId"`
		InstanceURL string `json:"instanceUrl"`
	}
	c.run(t, &login, "org", "login", "access-token", "--instance-url", o.url, "--no-prompt", "--alias", "org")
	if login.Username != "admin@local.example.com" || strings.TrimSuffix(login.InstanceURL, "/") != o.url || !strings.HasPrefix(login.OrgID, "00D") {
		t.Fatalf("login %+v", login)
	}
	c.loads(t)
	a := o.audit(t)
	if len(a.Violations) > 0 {
		t.Errorf("the org says that the CLI broke its rules: %+v", a.Violations)
	}
}

// loads puts accounts into an empty org and takes them out again, by every command that moves records in bulk.
func (c *cli) loads(t *testing.T) {
	rows := accounts(450)
	ids := map[string]string{} // by key

	t.Run("import", func(t *testing.T) {
		c.write(t, "accounts.csv", accountsCSV(rows, ',', false))
		var r ingested
		c.run(t, &r, "data", "import", "bulk", "--file", "accounts.csv", "--sobject", "Account", "--wait", "5", "--target-org", "org")
		if r.ProcessedRecords != 450 || r.SuccessfulRecords != 450 || r.FailedRecords != 0 {
			t.Errorf("import %+v", r)
		}
		files := c.results(t, r.JobID)
		if files.Status != "JobComplete" || files.Operation != "insert" || files.Object != "Account" || files.SuccessfulRecords != 450 || files.FailedFile != "" {
			t.Errorf("results %+v", files)
		}
		saved, header := c.read(t, files.SuccessFile, ',')
		if diff := cmp.Diff([]string{"sf__Id", "sf__Created", "Name", "Legacy_Id__c", "AnnualRevenue", "BillingCity", "Description"}, header); diff != "" {
			t.Errorf("header (-want +got)\n%s", diff)
		}
		var got []account
		for _, row := range saved {
			if len(row["sf__Id"]) != 18 || row["sf__Created"] != "true" {
				t.Errorf("row %v", row)
			}
			ids[row["Legacy_Id__c"]] = row["sf__Id"]
			got = append(got, accountOf(t, row))
		}
		want(t, "success file", rows, sorted(got))
	})

	t.Run("export", func(t *testing.T) {
		got, header := c.export(t, exportQuery, "export.csv")
		if diff := cmp.Diff([]string{"Id", "Name", "Legacy_Id__c", "AnnualRevenue", "BillingCity", "Description"}, header); diff != "" {
			t.Errorf("header (-want +got)\n%s", diff)
		}
		want(t, "export", rows, got)
	})

	t.Run("export as JSON", func(t *testing.T) {
		c.run(t, nil, "data", "export", "bulk", "--query", "SELECT Id, Legacy_Id__c FROM Account", "--output-file", "export.json", "--result-format", "json", "--wait", "5", "--target-org", "org")
		data, err := os.ReadFile(filepath.Join(c.home, "export.json"))
		if err != nil {
			t.Fatal(err)
		}
		var list []map[string]string
		decode(t, data, &list)
		got := map[string]string{}
		for _, row := range list {
			got[row["Legacy_Id__c"]] = row["Id"]
		}
		if diff := cmp.Diff(ids, got); diff != "" {
			t.Errorf("ids by key (-want +got)\n%s", diff)
		}
	})

	t.Run("query", func(t *testing.T) {
		var r struct {
			TotalSize int
			Done      bool
			Records   []struct {
				Name          string
				AnnualRevenue *float64
				Owner         struct{ Username string }
			}
		}
		c.run(t, &r, "data", "query", "--query", "SELECT Name, AnnualRevenue, Owner.Username FROM Account WHERE BillingCity = 'Luleå' ORDER BY Legacy_Id__c LIMIT 3", "--target-org", "org")
		if r.TotalSize != 3 || !r.Done || len(r.Records) != 3 || r.Records[0].Name != "Company 0000" || *r.Records[0].AnnualRevenue != 912260000 ||
			r.Records[2].AnnualRevenue != nil || r.Records[0].Owner.Username != "admin@local.example.com" {
			t.Errorf("query %+v", r)
		}
	})

	t.Run("upsert", func(t *testing.T) {
		for i := range rows[:100] {
			rows[i].City = "Moved"
		}
		rows = append(rows, account{Name: "New 1", Key: "N-1"}, account{Name: "New 2", Key: "N-2"})
		c.write(t, "upsert.csv", accountsCSV(append(slices.Clone(rows[:100]), rows[450:]...), ',', false))
		var r struct {
			JobInfo struct{ ID string }
			Records struct {
				SuccessfulResults []map[string]string
				FailedResults     []map[string]string
			}
		}
		c.run(t, &r, "data", "upsert", "bulk", "--file", "upsert.csv", "--sobject", "Account", "--external-id", "Legacy_Id__c", "--wait", "5", "--target-org", "org")
		created := 0
		for _, row := range r.Records.SuccessfulResults {
			if row["sf__Created"] == "true" {
				created++
				ids[row["Legacy_Id__c"]] = row["sf__Id"]
			} else if row["sf__Id"] != ids[row["Legacy_Id__c"]] {
				t.Errorf("upsert of %s met %s, not %s", row["Legacy_Id__c"], row["sf__Id"], ids[row["Legacy_Id__c"]])
			}
		}
		if created != 2 || len(r.Records.SuccessfulResults) != 102 || len(r.Records.FailedResults) != 0 {
			t.Errorf("upsert: %d created, %d in all, %d failed", created, len(r.Records.SuccessfulResults), len(r.Records.FailedResults))
		}
		got, _ := c.export(t, exportQuery, "upserted.csv")
		want(t, "after the upsert", rows, got)
	})

	t.Run("update", func(t *testing.T) {
		var b strings.Builder
		b.WriteString("Id,Description\r\n")
		for i := 100; i < 300; i++ {
			rows[i].Description = "updated"
			b.WriteString(ids[rows[i].Key] + ",updated\r\n")
		}
		c.write(t, "update.csv", b.String())
		var r ingested
		c.run(t, &r, "data", "update", "bulk", "--file", "update.csv", "--sobject", "Account", "--line-ending", "CRLF", "--wait", "5", "--target-org", "org")
		if r.ProcessedRecords != 200 || r.SuccessfulRecords != 200 {
			t.Errorf("update %+v", r)
		}
		got, _ := c.export(t, exportQuery, "updated.csv")
		want(t, "after the update", rows, got)
	})

	t.Run("rows that fail", func(t *testing.T) {
		c.write(t, "bad.csv", "Name,Legacy_Id__c,AnnualRevenue\nGood,G-1,1\n,B-1,2\nBad number,B-2,many\nTwice,K-0001,\n")
		a := c.try(t, "data", "import", "bulk", "--file", "bad.csv", "--sobject", "Account", "--wait", "5", "--target-org", "org")
		if a.Status != 1 || !strings.Contains(a.Message, "3") {
			t.Fatalf("import %+v", a)
		}
		var data struct{ JobID, State string }
		decode(t, a.Data, &data)
		files := c.results(t, data.JobID)
		if files.ProcessedRecords != 4 || files.FailedRecords != 3 || data.State != "JobComplete" {
			t.Errorf("results %+v", files)
		}
		failed, _ := c.read(t, files.FailedFile, ',')
		got := map[string]string{}
		for _, row := range failed {
			got[row["Legacy_Id__c"]] = row["sf__Error"]
		}
		wanted := map[string]string{
			"B-1":    "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --",
			"B-2":    "INVALID_FIELD:Failed to deserialize field at col 2. Due to, 'many' is not a valid value for the type xsd:double:AnnualRevenue --",
			"K-0001": "DUPLICATE_VALUE:duplicate value found: Legacy_Id__c duplicates value on record with id: " + ids["K-0001"][:15] + ":--",
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("failed file (-want +got)\n%s", diff)
		}
		rows = append(rows, account{Name: "Good", Key: "G-1", Revenue: "1"})
		good, _ := c.read(t, files.SuccessFile, ',')
		for _, row := range good {
			ids[row["Legacy_Id__c"]] = row["sf__Id"]
		}
	})

	t.Run("job that fails", func(t *testing.T) {
		c.write(t, "unknown.csv", "Name,Nonsense__c\nA,1\n")
		a := c.try(t, "data", "import", "bulk", "--file", "unknown.csv", "--sobject", "Account", "--wait", "5", "--target-org", "org")
		if a.Status != 1 || !strings.Contains(a.Message, "InvalidBatch : Field name not found : Nonsense__c") {
			t.Errorf("import %+v", a)
		}
		a = c.try(t, "data", "import", "bulk", "--file", "unknown.csv", "--sobject", "Nothing__c", "--wait", "5", "--target-org", "org")
		if a.Status != 1 || a.Name != "INVALIDJOB" || a.Message != "InvalidJob : Unable to find object: Nothing__c" {
			t.Errorf("import into an unknown object %+v", a)
		}
	})

	t.Run("other delimiter, resumed", func(t *testing.T) {
		more := []account{{Name: "Semi;colon", Key: "S-1", City: "A,B"}, {Name: "Zwei", Key: "S-2", Revenue: "12"}}
		c.write(t, "semicolon.csv", accountsCSV(more, ';', true))
		var begun, r ingested
		c.run(t, &begun, "data", "import", "bulk", "--file", "semicolon.csv", "--sobject", "Account", "--column-delimiter", "SEMICOLON", "--line-ending", "CRLF", "--target-org", "org")
		c.run(t, &r, "data", "import", "resume", "--job-id", begun.JobID, "--wait", "5")
		if r.SuccessfulRecords != 2 {
			t.Errorf("resume %+v", r)
		}
		files := c.results(t, begun.JobID)
		saved, _ := c.read(t, files.SuccessFile, ';')
		for _, row := range saved {
			ids[row["Legacy_Id__c"]] = row["sf__Id"]
		}
		rows = append(rows, more...)
		got, _ := c.export(t, exportQuery, "more.csv")
		want(t, "after the second import", sorted(rows), got)
	})

	t.Run("tree", func(t *testing.T) {
		c.write(t, "tree.json", `{"records":[{"attributes":{"type":"Account","referenceId":"a1"},"Name":"Tree","Legacy_Id__c":"T-1",
			"Contacts":{"records":[{"attributes":{"type":"Contact","referenceId":"c1"},"LastName":"Leaf"}]}}]}`)
		var made []struct{ RefID, Type, ID string }
		c.run(t, &made, "data", "import", "tree", "--files", "tree.json", "--target-org", "org")
		if len(made) != 2 || len(made[0].ID) != 18 {
			t.Fatalf("import tree %+v", made)
		}
		var r struct {
			Records []struct {
				Name     string
				Contacts struct{ Records []struct{ LastName string } }
			}
		}
		c.run(t, &r, "data", "query", "--query", "SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Legacy_Id__c = 'T-1'", "--target-org", "org")
		if len(r.Records) != 1 || len(r.Records[0].Contacts.Records) != 1 || r.Records[0].Contacts.Records[0].LastName != "Leaf" {
			t.Errorf("query of the tree %+v", r)
		}
		for _, m := range made {
			if m.Type == "Account" { // its contact goes with it
				c.write(t, "hard.csv", "Id\n"+m.ID+"\n")
			}
		}
		c.run(t, nil, "data", "delete", "bulk", "--file", "hard.csv", "--sobject", "Account", "--hard-delete", "--wait", "5", "--target-org", "org")
		var left struct{ TotalSize int }
		c.run(t, &left, "data", "query", "--query", "SELECT Id FROM Contact", "--all-rows", "--target-org", "org")
		if left.TotalSize != 0 {
			t.Errorf("%d contacts are left of the tree", left.TotalSize)
		}
	})

	t.Run("delete", func(t *testing.T) {
		var b strings.Builder
		b.WriteString("Id\n")
		gone := map[string]bool{}
		for _, a := range rows[:50] {
			gone[a.Key] = true
			b.WriteString(ids[a.Key] + "\n")
		}
		c.write(t, "delete.csv", b.String())
		var r struct {
			JobInfo struct {
				NumberRecordsProcessed, NumberRecordsFailed int
			}
		}
		c.run(t, &r, "data", "delete", "bulk", "--file", "delete.csv", "--sobject", "Account", "--wait", "5", "--target-org", "org")
		if r.JobInfo.NumberRecordsProcessed != 50 || r.JobInfo.NumberRecordsFailed != 0 {
			t.Errorf("delete %+v", r)
		}
		left := slices.DeleteFunc(sorted(slices.Clone(rows)), func(a account) bool { return gone[a.Key] })
		got, _ := c.export(t, exportQuery, "left.csv")
		want(t, "after the delete", left, got)
		rows = left
	})

	t.Run("single records", func(t *testing.T) {
		var made struct {
			ID      string
			Success bool
		}
		c.run(t, &made, "data", "create", "record", "--sobject", "Contact", "--values", "LastName=O\\'Brien AccountId="+ids[rows[0].Key], "--target-org", "org")
		if len(made.ID) != 18 || !made.Success {
			t.Fatalf("create %+v", made)
		}
		c.run(t, nil, "data", "update", "record", "--sobject", "Contact", "--record-id", made.ID, "--values", "FirstName=Pat", "--target-org", "org")
		var got map[string]json.RawMessage
		c.run(t, &got, "data", "get", "record", "--sobject", "Contact", "--record-id", made.ID, "--target-org", "org")
		if string(got["FirstName"]) != `"Pat"` || string(got["AccountId"]) != `"`+ids[rows[0].Key]+`"` {
			t.Errorf("get %s", got)
		}
		c.run(t, nil, "data", "delete", "record", "--sobject", "Contact", "--record-id", made.ID, "--target-org", "org")
	})
}
